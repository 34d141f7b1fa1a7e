/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fetch.h - memory that is wanted soon: the processor's caches get it while something else is done.
 *
 * PROMISES  changes nothing, and faults nowhere: the address may be of anything. What it saves is a
 *           wait of a hundred instructions or more for each line that no cache has.
 *
 * Why not __builtin_prefetch itself? A function that does nothing else has no effect that gcc knows
 * of, so gcc leaves out its calls, unless the function was inlined before it looks: with
 * optimization all looking ahead may silently be gone. The empty statement is an effect.
 */
#ifndef HOSTFTL_BASE_FETCH_H
#define HOSTFTL_BASE_FETCH_H

/* A line of the caches that is read only. */
static inline void fetch_to_read(const void *line)
{
    __builtin_prefetch(line, 0);
    __asm__ volatile("");
}

/* One that is read and then written, or written. */
static inline void fetch_to_write(const void *line)
{
    __builtin_prefetch(line, 1);
    __asm__ volatile("");
}

#endif
