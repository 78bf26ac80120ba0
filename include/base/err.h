/* err.h - how a call says that it failed: a status for the program, a sentence for
 * people.
 *
 * Depends on nothing. A struct err belongs to one thread at a time. */
#ifndef REDRESS_BASE_ERR_H
#define REDRESS_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* What kind of failure it is; http_status_of() alone turns it into an HTTP number. */
enum [[nodiscard]] status{
    STATUS_OK = 0,
    STATUS_MALFORMED,    /* the bytes cannot be read as what they should be */
    STATUS_INVALID,      /* readable, but not acceptable; see the faults */
    STATUS_UNAUTHORIZED, /* nobody we know */
    STATUS_FORBIDDEN,    /* somebody we know, who may not */
    STATUS_NOT_FOUND,
    STATUS_CONFLICT,     /* the thing is not in a state that allows this */
    STATUS_STALE,        /* the caller's revision is not the current one */
    STATUS_PRECONDITION, /* the caller must name the revision it saw */
    STATUS_TOO_LARGE,    /* over a stated limit of size */
    STATUS_EXHAUSTED,    /* memory or room is used up; trying later may help */
    STATUS_UNAVAILABLE,  /* not now: overloaded, shutting down, failing disk */
    STATUS_IO,           /* the disk, the network or the store failed */
    STATUS_CORRUPT,      /* what is stored is not what was written */
    STATUS_PENDING,      /* not an error: the answer comes later */
};

enum { ERR_FAULT_COUNT_MAX = 16 };

/* One thing that is wrong with an input, and where. */
struct fault {
    char pointer[160]; /* RFC 6901, of the input */
    char code[40];     /* stable, snake_case */
    char detail[200];
};

struct err {
    enum status status;
    char code[48];  /* stable, snake_case; names the problem for programs */
    char text[480]; /* complete sentence without full stop, for people */
    int fault_count;
    struct fault faults[ERR_FAULT_COUNT_MAX]; /* the first of them, when there are many */
};

/* Make err empty. Needed once before the first use; the faults are not touched. */
void err_clear(struct err *err);

/* Fill err with a status, its usual code and a sentence; returns the status. NULL err is
 * fine. */
enum status err_set(struct err *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a code of its own. */
enum status err_code(struct err *err, enum status status, const char *code,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Put "what: " before the sentence; returns the status err already has. err is not NULL,
 * and something failed. */
enum status err_wrap(struct err *err, const char *what, ...)
    __attribute__((format(printf, 2, 3)));

/* Add one fault and make the error INVALID; returns STATUS_INVALID. The sentence is that
 * of the first fault. Later ones than ERR_FAULT_COUNT_MAX are dropped. NULL err is
 * fine. */
enum status err_fault(struct err *err, const char *pointer, const char *code,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A list was to go on behind something that is no place in it: INVALID, code
 * invalid_cursor. NULL err is fine. */
enum status err_cursor(struct err *err);

/* The code a status has when nothing more precise is known, e.g. "not_found". */
const char *status_code(enum status status);

#endif
