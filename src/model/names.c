/* names.c - sorted indices into lists of names. */
#include "model/names.h"

#include <stdlib.h>

static int compare(const void *a, const void *b, void *names)
{
    int i = *(const int *)a, j = *(const int *)b;
    int order = strcmp(((const char *const *)names)[i], ((const char *const *)names)[j]);

    return order ? order : i - j;
}

int *names_sort(const char *const *names, int count, struct arena *arena, int *duplicate)
{
    int *order = arena_array(arena, int, (size_t)count + 1);

    *duplicate = -1;
    if (!order)
        return NULL;
    for (int i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, (size_t)count, sizeof *order, compare, (void *)names);
    for (int i = 1; i < count && *duplicate < 0; i++)
        if (strcmp(names[order[i - 1]], names[order[i]]) == 0)
            *duplicate = order[i];
    return order;
}

/* As strcmp, the name ending without a NUL. */
static int compare_text(struct text name, const char *other)
{
    size_t bytes = strlen(other);
    size_t shorter = name.bytes < bytes ? name.bytes : bytes;
    int order = shorter ? memcmp(name.at, other, shorter) : 0;

    return order ? order : (name.bytes > bytes) - (name.bytes < bytes);
}

int names_find(const char *const *names, const int *order, int count, struct text name)
{
    int from = 0, to = count;

    while (from < to) {
        int middle = from + (to - from) / 2;
        int comparison = compare_text(name, names[order[middle]]);

        if (comparison == 0)
            return order[middle];
        if (comparison < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return -1;
}
