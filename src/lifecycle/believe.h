/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * believe.h - what to think of a block found in a sealed band (FORMAT.md, 9.4).
 *
 * A decision with many clues is a table: each row names the clues it needs, what follows, and why.
 * A test walks all combinations and finds exactly one row for each.
 *
 *   BELIEVE     it is what its identity says
 *   UNREADABLE  its identity counts (nothing older may be served in its place), its data does not:
 *               reads of it fail
 *   SKIP        nothing is known of it and nothing follows for others
 *   REJECT      it was never durable, and what comes after it on its chunk was not either
 */
#ifndef HOSTFTL_LIFECYCLE_BELIEVE_H
#define HOSTFTL_LIFECYCLE_BELIEVE_H

#include <stdbool.h>

enum believe { BELIEVE, UNREADABLE, SKIP, REJECT };

/* What an earlier recovery decided of the place. */
enum clue_verdict { VERDICT_NONE, VERDICT_INSIDE, VERDICT_OUTSIDE };

struct clues {
    enum clue_verdict verdict;
    bool witnessed; /* a flush that was answered covered it */
    bool identity;  /* an identity of it was found and makes sense */
    bool verified;  /* its data agrees with the identity */
    bool
        /* a block in a later unit of its chunk verifies, so this one's write had landed */
        followed;
};

/* `why`, if not NULL, gets the row's reason (static). */
enum believe believe_block(const struct clues *clues, const char **why);
/* Rows that apply: the test's proof that the table is total and free of contradiction. */
unsigned believe_rows(const struct clues *clues);

#endif
