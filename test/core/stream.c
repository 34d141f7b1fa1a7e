/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What streams put on the medium, read back with the decoders of the format: every position
 * of every band of every odd geometry; and the life of units.
 */
#include "test/core/stand.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "format/head.h"
#include "format/summary.h"
#include "format/tail.h"

#include <string.h>

static const uint8_t *bytes_at(const struct stand *stand, const struct band *band,
                               uint32_t position)
{
    struct hftl_media_op op;
    band_locate(stand->device, band, position, &op);
    return mem_block(stand->store, op.chunk, op.offset);
}

static const uint8_t *oob_at(const struct stand *stand, const struct band *band, uint32_t position)
{
    struct hftl_media_op op;
    band_locate(stand->device, band, position, &op);
    return mem_block_oob(stand->store, op.chunk, op.offset);
}

/* Identities of positions [0, end) as the medium has them; the test fails where one is missing. */
static uint8_t idents[4096][FORMAT_IDENT_BYTES];
static bool named[4096];

static void take_oob(const struct stand *stand, const struct band *band, uint32_t end)
{
    for (uint32_t position = 0; position < end; position++) {
        memcpy(idents[position], oob_at(stand, band, position), FORMAT_IDENT_BYTES);
        named[position] = true;
    }
}

/* Each summary covers exactly what is not covered by the one before it. */
static void take_summaries(const struct stand *stand, const struct band *band, uint32_t end)
{
    uint32_t since = 0;
    for (uint32_t position = 0; position < end; position++) {
        const uint8_t *block = bytes_at(stand, band, position);
        struct band_mark at = {band->index, position, band->generation};
        struct summary summary;
        if (memcmp(block, "HFTLSUMM", 8) != 0) {
            since++;
            assert_true(since < stand->device->geometry.summary_max); /* W5: then one is due */
            continue;
        }
        assert_int_equal(summary_decode(&stand->device->format, &at, block, &summary), HFTL_OK);
        assert_int_equal(summary.count, since);
        memcpy(idents[position - since], summary.idents, (size_t)since * FORMAT_IDENT_BYTES);
        for (uint32_t i = 0; i < since; i++)
            named[position - since + i] = true;
        since = 0;
    }
}

static void check_head(const struct stand *stand, const struct band *band, uint32_t position,
                       struct place place)
{
    struct head head;
    struct format_place where = {band->index, position};
    assert_int_equal(
        head_decode(&stand->device->format, &where, bytes_at(stand, band, position), &head),
        HFTL_OK);
    assert_int_equal(head.generation, band->generation);
    assert_int_equal(head.column, band->columns[place.column]);
    assert_int_equal(head_columns(&head), band->width);
    assert_int_equal(head.epoch, head.generation >> 32);
    assert_true(layout_equal(&head.layout, &stand->device->layout));
}

/* I1, I3, I4, heads where they belong and nowhere else, and the map agrees. */
static void check_position(const struct stand *stand, const struct band *band, uint32_t position)
{
    const struct device *device = stand->device;
    const uint8_t *block = bytes_at(stand, band, position);
    struct place place = geometry_place(&device->geometry, band->width, position);
    struct ident ident;
    assert_int_equal(ident_decode(idents[position], &ident), HFTL_OK);
    uint32_t crc = crc32c(0, block, device->geometry.block_bytes);
    assert_true(ident_verifies(&ident, crc, band_salt(device, band, position)));
    assert_int_equal(place.offset == 0, ident.kind == IDENT_HEAD);
    if (ident.kind == IDENT_HEAD)
        check_head(stand, band, position, place);
    if (ident.kind == IDENT_DATA)
        assert_int_equal(get_u64(block), ident.lba);
    if (ident.kind == IDENT_DATA && map_get(device, (hftl_lba){ident.lba}).n ==
                                        geometry_pba(&device->geometry, band->index, position).n)
        assert_true(stand_holds(stand, block, ident.lba, stand->expected[ident.lba]));
}

/*
 * What a clean close wrote for others to be readable (pads, a head or summary on the way) may
 * itself not be when the band is taken up again. Then the tail has no identity for it, and nobody
 * misses one. What is not named here is a summary (check_band).
 */
static void check_tail_ident(const uint8_t *in_tail, uint32_t position)
{
    static const uint8_t none[FORMAT_IDENT_BYTES];
    struct ident ident;
    bool missing = memcmp(in_tail, none, sizeof(none)) == 0;
    if (missing && named[position]) {
        assert_int_equal(ident_decode(idents[position], &ident), HFTL_OK);
        assert_true(ident.kind == IDENT_PAD || ident.kind == IDENT_HEAD ||
                    ident.kind == IDENT_SUMMARY);
    } else if (named[position]) {
        assert_memory_equal(in_tail, idents[position], FORMAT_IDENT_BYTES);
    } else if (!missing) {
        memcpy(idents[position], in_tail, FORMAT_IDENT_BYTES);
        named[position] = true;
    }
}

static void check_tail(const struct stand *stand, const struct band *band)
{
    const struct geometry *g = &stand->device->geometry;
    struct tail_place place = {.band = band->index,
                               .generation = band->generation,
                               .band_blocks = band->width * g->chunk_blocks,
                               .ws_min = g->ws_min};
    uint32_t first = geometry_tail(g, band->width), seen = 0;
    for (; first + place.index < place.band_blocks; place.index++) {
        const uint8_t *block = bytes_at(stand, band, first + place.index);
        struct tail tail;
        if (tail_idents(&place, g->block_bytes) == 0)
            break;
        assert_int_equal(tail_decode(&stand->device->format, &place, block, &tail), HFTL_OK);
        for (uint32_t i = 0; i < tail.count; i++, seen++)
            check_tail_ident(tail.idents + (size_t)i * FORMAT_IDENT_BYTES, seen);
    }
    assert_int_equal(seen, first);
}

/* The band up to `end`, of which all is on the medium. */
static void check_band(const struct stand *stand, const struct band *band, uint32_t end)
{
    memset(named, 0, sizeof(named));
    if (stand->device->geometry.oob)
        take_oob(stand, band, end);
    else
        take_summaries(stand, band, end);
    if (!stand->device->geometry.oob)
        for (uint32_t i = 0; i < end; i++) /* only summaries go without (O11) */
            if (!named[i] && memcmp(bytes_at(stand, band, i), "HFTLSUMM", 8) != 0)
                fail_msg("position %u of %u of band %u has no identity", i, end, band->index);
    if (band->state == BAND_CLOSED)
        check_tail(stand, band);
    for (uint32_t i = 0; i < end; i++)
        if (named[i])
            check_position(stand, band, i);
}

static void check_medium(const struct stand *stand)
{
    const struct geometry *g = &stand->device->geometry;
    for (uint32_t i = 0; i < g->bands; i++) {
        const struct band *band = &stand->device->bands[i];
        if (band->state == BAND_CLOSED)
            check_band(stand, band, geometry_tail(g, band->width));
    }
    const struct stream *user = &stand->device->streams[STREAM_USER];
    if (user->open->band != NULL && user->open->band->state == BAND_OPEN)
        check_band(stand, user->open->band, user->open->position);
}

static void everything_written_is_as_the_format_says_on_every_geometry(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        for (uint64_t version = 1; version <= 3; version++)
            stand_write_all(&stand, version);
        check_medium(&stand);
        for (uint64_t lba = 0; lba < 200; lba++) { /* flushes of one block, where all is padded */
            stand_write(&stand, lba * 5 % stand.expected_count, 1, 10 + lba);
            stand_flush(&stand);
            if (lba % 10 == 0)
                check_medium(&stand);
        }
        stand_check(&stand);
        check_medium(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void a_flush_pads_to_ws_min_and_no_further_than_its_summary_needs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        const struct geometry *g = &stand.device->geometry;
        const struct stream *user = &stand.device->streams[STREAM_USER];
        stand_write(&stand, 0, 1, 1);
        stand_flush(&stand);
        for (uint64_t n = 1; n < 30; n++) {
            uint32_t before = user->open->position;
            const struct band *band = user->open->band;
            stand_write(&stand, n, 1, 1);
            stand_flush(&stand);
            if (user->open->band != band || user->open->position >= user->open->tail)
                continue;
            assert_int_equal(user->open->position % g->ws_min, 0);
            /* The block, a head on the way, a summary; rounded up. */
            uint32_t most = round_up_u32(g->oob ? 2 : 3, g->ws_min) + (g->oob ? 0 : g->ws_min);
            assert_in_range(user->open->position - before, g->ws_min, most);
        }
        stand_end(&stand);
    }
}

static void a_flush_with_nothing_new_writes_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand_write(&stand, 0, 5, 1);
        stand_flush(&stand);
        tap_clear(stand.tap);
        for (unsigned n = 0; n < 5; n++)
            stand_flush(&stand);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_FLUSH), 5);
        stand_end(&stand);
    }
}

/* O15, R1, and with the guard below it R2. */
static void no_write_crosses_a_unit_or_breaks_ws_min(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        const struct geometry *g = &stand.device->geometry;
        stand.unchecked = true;
        tap_clear(stand.tap);
        stand_write_all(&stand, 1);
        for (uint64_t lba = 0; lba < 60; lba++)
            stand_write_fua(&stand, lba, 1 + lba % 3, 2 + lba);
        uint32_t writes = 0;
        for (uint32_t n = 0; n < stand.tap->note_count; n++) {
            const struct tap_note *note = &stand.tap->notes[n];
            if (note->verb != HFTL_MEDIA_WRITE)
                continue;
            writes++;
            assert_int_equal(note->offset % g->ws_min, 0);
            assert_int_equal(note->blocks % g->ws_min, 0);
            assert_int_equal(note->offset / g->ws_opt,
                             (note->offset + note->blocks - 1) / g->ws_opt);
        }
        assert_true(writes > 30);
        stand_end(&stand);
    }
}

static void keeps_one_write_in_flight_on_each_chunk_and_then_waits_for_units(void **state)
{
    (void)state;
    struct stand stand;
    uint8_t data[512 * 64];
    stand_init(&stand, stand_shape_named("two PUs"));
    stand.options.write_buffer_bytes = 1; /* the fewest units there may be */
    stand_format(&stand);
    stand_open(&stand);
    struct ask asks[8];
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    for (uint64_t i = 0; i < 8; i++) {
        stand_fill(&stand, data, 0, 64, 1);
        stand_ask(&stand, &asks[i], HFTL_WRITE, 0, 0, 64, data);
    }
    stand_settle(&stand);
    assert_int_equal(stand.tap->held_count, 2);
    assert_int_not_equal(stand.tap->held[0]->chunk, stand.tap->held[1]->chunk);
    const struct stream *user = &stand.device->streams[STREAM_USER];
    assert_int_equal(user->unit_count, 2 * stream_units_least(&stand.device->geometry));
    assert_true(list_is_empty(&user->pool));
    assert_false(asks[7].answered);
    assert_true(stand.device->stats.stalls > 0);
    tap_release(stand.tap);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(stand_wait(&stand, &asks[i]), HFTL_OK);
    stand_expect(&stand, 0, 64, 1);
    stand_end(&stand);
}

/* A unit is given back only when the medium can serve all of it (the guard stops early reads). */
static void every_block_can_be_read_at_every_moment(void **state)
{
    (void)state;
    static const char *const names[] = {"three PUs", "bare, window beyond a unit", "units of 24",
                                        "ragged chunks"};
    for (unsigned i = 0; i < 4; i++) {
        struct stand stand;
        stand_init(&stand, stand_shape_named(names[i]));
        stand.options.write_buffer_bytes = 1;
        stand.unchecked = true;
        stand_format(&stand);
        stand_open(&stand);
        for (uint64_t lba = 0; lba < 400; lba++) {
            stand_write(&stand, lba, 1, 1);
            for (uint64_t back = 0; back <= lba && back < 80; back++)
                stand_expect(&stand, lba - back, 1, 1);
            if (lba % 37 == 0)
                stand_flush(&stand);
        }
        stand_check(&stand);
        stand_end(&stand);
    }
}

/* W4 from the other side: what the medium can serve does not stay in memory. */
static void memory_is_given_back_when_the_medium_can_serve(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "three PUs");
    const struct geometry *g = &stand.device->geometry;
    const struct stream *user = &stand.device->streams[STREAM_USER];
    for (uint64_t lba = 0; lba + 16 < stand.expected_count; lba += 16)
        stand_write(&stand, lba, 16, 1);
    stand_settle(&stand);
    for (const struct list_link *at = list_first(&user->open->held); at != NULL;
         at = list_next(&user->open->held, at)) {
        const struct unit *unit = list_of(at, struct unit, link);
        uint32_t wp = user->open->column_wp[unit->column];
        assert_true(wp < g->chunk_blocks);
        assert_true(unit->offset + unit->blocks + g->mw_cunits > wp);
    }
    stand_end(&stand);
}

/* O1: between the last block of a band's data and its first tail block lies a flush. */
static void a_tail_is_written_only_behind_a_flush_that_covers_its_band(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        const struct device *device = stand.device;
        const struct band *band = NULL;
        stand.unchecked = true;
        tap_clear(stand.tap);
        stand_write(&stand, 0, 1, 1);
        band = device->streams[STREAM_USER].open->band;
        uint32_t tail = geometry_tail(&device->geometry, band->width);
        while (device->stats.bands_closed == 0)
            for (uint64_t lba = 0; lba < 8; lba++)
                stand_write(&stand, 8 * device->stats.bands_closed + lba, 1, 2);
        uint32_t flush = 0, data = 0, tails = 0;
        for (uint32_t n = 0; n < stand.tap->note_count; n++) {
            const struct tap_note *note = &stand.tap->notes[n];
            for (uint32_t b = 0; note->verb == HFTL_MEDIA_WRITE && b < note->blocks; b++)
                for (uint32_t c = 0; c < band->width; c++) {
                    struct place place = {c, note->offset + b};
                    if (band->chunks[c] != note->chunk)
                        continue;
                    if (geometry_position(&device->geometry, band->width, place) < tail) {
                        data = n;
                    } else {
                        assert_true(flush > data);
                        tails++;
                    }
                }
            if (note->verb == HFTL_MEDIA_FLUSH)
                flush = n;
        }
        assert_int_equal(tails, band->width * device->geometry.chunk_blocks - tail);
        stand_end(&stand);
    }
}

static void a_clean_reopen_goes_on_in_the_same_band(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        for (uint64_t n = 0; n < 25; n++) {
            const struct stream *user = &stand.device->streams[STREAM_USER];
            stand_write(&stand, n % 7, 1, n + 1);
            if (user->open->band == NULL) /* that was its last block */
                stand_write(&stand, n % 7, 1, n + 1);
            uint32_t band = user->open->band->index;
            uint64_t generation = user->open->band->generation;
            stand_reopen(&stand);
            user = &stand.device->streams[STREAM_USER];
            if (user->open->band != NULL) {
                bool last = user->open->position + 1 >= user->open->tail;
                assert_int_equal(user->open->band->index, band);
                assert_int_equal(user->open->band->generation, generation);
                stand_write(&stand, 8, 1, n + 1);
                assert_int_equal(stand.device->stats.bands_opened, last);
            }
            stand_verify(&stand);
        }
        stand_write_all(&stand, 99); /* through the end of the band that was resumed */
        check_medium(&stand);
        stand_reopen(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* An emptied band whose last block a user overwrote, which is not durable yet. */
static struct band *empty_one(struct stand *stand)
{
    struct device *device = stand->device;
    uint32_t position;
    stand_write_all(stand, 1);
    struct band *band = stand_band_of(stand, 0, &position);
    assert_int_equal(band->state, BAND_CLOSED);
    for (uint64_t lba = 0; band->state != BAND_EMPTIED; lba++)
        if (stand_band_of(stand, lba, &position) == band)
            (void)map_clear(device, (hftl_lba){lba});
    assert_int_equal(band->shelf, SHELF_READY);
    band_index_remove(device, band);
    band->user_mark = device->user_durable + 1;
    band_index_put(device, band);
    assert_int_equal(band->shelf, SHELF_USER_VOLATILE);
    return band;
}

/* How low relocation may go, with trim pages due that have no room in the users' band, and with
 * emptied bands that a cut takes back. */
static void relocation_leaves_what_a_cut_could_take_back(void **state)
{
    (void)state;
    static const struct {
        uint32_t free;
        bool pages, may_come_back, may_open;
    } rows[] = {{3, true, true, true},   {2, false, false, true}, {2, false, true, true},
                {2, true, false, true},  {2, true, true, false},  {1, false, false, true},
                {1, false, true, false}, {1, true, false, false}, {1, true, true, false},
                {0, false, false, false}};
    struct stand stand;
    stand_begin(&stand, "two PUs");
    struct device *device = stand.device;
    struct band *band = empty_one(&stand);
    uint32_t position = device->streams[STREAM_USER].open->position, free = device->bands_free;
    device->streams[STREAM_USER].open->position = device->streams[STREAM_USER].open->tail;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        band_index_remove(device, band);
        band->user_mark = device->user_durable + rows[i].may_come_back;
        band_index_put(device, band);
        device->bands_free = rows[i].free;
        device->map.dirty_count = rows[i].pages;
        assert_int_equal(stream_relocation_may_open(device), rows[i].may_open);
    }
    device->streams[STREAM_USER].open->position = position;
    device->bands_free = free;
    device->map.dirty_count = 0;
    stand_crash(&stand, false, 1);
    stand_end(&stand);
}

static void users_are_refused_the_last_bands_and_relocation_the_very_last(void **state)
{
    (void)state;
    struct stand stand;
    struct slot slot;
    stand_begin(&stand, "one PU");
    struct device *device = stand.device;
    struct stream *user = &device->streams[STREAM_USER];
    uint32_t all = device->bands_free;
    device->bands_free = BANDS_RESERVE;
    assert_false(stream_take(user, FOR_USER, 1, &slot));
    device->bands_free = 1;
    device->map.dirty_count = 1; /* a page is due and the user stream has no band for it */
    assert_false(stream_take(&device->streams[STREAM_RELOCATION], FOR_RELOCATION, 1, &slot));
    device->map.dirty_count = 0;
    device->bands_free = 0;
    assert_false(stream_take(user, FOR_ENGINE, 1, &slot));
    device->bands_free = all;
    device->bands_sealed = SEALED_MAX + 1;
    assert_false(stream_take(user, FOR_USER, 1, &slot));
    device->bands_sealed = 0;
    assert_null(user->open->band);
    assert_true(stream_take(user, FOR_USER, 1, &slot));
    assert_non_null(user->open->band);
    device->read_only = true;
    assert_false(stream_take(user, FOR_ENGINE, 1, &slot));
    device->read_only = false;
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_written_is_as_the_format_says_on_every_geometry),
        cmocka_unit_test(a_flush_pads_to_ws_min_and_no_further_than_its_summary_needs),
        cmocka_unit_test(a_flush_with_nothing_new_writes_nothing),
        cmocka_unit_test(no_write_crosses_a_unit_or_breaks_ws_min),
        cmocka_unit_test(keeps_one_write_in_flight_on_each_chunk_and_then_waits_for_units),
        cmocka_unit_test(every_block_can_be_read_at_every_moment),
        cmocka_unit_test(memory_is_given_back_when_the_medium_can_serve),
        cmocka_unit_test(a_tail_is_written_only_behind_a_flush_that_covers_its_band),
        cmocka_unit_test(a_clean_reopen_goes_on_in_the_same_band),
        cmocka_unit_test(relocation_leaves_what_a_cut_could_take_back),
        cmocka_unit_test(users_are_refused_the_last_bands_and_relocation_the_very_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
