/* zone.c - where calendar periods begin, by the offsets of the machine's tz database. */
#include "base/zone.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "civil.h"
#include "zone_table.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ZONE_NAME_BYTES = 64, ZONE_FILE_BYTES_MAX = 1 << 20 };

static const char *const period_names[] = {[PERIOD_DAY] = "day",
                                           [PERIOD_WEEK] = "week",
                                           [PERIOD_MONTH] = "month",
                                           [PERIOD_TOTAL] = "total"};

struct zone {
    struct zone *next;
    struct zone_table table;
    char name[ZONE_NAME_BYTES];
};

/* Only names of the tz database get in, so the list stays below a thousand. */
static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *zones;

const char *period_name(enum period period)
{
    assert(period <= PERIOD_TOTAL);
    return period_names[period];
}

bool period_from_name(const char *name, enum period *period)
{
    for (int i = PERIOD_DAY; i <= PERIOD_TOTAL; i++)
        if (strcmp(period_names[i], name) == 0) {
            *period = (enum period)i;
            return true;
        }
    return false;
}

/* Words of letters, digits, '_', '+' and '-', parted by '/': nothing that leads out of
 * the database. The copies below right/ count leap seconds, unlike every clock. */
static bool is_plain_name(const char *zone)
{
    bool starts_word = true;

    if (strlen(zone) >= ZONE_NAME_BYTES || strncmp(zone, "right/", 6) == 0 ||
        strncmp(zone, "posix/", 6) == 0)
        return false;
    for (const char *at = zone; *at; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

        if (!is_letter && (starts_word || !strchr("0123456789_+-/", *at)))
            return false;
        starts_word = *at == '/';
    }
    return !starts_word;
}

static enum status refuse(const char *name, struct err *err)
{
    return err_set(err, STATUS_INVALID, "'%.64s' is not a time zone", name);
}

/* A file of the database. Only what is surely none of them is refused as a name. */
static enum status read_zone(const char *name, struct zone_table *table, struct err *err)
{
    const char *folder = getenv("TZDIR");
    char path[4096], *content;
    struct stat info;
    size_t bytes;
    enum status rc;

    snprintf(path, sizeof path, "%s/%s", folder ? folder : "/usr/share/zoneinfo", name);
    if (stat(path, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return refuse(name, err);
        return err_set(err, STATUS_IO, "cannot look for '%s': %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode))
        return refuse(name, err);
    rc = file_read(path, ZONE_FILE_BYTES_MAX, &content, &bytes, err);
    if (rc)
        return rc;
    rc = zone_table_read((struct text){content, bytes}, table, err);
    free(content);
    return rc == STATUS_INVALID ? refuse(name, err) : rc;
}

static enum status load_zone(const char *name, struct zone **loaded, struct err *err)
{
    struct zone *zone;
    enum status rc = STATUS_OK;

    if (!is_plain_name(name))
        return refuse(name, err);
    zone = calloc(1, sizeof *zone);
    if (!zone)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a time zone");
    snprintf(zone->name, sizeof zone->name, "%s", name);
    /* UTC needs no database. */
    if (strcmp(name, "UTC") == 0)
        zone->table.has_rule = true;
    else
        rc = read_zone(name, &zone->table, err);
    if (rc)
        free(zone);
    else
        *loaded = zone;
    return rc;
}

static enum status find_zone(const char *name, struct zone **found, struct err *err)
{
    struct zone *zone;
    enum status rc = STATUS_OK;

    pthread_mutex_lock(&zones_lock);
    for (zone = zones; zone && strcmp(zone->name, name) != 0; zone = zone->next)
        ;
    if (!zone) {
        rc = load_zone(name, &zone, err);
        if (!rc) {
            zone->next = zones;
            zones = zone;
        }
    }
    pthread_mutex_unlock(&zones_lock);
    *found = zone;
    return rc;
}

enum status zone_check(const char *zone, struct err *err)
{
    struct zone *found;

    return find_zone(zone, &found, err);
}

static int64_t offset_at(const struct zone *zone, int64_t utc)
{
    return zone_table_offset(&zone->table, utc);
}

/* The first moment, in seconds UTC, at which local clocks show `local` (seconds since
 * 1970-01-01 of the local calendar) or later. Clocks change at most once in two days. */
static int64_t first_moment(const struct zone *zone, int64_t local)
{
    int64_t before = local - SECONDS_PER_DAY, after = local + SECONDS_PER_DAY;
    int64_t old_offset = offset_at(zone, before), new_offset = offset_at(zone, after);

    if (old_offset == new_offset)
        return local - old_offset;
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;

        if (offset_at(zone, middle) == old_offset)
            before = middle;
        else
            after = middle;
    }
    if (local - old_offset < after)
        return local - old_offset;
    return local - new_offset > after ? local - new_offset : after;
}

static int64_t period_first_day(enum period period, int64_t day)
{
    struct civil_date date = civil_date(day);

    if (period == PERIOD_WEEK)
        return day - (((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return period == PERIOD_MONTH ? day - (date.day - 1) : day;
}

static int64_t period_next_day(enum period period, int64_t first_day)
{
    struct civil_date date = civil_date(first_day);

    if (period == PERIOD_WEEK)
        return first_day + 7;
    return first_day +
           (period == PERIOD_MONTH ? civil_month_days(date.year, date.month) : 1);
}

enum status zone_period(const char *zone, enum period period, int64_t now_us,
                        int64_t *starts_us, int64_t *ends_us, struct err *err)
{
    int64_t now = floor_divide(now_us, SECOND_US);
    struct zone *found;
    enum status rc = find_zone(zone, &found, err);

    if (rc)
        return rc;
    if (period == PERIOD_TOTAL) {
        *starts_us = 0;
        *ends_us = INT64_MAX;
        return STATUS_OK;
    }
    int64_t today = floor_divide(now + offset_at(found, now), SECONDS_PER_DAY);
    int64_t first_day = period_first_day(period, today);
    int64_t next_day = period_next_day(period, first_day);

    /* Where clocks go back over midnight, an evening is shown twice: the second time the
     * next day has already begun, and a period does not begin twice. */
    if (now >= first_moment(found, next_day * SECONDS_PER_DAY)) {
        first_day = next_day;
        next_day = period_next_day(period, first_day);
    }
    *starts_us = first_moment(found, first_day * SECONDS_PER_DAY) * SECOND_US;
    *ends_us = first_moment(found, next_day * SECONDS_PER_DAY) * SECOND_US;
    return STATUS_OK;
}
