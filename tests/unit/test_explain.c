/* test_explain.c - what an explanation says of contributions, asked through the
 * routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/forest_fixture.h"
#include "support/service_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct running *running;

static int open_service(void **)
{
    running = running_open();
    service_fill(running->service, "", 1000000);
    return 0;
}

static int close_service(void **)
{
    running_close(running);
    return 0;
}

/* The answer to a request that has to work; the caller frees it. */
static json_t *answer_to(const char *method, const char *path, const char *key,
                         const char *body)
{
    struct api_reply reply = api_call(running->service, method, path, key, NULL, body);
    json_t *json = json_incref(reply.json);

    if (reply.status / 100 != 2)
        fail_msg("%s %s: %d %s", method, path, reply.status, reply.text);
    api_reply_free(&reply);
    return json;
}

/* Decide a case of an issue, and have the decision explained; the caller frees it. */
static json_t *explain(const char *issue, const char *features)
{
    char body[512], path[128];
    json_t *decision, *explanation;

    snprintf(body, sizeof body,
             "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
             " \"order_amount\": 4000, \"issue\": \"%s\", \"features\": %s}",
             issue, features);
    decision = answer_to("POST", "/v1/decisions", issue, body);
    snprintf(path, sizeof path, "/v1/decisions/%s/explanation",
             json_string_value(json_object_get(decision, "id")));
    explanation = answer_to("GET", path, NULL, NULL);
    json_decref(decision);
    return explanation;
}

/* A model of its own for the cases of an issue. members: components, value, treatment;
 * file: the JSON of f.json. */
static void put_model(const char *issue, const char *members, const char *examples,
                      const char *file)
{
    char path[128], body[512], *manifest = NULL;

    assert_true(asprintf(&manifest,
                         "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": "
                         "\"%s\", \"kind\": \"effect\", \"learner\": \"any\", "
                         "\"arms\": [{\"name\": \"a\", \"dose\": 500}], %s, "
                         "\"examples\": %s}, \"files\": {\"f.json\": {\"json\": %s}}}",
                         issue, members, examples, file) > 0);
    snprintf(path, sizeof path, "/v1/models/%s/versions", issue);
    json_decref(answer_to("POST", path, NULL, manifest));
    snprintf(path, sizeof path, "/v1/models/%s/aliases/champion", issue);
    json_decref(answer_to("PUT", path, NULL, "{\"version\": 1, \"reason\": \"first\"}"));
    snprintf(path, sizeof path, "/v1/policies/%s", issue);
    snprintf(body, sizeof body,
             "{\"currency\": \"USD\", \"model\": \"%s\", \"priority\": 9, \"scope\": "
             "{\"issue\": \"%s\"}, \"menu\": {\"amounts\": [400]}}",
             issue, issue);
    json_decref(answer_to("PUT", path, NULL, body));
    free(manifest);
}

static double number_in(const json_t *json, const char *member)
{
    const json_t *value = json_object_get(json, member);

    if (!json_is_number(value))
        fail_msg("'%s' is no number", member);
    return json_number_value(value);
}

static void assert_text(const json_t *json, const char *member, const char *expected)
{
    const json_t *value = json_object_get(json, member);

    if (expected)
        assert_string_equal(json_string_value(value), expected);
    else
        assert_true(json_is_null(value));
}

static void assert_contribution(const json_t *explanation, size_t index,
                                const char *feature, double contribution)
{
    const json_t *one =
        json_array_get(json_object_get(explanation, "contributions"), index);

    assert_non_null(one);
    assert_text(one, "feature", feature);
    assert_true(fabs(number_in(one, "contribution") - contribution) < 1e-5);
}

static void assert_summary(const json_t *explanation, size_t index, const char *expected)
{
    const json_t *summary = json_object_get(explanation, "summary");

    assert_non_null(json_array_get(summary, index));
    assert_string_equal(json_string_value(json_array_get(summary, index)), expected);
}

static void assert_of(const json_t *explanation, double amount, bool is_chosen,
                      double effect)
{
    const json_t *of = json_object_get(explanation, "contributions_to");

    assert_true(number_in(of, "amount") == amount);
    assert_true(json_is_true(json_object_get(of, "chosen")) == is_chosen);
    assert_true(fabs(number_in(of, "effect") - effect) < 1e-5);
}

/* No contributions, for this reason, and everything else is there. */
static void assert_none(const json_t *explanation, const char *note)
{
    assert_true(json_is_null(json_object_get(explanation, "contributions")));
    assert_true(json_is_null(json_object_get(explanation, "base")));
    assert_true(json_is_null(json_object_get(explanation, "units")));
    assert_text(explanation, "contributions_note", note);
    assert_int_equal(json_array_size(json_object_get(explanation, "summary")), 0);
    assert_true(json_array_size(json_object_get(explanation, "options")) > 0);
    assert_true(json_array_size(json_object_get(explanation, "reasons")) > 0);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void the_effect_of_the_chosen_amount_is_explained(void **)
{
    json_t *explanation = explain("late", "{\"need\": 1}");

    assert_of(explanation, 1000, true, 1700);
    assert_contribution(explanation, 0, "need", 1700);
    assert_true(number_in(explanation, "base") == 0);
    assert_true(number_in(explanation, "score") == 1700);
    assert_text(explanation, "units", "minor_units");
    assert_text(explanation, "contributions_note", NULL);
    assert_summary(explanation, 0, "need is 1: adds 1700.00 to the effect");
    json_decref(explanation);
}

static void where_nothing_is_given_the_best_that_could_have_been_is_explained(void **)
{
    json_t *explanation = explain("cold", "{\"need\": -1}");

    assert_of(explanation, 500, false, -900);
    assert_contribution(explanation, 0, "need", -900);
    assert_summary(explanation, 0, "need is -1: takes 900.00 from the effect");
    json_decref(explanation);
}

static void a_person_and_a_fallback_have_no_contributions(void **)
{
    static const char override[] = "{\"amount\": 700, \"reason_code\": \"x\"}";
    json_t *explanation = explain("unasked", "{\"need\": 1}"), *decision;
    char path[128];

    snprintf(path, sizeof path, "/v1/decisions/%s/override",
             json_string_value(json_object_get(explanation, "decision_id")));
    json_decref(explanation);
    decision = answer_to("POST", path, "o", override);
    snprintf(path, sizeof path, "/v1/decisions/%s/explanation",
             json_string_value(json_object_get(decision, "id")));
    json_decref(decision);
    explanation = answer_to("GET", path, NULL, NULL);
    assert_none(explanation, "a person chose the amount");
    json_decref(explanation);
    json_decref(
        answer_to("PUT", "/v1/policies/modelless", NULL,
                  "{\"currency\": \"USD\", \"priority\": 9, \"scope\": {\"issue\": "
                  "\"lost\"}, \"menu\": {\"amounts\": [500]}}"));
    explanation = explain("lost", "{}");
    assert_none(explanation, "no model answered");
    json_decref(explanation);
}

#define TWO_FEATURES                                                                     \
    "\"features\": [{\"name\": \"tenure\", \"type\": \"float\"}, {\"name\": \"vip\", "   \
    "\"type\": \"bool\"}]"
#define ONE_TAU(more)                                                                    \
    "\"components\": [{\"role\": \"tau\", \"file\": \"f.json\"" more "}]"

/* 400 is four fifths of the dose of 500. */
static void a_forest_contributes_its_shapley_values_in_value(void **)
{
    json_t *explanation;

    put_model("forest",
              TWO_FEATURES
              ", \"value\": {\"scale\": 1000}, " ONE_TAU(", \"link\": \"identity\""),
              "{\"rows\": [[1, false]], \"effects\": [[4250]]}", xgboost_small);
    explanation = explain("forest", "{\"tenure\": 0}");
    /* Nothing known 2, tenure 1, vip (missing, so left) 1.5, both 1; and 0.25. */
    assert_of(explanation, 400, true, 800 * 1.25);
    assert_contribution(explanation, 0, "tenure", 800 * -0.75);
    assert_contribution(explanation, 1, "vip", 800 * -0.25);
    assert_true(fabs(number_in(explanation, "base") - 800 * 2.25) < 1e-5);
    assert_summary(explanation, 0, "tenure is 0: takes 600.00 from the effect");
    assert_summary(explanation, 1, "vip is missing: takes 200.00 from the effect");
    json_decref(explanation);
}

static void a_forest_without_covers_says_so(void **)
{
    char *file = text_replaced(xgboost_small, ",\"sum_hessian\":[4,2,2,1,1]", "");
    json_t *explanation;

    put_model("coverless",
              TWO_FEATURES
              ", \"value\": {\"scale\": 1000}, " ONE_TAU(", \"link\": \"identity\""),
              "{\"rows\": [[1, false]], \"effects\": [[4250]]}", file);
    explanation = explain("coverless", "{\"tenure\": 1, \"vip\": true}");
    assert_none(explanation,
                "f.json: the model's file does not say how much data came by "
                "each node");
    assert_of(explanation, 400, true, 800 * 4.25);
    assert_true(json_is_object(json_object_get(explanation, "model")));
    json_decref(explanation);
    free(file);
}

static void behind_a_link_the_raw_score_is_explained(void **)
{
    char examples[128];
    json_t *explanation;

    snprintf(examples, sizeof examples, "{\"rows\": [[1, false]], \"effects\": [[%.9f]]}",
             1000 / (1 + exp(-4.25)));
    put_model("linked", TWO_FEATURES ", \"value\": {\"scale\": 1000}, " ONE_TAU(""),
              examples, xgboost_small);
    explanation = explain("linked", "{\"tenure\": 1, \"vip\": true}");
    assert_text(explanation, "units", "raw_score");
    assert_contribution(explanation, 0, "tenure", 0.8 * 1.25);
    assert_contribution(explanation, 1, "vip", 0.8 * 0.75);
    assert_true(fabs(number_in(explanation, "score") - 0.8 * 4.25) < 1e-5);
    assert_true(
        fabs(number_in(json_object_get(explanation, "contributions_to"), "effect") -
             800 / (1 + exp(-4.25))) < 1e-3);
    assert_true(json_is_string(json_object_get(explanation, "contributions_note")));
    assert_summary(explanation, 0, "tenure is 1: adds 1.00 to the raw score");
    json_decref(explanation);
}

static void the_dose_stands_among_the_features_that_made_the_effect(void **)
{
    json_t *explanation;

    put_model(
        "single",
        "\"features\": [{\"name\": \"tenure\", \"type\": \"float\"}], \"treatment\": "
        "{\"feature\": \"dose\"}, \"components\": [{\"role\": \"outcome\", "
        "\"file\": \"f.json\"}]",
        "{\"rows\": [[3]], \"effects\": [[1500]]}",
        "{\"format\": \"redress-linear/1\", \"weights\": [1, 3], \"intercept\": 7}");
    explanation = explain("single", "{\"tenure\": 3}");
    assert_of(explanation, 400, true, 1200);
    assert_contribution(explanation, 0, "dose", 1200);
    assert_contribution(explanation, 1, "tenure", 0);
    assert_summary(explanation, 0, "dose is 400: adds 1200.00 to the effect");
    assert_int_equal(json_array_size(json_object_get(explanation, "summary")), 1);
    json_decref(explanation);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_service, close_service)
    const struct CMUnitTest tests[] = {
        TEST(the_effect_of_the_chosen_amount_is_explained),
        TEST(where_nothing_is_given_the_best_that_could_have_been_is_explained),
        TEST(a_person_and_a_fallback_have_no_contributions),
        TEST(a_forest_contributes_its_shapley_values_in_value),
        TEST(a_forest_without_covers_says_so),
        TEST(behind_a_link_the_raw_score_is_explained),
        TEST(the_dose_stands_among_the_features_that_made_the_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
