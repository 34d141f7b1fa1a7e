/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * words.h - the options of one element of a stack: `name=value,key=value,key`.
 *
 * OWNS      nothing; the values it gives out are copies in the struct.
 * PROMISES  every option is asked for or refused; an error names the byte in the whole text.
 * IGNORES   what options mean.
 *
 * A backslash takes away the meaning of the character behind it, so that a value can hold ',' and
 * ':'. The first value may stand behind the name itself ("trace=FILE"): its key is "".
 */
#ifndef HOSTFTL_MEDIA_WORDS_H
#define HOSTFTL_MEDIA_WORDS_H

#include "media/say.h"

#define WORDS_MAX 16u
#define WORDS_TEXT_MAX 1024u

struct word {
    const char *key;
    const char *value; /* NULL: there is no '=' */
    size_t at;         /* byte of its key in the whole text, from 0 */
    bool used;
};

struct words {
    const char *whole; /* the text of the stack, for messages */
    const struct say *to;
    const char *name;
    size_t at; /* of the name */
    struct word words[WORDS_MAX];
    unsigned count;
    char text[WORDS_TEXT_MAX]; /* the copy that keys and values point into */
};

/*
 * Parses from whole + at to the end of the element: an unescaped ':' when `colon`, else the end of
 * the text. *end is the byte behind the element. INVALID.
 */
HFTL_MUST_USE enum hftl_status words_parse(struct words *words, const char *whole, size_t at,
                                           bool colon, size_t *end);

/* Each of these leaves *out alone where the option is not given, and returns INVALID with a
 * sentence where its value makes no sense. */
HFTL_MUST_USE enum hftl_status words_number(struct words *words, const char *key, uint64_t max,
                                            uint64_t *out);
/* Bytes, with K, M, G or T. */
HFTL_MUST_USE enum hftl_status words_bytes(struct words *words, const char *key, uint64_t *out);
/* Nanoseconds, with ns, us, ms or s. */
HFTL_MUST_USE enum hftl_status words_time(struct words *words, const char *key, uint64_t *out);
/* A number of parts in a million: "0.01%", or "1" to "0" with up to six digits. */
HFTL_MUST_USE enum hftl_status words_chance(struct words *words, const char *key, uint32_t *out);
/* "5", "5-9" or "5+4". */
HFTL_MUST_USE enum hftl_status words_range(struct words *words, const char *key, uint32_t *first,
                                           uint32_t *count);
/* One of the names (NULL ends them); *out is its place. */
HFTL_MUST_USE enum hftl_status words_choice(struct words *words, const char *key,
                                            const char *const *names, unsigned *out);
HFTL_MUST_USE enum hftl_status words_switch(struct words *words, const char *key, bool *out);
/* Any text. */
HFTL_MUST_USE enum hftl_status words_text(struct words *words, const char *key, const char **out);
/* INVALID when an option was given that nobody asked for. */
HFTL_MUST_USE enum hftl_status words_end(struct words *words);

/* The sentence for what is wrong at byte `at` (from 0). Returns INVALID. */
__attribute__((format(printf, 3, 4))) enum hftl_status words_complain(const struct words *words,
                                                                      size_t at, const char *format,
                                                                      ...);

#endif
