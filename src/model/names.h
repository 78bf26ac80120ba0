/* names.h - finding names in a list by binary search. */
#ifndef REDRESS_MODEL_NAMES_H
#define REDRESS_MODEL_NAMES_H

#include "base/arena.h"
#include "base/text.h"

/* The indices of names in rising order of the names; NULL when the arena is full.
 * *duplicate is the index of a name that occurs before, or -1. */
int *names_sort(const char *const *names, int count, struct arena *arena, int *duplicate);

/* Index of a name, or -1. */
int names_find(const char *const *names, const int *order, int count, struct text name);

#endif
