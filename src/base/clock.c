/* clock.c - the machine's clocks, and the texts of times and durations. */
#include "base/clock.h"

#include "base/log.h"
#include "civil.h"

#include <pthread.h>
#include <time.h>

#define DAY_US (SECONDS_PER_DAY * SECOND_US)

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock system_clock = {system_wall_us, system_monotonic_us, NULL};

int64_t clock_thread_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

int64_t steady_time(struct steady *steady, int64_t wall_us, int64_t elapsed_us)
{
    int64_t offset_us = wall_us - elapsed_us;
    int64_t step_us = offset_us - steady->offset_us;
    int64_t now_us;

    steady->is_stepped =
        steady->is_started && (step_us > STEADY_STEP_US || step_us < -STEADY_STEP_US);
    if (!steady->is_stepped)
        steady->offset_us = offset_us;
    steady->is_started = true;
    now_us = steady->offset_us + elapsed_us;
    if (now_us > steady->last_us)
        steady->last_us = now_us;
    return steady->last_us;
}

static int64_t steady_wall_us(void *context)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct steady steady;
    bool was_stepped, is_stepped;
    int64_t now_us;

    (void)context;
    pthread_mutex_lock(&lock);
    was_stepped = steady.is_stepped;
    now_us = steady_time(&steady, read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME));
    is_stepped = steady.is_stepped;
    pthread_mutex_unlock(&lock);
    if (is_stepped != was_stepped)
        log_event(
            LOG_WARN, is_stepped ? "clock_was_set" : "clock_agrees_again",
            LOG_TEXT("detail", is_stepped ? "not followed until the next start" : ""));
    return now_us;
}

const struct clock steady_clock = {steady_wall_us, system_monotonic_us, NULL};

static char *put_digits(char *at, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

void time_format(int64_t us, char text[static TIME_TEXT_BYTES])
{
    int64_t first = civil_days(0, 1, 1) * DAY_US;
    int64_t last = civil_days(10000, 1, 1) * DAY_US - 1;
    char *at = text;

    us = us < first ? first : us > last ? last : us;
    int64_t days = floor_divide(us, DAY_US);
    int64_t rest = us - days * DAY_US;
    int64_t seconds = rest / SECOND_US, fraction = rest % SECOND_US;
    struct civil_date date = civil_date(days);

    at = put_digits(at, date.year, 4);
    *at++ = '-';
    at = put_digits(at, date.month, 2);
    *at++ = '-';
    at = put_digits(at, date.day, 2);
    *at++ = 'T';
    at = put_digits(at, seconds / 3600, 2);
    *at++ = ':';
    at = put_digits(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, seconds % 60, 2);
    if (fraction) {
        *at++ = '.';
        at = put_digits(at, fraction, 6);
    }
    *at++ = 'Z';
    *at = 0;
}

/* A position in a text; after the first misfit everything fails. */
struct reader {
    const char *at, *end;
    bool is_good;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int read_digits(struct reader *reader, int count)
{
    int value = 0;

    for (int i = 0; i < count && reader->is_good; i++) {
        reader->is_good = reader->at < reader->end && is_digit(*reader->at);
        if (reader->is_good)
            value = value * 10 + (*reader->at++ - '0');
    }
    return value;
}

/* Read one of the two characters; true when it was the first. */
static bool read_either(struct reader *reader, char first, char second)
{
    reader->is_good = reader->is_good && reader->at < reader->end &&
                      (*reader->at == first || *reader->at == second);
    return reader->is_good && *reader->at++ == first;
}

static void read_char(struct reader *reader, char c)
{
    read_either(reader, c, c);
}

static int64_t read_fraction_us(struct reader *reader)
{
    int64_t fraction = 0, unit = SECOND_US / 10;

    if (!reader->is_good || reader->at == reader->end || *reader->at != '.')
        return 0;
    reader->at++;
    reader->is_good = reader->at < reader->end && is_digit(*reader->at);
    for (; reader->at < reader->end && is_digit(*reader->at); unit /= 10)
        fraction += (*reader->at++ - '0') * unit;
    return fraction;
}

static int64_t read_offset_seconds(struct reader *reader)
{
    if (reader->is_good && reader->at < reader->end && (*reader->at | 0x20) == 'z') {
        reader->at++;
        return 0;
    }
    bool is_east = read_either(reader, '+', '-');
    int hours = read_digits(reader, 2);
    read_char(reader, ':');
    int minutes = read_digits(reader, 2);
    if (hours > 23 || minutes > 59)
        reader->is_good = false;
    return (is_east ? 1 : -1) * (hours * 3600 + minutes * 60);
}

/* Leap seconds exist only as the last of a UTC month. utc counts it as the second
 * after. */
static bool is_leap_second(int64_t utc)
{
    return utc % SECONDS_PER_DAY == 0 && civil_date(utc / SECONDS_PER_DAY).day == 1;
}

enum status time_parse(struct text text, int64_t *us, struct err *err)
{
    struct reader reader = {text.at, text.at + text.bytes, text.bytes > 0};

    int year = read_digits(&reader, 4);
    read_char(&reader, '-');
    int month = read_digits(&reader, 2);
    read_char(&reader, '-');
    int day = read_digits(&reader, 2);
    read_either(&reader, 'T', 't');
    int hour = read_digits(&reader, 2);
    read_char(&reader, ':');
    int minute = read_digits(&reader, 2);
    read_char(&reader, ':');
    int second = read_digits(&reader, 2);
    int64_t fraction_us = read_fraction_us(&reader);
    int64_t offset = read_offset_seconds(&reader);

    if (!reader.is_good || reader.at != reader.end)
        return err_set(err, STATUS_INVALID,
                       "'%.*s' is not an RFC 3339 time like 2026-11-20T18:02:11Z",
                       (int)(text.bytes < 64 ? text.bytes : 64), text.at);
    bool is_date = month >= 1 && month <= 12 && day >= 1 &&
                   day <= civil_month_days(year, month) && hour <= 23 && minute <= 59 &&
                   second <= 60;
    int64_t seconds = !is_date ? -1
                               : civil_days(year, month, day) * SECONDS_PER_DAY +
                                     hour * 3600 + minute * 60 + second - offset;
    if (!is_date || (second == 60 && !is_leap_second(seconds)))
        return err_set(err, STATUS_INVALID, "'%.*s' is not a day and time that exists",
                       TEXT_ARG(text));
    if (year < 1970 || seconds < 0 ||
        seconds >= civil_days(10000, 1, 1) * SECONDS_PER_DAY)
        return err_set(err, STATUS_INVALID, "'%.*s' is not within the years 1970 to 9999",
                       TEXT_ARG(text));
    *us = seconds * SECOND_US + fraction_us;
    return STATUS_OK;
}

enum status duration_parse(struct text text, int64_t *seconds, struct err *err)
{
    static const struct {
        char letter;
        int seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    const int64_t ten_years = INT64_C(3653) * SECONDS_PER_DAY;
    int64_t count = 0, unit = 0;
    size_t i = 0;

    for (; i < text.bytes && is_digit(text.at[i]) && count <= ten_years; i++)
        count = count * 10 + (text.at[i] - '0');
    for (size_t k = 0; k < sizeof units / sizeof *units; k++)
        if (i > 0 && i + 1 == text.bytes && text.at[i] == units[k].letter)
            unit = units[k].seconds;
    if (count > ten_years || (unit && count > ten_years / unit))
        return err_set(err, STATUS_INVALID, "a duration is at most ten years");
    if (!unit)
        return err_set(err, STATUS_INVALID,
                       "a duration is a whole number and one of s, m, h, d, w, like 15m");
    *seconds = count * unit;
    return STATUS_OK;
}
