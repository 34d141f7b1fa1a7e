/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * smooth.c - how even writes and reads are while cleaning is due, in virtual time (steady.h).
 *
 *     bench-smooth [-o json] [--seed N] [--seconds N] [--units N] [--suspend NS] [--progress NS]
 *                  KIND...
 *
 * KIND is ocssd or zoned, or one of them with -suspending behind it: the same drive with 32 units
 * instead of 8, and reads suspend programs and erases (doc/adr/0038). The options change a drive.
 *
 * The device is full and was overwritten twice at random, at 25 % over-provisioning. Then, of
 * 4 KiB requests at random places:
 *
 *     steady   32 writes in flight, for N (20) seconds: the rate that others are measured by
 *     after    32 reads in flight, at once when these writes have stopped, a tenth of a second
 *     idle     the same when nothing is left to do, a second
 *     both     the same beside writes that arrive at half of the steady rate, five seconds
 *     half     writes alone that arrive at half of the steady rate, ten seconds
 *     three    the same at three quarters of it
 *     fresh    both of them on a device that was never full: no cleaning is due
 *
 * Writes are compared at the same rate of arrivals. 32 in flight at all times take 32 / (writes a
 * second) each in the mean, whatever is done: with cleaning and without it these are two rates, so
 * that line is a figure and has no bar.
 *
 * Reads beside writes are a bar where reads suspend, and else a figure. Writes of that rate alone
 * keep the units busy for a share of the time, and reads alone for another: one minus the first, by
 * the second, is the most that any order can leave for reads. It is about 0.57 with 8 units.
 *
 * The bars are in bars_of(). Exit status: 0 measured, 2 could not measure; bars that do not hold
 * are for who reads it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/steady.h"
#include "core/engine.h"

#define SECOND 1000000000u
#define OP_PERMILLE 250u
#define BARS_MAX 10

struct outcome {
    struct steady_figures steady, after, idle, both_writes, both_reads, half, three, fresh_half,
        fresh_three, unhurried;
    uint64_t seconds, from_ns;
    uint64_t half_ns, three_ns; /* periods: of half the steady rate, of three quarters of it */
    double busy, busy_half, busy_three, busy_idle, waf, reads;
    bool suspends;
    uint64_t stall_bar_ns, program_ns;
};

struct bar {
    const char *name, *unit;
    double measured, limit; /* limit 0: a figure, which has no bar */
    bool least;
    char note[160];
};

static struct steady steady;

static void run(struct steady_load write, struct steady_figures *writes, struct steady_load read,
                struct steady_figures *reads, uint64_t ns)
{
    steady_run(&steady, (struct steady_load[]){write, read},
               (struct steady_figures *[]){writes, reads}, ns);
}

static const struct steady_load none = {.verb = HFTL_READ};
static const struct steady_load full = {.verb = HFTL_WRITE, .depth = STEADY_DEPTH};
static const struct steady_load reading = {.verb = HFTL_READ, .depth = STEADY_DEPTH};

/* The mean, by Little's law, of as many in flight as STEADY_DEPTH. */
static double mean_ms(const struct steady_figures *figures, double seconds)
{
    return STEADY_DEPTH * 1e3 * seconds / (double)figures->count;
}

/* Writes alone that arrive once in `period_ns`. */
static void measure_arrivals(struct steady_figures *figures, uint64_t period_ns, double *busy)
{
    struct steady_load load = {HFTL_WRITE, STEADY_DEPTH, period_ns};
    run(load, NULL, none, NULL, SECOND);
    steady_mark(&steady);
    run(load, figures, none, NULL, 10ull * SECOND);
    *busy = steady_busy(&steady);
}

static void measure_steady(struct outcome *o, const struct steady_shape *shape, uint64_t seed)
{
    steady_begin(&steady, shape, OP_PERMILLE, seed);
    o->stall_bar_ns = steady.times.program_ns * steady.units + steady.times.erase_ns;
    o->program_ns = steady.times.program_ns;
    o->suspends = steady.times.suspend_ns > 0;
    steady_fill(&steady);
    steady_overwrite(&steady, 2 * device_blocks(steady.device));
    uint64_t before = steady.device->stats.written[HFTL_IO_USER].blocks;
    uint64_t moved = steady.device->stats.written[HFTL_IO_RELOCATION].blocks;
    uint64_t reads = steady.device->stats.read[HFTL_IO_RELOCATION].operations;
    o->from_ns = steady.now_ns;
    steady_mark(&steady);
    run(full, &o->steady, none, NULL, o->seconds * SECOND);
    o->busy = steady_busy(&steady);
    before = steady.device->stats.written[HFTL_IO_USER].blocks - before;
    moved = steady.device->stats.written[HFTL_IO_RELOCATION].blocks - moved;
    reads = steady.device->stats.read[HFTL_IO_RELOCATION].operations - reads;
    o->waf = (double)(before + moved) / (double)before;
    o->reads = (double)reads / (double)moved;
    run(none, NULL, reading, &o->after, SECOND / 10);
    run(none, NULL, none, NULL, SECOND);
    steady_mark(&steady);
    run(none, NULL, reading, &o->idle, SECOND);
    o->busy_idle = steady_busy(&steady);
    o->half_ns = 2 * o->seconds * SECOND / o->steady.count;
    o->three_ns = 4 * o->seconds * SECOND / (3 * o->steady.count);
    struct steady_load half = {HFTL_WRITE, STEADY_DEPTH, o->half_ns};
    run(half, NULL, none, NULL, SECOND);
    run(half, &o->both_writes, reading, &o->both_reads, 5ull * SECOND);
    measure_arrivals(&o->half, o->half_ns, &o->busy_half);
    measure_arrivals(&o->three, o->three_ns, &o->busy_three);
    steady_end(&steady);
}

/* A fifth of a new device's blocks are written at each of the two rates, then up to a fifth at full
 * speed. */
static void measure_fresh(struct outcome *o, const struct steady_shape *shape, uint64_t seed)
{
    struct steady_load half = {HFTL_WRITE, STEADY_DEPTH, o->half_ns};
    struct steady_load three = {HFTL_WRITE, STEADY_DEPTH, o->three_ns};
    steady_begin(&steady, shape, OP_PERMILLE, seed);
    uint64_t fifth = device_blocks(steady.device) / 5;
    run(half, &o->fresh_half, none, NULL, fifth * o->half_ns);
    run(three, &o->fresh_three, none, NULL, fifth * o->three_ns);
    uint64_t ns = fifth * steady.times.program_ns / steady.units / 8;
    run(full, &o->unhurried, none, NULL, ns);
    if (steady.device->stats.victims > 0) {
        fprintf(stderr, "bench: a device that was never full was cleaned\n");
        exit(2);
    }
    steady_end(&steady);
}

static double per_second(const struct steady_figures *figures, double seconds)
{
    return (double)figures->count / seconds;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double quotient(uint64_t a, uint64_t b)
{
    return (double)a / (double)b;
}

static unsigned stall_bars(struct outcome *o, struct bar *bar)
{
    bar[0] = (struct bar){
        "longest time without a write", "ms", ms(o->steady.gap_ns), ms(o->stall_bar_ns), false, ""};
    snprintf(bar[0].note, sizeof bar[0].note,
             "%.0f writes/s, WAF %.2f, %.2f reads a moved block, units %.0f %% busy",
             per_second(&o->steady, (double)o->seconds), o->waf, o->reads, o->busy * 100);
    bar[1] = (struct bar){"longest write",     "ms",  ms(steady_longest(&o->steady)),
                          ms(o->stall_bar_ns), false, ""};
    snprintf(bar[1].note, sizeof bar[1].note, "half rate %.2f, three quarters %.2f",
             ms(steady_longest(&o->half)), ms(steady_longest(&o->three)));
    return 2;
}

/* A write ends in the buffer: one that found room there took nothing. The program of a write unit
 * is the least that is a delay. */
static uint64_t at_least_a_program(const struct outcome *o, uint64_t ns)
{
    return ns > o->program_ns ? ns : o->program_ns;
}

static struct bar tail_bar(const struct outcome *o, const char *name, struct steady_figures *with,
                           struct steady_figures *without, double busy)
{
    uint64_t due = steady_percentile(with, 999), fresh = steady_percentile(without, 999);
    double limit = 1.5, times = quotient(due, at_least_a_program(o, fresh));
    struct bar bar = {name, "of that without cleaning", times, limit, false, ""};
    snprintf(bar.note, sizeof bar.note, "%.3f ms, without %.3f ms; units %.0f %% busy", ms(due),
             ms(fresh), busy * 100);
    return bar;
}

static unsigned tail_bars(struct outcome *o, struct bar *bar)
{
    bar[0] = tail_bar(o, "write p99.9, half rate", &o->half, &o->fresh_half, o->busy_half);
    bar[1] = tail_bar(o, "write p99.9, three quarters", &o->three, &o->fresh_three, o->busy_three);
    bar[2] = (struct bar){
        "write p99.9, QD 32", "ms", ms(steady_percentile(&o->steady, 999)), 0, false, ""};
    snprintf(bar[2].note, sizeof bar[2].note, "mean %.2f ms, p99 %.2f; without p99.9 %.2f",
             mean_ms(&o->steady, (double)o->seconds), ms(steady_percentile(&o->steady, 990)),
             ms(steady_percentile(&o->unhurried, 999)));
    return 3;
}

static unsigned read_bars(struct outcome *o, struct bar *bar)
{
    double idle = per_second(&o->idle, 1), both = per_second(&o->both_reads, 5);
    double bound = (1 - o->busy_half) / o->busy_idle;
    double writes = per_second(&o->both_writes, 5) * (double)o->half_ns / SECOND;
    bar[0] = (struct bar){"reads beside writes of half rate",
                          "of idle",
                          both / idle,
                          o->suspends ? 0.6 : 0,
                          true,
                          ""};
    snprintf(bar[0].note, sizeof bar[0].note,
             "%.0f of %.0f reads/s; no drive more than (1 - %.2f) / %.2f = %.2f", both, idle,
             o->busy_half, o->busy_idle, bound);
    bar[1] =
        (struct bar){"writes of half rate beside reads", "of their rate", writes, 0.99, true, ""};
    snprintf(bar[1].note, sizeof bar[1].note, "p99.9 %.2f ms, longest %.2f ms",
             ms(steady_percentile(&o->both_writes, 999)), ms(steady_longest(&o->both_writes)));
    bar[2] = (struct bar){
        "reads right after writes", "of idle", per_second(&o->after, 0.1) / idle, 0.6, true, ""};
    return 3;
}

static unsigned bars_of(struct outcome *o, struct bar *bar)
{
    unsigned n = 0;
    double uneven = steady_unevenness(&o->steady, o->from_ns, SECOND, o->seconds);
    double tenths = steady_unevenness(&o->steady, o->from_ns, SECOND / 10, 10 * o->seconds);
    n += stall_bars(o, bar);
    n += tail_bars(o, bar + n);
    bar[n] = (struct bar){"worst second's writes", "off the mean", uneven, 0.05, false, ""};
    snprintf(bar[n].note, sizeof bar[n].note, "%.3f of a tenth of a second", tenths);
    n++;
    return n + read_bars(o, bar + n);
}

static void tell(const char *kind, const struct bar *bar, bool json, bool first)
{
    bool figure = !(bar->limit > 0);
    bool holds = figure       ? true
                 : bar->least ? bar->measured >= bar->limit
                              : bar->measured <= bar->limit;
    if (json)
        printf("%s\n  {\"kind\": \"%s\", \"bar\": \"%s\", \"measured\": %.6f, \"limit\": %.6f, "
               "\"unit\": \"%s\", \"least\": %s, \"holds\": %s, \"note\": \"%s\"}",
               first ? "" : ",", kind, bar->name, bar->measured, bar->limit, bar->unit,
               bar->least ? "true" : "false", holds ? "true" : "false", bar->note);
    else if (figure)
        printf("      %-16s %-34s %8.3f           %-26s %s\n", kind, bar->name, bar->measured,
               bar->unit, bar->note);
    else
        printf("%s %-16s %-34s %8.3f %s %-6.3g %-26s %s\n", holds ? "holds" : "FAILS", kind,
               bar->name, bar->measured, bar->least ? ">=" : "<=", bar->limit, bar->unit,
               bar->note);
}

static void measure(const struct steady_shape *shape, uint64_t seconds, uint64_t seed, bool json,
                    bool first)
{
    struct outcome o = {.seconds = seconds};
    struct bar bars[BARS_MAX];
    measure_steady(&o, shape, seed);
    measure_fresh(&o, shape, seed);
    unsigned count = bars_of(&o, bars);
    for (unsigned i = 0; i < count; i++)
        tell(shape->name, &bars[i], json, first && i == 0);
    struct steady_figures *all[] = {&o.steady,      &o.after,    &o.idle,  &o.both_writes,
                                    &o.both_reads,  &o.half,     &o.three, &o.fresh_half,
                                    &o.fresh_three, &o.unhurried};
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
        steady_forget(all[i]);
}

static int complain(const char *what)
{
    fprintf(stderr,
            "bench-smooth: %s\n"
            "usage: bench-smooth [-o json] [--seed N] [--seconds N] [--units N] [--suspend NS]\n"
            "                    [--progress NS] KIND...\n"
            "KIND: ocssd, zoned, ocssd-suspending, zoned-suspending\n",
            what);
    return 2;
}

/* False: there is no such drive. */
static bool find_shape(const char *name, struct steady_shape *shape)
{
    for (unsigned i = 0; i < 4; i++) {
        *shape = steady_shape(i % 2 == 0 ? HFTL_KIND_ZONED : HFTL_KIND_OCSSD, i >= 2);
        if (strcmp(name, shape->name) == 0)
            return true;
    }
    return false;
}

/* What is given of a drive; 0: as it is. */
static void change(struct steady_shape *shape, uint64_t units, uint64_t suspend_ns,
                   uint64_t progress_ns)
{
    if (units > 0)
        steady_set_units(shape, (uint32_t)units);
    if (suspend_ns > 0)
        shape->suspend_ns = suspend_ns;
    if (progress_ns > 0)
        shape->progress_ns = progress_ns;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, seconds = 20, units = 0, suspend_ns = 0, progress_ns = 0;
    const struct {
        const char *name;
        uint64_t *value;
    } options[] = {{"--seed", &seed},
                   {"--seconds", &seconds},
                   {"--units", &units},
                   {"--suspend", &suspend_ns},
                   {"--progress", &progress_ns}};
    bool json = false;
    struct steady_shape shape;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        unsigned which = 0;
        while (which < 5 && strcmp(argv[i], options[which].name) != 0)
            which++;
        if (which < 5)
            *options[which].value = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "-o") == 0 && strcmp(argv[i + 1], "json") == 0)
            json = true;
        else
            return complain(argv[i]);
    }
    if (i >= argc || seconds < 2 || seconds > 3600 || units % 4 != 0 || units > 256)
        return complain("which drive? 2 to 3600 seconds, a multiple of 4 units up to 256");
    for (int k = i; k < argc; k++)
        if (!find_shape(argv[k], &shape))
            return complain(argv[k]);
    printf("%s", json ? "[" : "");
    for (int k = i; k < argc; k++) {
        (void)find_shape(argv[k], &shape);
        change(&shape, units, suspend_ns, progress_ns);
        if (shape.suspend_ns > 0 && shape.progress_ns == 0)
            return complain("--suspend without --progress");
        measure(&shape, seconds, seed, json, k == i);
    }
    printf("%s", json ? "\n]\n" : "");
    return 0;
}
