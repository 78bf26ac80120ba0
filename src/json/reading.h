/* reading.h - what the parts of the reader share: where it stands, what stands there, and
 * refusing it.
 *
 * Private to scan.c, scan_string.c and scan_number.c. After the first failure every call
 * fails. */
#ifndef REDRESS_JSON_READING_H
#define REDRESS_JSON_READING_H

#include "json/scan.h"

/* The first refusal counts; reading stops there. False, for the caller to return. */
__attribute__((format(printf, 4, 5), cold)) bool scan_refuse(struct json_scan *scan,
                                                             const char *at,
                                                             enum status status,
                                                             const char *format, ...);

/* What was to stand here, as people say it. */
__attribute__((cold)) bool scan_expected(struct json_scan *scan, const char *what);

/* Another kind of value stands here than the caller can use, or none at all. */
__attribute__((cold)) bool scan_wrong_kind(struct json_scan *scan, const char *wanted);

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Move to the next byte that is no white space, and return it; 0 at the end and after a
 * failure. (A NUL in the text fits nowhere either.) */
static inline char scan_next(struct json_scan *scan)
{
    if (scan->status)
        return 0;
    scan->at = skip_spaces(scan->at, scan->end);
    return scan->at < scan->end ? *scan->at : 0;
}

/* Of the value that begins so. */
static inline enum json_kind scan_kind(char first)
{
    switch (first) {
    case '{':
        return JSON_KIND_OBJECT;
    case '[':
        return JSON_KIND_ARRAY;
    case '"':
        return JSON_KIND_STRING;
    case 't':
    case 'f':
        return JSON_KIND_BOOL;
    case 'n':
        return JSON_KIND_NULL;
    case '-':
        return JSON_KIND_NUMBER;
    default:
        return first >= '0' && first <= '9' ? JSON_KIND_NUMBER : JSON_KIND_NONE;
    }
}

/* A string as written, between its quotes. */
struct quoted {
    struct text text;
    bool has_escapes;
};

/* Read and check the string whose opening quote is here. */
bool scan_quoted(struct json_scan *scan, struct quoted *quoted);

/* Write a string without its escapes; it never grows. At NULL when one of them is none,
 * which a string that was checked does not have. */
struct text scan_unescape(struct text written, char *buffer);

/* Go past the number that is to stand here; it has to be finite. */
bool scan_skip_number(struct json_scan *scan);

#endif
