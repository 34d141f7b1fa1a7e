/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * standalone.c - runs a fuzz target on kept inputs: TARGET FILE|FOLDER... Without an argument that
 * exists it says so and fails, so that a folder that was moved is not taken for a passed test.
 */
#define _GNU_SOURCE
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

static unsigned inputs;

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (!file || fstat(fileno(file), &st) != 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    must(data != NULL);
    bool whole = fread(data, 1, size, file) == size;
    fclose(file);
    fprintf(stderr, "%s\n", path); /* first: the last line names the input that stopped it */
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    inputs++;
    return whole;
}

static bool run_folder(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    bool good = count >= 0;
    for (int i = 0; i < count; i++) {
        char name[PATH_BYTES];
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            good = run_file(name) && good;
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return good;
}

int main(int argc, char **argv)
{
    bool good = true;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0)
            continue; /* nothing was ever found by this target */
        good = (S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i])) && good;
    }
    printf("%u inputs\n", inputs);
    return good && inputs > 0 ? 0 : 1;
}
