/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failure.h - the first thing that went wrong in a run, as a sentence.
 *
 * Everything in sim/ that finds a violation says so here and goes on as far as it makes sense; only
 * the first sentence is kept, because what follows a violation usually follows from it.
 */
#ifndef HOSTFTL_SIM_FAILURE_H
#define HOSTFTL_SIM_FAILURE_H

#include <stdbool.h>

struct failure {
    bool failed;
    char text[512];
};

void failure_say(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Runs act(arg). True: it returned. False: it ended in abort() (a must() of the engine or of the
 * medium), in a bad memory access or in a loop without end; whatever it owned is leaked. Traps
 * may be inside traps: the innermost catches. One thread.
 */
bool failure_trap(void (*act)(void *arg), void *arg);
/* Why the last trapped act did not return: the must() that failed, or what kind of fault it was. */
const char *failure_why(void);

#endif
