/* test_memory_faults.c - every reader of files and bodies with each of its mallocs
 * failing in its turn, once and from then on: it says so, or reads what it reads without
 * a fault. Leaks are seen by make check-asan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/instance.h"
#include "app/settings.h"
#include "app/simulate.h"
#include "base/file.h"
#include "base/zone_table.h"
#include "infer/engine.h"
#include "infer/scorer.h"
#include "json/tree.h"
#include "policy/case.h"
#include "policy/policy.h"
#include "support/failing_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20, PATH_BYTES = 512 };

/* A file as it is read by some reader: its bytes, and a path that has them. */
struct given {
    const char *bytes, *path;
    size_t count;
};

/* *sum tells what was read from something else. */
typedef enum status reader(const struct given *given, double *sum, struct err *err);

/* --- the readers ------------------------------------------------------------------------------ */

static enum status read_tree(const struct given *given, double *sum, struct err *err)
{
    json_t *root;
    char *text = NULL;
    enum status rc = json_tree_read(given->bytes, given->count, JSON_REJECT_DUPLICATES,
                                    &root, NULL, err);

    if (!rc)
        rc = json_tree_write(root, JSON_COMPACT | JSON_SORT_KEYS, &text, err);
    for (size_t i = 0; !rc && text[i]; i++)
        *sum = *sum * 31 + text[i];
    free(text);
    json_decref(root);
    return rc;
}

static enum status read_bundle(const struct given *given, double *sum, struct err *err)
{
    double row[BUNDLE_FEATURE_COUNT_MAX] = {0};
    double effects[BUNDLE_ARM_COUNT_MAX], costs[BUNDLE_ARM_COUNT_MAX];
    struct bundle *bundle = NULL;
    struct scorer *scorer = NULL;
    enum status rc = bundle_read_json(given->bytes, given->count, &bundle, err);

    if (!rc)
        rc = scorer_open(bundle, &scorer, err);
    if (!rc)
        rc = scorer_check_examples(scorer, err);
    if (!rc)
        rc = scorer_effects(scorer, row, 1, effects, costs, err);
    if (!rc)
        *sum = effects[0] + 1000 * costs[0];
    scorer_close(scorer);
    return rc;
}

static enum status read_model(const struct given *given, double *sum, struct err *err)
{
    struct bundle_model model;
    enum status rc = model_read(given->bytes, given->count, &model, err);

    if (rc)
        return rc;
    *sum = 1;
    model_release(&model);
    return STATUS_OK;
}

static enum status open_engine(enum status rc, struct forest *forest, double *sum,
                               struct err *err)
{
    const struct forest *forests[] = {forest};
    struct engine *engine = NULL;
    double *row, *raw;

    if (!rc)
        rc = engine_open(forests, 1, &engine, err);
    if (!rc) {
        memory_disarm();
        row = calloc((size_t)forest->feature_count + 1, sizeof *row);
        raw = calloc((size_t)forest->group_count, sizeof *raw);
        engine_raw(engine, row, 1, raw);
        *sum = raw[0];
        free(row);
        free(raw);
    }
    engine_close(engine);
    forest_free(forest);
    return rc;
}

#define READ_FOREST(format)                                                              \
    static enum status read_##format(const struct given *given, double *sum,             \
                                     struct err *err)                                    \
    {                                                                                    \
        struct forest *forest = NULL;                                                    \
        enum status rc = forest_read_##format(given->bytes, given->count, &forest, err); \
                                                                                         \
        return open_engine(rc, forest, sum, err);                                        \
    }

READ_FOREST(xgboost)
READ_FOREST(lightgbm)
READ_FOREST(catboost)

static enum status read_policy(const struct given *given, double *sum, struct err *err)
{
    struct policy *policy = NULL;
    enum status rc = policy_read(given->bytes, given->count, &policy, err);

    if (rc)
        return rc;
    *sum = (double)policy_hold_seconds(policy) + policy_priority(policy);
    policy_free(policy);
    return STATUS_OK;
}

static enum status read_case(const struct given *given, double *sum, struct err *err)
{
    struct refund_case asked;
    struct arena arena;
    enum status rc;

    arena_init(&arena, NULL, 0, 1 << 20);
    rc = case_decode(given->bytes, given->count, &arena, &asked, err);
    if (!rc)
        *sum = (double)asked.order_amount + 0.25 * asked.feature_count;
    arena_reset(&arena);
    return rc;
}

static enum status read_zone(const struct given *given, double *sum, struct err *err)
{
    struct zone_table table;
    enum status rc =
        zone_table_read((struct text){given->bytes, given->count}, &table, err);

    if (rc)
        return rc;
    *sum = (double)zone_table_offset(&table, 0);
    zone_table_free(&table);
    return STATUS_OK;
}

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static enum status read_settings(const struct given *given, double *sum, struct err *err)
{
    static const struct setting_options none;
    struct settings settings;
    bool is_usage;
    enum status rc =
        settings_read(given->path, &none, no_variable, &settings, &is_usage, err);

    if (!rc)
        *sum = (double)(settings.connections + 100000 * settings.queue);
    return rc;
}

static enum status read_instance(const struct given *given, double *sum, struct err *err)
{
    struct decimal limit = {.digits = 100025, .decimals = 3, .is_exact = true};
    struct instance instance = {0};
    struct input input = {0};
    bool is_table = false;
    enum status rc = input_open(given->path, &input, err);

    if (!rc)
        rc = instance_sniff(&input, &is_table, err);
    if (!rc)
        rc = is_table ? instance_read_table(&input, &limit, NULL, &instance, err)
                      : instance_read_json(&input, NULL, &instance, err);
    for (int64_t i = 0; !rc && i < instance.action_count; i++)
        *sum += (double)(instance.allocation.costs[i] * (i + 1)) +
                (double)instance.allocation.values[i];
    instance_close(&instance);
    input_close(&input);
    return rc;
}

static enum status read_stream(const struct given *given, double *sum, struct err *err)
{
    struct simulation simulation = {0};
    enum status rc = simulate_read_today(given->path, &simulation, err);

    if (!rc)
        *sum = (double)simulation.today.case_count;
    simulation_free(&simulation);
    return rc;
}

/* --- the sweep -------------------------------------------------------------------------------- */

static long point_count;

/* One fault. Returns whether it has struck. */
static bool try(reader *read, const struct given *given, long nth, bool is_lasting,
                enum status wanted, double wanted_sum)
{
    double sum = 0;
    struct err err;
    enum status rc;
    bool has_struck;

    err_clear(&err);
    memory_arm(nth, is_lasting);
    rc = read(given, &sum, &err);
    has_struck = memory_disarm();
    if (rc == wanted && (rc || memcmp(&sum, &wanted_sum, sizeof sum) == 0))
        return has_struck;
    if (!has_struck || rc != STATUS_EXHAUSTED || !err.text[0])
        fail_msg("%s, malloc %ld: status %d (%s), sum %g, not %d, %g", given->path, nth,
                 rc, err.text, sum, wanted, wanted_sum);
    return true;
}

static void sweep(reader *read, const struct given *given)
{
    double sum = 0;
    struct err err;
    enum status wanted;

    err_clear(&err);
    wanted = read(given, &sum, &err);
    for (int is_lasting = 0; is_lasting < 2; is_lasting++)
        for (long nth = 1; try(read, given, nth, is_lasting, wanted, sum); nth++)
            point_count++;
}

static void sweep_file(reader *read, const char *path)
{
    struct given given = {.path = path};
    char *content;
    struct err err;

    err_clear(&err);
    if (file_read(path, FILE_BYTES_MAX, &content, &given.count, &err))
        fail_msg("%s", err.text);
    given.bytes = content;
    sweep(read, &given);
    free(content);
}

static void sweep_folder(reader *read, const char *folder)
{
    DIR *listing = opendir(folder);
    const struct dirent *entry;
    char path[PATH_BYTES];

    point_count = 0;
    assert_non_null(listing);
    while ((entry = readdir(listing))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        sweep_file(read, path);
    }
    closedir(listing);
    printf("  %s: %ld faults\n", folder, point_count);
    assert_true(point_count > 0);
}

#define CORPUS "tests/fuzz/corpus/"

static void every_reader_says_that_memory_lacks(void **state)
{
    static const struct {
        reader *read;
        const char *folder;
    } readers[] = {
        {read_tree, CORPUS "policy"},
        {read_tree, CORPUS "json"},
        {read_bundle, CORPUS "bundle"},
        {read_model, CORPUS "bundle"},
        {read_xgboost, CORPUS "xgboost"},
        {read_xgboost, CORPUS "ubj"},
        {read_lightgbm, CORPUS "lightgbm"},
        {read_catboost, CORPUS "catboost"},
        {read_policy, CORPUS "policy"},
        {read_case, CORPUS "case"},
        {read_instance, CORPUS "instance"},
        {read_stream, CORPUS "simulation"},
        {read_zone, "/usr/share/zoneinfo/Australia"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        sweep_folder(readers[i].read, readers[i].folder);
}

static void settings_say_that_memory_lacks(void **state)
{
    (void)state;
    point_count = 0;
    sweep_file(read_settings, "config/redress.json");
    assert_true(point_count > 0);
}

/* --- the reserve ------------------------------------------------------------------------------ */

/* A list of one long text, and then many small values. */
static char *long_document(size_t bytes)
{
    char *text = malloc(bytes + 4096);
    size_t at = 0;

    assert_non_null(text);
    at += (size_t)sprintf(text, "[\"");
    memset(text + at, 'x', bytes);
    at += bytes;
    at += (size_t)sprintf(text + at, "\"");
    for (int i = 0; i < 500; i++)
        at += (size_t)sprintf(text + at, ",{}");
    strcpy(text + at, "]");
    return text;
}

/* From the first malloc on, so that all comes from the reserve; and again, so that it is
 * given back. */
static void the_longest_text_ends_within_the_reserve(void **state)
{
    char *text = long_document(JSON_TREE_BYTES_MAX - 4096);

    (void)state;
    for (int round = 0; round < 3; round++)
        for (long nth = 1; nth < 40; nth += 6) {
            json_t *root;
            enum status rc;

            memory_arm(nth, true);
            rc = json_tree_read(text, strlen(text), 0, &root, NULL, NULL);
            assert_true(memory_disarm());
            assert_int_equal(rc, STATUS_EXHAUSTED);
            assert_null(root);
            assert_int_equal(json_tree_lack_count(), 0);
        }
    free(text);
}

/* What is built of values is whole or known not to be. */
static void a_tree_that_is_built_without_memory_is_known(void **state)
{
    (void)state;
    for (long nth = 1;; nth++) {
        long before = json_tree_lack_count();
        json_t *root;
        char *text = NULL;
        bool has_struck, lacks;

        memory_arm(nth, true);
        root = json_pack("{s:s, s:[i,i], s:{s:f}}", "name", "a name", "list", 1, 2,
                         "inner", "number", 0.5);
        lacks = json_tree_lack_count() > before;
        has_struck = memory_disarm();
        assert_int_equal(lacks, has_struck);
        /* The reserve has it whole all the same. */
        assert_int_equal(json_tree_write(root, JSON_COMPACT, &text, NULL), STATUS_OK);
        assert_string_equal(
            text, "{\"name\":\"a name\",\"list\":[1,2],\"inner\":{\"number\":0.5}}");
        free(text);
        json_decref(root);
        if (!has_struck)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_text_ends_within_the_reserve),
        cmocka_unit_test(a_tree_that_is_built_without_memory_is_known),
        cmocka_unit_test(every_reader_says_that_memory_lacks),
        cmocka_unit_test(settings_say_that_memory_lacks),
    };

    json_tree_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
