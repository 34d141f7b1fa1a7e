/* SPDX-License-Identifier: BSD-3-Clause */
/* Positions, places, units, write pointers and the tail: every position of odd geometries. */
#include "test/unit.h"

#include "core/geometry.h"
#include "format/tail.h"

#include <stdlib.h>
#include <string.h>

struct shape {
    const char *name;
    uint32_t chunk_blocks, ws_min, ws_opt, columns, block_bytes, oob_bytes;
    uint32_t interleave;
};

static const struct shape shapes[] = {
    {"one PU", 64, 4, 8, 1, 512, 16, 1},
    {"one PU, single blocks", 33, 1, 1, 1, 512, 0, 1},
    {"three PUs", 48, 2, 4, 3, 512, 16, 1},
    {"units of seven", 35, 7, 7, 3, 512, 0, 1},
    {"units of seven on one PU", 98, 7, 14, 1, 4096, 0, 1},
    {"a rest of one ws_min", 100, 4, 16, 3, 512, 16, 1},
    {"a rest of one block", 65, 1, 8, 5, 512, 0, 1},
    {"a rest of all but one", 71, 1, 9, 4, 4096, 64, 1},
    {"units of 24", 240, 24, 24, 4, 4096, 16, 1},
    {"units of 24, rest of twelve", 252, 12, 24, 2, 4096, 0, 1},
    {"256 columns", 16, 1, 4, 256, 4096, 0, 1},
    {"units of seven in seven slices", 35, 1, 7, 3, 512, 0, 7},
    {"one PU in four slices", 68, 2, 8, 1, 512, 16, 4},
    {"two slices, a rest of one slice and half", 114, 3, 12, 4, 512, 16, 2},
    {"three slices, a rest below one", 50, 2, 12, 2, 512, 0, 3},
    {"slices of one block and a rest", 71, 1, 9, 4, 4096, 64, 9},
    {"units of 24 in six", 252, 4, 24, 2, 4096, 0, 6},
    {"256 columns in slices", 18, 1, 4, 256, 4096, 0, 2},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static struct geometry make(const struct shape *shape)
{
    struct layout layout = {.media_kind = HFTL_KIND_OCSSD,
                            .block_bytes = shape->block_bytes,
                            .oob_bytes = shape->oob_bytes,
                            .chunk_blocks = shape->chunk_blocks,
                            .ws_min = shape->ws_min,
                            .ws_opt = shape->ws_opt,
                            .interleave = shape->interleave,
                            .columns = shape->columns,
                            .bands = 10,
                            .band_stride = shape->columns * shape->chunk_blocks,
                            .exported_blocks = 1000};
    layout.ident_place = shape->oob_bytes != 0 ? IDENT_IN_OOB : IDENT_IN_SUMMARY;
    layout.summary_idents = shape->oob_bytes != 0 ? 0 : summary_idents_max(shape->block_bytes);
    struct geometry g;
    geometry_init(&g, &layout);
    return g;
}

/* The whole and every narrower band, as chunks die. */
static void each_width(void (*check)(const struct geometry *g, uint32_t width, const char *name))
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct geometry g = make(&shapes[i]);
        for (uint32_t width = 1; width <= g.columns; width += width < 8 ? 1 : 61)
            check(&g, width, shapes[i].name);
        check(&g, g.columns, shapes[i].name);
    }
}

static void check_bijection(const struct geometry *g, uint32_t width, const char *name)
{
    uint32_t blocks = width * g->chunk_blocks;
    bool *seen = calloc(blocks, sizeof(bool));
    for (uint32_t position = 0; position < blocks; position++) {
        struct place place = geometry_place(g, width, position);
        if (place.column >= width || place.offset >= g->chunk_blocks ||
            geometry_position(g, width, place) != position ||
            place.offset % g->ws_min != position % g->ws_min)
            fail_msg("%s, width %u: position %u is {%u, %u}, which is %u", name, width, position,
                     place.column, place.offset, geometry_position(g, width, place));
        uint32_t at = place.column * g->chunk_blocks + place.offset;
        assert_false(seen[at]);
        seen[at] = true;
    }
    free(seen);
}

static void every_position_has_one_place_and_comes_back_from_it(void **state)
{
    (void)state;
    each_width(check_bijection);
}

/* FORMAT.md, 1, word for word. */
static void check_formula(const struct geometry *g, uint32_t width, const char *name)
{
    uint32_t c = g->chunk_blocks, full = c / g->slice * g->slice * width, rest = c % g->slice;
    for (uint32_t p = 0; p < width * c; p++) {
        uint32_t column, offset;
        if (p < full) {
            uint32_t round = p / (g->slice * width), r = p % (g->slice * width);
            column = r / g->slice;
            offset = round * g->slice + r % g->slice;
        } else {
            uint32_t q = p - full;
            column = q / rest;
            offset = c - rest + q % rest;
        }
        struct place place = geometry_place(g, width, p);
        if (place.column != column || place.offset != offset)
            fail_msg("%s, width %u, position %u: {%u, %u}, not {%u, %u}", name, width, p,
                     place.column, place.offset, column, offset);
    }
}

static void places_are_those_of_the_format(void **state)
{
    (void)state;
    each_width(check_formula);
}

static void check_units(const struct geometry *g, uint32_t width, const char *name)
{
    uint32_t units = geometry_units(g, width), blocks_of_all = 0;
    for (uint32_t unit = 0; unit < units; unit++) {
        uint32_t blocks = geometry_unit_blocks(g, width, unit), before = 0;
        struct place place = geometry_unit_place(g, width, unit);
        assert_in_range(blocks, 1, g->ws_opt);
        assert_int_equal(blocks % g->ws_min, 0);
        assert_int_equal(place.offset % g->ws_opt, 0); /* O15 */
        for (uint32_t i = 0; i < blocks; i++) {
            struct place at = {place.column, place.offset + i};
            uint32_t position = geometry_position(g, width, at);
            assert_int_equal(geometry_unit(g, width, position), unit);
            assert_true(i == 0 || position > before); /* it fills from front to back */
            before = position;
        }
        if (unit + width < units) { /* neighbours on one chunk */
            struct place below = geometry_unit_place(g, width, unit + width);
            if (below.column != place.column || below.offset != place.offset + blocks)
                fail_msg("%s: unit %u is not followed by unit %u", name, unit, unit + width);
        }
        blocks_of_all += blocks;
    }
    assert_int_equal(blocks_of_all, width * g->chunk_blocks);
}

static void units_cover_the_band_and_never_leave_their_chunk(void **state)
{
    (void)state;
    each_width(check_units);
}

static bool are_neighbours(const struct geometry *g, uint32_t width, uint32_t position)
{
    struct place at = geometry_place(g, width, position);
    if (position + 1 == width * g->chunk_blocks)
        return false;
    struct place next = geometry_place(g, width, position + 1);
    return next.column == at.column && next.offset == at.offset + 1;
}

static void check_slices(const struct geometry *g, uint32_t width, const char *name)
{
    for (uint32_t position = 0; position < width * g->chunk_blocks; position++) {
        uint32_t end = geometry_slice_end(g, width, position), run = 1;
        if (end <= position || end - position > g->slice || end % g->ws_min != 0)
            fail_msg("%s: position %u is in a slice that ends at %u", name, position, end);
        while (are_neighbours(g, width, position + run - 1))
            run++;
        assert_int_equal(geometry_side_by_side(g, width, position), run);
        for (uint32_t at = position; at < end; at++)
            assert_int_equal(geometry_unit(g, width, at), geometry_unit(g, width, position));
    }
}

static void slices_lie_in_one_unit_and_side_by_side(void **state)
{
    (void)state;
    each_width(check_slices);
}

static void check_write_pointers(const struct geometry *g, uint32_t width, const char *name)
{
    uint32_t *wp = calloc(width, sizeof(uint32_t)), *right = calloc(width, sizeof(uint32_t));
    for (uint32_t position = 0; position <= width * g->chunk_blocks; position++) {
        memset(wp, 0xff, width * sizeof(uint32_t));
        geometry_write_pointers(g, width, position, wp);
        if (memcmp(wp, right, width * sizeof(uint32_t)) != 0)
            fail_msg("%s, width %u: wrong write pointers at position %u", name, width, position);
        if (position < width * g->chunk_blocks)
            right[geometry_place(g, width, position).column]++;
    }
    free(wp);
    free(right);
}

static void write_pointers_count_the_positions_below(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct geometry g = make(&shapes[i]);
        if (g.columns < 100)
            check_write_pointers(&g, g.columns, shapes[i].name);
    }
}

static void check_tail(const struct geometry *g, uint32_t width, const char *name)
{
    uint32_t blocks = width * g->chunk_blocks, tail = geometry_tail(g, width);
    uint32_t room = blocks - tail;
    (void)name;
    assert_int_equal(room % g->ws_min, 0);
    assert_true((uint64_t)room * tail_idents_max(g->block_bytes) >= tail);
    if (room > g->ws_min) { /* the smallest that does */
        uint32_t less = room - g->ws_min;
        assert_true((uint64_t)less * tail_idents_max(g->block_bytes) < blocks - less);
    }
}

static void the_tail_is_the_smallest_that_names_the_rest(void **state)
{
    (void)state;
    each_width(check_tail);
}

/* Walks a band as a writer does that is never flushed. */
static uint32_t count_data(const struct geometry *g, uint32_t width)
{
    uint32_t tail = geometry_tail(g, width), since = 0, data = 0;
    for (uint32_t position = 0; position < tail; position++) {
        bool head = geometry_place(g, width, position).offset == 0;
        bool summary = !head && !g->oob && (since + 1 >= g->summary_max || position + 1 == tail);
        data += !head && !summary;
        since = summary ? 0 : since + 1;
    }
    return data;
}

static void check_data_blocks(const struct geometry *g, uint32_t width, const char *name)
{
    uint32_t promised = geometry_data_blocks(g, width), real = count_data(g, width);
    uint32_t spare = g->oob ? 0 : width + real / 8 + 2;
    if (promised > real || real - promised > spare)
        fail_msg("%s, width %u: %u data blocks promised, %u there", name, width, promised, real);
}

static void data_blocks_promise_no_more_than_there_are(void **state)
{
    (void)state;
    each_width(check_data_blocks);
}

static void bands_do_not_share_a_pba(void **state)
{
    (void)state;
    struct geometry g = make(&shapes[2]);
    assert_int_equal(geometry_pba(&g, 0, 143).n, 143);
    assert_int_equal(geometry_pba(&g, 1, 0).n, 144);
    assert_int_equal(geometry_pba(&g, 9, 143).n, 1439);
}

static void a_narrow_band_of_one_chunk_may_have_no_room_for_data(void **state)
{
    (void)state;
    struct shape tiny = {"tiny", 2, 1, 1, 1, 512, 0, 1};
    struct geometry g = make(&tiny);
    assert_int_equal(geometry_data_blocks(&g, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_position_has_one_place_and_comes_back_from_it),
        cmocka_unit_test(places_are_those_of_the_format),
        cmocka_unit_test(units_cover_the_band_and_never_leave_their_chunk),
        cmocka_unit_test(slices_lie_in_one_unit_and_side_by_side),
        cmocka_unit_test(write_pointers_count_the_positions_below),
        cmocka_unit_test(the_tail_is_the_smallest_that_names_the_rest),
        cmocka_unit_test(data_blocks_promise_no_more_than_there_are),
        cmocka_unit_test(bands_do_not_share_a_pba),
        cmocka_unit_test(a_narrow_band_of_one_chunk_may_have_no_room_for_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
