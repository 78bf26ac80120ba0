/* test_walkthrough.c - scripts/walkthrough.py from beginning to end, on a small world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { OUTPUT_BYTES = 1 << 16 };

static void the_walkthrough_reaches_its_end(void **state)
{
    static const char *const said[] = {"redress train",       "written to $DIR/my_credit",
                                       "redress model push",  "at a price: 300 cases",
                                       "chosen at the price", "The price is worth"};
    char command[4096], *output = calloc(1, OUTPUT_BYTES);
    int code;
    FILE *run;

    (void)state;
    assert_non_null(output);
    snprintf(
        command, sizeof command,
        "/usr/bin/python3 scripts/walkthrough.py --program '%s' --log 4000 --cases 300 "
        "2>&1",
        program_path());
    fflush(NULL);
    run = popen(command, "r");
    assert_non_null(run);
    if (fread(output, 1, OUTPUT_BYTES - 1, run) == 0)
        fail_msg("%s: says nothing", command);
    code = pclose(run);
    if (strstr(output, "libxgboost0")) {
        printf("SKIPPED: libxgboost0 is not installed\n");
        free(output);
        return;
    }
    if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
        fail_msg("%s", output);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (!strstr(output, said[i]))
            fail_msg("no '%s' in\n%s", said[i], output);
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walkthrough_reaches_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
