/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes and reads are even while cleaning is due, on a drive with the times of a real one, in
 * virtual time: what is pinned here is to the nanosecond, and the same on each machine. The bars
 * that do not hold yet are in doc/performance.md; bench/smooth.c has the whole measurement. */
#include "test/unit.h"

#include "bench/steady.h"
#include "core/engine.h"

#include <string.h>

#define SECOND 1000000000ull

static const struct steady_load none = {.verb = HFTL_READ};
static const struct steady_load writing = {.verb = HFTL_WRITE, .depth = STEADY_DEPTH};
static const struct steady_load reading = {.verb = HFTL_READ, .depth = STEADY_DEPTH};

static struct steady steady;

static void run(struct steady_load write, struct steady_figures *writes, struct steady_load read,
                struct steady_figures *reads, uint64_t ns)
{
    steady_run(&steady, (struct steady_load[]){write, read},
               (struct steady_figures *[]){writes, reads}, ns);
}

/* Full, and overwritten until cleaning is as it will be for ever. */
static void begin_on(const struct steady_shape *shape, uint64_t seed)
{
    steady_begin(&steady, shape, 250, seed);
    steady_fill(&steady);
    steady_overwrite(&steady, 2 * device_blocks(steady.device));
}

static void begin(enum hftl_media_kind kind, uint64_t seed)
{
    struct steady_shape shape = steady_shape(kind, false);
    begin_on(&shape, seed);
}

/* What each kind has to keep to, a little above what it does. */
struct pin {
    enum hftl_media_kind kind;
    uint64_t seed;
    double gap_ms, longest_ms, uneven, reads_beside, reads_after;
};

static const struct pin pins[] = {
    {HFTL_KIND_ZONED, 1, 8, 9.8, 0.05, 0.48, 0.8},
    {HFTL_KIND_OCSSD, 4, 8, 9.8, 0.05, 0.48, 0.8},
};

static const char *name_of(enum hftl_media_kind kind)
{
    return kind == HFTL_KIND_ZONED ? "zoned" : "ocssd";
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void no_write_waits_long_and_no_second_has_fewer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        struct steady_figures figures = {0};
        begin(pins[i].kind, pins[i].seed);
        uint64_t from_ns = steady.now_ns;
        run(writing, &figures, none, NULL, 5 * SECOND);
        double uneven = steady_unevenness(&figures, from_ns, SECOND, 5);
        print_message("%s: %llu writes, none for %.2f ms, the longest %.2f ms, a second off by "
                      "%.3f\n",
                      name_of(pins[i].kind), (unsigned long long)figures.count, ms(figures.gap_ns),
                      ms(steady_longest(&figures)), uneven);
        assert_true(steady.device->stats.victims > 0); /* cleaning is due */
        assert_true(ms(figures.gap_ns) <= pins[i].gap_ms);
        assert_true(ms(steady_longest(&figures)) <= pins[i].longest_ms);
        assert_true(uneven <= pins[i].uneven);
        steady_forget(&figures);
        steady_end(&steady);
    }
}

static void reads_go_on_beside_writes_and_after_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        struct steady_figures writes = {0}, after = {0}, idle = {0}, beside = {0};
        begin(pins[i].kind, 2);
        run(writing, &writes, none, NULL, SECOND);
        run(none, NULL, reading, &after, SECOND / 10);
        run(none, NULL, none, NULL, SECOND);
        run(none, NULL, reading, &idle, SECOND / 10);
        struct steady_load half = {HFTL_WRITE, STEADY_DEPTH, 2 * SECOND / writes.count};
        run(half, NULL, reading, &beside, SECOND);
        run(half, &writes, none, NULL, 2 * SECOND);
        assert_true(steady_percentile(&writes, 999) < steady.times.program_ns); /* nobody waits */
        double all = (double)idle.count;
        print_message("%s: of %.0f reads, %.3f right after writes, %.3f beside half of them\n",
                      name_of(pins[i].kind), all * 10, (double)after.count / all,
                      (double)beside.count / (10 * all));
        assert_true((double)after.count >= pins[i].reads_after * all);
        assert_true((double)beside.count >= pins[i].reads_beside * 10 * all);
        steady_forget(&writes);
        steady_forget(&after);
        steady_forget(&idle);
        steady_forget(&beside);
        steady_end(&steady);
    }
}

/* Where the drive has room for them (doc/adr/0038). Chunks of half the size make this quick. */
static void readers_keep_most_of_their_rate_where_they_suspend(void **state)
{
    (void)state;
    struct steady_figures writes = {0}, idle = {0}, beside = {0}, half_of_them = {0};
    struct steady_shape shape = steady_shape(HFTL_KIND_ZONED, true);
    shape.facts.chunk_blocks /= 2;
    begin_on(&shape, 1);
    run(writing, &writes, none, NULL, SECOND);
    run(none, NULL, none, NULL, SECOND / 2);
    run(none, NULL, reading, &idle, SECOND / 10);
    struct steady_load half = {HFTL_WRITE, STEADY_DEPTH, 2 * SECOND / writes.count};
    run(half, NULL, none, NULL, SECOND / 2);
    run(half, &half_of_them, reading, &beside, SECOND);
    double share = (double)beside.count / (10 * (double)idle.count);
    print_message("%s: %llu writes, %.3f of %llu reads beside half of them\n", shape.name,
                  (unsigned long long)writes.count, share, 10 * (unsigned long long)idle.count);
    assert_true(share >= 0.6);
    assert_true((double)half_of_them.count >= 0.99 * (double)writes.count / 2);
    steady_forget(&writes);
    steady_forget(&idle);
    steady_forget(&beside);
    steady_forget(&half_of_them);
    steady_end(&steady);
}

/* Cleaning has time to spare then: it must not keep emptied bands until users want one. */
static void nobody_waits_at_three_quarters_of_the_rate(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        struct steady_figures writes = {0};
        begin(pins[i].kind, 1);
        run(writing, &writes, none, NULL, 2 * SECOND);
        struct steady_load three = {HFTL_WRITE, STEADY_DEPTH, 8 * SECOND / (3 * writes.count)};
        run(three, NULL, none, NULL, SECOND);
        uint64_t erased = steady.device->stats.bands_erased;
        run(three, &writes, none, NULL, 5 * SECOND);
        print_message("%s: %llu writes, the longest %.2f ms\n", name_of(pins[i].kind),
                      (unsigned long long)writes.count, ms(steady_longest(&writes)));
        assert_true(steady.device->stats.bands_erased > erased + 50); /* cleaning is due */
        assert_true(steady_longest(&writes) < steady.times.program_ns);
        steady_forget(&writes);
        steady_end(&steady);
    }
}

/* The same to the nanosecond; and another seed is another run. */
static void a_seed_is_a_run(void **state)
{
    (void)state;
    struct steady_figures figures[3] = {{0}};
    static const uint64_t seeds[] = {3, 3, 4};
    for (unsigned i = 0; i < 3; i++) {
        begin(HFTL_KIND_ZONED, seeds[i]);
        run(writing, &figures[i], reading, NULL, SECOND / 10);
        steady_end(&steady);
    }
    assert_int_equal(figures[0].count, figures[1].count);
    assert_memory_equal(figures[0].latency_ns, figures[1].latency_ns, figures[0].count * 8);
    assert_true(figures[0].count != figures[2].count ||
                memcmp(figures[0].latency_ns, figures[2].latency_ns, figures[0].count * 8) != 0);
    for (unsigned i = 0; i < 3; i++)
        steady_forget(&figures[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_write_waits_long_and_no_second_has_fewer),
        cmocka_unit_test(reads_go_on_beside_writes_and_after_them),
        cmocka_unit_test(readers_keep_most_of_their_rate_where_they_suspend),
        cmocka_unit_test(nobody_waits_at_three_quarters_of_the_rate),
        cmocka_unit_test(a_seed_is_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
