/* zone.h - calendar periods in a time zone: where the day, week or month around a moment
 * begins and ends, by the machine's tz database.
 *
 * Any thread may call; zones are cached for the life of the process. */
#ifndef REDRESS_BASE_ZONE_H
#define REDRESS_BASE_ZONE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum period { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_TOTAL };

const char *period_name(enum period period);
bool period_from_name(const char *name, enum period *period);

/* Whether the name is in the tz database, e.g. "America/Los_Angeles", "UTC": INVALID when
 * not; EXHAUSTED or IO when that could not be found out. */
enum status zone_check(const char *zone, struct err *err);

/* The period that holds now_us: [*starts_us, *ends_us). Weeks begin on Monday. A local
 * midnight that does not exist, because clocks jump over it, is the first moment after
 * it. TOTAL starts at 0 and ends at INT64_MAX. Fails as zone_check. */
enum status zone_period(const char *zone, enum period period, int64_t now_us,
                        int64_t *starts_us, int64_t *ends_us, struct err *err);

#endif
