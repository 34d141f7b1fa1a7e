/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * points.h - included before the front's sources, it lets a scheduler decide at every atomic
 * operation, lock and call of the system who goes on (fibre.h). All of them are in one order then:
 * what a weaker memory model allows besides is for ThreadSanitizer and the comments at each
 * operation.
 */
#ifndef HOSTFTL_TEST_FRONT_POINTS_H
#define HOSTFTL_TEST_FRONT_POINTS_H

#define _GNU_SOURCE
#include "test/front/fibre.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit

#define AT_A_POINT(operation) (fibre_point(), operation)
#define atomic_load(p) AT_A_POINT(__atomic_load_n(p, __ATOMIC_SEQ_CST))
#define atomic_load_explicit(p, order) AT_A_POINT(__atomic_load_n(p, order))
#define atomic_store(p, v) AT_A_POINT(__atomic_store_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_store_explicit(p, v, order) AT_A_POINT(__atomic_store_n(p, v, order))
#define atomic_exchange(p, v) AT_A_POINT(__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_exchange_explicit(p, v, order) AT_A_POINT(__atomic_exchange_n(p, v, order))
#define atomic_fetch_add(p, v) AT_A_POINT(__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_add_explicit(p, v, order) AT_A_POINT(__atomic_fetch_add(p, v, order))
#define atomic_fetch_sub(p, v) AT_A_POINT(__atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_sub_explicit(p, v, order) AT_A_POINT(__atomic_fetch_sub(p, v, order))
#define atomic_fetch_or(p, v) AT_A_POINT(__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_weak(p, e, v)                                                      \
    AT_A_POINT(__atomic_compare_exchange_n(p, e, v, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_weak_explicit(p, e, v, yes, no)                                    \
    AT_A_POINT(__atomic_compare_exchange_n(p, e, v, 1, yes, no))

#define pthread_create(thread, attributes, run, arg) fibre_create(thread, run, arg)
#define pthread_setname_np(thread, name) ((void)(thread))
#define pthread_join(thread, result) fibre_join(thread)
#define pthread_mutex_lock(mutex) fibre_lock(mutex)
#define pthread_mutex_trylock(mutex) fibre_trylock(mutex)
#define pthread_mutex_unlock(mutex) fibre_unlock(mutex)
#define pthread_cond_wait(cond, mutex) fibre_wait(cond, mutex)
#define pthread_cond_signal(cond) fibre_signal(cond)
#define pthread_cond_broadcast(cond) fibre_broadcast(cond)
#define epoll_wait(fd, events, most, ms) fibre_epoll(fd, events, most)
#define poll(fds, count, ms) ((void)(ms), fibre_poll(fds, count))
#define read(fd, data, bytes) fibre_read(fd, data, bytes)
#define write(fd, data, bytes) fibre_write(fd, data, bytes)
#define clock_gettime(which, at) ((void)(which), fibre_clock(at))
#define getrandom(data, bytes, flags) fibre_random(data, bytes)
#define timerfd_create(clock, flags) fibre_timer()
#define timerfd_settime(fd, flags, at, was) fibre_arm(fd, at)
#define free(memory) fibre_free(memory)
#define nanosleep(time, left) ((void)(time), fibre_point())
#define must_failed fibre_must_failed

/* So small that few requests reach every bound. */
#include "front/channel.h"
#include "front/host.h"
#undef CHANNEL_BATCH_MAX
#undef HOST_ROUND_MAX
#define CHANNEL_BATCH_MAX 2u
#define HOST_ROUND_MAX 3u

#endif
