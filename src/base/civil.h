/* civil.h - days since 1970-01-01 to and from dates of the proleptic Gregorian calendar.
 *
 * Private to base/. The year is taken to begin in March, so that the leap day comes last;
 * eras are 400 years. */
#ifndef REDRESS_BASE_CIVIL_H
#define REDRESS_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

enum { DAYS_PER_ERA = 146097, DAYS_TO_EPOCH = 719468, SECONDS_PER_DAY = 86400 };

struct civil_date {
    int64_t year;
    int month, day; /* from 1 */
};

static inline int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static inline int64_t civil_days(int64_t year, int month, int day)
{
    int64_t march_year = year - (month <= 2);
    int64_t era = floor_divide(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static inline struct civil_date civil_date(int64_t days)
{
    int64_t since = days + DAYS_TO_EPOCH;
    int64_t era = floor_divide(since, DAYS_PER_ERA);
    int64_t day_of_era = since - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (int)((5 * day_of_year + 2) / 153);

    return (struct civil_date){
        .year = era * 400 + year_of_era + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

static inline int civil_month_days(int64_t year, int month)
{
    int64_t next_year = month == 12 ? year + 1 : year;

    return (int)(civil_days(next_year, month % 12 + 1, 1) - civil_days(year, month, 1));
}

#endif
