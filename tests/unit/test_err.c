/* test_err.c - base/err.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static void every_status_has_a_code_of_its_own(void **state)
{
    (void)state;
    for (int i = STATUS_OK; i <= STATUS_PENDING; i++) {
        const char *code = status_code((enum status)i);

        assert_non_null(code);
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_"), strlen(code));
        for (int k = STATUS_OK; k < i; k++)
            assert_string_not_equal(code, status_code((enum status)k));
    }
    assert_string_equal(status_code(STATUS_STALE), "precondition_failed");
    assert_string_equal(status_code(STATUS_FORBIDDEN), "insufficient_scope");
}

static void setting_fills_status_code_and_text(void **state)
{
    struct err err;

    (void)state;
    err_clear(&err);
    assert_int_equal(err_set(&err, STATUS_NOT_FOUND, "no budget '%s'", "bud_1"),
                     STATUS_NOT_FOUND);
    assert_int_equal(err.status, STATUS_NOT_FOUND);
    assert_string_equal(err.code, "not_found");
    assert_string_equal(err.text, "no budget 'bud_1'");
    assert_int_equal(err_code(&err, STATUS_CONFLICT, "id_taken", "it is %d", 7),
                     STATUS_CONFLICT);
    assert_string_equal(err.code, "id_taken");
    assert_string_equal(err.text, "it is 7");
    assert_int_equal(err_set(NULL, STATUS_IO, "nobody listens"), STATUS_IO);
    assert_int_equal(err_code(NULL, STATUS_IO, "code", "nobody listens"), STATUS_IO);
}

static void wrapping_puts_words_before_the_text(void **state)
{
    struct err err;

    (void)state;
    err_clear(&err);
    (void)err_set(&err, STATUS_IO, "disk is full");
    assert_int_equal(err_wrap(&err, "record %s", "decision"), STATUS_IO);
    assert_string_equal(err.text, "record decision: disk is full");
    assert_string_equal(err.code, "storage_error");
    (void)err_set(&err, STATUS_IO, "again: %s", err.text);
    assert_string_equal(err.text, "again: record decision: disk is full");
}

static void texts_that_are_too_long_are_cut(void **state)
{
    struct err err;
    char long_text[2000];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    err_clear(&err);
    (void)err_set(&err, STATUS_IO, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    (void)err_wrap(&err, "what");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "what: xxx", 9);
    (void)err_wrap(&err, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_clear(&err);
    (void)err_fault(&err, long_text, long_text, "%s", long_text);
    assert_int_equal(strlen(err.faults[0].pointer), sizeof err.faults[0].pointer - 1);
    assert_int_equal(strlen(err.faults[0].detail), sizeof err.faults[0].detail - 1);
}

static void the_first_fault_makes_the_sentence(void **state)
{
    struct err err;

    (void)state;
    err_clear(&err);
    assert_int_equal(err_fault(&err, "/a/0", "too_small", "is under %d", 3),
                     STATUS_INVALID);
    assert_int_equal(err_fault(&err, "", "odd", "is odd"), STATUS_INVALID);
    assert_int_equal(err.status, STATUS_INVALID);
    assert_string_equal(err.code, "invalid_request");
    assert_string_equal(err.text, "/a/0: is under 3");
    assert_int_equal(err.fault_count, 2);
    assert_string_equal(err.faults[0].code, "too_small");
    assert_string_equal(err.faults[1].detail, "is odd");

    err_clear(&err);
    assert_int_equal(err.fault_count, 0);
    (void)err_fault(&err, "", "odd", "is odd");
    assert_string_equal(err.text, "is odd");
}

static void faults_beyond_the_limit_are_dropped(void **state)
{
    struct err err;

    (void)state;
    err_clear(&err);
    for (int i = 0; i < ERR_FAULT_COUNT_MAX + 5; i++)
        assert_int_equal(err_fault(&err, "/p", "c", "number %d", i), STATUS_INVALID);
    assert_int_equal(err.fault_count, ERR_FAULT_COUNT_MAX);
    assert_string_equal(err.faults[ERR_FAULT_COUNT_MAX - 1].detail, "number 15");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_code_of_its_own),
        cmocka_unit_test(setting_fills_status_code_and_text),
        cmocka_unit_test(wrapping_puts_words_before_the_text),
        cmocka_unit_test(texts_that_are_too_long_are_cut),
        cmocka_unit_test(the_first_fault_makes_the_sentence),
        cmocka_unit_test(faults_beyond_the_limit_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
