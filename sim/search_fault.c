/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * search_fault.c - allocations that fail, operations of the medium that fail, bits that flip,
 * storms of cuts, and drives that lie.
 *
 * What is promised is what DESIGN.md says that the core does: never wrong data; what was flushed
 * is there when the faults are over; an error, a read-only device or a refusal, each with its
 * reason, are answers; every request ends; nothing is leaked; no rule of the medium is broken.
 * Metadata that an opening cannot read at all, or a chunk that is gone, may bring back an older
 * version (FORMAT.md, 12): those are counted. Where a drive says flushed and has not, what it lost
 * is lost: each block is then a whole version that was once written there, or zeros, or an error;
 * what is written afterwards is as safe as ever. What was seen after the lie mostly stays: where it
 * does not is counted.
 */
#include "sim/search_inside.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define CUTS_DEFAULT 10000u
#define BANDS_APART 2u /* in how many bands a device that has settled may differ: those open */
#define CRASHED_IMAGES 12u
#define RECOVERY_PATH 1000u
#define FAULTS_MAX UINT64_C(1000000)

/* A device with something on it, closed, or crashed in the middle of things. */
static void tell_some(struct search_run *run)
{
    struct harness *h = &run->harness;
    const struct story *story = run->search->options->story;
    struct telling telling;
    story_enter(&telling, story ? story : story_find("trim"), h, run->seed);
    for (int i = 0; i < 60 && !h->failure.failed; i++)
        story_go_on(&telling);
    if (h->failure.failed)
        return;
    harness_send(h, HFTL_FLUSH, 0, 0, 0);
    if (run->arg && !h->failure.failed) {
        harness_close(h);
        return;
    }
    for (int i = 0; i < 6 && !h->failure.failed; i++)
        story_go_on(&telling);
    if (!h->failure.failed) {
        harness_crash(h);
        nand_cut(run->nand, NAND_CUT_KEPT, run->seed);
    }
}

static bool make_image(struct search *s, struct search_run *run, bool clean, uint64_t number)
{
    uint64_t seed = number ? search_mix(s->options->seed, number) : s->options->seed;
    *run = (struct search_run){.search = s, .seed = seed, .tell = tell_some};
    run->arg = clean ? run : NULL;
    return search_tell(run);
}

/* ---- a trial --------------------------------------------------------------------------------- */

struct fault_trial {
    struct search *search;
    struct harness harness;
    void (*act)(struct fault_trial *trial);
    const struct story *story;
    uint64_t number;
    uint32_t cuts_inside; /* storm: of a recovery */
    bool lies_once;       /* liar */
    bool formats, forgives_old, happened;
};

static void act(void *arg)
{
    struct fault_trial *t = arg;
    t->act(t);
}

/* On a fork. True: what was to happen happened. */
static bool try_fault(struct search *s, const struct search_run *image, struct fault_trial *t,
                      uint64_t fail_allocation, const struct nand_fault *fault)
{
    struct search_state here = {image->nand, image->harness.oracle, image->harness.history};
    struct search_state state = search_fork(&here);
    struct nand *nand = state.nand;
    struct oracle *oracle = state.oracle;
    uint64_t judged = oracle ? oracle_judged(oracle) : 0;
    uint32_t place = s->depth;
    if (oracle && t->forgives_old)
        oracle_forgive_old(oracle);
    t->search = s;
    t->happened = false;
    s->report->points++;
    s->report->trials++;
    /* Not the seed of the image: the ids of devices come from it. */
    search_begin(s, &t->harness, &state, search_mix(s->options->seed, t->number + 1));
    t->harness.world.fail_allocation = fail_allocation;
    t->harness.world.fail_all_after = fault && fault->forever;
    if (fault && !fail_allocation)
        nand_set_fault(nand, fault);
    if (!failure_trap(act, t)) {
        s->depth = place;
        search_violation(s, failure_why());
        return true; /* what it owned is leaked */
    }
    t->happened |= nand_fault_struck(nand);
    oracle = t->harness.oracle;
    s->report->old += oracle ? oracle_old(oracle) : 0;
    search_end(s, &t->harness, judged);
    oracle_destroy(oracle);
    nand_destroy(nand);
    return t->happened;
}

static bool reopen(struct fault_trial *t)
{
    t->search->report->recoveries++;
    bool open = harness_open(&t->harness);
    t->search->report->refused += !open;
    if (open)
        harness_verify(&t->harness);
    return open && !t->harness.failure.failed;
}

/* ---- oom ------------------------------------------------------------------------------------- */

/* It opened: it did without, or it says that it is read-only and why; reads are right. */
static void check_poor_device(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    struct hftl_info info = {.size = sizeof info};
    if (!t->happened || !h->device)
        return;
    h->options.engine->get_info(h->device, &info);
    if (!info.read_only)
        failure_say(&h->failure, "it opens without the memory that it asked for");
    else if (!info.reason[0])
        failure_say(&h->failure, "it opens read-only and says no reason");
    harness_verify(h);
}

static void act_oom(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    uint8_t id[16] = {0};
    if (t->formats && h->oracle) {
        struct hftl_info info = {.size = sizeof info};
        struct sim_world *world = &h->world;
        uint64_t fails = world->fail_allocation;
        world->fail_allocation = 0;
        if (!reopen(t))
            return;
        h->options.engine->get_info(h->device, &info);
        world->fail_allocation = world->allocations + fails;
        fails = world->fail_allocation;
        memcpy(id, info.id, sizeof id);
        (void)harness_format(h);
        t->happened = world->allocations >= fails;
    } else {
        (void)harness_open(h);
        t->happened = h->world.allocations >= h->world.fail_allocation;
    }
    if (nand_in_flight(h->options.nand) && !h->device)
        failure_say(&h->failure, "an open that failed leaves operations in flight");
    h->world.fail_allocation = 0;
    if (h->failure.failed)
        return;
    check_poor_device(t);
    if (h->device)
        harness_close(h);
    h->world.refused = 0;
    if (!h->failure.failed && !reopen(t))
        failure_say(&h->failure, "after memory was short it does not open");
    if (h->device && !h->failure.failed)
        harness_close(h);
    if (!h->failure.failed)
        (void)reopen(t);
}

void search_oom(struct search *s)
{
    static const char *const stages[] = {"format", "format over", "open", "open after a crash"};
    for (unsigned stage = 0; stage < 4; stage++) {
        struct search_run image = {.search = s};
        if (!search_enter(s, stage))
            continue;
        if (stage == 0)
            image.nand = shape_make(s->options->shape, s->options->seed);
        else if (!make_image(s, &image, stage != 3, 0))
            image.nand = NULL;
        if (s->options->verbose)
            fprintf(stderr, "  %s\n", stages[stage]);
        bool more = image.nand != NULL;
        for (uint64_t n = 1; more && !search_is_over(s); n++) {
            more = s->want_depth > s->depth;
            for (unsigned forever = 0; forever < 2 && search_enter(s, 2 * n + forever); forever++) {
                struct fault_trial t = {.act = act_oom, .formats = stage < 2};
                struct nand_fault fault = {.forever = forever};
                more = try_fault(s, &image, &t, n, &fault);
                search_leave(s);
            }
            more &= n < FAULTS_MAX / 1000;
        }
        if (stage == 0)
            nand_destroy(image.nand);
        else
            search_forget(&image);
        search_leave(s);
    }
}

/* ---- ioerr ----------------------------------------------------------------------------------- */

static void act_ioerr(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    struct telling telling;
    struct nand *nand = h->options.nand;
    const struct nand_fault none = {0};
    h->options.depth = t->story->depth < 8 ? t->story->depth : 8;
    if (harness_open(h)) {
        story_enter(&telling, t->story, h, h->options.seed);
        while (h->device && !story_ends(&telling) && telling.told < t->search->length)
            story_go_on(&telling);
        if (h->device && !h->failure.failed)
            harness_verify(h);
        if (h->device && !h->failure.failed && t->number % 2)
            harness_close(h);
    }
    if (h->failure.failed)
        return;
    if (h->device)
        harness_crash(h);
    t->happened = nand_fault_struck(nand);
    nand_set_fault(nand, &none);
    nand_cut(nand, t->number % 4 < 2 ? NAND_CUT_LOST : NAND_CUT_KEPT, t->number);
    if (reopen(t) && t->number % 3 == 0) { /* what was seen stays */
        harness_crash(h);
        nand_cut(nand, NAND_CUT_LOST, t->number);
        (void)reopen(t);
    }
}

/* A recovery in which it fails, a look, and a recovery in which it does not. */
static void act_recovery(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    struct nand *nand = h->options.nand;
    const struct nand_fault none = {0};
    if (harness_open(h))
        harness_verify(h);
    if (h->failure.failed)
        return;
    harness_crash(h);
    t->happened = nand_fault_struck(nand);
    nand_set_fault(nand, &none);
    nand_cut(nand, t->number % 2 ? NAND_CUT_LOST : NAND_CUT_KEPT, t->number);
    (void)reopen(t);
}

/* On the story, or, when there is none, on the recovery of the image. */
static void fail_all(struct search *s, const struct search_run *image, const struct story *story)
{
    bool more = true;
    for (uint64_t n = 0; more && !search_is_over(s); n++) {
        more = s->want_depth > s->depth && n < FAULTS_MAX;
        for (unsigned way = 0; way < 2 * NAND_FAULT_COUNT; way++) {
            struct nand_fault fault = {.armed = true,
                                       .kind = (enum nand_fault_kind)(way / 2),
                                       .at = n,
                                       .forever = way % 2};
            struct fault_trial t = {.story = story, .number = n + way / 2};
            t.act = story ? act_ioerr : act_recovery;
            t.forgives_old = fault.kind == NAND_FAULT_OFFLINE;
            if (fault.kind == NAND_FAULT_LIE) /* a class of its own */
                continue;
            if (fault.kind == NAND_FAULT_ROT && !shape_checks_reads(s->options->shape))
                continue;
            if (!search_enter(s, n * 100 + way))
                continue;
            more |= try_fault(s, image, &t, 0, &fault);
            search_leave(s);
        }
    }
}

static void tell_close(struct search_run *run)
{
    harness_close(&run->harness);
}

/* Each story, on a device that was made and closed. */
static void in_each_story(struct search *s, void (*go)(struct search *, const struct search_run *,
                                                       const struct story *))
{
    struct search_run image = {.search = s, .seed = s->options->seed, .tell = tell_close};
    bool well = search_tell(&image);
    for (unsigned i = 0; well && i < search_stories(s) && !search_is_over(s); i++) {
        if (!search_enter(s, i))
            continue;
        go(s, &image, search_story(s, i));
        search_leave(s);
    }
    search_forget(&image);
}

/* Some crashed images each: what recovery has to do hangs on where the crash was. */
void search_ioerr(struct search *s)
{
    in_each_story(s, fail_all);
    for (unsigned i = 0; i < CRASHED_IMAGES && !search_is_over(s); i++) {
        struct search_run image;
        if (!search_enter(s, RECOVERY_PATH + i))
            continue;
        if (make_image(s, &image, false, i))
            fail_all(s, &image, NULL);
        search_forget(&image);
        search_leave(s);
    }
}

/* ---- bitflip --------------------------------------------------------------------------------- */

static void act_flip(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    if (!reopen(t))
        return;
    harness_crash(h);
    nand_cut(h->options.nand, NAND_CUT_LOST, 1);
    (void)reopen(t);
}

static void flip_one(struct search *s, const struct search_run *image, struct nand_place place,
                     uint32_t bit)
{
    struct search_run flipped = *image;
    struct fault_trial t = {.act = act_flip, .forgives_old = true};
    const struct nand_fault none = {0};
    if (!search_enter(s, place.byte * 8 + bit))
        return;
    flipped.nand = nand_fork(image->nand);
    nand_flip(flipped.nand, &place, (uint8_t)(1u << bit));
    (void)try_fault(s, &flipped, &t, 0, &none);
    nand_destroy(flipped.nand);
    search_leave(s);
}

/* Metadata: every bit, or a bit of every byte when the medium has many. Users' data: one bit. */
static void flip_block(struct search *s, const struct search_run *image, uint32_t chunk,
                       uint32_t block)
{
    const struct hftl_media_facts *f = &s->options->shape->facts;
    uint32_t bytes = f->block_bytes + f->oob_bytes;
    bool user = oracle_wrote(nand_block(image->nand, chunk, block));
    bool all = hftl_media_chunks(f) * f->chunk_blocks <= 256;
    uint64_t chance = search_mix(s->options->seed, (uint64_t)chunk << 32 | block);
    for (uint32_t byte = 0; byte < bytes && !search_is_over(s); byte++) {
        struct nand_place place = {chunk, block, byte};
        uint32_t one = (uint32_t)search_mix(chance, byte) % 8;
        bool wanted = byte == chance % f->block_bytes && shape_checks_reads(s->options->shape);
        if (user && byte < f->block_bytes && !wanted)
            continue;
        for (uint32_t bit = 0; bit < 8; bit++)
            if (bit == one || (all && !(user && byte < f->block_bytes)))
                flip_one(s, image, place, bit);
    }
    if (!all)
        s->report->sampled++;
}

static void flip_chunk(struct search *s, const struct search_run *image, uint32_t chunk)
{
    for (uint32_t at = 0; at < nand_blocks_there(image->nand, chunk); at++) {
        if (!search_enter(s, (uint64_t)chunk * 100000 + at))
            continue;
        flip_block(s, image, chunk, at);
        search_leave(s);
    }
}

void search_bitflip(struct search *s)
{
    for (unsigned clean = 0; clean < 2; clean++) {
        struct search_run image;
        if (!search_enter(s, clean))
            continue;
        bool well = make_image(s, &image, clean, 0);
        for (uint32_t i = 0; well && i < hftl_media_chunks(&s->options->shape->facts); i++)
            flip_chunk(s, &image, i);
        search_forget(&image);
        search_leave(s);
    }
}

/* ---- storm ----------------------------------------------------------------------------------- */

struct storm {
    struct nand *fork;
    const struct nand *nand;
    uint64_t at, end;        /* moments of the nand: where it is cut; those there were */
    bool hunts, is_in_reset; /* it is cut in the first reset instead; it was */
};

static void catch_moment(void *arg, uint64_t index, enum nand_moment moment,
                         const struct hftl_media_op *op)
{
    struct storm *storm = arg;
    bool in_reset = moment == NAND_SUBMITTED && op->verb == HFTL_MEDIA_RESET;
    storm->end = index + 1;
    if (storm->fork || !(index == storm->at || (storm->hunts && in_reset)))
        return;
    storm->fork = nand_fork(storm->nand);
    storm->is_in_reset = in_reset;
}

/* One recovery that is cut at a moment of it, or right after it. Recoveries before had so many. */
static struct nand *weather(struct fault_trial *t, struct nand *nand, struct prng *prng,
                            uint64_t moments)
{
    struct harness *h = &t->harness;
    uint64_t begin =
        nand_moments(nand); /* a nand that was not cut inside of one goes on counting */
    struct storm storm = {.nand = nand, .end = begin};
    storm.at = begin + prng_below(prng, moments + moments / 4 + 1);
    storm.hunts = prng_chance(prng, 1, 2); /* seldom: of a superblock copy that is full */
    h->options.nand = nand;
    nand_watch(nand, catch_moment, &storm);
    t->search->report->recoveries++;
    t->search->report->points++;
    (void)harness_open(h);
    nand_watch(nand, NULL, NULL);
    t->number = storm.end - begin;
    t->cuts_inside += storm.fork != NULL;
    if (h->device)
        harness_crash(h);
    if (!h->failure.failed && storm.fork) {
        if (nand != NULL)
            nand_destroy(nand);
        nand = storm.fork;
        oracle_crash(h->oracle);
    } else if (storm.fork) {
        nand_destroy(storm.fork);
    }
    enum nand_cut cut = (enum nand_cut)prng_below(prng, NAND_CUT_COUNT);
    if (storm.is_in_reset && prng_chance(prng, 1, 2))
        cut = NAND_CUT_HALF_ERASED;
    nand_cut(nand, cut, prng_next(prng));
    h->options.nand = nand;
    return nand;
}

static void act_storm(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    uint32_t cuts = t->search->options->cuts ? t->search->options->cuts : CUTS_DEFAULT;
    uint64_t free_before, free_after, moments = 8;
    struct hftl_info info = {.size = sizeof info};
    struct nand *nand = nand_fork(h->options.nand), *given = h->options.nand;
    struct prng prng;
    prng_seed(&prng, t->search->options->seed);
    h->options.nand = nand;
    if (!reopen(t))
        return;
    harness_settle(h);
    if (h->failure.failed)
        return;
    h->options.engine->get_info(h->device, &info);
    free_before = info.bands_free;
    harness_crash(h);
    nand_cut(nand, NAND_CUT_LOST, 1);
    for (uint32_t i = 0; i < cuts && !h->failure.failed && !search_is_over(t->search); i++) {
        nand = weather(t, nand, &prng, moments);
        moments = t->number > moments ? t->number : moments - (moments > 8);
        if (!h->failure.failed && i % 256 == 255 && reopen(t)) {
            harness_crash(h);
            nand_cut(nand, NAND_CUT_KEPT, i);
        }
    }
    if (t->cuts_inside < cuts / 2 && !h->failure.failed && !search_is_over(t->search))
        failure_say(&h->failure, "no storm: %u of %u cuts were inside of a recovery",
                    t->cuts_inside, cuts);
    if (h->failure.failed || !reopen(t))
        return;
    harness_settle(h);
    if (h->failure.failed)
        return;
    h->options.engine->get_info(h->device, &info);
    free_after = info.bands_free;
    if (free_after + BANDS_APART < free_before)
        failure_say(&h->failure, "%llu bands were free before the storm, %llu are after it",
                    (unsigned long long)free_before, (unsigned long long)free_after);
    for (uint64_t i = 0; i < 4 * harness_blocks(h) && !h->failure.failed; i++)
        harness_send(h, HFTL_WRITE, 0, prng_below(&h->prng, harness_blocks(h)), 1);
    if (!h->failure.failed)
        harness_verify(h);
    if (!h->failure.failed)
        harness_close(h);
    h->options.nand = given;
    nand_destroy(nand);
}

void search_storm(struct search *s)
{
    struct search_run image;
    struct fault_trial t = {.act = act_storm};
    if (!search_enter(s, 0)) /* the only case */
        return;
    if (make_image(s, &image, false, 0))
        (void)try_fault(s, &image, &t, 0, NULL);
    search_forget(&image);
    search_leave(s);
}

/* ---- liar ------------------------------------------------------------------------------------ */

static const enum nand_cut lie_cuts[] = {NAND_CUT_LOST, NAND_CUT_PREFIX, NAND_CUT_TORN,
                                         NAND_CUT_ONE_LOSES, NAND_CUT_ONE_KEEPS};
#define LIE_CUTS (sizeof lie_cuts / sizeof lie_cuts[0])

/* The story, until a few requests after the only flush that lies: the next one that does not mends
 * what it had done. */
static void tell_to_a_liar(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    struct telling telling;
    uint64_t later = 0;
    story_enter(&telling, t->story, h, h->options.seed);
    while (h->device && !story_ends(&telling) && telling.told < t->search->length &&
           later <= t->number % 6) {
        story_go_on(&telling);
        later += t->lies_once && nand_fault_struck(h->options.nand);
    }
    if (h->device && !h->failure.failed && !t->lies_once && t->number % 2)
        harness_close(h);
}

/* Reads everything; what that gave, as a number. */
static uint64_t look(struct harness *h)
{
    h->sums_up = true;
    h->seen = 0;
    harness_verify(h);
    h->sums_up = false;
    return h->seen;
}

/* The drive is honest from here on. */
static void live_on(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    struct hftl_info info = {.size = sizeof info};
    h->options.engine->get_info(h->device, &info);
    if (info.read_only)
        return;
    for (uint64_t lba = 0; lba < harness_blocks(h) && !h->failure.failed; lba++)
        harness_send(h, HFTL_WRITE, 0, lba, 1);
    if (!h->failure.failed)
        harness_drain(h);
    if (!h->failure.failed)
        harness_send(h, HFTL_FLUSH, 0, 0, 0);
    if (h->failure.failed)
        return;
    harness_drain(h);
    h->options.engine->get_info(h->device, &info);
    if (h->failure.failed || info.read_only)
        return;
    oracle_forgive_no_more(h->oracle);
    harness_crash(h);
    nand_cut(h->options.nand, NAND_CUT_LOST, t->number);
    if (!reopen(t) && !h->failure.failed)
        failure_say(&h->failure, "it was opened after the lie, written anew, and does not open");
}

static void act_liar(struct fault_trial *t)
{
    struct harness *h = &t->harness;
    struct nand *nand = h->options.nand;
    const struct nand_fault none = {0};
    h->options.depth = t->story->depth < 8 ? t->story->depth : 8;
    if (harness_open(h))
        tell_to_a_liar(t);
    if (h->failure.failed)
        return;
    if (h->device)
        harness_crash(h);
    t->happened = nand_fault_struck(nand);
    nand_set_fault(nand, &none);
    nand_cut(nand, lie_cuts[t->number % LIE_CUTS], t->number);
    t->search->report->recoveries++;
    if (!harness_open(h)) {
        t->search->report->refused++;
        return;
    }
    uint64_t seen = look(h);
    if (h->failure.failed)
        return;
    harness_crash(h);
    nand_cut(nand, NAND_CUT_LOST, t->number);
    t->search->report->recoveries++;
    if (!harness_open(h) && !h->failure.failed)
        failure_say(&h->failure, "it opened after the lie once, and not again");
    if (!h->failure.failed)
        t->search->report->changed += look(h) != seen;
    if (!h->failure.failed)
        live_on(t);
}

/* Where operation n is no flush, "once" is the story without a lie, and "from then on" is what it
 * is at the next one. */
static void lie_in(struct search *s, const struct search_run *image, const struct story *story)
{
    bool more = true;
    for (uint64_t n = 0; more && !search_is_over(s); n++) {
        more = s->want_depth > s->depth && n < FAULTS_MAX;
        for (unsigned way = 0; way < 2 * LIE_CUTS; way++) {
            struct nand_fault fault = {
                .armed = true, .kind = NAND_FAULT_LIE, .at = n, .forever = way % 2};
            struct fault_trial t = {.act = act_liar, .story = story, .forgives_old = true};
            t.number = n * LIE_CUTS + way / 2;
            t.lies_once = !fault.forever;
            if (!search_enter(s, n * 100 + way))
                continue;
            more |= try_fault(s, image, &t, 0, &fault);
            search_leave(s);
        }
    }
}

void search_liar(struct search *s)
{
    in_each_story(s, lie_in);
}
