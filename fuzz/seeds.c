/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seeds.c - writes the inputs that fuzzing begins with: fuzz-seeds FOLDER makes all
 * FOLDER/TARGET/NAME.bin anew. After a change of the format, or of what a target makes of its
 * bytes, run it on fuzz/seeds.
 */
#include "base/bytes.h"
#include "base/crc.h"
#include "format/lost.h"
#include "fuzz/fuzz.h"
#include "test/format/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 1024

static const char *top;

static void write_seed(const char *target, const char *name, const void *bytes, size_t count)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", top, target);
    mkdir(top, 0777);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s.bin", top, target, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
}

/* The control byte, then what is before the record, then the record. */
static void write_record(const char *target, const char *name, uint8_t control,
                         const uint8_t prefix[7], const uint8_t *record, size_t bytes)
{
    uint8_t *seed = malloc(bytes + 8);
    size_t before = prefix ? 7 : 0;
    must(seed != NULL);
    seed[0] = control;
    if (prefix)
        memcpy(seed + 1, prefix, before);
    memcpy(seed + 1 + before, record, bytes);
    write_seed(target, name, seed, 1 + before + bytes);
    free(seed);
}

static void make_superblocks(void)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = sample_superblock();
    struct verdict_list verdicts = sample_verdicts(), none = {NULL, 0};
    uint8_t record[8 * BLOCK];
    size_t bytes = (size_t)superblock_bytes(BLOCK, &verdicts);

    must(bytes <= sizeof record);
    superblock_encode(&ctx, &superblock, &verdicts, record, bytes);
    write_record("superblock", "verdicts", 1, NULL, record, bytes);
    write_record("canary", "verdicts", 1, NULL, record, bytes);
    bytes = (size_t)superblock_bytes(BLOCK, &none);
    superblock_encode(&ctx, &superblock, &none, record, bytes);
    write_record("superblock", "plain", 0, NULL, record, bytes);
    superblock.layout = sample_layout_ocssd();
    superblock.state = SUPERBLOCK_CLEAN;
    superblock_encode(&ctx, &superblock, &none, record, bytes);
    write_record("superblock", "ocssd", 1, NULL, record, bytes);
}

static void make_heads(void)
{
    struct format_context ctx = sample_context();
    struct head head = sample_head();
    uint8_t block[BLOCK];

    head_encode(&ctx, &head, block);
    write_record("head", "zoned", 1, NULL, block, sizeof block);
    write_record("head", "whole", 0, NULL, block, sizeof block);
}

static void make_records(void)
{
    struct format_context ctx = sample_context();
    uint8_t packed[SAMPLE_IDENTS * FORMAT_IDENT_BYTES], block[BLOCK], bitmap[BLOCK] = {0xf0, 1};
    struct summary summary = sample_summary(packed);
    struct tail_place place = {.band = 3, .generation = 7, .band_blocks = 27, .ws_min = 1};
    struct tail tail = {.seq_highest = 9, .idents = packed};
    struct trim_page page = {.range = 2, .seq = 77, .bits = 100, .bitmap = bitmap};
    struct lost lost = {.seq = 5};
    static const uint8_t no_tail[7];
    uint8_t of_tail[7] = {27, 0, 0, 0, 0, 0, 1};
    uint8_t idents[64 * FORMAT_IDENT_BYTES];

    summary_encode(&ctx, &summary, block);
    write_record("records", "summary", 1, no_tail, block, sizeof block);
    tail.count = tail_idents(&place, BLOCK);
    must(tail.count <= 64);
    for (uint32_t i = 0; i < tail.count; i++)
        memcpy(idents + (size_t)i * FORMAT_IDENT_BYTES,
               packed + (size_t)(i % SAMPLE_IDENTS) * FORMAT_IDENT_BYTES, FORMAT_IDENT_BYTES);
    tail.idents = idents;
    tail_encode(&ctx, &place, &tail, block);
    write_record("records", "tail", 1 | 1u << 3, of_tail, block, sizeof block);
    trim_page_encode(&ctx, &page, block);
    write_record("records", "trim", 1 | 2u << 3, no_tail, block, sizeof block);
    lost_encode(&ctx, &lost, block);
    write_record("records", "lost", 1 | 3u << 3, no_tail, block, sizeof block);
}

/* One for each base: a few edits, a few requests. */
static void make_images(void)
{
    struct prng prng;
    uint8_t seed[3 + 3 * 8 + 24 * 4];
    char name[32];

    for (uint8_t base = 0; base < 16; base++) {
        prng_seed(&prng, base);
        for (size_t i = 0; i < sizeof seed; i++)
            seed[i] = (uint8_t)prng_next(&prng);
        seed[0] = (uint8_t)(base % 5u | (unsigned)(base * 37u & 0xf8u));
        seed[1] = base;
        seed[2] = base % 4u;
        snprintf(name, sizeof name, "base-%02u", base);
        write_seed("image", name, seed, sizeof seed);
    }
}

static void make_texts(void)
{
    static const struct {
        uint8_t which;
        const char *text;
    } texts[] = {
        {0, "4096"},
        {0, "16777215T"},
        {0, "1GiB"},
        {1, "4-7"},
        {1, "12.5%"},
        {1, "cached:64M"},
        {2, "delay,read=50us:fault=read,nth=3:trace=a\\,b.txt:emu,cache=1M:d.img"},
        {2, "overlay:flat,direct:some/where"},
        {2, "a path: with, odd=signs"},
        {3, "mem:64M,kind=zoned"},
        {3, "delay,program=600us,units=4:guard:mem:16M,groups=2,pus=2,chunks=16,chunk-blocks=96"},
        {4, "fault=write,nth=3,chunk=5-9,do=fail,result=io"},
        {4, "fault=any,chance=0.01%,seed=7"},
        {4, "delay,read=50us,erase=3ms,transfer=10us"},
    };
    char name[32], seed[200];
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        seed[0] = (char)texts[i].which;
        strcpy(seed + 1, texts[i].text);
        snprintf(name, sizeof name, "text-%02u", i);
        write_seed("text", name, seed, 1 + strlen(texts[i].text));
    }
}

static void make_configs(void)
{
    static const char *const configs[] = {
        "drive=disk.img\nverify=always\n",
        "some/disk.img\nverify=cached:16M\nrpc=/run/a.rpc\nread-only=true",
        "drive=delay,read=50us:overlay:emu,cache=1M:d.img\nrpc=none\nverify=relocation\n",
    };
    char name[32];
    for (unsigned i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        snprintf(name, sizeof name, "config-%u", i);
        write_seed("config", name, configs[i], strlen(configs[i]));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz-seeds FOLDER\n");
        return 2;
    }
    top = argv[1];
    make_superblocks();
    make_heads();
    make_records();
    make_images();
    make_texts();
    make_configs();
    return 0;
}
