/* test_model_commands.c - redress model check and model score, the program: what they
 * print of small models is what was worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/bundle_fixture.h"
#include "support/folder.h"
#include "support/forest_fixture.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENT_COUNT_MAX = 12, LONG_ROW_COUNT = 601 };

/* Three classes by weights only: [x0 + 2 x1 + 0.25, 10 x0 - 20 x1 - 1] + 0.5. */
static const char gblinear_small[] =
    "{\"learner\":{\"gradient_booster\":{\"model\":{\"boosted_rounds\":3,"
    "\"weights\":[1,10,2,-20,0.25,-1]},\"name\":\"gblinear\"},\"learner_model_param\":{"
    "\"base_score\":\"5E-1\",\"num_class\":\"2\",\"num_feature\":\"2\","
    "\"num_target\":\"1\"},\"objective\":{\"name\":\"multi:softprob\"}},"
    "\"version\":[1,7,4]}";

/* Two trees of one input: [x <= 0.5 ? 1 : 2] and 16; half of the sum, plus 10. */
static const char catboost_small[] =
    "{\"features_info\":{\"float_features\":[{\"borders\":[0.5],\"feature_index\":0,"
    "\"flat_feature_index\":0,\"has_nans\":false,\"nan_value_treatment\":\"AsIs\","
    "\"feature_id\":\"x\"}]},"
    "\"model_info\":{\"params\":{\"loss_function\":{\"params\":{},\"type\":\"RMSE\"}}},"
    "\"oblivious_trees\":[{\"leaf_values\":[1,2],\"leaf_weights\":[1,1],\"splits\":["
    "{\"border\":0.5,\"float_feature_index\":0,\"split_index\":0,"
    "\"split_type\":\"FloatFeature\"}]},{\"leaf_values\":[16],\"splits\":null}],"
    "\"scale_and_bias\":[0.5,[10]]}";

static const char linear_small[] =
    "{\"format\":\"redress-linear/1\",\"features\":[\"a\",\"b\"],\"weights\":[2,-3],"
    "\"intercept\":0.5,\"fill\":[0,1],\"link\":\"sigmoid\"}";

static char *folder; /* with the files below */

static int make_files(void **)
{
    const struct {
        const char *name, *content;
    } files[] = {
        {"xgboost", xgboost_small},   {"lightgbm", lightgbm_small},
        {"catboost", catboost_small}, {"gblinear", gblinear_small},
        {"linear", linear_small},     {"bundle", bundle_small},
    };
    char path[PATH_BYTES];

    folder = folder_temporary();
    if (!folder)
        return -1;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        path_of(path, "%s/%s", folder, files[i].name);
        if (file_write(path, files[i].content, strlen(files[i].content), 0600, NULL))
            return -1;
    }
    return 0;
}

static int forget_files(void **)
{
    free(folder);
    return 0;
}

/* ---- by hand ---- */

/* Run "model WHAT FILE ..." in the folder of the small models. */
static int run_model(const char *what, const char *file, const char *const *more,
                     const char *rows, char **output, char **messages)
{
    const char *arguments[ARGUMENT_COUNT_MAX] = {"model", what};
    char path[PATH_BYTES];
    int count = 2;

    path_of(path, "%s/%s", folder, file);
    arguments[count++] = path;
    if (rows) {
        arguments[count++] = "--rows";
        arguments[count++] = "-";
    }
    while (*more && count < ARGUMENT_COUNT_MAX - 1)
        arguments[count++] = *more++;
    return program_run_messages(arguments, rows, output, messages);
}

#define XGBOOST_ROWS "0,0\n0.5,0\nnan,-2.5\n,\n"

static void small_models_print_what_was_worked_out_by_hand(void **)
{
    static const struct {
        const char *file, *more[6], *rows, *output;
    } cases[] = {
        {"xgboost", {"--no-header"}, XGBOOST_ROWS, "1.25\n4.25\n2.25\n2.25\n"},
        {"xgboost",
         {"--no-header", "--output", "leaf"},
         XGBOOST_ROWS,
         "1,0\n4,0\n3,0\n3,0\n"},
        {"xgboost", {"--no-header", "--iterations", "0:1"}, XGBOOST_ROWS, "1\n4\n2\n2\n"},
        {"xgboost", {"--no-header", "--iterations", "1:2"}, "0,0\n", "0.25\n"},
        {"xgboost", {"--no-header", "--iterations", "0:2"}, "0,0\n", "1.25\n"},
        {"xgboost",
         {"--no-header", "--iterations", "0:1", "--output", "leaf"},
         XGBOOST_ROWS,
         "1\n4\n3\n3\n"},
        {"xgboost", {0}, "first,second\n0,0\n", "1.25\n"},
        {"xgboost", {"--no-header"}, "", ""},
        {"lightgbm",
         {0},
         "orders,else,tenure\n0,7,2\n1,7,2\n9,7,1.5\n",
         "20\n30\n10\n"}, /* columns by name */
        {"lightgbm", {"--no-header"}, "2,0\n2,1\n", "20\n30\n"},
        {"lightgbm", {"--no-header", "--output", "prediction"}, "2,0\n", "20\n"},
        {"lightgbm", {"--no-header", "--output", "leaf"}, "2,0\n2,1\n", "1\n2\n"},
        {"catboost", {"--no-header"}, "0.5\n0.75\n", "18.5\n19\n"},
        {"catboost", {"--no-header", "--iterations", "0:1"}, "0.75\n", "11\n"},
        {"gblinear", {"--no-header"}, "1,2\nnan,1\n", "5.75,-30.5\n2.75,-20.5\n"},
        {"gblinear", {"--no-header", "--output", "prediction"}, "-10,50\n", "1,0\n"},
        {"linear", {0}, "b,a\n2,1\n,\n", "-3.5\n-2.5\n"},
        {"linear", {"--fast"}, "b,a\n2,1\n,\n", "-3.5\n-2.5\n"},
        {"linear", {0}, "a,b\n0.1,0\n", "0.69999999999999996\n"},
        {"linear", {"--output", "prediction"}, "b,a\n0.5,0.5\n", "0.5\n"},
        {"bundle",
         {0},
         "vip,tenure,issue\ntrue,3,late\n,1,\n",
         "big,small\n64,32\n8,24\n"},
        {"bundle",
         {"--output", "raw"},
         "tenure,issue,vip\n3,late,true\n",
         "mu0,mu1:small,mu1:big,cost:small,cost:big\n3,19,35,300,800\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *output, *messages;
        int code = run_model("score", cases[i].file, cases[i].more, cases[i].rows,
                             &output, &messages);

        if (code != 0 || strcmp(output, cases[i].output) != 0 || *messages)
            fail_msg("case %zu, %s: exit %d\n%s%s", i, cases[i].file, code, output,
                     messages);
        free(output);
        free(messages);
    }
}

/* Several blocks of rows, and a number of rows that no kernel's block divides. */
static void a_long_table_is_scored_row_by_row(void **)
{
    static const char *const lines[] = {"0,0", "0.5,0", "nan,-2.5"};
    static const char *const scores[] = {"1.25\n", "4.25\n", "2.25\n"};
    const char *const more[] = {"--no-header", NULL};
    char *rows = NULL, *expected = NULL, *output, *messages;
    size_t row_bytes, expected_bytes;
    FILE *to_rows = open_memstream(&rows, &row_bytes);
    FILE *to_expected = open_memstream(&expected, &expected_bytes);

    for (int i = 0; i < LONG_ROW_COUNT; i++) {
        fprintf(to_rows, "%s\n", lines[i * i % 7 % 3]);
        fputs(scores[i * i % 7 % 3], to_expected);
    }
    fclose(to_rows);
    fclose(to_expected);
    assert_int_equal(run_model("score", "xgboost", more, rows, &output, &messages), 0);
    assert_string_equal(output, expected);
    free(rows);
    free(expected);
    free(output);
    free(messages);
}

static void rows_before_a_bad_line_are_scored_and_the_line_is_named(void **)
{
    static const struct {
        const char *file, *rows, *output, *message;
    } cases[] = {
        {"linear", "a,b\n1,2\n1,x\n1,2\n", "-3.5\n", "line 3"},
        {"linear", "a,b\n1,2\n1,2\n1\n", "-3.5\n-3.5\n", "line 4"},
        {"bundle", "tenure,issue,vip\n3,late,true\n,late,true\n", "big,small\n64,32\n",
         "line 3: 'tenure' must not be missing"},
        {"bundle", "tenure,issue,vip\n3,late,true\ninf,late,true\n3,late,true\n",
         "big,small\n64,32\n", "standard input line 3: the effect of arm"},
    };
    const char *const more[] = {NULL};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *output, *messages;

        assert_int_equal(
            run_model("score", cases[i].file, more, cases[i].rows, &output, &messages),
            1);
        assert_string_equal(output, cases[i].output);
        if (!strstr(messages, cases[i].message))
            fail_msg("%s", messages);
        free(output);
        free(messages);
    }
}

static void what_a_model_cannot_give_is_refused_before_anything_is_printed(void **)
{
    static const struct {
        const char *file, *more[6];
        int code;
        const char *message;
    } cases[] = {
        {"catboost",
         {"--no-header", "--iterations", "1:2"},
         1,
         "starts at 0 with CatBoost"},
        {"gblinear", {"--no-header", "--output", "leaf"}, 1, "has no leaves"},
        {"gblinear", {"--no-header", "--iterations", "0:1"}, 2, "for a model of trees"},
        {"linear", {"--output", "leaf"}, 2, "needs a model of trees"},
        {"linear", {"--iterations", "0:1"}, 2, "for a model of trees"},
        {"linear", {"--output", "effect"}, 2, "needs a bundle"},
        {"bundle", {"--fast"}, 2, "a bundle scores as the service"},
        {"linear", {"--output", "margin"}, 2, "one of raw, prediction, leaf, effect"},
        {"xgboost", {"--no-header", "--iterations", "0:3"}, 1, "has 2 iterations, not 3"},
        {"xgboost", {"--no-header", "--iterations", "1:1"}, 2, "FROM below TO"},
        {"xgboost", {"--no-header", "--iterations", "1"}, 2, "FROM:TO"},
        {"bundle", {"--no-header"}, 2, "by name"},
        {"bundle", {"--output", "leaf"}, 2, "effect or raw"},
        {"bundle", {0}, 1, "tenure"}, /* no such column */
        {"absent", {0}, 1, "absent"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *output, *messages;
        int code = run_model("score", cases[i].file, cases[i].more, "a,b\n1,2\n", &output,
                             &messages);

        assert_string_equal(output, "");
        if (code != cases[i].code || !strstr(messages, cases[i].message))
            fail_msg("case %zu: exit %d: %s", i, code, messages);
        free(output);
        free(messages);
    }
}

static void a_row_is_scored_while_the_next_is_waited_for(void **)
{
    enum { WAIT_MS = 60000 };
    char model[PATH_BYTES], rows[PATH_BYTES], scores[64] = "";
    const char *const arguments[] = {"model",  "score", model, "--no-header",
                                     "--rows", rows,    NULL};
    struct pollfd reader;
    int ends[2], writer, status;
    pid_t pid;

    path_of(model, "%s/xgboost", folder);
    path_of(rows, "%s/rows", folder);
    assert_int_equal(mkfifo(rows, 0600), 0);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        _exit(program_run(arguments, NULL, NULL));
    }
    close(ends[1]);
    writer = open(rows, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(writer, "0,0\n", 4), 4);
    reader = (struct pollfd){.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&reader, 1, WAIT_MS), 1);
    assert_true(read(ends[0], scores, sizeof scores - 1) > 0);
    assert_string_equal(scores, "1.25\n");
    close(writer);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ends[0]);
}

/* ---- model check ---- */

static void check_says_what_a_model_is(void **)
{
    static const struct {
        const char *file, *lines[6];
    } cases[] = {
        {"xgboost",
         {"format     xgboost-json\n", "library    xgboost-1.7.4\n",
          "objective  binary:logistic, predictions by sigmoid\n",
          "trees      2 in 2 rounds, 6 nodes, leaves: numbers\n", "features   2\n"}},
        {"lightgbm",
         {"format     lightgbm-text\n", "trees      1 in 1 rounds, 5 nodes",
          "features   2 (tenure, orders)\n", "outputs    1\n"}},
        {"catboost", {"format     catboost-json\n", "features   1 (x)\n"}},
        {"gblinear",
         {"trees      none: it is linear (gblinear)\n", "predictions by softmax\n",
          "outputs    2\n"}},
        {"linear",
         {"format     redress-linear/1\n", "link       sigmoid\n",
          "features   2 (a, b)\n"}},
        {"bundle",
         {"format     redress-bundle/1\n", "name       credit_uplift\n",
          "arm        big, dose 1000\n",
          "component  mu1 of small: mu1.json, output 0, identity\n",
          "examples   2, all reproduced\n"}},
    };
    const char *const more[] = {NULL};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *output, *messages;

        assert_int_equal(
            run_model("check", cases[i].file, more, NULL, &output, &messages), 0);
        assert_string_equal(messages, "");
        for (int j = 0; cases[i].lines[j]; j++)
            if (!strstr(output, cases[i].lines[j]))
                fail_msg("'%s' is not in\n%s", cases[i].lines[j], output);
        free(output);
        free(messages);
    }
}

/* The first block of code that begins like this, cut out of a document. */
static char *cut_out(const char *document, const char *start)
{
    char *text, *block, *copy;
    size_t bytes;

    assert_int_equal(file_read(document, 1 << 20, &text, &bytes, NULL), STATUS_OK);
    block = strstr(text, start);
    assert_non_null(block);
    copy = strndup(block, (size_t)(strstr(block, "```") - block));
    free(text);
    return copy;
}

static void the_manifest_of_the_document_makes_a_bundle(void **)
{
    static const char model[] =
        "{\"format\":\"redress-linear/1\",\"features\":[\"tenure_days\",\"issue\"],"
        "\"weights\":[0.3,20],\"intercept\":3}";
    char *manifest =
        cut_out("docs/sample-models.md", "{\n  \"format\": \"redress-bundle/1\"");
    const char *const more[] = {NULL};
    char path[PATH_BYTES], *output, *messages;

    path_of(path, "%s/%s", folder, "documented");
    assert_int_equal(folder_make(path, 0700, NULL), STATUS_OK);
    path_of(path, "%s/%s", folder, "documented/manifest.json");
    assert_int_equal(file_write(path, manifest, strlen(manifest), 0600, NULL), STATUS_OK);
    path_of(path, "%s/%s", folder, "documented/credit_500.json");
    assert_int_equal(file_write(path, model, strlen(model), 0600, NULL), STATUS_OK);
    if (run_model("check", "documented", more, NULL, &output, &messages))
        fail_msg("%s", messages);
    assert_non_null(strstr(output, "examples   1, all reproduced"));
    free(output);
    free(messages);
    free(manifest);
}

static void check_says_the_same_as_json(void **)
{
    static const struct {
        const char *file, *format, *link;
        int features, outputs;
    } cases[] = {
        {"xgboost", "xgboost-json", "sigmoid", 2, 1},
        {"lightgbm", "lightgbm-text", "identity", 2, 1},
        {"catboost", "catboost-json", "identity", 1, 1},
        {"gblinear", "xgboost-json", "softmax", 2, 2},
        {"linear", "redress-linear/1", "sigmoid", 2, 1},
    };
    const char *const more[] = {"--json", NULL};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *output, *messages;
        json_t *answer;

        assert_int_equal(
            run_model("check", cases[i].file, more, NULL, &output, &messages), 0);
        answer = json_loads(output, 0, NULL);
        assert_non_null(answer);
        assert_true(json_is_true(json_object_get(answer, "ok")));
        assert_string_equal(json_string_value(json_object_get(answer, "format")),
                            cases[i].format);
        assert_string_equal(json_string_value(json_object_get(answer, "link")),
                            cases[i].link);
        assert_int_equal(json_integer_value(json_object_get(answer, "features")),
                         cases[i].features);
        assert_int_equal(json_integer_value(json_object_get(answer, "outputs")),
                         cases[i].outputs);
        json_decref(answer);
        free(output);
        free(messages);
    }
}

static void check_lists_the_parts_of_a_bundle_as_json(void **)
{
    const char *const more[] = {"--json", NULL};
    const json_t *arms, *parts;
    char *output, *messages;
    json_t *answer;

    assert_int_equal(run_model("check", "bundle", more, NULL, &output, &messages), 0);
    answer = json_loads(output, 0, NULL);
    arms = json_object_get(answer, "arms");
    parts = json_object_get(answer, "components");
    assert_int_equal(json_array_size(json_object_get(answer, "features")), 3);
    assert_int_equal(json_array_size(arms), 2);
    assert_int_equal(json_array_size(parts), 5);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(parts, 0), "role")), "mu0");
    assert_true(json_is_null(json_object_get(json_array_get(parts, 0), "arm")));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(parts, 4), "arm")), "big");
    json_decref(answer);
    free(output);
    free(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_models_print_what_was_worked_out_by_hand),
        cmocka_unit_test(a_long_table_is_scored_row_by_row),
        cmocka_unit_test(rows_before_a_bad_line_are_scored_and_the_line_is_named),
        cmocka_unit_test(what_a_model_cannot_give_is_refused_before_anything_is_printed),
        cmocka_unit_test(a_row_is_scored_while_the_next_is_waited_for),
        cmocka_unit_test(check_says_what_a_model_is),
        cmocka_unit_test(the_manifest_of_the_document_makes_a_bundle),
        cmocka_unit_test(check_says_the_same_as_json),
        cmocka_unit_test(check_lists_the_parts_of_a_bundle_as_json),
    };

    return cmocka_run_group_tests(tests, make_files, forget_files);
}
