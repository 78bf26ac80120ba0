/* case.h - what is asked: something went wrong with an order, what should we give?
 *
 * Decoded from JSON in one strict pass; texts are borrowed from the body or the arena. */
#ifndef REDRESS_POLICY_CASE_H
#define REDRESS_POLICY_CASE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/money.h"
#include "base/text.h"
#include "model/bundle.h"

#include <stdint.h>

enum {
    CASE_BYTES_MAX = 64 << 10,
    CASE_DEPTH_MAX = 16,
    CASE_TEXT_BYTES_MAX = 128, /* each id and word */
    CASE_FEATURE_COUNT_MAX = 256,
    CASE_METADATA_COUNT_MAX = 32,
    CASE_METADATA_BYTES_MAX = 512, /* each value */
};

#define AMOUNT_ABSENT INT64_C(-1)
#define TIME_ABSENT   INT64_C(-1)

struct refund_case {
    struct text case_id, customer_id, issue;        /* required, not empty */
    struct text order_id, market, segment, channel; /* bytes 0: not given */
    char currency[CURRENCY_BYTES];                  /* required, ISO 4217 */
    int64_t order_amount;                           /* required, >= 0, minor units */
    int64_t requested_amount;                       /* or AMOUNT_ABSENT */
    int64_t entitled_amount;                        /* owed by right; 0 when not given */
    int64_t occurred_at_us;                         /* or TIME_ABSENT */
    struct feature_value *features;                 /* as sent, names unique */
    int feature_count;
    struct text metadata; /* the JSON object as sent, strings only; bytes 0: not given */
};

/* Decode one JSON object. MALFORMED when it is not JSON; else INVALID with a fault per
 * field that is missing, unknown, given twice, of the wrong type or out of range: all
 * that one pass can find. entitled_amount may not exceed order_amount. */
enum status case_decode(const char *body, size_t bytes, struct arena *arena,
                        struct refund_case *asked, struct err *err);

/* What budgets and policies are chosen by: equality of these fields. */
struct scope {
    struct text market, issue, segment, channel, currency; /* bytes 0: any */
};

bool scope_matches(const struct scope *scope, const struct refund_case *asked);

/* Decode {"market": .., "issue": .., "segment": .., "channel": .., "currency": ..}; texts
 * are copied into the arena. pointer: where the object stands, for faults. */
enum status scope_decode(struct text json, const char *pointer, struct arena *arena,
                         struct scope *scope, struct err *err);

#endif
