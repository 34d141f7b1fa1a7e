/* SPDX-License-Identifier: BSD-3-Clause */
/* Several victims at once: who reads while who appends, who may go on when bands run short. */
#include "test/core/stand.h"

#include "base/bytes.h"

#include <string.h>

/* Enough bands that several victims are worth it, and a start limit that lets helpers begin. */
static const struct stand_shape many_bands = {
    "sixty bands",
    {.size = sizeof(struct hftl_media_facts),
     .kind = HFTL_KIND_OCSSD,
     .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN,
     .block_bytes = 512,
     .oob_bytes = 16,
     .groups = 1,
     .pus_per_group = 2,
     .chunks_per_pu = 60,
     .chunk_blocks = 48,
     .ws_min = 2,
     .ws_opt = 4,
     .mw_cunits = 8,
     .transfer_blocks_max = 64,
     .volatile_cache = true},
    0,
    1};

static struct hftl_limits only_start_at(uint32_t bands_free)
{
    struct hftl_limits limits = {.size = sizeof(limits)};
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        limits.level[i] = (struct hftl_limit){0, 100};
    limits.level[HFTL_LIMIT_START].bands_free = bands_free;
    return limits;
}

static void begin_with(struct stand *stand, uint32_t movers, uint32_t blocks)
{
    stand_init(stand, &many_bands);
    stand->options.relocation_victims = movers;
    stand->options.relocation_blocks = blocks;
    stand_format(stand);
    stand_open(stand);
    stand->unchecked = true;
    for (uint64_t lba = 0; lba < stand->expected_count / 2; lba += 4)
        stand_write(stand, lba, 4, 1);
}

static void begin(struct stand *stand, uint32_t movers)
{
    begin_with(stand, movers, 0);
}

static uint32_t movers_at_work(const struct stand *stand)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stand->device->relocation.depth; i++)
        count += stand->device->relocation.movers[i].victim != NULL;
    return count;
}

static void start_at(struct stand *stand, uint32_t bands_free)
{
    struct hftl_limits limits = only_start_at(bands_free);
    assert_int_equal(device_set_limits(stand->device, &limits, &stand->why), HFTL_OK);
}

/* Overwrites half of the device here and there, and then has cleaning begin, with reads of the
 * medium kept back: so many movers wait for the tails of their victims. */
static void catch_movers(struct stand *stand, uint32_t movers)
{
    uint64_t half = stand->expected_count / 2;
    for (uint64_t i = 0; i < half / 2; i++)
        stand_write(stand, prng_below(&stand->prng, half), 1, 2);
    stand_settle(stand);
    assert_true(stand->device->bands_free > 10);
    tap_hold(stand->tap, HFTL_MEDIA_READ);
    start_at(stand, 50);
    stand_settle(stand);
    assert_int_equal(movers_at_work(stand), movers);
}

static bool is_of(const struct mover *mover, const struct hftl_media_op *op)
{
    const uint8_t *data = op->data;
    const struct device *device = mover->errand.device;
    size_t bytes = (size_t)device->relocation.room * device->geometry.block_bytes;
    for (unsigned i = 0; i < 2; i++)
        if (data >= mover->batches[i].data && data < mover->batches[i].data + bytes)
            return true;
    return data == mover->tail_block || data == mover->next_tail;
}

/* Lets go what this mover reads, and nothing else. */
static void release_reads_of(struct stand *stand, const struct mover *mover)
{
    struct tap *tap = stand->tap;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tap->held_count; i++) {
        if (is_of(mover, tap->held[i]))
            tap->inner->ops->submit(tap->inner, &tap->held[i], 1);
        else
            tap->held[kept++] = tap->held[i];
    }
    tap->held_count = kept;
}

static void while_one_reads_another_appends(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, 2);
    catch_movers(&stand, 2);
    stand.unchecked = false;
    const struct relocation *r = &stand.device->relocation;
    for (unsigned who = 0; who < 2; who++) { /* the eldest or the other: both may be slow */
        const struct mover *slow = &r->movers[who], *quick = &r->movers[1 - who];
        const struct band *victim = slow->victim;
        uint64_t before = stand.device->stats.written[HFTL_IO_RELOCATION].blocks;
        assert_true(slow->errand.in_flight > 0);
        for (unsigned i = 0; i < 3; i++) {
            release_reads_of(&stand, quick);
            stand_settle(&stand);
        }
        assert_true(stand.device->stats.written[HFTL_IO_RELOCATION].blocks > before);
        assert_true(slow->errand.in_flight > 0);
        assert_ptr_equal(slow->victim, victim);
    }
    tap_release(stand.tap);
    stand_settle(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void each_has_a_victim_of_its_own_and_the_eldest_leads(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, 4);
    catch_movers(&stand, 4);
    const struct relocation *r = &stand.device->relocation;
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < i; j++)
            assert_ptr_not_equal(r->movers[i].victim, r->movers[j].victim); /* L7 */
    stand_check(&stand);
    const struct mover *lead = relocation_lead(stand.device);
    uint64_t next = UINT64_MAX, taken = lead->taken;
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(r->movers[i].taken >= taken);
        if (&r->movers[i] != lead && r->movers[i].taken < next)
            next = r->movers[i].taken;
    }
    for (unsigned i = 0; lead->taken == taken && i < 50; i++) {
        release_reads_of(&stand, lead);
        stand_settle(&stand);
    }
    assert_int_equal(relocation_lead(stand.device)->taken, next);
    struct mover *other = &stand.device->relocation.movers[0];
    struct band *own = other->victim;
    other->victim = r->movers[1].victim; /* the check can fail */
    assert_int_equal(device_check(stand.device, &stand.why), HFTL_CORRUPT);
    assert_non_null(strstr(stand.why.text, "L7"));
    other->victim = own;
    tap_release(stand.tap);
    stand_settle(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* L8: what a helper holds when bands run short stays where it is. */
static void helpers_let_go_when_bands_run_short(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, 3);
    catch_movers(&stand, 3);
    struct device *device = stand.device;
    const struct mover *lead = relocation_lead(device);
    const struct band *victim = lead->victim;
    /* Nothing is cleaned meanwhile, for reads are kept back. */
    for (uint64_t left = 3 * stand.expected_count; device->bands_free > BANDS_RESERVE; left--) {
        assert_true(left > 0);
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 3);
    }
    assert_int_equal(movers_at_work(&stand), 3);
    for (uint32_t i = 0; i < 3; i++)
        if (&device->relocation.movers[i] != lead)
            release_reads_of(&stand, &device->relocation.movers[i]);
    stand.unchecked = false;
    stand_settle(&stand);
    assert_int_equal(device->stats.victims_let_go, 2);
    assert_int_equal(movers_at_work(&stand), 1);
    assert_ptr_equal(lead->victim, victim);
    stand.unchecked = true;
    tap_release(stand.tap);
    stand_settle(&stand);
    stand_write_all(&stand, 4);
    stand_verify(&stand);
    stand_end(&stand);
}

static uint64_t memory_with(uint32_t movers, uint32_t blocks)
{
    struct stand stand;
    stand_init(&stand, &many_bands);
    stand.options.relocation_victims = movers;
    stand.options.relocation_blocks = blocks;
    stand_format(&stand);
    stand_open(&stand);
    assert_int_equal(stand.device->relocation.depth, movers);
    assert_int_equal(stand.device->relocation.batch, blocks);
    uint64_t bytes = stand.device->memory_bytes;
    stand_end(&stand);
    return bytes;
}

/* DESIGN.md, Memory: two blocks for each mover, and for each block of its two batches that and its
 * OOB. */
static void depth_and_batch_are_chosen_and_paid_for(void **state)
{
    (void)state;
    uint64_t one = memory_with(1, 64), two = memory_with(2, 64), four = memory_with(4, 64);
    assert_int_equal(four - two, 2 * (two - one));
    uint64_t each = 2 * (sizeof(struct moving) + sizeof(struct errand_op) + 512 + 16);
    uint64_t mover = two - one;
    assert_true(mover >= 64 * each + 2 * 512 && mover < 64 * each + 2 * 512 + 512);
    assert_int_equal(memory_with(2, 128) - two, 2 * 64 * each);
    assert_int_equal(memory_with(1, 1), one - 63 * each);
}

static void every_depth_and_batch_cleans(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 3, 17, 256};
    for (uint32_t movers = 1; movers <= HFTL_RELOCATION_VICTIMS_MAX; movers++) {
        struct stand stand;
        stand_init(&stand, &many_bands);
        stand.options.relocation_victims = movers;
        stand.options.relocation_blocks = batches[movers - 1];
        stand_format(&stand);
        stand_open(&stand);
        start_at(&stand, 12);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        for (uint64_t i = 0; i < 3 * stand.expected_count; i++) {
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2 + i % 50);
            if (i % 64 == 0)
                stand_check(&stand);
        }
        stand_verify(&stand);
        stand_flush(&stand);
        stand_crash(&stand, true, movers);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void every_policy_cleans(void **state)
{
    (void)state;
    const struct victim_policy *policy;
    for (unsigned i = 0; (policy = victim_policy_at(i)) != NULL; i++) {
        struct stand stand;
        begin(&stand, 3);
        start_at(&stand, 8);
        assert_int_equal(device_set_policy(stand.device, policy->name), HFTL_OK);
        assert_string_equal(device_get_policy(stand.device), policy->name);
        for (uint64_t n = 0; n < 4 * stand.expected_count; n++)
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2 + n % 50);
        stand_check(&stand);
        stand_verify(&stand);
        assert_int_equal(device_set_policy(stand.device, "guess"), HFTL_INVALID);
        assert_string_equal(device_get_policy(stand.device), policy->name);
        stand_end(&stand);
    }
}

static void a_paused_device_takes_no_victim_until_writes_would_stop(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, 3);
    struct device *device = stand.device;
    start_at(&stand, 12);
    stand_settle(&stand);
    device_pause_cleaning(device, true);
    assert_true(device_cleaning_is_paused(device));
    uint64_t victims = device->stats.victims;
    for (uint64_t left = 3 * stand.expected_count; device->bands_free > BANDS_RESERVE; left--) {
        assert_true(left > 0);
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2);
    }
    stand_settle(&stand);
    assert_int_equal(device->stats.victims, victims);
    /* C11: whoever writes on is not refused, and no more is cleaned than he needs. */
    for (uint64_t i = 0; i < 3 * stand.expected_count; i++)
        stand_write(&stand, i % stand.expected_count, 1, 3 + i / stand.expected_count);
    assert_true(device->stats.victims > victims);
    stand_settle(&stand);
    assert_true(device->bands_free < 12);
    device_pause_cleaning(device, false);
    stand_settle(&stand);
    assert_true(device->bands_free >= 8); /* as far as it gains (L5) */
    stand_check(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* Reads in flight, one or another all the time. */
static void keep_reading(struct stand *stand, struct ask asks[2], uint8_t data[2][HFTL_BLOCK_BYTES])
{
    for (unsigned i = 0; i < 2; i++)
        if (asks[i].answered)
            stand_ask(stand, &asks[i], HFTL_READ, 0, prng_below(&stand->prng, 200), 1, data[i]);
}

/* Cleaning is due, and users do nothing but read: a batch goes on when they have read
 * RELOCATION_READS blocks for each of it, or nothing more, or somebody asks for something else, or
 * closes. */
static void movers_let_reads_go_first(void **state)
{
    (void)state;
    static uint8_t data[2][HFTL_BLOCK_BYTES], written[HFTL_BLOCK_BYTES];
    for (unsigned what = 0; what < 4; what++) {
        struct stand stand;
        struct ask reads[2] = {{.answered = true}, {.answered = true}}, other;
        begin(&stand, 1);
        struct relocation *relocation = &stand.device->relocation;
        uint64_t half = stand.expected_count / 2;
        for (uint64_t i = 0; i < half / 2; i++)
            stand_write(&stand, prng_below(&stand.prng, half), 1, 2);
        stand_flush(&stand);
        stand_settle(&stand);
        assert_true(stand.device->bands_free > 10);
        relocation->batch = 8;
        keep_reading(&stand, reads, data);
        start_at(&stand, 50);
        uint64_t moved = stand.device->relocation_clock;
        uint64_t read = stand.device->stats.read[HFTL_IO_USER].operations;
        const uint64_t *landed = &stand.device->stats.read[HFTL_IO_USER].operations;
        while (*landed - read < 4 * 8 * RELOCATION_READS) {
            (void)stand_step(&stand);
            keep_reading(&stand, reads, data);
        }
        assert_in_range(stand.device->relocation_clock - moved, 2 * 8, 5 * 8);
        while (list_is_empty(&relocation->yielding) || *landed - relocation->yielded_read > 16) {
            (void)stand_step(&stand);
            keep_reading(&stand, reads, data);
        }
        uint64_t began = relocation->yielded_read; /* the last batch */
        moved = stand.device->relocation_clock;
        if (what == 1) {
            stand.expected[0] = 3;
            stand_fill(&stand, written, 0, 1, 3);
            stand_ask(&stand, &other, HFTL_WRITE, 0, 0, 1, written);
        } else if (what == 2) {
            tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
            stand_ask(&stand, &other, HFTL_FLUSH_BANDS, 0, 0, 0, NULL);
        }
        for (unsigned i = 0; i < 20; i++) {
            (void)stand_step(&stand);
            keep_reading(&stand, reads, data);
        }
        assert_int_equal(relocation->yielded_read != began, what == 1 || what == 2);
        if (what == 2) {
            tap_release(stand.tap);
            assert_int_equal(stand_wait(&stand, &other), HFTL_OK);
        }
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(stand_wait(&stand, &reads[i]), HFTL_OK);
        if (what < 3) {
            stand_settle(&stand);
            assert_true(stand.device->relocation_clock > moved + 8);
            assert_true(list_is_empty(&relocation->yielding));
            stand_verify(&stand);
        }
        stand_end(&stand);
    }
}

/* Releases what one mover reads, with nowhere to append it: it has a batch then, and asks for the
 * next. */
static void catch_with_a_batch(struct stand *stand, const struct mover *mover)
{
    struct stream *stream = &stand->device->streams[STREAM_RELOCATION];
    uint32_t pool = stream->pool_count;
    stream->pool_count = 0;
    for (unsigned i = 0; mover->now->next == mover->now->count && i < 10; i++) {
        release_reads_of(stand, mover);
        stand_settle(stand);
    }
    stream->pool_count = pool;
    assert_true(mover->now->next < mover->now->count);
}

static bool is_held(const struct stand *stand, const uint8_t *data)
{
    for (uint32_t i = 0; i < stand->tap->held_count; i++)
        if (stand->tap->held[i]->data == data)
            return true;
    return false;
}

static void the_next_batch_is_asked_for_before_one_is_appended(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, 1);
    catch_movers(&stand, 1);
    const struct mover *mover = &stand.device->relocation.movers[0];
    assert_int_equal(mover->errand.in_flight, 1); /* the first tail block alone */
    tap_refuse_first(stand.tap, HFTL_IO);         /* each is read a second time, this one as well */
    stand_settle(&stand);
    assert_int_equal(mover->errand.in_flight, 1);
    catch_with_a_batch(&stand, mover);
    assert_true(mover->ahead->count > 0);
    assert_true(is_held(&stand, mover->ahead->data));
    assert_true(is_held(&stand, mover->next_tail)); /* with the first batch of a portion */
    for (uint32_t i = 0; i < stand.tap->held_count; i++)
        if (stand.tap->held[i]->data == mover->next_tail) {
            struct hftl_media_op *first = stand.tap->held[0];
            stand.tap->held[0] = stand.tap->held[i];
            stand.tap->held[i] = first;
        }
    tap_refuse_first(stand.tap, HFTL_IO); /* that one is read again when its turn comes */
    tap_release(stand.tap);
    stand.unchecked = false;
    stand_settle(&stand);
    assert_true(list_is_empty(&stand.device->index.aside));
    assert_true(stand.device->stats.bands_erased > 0);
    stand_verify(&stand);
    stand_end(&stand);
}

/* L8, of one that has a batch and waits for the next. */
static void a_helper_lets_go_when_what_it_reads_has_come(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, 2);
    catch_movers(&stand, 2);
    struct device *device = stand.device;
    struct mover *movers = device->relocation.movers;
    const struct mover *helper = relocation_lead(device) == movers ? &movers[1] : &movers[0];
    catch_with_a_batch(&stand, helper);
    assert_true(helper->errand.in_flight > 0);
    for (uint64_t left = 3 * stand.expected_count; device->bands_free > BANDS_RESERVE; left--) {
        assert_true(left > 0);
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 3);
    }
    stand.unchecked = false;
    stand_settle(&stand);
    assert_int_equal(device->stats.victims_let_go, 0);
    release_reads_of(&stand, helper);
    stand_settle(&stand);
    assert_int_equal(device->stats.victims_let_go, 1);
    assert_null(helper->victim);
    assert_false(helper->has_next_tail); /* that was another band's */
    assert_int_equal(helper->now->count + helper->ahead->count, 0);
    tap_release(stand.tap);
    stand_settle(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* A stream that is far ahead of its slowest column would have all of its units held there. */
static void no_batch_is_begun_while_a_column_lags(void **state)
{
    (void)state;
    struct stand stand;
    begin_with(&stand, 1, 4);
    catch_movers(&stand, 1);
    struct device *device = stand.device;
    const struct stream *stream = &device->streams[STREAM_RELOCATION];
    tap_clear(stand.tap);
    tap_release(stand.tap);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    stand_settle(&stand);
    uint64_t moved = device->relocation_clock;
    uint32_t stripe = stream_band(stream)->width * device->geometry.ws_opt;
    assert_true(moved >= RELOCATION_LAG * stripe - stripe);
    assert_true(moved <= (RELOCATION_LAG + 1) * stripe + 2 * 4);
    assert_true(stream->pool_count > 0);
    tap_release(stand.tap); /* its landing wakes */
    stand.unchecked = false;
    stand_settle(&stand);
    assert_true(device->relocation_clock > 2 * moved);
    stand_verify(&stand);
    stand_end(&stand);
}

static void write_one(struct stand *stand)
{
    static uint64_t version = 100;
    stand_write(stand, prng_below(&stand->prng, stand->expected_count / 2), 1, ++version);
}

static uint32_t left_to_users(const struct device *device)
{
    const struct pen *pen = device->streams[STREAM_USER].open;
    return pen->band == NULL ? 0 : pen->tail - pen->position;
}

/* Writes until a mover rests with a victim in hand. */
static void catch_one_resting(struct stand *stand, const struct mover *mover)
{
    stand->unchecked = true;
    for (uint64_t i = 0; !stand->device->relocation.resting || mover->victim == NULL; i++) {
        assert_true(i < 20 * stand->expected_count);
        write_one(stand);
    }
    stand->unchecked = false;
    stand_settle(stand);
}

static void a_mover_rests_until_users_need_a_band(void **state)
{
    (void)state;
    struct stand stand;
    begin_with(&stand, 1, 4);
    struct device *device = stand.device;
    const struct mover *mover = &device->relocation.movers[0];
    catch_one_resting(&stand, mover);
    uint32_t start = device->limits.level[HFTL_LIMIT_START].bands_free;
    uint32_t last = geometry_data_blocks(&device->geometry, device->geometry.columns) *
                    RELOCATION_REST_TENTHS / 10;
    uint64_t moved = device->relocation_clock;
    assert_true(device->bands_free >= start && left_to_users(device) >= last);
    assert_false(pace_is_in_force(device)); /* nobody is paid by who rests */
    while (left_to_users(device) > last + 2) {
        assert_int_equal(device->relocation_clock, moved);
        assert_true(device->relocation.resting);
        write_one(&stand);
    }
    uint32_t before = device->bands_free;
    while (device->relocation_clock == moved) { /* long before their band is full */
        assert_true(device->bands_free == before && left_to_users(device) > last / 2);
        write_one(&stand);
    }
    stand_verify(&stand);
    stand_end(&stand);
}

/* Who has a reason of his own to want bands emptied gets it: paused, victims in hand are ended. */
static void a_resting_mover_ends_its_victim_when_paused(void **state)
{
    (void)state;
    struct stand stand;
    begin_with(&stand, 1, 4);
    struct device *device = stand.device;
    const struct mover *mover = &device->relocation.movers[0];
    catch_one_resting(&stand, mover);
    assert_non_null(mover->victim);
    device_pause_cleaning(device, true);
    stand_settle(&stand);
    assert_null(mover->victim);
    device_pause_cleaning(device, false);
    stand_settle(&stand);
    stand_reopen(&stand); /* and a close does not wait for one that rests */
    stand_verify(&stand);
    stand_end(&stand);
}

/* A start limit of less than all slows users down while movers rest as well: who waits then has
 * them go on, and is not told that there is no room. */
static void who_a_limit_slows_has_a_resting_mover_go_on(void **state)
{
    (void)state;
    struct stand stand;
    begin_with(&stand, 1, 4);
    struct device *device = stand.device;
    struct hftl_limits limits;
    device_get_limits(device, &limits);
    limits.level[HFTL_LIMIT_START].percent = 60;
    assert_int_equal(device_set_limits(device, &limits, &stand.why), HFTL_OK);
    for (uint64_t i = 0; i < 4 * stand.expected_count; i++) {
        write_one(&stand);
        stand_settle(&stand); /* each alone on an idle device */
        assert_false(device->read_only);
    }
    assert_true(device->stats.limit_waits[HFTL_LIMIT_START] > 0);
    stand_verify(&stand);
    stand_end(&stand);
}

/* Not even for users with a band: what recovery sealed is read whole at every open. The last sealed
 * band is a mover's victim, and on no list, when they begin to write. */
static void a_sealed_victim_is_emptied_beside_users_with_a_band(void **state)
{
    (void)state;
    struct stand stand;
    begin_with(&stand, 1, 4);
    stand_flush(&stand);
    stand_crash(&stand, false, 1);
    stand_open(&stand);
    struct device *device = stand.device;
    const struct mover *mover = &device->relocation.movers[0];
    assert_true(device->bands_sealed > 0);
    for (unsigned i = 0; mover->victim == NULL || !list_is_empty(&device->index.sealed); i++) {
        assert_true(i < 10000);
        (void)stand_step(&stand);
    }
    assert_int_equal(mover->victim->state, BAND_SEALED);
    write_one(&stand);
    stand.unchecked = false;
    stand_settle(&stand);
    assert_true(left_to_users(device) > 0); /* they have a band */
    assert_int_equal(device->bands_sealed, 0);
    stand_verify(&stand);
    stand_end(&stand);
}

/* L4: what was read of the portion before it is moved nevertheless, and if that was all, nothing is
 * left to be set aside. */
static void what_was_read_before_a_bad_tail_block_is_moved(void **state)
{
    (void)state;
    for (unsigned rest = 0; rest < 2; rest++) {
        struct stand stand;
        begin_with(&stand, 1, 0);
        struct device *device = stand.device;
        struct hftl_media_op op;
        uint32_t position, first = device->geometry.tail_max;
        struct band *band = stand_band_of(&stand, 0, &position);
        uint32_t tail = geometry_tail(&device->geometry, band->width);
        assert_true(band->state == BAND_CLOSED && position < first && tail > 2 * first);
        for (uint64_t lba = 0; lba < stand.expected_count / 2; lba++)
            if (stand_band_of(&stand, lba, &position) == band && position >= first &&
                (rest == 0 || position < tail - 1))
                stand_write(&stand, lba, 1, 2);
        assert_true(band->valid > 0 && band->valid <= first);
        band_locate(device, band, tail + 1, &op);
        mem_block(stand.store, op.chunk, op.offset)[70] ^= 1;
        start_at(&stand, 50);
        stand.unchecked = false;
        stand_settle(&stand);
        assert_int_equal(stand_logged(&stand, "its tail cannot be read"), rest);
        if (rest == 0)
            assert_ptr_not_equal(stand_band_of(&stand, 0, &position), band);
        else
            assert_int_equal(band->valid, 1); /* the one that nobody knows about */
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* A closing of bands that was asked for goes on though users have the next band already; and so
 * does who has to end for an emptied band that recovery sealed to be flushed for and erased. */
static void a_mover_does_not_rest_where_something_has_to_be_emptied(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 3; what++) {
        struct stand stand;
        struct ask ask;
        begin_with(&stand, 1, 4);
        start_at(&stand, 8);
        struct device *device = stand.device;
        const struct mover *mover = &device->relocation.movers[0];
        catch_one_resting(&stand, mover);
        uint64_t taken = mover->taken;
        start_at(&stand, BANDS_RESERVE + 1); /* that is where they may rest from now on */
        stand.unchecked = true;
        if (what == 1) {
            tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
            stand_ask(&stand, &ask, HFTL_FLUSH_BANDS, 0, 0, 0, NULL);
            while (device->streams[STREAM_USER].closing->band == NULL)
                (void)stand_step(&stand);
            write_one(&stand);
            assert_false(ask.answered);
        } else if (what == 2) {
            device->index.emptied_sealed = 1;
        }
        stand_settle(&stand);
        assert_true(device->bands_free > BANDS_RESERVE && left_to_users(device) > 60);
        assert_int_equal(mover->victim != NULL && mover->taken == taken, what == 0);
        if (what == 1) {
            tap_release(stand.tap);
            assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
        } else if (what == 2) {
            device->index.emptied_sealed = 0;
        }
        stand.unchecked = false;
        stand_settle(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* Each tail block of a victim once, however many batches its identities make; and once more where
 * that failed, of each victim. */
static void tail_blocks_are_read_once_and_where_that_fails_once_more(void **state)
{
    (void)state;
    struct stand stand;
    begin_with(&stand, 1, 4);
    catch_movers(&stand, 1);
    struct device *device = stand.device;
    const struct mover *mover = &device->relocation.movers[0];
    const uint64_t *reads = &device->stats.read[HFTL_IO_METADATA].operations;
    uint32_t tail = geometry_tail(&device->geometry, device->geometry.columns);
    uint64_t before = *reads, victims = device->stats.victims - 1, refused = 0, last = 0;
    while (mover->victim != NULL) {
        const struct tap *tap = stand.tap;
        if (mover->taken != last && tap->held_count == 1 &&
            tap->held[0]->data == mover->tail_block) {
            last = mover->taken;
            refused++;
            tap_refuse_first(stand.tap, HFTL_IO);
            stand_settle(&stand);
        }
        tap_release(stand.tap);
        tap_hold(stand.tap, HFTL_MEDIA_READ);
        stand_settle(&stand);
    }
    victims = device->stats.victims - victims;
    assert_true(victims > 5 && refused == victims);
    assert_true(list_is_empty(&device->index.aside));
    assert_true(*reads - before <=
                victims * div_round_up_u32(tail, device->geometry.tail_max) + refused);
    tap_release(stand.tap);
    stand_verify(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(movers_let_reads_go_first),
        cmocka_unit_test(the_next_batch_is_asked_for_before_one_is_appended),
        cmocka_unit_test(a_helper_lets_go_when_what_it_reads_has_come),
        cmocka_unit_test(no_batch_is_begun_while_a_column_lags),
        cmocka_unit_test(a_mover_rests_until_users_need_a_band),
        cmocka_unit_test(a_resting_mover_ends_its_victim_when_paused),
        cmocka_unit_test(who_a_limit_slows_has_a_resting_mover_go_on),
        cmocka_unit_test(a_sealed_victim_is_emptied_beside_users_with_a_band),
        cmocka_unit_test(a_mover_does_not_rest_where_something_has_to_be_emptied),
        cmocka_unit_test(tail_blocks_are_read_once_and_where_that_fails_once_more),
        cmocka_unit_test(what_was_read_before_a_bad_tail_block_is_moved),
        cmocka_unit_test(while_one_reads_another_appends),
        cmocka_unit_test(each_has_a_victim_of_its_own_and_the_eldest_leads),
        cmocka_unit_test(helpers_let_go_when_bands_run_short),
        cmocka_unit_test(depth_and_batch_are_chosen_and_paid_for),
        cmocka_unit_test(every_depth_and_batch_cleans),
        cmocka_unit_test(every_policy_cleans),
        cmocka_unit_test(a_paused_device_takes_no_victim_until_writes_would_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
