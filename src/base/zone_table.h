/* zone_table.h - the offsets of one time zone, as a file of the tz database has them
 * (TZif, RFC 9636): a table of changes, and a rule for what comes after the last. Private
 * to base/. */
#ifndef REDRESS_BASE_ZONE_TABLE_H
#define REDRESS_BASE_ZONE_TABLE_H

#include "base/err.h"
#include "base/text.h"

#include <stdint.h>

/* A change in every year: on a day, so many seconds after its local midnight. */
struct zone_change {
    enum { ON_JULIAN_DAY, ON_DAY_OF_YEAR, ON_WEEKDAY } kind;
    int month, week, day;
    int seconds;
};

struct zone_table {
    int count; /* of changes */
    int64_t *at;
    int32_t *offsets;          /* seconds east of UTC: offsets[0] before at[0], .. */
    bool has_rule, has_summer; /* of the time after the last change */
    int32_t rule_offset, summer_offset;
    struct zone_change starts, ends; /* of summer */
};

/* A file's content. INVALID when it is none of the format. Free with zone_table_free. */
enum status zone_table_read(struct text file, struct zone_table *table, struct err *err);
void zone_table_free(struct zone_table *table);

/* Seconds east of UTC at a moment given in seconds UTC. */
int64_t zone_table_offset(const struct zone_table *table, int64_t utc);

#endif
