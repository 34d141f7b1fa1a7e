/* SPDX-License-Identifier: BSD-3-Clause */
/* Tails: how often they are read, what is believed of them, and what is not. */
#include "test/core/stand.h"
#include "test/lifecycle/outcome.h"

#include "format/tail.h"
#include "lifecycle/ahead.h"

#include <string.h>

#define TAILS_MAX 4096u
#define SUMMARY_BAND_AT 40u /* FORMAT.md, 3 */

struct tail_at {
    struct tail_place place;
    uint32_t chunk, offset;
};

/* The tail blocks of all closed bands, and what it takes to write them anew. */
struct tails_of {
    struct format_context format;
    struct tail_at at[TAILS_MAX];
    uint32_t count;
    uint32_t chunks, chunk_blocks; /* of the medium */
};

static void find_tails(const struct stand *stand, struct tails_of *tails)
{
    const struct geometry *g = &stand->device->geometry;
    tails->format = stand->device->format;
    tails->count = 0;
    tails->chunks = hftl_media_chunks(&stand->guard->facts);
    tails->chunk_blocks = g->chunk_blocks;
    for (uint32_t i = 0; i < g->bands; i++) {
        const struct band *band = &stand->device->bands[i];
        struct tail_place place = {.band = i,
                                   .generation = band->generation,
                                   .band_blocks = band->width * g->chunk_blocks,
                                   .ws_min = g->ws_min};
        if (band->state != BAND_CLOSED)
            continue;
        uint32_t first = tail_first(&place, g->block_bytes);
        for (; first + place.index < place.band_blocks; place.index++) {
            struct hftl_media_op op;
            if (tail_idents(&place, g->block_bytes) == 0)
                break;
            band_locate(stand->device, band, first + place.index, &op);
            assert_true(tails->count < TAILS_MAX);
            tails->at[tails->count++] = (struct tail_at){place, op.chunk, op.offset};
        }
    }
}

/* Opens read-only, so that nothing moves, with so much memory for seqs. */
static struct outcome open_with(struct stand *stand, uint64_t memory_bytes)
{
    stand->options.read_only = true;
    stand->options.recovery_memory_bytes = memory_bytes;
    stand_open(stand);
    return outcome_of(stand);
}

/* A device of several windows of the least size. */
static void begin_large(struct stand *stand, unsigned index)
{
    struct stand_shape shape = *stand_shape(index);
    shape.facts.chunks_per_pu *= 9;
    stand_init(stand, &shape);
    stand->unchecked = true;
    stand_format(stand);
    stand_open(stand);
}

/* It is written all over, and closed cleanly. */
static void make_worn(struct stand *stand, unsigned index, struct tails_of *tails)
{
    begin_large(stand, index);
    stand_write_all(stand, 1);
    for (uint64_t n = 0; n < 1500; n++) {
        stand_write(stand, prng_below(&stand->prng, stand->expected_count), 1, 2 + n);
        if (n % 75 > 0)
            continue;
        stand_trim(stand, prng_below(&stand->prng, stand->expected_count - 20), 20);
        stand_flush(stand); /* a trim page, somewhere in the middle of a band */
    }
    find_tails(stand, tails);
    stand_close(stand);
}

/* Something else, of any kind, beyond any bound. */
static void make_up(struct stand *stand, uint8_t *bytes, uint64_t epoch)
{
    static const enum ident_kind kinds[] = {IDENT_DATA, IDENT_DATA, IDENT_LOST,   IDENT_PAD,
                                            IDENT_HEAD, IDENT_TAIL, IDENT_SUMMARY};
    struct ident ident = {.kind = kinds[prng_below(&stand->prng, 7)],
                          .crc = (uint32_t)prng_next(&stand->prng)};
    bool is_version = ident.kind == IDENT_DATA || ident.kind == IDENT_LOST;
    if (is_version)
        ident.lba = prng_below(&stand->prng, stand->expected_count);
    if (is_version && prng_chance(&stand->prng, 1, 3))
        ident.lba = prng_chance(&stand->prng, 1, 2) ? stand->expected_count
                                                    : prng_next(&stand->prng) & FORMAT_LBA_MAX;
    if (is_version && prng_chance(&stand->prng, 3, 4))
        ident.seq = prng_below(&stand->prng, ident.kind == IDENT_DATA ? epoch + 3 : epoch) << 32 |
                    prng_below(&stand->prng, 4000);
    ident_encode(&ident, bytes);
    if (prng_chance(&stand->prng, 1, 6)) /* no kind at all, or `map` */
        bytes[15] = (uint8_t)(bytes[15] % 16 | prng_below(&stand->prng, 16) << 4);
}

static void write_lies(struct stand *stand, const struct tails_of *tails, uint32_t index,
                       uint64_t epoch)
{
    const struct tail_at *at = &tails->at[index];
    uint8_t *block = mem_block(stand->store, at->chunk, at->offset);
    uint8_t idents[4096];
    struct tail tail;
    assert_int_equal(tail_decode(&tails->format, &at->place, block, &tail), HFTL_OK);
    memcpy(idents, tail.idents, (size_t)tail.count * FORMAT_IDENT_BYTES);
    tail.idents = idents;
    for (unsigned n = 0; n < 4; n++)
        make_up(stand, idents + prng_below(&stand->prng, tail.count) * FORMAT_IDENT_BYTES, epoch);
    tail_encode(&tails->format, &at->place, &tail, block);
}

/* Whole tails with identities in them that nobody wrote: the survey's way and the long way bound
 * and believe the same, down to the epoch and the checksum of each block. */
static void a_survey_takes_what_one_pass_takes(void **state)
{
    (void)state;
    static struct tails_of tails;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        make_worn(&stand, i, &tails);
        struct outcome before = open_with(&stand, 0);
        stand_close(&stand);
        for (uint32_t k = 0; k < tails.count; k++)
            write_lies(&stand, &tails, k, before.epoch);
        struct outcome whole = open_with(&stand, 0);
        stand_close(&stand);
        struct outcome surveyed = open_with(&stand, 1);
        outcome_same(&whole, &surveyed);
        assert_true(whole.epoch > before.epoch); /* some were of a life to come */
        outcome_drop(&before);
        outcome_drop(&whole);
        outcome_drop(&surveyed);
        stand_end(&stand);
    }
}

/* How often the block was read since the notes were cleared. */
static unsigned count_reads(const struct tap *tap, const struct tail_at *at)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < tap->note_count; i++) {
        const struct tap_note *note = &tap->notes[i];
        count += note->verb == HFTL_MEDIA_READ && !note->landed && note->chunk == at->chunk &&
                 at->offset - note->offset < note->blocks;
    }
    return count;
}

/* In the memory of all seqs, and in little memory where no lba has two versions. */
static void a_tail_is_read_once(void **state)
{
    (void)state;
    static struct tails_of tails;
    for (unsigned i = 0; i < 2 * stand_shapes(); i++) {
        struct stand stand;
        begin_large(&stand, i / 2);
        stand_write_all(&stand, 1);
        if (i % 2 == 0)
            for (uint64_t lba = 0; lba < 400; lba++)
                stand_write(&stand, lba, 1, 2);
        find_tails(&stand, &tails);
        stand_close(&stand);
        tap_clear(stand.tap);
        struct outcome o = open_with(&stand, i % 2 == 0 ? 0 : 1);
        assert_true(tails.count > 10);
        for (uint32_t k = 0; k < tails.count; k++)
            assert_int_equal(count_reads(stand.tap, &tails.at[k]), 1);
        stand_verify(&stand);
        outcome_drop(&o);
        stand_end(&stand);
    }
}

static void flip(const struct stand *stand, uint32_t chunk, uint32_t offset)
{
    mem_block(stand->store, chunk, offset)[70] ^= 4;
}

/* Returns how many the band has; each call flips the same bits. */
static uint32_t flip_summaries(const struct stand *stand, const struct tails_of *tails,
                               uint32_t band)
{
    uint32_t count = 0;
    for (uint32_t chunk = 0; chunk < tails->chunks; chunk++)
        for (uint32_t offset = 0; offset < tails->chunk_blocks; offset++) {
            const uint8_t *block = mem_block(stand->store, chunk, offset);
            if (block == NULL || memcmp(block, "HFTLSUMM", 8) != 0 ||
                get_u32(block + SUMMARY_BAND_AT) != band)
                continue;
            flip(stand, chunk, offset);
            count++;
        }
    return count;
}

/* What opening makes of the tail in little memory and in much, as it is. */
static void open_both(struct stand *stand, bool whole, struct outcome outcomes[2])
{
    for (uint64_t memory = 0; memory < 2; memory++) {
        outcomes[memory] = open_with(stand, memory);
        if (whole)
            stand_verify(stand);
        stand_close(stand);
    }
}

/* Damaged from block `from` of `tails` to `last`, the band's last. */
static void open_damaged(struct stand *stand, const struct tails_of *tails, uint32_t from,
                         uint32_t last, struct outcome outcomes[2])
{
    bool bare = flip_summaries(stand, tails, tails->at[last].place.band) > 0;
    for (uint32_t k = from; k <= last; k++)
        flip(stand, tails->at[k].chunk, tails->at[k].offset);
    open_both(stand, false, outcomes);
    if (bare)
        (void)flip_summaries(stand, tails, tails->at[last].place.band);
    struct outcome whole[2];
    open_both(stand, true, whole); /* with summaries all of it is told by its blocks */
    for (uint32_t k = from; k <= last; k++)
        flip(stand, tails->at[k].chunk, tails->at[k].offset);
    outcome_drop(&whole[0]);
    outcome_drop(&whole[1]);
}

/* The tail of each third band of the first few, damaged at its end, and all through. */
static void damage_tails(struct stand *stand, const struct tails_of *tails, uint32_t most)
{
    uint32_t tried = 0;
    for (uint32_t last = 1; last < tails->count && tried < most; last++) {
        uint32_t first = last - tails->at[last].place.index;
        bool is_last = last + 1 == tails->count || tails->at[last + 1].place.index == 0;
        struct outcome end[2], all[2];
        if (!is_last || last == first || tails->at[last].place.band % 3 != 0)
            continue;
        open_damaged(stand, tails, last, last, end);
        open_damaged(stand, tails, first, last, all);
        for (unsigned k = 0; k < 2; k++) {
            outcome_same(&all[k], &end[k]);
            outcome_drop(&all[k]);
            outcome_drop(&end[k]);
        }
        tried++;
    }
}

/* The same on each shape, of devices that are made so. */
static void damage_each(void (*make)(struct stand *stand, unsigned index, struct tails_of *tails),
                        uint32_t most)
{
    static struct tails_of tails;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        make(&stand, i, &tails);
        damage_tails(&stand, &tails, most);
        stand_end(&stand);
    }
}

/*
 * A tail of which only the last block is damaged is as good as one that is damaged all through:
 * nothing of it is believed, and nothing of it is left in the map that nobody else names.
 */
static void a_tail_whose_end_is_damaged_leaves_nothing_in_the_map(void **state)
{
    (void)state;
    damage_each(make_worn, 4);
}

/* Written once, so that neighbours in a tail are far from each other in the map, and each version
 * is the only one. */
static void make_scattered(struct stand *stand, unsigned index, struct tails_of *tails)
{
    begin_large(stand, index);
    uint64_t step = stand->expected_count % 401 == 0 ? 409 : 401;
    for (uint64_t n = 0; n < stand->expected_count; n++)
        stand_write(stand, n * step % stand->expected_count, 1, 1);
    find_tails(stand, tails);
    stand_close(stand);
}

/* As a drive gives it that lost the write of a tail, good but for the generation: what it names is
 * the life before's, and none of it is believed (T1). */
static void a_tail_of_another_life_is_worth_no_more_than_a_damaged_one(void **state)
{
    (void)state;
    static struct tails_of tails;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        make_scattered(&stand, i, &tails);
        for (uint32_t k = 0; k < tails.count && tails.at[k].place.band < 9; k++) {
            const struct tail_at *at = &tails.at[k];
            uint8_t *block = mem_block(stand.store, at->chunk, at->offset);
            struct tail_place before = at->place;
            struct tail tail;
            write_lies(&stand, &tails, k, 1);
            assert_int_equal(tail_decode(&tails.format, &at->place, block, &tail), HFTL_OK);
            before.generation--;
            tail_encode(&tails.format, &before, &tail, block);
        }
        struct outcome both[2];
        open_both(&stand, true, both);
        outcome_drop(&both[0]);
        outcome_drop(&both[1]);
        stand_end(&stand);
    }
}

/* The same of what waits in bins. */
static void a_tail_whose_end_is_damaged_leaves_nothing_in_bins(void **state)
{
    (void)state;
    damage_each(make_scattered, 4);
}

/* In no order, in order, and some of it once more: of one region of the map some waits in its
 * memory while other tails go past the bins. */
static void make_mixed(struct stand *stand, unsigned index)
{
    begin_large(stand, index);
    uint64_t count = stand->expected_count, step = count % 401 == 0 ? 409 : 401;
    for (uint64_t n = 0; n < count * 2; n++) {
        stand_write(stand, n * step % count, 1, 1 + n / count);
        if (n < count / 2 && n % 16 == 0)
            stand_write(stand, count / 2 + n / 32 * 16, 16, 3);
    }
    for (uint64_t lba = 0; lba + 16 <= count / 3; lba += 16)
        stand_write(stand, lba, 16, 4);
    for (uint64_t n = 0; n < count / 8; n++)
        stand_write(stand, prng_below(&stand->prng, count), 1, 5 + n);
}

static void bins_take_what_one_pass_takes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct outcome both[2];
        make_mixed(&stand, i);
        stand_flush(&stand);
        stand_crash(&stand, true, i);
        stand.options.recovery_memory_bytes = 1;
        stand_open(&stand);
        stand_verify(&stand);
        stand_close(&stand);
        open_both(&stand, true, both);
        outcome_same(&both[0], &both[1]);
        outcome_drop(&both[0]);
        outcome_drop(&both[1]);
        stand_end(&stand);
    }
}

/* A third of the device, one trim page at its beginning. The page names all of its range that was
 * not mapped, also what was never written, and what was written afterwards has one version only. */
static void make_trimmed(struct stand *stand, unsigned index, struct tails_of *tails)
{
    begin_large(stand, index);
    stand_write(stand, 0, 24, 1);
    stand_trim(stand, 8, 5);
    stand_flush(stand);
    for (uint64_t lba = 32; lba < stand->expected_count / 3; lba += 16)
        stand_write(stand, lba, 16, 2);
    find_tails(stand, tails);
    assert_true(tails->count > 0);
    stand_close(stand);
}

/* A lone trim page, in a band whose tail may be all that names it. */
static void a_damaged_tail_leaves_no_trim_page_in_the_map(void **state)
{
    (void)state;
    damage_each(make_trimmed, 2);
}

/* Its tail has to be read again, though nobody else names the lbas. */
static void what_is_written_after_a_trim_page_is_there(void **state)
{
    (void)state;
    static struct tails_of tails;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct outcome both[2];
        make_trimmed(&stand, i, &tails);
        open_both(&stand, true, both);
        outcome_same(&both[0], &both[1]);
        outcome_drop(&both[0]);
        outcome_drop(&both[1]);
        stand_end(&stand);
    }
}

/* Of a tail that is read once: a block of a life that no superblock tells of. */
static void the_epoch_of_what_a_tail_names_is_never_given_again(void **state)
{
    (void)state;
    static struct tails_of tails;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct outcome both[2];
        struct ident ident;
        struct tail tail;
        uint8_t idents[4096];
        make_trimmed(&stand, i, &tails);
        const struct tail_at *at = &tails.at[tails.count / 2];
        uint8_t *block = mem_block(stand.store, at->chunk, at->offset);
        assert_int_equal(tail_decode(&tails.format, &at->place, block, &tail), HFTL_OK);
        memcpy(idents, tail.idents, (size_t)tail.count * FORMAT_IDENT_BYTES);
        tail.idents = idents;
        uint8_t *bytes = idents;
        while (ident_decode(bytes, &ident) != HFTL_OK || ident.kind != IDENT_DATA)
            bytes += FORMAT_IDENT_BYTES;
        ident.seq += UINT64_C(77) << 32;
        ident_encode(&ident, bytes);
        tail_encode(&tails.format, &at->place, &tail, block);
        open_both(&stand, false, both);
        assert_true(both[0].epoch > 77);
        assert_int_equal(both[0].epoch, both[1].epoch);
        outcome_drop(&both[0]);
        outcome_drop(&both[1]);
        stand_end(&stand);
    }
}

/* Where few lbas have two versions, few tail blocks are read again. */
static void only_tail_blocks_that_name_contested_lbas_are_read_again(void **state)
{
    (void)state;
    static struct tails_of tails;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        unsigned again = 0;
        begin_large(&stand, i);
        stand_write_all(&stand, 1);
        for (uint64_t lba = 0; lba < 20; lba++)
            stand_write(&stand, lba, 1, 2);
        find_tails(&stand, &tails);
        stand_close(&stand);
        tap_clear(stand.tap);
        struct outcome o = open_with(&stand, 1);
        for (uint32_t k = 0; k < tails.count; k++) {
            unsigned reads = count_reads(stand.tap, &tails.at[k]);
            assert_true(reads == 1 || reads == 2);
            again += reads - 1;
        }
        assert_true(again >= 1 && again <= 6); /* of 20 neighbours, in two places */
        stand_verify(&stand);
        outcome_drop(&o);
        stand_end(&stand);
    }
}

/* ---- a drive that takes its time ---- */

/* As open_with, through the queue; closed again. */
static struct outcome open_through(struct stand *stand, struct queue *queue, uint32_t room,
                                   uint64_t memory_bytes, uint32_t *sealed)
{
    queue_put(queue, stand, room);
    struct outcome outcome = open_with(stand, memory_bytes);
    *sealed = stand->device->bands_sealed;
    stand_close(stand);
    queue_take_away(queue, stand);
    return outcome;
}

/* A drive lands reads in any order, and has room for all or for few: it is the same device. */
static void tails_are_the_same_in_whatever_order_they_land(void **state)
{
    (void)state;
    static struct tails_of tails;
    static struct queue queue;
    for (unsigned i = 0; i < 2 * stand_shapes(); i++) {
        struct stand stand;
        uint32_t sealed, plainly;
        if (i % 2 == 0)
            make_worn(&stand, i / 2, &tails);
        else
            make_scattered(&stand, i / 2, &tails);
        for (uint64_t memory = 0; memory < 2; memory++) {
            struct outcome before = open_with(&stand, memory);
            plainly = stand.device->bands_sealed;
            stand_close(&stand);
            struct outcome wide = open_through(&stand, &queue, QUEUE_MAX, memory, &sealed);
            outcome_same(&before, &wide);
            assert_int_equal(sealed, plainly);
            assert_true(queue.most >= 16); /* many at a time */
            assert_int_equal(queue.refusals, 0);
            struct outcome narrow = open_through(&stand, &queue, 3, memory, &sealed);
            outcome_same(&before, &narrow);
            assert_int_equal(sealed, plainly);
            assert_true(queue.refusals > 0); /* and asked again */
            outcome_drop(&before);
            outcome_drop(&wide);
            outcome_drop(&narrow);
        }
        stand_end(&stand);
    }
}

/* Heads too: of a clean device each band's is read once, several before the first is looked at. */
static void heads_are_read_once_and_many_at_a_time(void **state)
{
    (void)state;
    static struct tails_of tails;
    static struct queue queue;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        uint32_t closed = 0, sealed;
        make_scattered(&stand, i, &tails);
        for (uint32_t k = 0; k < tails.count; k++)
            closed += tails.at[k].place.index == 0;
        tap_clear(stand.tap);
        struct outcome o = open_through(&stand, &queue, QUEUE_MAX, 1, &sealed);
        uint32_t heads = 0, run = 0, longest = 0;
        for (uint32_t k = 0; k < stand.tap->note_count; k++) {
            const struct tap_note *note = &stand.tap->notes[k];
            bool is_head = note->verb == HFTL_MEDIA_READ && note->offset == 0;
            heads += is_head;
            run = is_head ? run + 1 : 0;
            longest = max_u32(longest, run);
        }
        assert_true(closed >= 8);
        assert_true(heads >= closed && heads < closed + closed / 2); /* superblocks beside them */
        assert_true(longest >= min_u32(closed, AHEAD_BLOCKS));
        outcome_drop(&o);
        stand_end(&stand);
    }
}

static void *spread_to[8];
static uint32_t spread_count;

static void note_spread(void *arg, void *memory, size_t bytes)
{
    (void)arg;
    assert_true(bytes > 0 && spread_count < 8);
    spread_to[spread_count++] = memory;
}

/* What users look at in no order, and nothing else. */
static void large_pages_are_asked_for_the_map_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        begin_large(&stand, i);
        stand_close(&stand);
        spread_count = 0;
        stand.world.spread = note_spread;
        stand_open(&stand);
        const struct map *map = &stand.device->map;
        const void *all[] = {map->pba.narrow, map->page_pba.narrow, map->crc};
        assert_int_equal(spread_count, map->crc == NULL ? 2 : 3);
        for (uint32_t k = 0; k < spread_count; k++) {
            bool found = false;
            for (uint32_t n = 0; n < spread_count; n++)
                found = found || spread_to[n] == all[k];
            assert_true(found);
        }
        stand_end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_survey_takes_what_one_pass_takes),
        cmocka_unit_test(a_tail_is_read_once),
        cmocka_unit_test(a_tail_whose_end_is_damaged_leaves_nothing_in_the_map),
        cmocka_unit_test(a_tail_whose_end_is_damaged_leaves_nothing_in_bins),
        cmocka_unit_test(bins_take_what_one_pass_takes),
        cmocka_unit_test(a_tail_of_another_life_is_worth_no_more_than_a_damaged_one),
        cmocka_unit_test(a_damaged_tail_leaves_no_trim_page_in_the_map),
        cmocka_unit_test(the_epoch_of_what_a_tail_names_is_never_given_again),
        cmocka_unit_test(what_is_written_after_a_trim_page_is_there),
        cmocka_unit_test(only_tail_blocks_that_name_contested_lbas_are_read_again),
        cmocka_unit_test(tails_are_the_same_in_whatever_order_they_land),
        cmocka_unit_test(heads_are_read_once_and_many_at_a_time),
        cmocka_unit_test(large_pages_are_asked_for_the_map_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
