/* hostile.h - requests that no honest client would send, made from a seed and a number:
 * the same again for the same two.
 *
 * Many of them hide a second request, one that would be believed if it were seen: a case
 * of customer "hidden" under the number of the request that hid it. */
#ifndef REDRESS_TESTS_HOSTILE_H
#define REDRESS_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values of Authorization: who may do everything, and who may decide but not see keys and
 * audit. */
struct hostile_keys {
    const char *admin, *support;
};

enum hostile_end {
    HOSTILE_LISTEN,     /* it says no more, and listens: the server has to hang up */
    HOSTILE_HALF_CLOSE, /* it says that it says no more */
    HOSTILE_CLOSE,      /* it goes without listening */
    HOSTILE_RESET,      /* the same, and says so (RST) */
};

struct hostile_request {
    const char *family; /* "lengths", "codings", ... */
    char *bytes;        /* freed by hostile_free */
    size_t count;
    size_t piece_bytes; /* sent in pieces of so many; 0: at once */
    enum hostile_end end;
    bool is_one;     /* at most one answer may come of it, and no good one (2xx, 3xx) */
    bool is_refused; /* and it has to come, or the end, without the client's help */
};

void hostile_make(uint64_t seed, int64_t number, const struct hostile_keys *keys,
                  struct hostile_request *request);
void hostile_free(struct hostile_request *request);

/* The request that is hidden, sent openly: freed by the caller. */
char *hostile_hidden(int64_t number, const struct hostile_keys *keys);

#endif
