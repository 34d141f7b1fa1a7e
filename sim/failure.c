/* SPDX-License-Identifier: BSD-3-Clause */
#define _XOPEN_SOURCE 700

#include "sim/failure.h"

#include "base/must.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

void failure_say(struct failure *failure, const char *format, ...)
{
    if (failure->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(failure->text, sizeof failure->text, format, args);
    va_end(args);
    failure->failed = true;
}

/* Traps inside traps: the innermost catches. */
struct trap {
    sigjmp_buf exit;
    struct trap *outer;
};
static struct trap *innermost;

static char reason[256];

/*
 * Takes the place of src/base/must.c in programs that link the simulator: a must() that fails
 * inside a trap is a violation with a text, not a line on stderr.
 */
_Noreturn void must_failed(const char *file, int line, const char *text, unsigned long long a,
                           unsigned long long b)
{
    const char *name = strrchr(file, '/');
    snprintf(reason, sizeof reason, "%s:%d: must hold: %s (%llu, %llu)", name ? name + 1 : file,
             line, text, a, b);
    if (!innermost)
        fprintf(stderr, "hostftl: %s\n", reason);
    abort();
}

const char *failure_why(void)
{
    return reason;
}

/* Seconds of processor time after which an act is stuck in a loop. */
#define STUCK_SECONDS 30

static const int trapped[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM};
enum { TRAPPED = sizeof trapped / sizeof trapped[0] };

/* abort() lets its handler leave by a jump; so do faults that the program itself caused. */
static void leave(int number)
{
    if (number != SIGABRT)
        snprintf(reason, sizeof reason, "%s",
                 number == SIGVTALRM ? "it runs in a circle"
                 : number == SIGFPE  ? "a division by zero"
                                     : "a bad memory access");
    if (innermost)
        siglongjmp(innermost->exit, number);
    signal(number, SIG_DFL);
    raise(number);
}

static void arm(long seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

bool failure_trap(void (*act)(void *arg), void *arg)
{
    struct trap trap = {.outer = innermost};
    struct sigaction catcher, before[TRAPPED];
    memset(&catcher, 0, sizeof catcher);
    catcher.sa_handler = leave;
    catcher.sa_flags = SA_NODEFER;
    for (int i = 0; i < TRAPPED; i++)
        sigaction(trapped[i], &catcher, &before[i]);
    volatile bool returned = false;
    if (sigsetjmp(trap.exit, 1) == 0) {
        innermost = &trap;
        arm(STUCK_SECONDS);
        act(arg);
        returned = true;
    }
    innermost = trap.outer;
    arm(innermost ? STUCK_SECONDS : 0); /* the outer one begins anew */
    for (int i = 0; i < TRAPPED; i++)
        sigaction(trapped[i], &before[i], NULL);
    return returned;
}
