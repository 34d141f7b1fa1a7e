/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fibre.h - many threads in one: a seed decides at each point whose turn it is.
 *
 * I own      the fibres, their stacks, their clock, and what they wait for: a lock, a condition,
 *            a thread's end, descriptors.
 * I promise  one seed, one order of everything, on every machine. Nobody is woken but by what he
 *            sleeps for. When everybody sleeps and no timer will wake one, the run fails; so it
 *            does when it has no end.
 * I ignore   who they are. What a weaker memory model allows besides is not seen here.
 *
 * points.h makes the front call these instead of the system's. Outside of a run they do what the
 * system's do, but for the clock.
 */
#ifndef HOSTFTL_TEST_FRONT_FIBRE_H
#define HOSTFTL_TEST_FRONT_FIBRE_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <time.h>

#define FIBRES_MAX 10u

/* Runs `first`, as the only fibre, and all it makes, to their ends. NULL, or what went wrong. */
const char *fibre_run(uint64_t seed, void (*first)(void *arg), void *arg);
/* Of the last run: points passed, and a hash of who had which turn. */
uint64_t fibre_points(void);
uint64_t fibre_hash(void);
/* How often one got a lock that he only tried while another waited for it; the most of any two. */
unsigned fibre_overtaken(void);

/* Only within a run: */
void fibre_spawn(void (*run)(void *arg), void *arg);
unsigned fibre_current(void);
void fibre_sleep_until(bool (*ready)(const void *arg), const void *arg);
/* Chance, of the seed. */
uint64_t fibre_below(uint64_t n);
bool fibre_chance(uint64_t num, uint64_t den);
/* Ends the run. */
_Noreturn void fibre_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- for points.h ---- */

void fibre_point(void);
int fibre_create(pthread_t *thread, void *(*run)(void *arg), void *arg);
int fibre_join(pthread_t thread);
int fibre_lock(pthread_mutex_t *mutex);
int fibre_trylock(pthread_mutex_t *mutex);
int fibre_unlock(pthread_mutex_t *mutex);
int fibre_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int fibre_signal(pthread_cond_t *cond);
int fibre_broadcast(pthread_cond_t *cond);
int fibre_epoll(int fd, struct epoll_event *events, int most);
int fibre_poll(struct pollfd *fds, nfds_t count);
ssize_t fibre_read(int fd, void *data, size_t bytes);
ssize_t fibre_write(int fd, const void *data, size_t bytes);
int fibre_clock(struct timespec *at);
ssize_t fibre_random(void *data, size_t bytes);
int fibre_timer(void);
int fibre_arm(int fd, const struct itimerspec *at);
/* What is freed is kept, and must not change until the run's end. */
void fibre_free(void *memory);
_Noreturn void fibre_must_failed(const char *file, int line, const char *text, unsigned long long a,
                                 unsigned long long b);

#endif
