/* test_documents.c - the commands that documents show, run on what they generate, print
 * what is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { EXIT_SKIP = 77 };

static void read_document(const char *name)
{
    char command[4096];
    int status;

    snprintf(command, sizeof command,
             "/usr/bin/python3 tests/integration/documents.py '%s' docs/%s",
             program_path(), name);
    fflush(stdout);
    status = system(command);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIP)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void judging_prints_what_is_shown(void **)
{
    read_document("evaluate.md");
}

static void training_prints_what_is_shown(void **)
{
    read_document("train.md");
}

static void the_made_world_prints_what_is_shown(void **)
{
    read_document("generate.md");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judging_prints_what_is_shown),
        cmocka_unit_test(training_prints_what_is_shown),
        cmocka_unit_test(the_made_world_prints_what_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
