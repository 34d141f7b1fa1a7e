/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "test/front/fibre.h"

#include "base/must.h"
#include "base/prng.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES (256u * 1024)
#define POINTS_MAX 2000000u
#define POINT_NS 1000u
#define FREED_MAX 4096u
#define FREED_BYTE 0xdd

struct fibre {
    ucontext_t context;
    void (*run)(void *arg);
    void *arg;
    bool over;
    bool (*ready)(const void *arg); /* NULL: awake */
    const void *ready_arg;
    const pthread_cond_t *waits_on;
    const pthread_mutex_t *waits_for;
    unsigned overtaken[FIBRES_MAX]; /* by who only tried to lock it, meanwhile */
    void *(*thread)(void *arg);
    void *thread_arg;
};

static struct fibre fibres[FIBRES_MAX];
static unsigned count, current;
static ucontext_t outside;
static bool running;
static struct prng chance;
static uint64_t points, hash, odds;
static unsigned overtaken_most;
static bool spurious; /* conditions wake who waits for nothing, as they may */
static bool unfair;   /* who waits for a lock comes late, and finds it taken again */
static char failure[256];

static struct {
    int fd;
    uint64_t now, due; /* due 0: not armed */
} timer;

static struct {
    void *memory[FREED_MAX];
    unsigned count;
} freed;

/* ---- whose turn it is ------------------------------------------------------------------------ */

static void leave(void)
{
    running = false;
    setcontext(&outside);
    abort();
}

void fibre_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
    if (running)
        leave();
    fprintf(stderr, "%s\n", failure);
    abort();
}

static void fire_timer(void)
{
    uint64_t one = 1;
    timer.due = 0;
    must(write(timer.fd, &one, sizeof one) == sizeof one || errno == EBADF); /* closed */
}

static bool is_awake(const struct fibre *fibre)
{
    return !fibre->over && (fibre->ready == NULL || fibre->ready(fibre->ready_arg));
}

/* Somebody who is awake, each as likely as the other; FIBRES_MAX: nobody. */
static unsigned pick_awake(void)
{
    unsigned awake[FIBRES_MAX], found = 0, late = FIBRES_MAX;

    for (unsigned i = 0; i < count; i++) {
        if (!is_awake(&fibres[i]))
            continue;
        if (unfair && fibres[i].waits_for != NULL && prng_chance(&chance, 31, 32))
            late = i;
        else
            awake[found++] = i;
    }
    return found == 0 ? late : awake[prng_below(&chance, found)];
}

static unsigned pick(void)
{
    unsigned next = pick_awake();

    if (next == FIBRES_MAX && timer.due != 0) {
        timer.now = timer.due;
        fire_timer();
        next = pick_awake();
    }
    if (next == FIBRES_MAX)
        fibre_fail("everybody sleeps");
    return next;
}

static void go_on(void)
{
    unsigned from = current, next = pick();

    hash = (hash ^ next) * 0x100000001b3u + points;
    current = next;
    if (next != from)
        must(swapcontext(&fibres[from].context, &fibres[next].context) == 0);
}

void fibre_point(void)
{
    if (!running)
        return;
    if (++points > POINTS_MAX)
        fibre_fail("there is no end to it");
    timer.now += POINT_NS;
    if (timer.due != 0 && timer.now >= timer.due)
        fire_timer();
    if (prng_chance(&chance, 1, odds))
        go_on();
}

void fibre_sleep_until(bool (*ready)(const void *arg), const void *arg)
{
    struct fibre *fibre = &fibres[current];

    while (!ready(arg)) {
        fibre->ready = ready;
        fibre->ready_arg = arg;
        go_on();
        fibre->ready = NULL;
    }
}

static void enter(void)
{
    struct fibre *fibre = &fibres[current];

    fibre->run(fibre->arg);
    fibre->over = true;
    for (unsigned i = 0; i < count; i++)
        if (!fibres[i].over)
            go_on();
    leave();
}

void fibre_spawn(void (*run)(void *arg), void *arg)
{
    static char stacks[FIBRES_MAX][STACK_BYTES] __attribute__((aligned(16)));
    struct fibre *fibre = &fibres[count];

    must(count < FIBRES_MAX);
    *fibre = (struct fibre){.run = run, .arg = arg};
    must(getcontext(&fibre->context) == 0);
    fibre->context.uc_stack.ss_sp = stacks[count];
    fibre->context.uc_stack.ss_size = STACK_BYTES;
    sigemptyset(&fibre->context.uc_sigmask); /* of falling even the engine's thread shall tell */
    makecontext(&fibre->context, enter, 0);
    count++;
}

static void fall(int number)
{
    fibre_fail("it fell: signal %d", number);
}

/* Whoever wrote to what was free has changed it. */
static void give_back_freed(void)
{
    for (unsigned i = 0; i < freed.count; i++) {
        const unsigned char *bytes = freed.memory[i];
        size_t size = malloc_usable_size(freed.memory[i]);
        for (size_t at = 0; at < size && failure[0] == 0; at++)
            if (bytes[at] != FREED_BYTE)
                snprintf(failure, sizeof failure, "memory that was free has been written");
        free(freed.memory[i]);
    }
    freed.count = 0;
}

const char *fibre_run(uint64_t seed, void (*first)(void *arg), void *arg)
{
    static const uint64_t odds_of[] = {2, 2, 4, 16};
    volatile bool came_back = false; /* survives setcontext */

    prng_seed(&chance, seed);
    odds = odds_of[prng_below(&chance, 4)];
    spurious = prng_chance(&chance, 1, 2);
    unfair = prng_chance(&chance, 1, 4);
    failure[0] = 0;
    points = hash = 0;
    overtaken_most = 0;
    count = current = 0;
    timer.fd = -1;
    timer.now = 1;
    timer.due = 0;
    signal(SIGSEGV, fall);
    signal(SIGBUS, fall);
    must(getcontext(&outside) == 0);
    if (!came_back) {
        came_back = true;
        fibre_spawn(first, arg);
        running = true;
        must(setcontext(&fibres[0].context) == 0);
    }
    give_back_freed();
    return failure[0] == 0 ? NULL : failure;
}

uint64_t fibre_points(void)
{
    return points;
}

uint64_t fibre_hash(void)
{
    return hash;
}

unsigned fibre_overtaken(void)
{
    return overtaken_most;
}

unsigned fibre_current(void)
{
    return current;
}

uint64_t fibre_below(uint64_t n)
{
    return prng_below(&chance, n);
}

bool fibre_chance(uint64_t num, uint64_t den)
{
    return prng_chance(&chance, num, den);
}

/* ---- threads, locks, conditions -------------------------------------------------------------- */

static void be_thread(void *arg)
{
    struct fibre *fibre = arg;
    fibre->thread(fibre->thread_arg);
}

int fibre_create(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    unsigned index = count;

    fibre_spawn(be_thread, &fibres[index]);
    fibres[index].thread = run;
    fibres[index].thread_arg = arg;
    *thread = (pthread_t)index;
    fibre_point();
    return 0;
}

static bool is_over(const void *arg)
{
    const struct fibre *fibre = arg;
    return fibre->over;
}

int fibre_join(pthread_t thread)
{
    fibre_point();
    fibre_sleep_until(is_over, &fibres[thread]);
    return 0;
}

static bool is_unlocked(const void *arg)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)arg;
    return pthread_mutex_trylock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0;
}

int fibre_lock(pthread_mutex_t *mutex)
{
    struct fibre *fibre = &fibres[current];

    fibre_point();
    memset(fibre->overtaken, 0, sizeof fibre->overtaken);
    fibre->waits_for = mutex;
    fibre_sleep_until(is_unlocked, mutex);
    fibre->waits_for = NULL;
    return pthread_mutex_trylock(mutex);
}

static void note_overtaking(const pthread_mutex_t *mutex)
{
    for (unsigned i = 0; i < count; i++)
        if (fibres[i].waits_for == mutex && ++fibres[i].overtaken[current] > overtaken_most)
            overtaken_most = fibres[i].overtaken[current];
}

int fibre_trylock(pthread_mutex_t *mutex)
{
    int error;

    fibre_point();
    error = pthread_mutex_trylock(mutex);
    if (error == 0)
        note_overtaking(mutex);
    return error;
}

int fibre_unlock(pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    fibre_point();
    return 0;
}

static bool is_signalled(const void *arg)
{
    const struct fibre *fibre = arg;
    return fibre->waits_on == NULL;
}

int fibre_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!spurious || prng_chance(&chance, 3, 4))
        fibres[current].waits_on = cond;
    fibre_unlock(mutex);
    fibre_sleep_until(is_signalled, &fibres[current]);
    return fibre_lock(mutex);
}

int fibre_signal(pthread_cond_t *cond)
{
    unsigned first = (unsigned)prng_below(&chance, count);

    for (unsigned i = 0; i < count; i++) {
        struct fibre *fibre = &fibres[(first + i) % count];
        if (fibre->waits_on == cond) {
            fibre->waits_on = NULL;
            break;
        }
    }
    fibre_point();
    return 0;
}

int fibre_broadcast(pthread_cond_t *cond)
{
    for (unsigned i = 0; i < count; i++)
        if (fibres[i].waits_on == cond)
            fibres[i].waits_on = NULL;
    fibre_point();
    return 0;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static bool is_readable(const void *arg)
{
    struct pollfd ready = *(const struct pollfd *)arg;
    return poll(&ready, 1, 0) == 1;
}

static bool is_interrupted(void)
{
    bool interrupted = running && prng_chance(&chance, 1, 16);
    if (interrupted)
        errno = EINTR;
    return interrupted;
}

int fibre_epoll(int fd, struct epoll_event *events, int most)
{
    const struct pollfd waits_for = {.fd = fd, .events = POLLIN};

    fibre_point();
    if (is_interrupted())
        return -1;
    fibre_sleep_until(is_readable, &waits_for);
    return epoll_wait(fd, events, most, 0);
}

int fibre_poll(struct pollfd *fds, nfds_t wanted)
{
    fibre_point();
    if (is_interrupted())
        return -1;
    must(wanted == 1);
    fibre_sleep_until(is_readable, fds);
    return poll(fds, 1, 0);
}

ssize_t fibre_read(int fd, void *data, size_t bytes)
{
    fibre_point();
    return read(fd, data, bytes);
}

ssize_t fibre_write(int fd, const void *data, size_t bytes)
{
    fibre_point();
    return is_interrupted() ? -1 : write(fd, data, bytes);
}

/* ---- time, chance, memory -------------------------------------------------------------------- */

int fibre_clock(struct timespec *at)
{
    fibre_point();
    at->tv_sec = (time_t)(timer.now / 1000000000u);
    at->tv_nsec = (long)(timer.now % 1000000000u);
    return 0;
}

ssize_t fibre_random(void *data, size_t bytes)
{
    unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)prng_below(&chance, 256);
    return (ssize_t)bytes;
}

/* One at a time. */
int fibre_timer(void)
{
    timer.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    timer.due = 0;
    return timer.fd;
}

int fibre_arm(int fd, const struct itimerspec *at)
{
    uint64_t due = (uint64_t)at->it_value.tv_sec * 1000000000u + (uint64_t)at->it_value.tv_nsec;
    uint64_t expired;

    must(fd == timer.fd);
    (void)!read(fd, &expired, sizeof expired);
    timer.due = due == 0 || due > timer.now ? due : timer.now; /* 0 switches it off */
    return 0;
}

void fibre_free(void *memory)
{
    if (memory == NULL)
        return;
    memset(memory, FREED_BYTE, malloc_usable_size(memory));
    must(freed.count < FREED_MAX);
    freed.memory[freed.count++] = memory;
}

void fibre_must_failed(const char *file, int line, const char *text, unsigned long long a,
                       unsigned long long b)
{
    const char *name = strrchr(file, '/');
    fibre_fail("must: %s (%s:%d: %llu, %llu)", text, name == NULL ? file : name + 1, line, a, b);
}
