/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include "base/crc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SALT UINT64_C(0x1122334455667788)
#define GENERATION format_generation(5, 7) /* of band 3; band 2 has 5.6 */

struct format_context sample_context(void)
{
    struct format_context ctx = {.salt = SALT, .block_bytes = BLOCK};
    for (uint8_t i = 0; i < FORMAT_ID_BYTES; i++)
        ctx.id[i] = (uint8_t)(0xa0u + i);
    return ctx;
}

struct hftl_media_facts sample_facts(void)
{
    return (struct hftl_media_facts){
        .size = sizeof(struct hftl_media_facts),
        .kind = HFTL_KIND_ZONED,
        .block_bytes = BLOCK,
        .groups = 1,
        .pus_per_group = 1,
        .chunks_per_pu = 12,
        .chunk_blocks = 64,
        .ws_min = 4,
        .ws_opt = 8,
        .transfer_blocks_max = 64,
    };
}

struct hftl_media_facts sample_facts_ocssd(void)
{
    struct hftl_media_facts facts = sample_facts();
    facts.kind = HFTL_KIND_OCSSD;
    facts.oob_bytes = 16;
    facts.groups = 2;
    facts.pus_per_group = 2;
    facts.chunks_per_pu = 8;
    facts.mw_cunits = 8;
    return facts;
}

static void fill_layout(struct layout *layout)
{
    layout->op_permille = 250;
    layout->interleave = 1;
    layout->created = UINT64_C(1700000000);
    layout->salt = SALT;
    strcpy(layout->name, "bücher");
    layout_set_regions(layout);
}

struct layout sample_layout(void)
{
    struct hftl_media_facts facts = sample_facts();
    struct layout layout = {
        .columns = 2,
        .pu_count = 1,
        .bands = 4,
        .exported_blocks = 300,
        .superblock_chunk = {0, 1},
    };
    layout_take_facts(&layout, &facts);
    fill_layout(&layout);
    return layout;
}

struct layout sample_layout_ocssd(void)
{
    struct hftl_media_facts facts = sample_facts_ocssd();
    struct layout layout = {
        .columns = 2,
        .pu_first = 1,
        .pu_count = 2,
        .bands = 8,
        .exported_blocks = 500,
        .superblock_chunk = {8, 17},
    };
    layout_take_facts(&layout, &facts);
    fill_layout(&layout);
    return layout;
}

static struct witness sample_witness(void)
{
    struct witness witness = witness_none();
    witness.flush = format_seq(5, 3).n;
    witness.slots[STREAM_USER] = (struct band_mark){2, 100, format_generation(5, 6)};
    return witness;
}

struct head sample_head(void)
{
    struct head head = {
        .band = 3,
        .position = 8,
        .generation = GENERATION,
        .seq = format_seq(5, 41).n,
        .layout = sample_layout(),
        .stream = STREAM_RELOCATION,
        .column = 1,
        .epoch = 5,
        .witness = sample_witness(),
    };
    struct format_context ctx = sample_context();
    memcpy(head.id, ctx.id, FORMAT_ID_BYTES);
    head_add_column(&head, 0);
    head_add_column(&head, 1);
    return head;
}

void sample_idents(uint8_t *packed)
{
    struct ident idents[SAMPLE_IDENTS] = {
        {.kind = IDENT_HEAD, .lba = 1},
        {.kind = IDENT_DATA, .lba = 299, .seq = format_seq(5, 42).n},
        {.kind = IDENT_DATA, .lba = 0, .seq = format_seq(5, 43).n},
        {.kind = IDENT_TRIM, .lba = 0, .seq = format_seq(5, 44).n},
        {.kind = IDENT_LOST, .lba = 77, .seq = format_seq(4, 9).n},
        {.kind = IDENT_PAD},
        {.kind = IDENT_SUMMARY},
    };
    struct format_context ctx = sample_context();
    for (uint32_t i = 0; i < SAMPLE_IDENTS; i++) {
        hftl_pba pba = {3u * 128u + 8u + i}; /* band 3, from position 8 on */
        uint64_t place_salt = ident_place_salt(&ctx, GENERATION, pba);
        idents[i].crc = ident_crc(&idents[i], crc32c(0, "data", 4), place_salt);
        ident_encode(&idents[i], packed + i * FORMAT_IDENT_BYTES);
    }
}

struct summary sample_summary(uint8_t *packed)
{
    sample_idents(packed);
    return (struct summary){
        .at = {.band = 3, .position = 15, .generation = GENERATION},
        .seq = format_seq(5, 44).n,
        .count = SAMPLE_IDENTS,
        .witness = sample_witness(),
        .idents = packed,
    };
}

struct superblock sample_superblock(void)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = {
        .copy = 1,
        .offset = 8,
        .number = 12,
        .seq = format_seq(5, 44).n,
        .layout = sample_layout(),
        .features_compatible = UINT64_C(0x8000000000000001),
        .epoch = 6,
        .state = SUPERBLOCK_CLEAN,
        .generation_next = format_generation(6, 0),
        .cache_id = {1, 2, 3},
        .cache_generation = 4,
        .cache_state = 2,
        .witness = sample_witness(),
    };
    memcpy(superblock.id, ctx.id, FORMAT_ID_BYTES);
    for (unsigned i = 0; i < FORMAT_STREAMS; i++)
        superblock.open[i].band = FORMAT_BAND_NONE;
    superblock.open[STREAM_USER] = (struct band_mark){3, 16, GENERATION};
    return superblock;
}

struct verdict_list sample_verdicts(void)
{
    static const uint32_t accepted[] = {40, 64, 0};
    static const struct verdict verdicts[] = {
        {.band = 0, .columns = 2, .generation = UINT64_C(5) << 32 | 5, .accepted = accepted},
        {.band = 2, .columns = 1, .generation = UINT64_C(5) << 32 | 6, .accepted = accepted + 2},
    };
    return (struct verdict_list){.verdicts = verdicts, .count = 2};
}

uint32_t random_u32(struct prng *prng)
{
    return (uint32_t)prng_next(prng);
}

void random_bytes(struct prng *prng, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)prng_next(prng);
}

struct ident random_ident(struct prng *prng)
{
    static const enum ident_kind kinds[] = {IDENT_DATA,    IDENT_TRIM, IDENT_LOST, IDENT_PAD,
                                            IDENT_SUMMARY, IDENT_HEAD, IDENT_TAIL};
    struct ident ident = {
        .crc = random_u32(prng),
        .kind = kinds[prng_below(prng, sizeof kinds / sizeof kinds[0])],
    };
    bool has_lba = ident.kind <= IDENT_LOST;
    if (has_lba)
        ident.lba = prng_next(prng) & FORMAT_LBA_MAX;
    if (ident.kind == IDENT_HEAD)
        ident.lba = prng_below(prng, FORMAT_COLUMNS_MAX);
    if (ident.kind != IDENT_PAD)
        ident.seq = (prng_next(prng) & FORMAT_SEQ_MAX) | 1u;
    return ident;
}

struct format_context random_context(struct prng *prng)
{
    struct format_context ctx = {
        .salt = prng_next(prng),
        .block_bytes = FORMAT_BLOCK_BYTES_MIN << prng_below(prng, 4),
    };
    random_bytes(prng, ctx.id, sizeof ctx.id);
    return ctx;
}

struct witness random_witness(struct prng *prng, const struct layout *layout)
{
    struct witness witness = witness_none();
    witness.flush = prng_next(prng) & FORMAT_SEQ_MAX;
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        if (prng_chance(prng, 1, 2))
            continue;
        witness.slots[i].band = (uint32_t)prng_below(prng, layout->bands);
        witness.slots[i].position = (uint32_t)prng_below(prng, layout->band_stride + 1u);
        witness.slots[i].generation = prng_next(prng);
    }
    return witness;
}

void forge(const struct format_context *ctx, const struct forgery *forgery, uint8_t *record,
           size_t record_bytes)
{
    for (size_t i = 0; i < forgery->count; i++)
        record[forgery->at + i] = (uint8_t)(forgery->value >> 8u * i);
    stamp_seal(ctx, forgery->kind, record, record_bytes);
}

void assert_every_flip_refused(uint8_t *record, size_t bytes, decode_fn decode, void *argument)
{
    assert_int_equal(decode(record, argument), HFTL_OK);
    for (size_t bit = 0; bit < bytes * 8u; bit++) {
        record[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        if (decode(record, argument) == HFTL_OK)
            fail_msg("bit %zu of byte %zu may flip", bit % 8u, bit / 8u);
        record[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    }
    assert_int_equal(decode(record, argument), HFTL_OK);
}

static void print_bytes(const uint8_t *record, size_t bytes)
{
    while (bytes > 0 && record[bytes - 1u] == 0)
        bytes--;
    for (size_t i = 0; i < bytes; i++)
        fprintf(stderr, "%s%02x",
                i % 32u == 0  ? "\n"
                : i % 4u == 0 ? " "
                              : "",
                (unsigned)record[i]);
    fputc('\n', stderr);
}

void assert_bytes(const uint8_t *record, size_t bytes, const char *hex)
{
    size_t at = 0;
    unsigned expected;

    for (; *hex != '\0'; hex++) {
        if (isspace((unsigned char)*hex))
            continue;
        assert_int_equal(sscanf(hex, "%2x", &expected), 1);
        hex++;
        if (at >= bytes || record[at] != expected) {
            print_bytes(record, bytes);
            fail_msg("byte %zu is not 0x%02x", at, expected);
        }
        at++;
    }
    for (; at < bytes; at++) {
        if (record[at] != 0) {
            print_bytes(record, bytes);
            fail_msg("byte %zu is not zero", at);
        }
    }
}
