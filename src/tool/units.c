/* SPDX-License-Identifier: BSD-3-Clause */
/* units.c - see units.h. */
#include "tool/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "KMGTP";

/* Digits at *text, which is moved behind them. False: none, or beyond 64 bits. */
static bool digits(const char **text, uint64_t *n)
{
    const char *start = *text;

    *n = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        uint64_t digit = (uint64_t)(**text - '0');

        if (*n > (UINT64_MAX - digit) / 10)
            return false;
        *n = *n * 10 + digit;
    }
    return *text != start;
}

bool units_parse_bytes(const char *text, uint64_t *bytes)
{
    uint64_t n;
    unsigned shift = 0;

    if (!digits(&text, &n))
        return false;
    if (*text != '\0') {
        char upper = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;
        const char *letter = strchr(letters, upper);

        if (letter == NULL)
            return false;
        shift = 10 * (unsigned)(letter - letters + 1);
        text++;
    }
    if (*text != '\0' && (shift == 0 || strcmp(text, "iB") != 0))
        return false;
    if (n > UINT64_MAX >> shift)
        return false;
    *bytes = n << shift;
    return true;
}

bool units_parse_count(const char *text, uint64_t max, uint64_t *count)
{
    return digits(&text, count) && *text == '\0' && *count <= max;
}

bool units_parse_range(const char *text, uint32_t *first, uint32_t *count)
{
    char before[16];
    uint64_t low, high;
    size_t length = strcspn(text, "-");

    if (length >= sizeof before)
        return false;
    memcpy(before, text, length);
    before[length] = '\0';
    if (!units_parse_count(before, UINT32_MAX - 1, &low) ||
        !units_parse_count(text[length] == '-' ? text + length + 1 : before, UINT32_MAX - 1,
                           &high) ||
        high < low)
        return false;
    *first = (uint32_t)low;
    *count = (uint32_t)(high - low) + 1;
    return true;
}

bool units_parse_permille(const char *text, uint32_t max, uint32_t *permille)
{
    uint64_t whole;
    uint64_t tenth = 0;

    if (!digits(&text, &whole) || whole > max)
        return false;
    if (*text == '.') {
        const char *start = ++text;

        if (!digits(&text, &tenth) || text != start + 1)
            return false;
    }
    if (*text == '%')
        text++;
    if (*text != '\0' || whole * 10 + tenth > max)
        return false;
    *permille = (uint32_t)(whole * 10 + tenth);
    return true;
}

bool units_parse_verify(const char *text, enum hftl_verify *verify, uint64_t *cache_bytes)
{
    static const char *const words[] = {
        [HFTL_VERIFY_ALWAYS] = "always",
        [HFTL_VERIFY_RELOCATION] = "relocation",
        [HFTL_VERIFY_CACHED] = "cached",
    };

    *cache_bytes = 0;
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        *verify = (enum hftl_verify)i;
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    *verify = HFTL_VERIFY_CACHED;
    return strncmp(text, "cached:", 7) == 0 && units_parse_bytes(text + 7, cache_bytes) &&
           *cache_bytes > 0;
}

const char *units_bytes(uint64_t bytes, char *text, size_t text_bytes)
{
    size_t i = 0;
    double n = (double)bytes;

    if (bytes < 1024) {
        (void)snprintf(text, text_bytes, "%" PRIu64 " B", bytes);
        return text;
    }
    for (n /= 1024; n >= 1024 && letters[i + 1] != '\0'; i++)
        n /= 1024;
    (void)snprintf(text, text_bytes, "%.1f %ciB", n, letters[i]);
    return text;
}

const char *units_seconds(uint64_t seconds, char *text, size_t text_bytes)
{
    uint64_t hours = seconds / 3600;
    unsigned minutes = (unsigned)(seconds / 60 % 60);
    unsigned rest = (unsigned)(seconds % 60);

    if (hours > 0)
        (void)snprintf(text, text_bytes, "%" PRIu64 ":%02u:%02u", hours, minutes, rest);
    else
        (void)snprintf(text, text_bytes, "%u:%02u", minutes, rest);
    return text;
}
