/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - the worked example of FORMAT.md: a head and a summary, byte for byte, with their fields.
 *
 *   dump           prints it
 *   dump FILE      compares it with FILE; exit 1 and the first line that differs
 */
#include "test/format/samples.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DUMP_BYTES 32768u
#define LINE_BYTES 16u

struct field {
    size_t at;
    size_t bytes;
    const char *name;
};

struct page {
    char text[DUMP_BYTES];
    size_t used;
};

static const struct field stamp_fields[] = {
    {0, 8, "magic"},
    {8, 2, "version 1"},
    {10, 2, "kind"},
    {12, 4, "crc32c of the block, this field as zero"},
    {16, 16, "device id"},
    {32, 8, "generation 5.7"},
    {40, 4, "band 3"},
    {44, 4, "position"},
    {48, 8, "last seq given: epoch 5, counter"},
    {56, 4, "count"},
    {60, 4, "reserved"},
};

static const struct field head_fields[] = {
    {64, 1, "layout: media kind, zoned"},
    {65, 1, "identity place, summary"},
    {66, 2, "block bytes 512"},
    {68, 4, "OOB bytes 0"},
    {72, 4, "groups 1"},
    {76, 4, "PUs per group 1"},
    {80, 4, "chunks per PU 12"},
    {84, 4, "chunk blocks 64"},
    {88, 4, "ws_min 4"},
    {92, 4, "ws_opt 8"},
    {96, 4, "mw_cunits 0"},
    {100, 4, "columns 2"},
    {104, 4, "first PU 0"},
    {108, 4, "PUs of the instance 1"},
    {112, 4, "bands 4"},
    {116, 4, "band stride 128"},
    {120, 8, "exported blocks 300"},
    {128, 2, "over-provisioning 25.0 percent"},
    {130, 2, "interleave 1"},
    {132, 4, "identities in a summary 23"},
    {136, 8, "superblock chunks A 0, B 1"},
    {144, 16, "region: superblock A, version 1, chunk 0, 1 chunk"},
    {160, 16, "region: superblock B, version 1, chunk 1, 1 chunk"},
    {176, 16, "region: bands, version 1, chunk 2, 8 chunks, 2 columns"},
    {192, 32, "two regions unused"},
    {224, 32, "name"},
    {256, 8, "created"},
    {264, 8, "salt 0x1122334455667788"},
    {272, 1, "stream: relocation"},
    {273, 1, "reserved"},
    {274, 2, "this chunk's column 1"},
    {276, 4, "epoch 5, the generation's"},
    {280, 32, "columns present: 0 and 1"},
};

static const struct field summary_ident_fields[] = {
    {136, 16, "identity of position 8: head of column 1"},
    {152, 16, "of 9: data, lba 299, seq 5.42"},
    {168, 16, "of 10: data, lba 0, seq 5.43"},
    {184, 16, "of 11: trim page of range 0, seq 5.44"},
    {200, 16, "of 12: lost, lba 77, seq 4.9 (crc inverted)"},
    {216, 16, "of 13: pad"},
    {232, 16, "of 14: summary"},
};

#define COUNT(fields) (sizeof(fields) / sizeof(fields)[0])

static void add(struct page *page, const char *text)
{
    size_t bytes = strlen(text);
    if (page->used + bytes >= DUMP_BYTES)
        return;
    memcpy(page->text + page->used, text, bytes + 1u);
    page->used += bytes;
}

/* One line: the address in decimal as FORMAT.md counts, hex, and on the first line the name. */
static void add_line(struct page *page, const uint8_t *block, struct field part)
{
    char line[160];
    int used = snprintf(line, sizeof line, "%4zu ", part.at);

    for (size_t i = 0; i < part.bytes; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %02x",
                         (unsigned)block[part.at + i]);
    if (part.name != NULL) {
        int indent = 5 + 3 * (int)LINE_BYTES + 2;
        snprintf(line + used, sizeof line - (size_t)used, "%*s%s", indent - used, "", part.name);
    }
    add(page, line);
    add(page, "\n");
}

static void add_field(struct page *page, const uint8_t *block, const struct field *field)
{
    for (size_t done = 0; done < field->bytes; done += LINE_BYTES) {
        size_t left = field->bytes - done;
        struct field part = {field->at + done, left < LINE_BYTES ? left : LINE_BYTES,
                             done == 0 ? field->name : NULL};
        add_line(page, block, part);
    }
}

static void add_fields(struct page *page, const uint8_t *block, const struct field *fields,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_field(page, block, &fields[i]);
}

static void add_witness(struct page *page, const uint8_t *block, size_t at)
{
    const struct field fields[] = {
        {at, 8, "witness: flush number, epoch 5, count 3"},
        {at + 8, 16, "user stream: band 2 below position 100, generation 5.6"},
        {at + 24, 16, "relocation stream: none"},
        {at + 40, 32, "two slots unused"},
    };
    add_fields(page, block, fields, COUNT(fields));
}

static void add_rest(struct page *page, const uint8_t *block, size_t at)
{
    char line[80];
    for (size_t i = at; i < BLOCK; i++) {
        if (block[i] != 0)
            add(page, "the rest should be zero\n");
    }
    snprintf(line, sizeof line, "%4zu  zeros to %u\n", at, BLOCK - 1u);
    add(page, line);
}

static void dump_head(struct page *page)
{
    struct format_context ctx = sample_context();
    struct head head = sample_head();
    uint8_t block[BLOCK];

    head_encode(&ctx, &head, block);
    add(page, "A head: position 8 of band 3, blocks of 512 bytes\n\n");
    add_fields(page, block, stamp_fields, COUNT(stamp_fields));
    add_fields(page, block, head_fields, COUNT(head_fields));
    add_witness(page, block, 312);
    add_rest(page, block, 384);
}

static void dump_summary(struct page *page)
{
    struct format_context ctx = sample_context();
    uint8_t block[BLOCK];
    struct summary summary = sample_summary(summary_ident_slot(block, 0));

    summary_encode(&ctx, &summary, block);
    add(page, "\nA summary: position 15 of the same band, 7 identities\n\n");
    add_fields(page, block, stamp_fields, COUNT(stamp_fields));
    add_witness(page, block, 64);
    add_fields(page, block, summary_ident_fields, COUNT(summary_ident_fields));
    add_rest(page, block, 136 + 16 * SAMPLE_IDENTS);
}

static int compare(const struct page *page, const char *path)
{
    static char stored[DUMP_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    size_t bytes = fread(stored, 1, sizeof stored - 1u, file);
    fclose(file);

    unsigned line = 1;
    size_t at = 0;
    while (at < bytes && at < page->used && stored[at] == page->text[at])
        line += stored[at++] == '\n';
    if (bytes == page->used && at == bytes)
        return 0;
    fprintf(stderr, "%s:%u: differs from what is written today\n", path, line);
    return 1;
}

int main(int argc, char **argv)
{
    static struct page page;

    dump_head(&page);
    dump_summary(&page);
    if (argc > 1)
        return compare(&page, argv[1]);
    fputs(page.text, stdout);
    return 0;
}
