/* SPDX-License-Identifier: BSD-3-Clause */
#define _POSIX_C_SOURCE 200809L

#include "sim/tuning.h"

#include "base/prng.h"
#include "core/victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_fixed;
static struct tuning fixed;
static char fixed_words[TUNING_WORDS_MAX], fixed_option[TUNING_WORDS_MAX + 16];

static void choose_limits(struct hftl_limits *limits, struct prng *prng)
{
    uint32_t bands = 0, percent = 0;
    limits->size = sizeof *limits;
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++) {
        bands += (uint32_t)prng_below(prng, 4);
        percent += (uint32_t)prng_below(prng, 40);
        limits->level[i].bands_free = bands;
        limits->level[i].percent = percent < 100 ? percent : 100;
    }
    if (prng_chance(prng, 2, 3))
        limits->level[HFTL_LIMIT_START].percent = 100;
    if (prng_chance(prng, 1, 4))
        limits->level[HFTL_LIMIT_START].bands_free += (uint32_t)prng_below(prng, 40);
}

void tuning_choose(struct tuning *tuning, uint64_t seed)
{
    struct prng prng;
    if (is_fixed) {
        *tuning = fixed;
        return;
    }
    prng_seed(&prng, seed ^ UINT64_C(0x7e11));
    *tuning = (struct tuning){0};
    if (prng_chance(&prng, 1, 2))
        return;
    tuning->victims = (uint32_t)prng_below(&prng, HFTL_RELOCATION_VICTIMS_MAX + 1);
    tuning->blocks = (uint32_t)prng_below(&prng, prng_chance(&prng, 1, 2) ? 5 : 65);
    const struct victim_policy *policy = victim_policy_at((unsigned)prng_below(&prng, 6));
    tuning->policy = policy ? policy->name : NULL;
    tuning->limited = prng_chance(&prng, 2, 3);
    choose_limits(&tuning->limits, &prng);
    tuning->paused = prng_chance(&prng, 1, 8);
}

void tuning_fit(struct hftl_limits *limits, uint32_t bands, uint32_t reserve)
{
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        if (limits->level[i].bands_free >= bands)
            limits->level[i].bands_free = bands - 1;
    if (limits->level[HFTL_LIMIT_START].bands_free < reserve)
        limits->level[HFTL_LIMIT_START].bands_free = reserve;
}

/* ---- fixed by the command line --------------------------------------------------------------- */

static bool set_number(struct tuning *tuning, const char *key, const char *text)
{
    char *rest;
    unsigned long n = strtoul(text, &rest, 10);
    if (*text == 0 || *rest || n > 100000)
        return false;
    if (strcmp(key, "victims") == 0) {
        tuning->victims = (uint32_t)n;
        return n <= HFTL_RELOCATION_VICTIMS_MAX;
    } else if (strcmp(key, "blocks") == 0) {
        tuning->blocks = (uint32_t)n;
        return n <= HFTL_RELOCATION_BLOCKS_MAX;
    } else if (strcmp(key, "percent") == 0 || strcmp(key, "start") == 0) {
        tuning->limited = true;
        for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
            *(*key == 'p' ? &tuning->limits.level[i].percent
                          : &tuning->limits.level[i].bands_free) = (uint32_t)n;
        return *key != 'p' || n <= 100;
    } else {
        return false;
    }
    return true;
}

static bool set_word(struct tuning *tuning, char *word)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        tuning->paused = tuning->paused || strcmp(word, "paused") == 0;
        return strcmp(word, "paused") == 0 || strcmp(word, "default") == 0;
    }
    *value++ = 0;
    if (strcmp(word, "policy") != 0)
        return set_number(tuning, word, value);
    const struct victim_policy *policy = victim_policy_find(value);
    tuning->policy = policy ? policy->name : NULL;
    return policy != NULL;
}

bool tuning_fix(const char *words)
{
    char *rest = fixed_words;
    if (strlen(words) >= sizeof fixed_words)
        return false;
    strcpy(fixed_words, words);
    fixed = (struct tuning){.limits = {.size = sizeof fixed.limits}};
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        fixed.limits.level[i] = (struct hftl_limit){4, 100};
    for (char *word = strtok_r(rest, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
        if (!set_word(&fixed, word))
            return false;
    snprintf(fixed_option, sizeof fixed_option, " --tuning %s", words);
    is_fixed = true;
    return true;
}

const char *tuning_option(void)
{
    return is_fixed ? fixed_option : "";
}
