/* SPDX-License-Identifier: BSD-3-Clause */
/* Sealed bands: read ahead over all columns, and what is made of them is the same all the same. */
#include "test/lifecycle/outcome.h"

#include "base/bytes.h"
#include "core/band.h"
#include "lifecycle/ahead.h"
#include "lifecycle/opening.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS 6u
#define VERDICT_WORDS_MAX 4096u

/* What opening made of a device after a cut, and what it read for it. */
struct recovered {
    struct outcome outcome;
    uint32_t verdicts[VERDICT_WORDS_MAX]; /* band, columns, accepted lengths; of each */
    uint32_t verdict_words;
    uint8_t *idents; /* of sealed bands, one after the other */
    size_t ident_bytes;
    uint32_t *reads; /* of each block of the medium */
    uint32_t blocks;
};

/* A device that a cut took by surprise: versions over versions, trims, some of it flushed. */
static void make_cut(struct stand *stand, unsigned index, unsigned seed)
{
    struct stand_shape shape = *stand_shape(index);
    shape.facts.chunk_blocks *= 5; /* several batches a chunk */
    if (seed % 3 == 0)
        shape.facts.transfer_blocks_max = 24; /* and several operations a batch */
    stand_init(stand, &shape);
    stand->unchecked = true;
    prng_seed(&stand->prng, seed);
    stand_format(stand);
    stand_open(stand);
    uint64_t count = stand->expected_count;
    for (uint64_t n = 0; n < count / 2 + prng_below(&stand->prng, count); n++) {
        stand_write(stand, prng_below(&stand->prng, count), 1, 1 + n);
        if (n % 97 == 0)
            stand_trim(stand, prng_below(&stand->prng, count - 20), 20);
        if (n % 61 == 0)
            stand_flush(stand);
    }
    stand_flush(stand);
    for (uint64_t n = 0; n < 40; n++) {
        struct ask ask;
        uint8_t block[4096];
        uint64_t lba = prng_below(&stand->prng, count);
        stand_fill(stand, block, lba, 1, 90000 + n);
        stand_ask(stand, &ask, HFTL_WRITE, 0, lba, 1, block);
        (void)stand_wait(stand, &ask); /* which version there will be, the cut decides */
    }
    stand_crash(stand, true, seed);
}

/* Some blocks, anywhere, whose bits flipped. */
static void damage(struct stand *stand, unsigned seed)
{
    uint32_t chunks = hftl_media_chunks(&stand->guard->facts);
    struct prng prng;
    prng_seed(&prng, seed);
    for (uint32_t n = 0; n < 30; n++) {
        uint32_t chunk = (uint32_t)prng_below(&prng, chunks);
        uint32_t offset = (uint32_t)prng_below(&prng, stand->guard->facts.chunk_blocks);
        uint8_t *block = mem_block(stand->store, chunk, offset);
        if (block != NULL && memcmp(block, "HFTLSUPR", 4) != 0)
            block[prng_below(&prng, 512)] ^= 8;
    }
}

static void count_reads(const struct stand *stand, struct recovered *r)
{
    const struct tap *tap = stand->tap;
    uint32_t chunk_blocks = stand->guard->facts.chunk_blocks;
    r->blocks = hftl_media_chunks(&stand->guard->facts) * chunk_blocks;
    r->reads = calloc(r->blocks, sizeof(uint32_t));
    assert_non_null(r->reads);
    assert_true(tap->note_count < TAP_NOTES_MAX - 1);
    for (uint32_t i = 0; i < tap->note_count; i++) {
        const struct tap_note *note = &tap->notes[i];
        for (uint32_t k = 0; !note->landed && note->verb == HFTL_MEDIA_READ && k < note->blocks;
             k++)
            r->reads[note->chunk * chunk_blocks + note->offset + k]++;
    }
}

static void note_word(struct recovered *r, uint32_t word)
{
    assert_true(r->verdict_words < VERDICT_WORDS_MAX);
    r->verdicts[r->verdict_words++] = word;
}

static void note_bands(const struct stand *stand, struct recovered *r)
{
    const struct device *d = stand->device;
    for (uint32_t i = 0; i < d->super.verdict_count; i++) {
        const struct verdict *verdict = &d->super.verdicts[i];
        note_word(r, verdict->band);
        note_word(r, verdict->columns);
        for (uint32_t c = 0; c < verdict->columns; c++)
            note_word(r, verdict->accepted[c]);
    }
    for (uint32_t i = 0; i < d->geometry.bands; i++) {
        const struct band *band = &d->bands[i];
        size_t bytes = (size_t)band->width * d->geometry.chunk_blocks * FORMAT_IDENT_BYTES;
        if (band->state != BAND_SEALED)
            continue;
        r->idents = realloc(r->idents, r->ident_bytes + bytes);
        assert_non_null(r->idents);
        memcpy(r->idents + r->ident_bytes, band->idents, bytes);
        r->ident_bytes += bytes;
    }
}

/* `room` 0: without a queue. */
static void recover(struct recovered *r, unsigned index, unsigned seed, uint32_t room)
{
    static struct queue queue;
    struct stand stand;
    memset(r, 0, sizeof *r);
    make_cut(&stand, index, seed);
    if (seed % 2 == 0)
        damage(&stand, seed);
    if (room > 0)
        queue_put(&queue, &stand, room);
    tap_clear(stand.tap);
    stand_open(&stand);
    r->outcome = outcome_of(&stand);
    count_reads(&stand, r);
    note_bands(&stand, r);
    stand_close(&stand);
    if (room > 0)
        queue_take_away(&queue, &stand);
    assert_true(room == 0 || (queue.refusals > 0) == (room < QUEUE_MAX));
    stand_end(&stand);
}

static void forget(struct recovered *r)
{
    outcome_drop(&r->outcome);
    free(r->idents);
    free(r->reads);
}

static void assert_same(const struct recovered *a, const struct recovered *b)
{
    outcome_same(&a->outcome, &b->outcome);
    assert_int_equal(a->verdict_words, b->verdict_words);
    assert_memory_equal(a->verdicts, b->verdicts, a->verdict_words * sizeof(uint32_t));
    assert_int_equal(a->ident_bytes, b->ident_bytes);
    if (a->ident_bytes > 0)
        assert_memory_equal(a->idents, b->idents, a->ident_bytes);
    assert_int_equal(a->blocks, b->blocks);
    assert_memory_equal(a->reads, b->reads, a->blocks * sizeof(uint32_t));
}

/* A drive lands reads in any order, and has room for all or for few: it is the same device, and
 * each block was read as often. */
static void sealed_bands_are_the_same_in_whatever_order_blocks_land(void **state)
{
    (void)state;
    static struct recovered plainly, other;
    for (unsigned i = 0; i < stand_shapes(); i++)
        for (unsigned seed = 1; seed <= SEEDS; seed++) {
            recover(&plainly, i, seed, 0);
            assert_true(plainly.verdict_words > 0);
            recover(&other, i, seed, QUEUE_MAX);
            assert_same(&plainly, &other);
            forget(&other);
            recover(&other, i, seed, 3);
            assert_same(&plainly, &other);
            forget(&other);
            forget(&plainly);
        }
}

/* A band of all columns, half written, and flushed. A smaller one, beside superblocks, may be
 * closed before. */
static struct band make_open_band(struct stand *stand, unsigned index, uint32_t *chunks)
{
    struct stand_shape shape = *stand_shape(index);
    shape.facts.chunk_blocks *= 5;
    stand_init(stand, &shape);
    stand->unchecked = true;
    stand_format(stand);
    stand_open(stand);
    const struct geometry *g = &stand->device->geometry;
    const struct pen *pen;
    uint64_t lba = 0;
    do {
        assert_true(lba < stand->expected_count);
        stand_write(stand, lba++, 1, 1);
        pen = stand->device->streams[STREAM_USER].open;
    } while (pen->band == NULL || pen->band->width < g->columns ||
             pen->position < g->columns * g->chunk_blocks / 2);
    stand_flush(stand);
    memcpy(chunks, pen->band->chunks, pen->band->width * sizeof(uint32_t));
    assert_true(stand_bands_in(stand, BAND_CLOSED) <= 1);
    return *pen->band;
}

/* All of its columns wait for the drive at a time, and never more than there is room for. */
static void a_sealed_band_is_read_in_all_columns_at_a_time(void **state)
{
    (void)state;
    static struct queue queue;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        uint32_t chunks[FORMAT_COLUMNS_MAX];
        uint32_t width = make_open_band(&stand, i, chunks).width;
        stand_crash(&stand, true, i);
        queue_put(&queue, &stand, QUEUE_MAX);
        stand_open(&stand);
        assert_int_equal(queue.chunks_most, width);
        uint32_t pieces = div_round_up_u32(AHEAD_BLOCKS, stand.guard->facts.transfer_blocks_max);
        assert_true(queue.most > pieces * (width - 1) && queue.most > pieces);
        assert_true(queue.most <= pieces * AHEAD_BATCHES);
        stand_verify(&stand);
        stand_close(&stand);
        queue_take_away(&queue, &stand);
        stand_end(&stand);
    }
}

/* Reads of the chunk from its beginning on, each from where the one before ended; not of a head
 * alone. */
static uint32_t count_runs(const struct tap *tap, uint32_t chunk, uint32_t *end)
{
    uint32_t reads = 0;
    *end = 0;
    for (uint32_t k = 0; k < tap->note_count; k++) {
        const struct tap_note *note = &tap->notes[k];
        if (note->landed || note->verb != HFTL_MEDIA_READ || note->chunk != chunk ||
            note->offset != *end || note->blocks == 1)
            continue;
        *end += note->blocks;
        reads++;
    }
    return reads;
}

/* A run of a column is one operation where the drive takes as much: no more than one by one. */
static void a_sealed_band_takes_as_few_reads(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        uint32_t chunks[FORMAT_COLUMNS_MAX], runs = 0, reads = 0;
        uint32_t width = make_open_band(&stand, i, chunks).width;
        stand_crash(&stand, true, i);
        tap_clear(stand.tap);
        stand_open(&stand);
        assert_true(stand.guard->facts.transfer_blocks_max >= AHEAD_BLOCKS);
        for (uint32_t c = 0; c < width; c++) {
            uint32_t end;
            reads += count_runs(stand.tap, chunks[c], &end);
            assert_true(end > 2 * AHEAD_BLOCKS / 3);
            runs += div_round_up_u32(end, AHEAD_BLOCKS);
        }
        assert_true(reads <= runs);
        stand_end(&stand);
    }
}

/* Blocks of the chunk from `first` on that were read alone, each as often as it was. */
static uint32_t count_alone(const struct tap *tap, uint32_t chunk, uint32_t first)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < tap->note_count; k++) {
        const struct tap_note *note = &tap->notes[k];
        count += !note->landed && note->verb == HFTL_MEDIA_READ && note->chunk == chunk &&
                 note->blocks == 1 && note->offset >= first && note->offset - first < AHEAD_BLOCKS;
    }
    return count;
}

/* Opens after a cut. The blocks of the second run of the band's last column; *before: reads of that
 * chunk until then. */
static uint32_t open_band_again(struct stand *stand, uint32_t chunk, uint32_t *before)
{
    const struct tap *tap = stand->tap;
    *before = 0;
    stand_open(stand);
    for (uint32_t k = 0; k < tap->note_count; k++) {
        const struct tap_note *note = &tap->notes[k];
        if (note->landed || note->verb != HFTL_MEDIA_READ || note->chunk != chunk)
            continue;
        if (note->offset == AHEAD_BLOCKS && note->blocks > 1)
            return note->blocks;
        ++*before;
    }
    fail_msg("there is no second run");
    return 0;
}

/* The run fails after so many reads, and then `failures` - 1 times its first block. */
static uint32_t fail_a_run(unsigned index, uint32_t failures, uint32_t after)
{
    struct stand stand;
    uint32_t chunks[FORMAT_COLUMNS_MAX], before;
    uint32_t width = make_open_band(&stand, index, chunks).width;
    uint32_t chunk = chunks[width - 1];
    stand_crash(&stand, true, index);
    tap_clear(stand.tap);
    tap_fail(stand.tap, HFTL_MEDIA_READ, chunk, failures, HFTL_IO);
    stand.tap->fail_after = after;
    uint32_t run = open_band_again(&stand, chunk, &before);
    assert_int_equal(stand.tap->fail_count, 0);
    if (failures > 0)
        assert_int_equal(count_alone(stand.tap, chunk, AHEAD_BLOCKS), run + failures - 1);
    stand_verify(&stand);
    stand_end(&stand);
    return before;
}

/* One failure of a block alone costs nothing either, whatever it is. */
static void a_run_that_fails_is_read_block_by_block_and_twice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        uint32_t after = fail_a_run(i, 0, 0);
        assert_int_equal(fail_a_run(i, 1, after), after);
        assert_int_equal(fail_a_run(i, 2, after), after);
    }
}

static struct witness witness_of(uint32_t band, uint64_t generation, uint32_t position)
{
    struct witness witness = witness_none();
    witness.slots[0] = (struct band_mark){band, position, generation};
    return witness;
}

/* However many marks of lives that are over there are, and in whatever order they come. */
static void lives_that_are_over_leave_room_for_witnesses(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "three PUs");
    struct device *device = stand.device;
    uint32_t bands = device->geometry.bands, room = 2 * bands;
    struct band_mark *marks = calloc(room, sizeof(struct band_mark));
    assert_non_null(marks);
    struct opening o = {.device = device, .marks = marks, .mark_room = room};
    uint64_t before[64];
    assert_true(bands <= 64);
    for (uint32_t i = 0; i < bands; i++) {
        before[i] = device->bands[i].generation;
        device->bands[i].generation = 1000 + i;
    }
    for (uint32_t life = 0; life < 3; life++) /* more than there is room for */
        for (uint32_t i = 0; i < bands; i++) {
            struct witness witness = witness_of(i, 1 + life, 5);
            opening_note_witness(&o, &witness);
        }
    assert_int_equal(o.mark_count, room);
    opening_keep_lives(&o);
    for (uint32_t i = 0; i < 3 * bands; i++) {
        struct witness over = witness_of(i % bands, 1 + i / bands, 9);
        opening_note_witness(&o, &over);
    }
    for (uint32_t time = 0; time < 3; time++)
        for (uint32_t i = 0; i < bands; i++) {
            struct witness witness = witness_of(i, 1000 + i, time == 1 ? 7 : 3);
            opening_note_witness(&o, &witness);
        }
    for (uint32_t i = 0; i < bands; i++) {
        assert_int_equal(opening_witnessed(&o, &device->bands[i]), 7);
        device->bands[i].generation = before[i];
    }
    free(marks);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_bands_are_the_same_in_whatever_order_blocks_land),
        cmocka_unit_test(a_sealed_band_is_read_in_all_columns_at_a_time),
        cmocka_unit_test(a_sealed_band_takes_as_few_reads),
        cmocka_unit_test(a_run_that_fails_is_read_block_by_block_and_twice),
        cmocka_unit_test(lives_that_are_over_leave_room_for_witnesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
