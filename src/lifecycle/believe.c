/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/believe.h"

#include "base/must.h"

#include <stddef.h>

enum need { ANY, NO, YES };

struct row {
    unsigned verdicts; /* bits of enum clue_verdict */
    enum need witnessed, identity, verified, followed;
    enum believe then;
    const char *why;
};

#define NONE_ (1u << VERDICT_NONE)
#define INSIDE_ (1u << VERDICT_INSIDE)
#define OUTSIDE_ (1u << VERDICT_OUTSIDE)

static const struct row table[] = {
    {OUTSIDE_, ANY, ANY, ANY, ANY, REJECT, "rejected once, rejected for ever"},
    {NONE_ | INSIDE_, ANY, YES, YES, ANY, BELIEVE, "data and identity agree"},
    {INSIDE_, ANY, YES, NO, ANY, UNREADABLE, "accepted before, so it was damaged since"},
    {NONE_, YES, YES, NO, ANY, UNREADABLE, "flushed, so it was damaged since"},
    {NONE_, NO, YES, NO, YES, UNREADABLE, "its write had landed, so it was damaged since"},
    {NONE_, NO, YES, NO, NO, REJECT, "torn: the last write of its chunk"},
    {INSIDE_, ANY, NO, ANY, ANY, SKIP, "accepted before without an identity"},
    {NONE_, YES, NO, ANY, ANY, SKIP, "flushed, but what it was cannot be told"},
    {NONE_, NO, NO, ANY, ANY, REJECT, "nobody says what it is: not flushed"},
};

static bool meets(enum need need, bool clue)
{
    return need == ANY || (need == YES) == clue;
}

static bool applies(const struct row *row, const struct clues *clues)
{
    return (row->verdicts & 1u << clues->verdict) != 0 && meets(row->witnessed, clues->witnessed) &&
           meets(row->identity, clues->identity) && meets(row->verified, clues->verified) &&
           meets(row->followed, clues->followed);
}

unsigned believe_rows(const struct clues *clues)
{
    unsigned rows = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        rows += applies(&table[i], clues);
    return rows;
}

enum believe believe_block(const struct clues *clues, const char **why)
{
    size_t i = 0;
    while (!applies(&table[i], clues)) {
        i++;
        must(i < sizeof(table) / sizeof(table[0]));
    }
    if (why != NULL)
        *why = table[i].why;
    return table[i].then;
}
