/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * subject.h - what the conformance tests are run on: a medium in one of its manners, wrappers
 * around it, in a shape of drive.h.
 */
#ifndef HOSTFTL_TEST_MEDIA_SUBJECT_H
#define HOSTFTL_TEST_MEDIA_SUBJECT_H

#include "media/clock.h"
#include "test/media/drive.h"
#include "test/unit.h"

enum base { ON_EMU, ON_MEM, ON_FLAT, ON_LOOP };

struct manner {
    const char *name;
    enum base base;
    bool guarded; /* the guard is outermost */
    bool threads, cache_given, outlives, fsync;
    bool forgets; /* changes are private: nothing survives a close */
    uint64_t cache_bytes;
    const char *wrappers[4]; /* as a stack names them, the innermost first */
    bool virtual_delay;      /* a delay in virtual time around all that */
    enum flat_cache cache;   /* FLAT, LOOP */
};

/* Ends with one whose name is NULL. */
extern const struct manner manners[];

struct subject {
    const struct manner *manner;
    const struct shape *shape;
    bool tolerate; /* the test breaks rules on purpose */
    struct hftl_media *media;
    struct mem_store *store;
    struct media_clock clock;
    uint64_t now_ns; /* virtual time */
    char path[PATH_BYTES];
    char loop[PATH_BYTES]; /* the device over the file at `path` */
};

/* Whether the manner can have that shape at all. */
bool suits(const struct manner *manner, const struct shape *shape);
/* Makes the drive and opens it. Skips the test where the machine has no loop device for us. */
void make_subject(struct subject *s);
void open_subject(struct subject *s);
void close_subject(struct subject *s);
/* Closed or not: nothing is left of it. */
void unmake_subject(struct subject *s);

/* The n-th chunk of this subject that is FREE and of full capacity. */
uint32_t pick_chunk(struct subject *s, uint32_t n);
/* Writes on to `upto`, in smallest writes. */
void fill_chunk(struct subject *s, uint32_t chunk, uint32_t upto, uint32_t life);
/* Reads in one piece; nothing when blocks is 0. */
void assert_holds(struct subject *s, uint32_t chunk, uint32_t from, uint32_t blocks, uint32_t life);
/* The longest legal write of at most `left` blocks. */
uint32_t longest(const struct hftl_media_facts *f, uint32_t left);
bool has(const struct subject *s, enum hftl_media_flag flag);

#endif
