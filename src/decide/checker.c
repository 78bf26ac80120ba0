#include "decide/checker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FIRST_WAIT_MS = 1000, RETRY_MS = 5 * 60 * 1000, REST_MS_MIN = 1, NICENESS = 19 };
#define DAY_MS (24 * 3600 * INT64_C(1000))

struct checker {
    struct store *reader;
    struct thread thread;
    struct rest rest;
    _Atomic(const char *) result;
    int64_t read_since_us; /* since the last rest */
};

/* Rests as long as it read, so that it takes half of a core and of a disk at most. */
static bool goes_on(void *context)
{
    struct checker *checker = context;
    int64_t read_us = clock_monotonic_us(&system_clock) - checker->read_since_us;
    bool is_going_on = rest_ms(&checker->rest, REST_MS_MIN + read_us / 1000);

    checker->read_since_us = clock_monotonic_us(&system_clock);
    return is_going_on;
}

/* Whether everything was looked at. */
static bool check_once(struct checker *checker)
{
    int64_t began_us = clock_monotonic_us(&system_clock);
    struct store_report report;
    struct err err;
    enum status rc;

    err_clear(&err);
    checker->read_since_us = began_us;
    rc = store_check_rows(checker->reader, goes_on, checker, &report, &err);
    if (rc) {
        if (!rest_is_over(&checker->rest))
            log_event(LOG_ERROR, "check_not_done", LOG_TEXT("detail", err.text));
        atomic_store(&checker->result, "not_done");
        return false;
    }
    atomic_store(&checker->result, report.fault_count > 0 ? "failed" : "passed");
    if (report.fault_count > 0)
        log_event(LOG_ERROR, "check_failed", LOG_INT("faults", report.fault_count),
                  LOG_TEXT("detail", report.first_fault));
    else
        log_event(LOG_INFO, "check_passed", LOG_INT("decisions", report.decision_count),
                  LOG_INT("entries", report.entry_count),
                  LOG_INT("audit_events", report.audit_count),
                  LOG_INT("duration_ms",
                          (clock_monotonic_us(&system_clock) - began_us) / 1000));
    return true;
}

static void *check_thread(void *argument)
{
    struct checker *checker = argument;
    int64_t wait_ms = FIRST_WAIT_MS;

    /* Of this thread only, as Linux has it. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    while (rest_ms(&checker->rest, wait_ms))
        wait_ms = check_once(checker) ? DAY_MS : RETRY_MS;
    return NULL;
}

enum status checker_open(const char *database, struct checker **checker, struct err *err)
{
    struct checker *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the checker");
    rest_open(&opened->rest);
    atomic_store(&opened->result, "running");
    rc = store_open(database, STORE_READER, &opened->reader, NULL, err);
    if (!rc)
        rc = thread_start(&opened->thread, "checker", check_thread, opened, err);
    if (rc) {
        checker_close(opened);
        return rc;
    }
    *checker = opened;
    return STATUS_OK;
}

void checker_close(struct checker *checker)
{
    if (!checker)
        return;
    rest_end(&checker->rest);
    thread_join(&checker->thread);
    store_close(checker->reader);
    rest_close(&checker->rest);
    free(checker);
}

const char *checker_result(const struct checker *checker)
{
    return atomic_load(&checker->result);
}
