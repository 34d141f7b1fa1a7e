/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * search_ace.c - all sequences of a few requests on a few blocks, on a new and on a full device.
 *
 * The letters: for each block a write, a write with FUA, a trim; a write of all blocks at once; a
 * flush. All words of up to `length` letters, each told twice: all requests in flight at once, and
 * one after the other. A path is base.pace.word.moment.way.
 */
#include "sim/search_inside.h"

#include "base/must.h"

#include <string.h>

#define BLOCKS_DEFAULT 2u

struct ace {
    uint64_t word;
    uint32_t length, blocks, letters;
    bool one_by_one;
};

static void send_letter(struct harness *h, const struct ace *ace, uint32_t letter)
{
    uint32_t blocks = ace->blocks;
    if (letter < blocks)
        harness_send(h, HFTL_WRITE, 0, letter, 1);
    else if (letter < 2 * blocks)
        harness_send(h, HFTL_WRITE, HFTL_FUA, letter - blocks, 1);
    else if (letter < 3 * blocks)
        harness_send(h, HFTL_TRIM, 0, letter - 2 * blocks, 1);
    else if (letter == 3 * blocks)
        harness_send(h, HFTL_WRITE, 0, 0, blocks);
    else
        harness_send(h, HFTL_FLUSH, 0, 0, 0);
}

static void tell_word(struct search_run *run)
{
    const struct ace *ace = run->arg;
    struct harness *h = &run->harness;
    uint64_t word = ace->word;
    run->cuts = true;
    for (uint32_t i = 0; i < ace->length && !h->failure.failed; i++) {
        send_letter(h, ace, (uint32_t)(word % ace->letters));
        word /= ace->letters;
        if (ace->one_by_one && !h->failure.failed)
            harness_settle(h);
    }
    if (!h->failure.failed)
        harness_settle(h);
    if (!h->failure.failed)
        harness_verify(h);
}

/* Written all over three times, so that cleaning is at hand, and closed. */
static void tell_age(struct search_run *run)
{
    struct harness *h = &run->harness;
    uint64_t size = harness_blocks(h);
    for (uint64_t i = 0; i < 3 * size && !h->failure.failed; i++)
        harness_send(h, HFTL_WRITE, 0, i < size ? i : prng_below(&h->prng, size), 1);
    if (!h->failure.failed)
        harness_close(h);
}

static void tell_nothing(struct search_run *run)
{
    harness_close(&run->harness);
}

static void tell_all(struct search *s, const struct search_run *base, struct ace *ace)
{
    uint64_t words = 1;
    for (ace->length = 1; ace->length <= s->length; ace->length++) {
        words *= ace->letters;
        for (ace->word = 0; ace->word < words && !search_is_over(s); ace->word++) {
            struct search_run run = {.search = s, .seed = s->options->seed, .tell = tell_word};
            if (!search_enter(s, words + ace->word))
                continue;
            run.arg = ace;
            struct search_state here = search_state_of(&base->harness), fork = search_fork(&here);
            run.nand = fork.nand;
            run.harness.oracle = fork.oracle;
            run.harness.history = fork.history;
            (void)search_tell(&run);
            search_forget(&run);
            search_leave(s);
        }
    }
}

void search_ace(struct search *s)
{
    struct ace ace = {.blocks = s->options->blocks ? s->options->blocks : BLOCKS_DEFAULT};
    ace.letters = 3 * ace.blocks + 2;
    must_show(ace.blocks <= HARNESS_BLOCKS_MAX && s->length <= SEARCH_ACE_LENGTH_MAX, ace.blocks,
              s->length); /* or words have no numbers any more */
    for (unsigned base = 0; base < 2; base++) {
        struct search_run run = {.search = s, .seed = s->options->seed};
        run.tell = base ? tell_age : tell_nothing;
        if (!search_enter(s, base))
            continue;
        bool well = search_tell(&run);
        must_show(!well || ace.blocks <= harness_blocks(&run.harness), ace.blocks, 0);
        for (unsigned pace = 0; well && pace < 2; pace++) {
            ace.one_by_one = pace == 1;
            if (!search_enter(s, pace))
                continue;
            tell_all(s, &run, &ace);
            search_leave(s);
        }
        search_forget(&run);
        search_leave(s);
    }
}
