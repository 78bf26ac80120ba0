/* test_options.c - app/options.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "app/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_json;
static const char *rows;
static long count;

static const struct option_spec options[] = {
    {"json", OPTION_FLAG, &is_json, NULL, "Print JSON.", 0, 0},
    {"rows", OPTION_TEXT, &rows, "FILE",
     "The rows to score, as CSV with a header line, of "
     "any number; '-' is the standard input.",
     0, 0},
    {"count", OPTION_INT, &count, "N", "How many.", -5, 100},
    {"an-option-with-a-long-name", OPTION_TEXT, &rows, "TEXT", "Long.", 0, 0},
    {0},
};

static const struct command_usage usage = {
    .synopsis = "model score FILE --rows X.csv [OPTIONS]",
    .summary =
        "Score rows with a model. It prints one line per row and says on the standard "
        "error output what it could not read.",
    .positional_min = 1,
    .positional_max = 2,
    .options = options,
};

static const char *positionals[3];
static char out[8192], errors[8192];

static void redirect(int fd, FILE *file, FILE *stream, int *old)
{
    fflush(stream);
    *old = dup(fd);
    dup2(fileno(file), fd);
}

static void restore(int fd, FILE *file, FILE *stream, int old, char *text, size_t bytes)
{
    fflush(stream);
    dup2(old, fd);
    close(old);
    rewind(file);
    text[fread(text, 1, bytes - 1, file)] = 0;
    fclose(file);
}

/* Parse a command line of words parted by blanks, and keep what it prints. */
static int parse(const char *line)
{
    static char words[500];
    char *argv[20], *rest;
    FILE *out_file = tmpfile(), *err_file = tmpfile();
    int argc = 0, old_out, old_err, code;

    is_json = false;
    rows = NULL;
    count = 7;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    argv[argc] = NULL;
    redirect(STDOUT_FILENO, out_file, stdout, &old_out);
    redirect(STDERR_FILENO, err_file, stderr, &old_err);
    code = options_parse(&usage, argc, argv, positionals);
    restore(STDOUT_FILENO, out_file, stdout, old_out, out, sizeof out);
    restore(STDERR_FILENO, err_file, stderr, old_err, errors, sizeof errors);
    return code;
}

static void options_and_positionals_may_be_mixed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* it may be called again */
        assert_int_equal(parse("score --json a.json --rows=r.csv --count -5 b.json"),
                         OPTIONS_GO_ON);
        assert_true(is_json);
        assert_string_equal(rows, "r.csv");
        assert_int_equal(count, -5);
        assert_string_equal(positionals[0], "a.json");
        assert_string_equal(positionals[1], "b.json");
        assert_null(positionals[2]);
        assert_string_equal(errors, "");
        assert_string_equal(out, "");
        assert_int_equal(parse("score a.json"), OPTIONS_GO_ON);
        assert_false(is_json);
        assert_null(rows);
        assert_int_equal(count, 7);
        assert_null(positionals[1]);
    }
    assert_int_equal(parse("score --rows - --count 100 -- --json"), OPTIONS_GO_ON);
    assert_false(is_json);
    assert_string_equal(rows, "-");
    assert_string_equal(positionals[0], "--json");
    assert_int_equal(parse("score -"), OPTIONS_GO_ON);
    assert_string_equal(positionals[0], "-");
    assert_int_equal(parse("score a.json --json --json"), OPTIONS_GO_ON);
}

static void wrong_usage_is_explained(void **state)
{
    static const struct {
        const char *line, *message;
    } table[] = {
        {"score", "something is missing"},
        {"score a b c", "'c' is one argument too many"},
        {"score a --nothing", "there is no option '--nothing'"},
        {"score a -x", "'-x'"},
        {"score a --rows", "'--rows' needs a value"},
        {"score a --json=yes", "--json takes no value"},
        {"score a --count x", "--count: 'x' is not a whole number"},
        {"score a --count 5x", "'5x' is not a whole number"},
        {"score a --count=", "'' is not a whole number"},
        {"score a --count 101", "101 is not within -5 to 100"},
        {"score a --count -6", "-6 is not within -5 to 100"},
        {"score a --count 99999999999999999999", "is not within"},
        {"score a --rows r.csv --rows s.csv", "--rows is there twice"},
        {"score a --rows r.csv --json --rows=r.csv", "--rows is there twice"},
        {"score a --count 1 --count 1", "--count is there twice, and takes one value"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (parse(table[i].line) != EXIT_USAGE || !strstr(errors, table[i].message) ||
            strncmp(errors, "redress: ", 9) != 0 || out[0])
            fail_msg("%s: %s", table[i].line, errors);
        assert_non_null(strstr(errors, "Try 'redress model score --help'."));
    }
}

static void help_is_made_from_the_table(void **state)
{
    (void)state;
    assert_int_equal(parse("score --help"), EXIT_DONE);
    assert_string_equal(errors, "");
    assert_string_equal(
        out,
        "Usage: redress model score FILE --rows X.csv [OPTIONS]\n\n"
        "Score rows with a model. It prints one line per row and says on the standard\n"
        "error output what it could not read.\n\n"
        "Options:\n"
        "  --json                  Print JSON.\n"
        "  --rows FILE             The rows to score, as CSV with a header line, of any\n"
        "                          number; '-' is the standard input.\n"
        "  --count N               How many.\n"
        "  --an-option-with-a-long-name TEXT\n"
        "                          Long.\n"
        "  --help                  Show this and exit.\n");
}

static void failures_are_printed_with_their_faults(void **state)
{
    FILE *file = tmpfile();
    struct err err;
    int old;

    (void)state;
    err_clear(&err);
    (void)err_fault(&err, "/a", "c", "is odd");
    (void)err_fault(&err, "/b", "c", "is even");
    redirect(STDERR_FILENO, file, stderr, &old);
    int code = command_failed(&err);
    restore(STDERR_FILENO, file, stderr, old, errors, sizeof errors);
    assert_int_equal(code, EXIT_REFUSED);
    assert_string_equal(errors, "redress: 2 faults\n  /a: is odd\n  /b: is even\n");
}

static void what_a_file_says_does_not_steer_the_terminal(void **state)
{
    FILE *file = tmpfile();
    struct err err;
    int old;

    (void)state;
    err_clear(&err);
    redirect(STDERR_FILENO, file, stderr, &old);
    (void)err_set(&err, STATUS_INVALID, "no member '%s'", "\x1b[31m\xc2\x9b");
    (void)command_failed(&err);
    (void)err_fault(&err, "/\x1b]0;a\x07", "c", "is\todd\x7f");
    (void)err_fault(&err, "/b", "c", "is even");
    (void)command_failed(&err);
    (void)usage_wrong(&usage, "'%s'", "\x1b[2J\xff");
    restore(STDERR_FILENO, file, stderr, old, errors, sizeof errors);
    assert_string_equal(errors, "redress: no member '?[31m?\?'\n"
                                "redress: 2 faults\n  /?]0;a?: is odd?\n  /b: is even\n"
                                "redress: '?[2J?'\nTry 'redress model score --help'.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_positionals_may_be_mixed),
        cmocka_unit_test(wrong_usage_is_explained),
        cmocka_unit_test(help_is_made_from_the_table),
        cmocka_unit_test(failures_are_printed_with_their_faults),
        cmocka_unit_test(what_a_file_says_does_not_steer_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
