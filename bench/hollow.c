/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/hollow.h"

#include <stdlib.h>
#include <string.h>

#include "media/ledger.h"

struct handle;

struct hollow {
    struct hftl_media_facts facts;
    struct ledger ledger;
    uint8_t ***chunks; /* per chunk and block; NULL: zeros */
    struct handle *attached;
    uint64_t reads, blocks;
};

struct handle {
    struct hftl_media media;
    struct hollow *hollow;
    struct hftl_media_op *first, **last; /* done, not landed */
    bool cut;
};

struct hollow *hollow_create(const struct hftl_media_facts *facts)
{
    struct hollow *hollow = calloc(1, sizeof *hollow);

    if (hollow == NULL)
        return NULL;
    hollow->facts = *facts;
    if (ledger_create(&hollow->ledger, &hollow->facts) == HFTL_OK)
        hollow->chunks = calloc(hollow->ledger.chunk_count, sizeof *hollow->chunks);
    if (hollow->chunks != NULL)
        return hollow;
    hollow_destroy(hollow);
    return NULL;
}

static void empty(struct hollow *hollow, uint32_t chunk)
{
    uint8_t **blocks = hollow->chunks[chunk];

    for (uint32_t i = 0; blocks != NULL && i < hollow->ledger.chunks[chunk].wp; i++)
        free(blocks[i]);
    free(blocks);
    hollow->chunks[chunk] = NULL;
}

void hollow_destroy(struct hollow *hollow)
{
    for (uint32_t i = 0; hollow->chunks != NULL && i < hollow->ledger.chunk_count; i++)
        empty(hollow, i);
    free(hollow->chunks);
    ledger_destroy(&hollow->ledger);
    free(hollow);
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static enum hftl_status write_blocks(struct hollow *hollow, const struct hftl_media_op *op)
{
    size_t bytes = hollow->facts.block_bytes;
    uint8_t ***blocks = &hollow->chunks[op->chunk];

    if (*blocks == NULL)
        *blocks = calloc(hollow->facts.chunk_blocks, sizeof **blocks);
    for (uint32_t i = 0; *blocks != NULL && i < op->blocks; i++) {
        const uint8_t *data = (const uint8_t *)op->data + i * bytes;

        if (is_zero(data, bytes))
            continue;
        uint8_t *copy = malloc(bytes);
        if (copy == NULL)
            return HFTL_MEMORY;
        (*blocks)[op->offset + i] = memcpy(copy, data, bytes);
    }
    if (*blocks == NULL)
        return HFTL_MEMORY;
    ledger_write(&hollow->ledger, op->chunk, op->blocks);
    return HFTL_OK;
}

static void read_blocks(struct hollow *hollow, const struct hftl_media_op *op)
{
    size_t bytes = hollow->facts.block_bytes;
    uint8_t **blocks = hollow->chunks[op->chunk];

    for (uint32_t i = 0; i < op->blocks; i++) {
        uint8_t *data = (uint8_t *)op->data + i * bytes;

        if (blocks != NULL && blocks[op->offset + i] != NULL)
            memcpy(data, blocks[op->offset + i], bytes);
        else
            memset(data, 0, bytes);
    }
    hollow->reads++;
    hollow->blocks += op->blocks;
}

static enum hftl_status act(struct hollow *hollow, struct hftl_media_op *op)
{
    switch (op->verb) {
    case HFTL_MEDIA_WRITE:
        return write_blocks(hollow, op);
    case HFTL_MEDIA_READ:
        read_blocks(hollow, op);
        break;
    case HFTL_MEDIA_RESET:
        empty(hollow, op->chunk);
        ledger_reset(&hollow->ledger, op->chunk);
        break;
    case HFTL_MEDIA_FINISH:
        ledger_finish(&hollow->ledger, op->chunk);
        break;
    case HFTL_MEDIA_REPORT:
        memcpy(op->out.report, &hollow->ledger.chunks[op->chunk],
               op->blocks * sizeof *op->out.report);
        break;
    case HFTL_MEDIA_EVENT:
        return HFTL_AGAIN;
    case HFTL_MEDIA_APPEND: /* its facts say that there is none */
    case HFTL_MEDIA_FLUSH:
    case HFTL_MEDIA_VERB_COUNT:
        break;
    }
    return HFTL_OK;
}

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct handle *handle = (struct handle *)media;
    struct ledger *ledger = &handle->hollow->ledger;

    for (unsigned i = 0; i < count; i++) {
        ops[i]->status = handle->cut ? HFTL_IO : ledger_judge(ledger, ops[i]);
        if (!handle->cut)
            ledger_depart(ledger, ops[i]);
        if (ops[i]->status == HFTL_OK)
            ops[i]->status = act(handle->hollow, ops[i]);
        ops[i]->link = NULL;
        *handle->last = ops[i];
        handle->last = &ops[i]->link;
    }
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct handle *handle = (struct handle *)media;
    unsigned landed = 0;

    while (landed < max && handle->first != NULL) {
        struct hftl_media_op *op = handle->first;

        handle->first = op->link;
        if (handle->first == NULL)
            handle->last = &handle->first;
        if (!handle->cut)
            ledger_arrive(&handle->hollow->ledger, op);
        landed++;
        op->land(op);
    }
    return landed;
}

static int find_fd(struct hftl_media *media)
{
    (void)media;
    return -1;
}

static void close_media(struct hftl_media *media)
{
    free(media);
}

static const struct hftl_media_ops hollow_ops = {
    .name = "hollow",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = find_fd,
    .close = close_media,
};

struct hftl_media *hollow_attach(struct hollow *hollow)
{
    struct handle *handle = calloc(1, sizeof *handle);
    struct ledger *ledger = &hollow->ledger;

    if (handle == NULL)
        return NULL;
    memset(ledger->flights, 0, ledger->chunk_count * sizeof *ledger->flights);
    for (uint32_t i = 0; i < ledger->chunk_count; i++)
        rules_apply_power_up(&hollow->facts, &ledger->chunks[i]);
    if (!ledger_recount(ledger)) {
        free(handle);
        return NULL;
    }
    handle->media.ops = &hollow_ops;
    handle->media.facts = hollow->facts;
    handle->hollow = hollow;
    hollow->attached = handle;
    handle->last = &handle->first;
    return &handle->media;
}

void hollow_cut(struct hollow *hollow)
{
    hollow->attached->cut = true;
}

void hollow_count(struct hollow *hollow, uint64_t *reads, uint64_t *blocks)
{
    *reads = hollow->reads;
    *blocks = hollow->blocks;
    hollow->reads = 0;
    hollow->blocks = 0;
}
