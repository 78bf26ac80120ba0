/* fuzz_ledger.c - any bytes as operations on the ledger, faults included: the service and
 * a plain ledger of integers never differ. */
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "support/ledger_drive.h"

#include <stdbool.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATION_BYTES_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_installed;
    struct drive_tally tally = {0};

    if (!is_installed)
        ledger_drive_install();
    is_installed = true;
    log_level_set(LOG_ERROR);
    ledger_drive(data, size < OPERATION_BYTES_MAX ? size : OPERATION_BYTES_MAX, &tally);
    return 0;
}
