/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opening.h - what opening a device knows on the way, shared by its steps.
 *
 *   open.c    the table of steps
 *   bands.c   which band is what: free, closed, sealed, or left open by a clean close
 *   scan.c    a sealed (or resumed) band, read block by block
 *   ahead.c   blocks read ahead, many under way
 *   tails.c   the tails of bands
 *   twins.c   victims that are half erased
 *   survey.c  a tail's identities, on their way into the map
 *   bins.c    what tails name, by region of the map, before it goes there
 *   valid.c   how many blocks of each band are in the map
 *   merge.c   the map, from all identities: the newest seq wins, ties are read, trims applied
 *
 * Memory: seqs (8 bytes an lba, at most recovery_memory_bytes), for each sealed band 85 bytes a
 * block, for each trim range 8, 4 MiB of blocks read ahead and their OOB; where seqs of all lbas
 * are more, a quarter byte an lba, a bit a tail block, and bins of 17 MiB (24 for 16 TiB), given
 * back before there are seqs. Time: sealed bands once; tails once, while bands are classified;
 * those tail blocks that name lbas of several versions once more for each window of such lbas; and
 * all tails once more where one of them was good at its beginning only.
 */
#ifndef HOSTFTL_LIFECYCLE_OPENING_H
#define HOSTFTL_LIFECYCLE_OPENING_H

#include "lifecycle/ahead.h"
#include "lifecycle/bins.h"
#include "lifecycle/blocking.h"
#include "lifecycle/build.h"
#include "lifecycle/superfind.h"
#include "lifecycle/valid.h"

/* What a scan found at each position of a band. */
enum scan_flag {
    SCAN_WRITTEN = 1u,  /* below the write pointer: something may be there */
    SCAN_READ = 2u,     /* and it was read */
    SCAN_IDENT = 4u,    /* an identity of it was found */
    SCAN_VERIFIED = 8u, /* and its data agrees */
    SCAN_STORED = 16u,  /* verified, and of a kind that proves its write had landed */
};

struct scan {
    struct band *band;
    uint8_t *idents; /* 16 bytes a position */
    uint32_t *crcs;  /* of the data */
    uint8_t *flags;
    uint32_t *accepted;      /* one a column; the verdict to be written */
    uint32_t *wp;            /* blocks of each column that may be looked at */
    const uint32_t *earlier; /* an earlier verdict's accepted lengths, or NULL */
    bool resumed;            /* left open by a clean close: nothing to judge */
    bool flushed;            /* whole before a clean close: only damage has taken its tail */
    uint32_t unnamed;        /* flushed: blocks whose identity is lost */
};

/* What is known of a band before it is read. */
struct sighting {
    bool unknown; /* there is something, and nobody could read what */
    bool head;
    enum band_stream stream;
    uint32_t scan;     /* 1 + index in scans; 0: none */
    bool free;         /* and nothing else is to be known */
    bool asked;        /* its head is, or was, of one column */
    uint32_t column;   /* that one */
    bool resumed;      /* it is to be written on where a clean close left it */
    bool maybe_closed; /* if all of its tail is good */
    bool tail_taken;   /* some of it */
    bool tail_bad;
};

/* A copy in a sealed band that gave way to another (twins.c). */
struct twin {
    uint64_t index;     /* lba, or a trim page's range */
    hftl_pba held, pba; /* of the one that stays; of this one */
    bool is_page;
};

struct opening;
struct tail;

struct tie {
    uint64_t lba, seq;
    hftl_pba pba; /* the copy that was set aside */
    uint32_t crc; /* of the version's data */
    bool lost;    /* both are marks in its place */
};

/* What is to be done with tail blocks. */
struct tails {
    const uint64_t *only; /* bitmap by tails_number: no others are asked for; NULL: all are */
    /* Each that is good. */
    void (*take)(struct opening *o, struct band *band, uint32_t index, const struct tail *tail);
    /* Each that cannot be read, or is none. */
    void (*fail)(struct opening *o, enum hftl_status status, const struct ahead_block *block);
    enum hftl_status status; /* of a pass that needs all of them: the first failure's */
};

struct opening {
    struct blocking b;
    const struct device_options *options;
    struct device_options read_only_options;
    struct why *why;
    struct found found;
    struct device *device;
    struct hftl_chunk *chunks; /* all of the medium */
    struct sighting *sightings;
    struct scan *scans;
    uint32_t scan_count;
    struct verdict *earlier; /* of the newest record */
    uint32_t earlier_count;
    uint32_t *earlier_accepted;
    struct witness witness;  /* slots: the highest position seen, by band and generation */
    struct band_mark *marks; /* every slot of every witness seen; marks_count of marks_room */
    uint32_t mark_count, mark_room;
    bool lives_are_known; /* no marks of others are kept */
    bool clean;
    uint32_t epoch_seen;
    /* merge */
    uint64_t seqs_room;                /* what memory there may be for */
    uint32_t epoch_named;              /* by what was merged */
    bool spoiled;                      /* of a tail that is not good all through, some was taken */
    uint64_t window_first, window_end; /* lbas; all of them when contested is NULL */
    uint64_t *contested;               /* bitmap: lbas whose holder is to be decided by seqs */
    uint64_t *ranks;                   /* contested ones before each of its words */
    uint64_t *wanted;                  /* bitmap by tails_number: they name contested lbas */
    uint64_t *seqs;                    /* of the window, by slot; NULL: this pass is a survey */
    uint64_t *lost; /* bitmap of the window: what holds the lba is a lost block */
    bool pages_are_known;
    uint64_t *page_seqs;
    struct tie *ties;
    uint64_t tie_count, tie_room;
    struct twin *twins; /* tie_room */
    uint64_t twin_count;
    struct bins bins;
    struct tails tails;
    struct ahead ahead;
    uint8_t *block, *oob; /* scratch: one unit, at least 64 blocks */
    uint8_t *trial;       /* one block, for reading while `block` is in use */
    uint32_t scratch_blocks;
};

/* A verdict on every life of a band up to this generation, of a band whose own cannot be read. */
#define GENERATION_BOUND UINT32_C(0xffffffff)
static inline bool generation_is_bound(uint64_t generation)
{
    return (generation & GENERATION_BOUND) == GENERATION_BOUND;
}

/* bands.c */
HFTL_MUST_USE enum hftl_status bands_pad_open_chunks(struct opening *o);
/* Of the drive's slots for open and active chunks, two are left for the record. */
HFTL_MUST_USE enum hftl_status bands_leave_slots(struct opening *o);
HFTL_MUST_USE enum hftl_status bands_classify(struct opening *o);
HFTL_MUST_USE enum hftl_status bands_release_chunks(struct opening *o);
bool bands_clean_marks_hold(const struct opening *o);
void opening_note_witness(struct opening *o, const struct witness *witness);
/* After bands are classified: forgets marks of lives that are over, and notes no more of them. */
void opening_keep_lives(struct opening *o);
/* The witnessed position of this life of the band; 0: none. */
uint32_t opening_witnessed(const struct opening *o, const struct band *band);

/* scan.c */
HFTL_MUST_USE enum hftl_status scan_start(struct opening *o, struct scan *scan);
HFTL_MUST_USE enum hftl_status scan_read(struct opening *o, struct scan *scan);
/* After all scans were read: what to believe. */
void scan_judge(struct opening *o, struct scan *scan);
void scan_end(struct opening *o, struct scan *scan);

/* tails.c */
/* All of the band's, ahead (ahead.h): each goes to tails.take or tails.fail, now or later. After
 * one that is not to be read at all no more are asked for. */
void tails_ask(struct opening *o, struct band *band);
/* Why it failed; returns the status. */
enum hftl_status tails_say(struct opening *o, enum hftl_status status,
                           const struct ahead_block *block);
/* At most, of a band of any width. */
static inline uint64_t tails_a_band(const struct opening *o)
{
    const struct geometry *g = &o->device->geometry;
    return ((uint64_t)g->stride + g->tail_max - 1) / g->tail_max;
}
/* Of the tail block that names this position; no two blocks of the device have one. */
static inline uint64_t tails_number(const struct opening *o, const struct band *band,
                                    uint32_t position)
{
    return band->index * tails_a_band(o) + position / o->device->geometry.tail_max;
}

/* twins.c */
/* `loser`, in a sealed band, gave way to `held`. */
void twins_note(struct opening *o, const struct ident *ident, hftl_pba held, hftl_pba loser);
/* After the map was built and each band's valid blocks are counted. */
HFTL_MUST_USE enum hftl_status twins_settle(struct opening *o);

/* survey.c */
/* What the tail block says of positions from `first` on. */
void survey_tail(struct opening *o, struct band *band, uint32_t first, const struct tail *tail);

/* merge.c, in this order */
HFTL_MUST_USE enum hftl_status merge_start(struct opening *o);
/* Asks for the band's tail ahead. After ahead_finish: unless tail_bad all of it is good, and what
 * it names is taken. */
void merge_ask(struct opening *o, struct band *band);
/* One identity, whatever it is. */
void merge_consider(struct opening *o, struct band *band, uint32_t position, const uint8_t *bytes);
/* In a survey: a second version of the lba came; what holds it in the map was taken. */
void merge_contest_holder(struct opening *o, uint64_t lba, hftl_pba held);
/* The same, and the later one was taken as well. */
void merge_contest(struct opening *o, uint64_t lba, hftl_pba held, hftl_pba later);
/* After all bands are classified, and sealed ones judged. */
HFTL_MUST_USE enum hftl_status merge_map(struct opening *o);

#endif
