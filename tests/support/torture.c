#include "support/torture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t torture_count(int64_t quick, int64_t full)
{
    const char *wish = getenv("TORTURE");

    return wish && strcmp(wish, "1") == 0 ? full : quick;
}

int64_t torture_sample(int64_t quick, int64_t sanitized, int64_t full)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)quick;
    return torture_count(sanitized, full);
#else
    (void)sanitized;
    return torture_count(quick, full);
#endif
}

void torture_report(const char *what, int64_t count)
{
    const char *path = getenv("TORTURE_REPORT");
    FILE *report;

    printf("Done %s: %" PRId64 "\n", what, count);
    if (!path)
        return;
    report = fopen(path, "ae");
    if (!report ||
        fprintf(report, "%s\t%s\t%" PRId64 "\n", program_invocation_short_name, what,
                count) < 0 ||
        fclose(report) != 0) {
        fprintf(stderr, "%s: no count could be written to it\n", path);
        abort();
    }
}
