/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/rules.h"

#include "base/must.h"

bool rules_concern_chunk(enum hftl_media_verb verb)
{
    return verb == HFTL_MEDIA_READ || verb == HFTL_MEDIA_WRITE || verb == HFTL_MEDIA_APPEND ||
           verb == HFTL_MEDIA_RESET || verb == HFTL_MEDIA_FINISH;
}

static enum hftl_status judge_transfer(const struct hftl_media_facts *facts,
                                       const struct hftl_media_op *op)
{
    if (op->blocks == 0 || op->data == NULL)
        return HFTL_INVALID;
    if (op->blocks > facts->transfer_blocks_max)
        return HFTL_RULE_BOUNDS;
    return HFTL_OK;
}

static enum hftl_status judge_report(const struct hftl_media_facts *facts,
                                     const struct hftl_media_op *op)
{
    if (op->blocks == 0 || op->out.report == NULL)
        return HFTL_INVALID;
    if (op->blocks > hftl_media_chunks(facts) - op->chunk)
        return HFTL_RULE_BOUNDS;
    return HFTL_OK;
}

enum hftl_status rules_judge_shape(const struct hftl_media_facts *facts,
                                   const struct hftl_media_op *op)
{
    bool placed = rules_concern_chunk(op->verb) || op->verb == HFTL_MEDIA_REPORT;
    if (placed && op->chunk >= hftl_media_chunks(facts))
        return HFTL_RULE_BOUNDS;
    switch (op->verb) {
    case HFTL_MEDIA_APPEND:
        if (!(facts->flags & HFTL_MEDIA_CAN_APPEND)) /* R7 */
            return HFTL_UNSUPPORTED;
        return judge_transfer(facts, op);
    case HFTL_MEDIA_READ:
    case HFTL_MEDIA_WRITE:
        return judge_transfer(facts, op);
    case HFTL_MEDIA_FINISH:
        return (facts->flags & HFTL_MEDIA_CAN_FINISH) ? HFTL_OK : HFTL_UNSUPPORTED;
    case HFTL_MEDIA_REPORT:
        return judge_report(facts, op);
    case HFTL_MEDIA_EVENT:
        return op->out.event ? HFTL_OK : HFTL_INVALID;
    case HFTL_MEDIA_RESET:
    case HFTL_MEDIA_FLUSH:
        return HFTL_OK;
    case HFTL_MEDIA_VERB_COUNT:
        break;
    }
    return HFTL_UNSUPPORTED;
}

enum hftl_status rules_judge_flight(const struct hftl_media_facts *facts,
                                    const struct rules_place *place, enum hftl_media_verb verb)
{
    bool queue = (facts->flags & HFTL_MEDIA_CAN_QUEUE) != 0;
    bool clash = place->reset;
    if (verb == HFTL_MEDIA_WRITE || verb == HFTL_MEDIA_APPEND)
        clash |= place->finish || (place->writes > 0 && !queue);
    else if (verb == HFTL_MEDIA_RESET)
        clash |= place->finish || place->writes > 0 || place->reads > 0;
    else if (verb == HFTL_MEDIA_FINISH)
        clash |= place->finish || place->writes > 0;
    return clash ? HFTL_RULE_FLIGHT : HFTL_OK;
}

/* R3. Only a zoned drive makes room by itself, and only for the open limit. */
static enum hftl_status judge_limits(const struct hftl_media_facts *facts,
                                     const struct rules_place *place)
{
    const struct hftl_chunk *c = place->chunk;
    bool takes_active = c->state == HFTL_CHUNK_FREE;
    if (takes_active && facts->active_max != 0 && place->active_count >= facts->active_max)
        return HFTL_RULE_OPEN_LIMIT;
    bool takes_open = c->state == HFTL_CHUNK_FREE || c->state == HFTL_CHUNK_PAUSED;
    if (takes_open && facts->open_max != 0 && place->open_count >= facts->open_max &&
        facts->kind != HFTL_KIND_ZONED)
        return HFTL_RULE_OPEN_LIMIT;
    return HFTL_OK;
}

static enum hftl_status judge_write(const struct hftl_media_facts *facts,
                                    const struct rules_place *place, const struct hftl_media_op *op)
{
    const struct hftl_chunk *c = place->chunk;
    if (c->state == HFTL_CHUNK_READ_ONLY)
        return HFTL_READ_ONLY;
    if (c->state == HFTL_CHUNK_FULL)
        return HFTL_RULE_STATE;
    if (op->blocks % facts->ws_min)
        return HFTL_RULE_ALIGN;
    uint32_t offset = op->verb == HFTL_MEDIA_APPEND ? c->wp : op->offset;
    if (offset > c->capacity || op->blocks > c->capacity - offset)
        return HFTL_RULE_BOUNDS;
    if (offset != c->wp)
        return HFTL_RULE_ORDER;
    return judge_limits(facts, place);
}

static enum hftl_status judge_read(const struct hftl_media_facts *facts, const struct hftl_chunk *c,
                                   const struct hftl_media_op *op)
{
    if (op->offset >= c->capacity || op->blocks > c->capacity - op->offset)
        return HFTL_RULE_BOUNDS;
    /* Readability only falls with the offset, so the last block speaks for all (R4). */
    return hftl_media_readable(facts, c, op->offset + op->blocks - 1) ? HFTL_OK : HFTL_RULE_READ;
}

static enum hftl_status judge_reset(const struct hftl_media_facts *facts,
                                    const struct hftl_chunk *c)
{
    if (c->state == HFTL_CHUNK_READ_ONLY)
        return HFTL_READ_ONLY;
    if (c->state == HFTL_CHUNK_FREE)
        return HFTL_RULE_STATE;
    if (c->state != HFTL_CHUNK_FULL && !(facts->flags & HFTL_MEDIA_CAN_RESET_OPEN))
        return HFTL_RULE_STATE;
    return HFTL_OK;
}

static enum hftl_status judge_finish(const struct hftl_media_facts *facts,
                                     const struct hftl_chunk *c)
{
    if (c->state == HFTL_CHUNK_READ_ONLY)
        return HFTL_READ_ONLY;
    if (c->state == HFTL_CHUNK_FULL)
        return HFTL_RULE_STATE;
    if (c->state == HFTL_CHUNK_FREE && facts->kind != HFTL_KIND_ZONED)
        return HFTL_RULE_STATE;
    return HFTL_OK;
}

enum hftl_status rules_judge(const struct hftl_media_facts *facts, const struct rules_place *place,
                             const struct hftl_media_op *op)
{
    if (place->chunk->state == HFTL_CHUNK_OFFLINE)
        return HFTL_OFFLINE;
    enum hftl_status flight = rules_judge_flight(facts, place, op->verb);
    if (flight != HFTL_OK)
        return flight;
    switch (op->verb) {
    case HFTL_MEDIA_READ:
        return judge_read(facts, place->chunk, op);
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        return judge_write(facts, place, op);
    case HFTL_MEDIA_RESET:
        return judge_reset(facts, place->chunk);
    case HFTL_MEDIA_FINISH:
        return judge_finish(facts, place->chunk);
    case HFTL_MEDIA_FLUSH:
    case HFTL_MEDIA_REPORT:
    case HFTL_MEDIA_EVENT:
    case HFTL_MEDIA_VERB_COUNT:
        break;
    }
    return HFTL_UNSUPPORTED;
}

bool rules_write_pauses(const struct hftl_media_facts *facts, const struct rules_place *place)
{
    return facts->kind == HFTL_KIND_ZONED && facts->open_max != 0 &&
           place->open_count >= facts->open_max &&
           (place->chunk->state == HFTL_CHUNK_FREE || place->chunk->state == HFTL_CHUNK_PAUSED);
}

void rules_apply_write(struct hftl_chunk *chunk, uint32_t blocks)
{
    must_show(blocks <= chunk->capacity - chunk->wp, blocks, chunk->wp);
    chunk->wp += blocks;
    chunk->state = chunk->wp == chunk->capacity ? HFTL_CHUNK_FULL : HFTL_CHUNK_OPEN;
}

void rules_apply_reset(struct hftl_chunk *chunk)
{
    chunk->state = HFTL_CHUNK_FREE;
    chunk->wp = 0;
    chunk->wear++;
}

void rules_apply_finish(struct hftl_chunk *chunk)
{
    chunk->state = HFTL_CHUNK_FULL;
}

void rules_apply_power_up(const struct hftl_media_facts *facts, struct hftl_chunk *chunk)
{
    if (chunk->state != HFTL_CHUNK_OPEN && chunk->state != HFTL_CHUNK_PAUSED)
        return;
    if (chunk->wp == 0)
        chunk->state = HFTL_CHUNK_FREE;
    else if (facts->kind == HFTL_KIND_ZONED)
        chunk->state = HFTL_CHUNK_PAUSED;
}

bool rules_chunk_sane(const struct hftl_media_facts *facts, const struct hftl_chunk *chunk)
{
    if ((unsigned)chunk->state >= HFTL_CHUNK_STATE_COUNT)
        return false;
    if (chunk->capacity > facts->chunk_blocks || chunk->capacity % facts->ws_min)
        return false;
    if (chunk->wp > chunk->capacity || chunk->wp % facts->ws_min)
        return false;
    if (chunk->state == HFTL_CHUNK_FREE)
        return chunk->wp == 0;
    if (chunk->state == HFTL_CHUNK_OPEN || chunk->state == HFTL_CHUNK_PAUSED)
        return chunk->wp > 0 && chunk->wp < chunk->capacity;
    return true;
}

const char *rules_verb_text(enum hftl_media_verb verb)
{
    static const char *const texts[] = {
#define VERB_TEXT(name, text) [HFTL_MEDIA_##name] = text,
        HFTL_MEDIA_VERB_LIST(VERB_TEXT)
#undef VERB_TEXT
    };
    return (unsigned)verb < HFTL_MEDIA_VERB_COUNT ? texts[verb] : "unknown verb";
}

const char *rules_state_text(enum hftl_chunk_state state)
{
    static const char *const texts[] = {
#define STATE_TEXT(name, text) [HFTL_CHUNK_##name] = text,
        HFTL_CHUNK_STATE_LIST(STATE_TEXT)
#undef STATE_TEXT
    };
    return (unsigned)state < HFTL_CHUNK_STATE_COUNT ? texts[state] : "unknown state";
}
