#include "zone_table.h"

#include "civil.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    CHANGE_COUNT_MAX = 100000,
    HOURS_MAX = 167, /* of an offset or a time of day: RFC 9636, 3.3.1 */
    RULE_BYTES_MAX = 256,
};

/* --- the table -------------------------------------------------------------------------------- */

/* How many of what follows the header. */
struct counts {
    uint32_t utc_flags, standard_flags, leaps, changes, types, letters;
};

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_i64(const unsigned char *at)
{
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* Read a header. False when there is none, or it promises more than any file has. */
static bool read_header(const unsigned char *at, size_t bytes, struct counts *counts)
{
    uint32_t *all[] = {&counts->utc_flags, &counts->standard_flags, &counts->leaps,
                       &counts->changes,   &counts->types,          &counts->letters};

    if (bytes < HEADER_BYTES || memcmp(at, "TZif", 4) != 0)
        return false;
    for (int i = 0; i < 6; i++) {
        *all[i] = read_u32(at + 20 + 4 * i);
        if (*all[i] > CHANGE_COUNT_MAX)
            return false;
    }
    return counts->types > 0;
}

/* Bytes of a block whose times have so many bytes each. */
static size_t block_bytes(const struct counts *counts, size_t time_bytes)
{
    return counts->changes * (time_bytes + 1) + counts->types * (size_t)TYPE_BYTES +
           counts->letters + counts->leaps * (time_bytes + 4) + counts->standard_flags +
           counts->utc_flags;
}

static bool read_changes(const unsigned char *at, const struct counts *counts,
                         struct zone_table *table)
{
    const unsigned char *kinds = at + counts->changes * (size_t)8;
    const unsigned char *types = kinds + counts->changes;

    table->count = (int)counts->changes;
    table->offsets[0] = (int32_t)read_u32(types);
    for (uint32_t i = 0; i < counts->changes; i++) {
        if (kinds[i] >= counts->types)
            return false;
        table->at[i] = read_i64(at + 8 * (size_t)i);
        table->offsets[i + 1] = (int32_t)read_u32(types + TYPE_BYTES * (size_t)kinds[i]);
        if (i > 0 && table->at[i] <= table->at[i - 1])
            return false;
    }
    return true;
}

/* --- the rule: "EST5EDT,M3.2.0,M11.1.0" ------------------------------------------------------- */

static bool skip_name(const char **at)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *end;

    if (**at == '<') {
        end = strchr(*at, '>');
        *at = end ? end + 1 : *at;
        return end;
    }
    end = *at + strspn(*at, letters);
    if (end - *at < 3)
        return false;
    *at = end;
    return true;
}

static bool read_number(const char **at, int max, int *value)
{
    const char *start = *at;

    for (*value = 0; **at >= '0' && **at <= '9' && *value <= max; (*at)++)
        *value = *value * 10 + (**at - '0');
    return *at > start && *value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool read_seconds(const char **at, int *seconds)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes = 0, rest = 0;

    *at += **at == '-' || **at == '+';
    if (!read_number(at, HOURS_MAX, &hours))
        return false;
    if (**at == ':' && ((*at)++, !read_number(at, 59, &minutes)))
        return false;
    if (**at == ':' && ((*at)++, !read_number(at, 59, &rest)))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60 + rest);
    return true;
}

static bool skip(const char **at, char byte)
{
    bool is_there = **at == byte;

    *at += is_there;
    return is_there;
}

/* ",Mm.w.d", ",Jn" or ",n", and perhaps "/time". */
static bool read_change(const char **at, struct zone_change *change)
{
    bool is_fine;

    *change = (struct zone_change){.kind = ON_DAY_OF_YEAR, .seconds = 2 * 3600};
    if (!skip(at, ','))
        return false;
    if (skip(at, 'M')) {
        change->kind = ON_WEEKDAY;
        is_fine = read_number(at, 12, &change->month) && change->month > 0 &&
                  skip(at, '.') && read_number(at, 5, &change->week) &&
                  change->week > 0 && skip(at, '.') && read_number(at, 6, &change->day);
    } else {
        if (skip(at, 'J'))
            change->kind = ON_JULIAN_DAY;
        is_fine = read_number(at, 365, &change->day) &&
                  (change->kind != ON_JULIAN_DAY || change->day > 0);
    }
    return is_fine && (!skip(at, '/') || read_seconds(at, &change->seconds));
}

/* Offsets are written as what has to be added to local time. */
static bool read_rule(const char *at, struct zone_table *table)
{
    int west, summer_west;

    if (!*at)
        return true;
    if (!skip_name(&at) || !read_seconds(&at, &west))
        return false;
    table->has_rule = true;
    table->rule_offset = -west;
    if (!*at)
        return true;
    summer_west = west - 3600;
    if (!skip_name(&at) || (*at != ',' && !read_seconds(&at, &summer_west)))
        return false;
    table->has_summer = true;
    table->summer_offset = -summer_west;
    return read_change(&at, &table->starts) && read_change(&at, &table->ends) && !*at;
}

/* Local midnight of the day of the change, as seconds since 1970 of the local calendar,
 * and the time of day. */
static int64_t change_local(const struct zone_change *change, int64_t year)
{
    int64_t first = civil_days(year, 1, 1), day = first, weekday;
    bool is_leap_year = civil_month_days(year, 2) == 29;

    switch (change->kind) {
    case ON_DAY_OF_YEAR:
        day = first + change->day;
        break;
    case ON_JULIAN_DAY: /* 60 is March 1st in every year */
        day = first + change->day - 1 + (is_leap_year && change->day >= 60);
        break;
    case ON_WEEKDAY:
        first = civil_days(year, change->month, 1);
        weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 is Sunday */
        day = first + (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
        if (day >= first + civil_month_days(year, change->month))
            day -= 7;
        break;
    }
    return day * SECONDS_PER_DAY + change->seconds;
}

static int64_t rule_offset(const struct zone_table *table, int64_t utc)
{
    int64_t local = utc + table->rule_offset, year, starts, ends;
    bool is_summer;

    if (!table->has_summer)
        return table->rule_offset;
    year = civil_date(floor_divide(local, SECONDS_PER_DAY)).year;
    starts = change_local(&table->starts, year) - table->rule_offset;
    ends = change_local(&table->ends, year) - table->summer_offset;
    if (starts < ends)
        is_summer = utc >= starts && utc < ends;
    else
        is_summer = utc >= starts || utc < ends;
    return is_summer ? table->summer_offset : table->rule_offset;
}

/* --- both ------------------------------------------------------------------------------------- */

/* The text between the last two ends of line. False when it is cut, or too long for a
 * rule. */
static bool copy_rule(const unsigned char *at, size_t bytes,
                      char rule[static RULE_BYTES_MAX])
{
    if (bytes < 2 || bytes - 2 >= RULE_BYTES_MAX || at[0] != '\n' ||
        at[bytes - 1] != '\n' || memchr(at, '\0', bytes))
        return false;
    memcpy(rule, at + 1, bytes - 2);
    rule[bytes - 2] = '\0';
    return true;
}

enum status zone_table_read(struct text file, struct zone_table *table, struct err *err)
{
    const unsigned char *at = (const unsigned char *)file.at, *end = at + file.bytes;
    char rule[RULE_BYTES_MAX];
    struct counts counts;
    bool is_fine;

    *table = (struct zone_table){0};
    /* First the same for programs of 32 bits. */
    is_fine = read_header(at, file.bytes, &counts) && at[4] >= '2' &&
              block_bytes(&counts, 4) <= file.bytes - HEADER_BYTES;
    if (is_fine) {
        at += HEADER_BYTES + block_bytes(&counts, 4);
        is_fine = read_header(at, (size_t)(end - at), &counts) &&
                  block_bytes(&counts, 8) <= (size_t)(end - at) - HEADER_BYTES;
    }
    /* Files with leap seconds count them, unlike every clock. */
    if (!is_fine || counts.leaps > 0)
        return err_set(err, STATUS_INVALID, "not a time zone of the tz database");
    at += HEADER_BYTES;
    table->at = calloc(counts.changes + 1, sizeof *table->at);
    table->offsets = calloc(counts.changes + 1, sizeof *table->offsets);
    if (!table->at || !table->offsets) {
        zone_table_free(table);
        return err_set(err, STATUS_EXHAUSTED, "no memory for a time zone");
    }
    is_fine = read_changes(at, &counts, table);
    at += block_bytes(&counts, 8);
    if (is_fine && copy_rule(at, (size_t)(end - at), rule) && read_rule(rule, table))
        return STATUS_OK;
    zone_table_free(table);
    return err_set(err, STATUS_INVALID, "a damaged time zone of the tz database");
}

void zone_table_free(struct zone_table *table)
{
    free(table->at);
    free(table->offsets);
    *table = (struct zone_table){0};
}

int64_t zone_table_offset(const struct zone_table *table, int64_t utc)
{
    int low = 0, high = table->count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (table->at[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == table->count && table->has_rule)
        return rule_offset(table, utc);
    return table->offsets[low];
}
