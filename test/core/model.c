/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device against an array: random requests, reopens and crashes, on every odd geometry.
 *
 * The array keeps, for each lba, the versions that a read may give: the newest, and, until a flush
 * that covers it is answered, those since the last durable one. A crash picks among them; what a
 * read then gives is the only one left.
 *
 * A failure prints its seed; HFTL_SEED=n runs that seed alone.
 */
#include "test/core/stand.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS_MAX 12u

struct cell {
    uint64_t version[VERSIONS_MAX]; /* the last is the newest; the first is durable */
    uint32_t count;
};

struct model {
    struct stand stand;
    struct prng prng;
    struct cell *cells;
    uint64_t next;
    uint64_t seed;
    const char *shape;
};

static const char *where(const struct model *m)
{
    static char text[100];
    snprintf(text, sizeof(text), "HFTL_SEED=%" PRIu64 " (%s)", m->seed, m->shape);
    return text;
}

static void flush(struct model *m);

static void note(struct model *m, uint64_t lba, uint64_t version)
{
    struct cell *cell = &m->cells[lba];
    cell->version[cell->count++] = version;
}

/* Room for one more version of each block of the range. */
static void make_room(struct model *m, uint64_t lba, uint64_t blocks)
{
    for (uint64_t i = 0; i < blocks; i++)
        if (m->cells[lba + i].count == VERSIONS_MAX) {
            flush(m);
            return;
        }
}

static void settle_all(struct model *m)
{
    for (uint64_t lba = 0; lba < m->stand.expected_count; lba++) {
        struct cell *cell = &m->cells[lba];
        cell->version[0] = cell->version[cell->count - 1];
        cell->count = 1;
    }
}

static void must_be_ok(const struct model *m, enum hftl_status status, const char *what)
{
    if (status != HFTL_OK)
        fail_msg("%s: %s: %s", where(m), what, hftl_status_text(status));
}

static void flush(struct model *m)
{
    must_be_ok(m, stand_do(&m->stand, HFTL_FLUSH, 0, 0, 0, NULL), "flush");
    settle_all(m);
}

static void pick_range(struct model *m, uint64_t *lba, uint64_t *blocks)
{
    uint64_t end = m->stand.expected_count;
    bool hot = prng_chance(&m->prng, 2, 3);
    *blocks =
        prng_chance(&m->prng, 1, 10) ? 1 + prng_below(&m->prng, 60) : 1 + prng_below(&m->prng, 6);
    *lba = prng_below(&m->prng, (hot ? end / 5 : end) - *blocks);
}

static void do_write(struct model *m)
{
    static uint8_t data[64 * 512];
    uint64_t lba, blocks, version = ++m->next;
    pick_range(m, &lba, &blocks);
    make_room(m, lba, blocks);
    bool fua = prng_chance(&m->prng, 1, 20);
    stand_fill(&m->stand, data, lba, blocks, version);
    must_be_ok(m, stand_do(&m->stand, HFTL_WRITE, fua ? HFTL_FUA : 0, lba, blocks, data), "write");
    for (uint64_t i = 0; i < blocks; i++) {
        note(m, lba + i, version);
        if (fua) {
            m->cells[lba + i].version[0] = version;
            m->cells[lba + i].count = 1;
        }
    }
}

static void do_trim(struct model *m)
{
    uint64_t lba, blocks;
    pick_range(m, &lba, &blocks);
    make_room(m, lba, blocks);
    enum hftl_verb verb = prng_chance(&m->prng, 1, 2) ? HFTL_TRIM : HFTL_WRITE_ZEROES;
    must_be_ok(m, stand_do(&m->stand, verb, 0, lba, blocks, NULL), "trim");
    for (uint64_t i = 0; i < blocks; i++)
        note(m, lba + i, 0);
}

static void check_block(struct model *m, uint64_t lba, const uint8_t *data, bool any)
{
    struct cell *cell = &m->cells[lba];
    for (uint32_t i = cell->count; i > 0; i--) {
        if (stand_holds(&m->stand, data, lba, cell->version[i - 1])) {
            cell->version[0] = cell->version[i - 1];
            cell->count = any ? 1 : cell->count;
            return;
        }
        if (!any)
            break;
    }
    fail_msg("%s: lba %" PRIu64 " holds version %" PRIu64 ", expected %" PRIu64 " (%u allowed)",
             where(m), lba, get_u64(data + 8), cell->version[cell->count - 1],
             any ? cell->count : 1);
}

static void read_range(struct model *m, uint64_t lba, uint64_t blocks, bool any)
{
    static uint8_t data[64 * 512];
    memset(data, 0x77, sizeof(data));
    must_be_ok(m, stand_do(&m->stand, HFTL_READ, 0, lba, blocks, data), "read");
    for (uint64_t i = 0; i < blocks; i++)
        check_block(m, lba + i, data + i * 512, any);
}

static void do_read(struct model *m)
{
    uint64_t lba, blocks;
    pick_range(m, &lba, &blocks);
    uint64_t first = m->cells[lba].version[0];
    (void)first;
    static struct cell before[64];
    memcpy(before, &m->cells[lba], (size_t)blocks * sizeof(struct cell));
    read_range(m, lba, blocks, false);
    memcpy(&m->cells[lba], before, (size_t)blocks * sizeof(struct cell));
}

static void read_all(struct model *m, bool any)
{
    for (uint64_t lba = 0; lba < m->stand.expected_count; lba += 60)
        read_range(m, lba, min_u64(60, m->stand.expected_count - lba), any);
}

static void do_crash(struct model *m)
{
    bool power = prng_chance(&m->prng, 3, 4);
    for (uint64_t steps = prng_below(&m->prng, 6); steps > 0; steps--)
        (void)stand_step(&m->stand);
    stand_crash(&m->stand, power, prng_next(&m->prng));
    must_be_ok(m, stand_try_open(&m->stand), m->stand.why.text);
    stand_check(&m->stand);
    read_all(m, true);
    flush(m); /* what was served stays (O12) */
}

static void do_reopen(struct model *m)
{
    must_be_ok(m, stand_try_close(&m->stand), "close");
    must_be_ok(m, stand_try_open(&m->stand), m->stand.why.text);
    if (!m->stand.device->was_clean)
        fail_msg("%s: the close was not clean", where(m));
    settle_all(m);
}

static void do_one(struct model *m)
{
    uint64_t dice = prng_below(&m->prng, 1000);
    if (dice < 560)
        do_write(m);
    else if (dice < 880)
        do_read(m);
    else if (dice < 940)
        do_trim(m);
    else if (dice < 988)
        flush(m);
    else if (dice < 994)
        do_reopen(m);
    else
        do_crash(m);
}

static void run(uint64_t seed, unsigned operations)
{
    struct model m = {.seed = seed};
    prng_seed(&m.prng, seed);
    const struct stand_shape *shape = stand_shape((unsigned)prng_below(&m.prng, stand_shapes()));
    m.shape = shape->name;
    stand_init(&m.stand, shape);
    m.stand.unchecked = true;
    m.stand.options.write_buffer_bytes = prng_chance(&m.prng, 1, 2) ? 1 : 0;
    m.stand.options.recovery_memory_bytes = prng_chance(&m.prng, 1, 2) ? 1 : 0;
    stand_format(&m.stand);
    stand_open(&m.stand);
    m.cells = calloc(m.stand.expected_count, sizeof(struct cell));
    for (uint64_t lba = 0; lba < m.stand.expected_count; lba++)
        m.cells[lba].count = 1;
    for (unsigned i = 0; i < operations; i++) {
        do_one(&m);
        struct why why;
        if (i % 32 == 0 && device_check(m.stand.device, &why) != HFTL_OK)
            fail_msg("%s: %s", where(&m), why.text);
    }
    flush(&m);
    read_all(&m, false);
    free(m.cells);
    stand_end(&m.stand);
}

static void the_device_is_an_array_that_survives(void **state)
{
    (void)state;
    const char *given = getenv("HFTL_SEED");
    if (given != NULL) {
        run(strtoull(given, NULL, 0), 3000);
        return;
    }
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_device_is_an_array_that_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
