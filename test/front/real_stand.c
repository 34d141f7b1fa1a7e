/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine itself, on the guarded medium in memory. The kinds of drive take turns. */
#include "test/front/stand.h"

#include "base/must.h"
#include "media/guard.h"
#include "media/mem.h"

#include <stdlib.h>

struct stand_manners stand;
static _Atomic unsigned closes;

bool stand_has_manners(void)
{
    return false;
}

unsigned stand_closes(void)
{
    return closes;
}

/* Counts closes, and is otherwise the medium inside it. */
struct counted {
    struct hftl_media media;
    struct hftl_media *inner;
};

static void pass_submit(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct hftl_media *inner = ((struct counted *)media)->inner;
    inner->ops->submit(inner, ops, count);
}

static unsigned pass_reap(struct hftl_media *media, unsigned max)
{
    struct hftl_media *inner = ((struct counted *)media)->inner;
    return inner->ops->reap(inner, max);
}

static int pass_fd(struct hftl_media *media)
{
    struct hftl_media *inner = ((struct counted *)media)->inner;
    return inner->ops->fd(inner);
}

static void count_close(struct hftl_media *media)
{
    struct hftl_media *inner = ((struct counted *)media)->inner;
    inner->ops->close(inner);
    free(media);
    closes++;
}

static const struct hftl_media_ops counted_ops = {
    .name = "counted",
    .submit = pass_submit,
    .reap = pass_reap,
    .fd = pass_fd,
    .close = count_close,
};

static struct hftl_media *make_medium(uint64_t mib, uint32_t block_bytes)
{
    static unsigned turn;
    enum hftl_media_kind kind = turn++ % 2 ? HFTL_KIND_ZONED : HFTL_KIND_OCSSD;
    struct mem_options options = {.size = sizeof options, .facts = mem_facts(kind)};
    struct counted *counted = calloc(1, sizeof *counted);
    struct hftl_media *mem, *guard;

    must(counted != NULL);
    options.facts.block_bytes = block_bytes;
    while (hftl_media_chunks(&options.facts) * options.facts.chunk_blocks < mib * 512)
        options.facts.chunks_per_pu *= 2;
    must(mem_open(&options, &mem, NULL, 0) == HFTL_OK);
    must(guard_open(mem, NULL, &guard) == HFTL_OK);
    counted->media.ops = &counted_ops;
    counted->media.facts = guard->facts;
    counted->inner = guard;
    return &counted->media;
}

struct hftl_media *stand_medium(uint64_t mib)
{
    struct hftl_media *media = make_medium(mib, HFTL_BLOCK_BYTES);
    must(hftl_format_media(media, NULL, NULL, NULL, 0) == HFTL_OK);
    return media;
}

struct hftl_media *stand_small_blocks(void)
{
    return make_medium(1, 512);
}
