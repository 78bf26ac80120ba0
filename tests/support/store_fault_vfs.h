/* store_fault_vfs.h - a disk and a memory below SQLite that fail when told to. */
#ifndef REDRESS_TESTS_STORE_FAULT_VFS_H
#define REDRESS_TESTS_STORE_FAULT_VFS_H

#include <stdbool.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_KILL,     /* xWrite: written, then SIGKILL to this process */
    FAULT_WRITE,    /* xWrite: I/O error */
    FAULT_FULL,     /* xWrite: no room, half of it written */
    FAULT_SYNC,     /* xSync */
    FAULT_TRUNCATE, /* xTruncate */
    FAULT_READ,     /* xRead */
    FAULT_MEMORY,   /* malloc and realloc */
    FAULT_KIND_COUNT
};

/* Put them below SQLite; before anything else touches it. */
void fault_install(void);

/* The nth call of that kind from now on fails, from 1; and all after it when
 * is_lasting. */
void fault_arm(enum fault_kind kind, long nth, bool is_lasting);

/* All is well again; whether the fault has struck. */
bool fault_disarm(void);

#endif
