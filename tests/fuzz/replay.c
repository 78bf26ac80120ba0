/* replay.c - feed every file below the named folders to a fuzz target, once. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 16 << 20, PATH_BYTES = 4096 };

/* A copy of the very size, so that a sanitizer sees each byte read too many. */
static void feed(const char *content, size_t bytes)
{
    uint8_t *exact = malloc(bytes ? bytes : 1);

    if (!exact)
        exit(1);
    memcpy(exact, content, bytes);
    LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
}

static long replay_file(const char *path)
{
    struct err err;
    char *content;
    size_t bytes;

    err_clear(&err);
    if (file_read(path, INPUT_BYTES_MAX, &content, &bytes, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    feed(content, bytes);
    free(content);
    return 1;
}

static long replay(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    long count = 0;

    if (!folder)
        return replay_file(path);
    while ((entry = readdir(folder))) {
        char below[PATH_BYTES];

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >=
            (int)sizeof below)
            exit(1);
        count += replay(below);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    long count = 0;

    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    feed("", 0);
    printf("%ld inputs and the empty one replayed\n", count);
    return 0;
}
