/* test_codes.c - the catalogue of reason and blocker codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/codes.h"

static void every_code_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < CODE_COUNT; i++) {
        enum policy_code code = CODE_COUNT;
        const char *name = policy_code_name((enum policy_code)i);

        assert_true(policy_code_find(text_of(name), &code));
        assert_int_equal(code, i);
        assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(name));
        assert_true(strlen(policy_code_text(code)) > 10);
    }
    assert_string_equal(policy_code_name(CODE_HIGH_UPLIFT), "HIGH_UPLIFT");
}

static void what_is_not_in_the_catalogue_is_not_found(void **state)
{
    static const char *const names[] = {"", "high_uplift", "HIGH_UPLIFT ", "HIGH", "X"};
    enum policy_code code;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(policy_code_find(text_of(names[i]), &code));
}

static void issues_that_have_a_code_lead_to_it(void **state)
{
    static const struct {
        const char *issue;
        enum policy_code code; /* CODE_COUNT: none */
    } rows[] = {
        {"late_delivery", CODE_LATE_DELIVERY},
        {"damaged_item", CODE_DAMAGED_ITEM},
        {"wrong_item", CODE_WRONG_ITEM},
        {"missing_item", CODE_MISSING_ITEM},
        {"quality", CODE_QUALITY},
        {"holdout", CODE_COUNT},
        {"entitled", CODE_COUNT},
        {"Quality", CODE_COUNT},
        {"qualit", CODE_COUNT},
        {"quality_", CODE_COUNT},
        {"", CODE_COUNT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum policy_code code = CODE_COUNT;
        bool found = policy_code_of_issue(text_of(rows[i].issue), &code);

        assert_int_equal(found, rows[i].code != CODE_COUNT);
        assert_int_equal(code, rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_found_by_its_name),
        cmocka_unit_test(what_is_not_in_the_catalogue_is_not_found),
        cmocka_unit_test(issues_that_have_a_code_lead_to_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
