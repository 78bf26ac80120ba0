#include "support/power_cut.h"

#include "base/file.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/torture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGUMENT_COUNT_MAX = 16, TRY_COUNT = 1000 };

void power_cuts_begin(struct power_cuts *cuts, uint64_t seed)
{
    *cuts = (struct power_cuts){.root = folder_temporary()};
    assert_non_null(cuts->root);
    snprintf(cuts->folder, sizeof cuts->folder, "%s/data", cuts->root);
    rng_seed(&cuts->rng, seed);
    /* What is recorded syncs a true disk; images need none. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
}

void power_cuts_end(struct power_cuts *cuts)
{
    disk_close(cuts->disk);
    disk_recording_close(cuts->recording);
    folder_remove(cuts->root);
    free(cuts->root);
}

int64_t power_cuts_place(void *cuts)
{
    return disk_recording_place(((struct power_cuts *)cuts)->recording);
}

int64_t power_cuts_milestone(struct power_cuts *cuts)
{
    int64_t place = power_cuts_place(cuts);

    assert_true(cuts->milestone_count < POWER_MILESTONE_COUNT_MAX);
    cuts->milestones[cuts->milestone_count++] = place;
    return place;
}

void power_cuts_record(struct power_cuts *cuts)
{
    cuts->recording = disk_recording_start(cuts->root);
    cuts->began_at = power_cuts_place(cuts);
}

/* The recorder missed nothing: with all kept, the disk is what is there. */
static void assert_recorded_whole(struct power_cuts *cuts)
{
    static const char *const names[] = {"redress.db", "redress.db-wal", "lock"};
    struct disk *disk = disk_open(cuts->recording);
    char *image = folder_temporary(), there[POWER_PATH_BYTES], made[POWER_PATH_BYTES];

    disk_advance(disk, INT64_MAX);
    disk_write(disk, DISK_ALL_KEPT, &cuts->rng, image);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *a = NULL, *b = NULL;
        size_t a_bytes = 0, b_bytes = 0;

        snprintf(there, sizeof there, "%s/data/%s", cuts->root, names[i]);
        snprintf(made, sizeof made, "%s/data/%s", image, names[i]);
        assert_int_equal(access(there, F_OK), access(made, F_OK));
        (void)!file_read(there, SIZE_MAX, &a, &a_bytes, NULL);
        (void)!file_read(made, SIZE_MAX, &b, &b_bytes, NULL);
        assert_int_equal(a_bytes, b_bytes);
        if (a_bytes > 0)
            assert_memory_equal(a, b, a_bytes);
        free(a);
        free(b);
    }
    disk_close(disk);
    folder_remove(image);
    free(image);
}

void power_cuts_stop(struct power_cuts *cuts)
{
    disk_recording_pause(cuts->recording);
    assert_recorded_whole(cuts);
    cuts->disk = disk_open(cuts->recording);
}

int power_command(const char *folder, const char *const *words)
{
    const char *arguments[ARGUMENT_COUNT_MAX] = {0};
    char *output = NULL, *messages = NULL;
    int count = 0, code;

    while (words[count]) {
        arguments[count] = words[count];
        count++;
    }
    arguments[count++] = "--data";
    arguments[count++] = folder;
    code = program_run_messages(arguments, NULL, &output, &messages);
    if (code != 0)
        fprintf(stderr, "%s %s: exit code %d\n%s%s", words[0], words[1], code, output,
                messages);
    free(output);
    free(messages);
    return code;
}

/* --- a cut ------------------------------------------------------------------------------------ */

/* What SQLite's shared memory left behind: of no use, and it must not be believed. */
static void leave_rubbish(struct rng *rng, const char *folder)
{
    char path[POWER_PATH_BYTES], rubbish[32768];
    FILE *file;

    for (size_t i = 0; i < sizeof rubbish; i++)
        rubbish[i] = (char)rng_next(rng);
    snprintf(path, sizeof path, "%s/redress.db-shm", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(rubbish, sizeof rubbish, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void try_image(struct power_cuts *cuts, const struct disk_moment *moment,
                      enum disk_style style)
{
    char *image = folder_temporary(), path[POWER_PATH_BYTES];

    assert_non_null(image);
    disk_write(cuts->disk, style, &cuts->rng, image);
    print_message("cut at %lld, before a %s of '%s': %s\n", (long long)moment->place,
                  disk_change_name(moment->change), moment->name, disk_style_name(style));
    snprintf(path, sizeof path, "%s/data", image);
    (void)mkdir(path, 0700);
    if (rng_below(&cuts->rng, 4) == 0)
        leave_rubbish(&cuts->rng, path);
    cuts->check(cuts->context, image, moment->place);
    cuts->image_count++;
    cuts->lossy_count += style != DISK_ALL_KEPT && disk_unsure_count(cuts->disk) > 0;
    folder_remove(image);
    free(image);
}

/* Of what is not sure nothing is there, or names only, or what chance wants, or all. */
static void try_moment(struct power_cuts *cuts, const struct disk_moment *moment,
                       bool is_thorough)
{
    bool has_names = rng_below(&cuts->rng, 2);

    disk_advance(cuts->disk, moment->place);
    if (is_thorough || !has_names)
        try_image(cuts, moment, DISK_ALL_DROPPED);
    if (is_thorough || has_names)
        try_image(cuts, moment, DISK_NAMES_ONLY);
    try_image(cuts, moment,
              DISK_IN_ORDER + (enum disk_style)rng_below(&cuts->rng, DISK_STYLE_COUNT -
                                                                         DISK_IN_ORDER));
    if (is_thorough)
        try_image(cuts, moment, DISK_ALL_KEPT);
    cuts->cut_count++;
}

/* --- which moments ---------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
    size_t bytes = strlen(name), end_bytes = strlen(end);

    return bytes >= end_bytes && strcmp(name + bytes - end_bytes, end) == 0;
}

/* Making room in the log is a thousand writes of zeros that nobody misses. */
static bool is_of_interest(const struct disk_moment *moment)
{
    return moment->change != DISK_ZERO && strcmp(moment->name, "") != 0;
}

/* Entries that change, and the database file: checkpoints, backups, starts and ends. */
static bool is_rare(const struct disk_moment *moment)
{
    return is_of_interest(moment) && !ends_with(moment->name, "redress.db-wal");
}

static int by_place(const void *left, const void *right)
{
    const struct disk_moment *const *a = left, *const *b = right;

    return ((*a)->place > (*b)->place) - ((*a)->place < (*b)->place);
}

/* One that was begun at place or later; the last one when there is none. */
static const struct disk_moment *moment_from(const struct power_cuts *cuts, int64_t place)
{
    int moment_count, at = 0;
    const struct disk_moment *moments = disk_moments(cuts->disk, &moment_count);

    while (at < moment_count - 1 && moments[at].place < place)
        at++;
    return &moments[at];
}

static bool is_wanted(const struct disk_moment *moment, bool is_to_be_rare)
{
    return is_to_be_rare ? is_rare(moment) : is_of_interest(moment);
}

/* In any of the stretches between milestones, so that short ones get as many as long
 * ones. */
static const struct disk_moment *choose(struct power_cuts *cuts, bool is_to_be_rare)
{
    int stretch = (int)rng_below(&cuts->rng, (uint64_t)cuts->milestone_count + 1);
    const struct disk_moment *first =
        moment_from(cuts, stretch == 0 ? cuts->began_at : cuts->milestones[stretch - 1]);
    const struct disk_moment *last = moment_from(
        cuts, stretch == cuts->milestone_count ? INT64_MAX : cuts->milestones[stretch]);
    const struct disk_moment *moment = first;

    for (int i = 0; i < TRY_COUNT && (i == 0 || !is_wanted(moment, is_to_be_rare)); i++)
        moment = first + rng_below(&cuts->rng, (uint64_t)(last - first) + 1);
    return moment;
}

void power_cuts_try(struct power_cuts *cuts, int cut_count, bool is_thorough)
{
    int count = cuts->milestone_count + cut_count;
    const struct disk_moment **chosen = calloc((size_t)count, sizeof(void *));

    assert_non_null(chosen);
    for (int i = 0; i < count; i++)
        chosen[i] = i < cuts->milestone_count ? moment_from(cuts, cuts->milestones[i])
                                              : choose(cuts, i % 2);
    qsort(chosen, (size_t)count, sizeof *chosen, by_place);
    for (int i = 0; i < count; i++)
        try_moment(cuts, chosen[i], is_thorough);
    free(chosen);
}

/* A new name is a promise that what it names is whole. */
static void try_after(struct power_cuts *cuts, enum disk_change before,
                      const struct disk_moment *moment, bool is_thorough)
{
    if (is_thorough) {
        try_moment(cuts, moment, true);
        return;
    }
    disk_advance(cuts->disk, moment->place);
    try_image(cuts, moment,
              before == DISK_RENAME
                  ? DISK_NAMES_ONLY
                  : DISK_ALL_DROPPED +
                        (enum disk_style)rng_below(&cuts->rng, DISK_STYLE_COUNT - 1));
    cuts->cut_count++;
}

void power_cuts_try_each(struct power_cuts *cuts, enum disk_change one,
                         enum disk_change other, bool is_thorough)
{
    int moment_count;
    const struct disk_moment *moments = disk_moments(cuts->disk, &moment_count);

    for (int i = 1; i < moment_count; i++) {
        enum disk_change before = moments[i - 1].change;

        if (moments[i - 1].place >= cuts->began_at && before != DISK_ZERO &&
            (is_thorough || before == one || before == other))
            try_after(cuts, before, &moments[i], is_thorough);
    }
}

int power_cuts_beginnings(const struct power_cuts *cuts, const char *name_end)
{
    int moment_count, count = 0;
    const struct disk_moment *moments = disk_moments(cuts->disk, &moment_count);

    for (int i = 0; i < moment_count; i++)
        count += moments[i].change == DISK_WRITE && moments[i].offset == 0 &&
                 ends_with(moments[i].name, name_end);
    return count;
}

void power_cuts_report(const struct power_cuts *cuts, const char *what)
{
    char text[96];

    assert_true(cuts->lossy_count > 0);
    snprintf(text, sizeof text, "power cuts, %s", what);
    torture_report(text, cuts->cut_count);
    snprintf(text, sizeof text, "disks started on, %s", what);
    torture_report(text, cuts->image_count);
}
