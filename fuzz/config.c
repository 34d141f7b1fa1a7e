/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - the configuration of the nbdkit plugin: the shipping plugin, with the few functions of
 * nbdkit that reading it calls.
 *
 *   lines of KEY=VALUE, as on nbdkit's command line; a line without '=' is the drive
 *
 * The plugin is not made ready, so no file is opened.
 */
#define _GNU_SOURCE
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 16u
#define TEXT_MAX 4000u

struct nbdkit_plugin *plugin_init(void);

/* ---- nbdkit, as far as it is called ---------------------------------------------------------- */

static unsigned errors;

void nbdkit_error(const char *format, ...)
{
    char sentence[8192];
    va_list list;
    va_start(list, format);
    must(vsnprintf(sentence, sizeof sentence, format, list) > 0);
    va_end(list);
    errors++;
}

void nbdkit_debug(const char *format, ...)
{
    (void)format;
}

void nbdkit_set_error(int error)
{
    (void)error;
}

int nbdkit_add_extent(struct nbdkit_extents *extents, uint64_t offset, uint64_t length,
                      uint32_t type)
{
    (void)extents;
    (void)offset;
    (void)length;
    (void)type;
    return 0;
}

void nbdkit_shutdown(void)
{
}

int nbdkit_parse_bool(const char *text)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    bool no = strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
    if (!yes && !no)
        nbdkit_error("not a boolean: %s", text);
    return yes ? 1 : no ? 0 : -1;
}

int64_t nbdkit_parse_size(const char *text)
{
    char *end;
    long long size = strtoll(text, &end, 10);
    if (end == text || size < 0 || (*end != '\0' && strcmp(end, "M") != 0))
        nbdkit_error("not a size: %s", text);
    else
        return size;
    return -1;
}

char *nbdkit_absolute_path(const char *path)
{
    size_t bytes = strlen(path) + 8;
    char *made = malloc(bytes);
    must(made != NULL);
    snprintf(made, bytes, "%s%s", path[0] == '/' ? "" : "/here/", path);
    return made;
}

char *nbdkit_realpath(const char *path)
{
    (void)path;
    return strdup("/here");
}

/* ---- the target ------------------------------------------------------------------------------ */

/* As nbdkit does: a key is a word of letters, digits and "-_."; anything else is for the magic
 * key. Every refusal has a sentence. */
static bool give(const struct nbdkit_plugin *plugin, char *line)
{
    char *equals = strchr(line, '=');
    size_t word = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    const char *key = plugin->magic_config_key, *value = line;
    if (equals && line + word == equals && word > 0) {
        *equals = '\0';
        key = line;
        value = equals + 1;
    }
    errors = 0;
    int result = plugin->config(key, value);
    must(result == 0 || result == -1);
    must_show(result == 0 || errors > 0, result, errors);
    return result == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct nbdkit_plugin *plugin;
    struct input input = {data, size};
    bool good = true;
    if (plugin == NULL)
        plugin = plugin_init();
    if (size > TEXT_MAX)
        return 0;
    char *text = (char *)fuzz_copy(&input, size + 1), *rest = text;
    for (unsigned i = 0; i < LINES_MAX && good && *rest != '\0'; i++) {
        char *line = rest;
        rest += strcspn(rest, "\n");
        if (*rest == '\n')
            *rest++ = '\0';
        good = give(plugin, line);
    }
    errors = 0;
    int complete = good ? plugin->config_complete() : 0;
    must_show(complete == 0 || errors > 0, complete, errors);
    plugin->unload();
    free(text);
    return 0;
}
