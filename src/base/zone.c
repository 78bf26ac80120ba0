/* zone.c - where calendar periods begin, by the offsets that GLib's GTimeZone knows. */
#include "base/zone.h"

#include "base/clock.h"
#include "base/text.h"
#include "civil.h"

#include <assert.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ZONE_NAME_BYTES = 64 };

static const char *const period_names[] = {[PERIOD_DAY] = "day",
                                           [PERIOD_WEEK] = "week",
                                           [PERIOD_MONTH] = "month",
                                           [PERIOD_TOTAL] = "total"};

struct zone {
    struct zone *next;
    GTimeZone *offsets;
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

/* Words of letters, digits, '_', '+' and '-', parted by '/'. GLib would also take paths,
 * offsets and rules. The copies below right/ count leap seconds, unlike every clock. */
static bool is_plain_name(const char *zone)
{
    bool starts_word = true;

    if (strlen(zone) >= ZONE_NAME_BYTES || strncmp(zone, "right/", 6) == 0 ||
        strncmp(zone, "posix/", 6) == 0)
        return false;
    for (const char *at = zone; *at; at++) {
        if (starts_word ? !g_ascii_isalpha(*at)
                        : !g_ascii_isalnum(*at) && !strchr("_+-/", *at))
            return false;
        starts_word = *at == '/';
    }
    return !starts_word;
}

static bool has_zone_file(const char *zone)
{
    const char *folder = getenv("TZDIR");
    char path[4096], magic[4] = "";
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder ? folder : "/usr/share/zoneinfo", zone);
    file = fopen(path, "re");
    if (!file)
        return false;
    bool is_zone = fread(magic, 1, sizeof magic, file) == sizeof magic &&
                   memcmp(magic, "TZif", 4) == 0;
    fclose(file);
    return is_zone;
}

/* UTC needs no database. */
static struct zone *load_zone(const char *name)
{
    struct zone *zone;

    if (!is_plain_name(name) || (strcmp(name, "UTC") != 0 && !has_zone_file(name)))
        return NULL;
    zone = calloc(1, sizeof *zone);
    if (!zone)
        return NULL;
    zone->offsets = g_time_zone_new_identifier(name);
    if (!zone->offsets) {
        free(zone);
        return NULL;
    }
    snprintf(zone->name, sizeof zone->name, "%s", name);
    return zone;
}

static struct zone *find_zone(const char *name)
{
    struct zone *zone;

    pthread_mutex_lock(&zones_lock);
    for (zone = zones; zone && strcmp(zone->name, name) != 0; zone = zone->next)
        ;
    if (!zone) {
        zone = load_zone(name);
        if (zone) {
            zone->next = zones;
            zones = zone;
        }
    }
    pthread_mutex_unlock(&zones_lock);
    return zone;
}

bool zone_exists(const char *zone)
{
    return find_zone(zone) != NULL;
}

/* Seconds east of UTC at a moment given in seconds UTC. */
static int64_t offset_at(const struct zone *zone, int64_t utc)
{
    int interval = g_time_zone_find_interval(zone->offsets, G_TIME_TYPE_UNIVERSAL, utc);

    return g_time_zone_get_offset(zone->offsets, interval);
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
    const struct zone *found = find_zone(zone);
    int64_t now = floor_divide(now_us, SECOND_US);

    if (!found)
        return err_set(err, STATUS_INVALID, "'%.64s' is not a time zone", zone);
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
