/* power_cut.h - a data folder whose every change is recorded, and the disks that a loss
 * of power at many moments could have left, each handed to a check.
 *
 * Every function stops the test with a message when it does not work. */
#ifndef REDRESS_TESTS_POWER_CUT_H
#define REDRESS_TESTS_POWER_CUT_H

#include "support/disk_image.h"

enum {
    POWER_FOLDER_BYTES = 1024,
    POWER_PATH_BYTES = 2048,
    POWER_MILESTONE_COUNT_MAX = 16
};

struct power_cuts {
    char *root;                      /* what is recorded: all below it */
    char folder[POWER_FOLDER_BYTES]; /* root/data, made by whoever wants it */
    struct disk_recording *recording;
    struct disk *disk;
    struct rng rng;
    int64_t began_at; /* place of the first change that was recorded */
    int64_t milestones[POWER_MILESTONE_COUNT_MAX];
    int milestone_count;
    int64_t cut_count, image_count;
    int64_t lossy_count; /* images that may lack something */

    /* image stands for the root; the power went right before place. The folder image/data
     * is there, empty when the disk had none. */
    void (*check)(void *context, const char *image, int64_t place);
    void *context;
};

/* An empty root, nothing recorded yet. */
void power_cuts_begin(struct power_cuts *cuts, uint64_t seed);
void power_cuts_end(struct power_cuts *cuts);

/* Programs are recorded from here to there. */
void power_cuts_record(struct power_cuts *cuts);
void power_cuts_stop(struct power_cuts *cuts);

/* Something was just promised: the power also goes right now. Returns this place. */
int64_t power_cuts_milestone(struct power_cuts *cuts);

/* The place behind all that was recorded until now; for a struct money_load. */
int64_t power_cuts_place(void *cuts);

/* Cut at the milestones and at so many more moments, half of them rare: entries that
 * change, checkpoints, backups, starts and ends. Two disks each: of what is not sure
 * nothing is there, and what chance wants; is_thorough: and names without contents, and
 * all. Prints each. */
void power_cuts_try(struct power_cuts *cuts, int cut_count, bool is_thorough);

/* One disk right after each change of one of two kinds; is_thorough: four at every moment
 * but those of zeros written to make room. */
void power_cuts_try_each(struct power_cuts *cuts, enum disk_change one,
                         enum disk_change other, bool is_thorough);

/* "power cuts, WHAT" and "disks started on, WHAT"; some of them lacked something. */
void power_cuts_report(const struct power_cuts *cuts, const char *what);

/* How often the first bytes of a file were written whose name ends so. */
int power_cuts_beginnings(const struct power_cuts *cuts, const char *name_end);

/* "redress WORDS... --data folder": its exit code; what it said is shown when that is not
 * 0. */
int power_command(const char *folder, const char *const *words);
#define POWER_COMMAND(folder, ...)                                                       \
    power_command(folder, (const char *const[]){__VA_ARGS__, NULL})

#endif
