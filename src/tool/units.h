/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * units.h - numbers as people write and read them.
 *
 * PROMISES  what is parsed is exact: a number that does not fit, a fraction, a sign, anything
 *           behind the number is refused. What is printed for people may be rounded; JSON never
 *           comes from here.
 */
#ifndef HOSTFTL_TOOL_UNITS_H
#define HOSTFTL_TOOL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostftl/hostftl.h>

/* "4096", "16M", "1G", "1GiB": K, M, G, T, P (also in lower case) are powers of 1024. "1GB" is
 * refused, because half of its readers mean 10^9. */
bool units_parse_bytes(const char *text, uint64_t *bytes);
/* Digits only, at most `max`. */
bool units_parse_count(const char *text, uint64_t max, uint64_t *count);
/* "4-7", "4": the first of them and how many. False also for "7-4". */
bool units_parse_range(const char *text, uint32_t *first, uint32_t *count);
/* "20", "12.5": percent with at most one decimal, as permille, at most `max`. */
bool units_parse_permille(const char *text, uint32_t max, uint32_t *permille);

/* "always", "relocation", "cached", "cached:64M": how reads are verified, and the bytes of the
 * cache, 0 where none are said. */
bool units_parse_verify(const char *text, enum hftl_verify *verify, uint64_t *cache_bytes);

/* "1.0 GiB", "512 B". Returns `text`. */
const char *units_bytes(uint64_t bytes, char *text, size_t text_bytes);
/* "1:02:03", "0:07": seconds. Returns `text`. */
const char *units_seconds(uint64_t seconds, char *text, size_t text_bytes);

#endif
