/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/world.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nanoseconds that pass between two looks at a clock that is no nand's. */
#define TICK_NS 1000u
#define CREATED_SECONDS UINT64_C(1700000000)

static uint64_t look_at_time(void *arg)
{
    struct sim_world *sim = arg;
    if (sim->nand)
        return nand_now(sim->nand);
    sim->now_ns += TICK_NS;
    return sim->now_ns;
}

static uint64_t look_at_calendar(void *arg)
{
    (void)arg;
    return CREATED_SECONDS;
}

static uint64_t draw(void *arg)
{
    struct sim_world *sim = arg;
    return prng_next(&sim->prng);
}

/* Before each piece of memory that is lent. */
struct sim_loan {
    _Alignas(16) struct sim_loan *next;
    struct sim_loan **link;
};

static void *lend(void *arg, size_t bytes)
{
    struct sim_world *sim = arg;
    uint64_t number = ++sim->allocations, fails = sim->fail_allocation;
    if (fails && (number == fails || (sim->fail_all_after && number > fails))) {
        sim->refused++;
        return NULL;
    }
    struct sim_loan *loan = calloc(1, sizeof *loan + (bytes ? bytes : 1));
    must(loan != NULL);
    loan->next = sim->loans;
    loan->link = &sim->loans;
    if (loan->next)
        loan->next->link = &loan->next;
    sim->loans = loan;
    sim->blocks++;
    sim->bytes += bytes;
    if (sim->bytes > sim->bytes_peak)
        sim->bytes_peak = sim->bytes;
    return loan + 1;
}

static void take_back(void *arg, void *memory, size_t bytes)
{
    struct sim_world *sim = arg;
    if (memory == NULL)
        return;
    must_show(sim->blocks > 0 && sim->bytes >= bytes, sim->bytes, bytes);
    sim->blocks--;
    sim->bytes -= bytes;
    memset(memory, 0xdb, bytes < 64 ? bytes : 64); /* a use after this shows */
    struct sim_loan *loan = (struct sim_loan *)memory - 1;
    *loan->link = loan->next;
    if (loan->next)
        loan->next->link = loan->link;
    free(loan);
}

void sim_world_take_all(struct sim_world *sim)
{
    while (sim->loans) {
        struct sim_loan *loan = sim->loans;
        sim->loans = loan->next;
        free(loan);
    }
    sim->blocks = sim->bytes = 0;
}

static void wait_for_medium(void *arg, struct hftl_media *medium)
{
    const struct sim_world *sim = arg;
    if (sim->nand) {
        bool goes_on = nand_pass(medium);
        if (!goes_on && sim->give_up && nand_stands_still(sim->nand))
            sim->give_up(sim->give_up_arg);
        must_show(goes_on || !"it stands still: waits for what never lands",
                  nand_in_flight(sim->nand), nand_in_vain(sim->nand)); /* C12 */
    }
}

static void write_log(void *arg, enum hftl_log_level level, const char *message)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    const struct sim_world *sim = arg;
    if (sim->verbose)
        fprintf(stderr, "    [%s] %s\n", names[level], message);
}

void sim_world_init(struct sim_world *sim, uint64_t seed)
{
    memset(sim, 0, sizeof *sim);
    prng_seed(&sim->prng, seed);
    sim->world = (struct world){.arg = sim,
                                .now = look_at_time,
                                .clock = look_at_calendar,
                                .random = draw,
                                .alloc = lend,
                                .release = take_back,
                                .wait = wait_for_medium,
                                .log = write_log};
}
