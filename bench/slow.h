/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slow.h - opening a device in virtual time, on a medium that is made as slow as a drive.
 *
 * OWNS      the clock, which stands still but for waits; the wrapper (media/delay.h, its plain
 *           times) around the medium it is given, which it closes.
 * PROMISES  time goes on only while whoever opens waits for the drive, to where the next operation
 *           lands: what is told is what the drive takes, and no processor's time is in it.
 * IGNORES   what is on the medium.
 */
#ifndef HOSTFTL_BENCH_SLOW_H
#define HOSTFTL_BENCH_SLOW_H

#include <hostftl/media.h>

struct device;
struct slow;

struct slow_opening {
    struct slow *slow;
    struct device *device;
    uint64_t took_ns, blocks; /* exported */
};

/* Takes the medium, if it is OK. */
HFTL_MUST_USE enum hftl_status slow_open(struct hftl_media *medium, uint32_t units,
                                         struct slow_opening *opening, char *why, size_t why_bytes);
/* Closes the device and the medium. */
HFTL_MUST_USE enum hftl_status slow_close(struct slow_opening *opening);

#endif
