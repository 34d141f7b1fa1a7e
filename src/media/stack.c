/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/stack_parts.h"

/* A stack taken apart: where its wrappers begin, and what is at the bottom. */
struct chain {
    const char *text;
    size_t wrappers[STACK_DEPTH_MAX]; /* the outermost first */
    unsigned count;
    bool overlay; /* changes are to be forgotten */
    enum stack_kind kind;
    size_t kind_at; /* of its name; where a kind is given */
    size_t rest;    /* the path, or what mem is to be */
};

static bool names(const char *name, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(name, word, length) == 0;
}

static enum stack_kind find_kind(const char *name, size_t length)
{
    return names(name, length, "emu")    ? STACK_EMU
           : names(name, length, "flat") ? STACK_FLAT
           : names(name, length, "mem")  ? STACK_MEM
                                         : STACK_ANY;
}

/* The length of the name of an element that begins at `at`; 0: what is there is a path. An element
 * has a name that we know, and a ':' behind its options. */
static size_t find_element(const char *text, size_t at)
{
    size_t length = strcspn(text + at, ",=:/");
    const char *name = text + at;
    if (!stack_is_wrapper(name, length) && find_kind(name, length) == STACK_ANY &&
        !names(name, length, "overlay"))
        return 0;
    for (at += length; text[at] != '\0' && text[at] != ':'; at++) {
        if (text[at] == '\\' && text[at + 1] != '\0')
            at++;
    }
    return text[at] == ':' ? length : 0;
}

static enum hftl_status complain(const struct chain *chain, size_t at, const char *what,
                                 const struct say *to)
{
    return say(to, HFTL_INVALID, "%s: at byte %zu: %s", chain->text, at + 1, what);
}

/* One element; *at moves behind its colon. */
static enum hftl_status take_element(struct chain *chain, size_t *at, size_t length,
                                     const struct say *to)
{
    struct words words = {.to = to};
    size_t start = *at;
    const char *name = chain->text + start;
    enum hftl_status status = words_parse(&words, chain->text, start, true, at);
    if (status != HFTL_OK)
        return status;
    ++*at;
    if (chain->overlay && find_kind(name, length) == STACK_ANY)
        return complain(chain, start, "overlay: goes around a drive, not around a wrapper", to);
    if (names(name, length, "overlay")) {
        chain->overlay = true;
        return words_end(&words);
    }
    chain->kind = find_kind(name, length);
    chain->kind_at = start;
    if (chain->kind != STACK_ANY)
        return HFTL_OK;
    if (chain->count == STACK_DEPTH_MAX)
        return complain(chain, start, "too many wrappers", to);
    chain->wrappers[chain->count++] = start;
    return HFTL_OK;
}

static enum hftl_status take_apart(struct chain *chain, const char *text, const struct say *to)
{
    size_t at = 0;
    *chain = (struct chain){.text = text};
    while (chain->kind == STACK_ANY) {
        size_t length = find_element(text, at);
        if (length == 0)
            break;
        enum hftl_status status = take_element(chain, &at, length, to);
        if (status != HFTL_OK)
            return status;
    }
    chain->rest = at;
    if (text[at] == '\0')
        return complain(chain, at, chain->kind == STACK_MEM ? "of which size?" : "no path", to);
    return HFTL_OK;
}

static enum hftl_status open_bottom(const struct chain *chain,
                                    const struct hftl_media_open_options *asked,
                                    struct hftl_media **media, const struct say *to)
{
    struct words words = {.to = to};
    struct hftl_media_open_options options = *asked;
    size_t end;
    if (chain->overlay)
        options.flags |= HFTL_MEDIA_OPEN_PRIVATE;
    if (chain->kind == STACK_ANY)
        return stack_open_file(chain->text + chain->rest, STACK_ANY, NULL, &options, media, to);
    enum hftl_status status = chain->kind == STACK_MEM
                                  ? words_parse(&words, chain->text, chain->rest, false, &end)
                                  : words_parse(&words, chain->text, chain->kind_at, true, &end);
    if (status != HFTL_OK)
        return status;
    if (chain->kind == STACK_MEM)
        return options.pu_count == 0
                   ? stack_open_mem(&words, media)
                   : say(to, HFTL_UNSUPPORTED, "a drive in memory is not shared by parallel units");
    return stack_open_file(chain->text + chain->rest, chain->kind, &words, &options, media, to);
}

enum hftl_status stack_open(const char *text, const struct hftl_media_open_options *options,
                            struct hftl_media **media, const struct say *to)
{
    struct chain chain;
    struct hftl_media *top = NULL;
    enum hftl_status status = take_apart(&chain, text, to);
    if (status == HFTL_OK)
        status = open_bottom(&chain, options, &top, to);
    if ((options->flags & HFTL_MEDIA_OPEN_LOOK) != 0)
        chain.count = 0;
    for (unsigned i = chain.count; status == HFTL_OK && i > 0; i--) {
        struct words words = {.to = to};
        struct hftl_media *inner = top;
        size_t end;
        status = words_parse(&words, text, chain.wrappers[i - 1], true, &end);
        if (status == HFTL_OK)
            status = stack_wrap_words(&words, inner, &top);
    }
    if (status == HFTL_OK)
        *media = top;
    else if (top)
        top->ops->close(top);
    size_t word = strcspn(text, ",=:/");
    if (status == HFTL_ABSENT && chain.kind == STACK_ANY && chain.rest == 0 && text[word] == ':')
        return say(to, status, "%s: no such file, and '%.*s' is no medium and no wrapper", text,
                   (int)word, text);
    return status;
}

enum hftl_status stack_wrap(const char *text, struct hftl_media *inner, struct hftl_media **media,
                            const struct say *to)
{
    struct words words = {.to = to};
    size_t end;
    enum hftl_status status = words_parse(&words, text, 0, true, &end);
    return status == HFTL_OK ? stack_wrap_words(&words, inner, media) : status;
}

enum hftl_status stack_find_bottom(const char *text, struct stack_bottom *bottom,
                                   const struct say *to)
{
    struct chain chain;
    enum hftl_status status = take_apart(&chain, text, to);
    if (status != HFTL_OK)
        return status;
    *bottom = (struct stack_bottom){
        .kind = chain.kind,
        .path = chain.kind == STACK_MEM ? NULL : text + chain.rest,
        .wrapped = chain.count > 0 || chain.overlay,
    };
    return HFTL_OK;
}

/* ---- paths ------------------------------------------------------------------------------- */

static void add_text(char **to, const char *from, size_t count, bool escape)
{
    for (size_t i = 0; i < count; i++) {
        if (escape && strchr(",:=\\", from[i]))
            *(*to)++ = '\\';
        *(*to)++ = from[i];
    }
}

/* Where the file of a trace begins in the text; SIZE_MAX: another wrapper, or an absolute path. */
static size_t find_trace_path(const char *text, size_t at)
{
    static const char begin[] = "trace=";
    at += sizeof begin - 1;
    bool trace = strncmp(text + at - (sizeof begin - 1), begin, sizeof begin - 1) == 0;
    return trace && text[at] != '/' ? at : SIZE_MAX;
}

char *stack_absolute(const char *text, const char *folder)
{
    struct chain chain;
    const struct say nobody = {NULL, 0};
    size_t longest = strlen(text) + 1, done = 0, length = strlen(folder);
    if (take_apart(&chain, text, &nobody) != HFTL_OK)
        return strdup(text);
    char *made = malloc(longest + (chain.count + 1) * (2 * length + 1));
    char *to = made;
    if (!made)
        return NULL;
    for (unsigned i = 0; i < chain.count; i++) {
        size_t at = find_trace_path(text, chain.wrappers[i]);
        if (at == SIZE_MAX)
            continue;
        add_text(&to, text + done, at - done, false);
        add_text(&to, folder, length, true);
        *to++ = '/';
        done = at;
    }
    add_text(&to, text + done, chain.rest - done, false);
    if (chain.kind != STACK_MEM && text[chain.rest] != '/') {
        add_text(&to, folder, length, false);
        *to++ = '/';
    }
    add_text(&to, text + chain.rest, longest - chain.rest, false);
    return made;
}
