/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suspension.c - when things land on a delay in which reads suspend programs and erases. All times
 * were computed by hand from delay.h and delay_units.h.
 */
#include <time.h>

#include "base/bytes.h"
#include "media/delay.h"
#include "test/media/subject.h"

#define OPS 8
#define START 1000000u /* the time at which a story begins; its own times count from there */

static struct hftl_media *wrapper, *top; /* the delay, a guard around it */
static uint64_t now_ns;

static uint64_t read_now(void *arg)
{
    (void)arg;
    return now_ns;
}

static void advance_now(void *arg, uint64_t to_ns)
{
    (void)arg;
    assert_true(to_ns > now_ns);
    now_ns = to_ns;
}

static const struct media_clock own_clock = {.now_ns = read_now}; /* the story moves it */
static const struct media_clock moved_clock = {.now_ns = read_now, .advance_ns = advance_now};

static struct delay_options times_of(uint32_t units)
{
    return (struct delay_options){.size = sizeof(struct delay_options),
                                  .units = units,
                                  .read_ns = 100,
                                  .program_ns = 1000,
                                  .erase_ns = 10000,
                                  .flush_ns = 7,
                                  .transfer_ns = 10,
                                  .suspend_ns = 20,
                                  .progress_ns = 200,
                                  .clock = &own_clock};
}

static struct hftl_media *open_mem(enum hftl_media_kind kind)
{
    static const uint32_t chunks[] = {0, 1, 32, 3};
    char why[WHY_BYTES] = "";
    struct mem_options options = {.size = sizeof options, .facts = mem_facts(kind)};
    struct hftl_media *mem;
    if (mem_open(&options, &mem, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    for (unsigned i = 0; i < 4; i++)
        for (uint32_t at = 0; at < (chunks[i] == 3 ? mem->facts.chunk_blocks : 24); at += 8)
            assert_int_equal(do_write(mem, chunks[i], at, 8, 1), HFTL_OK);
    return mem;
}

/* Chunks 0 and 1 can be read, and so can 32, in the other PU; 3 is full. */
static void open_slow(enum hftl_media_kind kind, const struct delay_options *options)
{
    now_ns = START;
    assert_int_equal(delay_open(open_mem(kind), options, &wrapper), HFTL_OK);
    assert_int_equal(guard_open(wrapper, NULL, &top), HFTL_OK);
    assert_int_equal(delay_suspensions(wrapper), 0);
}

static void close_all(void)
{
    top->ops->close(top);
}

/* What happens when, and when it lands. */
struct scene {
    uint64_t at_ns;
    enum hftl_media_verb verb;
    uint32_t chunk, blocks;
    uint64_t lands_ns;
};

static struct hftl_media_op ops[OPS];
static uint64_t landed_at[OPS];
static unsigned landed;

static void note_time(struct hftl_media_op *op)
{
    assert_int_equal(op->status, HFTL_OK);
    landed_at[op - ops] = now_ns - START;
    landed++;
}

static void run_until(uint64_t to_ns)
{
    for (;;) {
        (void)top->ops->reap(top, OPS);
        uint64_t due = delay_due(wrapper);
        if (due > to_ns)
            break;
        now_ns = max_u64(now_ns, due);
    }
    now_ns = to_ns;
}

static void submit(unsigned index, const struct scene *scene)
{
    static uint8_t bytes[OPS][32 * 4096];
    struct hftl_media_op *op = &ops[index];
    *op = (struct hftl_media_op){.verb = scene->verb,
                                 .chunk = scene->chunk,
                                 .blocks = scene->blocks,
                                 .data = bytes[index],
                                 .land = note_time};
    if (scene->verb == HFTL_MEDIA_WRITE)
        op->offset = scene->chunk <= 1 || scene->chunk == 32 ? 24 : 0;
    top->ops->submit(top, &op, 1);
}

static void play(const struct scene *scenes, unsigned count, uint64_t suspensions)
{
    landed = 0;
    for (unsigned i = 0; i < count; i++) {
        run_until(START + scenes[i].at_ns);
        submit(i, &scenes[i]);
    }
    while (landed < count) {
        assert_true(delay_due(wrapper) != UINT64_MAX);
        run_until(delay_due(wrapper));
    }
    for (unsigned i = 0; i < count; i++)
        if (landed_at[i] != scenes[i].lands_ns)
            fail_msg("scene %u landed at %llu, not at %llu", i, (unsigned long long)landed_at[i],
                     (unsigned long long)scenes[i].lands_ns);
    assert_int_equal(delay_suspensions(wrapper), suspensions);
    assert_true(delay_due(wrapper) == UINT64_MAX);
}

static void play_on_two_units(const struct scene *scenes, unsigned count, uint64_t suspensions)
{
    struct delay_options options = times_of(0);
    open_slow(HFTL_KIND_OCSSD, &options);
    play(scenes, count, suspensions);
    close_all();
}

#define PLAY(scenes, suspensions)                                                                  \
    play_on_two_units(scenes, sizeof(scenes) / sizeof(scenes)[0], suspensions)

/* Chunks 0 to 31 are in one unit; a write of 8 blocks is on the channel for 80. */
static void a_read_suspends_the_program_in_its_unit(void **state)
{
    (void)state;
    const struct scene late[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 620 + 580}, /* ran from 80 to 500 */
        {500, HFTL_MEDIA_READ, 0, 2, 500 + 20 + 100 + 20},
    };
    const struct scene early[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 400 + 800}, /* progress first: from 80 to 280 */
        {100, HFTL_MEDIA_READ, 0, 2, 280 + 20 + 100 + 20},
    };
    const struct scene before[] = {
        {0, HFTL_MEDIA_READ, 0, 2, 100 + 20},
        {0, HFTL_MEDIA_WRITE, 1, 8, 100 + 1000}, /* its data are there at 80 */
    };
    const struct scene elsewhere[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 1080},
        {500, HFTL_MEDIA_READ, 32, 2, 500 + 100 + 20},
    };
    PLAY(late, 1);
    PLAY(early, 1);
    PLAY(before, 0);
    PLAY(elsewhere, 0);
}

/* Those that wait when it is suspended go first, and those that come later once it got on. */
static void reads_share_a_suspension(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 1040 + 380}, /* left: 580 at 500, 380 at 920 */
        {500, HFTL_MEDIA_READ, 0, 2, 620 + 20},
        {510, HFTL_MEDIA_READ, 0, 2, 720 + 20}, /* before 520 */
        {530, HFTL_MEDIA_READ, 0, 2, 720 + 200 + 20 + 100 + 20},
    };
    PLAY(scenes, 2);
}

/* Waiting is quicker than suspending what ends within that. */
static void leaves_a_program_alone_that_is_about_to_end(void **state)
{
    (void)state;
    const struct scene soon[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 1080},
        {1060, HFTL_MEDIA_READ, 0, 2, 1080 + 100 + 20},
    };
    const struct scene sooner[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 1179 + 21},
        {1059, HFTL_MEDIA_READ, 0, 2, 1059 + 20 + 100 + 20},
    };
    PLAY(soon, 0);
    PLAY(sooner, 1);
}

static void reads_go_before_a_program_that_has_not_begun(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 1020 + 180}, /* ran from 80 to 900 */
        {0, HFTL_MEDIA_WRITE, 2, 8, 1300 + 1000},
        {900, HFTL_MEDIA_READ, 0, 2, 1020 + 20},
        {950, HFTL_MEDIA_READ, 0, 2, 1200 + 100 + 20}, /* the first ends before progress_ns */
    };
    const struct scene waiting[] = {
        {0, HFTL_MEDIA_READ, 0, 2, 120},
        {0, HFTL_MEDIA_READ, 0, 2, 220},
        {0, HFTL_MEDIA_WRITE, 2, 8, 200 + 1000 + 120},           /* suspended at 400 */
        {110, HFTL_MEDIA_READ, 0, 2, 200 + 200 + 20 + 100 + 20}, /* it could begin at 100 */
    };
    PLAY(scenes, 1);
    PLAY(waiting, 1);
}

/* Between the programs of a long write reads go first, and nothing is suspended for it. */
static void reads_go_between_two_programs_of_a_write(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_WRITE, 2, 16, 1260 + 1000}, /* from 160 on */
        {1150, HFTL_MEDIA_READ, 0, 2, 1160 + 100 + 20},
    };
    const struct scene inside[] = {
        {0, HFTL_MEDIA_WRITE, 2, 16, 1620 + 660}, /* the second one ran from 1160 to 1500 */
        {1500, HFTL_MEDIA_READ, 0, 2, 1500 + 20 + 100 + 20},
    };
    PLAY(scenes, 0);
    PLAY(inside, 1);
}

static void reads_suspend_an_erase_and_programs_wait_for_it(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_RESET, 3, 0, 5120 + 5120},
        {50, HFTL_MEDIA_WRITE, 2, 8, 10240 + 1000},
        {1000, HFTL_MEDIA_READ, 0, 2, 1020 + 100 + 20},
        {5000, HFTL_MEDIA_READ, 1, 2, 5020 + 100 + 20}, /* ran from 1120: 5120 left */
    };
    PLAY(scenes, 2);
}

/* For the programs before it, and no others; an erase is none. */
static void a_flush_waits_for_what_is_suspended(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 1200},
        {10, HFTL_MEDIA_FLUSH, 0, 0, 1200 + 7},
        {20, HFTL_MEDIA_WRITE, 32, 16, 80 + 160 + 2000},
        {30, HFTL_MEDIA_FLUSH, 0, 0, 2240 + 7},
        {500, HFTL_MEDIA_READ, 0, 2, 640},
    };
    const struct scene none[] = {
        {0, HFTL_MEDIA_RESET, 3, 0, 10000},
        {10, HFTL_MEDIA_FLUSH, 0, 0, 10 + 7},
    };
    const struct scene later[] = {
        {0, HFTL_MEDIA_WRITE, 32, 16, 160 + 2000},
        {10, HFTL_MEDIA_FLUSH, 0, 0, 2160 + 7},
        {20, HFTL_MEDIA_WRITE, 1, 8, 160 + 80 + 1000}, /* ends before that */
    };
    const struct scene erase[] = {
        {0, HFTL_MEDIA_RESET, 3, 0, 300},
        {0, HFTL_MEDIA_WRITE, 32, 8, 1080},
        {10, HFTL_MEDIA_FLUSH, 0, 0, 1080 + 7},
    };
    struct delay_options options = times_of(0);
    PLAY(scenes, 1);
    PLAY(none, 0);
    PLAY(later, 0);
    options.erase_ns = 300;
    open_slow(HFTL_KIND_OCSSD, &options);
    play(erase, 3, 0);
    close_all();
}

static void a_finish_is_a_program(void **state)
{
    (void)state;
    const struct scene apart[] = {
        {0, HFTL_MEDIA_FINISH, 1, 0, 1000},
        {10, HFTL_MEDIA_FLUSH, 0, 0, 1000 + 7},
        {500, HFTL_MEDIA_READ, 0, 2, 500 + 100 + 20},
    };
    const struct scene together[] = {
        {0, HFTL_MEDIA_FINISH, 1, 0, 620 + 500},
        {10, HFTL_MEDIA_FLUSH, 0, 0, 1120 + 7},
        {500, HFTL_MEDIA_READ, 0, 2, 620 + 20},
    };
    struct delay_options options = times_of(2);
    open_slow(HFTL_KIND_ZONED, &options); /* 0 and 1 are in two units */
    play(apart, 3, 0);
    close_all();
    options = times_of(1);
    open_slow(HFTL_KIND_ZONED, &options);
    play(together, 3, 1);
    close_all();
}

static unsigned read_again; /* so many still */

static void read_on(struct hftl_media_op *op)
{
    assert_int_equal(op->status, HFTL_OK);
    landed++;
    if (read_again == 0)
        return;
    read_again--;
    top->ops->submit(top, &op, 1);
}

/* Four are always in flight in a program's unit. It gets on by progress_ns between two of their
 * turns: 4 suspensions, each for 4 of them. */
static void readers_without_end_do_not_starve_a_program(void **state)
{
    (void)state;
    struct delay_options options = times_of(0);
    const struct scene reading = {0, HFTL_MEDIA_READ, 0, 1, 0};
    const struct scene writing = {0, HFTL_MEDIA_WRITE, 2, 8, 0};
    open_slow(HFTL_KIND_OCSSD, &options);
    read_again = 100;
    landed = 0;
    for (unsigned i = 0; i < 4; i++) {
        submit(i, &reading);
        ops[i].land = read_on;
    }
    submit(4, &writing);
    while (landed < 105)
        run_until(delay_due(wrapper));
    assert_int_equal(landed_at[4], 400 + 1000 + 4 * (20 + 4 * 100));
    assert_int_equal(delay_suspensions(wrapper), 4);
    close_all();
}

/* chunk % 3 each, with a channel of its own. */
static void units_inside_suspend_by_themselves(void **state)
{
    (void)state;
    struct delay_options options = times_of(3);
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_WRITE, 6, 4, 620 + 540}, /* in the unit of 0, from 40 on */
        {0, HFTL_MEDIA_WRITE, 4, 4, 40 + 1000}, /* of 1 */
        {0, HFTL_MEDIA_WRITE, 5, 4, 620 + 540}, /* of 32 */
        {500, HFTL_MEDIA_READ, 0, 2, 640},
        {500, HFTL_MEDIA_READ, 32, 2, 640},
        {1040, HFTL_MEDIA_READ, 1, 2, 1040 + 100 + 20},
    };
    open_slow(HFTL_KIND_ZONED, &options);
    play(scenes, 6, 2);
    close_all();
}

/* The same to the nanosecond where the delay itself moves the clock. */
static void moves_the_clock_through_all_of_it(void **state)
{
    (void)state;
    struct delay_options options = times_of(0);
    const struct scene scenes[] = {
        {0, HFTL_MEDIA_WRITE, 1, 8, 0},
        {0, HFTL_MEDIA_READ, 32, 2, 0},
        {0, HFTL_MEDIA_RESET, 3, 0, 0},
        {0, HFTL_MEDIA_READ, 0, 2, 0},
    };
    options.clock = &moved_clock;
    open_slow(HFTL_KIND_OCSSD, &options);
    landed = 0;
    for (unsigned i = 0; i < 4; i++)
        submit(i, &scenes[i]);
    while (landed < 4)
        (void)wait_reap(top, 1);
    assert_int_equal(landed_at[0], 100 + 1000);
    assert_int_equal(landed_at[1], 100 + 20); /* the channel is free at 80 */
    assert_int_equal(landed_at[2], 1100 + 10000);
    assert_int_equal(landed_at[3], 120 + 20); /* and again when the other's has gone */
    close_all();
}

/* What is inside takes longer than the model: it lands then, and once. */
static void lands_when_the_inner_medium_has_finished_too(void **state)
{
    (void)state;
    struct delay_options slow = times_of(0), fast = times_of(0);
    struct hftl_media *inner;
    bool right;
    slow.clock = fast.clock = &moved_clock;
    slow.suspend_ns = 0;
    fast.read_ns = fast.program_ns = fast.flush_ns = fast.transfer_ns = 1;
    now_ns = START;
    assert_int_equal(delay_open(open_mem(HFTL_KIND_OCSSD), &slow, &inner), HFTL_OK);
    assert_int_equal(delay_open(inner, &fast, &wrapper), HFTL_OK);
    assert_int_equal(guard_open(wrapper, NULL, &top), HFTL_OK);
    assert_int_equal(do_write(top, 2, 0, 8, 1), HFTL_OK);
    assert_int_equal(now_ns - START, 1080);
    assert_int_equal(do_write(top, 2, 8, 16, 1), HFTL_OK);
    assert_int_equal(do_simple(top, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    assert_int_equal(now_ns - START, 1080 + 2160 + 7);
    assert_int_equal(do_read(top, 0, 0, 2, 1, &right), HFTL_OK);
    assert_true(right);
    assert_int_equal(now_ns - START, 1080 + 2160 + 7 + 100 + 20);
    close_all();
}

/* The model is through with it long before. */
static void waits_for_the_inner_medium(void **state)
{
    (void)state;
    struct delay_options slow = times_of(0), fast = times_of(0);
    const struct scene writing = {0, HFTL_MEDIA_WRITE, 2, 8, 0};
    struct hftl_media *inner;
    slow.suspend_ns = 0;
    fast.program_ns = 1;
    now_ns = START;
    assert_int_equal(delay_open(open_mem(HFTL_KIND_OCSSD), &slow, &inner), HFTL_OK);
    assert_int_equal(delay_open(inner, &fast, &wrapper), HFTL_OK);
    assert_int_equal(guard_open(wrapper, NULL, &top), HFTL_OK);
    landed = 0;
    submit(0, &writing);
    now_ns = START + 1079;
    assert_int_equal(top->ops->reap(top, OPS), 0);
    now_ns = START + 1080;
    assert_int_equal(top->ops->reap(top, OPS), 1);
    assert_int_equal(landed, 1);
    close_all();
}

/* Nobody reaped what was over: it is over all the same when the next one comes. */
static void what_is_over_is_not_suspended(void **state)
{
    (void)state;
    struct delay_options options = times_of(0);
    const struct scene writing = {0, HFTL_MEDIA_WRITE, 1, 8, 0};
    const struct scene reading = {0, HFTL_MEDIA_READ, 0, 2, 0};
    open_slow(HFTL_KIND_OCSSD, &options);
    landed = 0;
    submit(0, &writing);
    now_ns = START + 5000;
    submit(1, &reading);
    while (landed < 2)
        run_until(delay_due(wrapper));
    assert_int_equal(landed_at[0], 5000);
    assert_int_equal(landed_at[1], 5000 + 100 + 20);
    assert_int_equal(delay_suspensions(wrapper), 0);
    close_all();
}

static uint64_t real_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note_real_time(struct hftl_media_op *op)
{
    landed_at[op - ops] = real_ns();
    landed++;
}

/* A read comes at 50 ms into a program of 400: it lands while that has 300 to go. */
static void suspends_in_real_time(void **state)
{
    (void)state;
    struct delay_options options = {.size = sizeof options,
                                    .read_ns = 1000000,
                                    .program_ns = 400000000,
                                    .suspend_ns = 20000000,
                                    .progress_ns = 1000000};
    const struct scene writing = {0, HFTL_MEDIA_WRITE, 1, 8, 0};
    const struct scene reading = {0, HFTL_MEDIA_READ, 0, 1, 0};
    assert_int_equal(delay_open(open_mem(HFTL_KIND_OCSSD), &options, &wrapper), HFTL_OK);
    assert_int_equal(guard_open(wrapper, NULL, &top), HFTL_OK);
    landed = 0;
    uint64_t begun = real_ns();
    submit(0, &writing);
    ops[0].land = note_real_time;
    const struct timespec pause = {.tv_nsec = 50000000};
    nanosleep(&pause, NULL);
    submit(1, &reading);
    ops[1].land = note_real_time;
    while (landed < 2)
        (void)wait_reap(top, 1);
    assert_true(landed_at[1] - begun >= 71000000);
    assert_true(landed_at[1] < landed_at[0]);
    assert_true(landed_at[0] - begun >= 421000000);
    assert_int_equal(delay_suspensions(wrapper), 1);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_suspends_the_program_in_its_unit),
        cmocka_unit_test(reads_share_a_suspension),
        cmocka_unit_test(leaves_a_program_alone_that_is_about_to_end),
        cmocka_unit_test(reads_go_before_a_program_that_has_not_begun),
        cmocka_unit_test(reads_go_between_two_programs_of_a_write),
        cmocka_unit_test(reads_suspend_an_erase_and_programs_wait_for_it),
        cmocka_unit_test(a_flush_waits_for_what_is_suspended),
        cmocka_unit_test(a_finish_is_a_program),
        cmocka_unit_test(readers_without_end_do_not_starve_a_program),
        cmocka_unit_test(units_inside_suspend_by_themselves),
        cmocka_unit_test(moves_the_clock_through_all_of_it),
        cmocka_unit_test(lands_when_the_inner_medium_has_finished_too),
        cmocka_unit_test(waits_for_the_inner_medium),
        cmocka_unit_test(what_is_over_is_not_suspended),
        cmocka_unit_test(suspends_in_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
