/* test_worst_models.c - the largest and slowest files of each format: redress model check
 * is done with each within two seconds of CPU time and 512 MB of address space, whether
 * it takes it or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/forest.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/slowness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ADDRESS_BYTES_MAX (UINT64_C(512) << 20)
static const double cpu_s_max = 2;

enum {
    NODE_COUNT = 2400000,
    LEAF_COUNT = FOREST_NODE_COUNT_MAX / 2,
    LONG_COUNT = 980000,
    SKIPPED_COUNT = 16000000,
};

/* --- pieces ----------------------------------------------------------------------------------- */

static void put_list(FILE *file, const char *name, const char *item, int count)
{
    fprintf(file, "\"%s\":[%s", name, item);
    for (int i = 1; i < count; i++) {
        putc(',', file);
        fputs(item, file);
    }
    fputs("],", file);
}

static void put_words(FILE *file, const char *name, const char *word, int count)
{
    fprintf(file, "%s=", name);
    for (int i = 0; i < count; i++) {
        fputs(word, file);
        putc(i + 1 < count ? ' ' : '\n', file);
    }
}

static void put_xgboost_start(FILE *file)
{
    fputs(
        "{\"version\":[1,7,4],\"learner\":{\"learner_model_param\":{\"base_score\":\"0\","
        "\"num_class\":\"0\",\"num_feature\":\"1\",\"num_target\":\"1\"},\"objective\":"
        "{\"name\":\"reg:squarederror\"},\"gradient_booster\":{\"name\":\"gbtree\","
        "\"model\":{\"gbtree_model_param\":{\"num_trees\":\"1\","
        "\"num_parallel_tree\":\"1\"},\"tree_info\":[0],\"trees\":[{\"id\":0,",
        file);
}

/* Its root is a leaf: the other nodes are out of reach, but read. */
static void put_xgboost_end(FILE *file, int node_count)
{
    put_list(file, "left_children", "-1", node_count);
    put_list(file, "right_children", "-1", node_count);
    put_list(file, "split_indices", "0", node_count);
    put_list(file, "default_left", "0", node_count);
    fprintf(file,
            "\"tree_param\":{\"num_nodes\":\"%d\",\"size_leaf_vector\":\"0\"}}]}}}}",
            node_count);
}

static void put_lightgbm_start(FILE *file)
{
    fputs(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        "max_feature_idx=0\nobjective=regression\nfeature_names=a\nfeature_infos=[0:9]\n"
        "tree_sizes=1\n\nTree=0\n",
        file);
}

static void put_lightgbm_end(FILE *file, bool is_linear)
{
    fprintf(file, "is_linear=%d\nshrinkage=1\n\n\nend of trees\n", is_linear);
}

/* --- files ------------------------------------------------------------------------------------ */

static void xgboost_of_many_nodes(FILE *file)
{
    put_xgboost_start(file);
    put_list(file, "split_conditions", "1e-40", NODE_COUNT);
    put_list(file, "sum_hessian", "1e-39", NODE_COUNT);
    put_xgboost_end(file, NODE_COUNT);
}

/* As long as a number may be, and in the middle between two doubles. */
static void xgboost_of_long_numbers(FILE *file)
{
    put_xgboost_start(file);
    put_list(file, "split_conditions",
             "1.00000000000000011102230246251565404236316680908203125e-0000000",
             LONG_COUNT);
    fputs("\"id\":0}]}}}}", file);
}

static void xgboost_of_too_long_numbers(FILE *file)
{
    put_xgboost_start(file);
    fputs("\"split_conditions\":[1.", file);
    for (int i = 0; i < 60 << 20; i++)
        putc('7', file);
    fputs("]}]}}}}", file);
}

static void xgboost_of_vectors(FILE *file)
{
    put_xgboost_start(file);
    put_list(file, "leaf_weights", "3e-40", FOREST_VALUE_COUNT_MAX + 1);
    fputs("\"id\":0}]}}}}", file);
}

/* Two trees of 513 nodes with 4096 numbers each, of which only those of 257 leaves are
 * taken: the others count too. */
static void xgboost_of_node_weights(FILE *file)
{
    enum { INNER_COUNT = 256, NODES = 2 * INNER_COUNT + 1, GROUPS = 4096 };

    put_xgboost_start(file);
    for (int tree = 0; tree < 2; tree++) {
        fputs(tree ? "{\"id\":1," : "", file);
        put_list(file, "base_weights", "1", NODES * GROUPS);
        put_list(file, "split_indices", "0", NODES);
        put_list(file, "default_left", "0", NODES);
        put_list(file, "split_conditions", "0", NODES);
        for (int side = 0; side < 2; side++) {
            fputs(side ? "\"right_children\":[" : "\"left_children\":[", file);
            for (int i = 0; i < INNER_COUNT; i++)
                fprintf(file, "%d,-1,", 2 * i + 1 + side);
            fputs("-1],", file);
        }
        fprintf(file,
                "\"tree_param\":{\"num_nodes\":\"%d\",\"size_leaf_vector\":\"%d\"}},",
                NODES, GROUPS);
    }
}

static void xgboost_of_brackets(FILE *file)
{
    fputs("{\"more\":[", file);
    for (int i = 0; i < 20 << 20; i++)
        fputs("[],", file);
    fputs("0]}", file);
}

static void ubj_of_nothing(FILE *file)
{
    fputs("{U\4more[", file);
    for (int i = 0; i < 4 * SKIPPED_COUNT - 1000; i++)
        putc('Z', file);
    fputs("]}", file);
}

static void ubj_of_statistics(FILE *file)
{
    static const unsigned char count[] = {0x00, 0x3f, 0xff, 0xff};

    fputs("{U\7learner{U\20gradient_booster{U\5model{U\5trees[{", file);
    for (int i = 0; i < 14; i++) {
        static const char *const names[] = {"base_weights", "loss_changes", "parents"};

        fprintf(file, "U%c%s[$U#l", (int)strlen(names[i % 3]), names[i % 3]);
        fwrite(count, sizeof count, 1, file);
        for (int k = 0; k < 0x3fffff; k++)
            putc(1, file);
        if (i % 3 == 2) /* the next tree */
            fputs("}{", file);
    }
}

/* A chain: the left child of each node is a leaf, the right one the next node. */
static void lightgbm_of_many_leaves(FILE *file)
{
    put_lightgbm_start(file);
    fprintf(file, "num_leaves=%d\nnum_cat=0\n", LEAF_COUNT);
    put_words(file, "split_feature", "0", LEAF_COUNT - 1);
    put_words(file, "threshold", "5e-324", LEAF_COUNT - 1);
    put_words(file, "decision_type", "8", LEAF_COUNT - 1);
    put_words(file, "leaf_value", "5e-324", LEAF_COUNT);
    fputs("left_child=", file);
    for (int i = 0; i < LEAF_COUNT - 1; i++)
        fprintf(file, "%d ", ~i);
    fputs("\nright_child=", file);
    for (int i = 0; i < LEAF_COUNT - 2; i++)
        fprintf(file, "%d ", i + 1);
    fprintf(file, "%d\n", ~(LEAF_COUNT - 1));
    put_lightgbm_end(file, false);
}

static void lightgbm_of_many_terms(FILE *file)
{
    enum { LEAVES = FOREST_TERM_COUNT_MAX / FOREST_FEATURE_COUNT_MAX };

    put_lightgbm_start(file);
    fprintf(file, "num_leaves=%d\nnum_cat=0\n", LEAVES);
    put_words(file, "split_feature", "0", LEAVES - 1);
    put_words(file, "threshold", "1", LEAVES - 1);
    put_words(file, "decision_type", "8", LEAVES - 1);
    put_words(file, "leaf_value", "1", LEAVES);
    fputs("left_child=", file);
    for (int i = 0; i < LEAVES - 1; i++)
        fprintf(file, "%d ", ~i);
    fputs("\nright_child=", file);
    for (int i = 0; i < LEAVES - 2; i++)
        fprintf(file, "%d ", i + 1);
    fprintf(file, "%d\n", ~(LEAVES - 1));
    put_words(file, "leaf_const", "1", LEAVES);
    put_words(file, "num_features", "65536", LEAVES);
    put_words(file, "leaf_features", "0", FOREST_TERM_COUNT_MAX);
    put_words(file, "leaf_coeff", "9.0e-324", FOREST_TERM_COUNT_MAX);
    put_lightgbm_end(file, true);
}

static void catboost_of_many_values(FILE *file)
{
    fputs("{\"oblivious_trees\":[{", file);
    put_list(file, "leaf_values", "5e-324", FOREST_VALUE_COUNT_MAX);
    fputs("\"splits\":null}],\"features_info\":{\"float_features\":[]},"
          "\"scale_and_bias\":[1,[0]]}",
          file);
}

static void linear_of_many_weights(FILE *file)
{
    fputs("{\"format\":\"redress-linear/1\",", file);
    put_list(file, "weights", "5e-324", 4 << 20);
    fputs("\"intercept\":0}", file);
}

static void linear_of_many_intercepts(FILE *file)
{
    fputs("{\"format\":\"redress-linear/1\",\"weights\":[1],", file);
    put_list(file, "intercepts", "5e-324", 8 << 20);
    fputs("\"link\":\"identity\"}", file);
}

static void a_file_over_the_limit(FILE *file)
{
    fputs("{\"learner\":0", file);
    for (int i = 0; i < MODEL_BYTES_MAX; i++)
        putc(' ', file);
    putc('}', file);
}

static const struct {
    const char *name;
    void (*write)(FILE *file);
    const char *message; /* NULL: it is a sound model */
} files[] = {
    {"xgboost nodes", xgboost_of_many_nodes, NULL},
    {"xgboost long numbers", xgboost_of_long_numbers, "is given twice"},
    {"xgboost too long", xgboost_of_too_long_numbers, "more than 64 bytes"},
    {"xgboost vectors", xgboost_of_vectors, "more than 4194304 values in all leaves"},
    {"xgboost node weights", xgboost_of_node_weights, "trees[1].base_weights[2093056]"},
    {"xgboost brackets", xgboost_of_brackets, "bytes of unknown members"},
    {"ubj nothing", ubj_of_nothing, "values of unknown members"},
    {"ubj statistics", ubj_of_statistics, "num_nodes: is missing"},
    {"lightgbm leaves", lightgbm_of_many_leaves, NULL},
    {"lightgbm terms", lightgbm_of_many_terms, NULL},
    {"catboost values", catboost_of_many_values, "entries for 1 leaves"},
    {"linear weights", linear_of_many_weights, "more than 65536 features"},
    {"linear intercepts", linear_of_many_intercepts, "more than 4096 numbers"},
    {"over the limit", a_file_over_the_limit, "67108864 bytes"},
};

/* --- the check -------------------------------------------------------------------------------- */

static double children_cpu_s(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int check_limited(const char *path, char **messages)
{
    const char *arguments[] = {"model", "check", path, NULL};
    struct rlimit usual, limited;
    char *output = NULL;
    int code;

    assert_int_equal(getrlimit(RLIMIT_AS, &usual), 0);
    limited = usual;
    limited.rlim_cur = ADDRESS_BYTES_MAX;
    assert_int_equal(setrlimit(RLIMIT_AS, &limited), 0);
    code = program_run_messages(arguments, NULL, &output, messages);
    assert_int_equal(setrlimit(RLIMIT_AS, &usual), 0);
    free(output);
    return code;
}

static void check_file(const char *path, size_t index)
{
    const char *expected = files[index].message;
    FILE *file = fopen(path, "w");
    char *messages = NULL;
    double before, cpu_s;
    int code;

    assert_non_null(file);
    files[index].write(file);
    printf("%-22s %5.1f MB", files[index].name, (double)ftell(file) / 1e6);
    assert_int_equal(fclose(file), 0);
    before = children_cpu_s();
    code = check_limited(path, &messages);
    cpu_s = children_cpu_s() - before;
    printf(" %5.2f s  %s\n", cpu_s, code ? messages : "sound\n");
    assert_int_equal(code, expected ? 1 : 0);
    if (expected)
        assert_non_null(strstr(messages, expected));
    assert_null(strstr(messages, "memory"));
    assert_true(cpu_s < cpu_s_max * machine_slowness());
    free(messages);
}

static void the_worst_files_are_checked_in_two_seconds_and_512_mb(void **)
{
    char *folder, path[4096];

#ifdef __SANITIZE_ADDRESS__
    printf("SKIPPED: under a sanitizer neither time nor memory are ours\n");
    skip();
#endif
    folder = folder_temporary();
    assert_non_null(folder);
    snprintf(path, sizeof path, "%s/model", folder);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_file(path, i);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_files_are_checked_in_two_seconds_and_512_mb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
