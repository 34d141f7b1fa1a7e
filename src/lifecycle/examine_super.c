/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * examine_super.c - both superblock copies. What recovery would repair without a word is told here:
 * a copy that lacks the newest record, and why.
 *
 *      copy A  | record 5 | record 6 | record 7 |
 *      copy B  | record 5 | record 6 | ???      |      torn by a cut, or damaged?
 *
 * The second copy is written only when the first is flushed (O4), so one cut tears one of them.
 * Both torn behind their newest record: somebody damaged them.
 */
#include "lifecycle/examine.h"
#include "lifecycle/look_super.h"

struct log_end {
    uint64_t newest;  /* number of the newest record; 0: none */
    uint32_t next;    /* the block behind it */
    bool torn;        /* something else follows it: */
    uint32_t torn_at; /* there */
    enum hftl_status status;
};

static void take_record(void *arg, const struct look_record *found)
{
    struct log_end *end = arg;
    if (found->status == HFTL_OK) {
        *end = (struct log_end){.newest = found->record->number,
                                .next = found->offset + found->blocks};
    } else if (!end->torn) {
        end->torn = true;
        end->torn_at = found->offset;
        end->status = found->status;
    }
}

static void judge_copy(struct examine *e, uint32_t copy, const struct log_end ends[2])
{
    const struct log_end *mine = &ends[copy];
    bool both = ends[0].torn && ends[1].torn;
    bool lacks = mine->newest < e->found.record.number;
    bool damaged = mine->torn && (both || (lacks && e->result->clean));
    enum hftl_finding_level level = damaged ? HFTL_FINDING_ERROR : HFTL_FINDING_NOTE;
    struct hftl_finding finding = examine_nowhere("superblock");
    finding.place.chunk = e->found.copies[copy].chunk;
    finding.place.offset = mine->torn ? mine->torn_at : mine->next;
    char name = copy == 0 ? 'A' : 'B';
    if (e->found.copies[copy].state.state == HFTL_CHUNK_OFFLINE)
        examine_say(e, HFTL_FINDING_ERROR, HFTL_OFFLINE, &finding,
                    "the chunk of superblock copy %c is offline", name);
    else if (mine->torn)
        examine_say(e, level, mine->status, &finding,
                    "superblock copy %c: what follows its record %llu is not a whole record%s%s",
                    name, (unsigned long long)mine->newest,
                    lacks ? "; the other copy has newer ones" : "",
                    both ? "; no cut tears both copies, so a newer state was damaged" : "");
    else if (lacks)
        examine_say(e, level, HFTL_OK, &finding,
                    "superblock copy %c ends with record %llu, and the newest is %llu", name,
                    (unsigned long long)mine->newest, (unsigned long long)e->found.record.number);
}

enum hftl_status examine_superblocks(struct examine *e)
{
    struct log_end ends[2] = {{0}};
    enum hftl_status status = HFTL_OK;
    for (uint32_t copy = 0; copy < 2 && status == HFTL_OK; copy++)
        status = look_records(&e->b, &e->found.record, copy, take_record, &ends[copy]);
    for (uint32_t copy = 0; copy < 2 && status == HFTL_OK; copy++)
        judge_copy(e, copy, ends);
    return status;
}
