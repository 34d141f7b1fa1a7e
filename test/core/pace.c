/* SPDX-License-Identifier: BSD-3-Clause */
/* Users pay for cleaning block by block: no write waits for whole bands to be moved. Time is
 * counted in blocks moved, which is what a write that waits waits for. */
#include "test/core/stand.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE 32u

static const struct stand_shape roomy = {
    "zoned, bands of 256",
    {.size = sizeof(struct hftl_media_facts),
     .kind = HFTL_KIND_ZONED,
     .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN | HFTL_MEDIA_CAN_FINISH,
     .block_bytes = 512,
     .groups = 1,
     .pus_per_group = 1,
     .chunks_per_pu = 82,
     .chunk_blocks = 256,
     .ws_min = 1,
     .ws_opt = 16,
     .open_max = 14,
     .active_max = 14,
     .transfer_blocks_max = 64,
     .volatile_cache = true},
    1,
    1,
};

struct load {
    struct stand stand;
    struct ask asks[QUEUE];
    uint8_t data[QUEUE][512];
    uint64_t written, steps, accepted_at; /* when the last write was accepted */
    uint64_t longest;                     /* steps between two of them */
};

static void begin_with(struct load *load, const struct stand_shape *shape,
                       uint32_t relocation_blocks)
{
    stand_init(&load->stand, shape);
    load->stand.options.relocation_blocks = relocation_blocks;
    load->stand.format.op_permille = 200;
    stand_format(&load->stand);
    stand_open(&load->stand);
    load->stand.unchecked = true;
    stand_write_all(&load->stand, 1);
}

static void begin(struct load *load)
{
    begin_with(load, &roomy, 0);
}

static void look(struct load *load)
{
    const struct device *device = load->stand.device;
    load->steps++;
    if (device->stats.user_blocks_written == load->written)
        return;
    uint64_t waited = load->steps - load->accepted_at;
    load->longest = waited > load->longest ? waited : load->longest;
    load->written = device->stats.user_blocks_written;
    load->accepted_at = load->steps;
}

/* A full queue of random overwrites, `blocks` in all. */
static void write_at_random(struct load *load, uint64_t blocks)
{
    struct stand *stand = &load->stand;
    uint64_t end = stand->device->stats.user_blocks_written + blocks;
    load->written = stand->device->stats.user_blocks_written;
    load->accepted_at = load->steps;
    load->longest = 0;
    for (unsigned i = 0; i < QUEUE; i++)
        load->asks[i].answered = true;
    for (unsigned n = 0; stand->device->stats.user_blocks_written < end; n++) {
        for (unsigned i = 0; i < QUEUE; i++)
            if (load->asks[i].answered)
                stand_ask(stand, &load->asks[i], HFTL_WRITE, 0,
                          prng_below(&stand->prng, stand->expected_count), 1, load->data[i]);
        stand_step(stand);
        if (n % 64 == 0)
            stand_check(stand);
        look(load);
    }
    for (unsigned i = 0; i < QUEUE; i++)
        assert_int_equal(stand_wait(stand, &load->asks[i]), HFTL_OK);
}

static void a_write_waits_for_few_steps(void **state)
{
    (void)state;
    struct load *load = calloc(1, sizeof(*load));
    begin(load);
    write_at_random(load, 3 * load->stand.expected_count); /* steady from here on */
    write_at_random(load, 2 * load->stand.expected_count);
    const struct hftl_stats *stats = &load->stand.device->stats;
    print_message(
        "longest wait: %llu steps; WAF %.2f\n", (unsigned long long)load->longest,
        (double)(stats->written[HFTL_IO_USER].blocks + stats->written[HFTL_IO_RELOCATION].blocks) /
            (double)stats->written[HFTL_IO_USER].blocks);
    /* It is 37. Without pacing 44, and 67 where nobody flushes for a user who finds no band. */
    assert_in_range(load->longest, 1, 40);
    stand_end(&load->stand);
    free(load);
}

/* The rate by the formula: below, above and far below the target, and where nothing has to move. */
static void the_rate_follows_what_is_left(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, &roomy);
    stand_format(&stand);
    stand_open(&stand);
    struct device *device = stand.device;
    uint32_t free = device->bands_free;
    struct {
        int64_t halves; /* of a band of space */
        uint32_t valid, capacity;
        bool open;
    } cases[] = {
        {2, 192, 256, false},  {6, 192, 256, true}, {0, 192, 256, false},
        {-2, 192, 256, false}, {2, 0, 256, true},   {2, 256, 256, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        device->bands_free = (uint32_t)((int64_t)BANDS_RESERVE + cases[i].halves / 2);
        pace_init(device);
        pace_set(device, cases[i].valid, cases[i].capacity);
        assert_int_equal(device->pace.open, cases[i].open);
        if (cases[i].open) {
            assert_int_equal(device->pace.a_move, 0);
            continue;
        }
        int64_t band = cases[i].capacity; /* what is not a band counts as nothing here */
        int64_t twice = PACE_TARGET_QUARTERS * band / 2, space = cases[i].halves * band / 2;
        int64_t gain = (int64_t)(cases[i].capacity - cases[i].valid) * PACE_ONE / cases[i].valid;
        space = space < twice / PACE_LEAST ? twice / PACE_LEAST : space; /* never nothing */
        assert_int_equal(device->pace.a_move, gain * space / (twice - space) + 1);
    }
    device->bands_free = free;
    pace_init(device);
    device->pace.open = false;
    device->pace.account = -1; /* the check can fail */
    assert_int_equal(device_check(device, &stand.why), HFTL_CORRUPT);
    assert_non_null(strstr(stand.why.text, "G1"));
    pace_init(device);
    stand_end(&stand);
}

/* A moment of a device: so much is left of the users' band and of relocation's, and its victim has
 * so many valid blocks, of `first`. */
struct moment {
    uint32_t bands_free, users, left, valid, first;
};

static void pretend(struct device *device, const struct moment *m, uint32_t capacity)
{
    static struct band bands[3];
    struct pen *pens[] = {device->streams[STREAM_USER].open,
                          device->streams[STREAM_RELOCATION].open};
    device->relocation.batch = 8;
    device->bands_free = m->bands_free;
    for (unsigned i = 0; i < 2; i++) {
        pens[i]->band = &bands[i];
        pens[i]->tail = capacity;
        pens[i]->position = capacity - (i == 0 ? m->users : m->left);
    }
    bands[2] = (struct band){.width = 1, .valid = m->valid};
    device->relocation.movers[0].victim = &bands[2];
    device->relocation.movers[0].valid_first = m->first;
    device->relocation.movers[0].taken = 1;
    pace_init(device);
    pace_set(device, m->first, capacity);
}

static void pretend_no_more(struct device *device, uint32_t bands_free)
{
    device->bands_free = bands_free;
    device->streams[STREAM_USER].open->band = device->streams[STREAM_RELOCATION].open->band = NULL;
    device->relocation.movers[0].victim = NULL;
    device->relocation.movers[0].taken = 0;
    pace_init(device);
}

static int64_t rate_by_space(const struct moment *m, int64_t capacity)
{
    int64_t space = ((int64_t)m->bands_free - BANDS_RESERVE) * capacity + m->users + m->left +
                    (m->first - m->valid) * capacity / m->first;
    int64_t twice = PACE_TARGET_QUARTERS * capacity / 2;
    return (capacity - m->first) * PACE_ONE / m->first * space / (twice - space) + 1;
}

/* Users come to the end of their band when there is another. */
static void the_rate_meets_the_next_band(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, &roomy);
    stand_format(&stand);
    stand_open(&stand);
    struct device *device = stand.device;
    uint32_t free = device->bands_free;
    int64_t capacity = geometry_data_blocks(&device->geometry, 1), delay = capacity / PACE_DELAY;
    /* There is one now, and relocation takes it long after they have come to their end. */
    struct moment now = {BANDS_RESERVE + 1, 20, 120, 190, 200};
    pretend(device, &now, (uint32_t)capacity);
    assert_int_equal(device->pace.a_move, rate_by_space(&now, capacity));
    /* None before the victim has ended and was erased: slower, but not too slow. */
    struct moment late = {BANDS_RESERVE, 10, 200, 100, 200};
    pretend(device, &late, (uint32_t)capacity);
    int64_t slow = rate_by_space(&late, capacity) * PACE_SLOW_TENTHS / 10;
    assert_true(11 * PACE_ONE / (100 + delay) < slow);
    assert_int_equal(device->pace.a_move, slow);
    struct moment later = {BANDS_RESERVE, 35, 200, 100, 200};
    pretend(device, &later, (uint32_t)capacity);
    assert_int_equal(device->pace.a_move, 36 * PACE_ONE / (100 + delay));
    /* There is one now, and relocation will take it before they are in the last half: faster. */
    uint32_t half = (uint32_t)capacity / PACE_KEEP;
    struct moment soon = {BANDS_RESERVE + 1, half + 20, 42, 200, 200};
    pretend(device, &soon, (uint32_t)capacity);
    assert_true(device->pace.a_move > rate_by_space(&soon, capacity));
    assert_int_equal(device->pace.a_move, 21 * PACE_ONE / (42 - 2 * 8));
    /* When they are, it is kept for them. */
    struct moment gone = {BANDS_RESERVE + 1, half - 1, 2, 100, 200};
    pretend(device, &gone, (uint32_t)capacity);
    assert_int_equal(device->pace.a_move, rate_by_space(&gone, capacity));
    assert_true(pace_keeps_a_band(device));
    pretend(device, &soon, (uint32_t)capacity);
    assert_false(pace_keeps_a_band(device));
    /* That one is space of theirs, and they need not wait for another. */
    device->streams[STREAM_USER].kept = &device->bands[0];
    pretend(device, &late, (uint32_t)capacity);
    device->streams[STREAM_USER].kept = NULL;
    struct moment more = late;
    more.bands_free++;
    assert_int_equal(device->pace.a_move, rate_by_space(&more, capacity));
    /* Bands of a few batches: nothing is foreseen. */
    pretend(device, &late, (uint32_t)capacity);
    device->relocation.batch = 64;
    pace_set(device, late.first, (uint32_t)capacity);
    assert_int_equal(device->pace.a_move, rate_by_space(&late, capacity));
    /* Nor where less than eight bands are spare, by what the victim has invalid. */
    uint32_t bands = device->geometry.bands;
    int64_t enough = PACE_SPARE_BANDS * capacity / (capacity - late.first) + 1;
    device->geometry.bands = (uint32_t)enough;
    pretend(device, &late, (uint32_t)capacity);
    assert_true(device->pace.a_move < rate_by_space(&late, capacity));
    device->geometry.bands = (uint32_t)enough - 1;
    pretend(device, &late, (uint32_t)capacity);
    assert_int_equal(device->pace.a_move, rate_by_space(&late, capacity));
    device->geometry.bands = bands;
    pretend_no_more(device, free);
    stand_end(&stand);
}

/* Bands of many batches, a few of them spare. */
static struct load *begin_where_bands_are_kept(void)
{
    struct load *load = calloc(1, sizeof(*load));
    struct stand_shape larger = roomy;
    larger.facts.chunk_blocks = 512;
    larger.facts.chunks_per_pu = 62;
    assert_non_null(load);
    begin_with(load, &larger, 32);
    return load;
}

/* Relocation takes from the reserve instead of the last band that users would get. What is kept is
 * theirs as long as they write; a close has nothing to do with it. */
static void a_band_is_kept_for_users(void **state)
{
    (void)state;
    struct load *load = begin_where_bands_are_kept();
    struct stand *stand = &load->stand;
    uint32_t kept = 0, opened = 0;
    for (unsigned n = 0; n < 2000; n++) {
        const struct band *before = stand->device->streams[STREAM_USER].kept;
        write_at_random(load, 40);
        const struct stream *user = &stand->device->streams[STREAM_USER];
        stand_check(stand);
        kept += before == NULL && user->kept != NULL;
        opened += before != NULL && stream_band(user) == before;
        if (user->kept != NULL)
            assert_true(user->kept->state == BAND_OPEN && user->kept->valid == 0);
        if (kept > 20 && opened > 20 && user->kept != NULL)
            break;
    }
    print_message("kept %u, then opened %u\n", kept, opened);
    assert_true(kept > 20 && opened > 20);
    const struct band *last = stand->device->streams[STREAM_USER].kept;
    assert_non_null(last);
    uint32_t index = last->index;
    stand_reopen(stand);
    assert_null(stand->device->streams[STREAM_USER].kept);
    assert_int_equal(stand->device->bands[index].state, BAND_FREE);
    write_at_random(load, 1000);
    stand_check(stand);
    stand_end(stand);
    free(load);
}

/* All resets that are asked for fail, until the request is answered. */
static enum hftl_status wait_while_erases_fail(struct stand *stand, struct ask *ask)
{
    unsigned failed = 0;
    for (unsigned idle = 0; !ask->answered && idle < 4;) {
        idle = stand_step(stand) ? 0 : idle + 1;
        if (stand->tap->held_count == 0)
            continue;
        tap_refuse_first(stand->tap, HFTL_IO);
        idle = 0;
        failed++;
    }
    assert_true(ask->answered && failed > 0);
    return ask->request.status;
}

/* What is kept counts as opened (W9): closing bands for who asks for it does not use it up, nor the
 * reserve below it. Where cleaning is paused, and the band that was coming is lost, he is refused,
 * and users have theirs; when cleaning goes on he is served. */
static void a_closing_of_bands_leaves_the_kept_one_to_users(void **state)
{
    (void)state;
    struct load *load = begin_where_bands_are_kept();
    struct stand *stand = &load->stand;
    struct device *device = stand->device;
    const struct stream *user = &device->streams[STREAM_USER];
    struct ask ask, write;
    static uint8_t data[512];
    for (unsigned n = 0; n < 20000; n++) {
        write_at_random(load, 1);
        if (user->kept != NULL && device->bands_free < BANDS_RESERVE &&
            (device->bands_emptied > 0 || device->erase.band != NULL))
            break;
    }
    const struct band *kept = user->kept;
    assert_non_null(kept);
    device_pause_cleaning(device, true);
    tap_hold(stand->tap, HFTL_MEDIA_RESET);
    stand_ask(stand, &ask, HFTL_FLUSH_BANDS, 0, 0, 0, NULL);
    assert_int_equal(wait_while_erases_fail(stand, &ask), HFTL_SPACE);
    tap_release(stand->tap);
    stand_check(stand);
    assert_false(device->read_only);
    assert_ptr_equal(user->kept, kept);
    for (uint32_t n = user->open->tail - user->open->position + 1; n > 0;
         n--) { /* theirs is full, and that one next */
        stand_ask(stand, &write, HFTL_WRITE, 0, n, 1, data);
        assert_int_equal(stand_wait(stand, &write), HFTL_OK);
    }
    assert_ptr_equal(stream_band(user), kept);
    device_pause_cleaning(device, false);
    stand_ask(stand, &ask, HFTL_FLUSH_BANDS, 0, 0, 0, NULL);
    assert_int_equal(stand_wait(stand, &ask), HFTL_OK);
    stand_check(stand);
    stand_end(stand);
    free(load);
}

/* With cleaning stopped there is nothing to pay for. */
static void nobody_waits_while_nothing_is_cleaned(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand.device->pace.open = false;
    stand.device->pace.account = 0;
    assert_false(pace_is_in_force(stand.device));
    stand_write(&stand, 0, 10, 1);
    stand_expect(&stand, 0, 10, 1);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_waits_for_few_steps),
        cmocka_unit_test(the_rate_follows_what_is_left),
        cmocka_unit_test(the_rate_meets_the_next_band),
        cmocka_unit_test(a_band_is_kept_for_users),
        cmocka_unit_test(a_closing_of_bands_leaves_the_kept_one_to_users),
        cmocka_unit_test(nobody_waits_while_nothing_is_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
