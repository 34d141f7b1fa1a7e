/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_wrap.c - the wrappers that a stack can name, and their options.
 */
#include <string.h>

#include "media/delay.h"
#include "media/fault.h"
#include "media/guard.h"
#include "media/stack_parts.h"
#include "media/trace.h"

static enum hftl_status wrap_guard(struct words *words, struct hftl_media *inner,
                                   struct hftl_media **media)
{
    enum hftl_status status = words_end(words);
    return status == HFTL_OK ? guard_open(inner, NULL, media) : status;
}

static enum hftl_status wrap_trace(struct words *words, struct hftl_media *inner,
                                   struct hftl_media **media)
{
    struct trace_options options = {.size = sizeof options};
    enum hftl_status status = words_text(words, "", &options.path);
    if (status == HFTL_OK)
        status = words_switch(words, "binary", &options.binary);
    if (status == HFTL_OK)
        status = words_end(words);
    if (status == HFTL_OK && !options.path)
        return words_complain(words, words->at, "trace into which file? Write trace=FILE");
    if (status != HFTL_OK)
        return status;
    status = trace_open(inner, &options, media);
    if (status != HFTL_OK)
        return say(words->to, status, "%s: cannot trace into %s: %s", words->whole, options.path,
                   hftl_status_text(status));
    return HFTL_OK;
}

static enum hftl_status wrap_delay(struct words *words, struct hftl_media *inner,
                                   struct hftl_media **media)
{
    struct delay_options options = delay_plain();
    const struct {
        const char *key;
        uint64_t *ns;
    } times[] = {
        {"read", &options.read_ns},         {"program", &options.program_ns},
        {"erase", &options.erase_ns},       {"flush", &options.flush_ns},
        {"transfer", &options.transfer_ns}, {"suspend", &options.suspend_ns},
        {"progress", &options.progress_ns},
    };
    uint64_t units = 0;
    enum hftl_status status = HFTL_OK;
    for (size_t i = 0; status == HFTL_OK && i < sizeof times / sizeof times[0]; i++) {
        status = words_time(words, times[i].key, times[i].ns);
        if (status == HFTL_OK && *times[i].ns > 3600000000000ull)
            return words_complain(words, words->at, "%s takes more than an hour", times[i].key);
    }
    if (status == HFTL_OK)
        status = words_number(words, "units", 65536, &units);
    if (status == HFTL_OK)
        status = words_end(words);
    if (status != HFTL_OK)
        return status;
    if (options.suspend_ns > 0 && options.progress_ns == 0)
        return words_complain(words, words->at, "with 'progress=0' a program would never end");
    options.units = (uint32_t)units;
    return delay_open(inner, &options, media);
}

/* ---- fault ------------------------------------------------------------------------------- */

static enum hftl_status read_verbs(struct words *words, struct fault_rule *rule)
{
    static const char *const names[] = {"read",  "write",  "reset", "finish",
                                        "flush", "report", "any",   NULL};
    static const uint32_t verbs[] = {
        FAULT_VERB(HFTL_MEDIA_READ),
        FAULT_VERB(HFTL_MEDIA_WRITE) | FAULT_VERB(HFTL_MEDIA_APPEND),
        FAULT_VERB(HFTL_MEDIA_RESET),
        FAULT_VERB(HFTL_MEDIA_FINISH),
        FAULT_VERB(HFTL_MEDIA_FLUSH),
        FAULT_VERB(HFTL_MEDIA_REPORT),
        0,
    };
    unsigned which = 6;
    enum hftl_status status = words_choice(words, "", names, &which);
    rule->verbs = verbs[which];
    return status;
}

static enum hftl_status read_deed(struct words *words, struct fault_rule *rule)
{
    static const char *const deeds[] = {"fail", "flip", "retire", "hold", NULL};
    static const char *const results[] = {"io",      "space",     "memory",  "closed-early",
                                          "skipped", "read-only", "offline", NULL};
    static const enum hftl_status statuses[] = {HFTL_IO, HFTL_SPACE, HFTL_MEMORY, HFTL_CLOSED_EARLY,
                                                HFTL_WRITE_SKIPPED};
    unsigned deed = FAULT_FAIL, result = 0;
    enum hftl_status status = words_choice(words, "do", deeds, &deed);
    rule->deed = (enum fault_deed)deed;
    if (rule->deed == FAULT_RETIRE)
        result = 5;
    if (status == HFTL_OK)
        status = words_choice(words, "as", results, &result);
    if (status != HFTL_OK)
        return status;
    bool retires = rule->deed == FAULT_RETIRE;
    if (retires != (result >= 5))
        return words_complain(words, words->at, "'as=%s' does not go with 'do=%s'", results[result],
                              deeds[deed]);
    rule->status = retires ? HFTL_OK : statuses[result];
    rule->state = result == 6 ? HFTL_CHUNK_OFFLINE : HFTL_CHUNK_READ_ONLY;
    return HFTL_OK;
}

static enum hftl_status read_when(struct words *words, struct fault_rule *rule)
{
    uint64_t keep = 0;
    enum hftl_status status = words_number(words, "nth", UINT64_MAX, &rule->nth);
    if (status == HFTL_OK)
        status = words_switch(words, "onwards", &rule->onwards);
    if (status == HFTL_OK)
        status = words_chance(words, "chance", &rule->per_million);
    if (status == HFTL_OK)
        status = words_range(words, "chunk", &rule->chunk_first, &rule->chunk_count);
    if (status == HFTL_OK)
        status = words_range(words, "block", &rule->offset_first, &rule->offset_blocks);
    if (status == HFTL_OK)
        status = words_number(words, "keep", FAULT_KEEP_ALL, &keep);
    if (status == HFTL_OK)
        status = words_number(words, "until", UINT64_MAX, &rule->until);
    rule->keep = (uint32_t)keep;
    return status;
}

static enum hftl_status check_rule(struct words *words, const struct fault_rule *rule,
                                   const struct hftl_media_facts *facts)
{
    if (rule->onwards && rule->nth == 0)
        return words_complain(words, words->at, "'onwards' from which one? Write nth=N");
    if (rule->nth != 0 && rule->per_million != 0)
        return words_complain(words, words->at, "either 'nth' or 'chance'");
    if (rule->offset_blocks != 0 && rule->chunk_count == 0)
        return words_complain(words, words->at, "'block' of which chunk? Write chunk=N");
    const char *nonsense = fault_rule_nonsense(rule, facts);
    return nonsense ? words_complain(words, words->at, "%s", nonsense) : HFTL_OK;
}

static enum hftl_status wrap_fault(struct words *words, struct hftl_media *inner,
                                   struct hftl_media **media)
{
    struct fault_rule rule = {0};
    struct fault_options options = {
        .size = sizeof options, .rule_count = 1, .rules = &rule, .seed = 1};
    enum hftl_status status = read_verbs(words, &rule);
    if (status == HFTL_OK)
        status = read_deed(words, &rule);
    if (status == HFTL_OK)
        status = read_when(words, &rule);
    if (status == HFTL_OK)
        status = words_number(words, "seed", UINT64_MAX, &options.seed);
    if (status == HFTL_OK)
        status = words_end(words);
    if (status == HFTL_OK)
        status = check_rule(words, &rule, &inner->facts);
    return status == HFTL_OK ? fault_open(inner, &options, media) : status;
}

/* ---- all of them ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum hftl_status (*wrap)(struct words *words, struct hftl_media *inner,
                             struct hftl_media **media);
} wrappers[] = {
    {"delay", wrap_delay},
    {"fault", wrap_fault},
    {"guard", wrap_guard},
    {"trace", wrap_trace},
};
enum { WRAPPERS = sizeof wrappers / sizeof wrappers[0] };

bool stack_is_wrapper(const char *name, size_t length)
{
    for (size_t i = 0; i < WRAPPERS; i++) {
        if (strlen(wrappers[i].name) == length && memcmp(wrappers[i].name, name, length) == 0)
            return true;
    }
    return false;
}

enum hftl_status stack_wrap_words(struct words *words, struct hftl_media *inner,
                                  struct hftl_media **media)
{
    for (size_t i = 0; i < WRAPPERS; i++) {
        if (strcmp(wrappers[i].name, words->name) != 0)
            continue;
        if (words->to->why && words->to->why_bytes > 0)
            words->to->why[0] = '\0';
        enum hftl_status status = wrappers[i].wrap(words, inner, media);
        bool silent = words->to->why && words->to->why_bytes > 0 && words->to->why[0] == '\0';
        if (status != HFTL_OK && silent)
            return say(words->to, status, "%s: no %s around it: %s", words->whole, words->name,
                       hftl_status_text(status));
        return status;
    }
    return words_complain(words, words->at, "there is no wrapper '%s'", words->name);
}
