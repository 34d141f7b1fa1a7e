/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * examine_bands.c - every block of every band. Who names a band's blocks depends on what it is:
 *
 *      closed   its tail, all of them; OOB says the same, or is damaged. Summaries too
 *      open     named by the record of a clean close: OOB or summaries, up to where it left off.
 *               Whatever recovery made of it: it seals the band when its only head is damaged
 *      sealed   what recovery believed; the rest is nothing
 *      emptied  whoever can; nobody needs it, so all that is wrong is one note
 */
#include "lifecycle/examine.h"

#include <string.h>

/* One band being gone through. */
struct visit {
    struct examine *e;
    const struct band *band;
    uint32_t end;     /* positions from here on do not matter (open: not written yet) */
    uint32_t gap;     /* positions that nobody names, up to and with the last one */
    bool open;        /* left open by a clean close */
    bool alive;       /* something valid is in it, or it is open */
    bool tail_wanted; /* it must have a whole tail */
};

static struct hftl_finding finding_at(const struct visit *v, const struct look_block *block,
                                      const char *what)
{
    struct hftl_finding finding = examine_nowhere(what);
    finding.place =
        (struct hftl_place){block->chunk, block->offset, v->band->index, block->position};
    return finding;
}

static hftl_pba pba_of(const struct visit *v, uint32_t position)
{
    return geometry_pba(&v->e->device->geometry, v->band->index, position);
}

static bool is_mapped(const struct visit *v, const struct look_block *block,
                      const struct ident *ident)
{
    if (ident->kind != IDENT_DATA && ident->kind != IDENT_LOST)
        return false;
    return map_holds(v->e->device, ident->lba, false, pba_of(v, block->position));
}

/* ---- what is said ---- */

static void say_data(const struct visit *v, const struct look_block *block,
                     const struct look_verdict *verdict)
{
    struct hftl_finding finding = finding_at(v, block, verdict->what);
    unsigned long long lba = finding.lba = verdict->ident.lba;
    bool mapped = is_mapped(v, block, &verdict->ident);
    v->e->told += mapped;
    if (mapped)
        examine_say(v->e, HFTL_FINDING_ERROR, verdict->status, &finding,
                    "lba %llu cannot be read: its block %s", lba, verdict->wrong);
    else
        examine_say(v->e, HFTL_FINDING_ERROR, verdict->status, &finding,
                    "a block of lba %llu %s; it is an old version, nobody reads it", lba,
                    verdict->wrong);
}

static void say_page(const struct visit *v, const struct look_block *block,
                     const struct look_verdict *verdict)
{
    const struct geometry *g = &v->e->device->geometry;
    struct hftl_finding finding = finding_at(v, block, verdict->what);
    unsigned long long first = verdict->ident.lba * g->trim_lbas;
    bool newest = map_holds(v->e->device, verdict->ident.lba, true, pba_of(v, block->position));
    examine_say(v->e, HFTL_FINDING_ERROR, verdict->status, &finding,
                "the trim page of range %llu (lbas from %llu on) %s; %s",
                (unsigned long long)verdict->ident.lba, first, verdict->wrong,
                newest ? "blocks trimmed there may be back" : "it is an old one");
}

static void say_wrong(const struct visit *v, const struct look_block *block,
                      const struct look_verdict *verdict)
{
    struct hftl_finding finding = finding_at(v, block, verdict->what);
    if (verdict->named && (verdict->ident.kind == IDENT_DATA || verdict->ident.kind == IDENT_LOST))
        say_data(v, block, verdict);
    else if (verdict->named && verdict->ident.kind == IDENT_TRIM)
        say_page(v, block, verdict);
    else {
        v->e->told += !verdict->named;
        examine_say(v->e, HFTL_FINDING_ERROR, verdict->status, &finding, "%s%s%s%s",
                    verdict->named ? "the " : "", verdict->named ? verdict->what : "",
                    verdict->named ? " " : "", verdict->wrong);
    }
}

static void say_identity(const struct visit *v, const struct look_block *block,
                         const struct look_verdict *verdict)
{
    struct hftl_finding finding = finding_at(v, block, "identity");
    bool mapped = is_mapped(v, block, &verdict->ident);
    if (verdict->ident.kind == IDENT_DATA || verdict->ident.kind == IDENT_LOST)
        finding.lba = verdict->ident.lba;
    v->e->told += mapped;
    if (mapped)
        examine_say(v->e, HFTL_FINDING_ERROR, HFTL_MISMATCH, &finding,
                    "lba %llu cannot be read: the identity in OOB is not the tail's",
                    (unsigned long long)finding.lba);
    else
        examine_say(v->e, HFTL_FINDING_ERROR, HFTL_MISMATCH, &finding,
                    "the identity in OOB is not the tail's, which says: %s", verdict->what);
}

/* ---- a block ---- */

/* True: OOB says what the tail says. */
static bool oob_agrees(const struct visit *v, const struct look_block *block,
                       const struct look_verdict *verdict)
{
    const uint8_t *ident = v->e->look.idents + (size_t)block->position * FORMAT_IDENT_BYTES;
    return block->oob == NULL || verdict->source != LOOK_TAIL ||
           memcmp(block->oob, ident, FORMAT_IDENT_BYTES) == 0;
}

static void take_good(struct visit *v, const struct look_block *block,
                      const struct look_verdict *verdict)
{
    struct hftl_finding finding = finding_at(v, block, verdict->what);
    bool mapped = is_mapped(v, block, &verdict->ident);
    uint32_t position;
    if (verdict->ident.kind == IDENT_SUMMARY && verdict->source == LOOK_TAIL &&
        !look_summary_agrees(&v->e->look, block, &position))
        examine_say(v->e, HFTL_FINDING_ERROR, HFTL_MISMATCH, &finding,
                    "the summary and the tail say different things of position %u", position);
    if (!mapped)
        return;
    if (verdict->ident.kind == IDENT_DATA) {
        v->e->result->blocks_proven++;
        return;
    }
    v->e->result->blocks_lost++;
    finding.lba = verdict->ident.lba;
    examine_say(v->e, HFTL_FINDING_ERROR, HFTL_LOST, &finding,
                "lba %llu is lost: it could not be read when it had to move, and was not written "
                "since",
                (unsigned long long)finding.lba);
}

static bool is_zeros(const struct visit *v, const uint8_t *data)
{
    return data[0] == 0 && memcmp(data, data + 1, v->e->device->geometry.block_bytes - 1) == 0;
}

/* What recovery rejected; and pads where nobody needs their identity: those that a tail does not
 * fill, and those that a tail says nothing of (look.c). */
static bool may_be_nameless(const struct visit *v, const struct look_block *block,
                            const struct look_verdict *verdict)
{
    if (verdict->source == LOOK_REJECTED)
        return true;
    return verdict->source == LOOK_NOBODY && !v->open && block->oob == NULL &&
           block->read == HFTL_OK && is_zeros(v, block->data);
}

/*
 * Where there is no OOB a damaged summary takes the names of all it covered. They are told as one,
 * at the last position, where the summary is. Blocks come chunk by chunk: so it waits for the end.
 */
static bool belongs_to_gap(const struct visit *v, const struct look_verdict *verdict)
{
    return !v->e->device->geometry.oob && verdict->source == LOOK_NOBODY && v->open;
}

static void take_gap(struct visit *v)
{
    v->gap++;
    v->e->told++;
}

static struct look_verdict judge_twice(struct visit *v, struct look_block *block)
{
    struct look_verdict verdict = look_judge(&v->e->look, block);
    bool good = verdict.status == HFTL_OK && oob_agrees(v, block, &verdict);
    if (!good && verdict.named && look_again(&v->e->look, block))
        verdict = look_judge(&v->e->look, block);
    return verdict;
}

static void visit_block(void *arg, const struct look_block *shown)
{
    struct visit *v = arg;
    struct examine *e = v->e;
    struct look_block block = *shown;
    e->result->blocks_read++;
    e->done++;
    if (block.position >= v->end)
        return;
    struct look_verdict verdict = judge_twice(v, &block);
    bool nameless = !verdict.named && may_be_nameless(v, &block, &verdict);
    e->believed += verdict.named;
    if (nameless || (verdict.status == HFTL_OK && !v->alive))
        return;
    if (!v->alive)
        e->bad++;
    else if (!verdict.named && belongs_to_gap(v, &verdict))
        take_gap(v);
    else if (verdict.status != HFTL_OK)
        say_wrong(v, &block, &verdict);
    else if (!oob_agrees(v, &block, &verdict))
        say_identity(v, &block, &verdict);
    else
        take_good(v, &block, &verdict);
    if (e->options->progress != NULL && e->done % 64 == 0)
        e->options->progress(e->options->progress_arg, e->done, e->total);
}

/* ---- a band ---- */

static void take_bad_tail(void *arg, const struct look_block *block, enum hftl_status status)
{
    struct visit *v = arg;
    struct hftl_finding finding = finding_at(v, block, "tail");
    if (v->tail_wanted)
        examine_say(v->e, HFTL_FINDING_ERROR, status, &finding,
                    "a tail block of band %u does not decode: %s", v->band->index,
                    status == HFTL_TRUNCATED ? "it is not there" : hftl_status_text(status));
}

/* A run of nameless positions ends where the summary is that should have named them. */
static void say_gaps(struct visit *v)
{
    const struct look *look = &v->e->look;
    uint32_t first = 0;
    for (uint32_t at = 0; v->gap > 0 && at < v->end; at++) {
        struct hftl_media_op op = {.blocks = 0};
        if (look->sources[at] != LOOK_NOBODY) {
            first = at + 1;
            continue;
        }
        if (at + 1 < v->end && look->sources[at + 1] == LOOK_NOBODY)
            continue;
        band_locate(v->e->device, v->band, at, &op);
        struct look_block block = {.chunk = op.chunk, .offset = op.offset, .position = at};
        struct hftl_finding finding = finding_at(v, &block, "summary");
        examine_say(v->e, HFTL_FINDING_ERROR, HFTL_CORRUPT, &finding,
                    "no summary names positions %u to %u of band %u: what is there is not found",
                    first, at, v->band->index);
    }
}

static bool has_verdict(const struct examine *e, const struct band *band)
{
    struct verdict_walk walk = verdict_walk_start(&e->found.record, e->found.bytes);
    uint32_t accepted[FORMAT_COLUMNS_MAX];
    struct verdict verdict;
    while (verdict_next(&walk, &verdict, accepted))
        if (verdict.band == band->index)
            return true;
    return false;
}

/* The mark of a clean close, or NULL. */
static const struct band_mark *find_open_mark(const struct examine *e, const struct band *band)
{
    for (unsigned i = 0; e->device->was_clean && i < FORMAT_STREAMS; i++)
        if (e->found.record.open[i].band == band->index)
            return &e->found.record.open[i];
    return NULL;
}

static bool is_full(const struct visit *v)
{
    for (uint32_t i = 0; i < v->band->width; i++)
        if (v->e->look.chunks[v->band->chunks[i]].state != HFTL_CHUNK_FULL)
            return false;
    return true;
}

/*
 * After a clean close a band that is not open has a tail, or recovery's verdict. One that is full
 * and has nothing valid is meant too: perhaps it has not because its tail is damaged, and copies of
 * what it holds are preferred (V1).
 */
static bool wants_tail(const struct visit *v)
{
    if (v->open || v->band->state == BAND_CLOSED)
        return !v->open;
    return v->e->device->was_clean && !has_verdict(v->e, v->band) && (v->alive || is_full(v));
}

static void gather_names(struct visit *v)
{
    struct look *look = &v->e->look;
    look_begin(look, v->band);
    if (v->open) {
        look_take_own(look);
        return;
    }
    switch (v->band->state) {
    case BAND_SEALED:
        (void)look_take_tail(look, take_bad_tail, v);
        look_take_believed(look);
        break;
    case BAND_EMPTIED:
        look_take_own(look);
        (void)look_take_tail(look, take_bad_tail, v);
        break;
    default:
        (void)look_take_tail(look, take_bad_tail, v);
        break;
    }
}

static void sum_up(struct visit *v)
{
    struct examine *e = v->e;
    struct hftl_finding finding = examine_nowhere("band");
    finding.place.band = v->band->index;
    unsigned long long blocks = look_count(&e->look, v->band);
    if (v->band->state == BAND_SEALED && !v->open)
        examine_say(e, HFTL_FINDING_NOTE, HFTL_OK, &finding,
                    "a cut left band %u open; of %llu blocks written there %llu are believed",
                    v->band->index, blocks, (unsigned long long)e->believed);
    else if (e->bad > 0)
        examine_say(e, HFTL_FINDING_NOTE, HFTL_OK, &finding,
                    "band %u waits for its erase; of %llu blocks there %llu are damaged or have "
                    "no name, and nobody needs them",
                    v->band->index, blocks, (unsigned long long)e->bad);
}

static void examine_band(struct examine *e, const struct band *band)
{
    const struct band_mark *mark = find_open_mark(e, band);
    struct visit v = {.e = e, .band = band, .open = mark != NULL};
    v.end = v.open ? mark->position : band->width * e->device->geometry.chunk_blocks;
    v.alive = v.open || band->valid > 0;
    v.tail_wanted = wants_tail(&v);
    e->bad = e->believed = 0;
    e->result->bands_read++;
    gather_names(&v);
    look_walk(&e->look, visit_block, &v);
    say_gaps(&v);
    sum_up(&v);
}

static bool is_to_be_read(const struct band *band)
{
    return band->state != BAND_FREE && band->state != BAND_RETIRED && band->width > 0;
}

void examine_bands(struct examine *e)
{
    for (uint32_t i = 0; i < e->device->geometry.bands; i++)
        if (is_to_be_read(&e->device->bands[i]))
            e->total += look_count(&e->look, &e->device->bands[i]);
    for (uint32_t i = 0; i < e->device->geometry.bands; i++)
        if (is_to_be_read(&e->device->bands[i]))
            examine_band(e, &e->device->bands[i]);
}
