/* disk_image.h - disks as they could be after a loss of power, made from the journal that
 * preload/disk_recorder.c keeps.
 *
 * The model, which is that of ext4 and XFS on a disk that keeps its word about flushes,
 * and no kinder:
 * - What was written to a file before an fsync of it began is sure once that fsync has returned.
 * - Each later write may be there, or not, or in part, by sectors of 512 bytes, whatever became of
 *   those before and after it; only of two writes to one sector the later one wins when both are
 *   there. A file is as long as what is there makes it; what nobody wrote reads as zeros.
 * - Entries of folders (a file or folder made, renamed, unlinked) go to the disk in the order in
 *   which they changed: after a loss of power the first so many are there. An fsync of a folder
 *   makes sure all changes of its own entries, an fsync of a file those of entries that name it; and,
 *   by the order, all before them.
 *
 * For one thread. Every function stops the program with a message when it does not
 * work. */
#ifndef REDRESS_TESTS_DISK_IMAGE_H
#define REDRESS_TESTS_DISK_IMAGE_H

#include "base/rng.h"
#include "preload/disk_recorder.h"

#include <stdbool.h>
#include <stdint.h>

/* What becomes of what is not sure. */
enum disk_style {
    DISK_ALL_KEPT,
    DISK_ALL_DROPPED,
    DISK_NAMES_ONLY, /* all entries, and nothing that was written to files */
    DISK_IN_ORDER,   /* all up to some moment */
    DISK_BY_FILE,    /* of each file all or nothing */
    DISK_ANY_WRITES, /* any of the writes */
    DISK_TORN,       /* any of the sectors */
    DISK_STYLE_COUNT,
};
const char *disk_style_name(enum disk_style style);
const char *disk_change_name(enum disk_change change);

/* --- recording -------------------------------------------------------------------------------- */

struct disk_recording; /* opaque */

/* Make a journal in a folder of its own, for what happens below root; what is there now
 * counts as sure. From now on, programs started by this process are recorded, until
 * disk_recording_pause. */
struct disk_recording *disk_recording_start(const char *root);
void disk_recording_pause(const struct disk_recording *recording);
void disk_recording_go_on(const struct disk_recording *recording);
void disk_recording_close(struct disk_recording *recording); /* NULL is fine */

const char *disk_recording_path(const struct disk_recording *recording); /* its journal */

/* The place behind all that was recorded until now. Any thread. */
int64_t disk_recording_place(const struct disk_recording *recording);

/* Nothing changes on the disk between these two: in between, a process can be killed. */
void disk_recording_hold(struct disk_recording *recording);
void disk_recording_release(struct disk_recording *recording);

/* --- the disk --------------------------------------------------------------------------------- */

struct disk; /* opaque */

/* The empty disk, before all that is in the journal by now. */
struct disk *disk_open(const struct disk_recording *recording);
void disk_close(struct disk *disk); /* NULL is fine */

/* A change and where it begins; name: of the file it concerns, as it is called then; ""
 * when it has none any more. Both belong to the disk. */
struct disk_moment {
    int64_t place;
    enum disk_change change;
    const char *name;
    uint64_t offset;
};

/* All changes in order; a cut at a moment is right before that change. */
const struct disk_moment *disk_moments(const struct disk *disk, int *count);

/* Go on to the moment before the record at place; never back. */
void disk_advance(struct disk *disk, int64_t place);

/* What of the changes so far is not sure: writes and entries. */
int disk_unsure_count(const struct disk *disk);

/* Make the disk of this moment in an empty folder, which stands for the root. */
void disk_write(const struct disk *disk, enum disk_style style, struct rng *rng,
                const char *folder);

#endif
