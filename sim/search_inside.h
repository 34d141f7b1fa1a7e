/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * search_inside.h - what the modes of a search share. For nobody else.
 */
#ifndef HOSTFTL_SIM_SEARCH_INSIDE_H
#define HOSTFTL_SIM_SEARCH_INSIDE_H

#include "sim/search.h"

struct search {
    const struct search_options *options;
    struct search_report *report;
    uint64_t path[SEARCH_PATH_MAX], want[SEARCH_PATH_MAX]; /* want: the only case to run */
    uint32_t depth, want_depth;
    uint64_t *seen; /* open addressing; 0: free */
    size_t seen_room, seen_count;
    uint32_t length, ways;
    bool over;
};

/* Into the part of the search that `number` names; false: a replay does not go there. */
bool search_enter(struct search *s, uint64_t number);
void search_leave(struct search *s);
void search_violation(struct search *s, const char *text);
/* True at the first call for this state. */
bool search_is_new(struct search *s, uint64_t key);
uint64_t search_mix(uint64_t a, uint64_t b);
bool search_is_over(struct search *s);

/* What goes on after a cut: the drive, and what those who judge know. */
struct search_state {
    struct nand *nand;
    struct oracle *oracle;   /* NULL: there never was a device */
    struct history *history; /* NULL: the same */
};
/* The state that a harness is in; a copy of it, apart from then on. */
struct search_state search_state_of(const struct harness *harness);
struct search_state search_fork(const struct search_state *state);

/* A harness with the shape's options for this search, that takes the state. */
void search_begin(struct search *s, struct harness *harness, const struct search_state *state,
                  uint64_t seed);
/* Ends it with a crash if it is open; a failure becomes a violation. Frees what it has, and counts
 * what was judged since `judged`. Not nand and oracle. */
void search_end(struct search *s, struct harness *harness, uint64_t judged);

/* The power goes, now, in every way; `depth` more cuts in the recoveries. */
void search_cut(struct search *s, const struct search_state *state, uint32_t depth);

/* Tells a run from format on; each_moment is called at its moments. False: it failed, reported. */
struct search_run {
    struct search *search;
    struct nand *nand; /* made from the shape when NULL at the start */
    struct harness harness;
    const struct story *story;
    uint64_t seed, moments;
    uint32_t depth;                       /* for search_cut */
    bool cuts;                            /* at each moment */
    void (*tell)(struct search_run *run); /* after open; NULL: the story, then verify */
    void *arg;
};
bool search_tell(struct search_run *run);
/* Frees what search_tell left: nand, oracle; the device is crashed or closed. */
void search_forget(struct search_run *run);

unsigned search_stories(const struct search *s);
const struct story *search_story(const struct search *s, unsigned index);

void search_exhaustive(struct search *s, uint32_t depth);
void search_ace(struct search *s);
void search_oom(struct search *s);
void search_ioerr(struct search *s);
void search_bitflip(struct search *s);
void search_storm(struct search *s);
void search_liar(struct search *s);

#endif
