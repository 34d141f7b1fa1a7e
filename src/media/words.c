/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum hftl_status words_complain(const struct words *words, size_t at, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return say(words->to, HFTL_INVALID, "%s: at byte %zu: %s", words->whole, at + 1, what);
}

static enum hftl_status add_word(struct words *words, const char *key, size_t at)
{
    if (words->count == WORDS_MAX)
        return words_complain(words, at, "more than %u options", WORDS_MAX);
    words->words[words->count++] = (struct word){.key = key, .at = at};
    return HFTL_OK;
}

/* One character of the copy; `at` moves past what it was made of. */
static enum hftl_status copy_char(struct words *words, size_t *at, char **to)
{
    const char *end = words->text + sizeof words->text - 1;
    if (words->whole[*at] == '\\')
        ++*at;
    if (words->whole[*at] == '\0')
        return words_complain(words, *at - 1, "a backslash at the end");
    if (*to >= end)
        return words_complain(words, *at, "the options are longer than %u bytes", WORDS_TEXT_MAX);
    *(*to)++ = words->whole[(*at)++];
    return HFTL_OK;
}

/* What an unescaped character does: ends the key or the value, or nothing. */
static enum hftl_status take_mark(struct words *words, size_t at, char **to, bool *in_value)
{
    struct word *last = words->count > 0 ? &words->words[words->count - 1] : NULL;
    if (*to >= words->text + sizeof words->text - 2)
        return words_complain(words, at, "the options are longer than %u bytes", WORDS_TEXT_MAX);
    *(*to)++ = '\0';
    if (words->whole[at] == ',') {
        *in_value = false;
        return add_word(words, *to, at + 1);
    }
    *in_value = true;
    if (last) {
        last->value = *to;
        return HFTL_OK;
    }
    enum hftl_status status = add_word(words, "", at + 1); /* "trace=FILE" */
    words->words[0].value = *to;
    return status;
}

enum hftl_status words_parse(struct words *words, const char *whole, size_t at, bool colon,
                             size_t *end)
{
    char *to = words->text;
    bool in_value = false;
    words->whole = whole;
    words->at = at;
    words->name = to;
    words->count = 0;
    while (whole[at] != '\0' && !(colon && whole[at] == ':')) {
        bool mark = whole[at] == ',' || (whole[at] == '=' && !in_value);
        enum hftl_status status =
            mark ? take_mark(words, at, &to, &in_value) : copy_char(words, &at, &to);
        if (status != HFTL_OK)
            return status;
        at += mark;
    }
    *to = '\0';
    *end = at;
    return HFTL_OK;
}

/* The option, NULL: not given. INVALID: given twice, or without a value. */
static enum hftl_status find(struct words *words, const char *key, bool valued, struct word **found)
{
    *found = NULL;
    for (unsigned i = 0; i < words->count; i++) {
        struct word *word = &words->words[i];
        if (strcmp(word->key, key) != 0)
            continue;
        if (*found)
            return words_complain(words, word->at, "'%s' is given twice", key);
        word->used = true;
        *found = word;
    }
    if (*found && valued && (!(*found)->value || !*(*found)->value))
        return words_complain(words, (*found)->at, "'%s' needs a value: %s=...", key, key);
    if (*found && !valued && (*found)->value)
        return words_complain(words, (*found)->at, "'%s' takes no value", key);
    return HFTL_OK;
}

/* Digits; *text moves behind them. False: none, or more than 64 bits. */
static bool read_digits(const char **text, uint64_t *number)
{
    const char *start = *text;
    *number = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (*number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return *text != start;
}

struct unit {
    const char *name;
    uint64_t times;
};

/* A number with one of the units behind it. */
static enum hftl_status take_measure(struct words *words, const char *key, const struct unit *units,
                                     const char *help, uint64_t *out)
{
    struct word *word;
    uint64_t number;
    enum hftl_status status = find(words, key, true, &word);
    if (status != HFTL_OK || !word)
        return status;
    const char *text = word->value;
    if (read_digits(&text, &number)) {
        for (; units->name; units++) {
            if (strcmp(text, units->name) != 0 || number > UINT64_MAX / units->times)
                continue;
            *out = number * units->times;
            return HFTL_OK;
        }
    }
    return words_complain(words, word->at, "'%s' is not %s", word->value, help);
}

enum hftl_status words_bytes(struct words *words, const char *key, uint64_t *out)
{
    static const struct unit units[] = {{"", 1},           {"K", 1u << 10},     {"M", 1u << 20},
                                        {"G", 1ull << 30}, {"T", 1ull << 40},   {"KiB", 1u << 10},
                                        {"MiB", 1u << 20}, {"GiB", 1ull << 30}, {NULL, 0}};
    return take_measure(words, key, units, "a size: bytes, or a number with K, M, G or T", out);
}

enum hftl_status words_time(struct words *words, const char *key, uint64_t *out)
{
    static const struct unit units[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
    return take_measure(words, key, units, "a time: a number with ns, us, ms or s", out);
}

enum hftl_status words_number(struct words *words, const char *key, uint64_t max, uint64_t *out)
{
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    uint64_t number = 0;
    struct word *word;
    enum hftl_status status = find(words, key, true, &word);
    if (status != HFTL_OK || !word)
        return status;
    status = take_measure(words, key, units, "a number", &number);
    if (status == HFTL_OK && number > max)
        return words_complain(words, word->at, "%s=%s: at most %llu", key, word->value,
                              (unsigned long long)max);
    if (status == HFTL_OK)
        *out = number;
    return status;
}

enum hftl_status words_chance(struct words *words, const char *key, uint32_t *out)
{
    struct word *word;
    uint64_t whole, part = 0;
    enum hftl_status status = find(words, key, true, &word);
    if (status != HFTL_OK || !word)
        return status;
    const char *text = word->value;
    unsigned digits = 0;
    bool right = read_digits(&text, &whole) && whole <= 100;
    if (right && *text == '.') {
        const char *start = ++text;
        right = read_digits(&text, &part);
        digits = (unsigned)(text - start);
    }
    bool percent = *text == '%';
    unsigned places = percent ? 4 : 6;
    right = right && digits <= places && strcmp(text, percent ? "%" : "") == 0;
    while (digits++ < places)
        part *= 10;
    uint64_t millionths = right ? whole * (percent ? 10000u : 1000000u) + part : 0;
    if (!right || millionths == 0 || millionths > 1000000)
        return words_complain(words, word->at,
                              "'%s' is not a chance: more than 0, at most 1 or 100%%", word->value);
    *out = (uint32_t)millionths;
    return HFTL_OK;
}

enum hftl_status words_range(struct words *words, const char *key, uint32_t *first, uint32_t *count)
{
    struct word *word;
    uint64_t from, other = 0;
    enum hftl_status status = find(words, key, true, &word);
    if (status != HFTL_OK || !word)
        return status;
    const char *text = word->value;
    bool right = read_digits(&text, &from);
    char mark = *text;
    if (right && (mark == '-' || mark == '+')) {
        text++;
        right = read_digits(&text, &other);
    }
    uint64_t n = mark == '-' ? other - from + 1 : mark == '+' ? other : 1;
    if (!right || *text != '\0' || from > UINT32_MAX || (mark == '-' && other < from) || n == 0 ||
        n > UINT32_MAX)
        return words_complain(words, word->at, "'%s' is not a range such as 5, 5-9 or 5+4",
                              word->value);
    *first = (uint32_t)from;
    *count = (uint32_t)n;
    return HFTL_OK;
}

enum hftl_status words_choice(struct words *words, const char *key, const char *const *names,
                              unsigned *out)
{
    struct word *word;
    char list[128] = "";
    size_t used = 0;
    enum hftl_status status = find(words, key, true, &word);
    if (status != HFTL_OK || !word)
        return status;
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(names[i], word->value) == 0) {
            *out = i;
            return HFTL_OK;
        }
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
        used += n > 0 && (size_t)n < sizeof list - used ? (size_t)n : 0;
    }
    return words_complain(words, word->at, "'%s' is none of %s", word->value, list);
}

enum hftl_status words_switch(struct words *words, const char *key, bool *out)
{
    struct word *word;
    enum hftl_status status = find(words, key, false, &word);
    if (status == HFTL_OK && word)
        *out = true;
    return status;
}

enum hftl_status words_text(struct words *words, const char *key, const char **out)
{
    struct word *word;
    enum hftl_status status = find(words, key, true, &word);
    if (status == HFTL_OK && word)
        *out = word->value;
    return status;
}

enum hftl_status words_end(struct words *words)
{
    for (unsigned i = 0; i < words->count; i++) {
        const struct word *word = &words->words[i];
        if (!word->used && *word->key == '\0')
            return words_complain(words, word->at, "%s takes no value of its own", words->name);
        if (!word->used)
            return words_complain(words, word->at, "%s has no option '%s'", words->name, word->key);
    }
    return HFTL_OK;
}
