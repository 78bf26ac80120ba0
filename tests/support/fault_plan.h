/* fault_plan.h - which call of another process is to fail: a page shared with
 * tests/preload/fault.c, which is preloaded into it. Armed and disarmed while it runs.
 *
 * A test makes the page, puts the library and the page's name into its environment for as
 * long as it starts the process that is to suffer, and then arms. One process at a
 * time. */
#ifndef REDRESS_TESTS_FAULT_PLAN_H
#define REDRESS_TESTS_FAULT_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>

enum call_kind {
    CALL_NONE,
    CALL_MEMORY,   /* malloc, calloc, realloc, aligned_alloc: ENOMEM */
    CALL_WRITE,    /* write, pwrite, writev: EIO */
    CALL_FULL,     /* the same: half of it is written, then ENOSPC */
    CALL_SHORT,    /* the same: half of it is written, and said so */
    CALL_SYNC,     /* fsync, fdatasync: EIO */
    CALL_READ,     /* read, pread: EIO */
    CALL_OPEN,     /* open, openat, fopen: EMFILE */
    CALL_TRUNCATE, /* ftruncate, fallocate: EIO */
    CALL_MAP,      /* mmap of a file: ENOMEM */
    CALL_KIND_COUNT
};

enum { FAULT_PATH_BYTES = 128 };
#define FAULT_PLAN_VARIABLE "FAULT_PLAN"

/* What is in the page. */
struct fault_plan {
    atomic_int kind; /* enum call_kind */
    atomic_long nth; /* from 1 */
    atomic_bool is_lasting;
    char path[FAULT_PATH_BYTES]; /* calls on files whose path has this in it; an open
                                             file's path ends with '$' */
    atomic_long call_count, struck_count; /* since it was armed */
};

/* The page in a file of this folder, disarmed. It lasts until the program ends. NULL when
 * it cannot be made, with a word on stderr. */
struct fault_plan *fault_plan_make(const char *folder);

/* Whether what is started from now on has the library in it. */
void fault_plan_preload(bool is_preloaded);

/* The nth call of that kind from now on fails, and all after it when is_lasting. path
 * counts for all kinds but memory. */
void fault_plan_arm(struct fault_plan *plan, enum call_kind kind, long nth,
                    bool is_lasting, const char *path);

/* All is well again. Returns how often it has struck. */
long fault_plan_disarm(struct fault_plan *plan);

/* "malloc", "fsync", ... */
const char *call_kind_name(enum call_kind kind);

#endif
