/* store_fixture.h - stores in folders that go away, and rows that are right unless told
 * otherwise.
 *
 * Every function stops the test with a message when it does not work. */
#ifndef REDRESS_TESTS_STORE_FIXTURE_H
#define REDRESS_TESTS_STORE_FIXTURE_H

#include "base/arena.h"
#include "base/rng.h"
#include "store/audit.h"
#include "store/decisions.h"
#include "store/ledger.h"
#include "store/registry.h"
#include "store/store.h"

#define FIXTURE_TIME_US (INT64_C(1700000000) * 1000000)

struct fixture {
    char folder[64], path[96];
    struct store *store; /* the writer */
    struct arena arena;
    struct err err;
    int64_t decision_count; /* made by fixture_decide */
};

/* A new, empty store. */
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* Close and open the writer again. */
void fixture_reopen(struct fixture *fixture);

struct budget budget_of(const char *id, int64_t limit);
struct decision_row decision_of(const char *id);
struct answer answer_of(const char *scope_key);

/* A budget with its first adjust entry; inside a transaction. */
enum status budget_open(struct store *store, struct budget *budget, struct err *err);

/* Append an entry and do to the budget what it means; the row of the budget is written
 * too. */
enum status budget_move(struct store *store, struct budget *budget, enum entry_kind kind,
                        int64_t amount, const char *decision_id, struct err *err);

/* All that one held decision writes, with a fresh id; inside a transaction. */
enum status decide_once(struct store *store, struct budget *budget, int64_t number,
                        int64_t amount, struct decision_row *row, struct err *err);

/* Run SQL on the file through a plain connection, as somebody who tampers would: the
 * triggers that guard it are dropped before and made again afterwards. */
void tamper(const char *path, const char *sql);

/* Make the database at path as a program of that released schema left it (tests/schemas;
 * the test runs in the root of the sources). */
void schema_make(int schema, const char *path);

/* The answers in a database of any schema, and their keys, as one text; freed by the
 * caller. */
char *stored_answers(const char *path);

/* REDRESS_SEED or the time; printed. */
uint64_t seed_print(const char *test);

#define assert_ok(fixture, call)                                                         \
    do {                                                                                 \
        enum status status_ = (call);                                                    \
        if (status_)                                                                     \
            fail_msg("%s: %s", #call, (fixture)->err.text);                              \
    } while (0)

#define assert_status(fixture, call, wanted)                                             \
    do {                                                                                 \
        enum status status_ = (call);                                                    \
        if (status_ != (wanted))                                                         \
            fail_msg("%s: status %d in place of %d (%s)", #call, status_, (wanted),      \
                     status_ ? (fixture)->err.text : "");                                \
    } while (0)

#endif
