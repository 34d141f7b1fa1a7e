/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/oracle.h"

#include "base/must.h"
#include "base/prng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define NEVER UINT32_MAX
#define MAGIC UINT64_C(0x6b6c6f7266746c21)

enum life { FLYING, DONE, FIRM, MAYBE, GONE };

struct version {
    uint32_t number, next;
    uint32_t begin, end; /* ticks; end NEVER while FLYING */
    uint32_t hidden;     /* a read that begins after this tick does not see it */
    uint8_t life;
    bool zero;
};

struct oracle {
    uint64_t blocks;
    uint32_t block_bytes, tag;
    uint32_t tick, numbers;
    uint32_t reads, reads_since; /* under way; the tick when there were none */
    uint32_t crashed;            /* the tick of the last crash */
    uint64_t judged;
    bool formatting, forgives_old;
    uint64_t old;       /* versions that were over, and read all the same */
    uint8_t old_id[16]; /* of the device before that */
    uint32_t *first;    /* per lba: its newest version in `versions` */
    uint8_t *loose;     /* per lba: has a version that is DONE */
    struct version *versions;
    uint32_t room, used, spare; /* spare: list of free ones */
};

/* What the start of a written block says. */
struct label {
    uint64_t magic, lba;
    uint32_t number, tag;
};

/* ---- a life ---------------------------------------------------------------------------------- */

static struct version *add_version(struct oracle *o, uint64_t lba)
{
    uint32_t at = o->spare;
    if (at != NONE) {
        o->spare = o->versions[at].next;
    } else {
        if (o->used == o->room) {
            o->room *= 2;
            o->versions = realloc(o->versions, o->room * sizeof *o->versions);
            must(o->versions != NULL);
        }
        at = o->used++;
    }
    o->versions[at] = (struct version){.next = o->first[lba], .hidden = NEVER, .end = NEVER};
    o->first[lba] = at;
    return &o->versions[at];
}

static struct oracle *allocate(uint64_t blocks, uint32_t room)
{
    struct oracle *o = calloc(1, sizeof *o);
    must(o != NULL);
    o->blocks = blocks;
    o->room = room;
    o->first = malloc(blocks * sizeof *o->first);
    o->loose = calloc(blocks, 1);
    o->versions = malloc(room * sizeof *o->versions);
    must(o->first && o->loose && o->versions);
    return o;
}

/* All blocks are zeros and never were anything else. */
static void forget(struct oracle *o)
{
    o->spare = NONE;
    o->used = 0;
    memset(o->loose, 0, o->blocks);
    for (uint64_t lba = 0; lba < o->blocks; lba++) {
        o->first[lba] = NONE;
        struct version *v = add_version(o, lba);
        v->life = FIRM;
        v->zero = true;
        v->end = 0;
    }
}

struct oracle *oracle_create(uint64_t blocks, uint32_t block_bytes, uint32_t tag)
{
    must_show(blocks > 0 && blocks < UINT32_MAX / 4, blocks, block_bytes);
    must_show(block_bytes >= sizeof(struct label), block_bytes, 0);
    struct oracle *o = allocate(blocks, (uint32_t)blocks * 2);
    o->block_bytes = block_bytes;
    o->tag = tag;
    forget(o);
    o->tick = 1;
    return o;
}

void oracle_destroy(struct oracle *oracle)
{
    if (!oracle)
        return;
    free(oracle->first);
    free(oracle->loose);
    free(oracle->versions);
    free(oracle);
}

struct oracle *oracle_copy(const struct oracle *oracle)
{
    struct oracle *o = allocate(oracle->blocks, oracle->used + 64);
    uint32_t *first = o->first;
    uint8_t *loose = o->loose;
    struct version *versions = o->versions;
    uint32_t room = o->room;
    *o = *oracle;
    o->first = first;
    o->loose = loose;
    o->versions = versions;
    o->room = room;
    memcpy(first, oracle->first, o->blocks * sizeof *first);
    memcpy(loose, oracle->loose, o->blocks);
    memcpy(versions, oracle->versions, o->used * sizeof *versions);
    return o;
}

uint64_t oracle_blocks(const struct oracle *oracle)
{
    return oracle->blocks;
}

uint32_t oracle_block_bytes(const struct oracle *oracle)
{
    return oracle->block_bytes;
}

/* ---- contents -------------------------------------------------------------------------------- */

static void fill(const struct oracle *o, uint64_t lba, uint32_t number, uint32_t tag, void *block)
{
    struct label label = {.magic = MAGIC, .lba = lba, .number = number, .tag = tag};
    struct prng prng;
    prng_seed(&prng, lba * UINT64_C(0x9e3779b97f4a7c15) ^ ((uint64_t)number << 32 | tag));
    uint8_t *bytes = block;
    memcpy(bytes, &label, sizeof label);
    for (uint32_t at = sizeof label; at + 8 <= o->block_bytes; at += 8) {
        uint64_t word = prng_next(&prng);
        memcpy(bytes + at, &word, 8);
    }
}

void oracle_fill(const struct oracle *oracle, const struct oracle_ticket *ticket, uint64_t index,
                 void *block)
{
    must_show(ticket->verb == HFTL_WRITE && index < ticket->blocks, index, ticket->blocks);
    fill(oracle, ticket->lba + index, ticket->version + (uint32_t)index, oracle->tag, block);
}

static bool is_zeros(const uint8_t *block, uint32_t bytes)
{
    return block[0] == 0 && memcmp(block, block + 1, bytes - 1) == 0;
}

/* Is the block, whole, what its label says it is? */
static bool is_whole(const struct oracle *o, const struct label *label, const uint8_t *block)
{
    uint8_t expected[4096];
    must_show(o->block_bytes <= sizeof expected, o->block_bytes, sizeof expected);
    if (label->magic != MAGIC)
        return false;
    fill(o, label->lba, label->number, label->tag, expected);
    return memcmp(expected, block, o->block_bytes) == 0;
}

/* ---- who is older ---------------------------------------------------------------------------- */

static bool is_older(const struct version *x, const struct version *y)
{
    return x->end < y->begin;
}

static void hide(struct version *v, uint32_t tick)
{
    if (v->hidden > tick)
        v->hidden = tick;
}

/* FIRM versions end the life of all older ones. */
static void bury(struct oracle *o, uint64_t lba)
{
    for (uint32_t y = o->first[lba]; y != NONE; y = o->versions[y].next) {
        if (o->versions[y].life != FIRM)
            continue;
        for (uint32_t x = o->first[lba]; x != NONE; x = o->versions[x].next)
            if (is_older(&o->versions[x], &o->versions[y]))
                o->versions[x].life = GONE;
    }
    uint32_t *link = &o->first[lba];
    while (*link != NONE) { /* a read that began long ago may still see what is GONE */
        struct version *v = &o->versions[*link];
        if (v->life == GONE && (o->reads == 0 || v->hidden < o->reads_since)) {
            uint32_t at = *link;
            *link = v->next;
            v->next = o->spare;
            o->spare = at;
        } else {
            link = &v->next;
        }
    }
}

static void finish_version(struct oracle *o, uint64_t lba, uint32_t number, enum life life)
{
    struct version *done = NULL;
    for (uint32_t at = o->first[lba]; at != NONE; at = o->versions[at].next)
        if (o->versions[at].number == number && o->versions[at].life == FLYING)
            done = &o->versions[at];
    must_show(done != NULL, lba, number);
    done->end = o->tick;
    done->life = (uint8_t)life;
    if (life == MAYBE)
        return;
    for (uint32_t at = o->first[lba]; at != NONE; at = o->versions[at].next)
        if (is_older(&o->versions[at], done))
            hide(&o->versions[at], o->tick);
    o->loose[lba] = 1;
    if (life == FIRM)
        bury(o, lba);
}

/* ---- asking and answering -------------------------------------------------------------------- */

static bool makes_versions(enum hftl_verb verb)
{
    return verb == HFTL_WRITE || verb == HFTL_TRIM || verb == HFTL_WRITE_ZEROES;
}

void oracle_issue(struct oracle *oracle, struct oracle_ticket *ticket, enum hftl_verb verb,
                  unsigned flags, uint64_t lba, uint64_t blocks)
{
    must_show(lba + blocks <= oracle->blocks, lba, blocks);
    *ticket = (struct oracle_ticket){
        .verb = verb, .flags = flags, .lba = lba, .blocks = blocks, .begin = ++oracle->tick};
    if (verb == HFTL_READ && oracle->reads++ == 0)
        oracle->reads_since = ticket->begin;
    if (!makes_versions(verb))
        return;
    ticket->version = oracle->numbers + 1;
    for (uint64_t i = 0; i < blocks; i++) {
        struct version *v = add_version(oracle, lba + i);
        v->number = ++oracle->numbers;
        v->begin = oracle->tick;
        v->life = FLYING;
        v->zero = verb != HFTL_WRITE;
    }
}

/* C1: what was answered before the flush was asked for. */
static void firm_up(struct oracle *o, uint32_t before)
{
    for (uint64_t lba = 0; lba < o->blocks; lba++) {
        if (!o->loose[lba])
            continue;
        o->loose[lba] = 0;
        for (uint32_t at = o->first[lba]; at != NONE; at = o->versions[at].next) {
            struct version *v = &o->versions[at];
            if (v->life == DONE && v->end < before)
                v->life = FIRM;
            else if (v->life == DONE)
                o->loose[lba] = 1;
        }
        bury(o, lba);
    }
}

static const char *life_text(const struct version *v)
{
    static const char *const texts[] = {"in flight", "answered", "durable", "in doubt", "gone"};
    return texts[v->life];
}

static void say_wrong(const struct oracle *o, uint64_t lba, const uint8_t *block, bool zeros,
                      struct failure *failure)
{
    char seen[160], list[240];
    struct label label;
    memcpy(&label, block, sizeof label);
    if (zeros)
        snprintf(seen, sizeof seen, "zeros");
    else if (label.magic != MAGIC)
        snprintf(seen, sizeof seen, "bytes nobody wrote (%016" PRIx64 ")", label.magic);
    else if (!is_whole(o, &label, block))
        snprintf(seen, sizeof seen, "a mix that begins as lba %" PRIu64 " version %" PRIu32,
                 label.lba, label.number);
    else if (label.lba != lba)
        snprintf(seen, sizeof seen, "lba %" PRIu64 " version %" PRIu32, label.lba, label.number);
    else
        snprintf(seen, sizeof seen, "version %" PRIu32 "%s", label.number,
                 label.tag != o->tag ? " of another run" : "");
    size_t used = 0;
    list[0] = 0;
    for (uint32_t at = o->first[lba]; at != NONE && used + 60 < sizeof list;
         at = o->versions[at].next) {
        const struct version *v = &o->versions[at];
        if (v->life != GONE)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%" PRIu32 "%s (%s%s)",
                                     used ? ", " : "", v->number, v->zero ? " zeros" : "",
                                     life_text(v), v->hidden != NEVER ? ", superseded" : "");
    }
    failure_say(failure, "lba %" PRIu64 " reads as %s; possible: %s", lba, seen, list);
}

/* Can nothing but a recovery have decided about it? A failed write stays in doubt without one. */
static bool is_settled(const struct oracle *o, const struct version *v)
{
    return v->life == FIRM || (v->life == MAYBE && v->end <= o->crashed);
}

/* C6: what was seen after a crash is what happened. */
static void pin(struct oracle *o, uint64_t lba, const struct version *seen, uint32_t begin)
{
    for (uint32_t at = o->first[lba]; at != NONE; at = o->versions[at].next) {
        struct version *v = &o->versions[at];
        if (is_settled(o, v) && v->end < begin)
            v->life = v == seen ? FIRM : GONE;
    }
}

/* What a read may have seen: versions that the contents match and that one from `begin` on may see.
 * Zeros may be any of several. */
struct sight {
    struct version *newest, *oldest;
    bool settled; /* all of them are */
};

static struct sight match(const struct oracle *o, uint64_t lba, const uint8_t *block, bool zeros,
                          uint32_t begin)
{
    struct label label;
    struct sight found = {.settled = true};
    memcpy(&label, block, sizeof label);
    for (uint32_t at = o->first[lba]; at != NONE; at = o->versions[at].next) {
        struct version *v = &o->versions[at];
        if (v->zero != zeros || v->hidden < begin)
            continue;
        if (!zeros && v->number != label.number)
            continue;
        found.settled &= is_settled(o, v);
        if (!found.newest || v->begin > found.newest->begin)
            found.newest = v;
        if (!found.oldest || v->begin < found.oldest->begin)
            found.oldest = v;
    }
    bool ours = label.lba == lba && label.tag == o->tag;
    if (!zeros && found.newest && !(ours && is_whole(o, &label, block)))
        found.newest = NULL;
    return found;
}

/* Was it ever written there? */
static bool is_old(const struct oracle *o, uint64_t lba, const uint8_t *block, bool zeros)
{
    struct label label;
    memcpy(&label, block, sizeof label);
    return zeros || (label.lba == lba && label.tag == o->tag && is_whole(o, &label, block));
}

static void judge_block(struct oracle *o, uint64_t lba, uint32_t begin, const uint8_t *block,
                        struct failure *failure)
{
    bool zeros = is_zeros(block, o->block_bytes);
    struct sight sight = match(o, lba, block, zeros, begin);
    const struct version *seen = sight.newest;
    o->judged++;
    if (!seen && o->forgives_old && is_old(o, lba, block, zeros)) {
        o->old++;
        return;
    }
    if (!seen) {
        say_wrong(o, lba, block, zeros, failure);
        return;
    }
    for (uint32_t at = o->first[lba]; at != NONE; at = o->versions[at].next) {
        struct version *v = &o->versions[at];
        bool other = v != seen && !(zeros && v->zero);
        if (other && (v->end < begin || is_older(v, sight.oldest)))
            hide(v, o->tick);
    }
    if (sight.settled)
        pin(o, lba, seen, begin);
    bury(o, lba);
}

static void answer_read(struct oracle *o, const struct oracle_ticket *ticket,
                        enum hftl_status status, const uint8_t *data, struct failure *failure)
{
    must(o->reads > 0);
    if (status == HFTL_OK)
        for (uint64_t i = 0; i < ticket->blocks; i++)
            judge_block(o, ticket->lba + i, ticket->begin, data + i * o->block_bytes, failure);
    o->reads--;
}

/* ---- errors ---------------------------------------------------------------------------------- */

#define READS (1u << HFTL_READ)
#define CHANGES (1u << HFTL_WRITE | 1u << HFTL_TRIM | 1u << HFTL_WRITE_ZEROES)
#define FLUSHES (1u << HFTL_FLUSH)
#define CLOSES (1u << HFTL_FLUSH_BANDS)

static const struct excuse {
    unsigned verbs;
    enum hftl_status status;
    unsigned causes; /* any of them */
} excuses[] = {
    /* C7, and what the medium says */
    {READS, HFTL_LOST, ORACLE_HARMED},
    {READS, HFTL_MISMATCH, ORACLE_STRUCK},
    {READS, HFTL_IO, ORACLE_STRUCK},
    {READS, HFTL_OFFLINE, ORACLE_STRUCK},
    {READS, HFTL_CORRUPT, ORACLE_STRUCK}, /* the tail that would prove it right */
    /* the operation that failed turned the device read-only, and with it all who waited */
    {CHANGES | FLUSHES | CLOSES, HFTL_IO, ORACLE_FAILED},
    {CHANGES | FLUSHES | CLOSES, HFTL_OFFLINE, ORACLE_FAILED},
    {CHANGES | FLUSHES | CLOSES, HFTL_CLOSED_EARLY, ORACLE_FAILED},
    {CHANGES | FLUSHES | CLOSES, HFTL_WRITE_SKIPPED, ORACLE_FAILED},
    {FLUSHES, HFTL_FLUSH_FAILED, ORACLE_FAILED | ORACLE_READ_ONLY},
    {CHANGES | FLUSHES | CLOSES, HFTL_READ_ONLY, ORACLE_READ_ONLY},
    /* C11: what is left is too little; hostftl.h: a closing needs bands to spare */
    {CHANGES | FLUSHES | CLOSES, HFTL_SPACE, ORACLE_READ_ONLY},
    {CLOSES, HFTL_SPACE, ORACLE_NO_BANDS},
};

static bool is_excused(enum hftl_verb verb, enum hftl_status status, unsigned causes)
{
    for (size_t i = 0; i < sizeof excuses / sizeof excuses[0]; i++)
        if ((excuses[i].verbs >> verb & 1) && excuses[i].status == status &&
            (excuses[i].causes & causes))
            return true;
    return status == HFTL_OK;
}

void oracle_answer(struct oracle *oracle, const struct oracle_ticket *ticket,
                   enum hftl_status status, const void *data, unsigned causes,
                   struct failure *failure)
{
    static const char *const names[] = {
#define VERB_TEXT(name, text) text,
        HFTL_VERB_LIST(VERB_TEXT)
#undef VERB_TEXT
    };
    oracle->tick++;
    if (!is_excused(ticket->verb, status, causes))
        failure_say(failure, "%s of %" PRIu64 " blocks at lba %" PRIu64 " fails: %s, for no cause",
                    names[ticket->verb], ticket->blocks, ticket->lba, hftl_status_name(status));
    if (ticket->verb == HFTL_READ)
        answer_read(oracle, ticket, status, data, failure);
    if (ticket->verb == HFTL_FLUSH && status == HFTL_OK)
        firm_up(oracle, ticket->begin);
    if (!makes_versions(ticket->verb))
        return;
    enum life life = (ticket->flags & HFTL_FUA) ? FIRM : DONE;
    if (status != HFTL_OK)
        life = MAYBE;
    for (uint64_t i = 0; i < ticket->blocks; i++)
        finish_version(oracle, ticket->lba + i, ticket->version + (uint32_t)i, life);
}

/* ---- crash and close ------------------------------------------------------------------------- */

void oracle_crash(struct oracle *oracle)
{
    oracle->crashed = ++oracle->tick;
    oracle->reads = 0;
    for (uint64_t lba = 0; lba < oracle->blocks; lba++) {
        for (uint32_t at = oracle->first[lba]; at != NONE; at = oracle->versions[at].next) {
            struct version *v = &oracle->versions[at];
            if (v->life == FLYING)
                v->end = oracle->tick;
            if (v->life == FLYING || v->life == DONE)
                v->life = MAYBE;
            if (v->life != GONE)
                v->hidden = NEVER;
        }
        oracle->loose[lba] = 0;
        bury(oracle, lba);
    }
}

void oracle_close(struct oracle *oracle)
{
    oracle->tick++;
    firm_up(oracle, oracle->tick);
}

void oracle_format_begins(struct oracle *oracle, const uint8_t id[16])
{
    must(!oracle->formatting && oracle->reads == 0);
    oracle->formatting = true;
    memcpy(oracle->old_id, id, sizeof oracle->old_id);
}

bool oracle_is_formatting(const struct oracle *oracle)
{
    return oracle->formatting;
}

/* Versions go on being numbered where they were, so a block of the old device never passes. */
void oracle_format_ends(struct oracle *oracle, const uint8_t id[16], uint64_t blocks)
{
    must(oracle->formatting);
    oracle->formatting = false;
    if (memcmp(oracle->old_id, id, sizeof oracle->old_id) == 0)
        return;
    if (blocks != 0 && blocks < oracle->blocks)
        oracle->blocks = blocks;
    forget(oracle);
}

/* Commutes, because the order of an lba's versions says nothing. */
uint64_t oracle_hash(const struct oracle *oracle)
{
    uint64_t hash = oracle->formatting;
    for (uint64_t lba = 0; lba < oracle->blocks; lba++)
        for (uint32_t at = oracle->first[lba]; at != NONE; at = oracle->versions[at].next) {
            const struct version *v = &oracle->versions[at];
            uint64_t word = (lba << 32 | v->number) * UINT64_C(0x9e3779b97f4a7c15);
            word = (word ^ word >> 31 ^ v->life) * UINT64_C(0xbf58476d1ce4e5b9);
            if (v->life != GONE)
                hash += word ^ word >> 29;
        }
    return hash;
}

unsigned oracle_candidates(const struct oracle *oracle, uint64_t lba)
{
    unsigned count = 0;
    for (uint32_t at = oracle->first[lba]; at != NONE; at = oracle->versions[at].next)
        count += oracle->versions[at].life != GONE;
    return count;
}

bool oracle_may_be_written(const struct oracle *oracle, uint64_t lba)
{
    for (uint32_t at = oracle->first[lba]; at != NONE; at = oracle->versions[at].next)
        if (!oracle->versions[at].zero && oracle->versions[at].hidden == NEVER)
            return true;
    return false;
}

uint64_t oracle_held(const struct oracle *oracle)
{
    uint64_t held = 0;
    for (uint64_t lba = 0; lba < oracle->blocks; lba++)
        held += oracle_may_be_written(oracle, lba);
    return held;
}

bool oracle_wrote(const void *block)
{
    struct label label;
    memcpy(&label, block, sizeof label);
    return label.magic == MAGIC;
}

uint32_t oracle_newest(const struct oracle *oracle)
{
    return oracle->numbers;
}

uint32_t oracle_number(const struct oracle *oracle, uint64_t lba, const void *block)
{
    struct label label;
    memcpy(&label, block, sizeof label);
    if (is_zeros(block, oracle->block_bytes))
        return 0;
    bool ours = label.magic == MAGIC && label.lba == lba && label.tag == oracle->tag;
    return ours ? label.number : UINT32_MAX;
}

void oracle_forgive_old(struct oracle *oracle)
{
    oracle->forgives_old = true;
}

void oracle_forgive_no_more(struct oracle *oracle)
{
    oracle->forgives_old = false;
}

bool oracle_forgives_old(const struct oracle *oracle)
{
    return oracle->forgives_old;
}

uint64_t oracle_old(const struct oracle *oracle)
{
    return oracle->old;
}

uint64_t oracle_judged(const struct oracle *oracle)
{
    return oracle->judged;
}
