/* failing_memory.h - in a program that is linked for it (Makefile), malloc and what is
 * like it, and pthread_create, fail when told to, wherever this project's own code asks;
 * so it does under sanitizers, too. */
#ifndef REDRESS_TESTS_FAILING_MEMORY_H
#define REDRESS_TESTS_FAILING_MEMORY_H

#include <stdbool.h>

/* The nth call of any thread from now on fails, from 1; and all after it when
 * is_lasting. */
void memory_arm(long nth, bool is_lasting);

/* All is well again; whether it has struck. */
bool memory_disarm(void);

#endif
