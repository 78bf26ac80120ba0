/* test_operations.c - random sequences of operations, faults included, against the real
 * service and a plain ledger of integers: the two never differ (support/ledger_drive.h).
 *
 * REDRESS_SEED repeats a run. A sequence that makes a difference is kept in a file that
 * the fuzz target takes, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/rng.h"
#include "support/ledger_drive.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEQUENCE_BYTES_MAX = 1200 };

#define OPERATIONS      3000
#define OPERATIONS_LONG 200000

/* Where a sequence lies while it runs: the driver aborts. */
static const char *kept_path(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/redress-operations-%ld", (long)getpid());
    return path;
}

static void keep(const uint8_t *bytes, size_t count)
{
    int file = open(kept_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, count), (ssize_t)count);
    close(file);
}

/* Without all of these the run would have shown nothing. */
static bool has_seen_all(const struct drive_tally *tally)
{
    return tally->granted_count > 0 && tally->refused_count > 0 &&
           tally->struck_count > 0 && tally->doubt_count > 0 &&
           tally->doubt_kept_count < tally->doubt_count && tally->roll_count > 0 &&
           tally->expired_count > 0;
}

static void the_service_and_a_plain_ledger_never_differ(void **state)
{
    int64_t wanted = torture_count(OPERATIONS, OPERATIONS_LONG), sequence_count = 0;
    struct drive_tally tally = {0};
    uint8_t bytes[SEQUENCE_BYTES_MAX];
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("operations"));
    printf("What differs is left in %s\n", kept_path());
    fflush(stdout);
    for (; tally.operation_count < wanted ||
           (!has_seen_all(&tally) && tally.operation_count < 20 * wanted);
         sequence_count++) {
        size_t count = 1 + rng_below(&rng, sizeof bytes);

        for (size_t i = 0; i < count; i++)
            bytes[i] = (uint8_t)rng_below(&rng, 256);
        keep(bytes, count);
        ledger_drive(bytes, count, &tally);
    }
    unlink(kept_path());
    assert_true(has_seen_all(&tally));
    print_message("%" PRId64 " sequences: %" PRId64 " operations done, %" PRId64
                  " refused; %" PRId64 " of %" PRId64 " faults struck, %" PRId64
                  " answers in doubt, %" PRId64 " of them recorded; %" PRId64
                  " restarts, %" PRId64 " periods, %" PRId64 " holds over\n",
                  sequence_count, tally.done_count, tally.refused_count,
                  tally.struck_count, tally.fault_count, tally.doubt_count,
                  tally.doubt_kept_count, tally.reopen_count, tally.roll_count,
                  tally.expired_count);
    torture_report("operations compared with a plain ledger", tally.operation_count);
    torture_report("ledger entries compared", tally.entry_count);
    torture_report("faults that struck below the store", tally.struck_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_and_a_plain_ledger_never_differ),
    };

    ledger_drive_install();
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
