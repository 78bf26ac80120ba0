/* fuzz_policy.c - any bytes as a policy; one that is accepted makes sound menus. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void menu_check(const struct policy *policy, int64_t order_amount)
{
    static char buffer[64 << 10];
    struct refund_case asked = {
        .case_id = text_of("c"),
        .customer_id = text_of("u"),
        .order_id = text_of("o"),
        .issue = text_of("late_delivery"),
        .order_amount = order_amount,
        .entitled_amount = order_amount / 3,
        .requested_amount = AMOUNT_ABSENT,
        .occurred_at_us = TIME_ABSENT,
        .metadata = text_of("{\"source\":\"test\"}"),
    };
    struct policy_needs needs;
    struct history history = {.order_amount = 100, .has_duplicate = true};
    struct blocker review;
    struct arena arena;
    struct menu menu;
    struct err err;
    bool is_review;

    text_copy(text_of(policy_currency(policy)), asked.currency, CURRENCY_BYTES);
    arena_init(&arena, buffer, sizeof buffer, 1 << 20);
    err_clear(&err);
    assert(policy_menu(policy, &asked, 1, &arena, &menu, &err) == STATUS_OK);
    policy_needs(policy, &asked, &needs);
    assert(policy_limit(policy, &asked, &needs, &history, &arena, &menu, &err) ==
           STATUS_OK);
    assert(menu.count >= 1 && menu.count <= OPTION_COUNT_MAX);
    assert(menu.options[0].goodwill == 0 && menu.options[0].is_allowed);
    for (int i = 1; i < menu.count; i++) {
        assert(menu.options[i].amount > menu.options[i - 1].amount);
        assert(!menu.options[i].is_allowed || menu.options[i].amount <= order_amount);
        assert(menu.options[i].is_allowed == (menu.options[i].blocker_count == 0));
    }
    assert(policy_review(policy, &asked, &menu.options[menu.count - 1], &arena,
                         &is_review, &review, &err) == STATUS_OK);
    assert(menu.options[policy_fallback(policy, &menu)].is_allowed);
    assert(menu.explored_max == AMOUNT_ABSENT || policy_exploration(policy));
    if (policy_holdout(policy)) {
        assert(policy_hold_out(policy, &arena, &menu, &err) == STATUS_OK);
        for (int i = 1; i < menu.count; i++)
            assert(!menu.options[i].is_allowed &&
                   menu.options[i].blockers[0].code == CODE_HOLDOUT);
    }
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *policy = NULL;
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = policy_read((const char *)data, size, &policy, &err);
    if (rc) {
        assert(!policy && err.status == rc);
        return 0;
    }
    assert(policy_hold_seconds(policy) >= 60);
    menu_check(policy, 0);
    menu_check(policy, 4250);
    menu_check(policy, MONEY_MINOR_MAX);
    policy_free(policy);
    return 0;
}
