/* test_bundle.c - bundles: what their manifest says, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/bundle_fixture.h"
#include "support/forest_fixture.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct bundle *read_small(void)
{
    struct bundle *bundle = NULL;
    struct err err;

    err_clear(&err);
    if (bundle_read_json(bundle_small, strlen(bundle_small), &bundle, &err))
        fail_msg("%s", err.text);
    return bundle;
}

static void a_bundle_is_read_with_arms_by_rising_dose(void **)
{
    struct bundle *bundle = read_small();

    assert_string_equal(bundle->name, "credit_uplift");
    assert_int_equal(bundle->feature_count, 3);
    assert_false(bundle->features[0].may_be_missing);
    assert_true(bundle->features[2].may_be_missing);
    assert_int_equal(bundle->arm_count, 2);
    assert_string_equal(bundle->arms[0].name, "small");
    assert_int_equal(bundle->arms[0].listed_at, 1);
    assert_int_equal(bundle->model_count, 3); /* each file once */
    assert_int_equal(bundle->example_count, 2);
    assert_true(bundle->example_effects[0] == 32); /* small stands first */
    assert_true(isnan(bundle->example_rows[3 + 1]));
    assert_true(bundle->cost_share == 1);
    assert_int_equal(bundle->treatment_feature, -1);
    bundle_free(bundle);
}

static void every_fault_of_a_manifest_has_its_pointer(void **)
{
    static const struct {
        const char *from, *to, *pointer;
    } edits[] = {
        {"redress-bundle/1", "redress-bundle/2", "/format"},
        {"\"kind\":\"effect\"", "\"kind\":\"rank\"", "/kind"},
        {"credit_uplift", "Credit Uplift", "/name"},
        {"\"learner\":\"t\"", "\"lerner\":\"t\"", "/lerner"},
        {"\"type\":\"float\"", "\"type\":\"double\"", "/features/0/type"},
        {"\"missing\":\"refuse\"", "\"mising\":\"refuse\"", "/features/0/mising"},
        {"{\"name\":\"vip\"", "{\"name\":\"tenure\"", "/features/2/name"},
        {"\"categories\":[\"late\",\"cold\"]", "\"categories\":[]",
         "/features/1/categories"},
        {"\"categories\":[\"late\",\"cold\"]", "\"categories\":[\"late\",\"late\"]",
         "/features/1/categories"},
        {"\"dose\":1000", "\"dose\":0", "/arms/0/dose"},
        {"\"dose\":1000", "\"dose\":400", "/arms/"},
        {"\"dose\":1000", "\"dose\":1000,\"calibration\":1", "/arms/0/calibration"},
        {"\"dose\":1000", "\"dose\":1000,\"calibration\":{\"slop\":1}",
         "/arms/0/calibration/slop"},
        {"\"dose\":1000", "\"dose\":1000,\"calibration\":{\"slope\":-1}",
         "/arms/0/calibration/slope"},
        {"{\"name\":\"big\",", "{\"name\":\"small\",", "/arms/"},
        {"\"role\":\"mu0\"", "\"role\":\"mu\"", "/components/0/role"},
        {"\"arm\":\"small\",\"file\":\"mu1", "\"arm\":\"tiny\",\"file\":\"mu1",
         "/components/1/arm"},
        {"\"arm\":\"small\",\"file\":\"mu1", "\"file\":\"mu1", "/components/1/arm"},
        {"\"arm\":\"big\",\"file\":\"mu1", "\"arm\":\"small\",\"file\":\"mu1",
         "/components"},
        {"{\"role\":\"mu0\",\"file\":\"mu0.json\"},", "", "/components"},
        {"\"file\":\"mu0.json\"", "\"file\":\"../mu0.json\"", "/components/0/file"},
        {"\"file\":\"mu0.json\"", "\"file\":\"other.json\"", "/components/0/file"},
        {"\"output\":1},{\"role\":\"cost\",\"arm\":\"small\"",
         "\"output\":2},{\"role\":\"cost\",\"arm\":\"small\"", "/components/2/output"},
        {"\"value\":{\"scale\":2}", "\"value\":{\"scale\":\"2\"}", "/value/scale"},
        {"\"value\":{\"scale\":2}", "\"value\":{\"feature\":\"issue\"}",
         "/value/feature"},
        {"\"value\":{\"scale\":2}", "\"value\":{\"feature\":\"age\"}", "/value/feature"},
        {"\"value\":{\"scale\":2}", "\"cost\":{\"share\":1.5}", "/cost/share"},
        {"[3,\"late\",true]", "[3,\"late\"]", "/examples/rows/0"},
        {"[3,\"late\",true]", "[\"3\",\"late\",true]", "/examples/rows/0"},
        {"{\"tenure\":1}", "{\"vip\":true}", "/examples/rows/1"},
        {"[[64,32],[8,24]]", "[[64,32],[8]]", "/examples/effects/1"},
        {"[[64,32],[8,24]]", "[[64,32]]", "/examples"},
        {"[[64,32],[8,24]]", "[[64,32],[8,24]],\"tolerance\":2e-6",
         "/examples/tolerance"},
        {"[[64,32],[8,24]]", "[[64,32],[8,24]],\"tolerance\":-1", "/examples/tolerance"},
        {"[[64,32],[8,24]]", "[[64,32],[8,24]],\"tolerance\":\"0\"",
         "/examples/tolerance"},
        {"[[64,32],[8,24]]", "[[64,32],[8,24]],\"toleranc\":0", "/examples/toleranc"},
        {"[\"tenure\",\"issue\",\"vip\"]", "[\"tenure\",\"vip\",\"issue\"]",
         "/components/0/file"},
        {"\"weights\":[1,0,0]", "\"weights\":[1,0]", "/components/0/file"},
        {"\"mu0.json\":{\"json\"",
         "\"spare.json\":{\"text\":\"\"},\"mu0.json\":{\"json\"", "/files/spare.json"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char *text = text_replaced(bundle_small, edits[i].from, edits[i].to);
        struct bundle *bundle = NULL;
        char wanted[64];
        struct err err;
        enum status rc;

        /* All but the files stand in the manifest. */
        snprintf(wanted, sizeof wanted, "%s%s",
                 strncmp(edits[i].pointer, "/files/", 7) == 0 ? "" : "/manifest",
                 edits[i].pointer);
        err_clear(&err);
        rc = bundle_read_json(text, strlen(text), &bundle, &err);
        free(text);
        bundle_free(bundle);
        if (rc != STATUS_INVALID || err.fault_count == 0 ||
            strncmp(err.faults[0].pointer, wanted, strlen(wanted)) != 0)
            fail_msg("'%s': '%s' is not at %s", edits[i].to, rc ? err.text : "accepted",
                     wanted);
    }
}

static void words_that_nobody_knows_are_said_beside_the_known_ones(void **)
{
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {"redress-bundle/1", "redress-bundle/2",
         "'redress-bundle/2' is none of redress-bundle/1"},
        {"\"type\":\"float\"", "\"type\":\"double\"",
         "'double' is none of float, category, bool"},
        {"\"type\":\"float\"", "\"type\":7", "must be one of float, category, bool"},
        {"\"role\":\"mu0\"", "\"role\":\"mu\"", "'mu' is none of tau, mu0, mu1,"},
        {"{\"tenure\":1}", "{\"tenure\":1,\"age\":2,\"vip\":true,\"issue\":\"late\"}",
         "/features/age: is not in the model"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char *text = text_replaced(bundle_small, edits[i].from, edits[i].to);
        struct bundle *bundle = NULL;
        struct err err;

        err_clear(&err);
        assert_int_equal(bundle_read_json(text, strlen(text), &bundle, &err),
                         STATUS_INVALID);
        if (!strstr(err.text, edits[i].message))
            fail_msg("'%s' does not say '%s'", err.text, edits[i].message);
        free(text);
    }
}

static void broken_containers_are_refused(void **)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"files\":{}}",
        "{\"manifest\":{}}",
        "{\"manifest\":[]}",
        "{\"manifest\":{},\"manifest\":{}}",
        "{\"manifest\":{},\"other\":1}",
        "{\"manifest\":{\"name\":\"a\",\"name\":\"b\"}}",
        "{\"manifest\":{},\"files\":{\"a\":{}}}",
        "{\"manifest\":{},\"files\":{\"a\":{\"text\":\"\",\"json\":1}}}",
        "{\"manifest\":{},\"files\":{\"a\":{\"base64\":\"***\"}}}",
        "{\"manifest\":{},\"files\":{\"a\":{\"text\":\"\"},\"a\":{\"text\":\"\"}}}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bundle *bundle = NULL;
        struct err err;

        err_clear(&err);
        assert_int_not_equal(bundle_read_json(texts[i], strlen(texts[i]), &bundle, &err),
                             STATUS_OK);
        assert_true(err.text[0] != 0);
    }
}

static void a_row_is_made_of_the_features_that_were_sent(void **)
{
    struct bundle *bundle = read_small();
    const struct feature_value values[] = {
        {.name = text_of("vip"), .kind = FEATURE_SENT_BOOL, .number = 1},
        {.name = text_of("issue"),
         .kind = FEATURE_SENT_STRING,
         .string = text_of("cold")},
        {.name = text_of("tenure"), .kind = FEATURE_SENT_NUMBER, .number = 2.5},
    };
    const struct feature_value unlisted = {
        .name = text_of("issue"), .kind = FEATURE_SENT_STRING, .string = text_of("lost")};
    double row[3];
    struct err err;
    int refused;

    err_clear(&err);
    assert_int_equal(bundle_row(bundle, values, 3, row, &refused, &err), STATUS_OK);
    assert_int_equal(refused, -1);
    assert_true(row[0] == 2.5);
    assert_true(row[1] == 1);
    assert_true(row[2] == 1);
    assert_int_equal(bundle_row(bundle, &unlisted, 1, row, &refused, &err), STATUS_OK);
    assert_int_equal(refused, 0); /* tenure must be there */
    assert_true(isnan(row[1]));
    bundle_free(bundle);
}

static void unknown_and_mistyped_features_are_faults(void **)
{
    struct bundle *bundle = read_small();
    const struct feature_value values[] = {
        {.name = text_of("ten/ure"), .kind = FEATURE_SENT_NUMBER, .number = 1},
        {.name = text_of("tenure"), .kind = FEATURE_SENT_STRING, .string = text_of("1")},
        {.name = text_of("vip"), .kind = FEATURE_SENT_NUMBER, .number = 2},
        {.name = text_of("issue"), .kind = FEATURE_SENT_NUMBER, .number = 1},
        {.name = text_of("issue"), .kind = FEATURE_SENT_NULL},
    };
    double row[3];
    struct err err;
    int refused;

    err_clear(&err);
    assert_int_equal(bundle_row(bundle, values, 5, row, &refused, &err), STATUS_INVALID);
    assert_int_equal(err.fault_count, 5);
    assert_string_equal(err.faults[0].pointer, "/features/ten~1ure");
    assert_string_equal(err.faults[0].code, "unknown_feature");
    assert_string_equal(err.faults[1].code, "wrong_type");
    assert_string_equal(err.faults[2].code, "wrong_type");
    assert_string_equal(err.faults[3].code, "wrong_type");
    assert_string_equal(err.faults[4].code, "duplicate");
    bundle_free(bundle);
}

static void the_hash_covers_names_lengths_and_contents(void **)
{
    char *renamed =
        text_replaced(bundle_small, "\"weights\":[1,0,0]", "\"weights\":[1,0, 0]");
    struct bundle *bundle = read_small(), *other = NULL, *again = read_small();

    assert_int_equal(bundle_read_json(renamed, strlen(renamed), &other, NULL), STATUS_OK);
    assert_int_equal(strlen(bundle->sha256), 64);
    assert_string_equal(bundle->sha256, again->sha256);
    assert_string_not_equal(bundle->sha256, other->sha256);
    bundle_free(bundle);
    bundle_free(other);
    bundle_free(again);
    free(renamed);
}

static void a_folder_reads_as_its_parts(void **)
{
    char folder[] = "/tmp/redress-bundle-XXXXXX";
    struct bundle *bundle = read_small(), *from_folder = NULL;
    char path[PATH_BYTES];
    struct err err;

    err_clear(&err);
    assert_non_null(mkdtemp(folder));
    path_of(path, "%s/manifest.json", folder);
    assert_int_equal(
        file_write(path, bundle->manifest.at, bundle->manifest.bytes, 0600, &err),
        STATUS_OK);
    for (int i = 0; i < bundle->file_count; i++) {
        path_of(path, "%s/%s", folder, bundle->files[i].name.at);
        assert_int_equal(file_write(path, bundle->files[i].content.at,
                                    bundle->files[i].content.bytes, 0600, &err),
                         STATUS_OK);
    }
    if (bundle_read_path(folder, &from_folder, &err))
        fail_msg("%s", err.text);
    assert_string_equal(from_folder->sha256, bundle->sha256);
    bundle_free(from_folder);
    unlink(path); /* the last file */
    assert_int_equal(bundle_read_path(folder, &from_folder, &err), STATUS_INVALID);
    assert_string_equal(err.faults[0].code, "missing_file");
    for (int i = 0; i < bundle->file_count; i++) {
        path_of(path, "%s/%s", folder, bundle->files[i].name.at);
        unlink(path);
    }
    path_of(path, "%s/manifest.json", folder);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    bundle_free(bundle);
}

static void formats_are_told_apart_by_content(void **)
{
    static const struct {
        const char *text;
        enum model_format format;
    } files[] = {
        {xgboost_small, MODEL_XGBOOST_JSON},
        {lightgbm_small, MODEL_LIGHTGBM_TEXT},
        {bundle_small, MODEL_BUNDLE},
        {bundle_s_learner, MODEL_BUNDLE},
        {" {\"format\":\"redress-linear/1\"}", MODEL_LINEAR},
        {"{L\1", MODEL_XGBOOST_UBJ},
        {"{\"oblivious_trees\":[]}", MODEL_CATBOOST_JSON},
        {"{\"features_info\":{}}", MODEL_CATBOOST_JSON},
        {"binf", MODEL_UNKNOWN},
        {"", MODEL_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(model_format_of(files[i].text, strlen(files[i].text)),
                         files[i].format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_is_read_with_arms_by_rising_dose),
        cmocka_unit_test(every_fault_of_a_manifest_has_its_pointer),
        cmocka_unit_test(words_that_nobody_knows_are_said_beside_the_known_ones),
        cmocka_unit_test(broken_containers_are_refused),
        cmocka_unit_test(a_row_is_made_of_the_features_that_were_sent),
        cmocka_unit_test(unknown_and_mistyped_features_are_faults),
        cmocka_unit_test(the_hash_covers_names_lengths_and_contents),
        cmocka_unit_test(a_folder_reads_as_its_parts),
        cmocka_unit_test(formats_are_told_apart_by_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
