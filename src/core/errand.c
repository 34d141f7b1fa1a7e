/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/errand.h"

#include "base/must.h"
#include "core/engine.h"

#include <string.h>

void errand_init(struct errand *errand, struct device *device, const char *name,
                 void (*step)(struct device *, struct errand *))
{
    memset(errand, 0, sizeof(*errand));
    link_init(&errand->link);
    errand->device = device;
    errand->name = name;
    errand->step = step;
}

void errand_wake(struct errand *errand)
{
    if (errand->in_flight > 0) /* E3: its last landing wakes it */
        return;
    if (link_is_linked(&errand->link))
        list_remove(&errand->link);
    list_push_back(&errand->device->ready, &errand->link);
}

void errand_wait(struct errand *errand, struct list *list)
{
    must(!link_is_linked(&errand->link)); /* E1 */
    must(errand->in_flight == 0);
    list_push_back(list, &errand->link);
}

void errand_wake_all(struct list *list)
{
    struct list_link *link;
    while ((link = list_pop_front(list)) != NULL) {
        struct errand *errand = list_of(link, struct errand, link);
        list_push_back(&errand->device->ready, &errand->link);
    }
}

static void land(struct hftl_media_op *op)
{
    struct errand_op *errand_op = list_of(op, struct errand_op, op);
    struct errand *errand = errand_op->errand;
    must(errand->in_flight > 0);
    if (device_land(errand->device, op, errand_op->io, NULL))
        return;
    if (op->status != HFTL_OK && errand->status == HFTL_OK)
        errand->status = op->status;
    if (--errand->in_flight == 0)
        errand_wake(errand);
}

static void send_as(struct errand *errand, struct errand_op *op, enum hftl_io_kind kind)
{
    must(!link_is_linked(&errand->link));
    op->errand = errand;
    op->op.land = land;
    op->op.owner = errand;
    op->io = (struct io){kind, trace_id(&errand->device->trace)};
    errand->in_flight++;
    device_send(errand->device, &op->op, op->io);
}

void errand_send(struct errand *errand, struct errand_op *op)
{
    send_as(errand, op, HFTL_IO_METADATA);
}

void errand_send_moved(struct errand *errand, struct errand_op *op)
{
    send_as(errand, op, HFTL_IO_RELOCATION);
}

enum hftl_status errand_take_status(struct errand *errand)
{
    enum hftl_status status = errand->status;
    errand->status = HFTL_OK;
    return status;
}
