/* test_engine.c - every kernel, on every instruction set of this machine, gives the bits
 * of the plain evaluator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "infer/engine.h"
#include "infer/engine_compile.h"
#include "infer/evaluate.h"
#include "infer/kernel.h"
#include "support/random_forest.h"
#include "support/slowness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROW_COUNT_MAX = 200, THREAD_COUNT = 4 };

static const char *const isas[] = {"portable", "avx2", "avx512", "vbmi"};
enum { ISA_COUNT = sizeof isas / sizeof isas[0] };

/* Rows, and what the plain evaluator says of them. */
struct sample {
    const struct forest *forest;
    int row_count;
    double *rows; /* (row, feature) */
    double *raw;  /* (row, group) */
};

static struct sample sample_make(struct rng *rng, const struct forest *forest,
                                 int row_count)
{
    struct sample sample = {.forest = forest, .row_count = row_count};
    size_t rows = (size_t)row_count;

    sample.rows = calloc(rows * (size_t)forest->feature_count, sizeof(double));
    sample.raw = calloc(rows * (size_t)forest->group_count, sizeof(double));
    assert_true(sample.rows && sample.raw);
    for (size_t r = 0; r < rows; r++)
        row_random(rng, forest, sample.rows + r * (size_t)forest->feature_count);
    forest_raw(forest, sample.rows, row_count, 0, forest_round_count(forest), sample.raw);
    return sample;
}

/* To the bit: also the sign of zero. */
static bool is_same(double a, double b)
{
    uint64_t a_bits, b_bits;

    memcpy(&a_bits, &a, sizeof a_bits);
    memcpy(&b_bits, &b, sizeof b_bits);
    return a_bits == b_bits;
}

static void sample_free(struct sample *sample)
{
    free(sample->rows);
    free(sample->raw);
}

/* ---- kernels one by one ---- */

static void compare_row_kernel(const struct kernel *kernel, const void *form,
                               const struct sample *sample,
                               const struct quantizer *quantizer)
{
    size_t features = (size_t)sample->forest->feature_count;
    size_t groups = (size_t)sample->forest->group_count;
    uint8_t *codes = aligned_block(QUANTIZE_SLOT_COUNT_MAX + CODE_SLACK);
    double *raw = calloc(groups, sizeof *raw);

    assert_true(codes && raw);
    for (size_t r = 0; r < (size_t)sample->row_count; r++) {
        quantize_row(quantizer, sample->rows + r * features, codes);
        kernel->row(form, codes, raw);
        for (size_t g = 0; g < groups; g++)
            if (!is_same(raw[g], sample->raw[r * groups + g]))
                fail_msg("%s: row %zu, group %zu: %.17g, not %.17g", kernel->name, r, g,
                         raw[g], sample->raw[r * groups + g]);
    }
    free(codes);
    free(raw);
}

static void compare_block_kernel(const struct kernel *kernel, const void *form,
                                 const struct sample *sample,
                                 const struct quantizer *quantizer)
{
    static const int counts[] = {1, 2, 7, 8, 9, 16, 17, 33, 63, 64};
    size_t features = (size_t)sample->forest->feature_count;
    size_t groups = (size_t)sample->forest->group_count;
    size_t stride = groups + 3, at = 0;
    size_t slots = (size_t)quantizer_slot_count(quantizer) + 1;
    uint8_t *codes = aligned_block(slots * QUANTIZE_BLOCK);
    double *raw = calloc(QUANTIZE_BLOCK * stride, sizeof *raw);

    assert_true(codes && raw);
    for (int i = 0; at < (size_t)sample->row_count; i++) {
        size_t rest = (size_t)sample->row_count - at;
        size_t count = (size_t)counts[i % (int)(sizeof counts / sizeof counts[0])];

        count = count < rest ? count : rest;
        for (size_t n = 0; n < QUANTIZE_BLOCK * stride; n++)
            raw[n] = -7;
        quantize_block(quantizer, sample->rows + at * features, (int)count, codes);
        compiled_block(kernel, form, codes, (int)count, raw, stride);
        for (size_t r = 0; r < QUANTIZE_BLOCK; r++)
            for (size_t g = 0; g < stride; g++) {
                double expected =
                    r < count && g < groups ? sample->raw[(at + r) * groups + g] : -7;

                if (!is_same(raw[r * stride + g], expected))
                    fail_msg("%s: %zu rows, row %zu, group %zu: %.17g, not %.17g",
                             kernel->name, count, r, g, raw[r * stride + g], expected);
            }
        at += count;
    }
    free(codes);
    free(raw);
}

static int compare_kernels(const struct sample *sample, const struct quantizer *quantizer,
                           const struct split *splits, int *taken)
{
    struct kernel_forest source;
    int compared = 0;

    assert_true(kernel_forest_init(&source, sample->forest, splits,
                                   quantizer_slot_count(quantizer)));
    for (int i = 0; kernels[i]; i++) {
        size_t bytes = kernels[i]->measure(&source);
        void *form, *moved;

        if (bytes == 0 || kernels[i]->isa > cpu_isa())
            continue;
        form = aligned_block(bytes);
        moved = aligned_block(bytes);
        assert_true(form && moved);
        memset(form, 0, bytes);
        kernels[i]->compile(&source, form);
        memcpy(moved, form, bytes);
        memset(form, 0xff, bytes);
        if (kernels[i]->row)
            compare_row_kernel(kernels[i], moved, sample, quantizer);
        else
            compare_block_kernel(kernels[i], moved, sample, quantizer);
        free(form);
        free(moved);
        taken[i]++;
        compared++;
    }
    kernel_forest_release(&source);
    return compared;
}

/* Every kernel that takes a forest of this shape. */
static void check_shape(struct rng *rng, const struct forest_shape *shape, int *taken)
{
    struct forest *forest = forest_random(rng, shape);
    struct sample sample = sample_make(rng, forest, 150);
    const struct split *splits;
    struct quantizer *quantizer;
    struct err err;

    assert_int_equal(quantizer_open((const struct forest *const *)&forest, 1, &quantizer,
                                    &splits, &err),
                     STATUS_OK);
    if (quantizer)
        assert_true(compare_kernels(&sample, quantizer, splits, taken) > 0);
    quantizer_close(quantizer);
    sample_free(&sample);
    forest_free(forest);
}

static void every_kernel_gives_the_plain_scores_to_the_bit(void **state)
{
    int taken[64] = {0};
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 240; i++) {
        struct forest_shape shape = forest_shape_random(&rng);

        setenv("REDRESS_ISA", isas[i % ISA_COUNT], 1);
        if (shape.depth_max > 8 && !shape.leaf_count_max)
            shape.tree_count = 1 + shape.tree_count % 20;
        check_shape(&rng, &shape, taken);
    }
    unsetenv("REDRESS_ISA");
    for (int i = 0; kernels[i]; i++) {
        printf("%s: %d forests\n", kernels[i]->name, taken[i]);
        assert_true(taken[i] >= 5 || kernels[i]->isa > cpu_isa());
    }
}

/* With a group for each tree and ids for values, the raw scores are the leaves. */
static void every_kernel_finds_the_leaf_of_every_tree(void **state)
{
    int taken[64] = {0};
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 120; i++) {
        struct forest_shape shape = forest_shape_random(&rng);

        setenv("REDRESS_ISA", isas[i % ISA_COUNT], 1);
        shape.tree_count = 1 + shape.tree_count % 140;
        shape.group_count = shape.tree_count;
        shape.has_weights = false;
        shape.leaves_are_ids = true;
        if (shape.depth_max > 8 && !shape.leaf_count_max)
            shape.depth_max = 8;
        check_shape(&rng, &shape, taken);
    }
    unsetenv("REDRESS_ISA");
}

/* Kernels take trees in chunks of up to 512. */
static void every_kernel_goes_on_after_many_trees(void **state)
{
    int taken[64] = {0};
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 8; i++) {
        struct forest_shape shape = {
            .dialect = i % 2 ? FOREST_XGBOOST : FOREST_LIGHTGBM,
            .feature_count = 28,
            .tree_count = 513 + (int)rng_below(&rng, 600),
            .group_count = 1 + i / 4,
            .depth_max = 2 + (int)rng_below(&rng, 10),
            .leaf_count_max = 60,
            .grid = 100,
        };

        shape.tree_count -= shape.tree_count % shape.group_count;
        check_shape(&rng, &shape, taken);
    }
    for (int i = 0; kernels[i]; i++)
        if (strcmp(kernels[i]->name, "twig") == 0)
            assert_true(taken[i] == 8 || kernels[i]->isa > cpu_isa());
}

/* ---- the engine ---- */

static void compare_engine(struct rng *rng, const struct engine *engine,
                           struct forest *const *forests, int forest_count, int row_count)
{
    size_t outputs = (size_t)engine_output_count(engine);
    size_t width = (size_t)engine_feature_count(engine);
    size_t count = (size_t)row_count;
    double *rows = calloc(count * width, sizeof *rows);
    double *raw = calloc(count * outputs, sizeof *raw);

    assert_true(rows && raw);
    for (size_t r = 0; r < count; r++)
        row_random(rng, forests[r % (size_t)forest_count], rows + r * width);
    engine_raw(engine, rows, row_count, raw);
    for (int f = 0; f < forest_count; f++) {
        size_t groups = (size_t)forests[f]->group_count;
        double *alone = calloc(count * groups, sizeof *alone);

        assert_non_null(alone);
        engine_raw_of(engine, f, rows, row_count, alone);
        for (size_t r = 0; r < count; r++) {
            double *expected = calloc(groups, sizeof *expected);
            const double *found = raw + r * outputs + engine_output_of(engine, f);

            assert_non_null(expected);
            forest_raw(forests[f], rows + r * width, 1, 0, forest_round_count(forests[f]),
                       expected);
            assert_memory_equal(expected, found, groups * sizeof *expected);
            assert_memory_equal(expected, alone + r * groups, groups * sizeof *expected);
            free(expected);
        }
        free(alone);
    }
    free(rows);
    free(raw);
}

static void an_engine_gives_the_plain_scores_of_all_its_forests(void **state)
{
    static const int row_counts[] = {1, 2, 5, 8, 31, 64, 65, 200};
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 24; i++) {
        struct forest *forests[4];
        struct engine *engine;
        struct err err;
        int forest_count = 1 + (int)rng_below(&rng, 4);
        int features = 1 + (int)rng_below(&rng, 40);

        setenv("REDRESS_ISA", isas[i % ISA_COUNT], 1);
        for (int f = 0; f < forest_count; f++) {
            struct forest_shape shape = forest_shape_random(&rng);

            shape.feature_count = features + (int)rng_below(&rng, 2);
            shape.depth_max %= 9;
            forests[f] = forest_random(&rng, &shape);
        }
        assert_int_equal(engine_open((const struct forest *const *)forests, forest_count,
                                     &engine, &err),
                         STATUS_OK);
        compare_engine(&rng, engine, forests, forest_count,
                       row_counts[i % (int)(sizeof row_counts / sizeof row_counts[0])]);
        engine_close(engine);
        for (int f = 0; f < forest_count; f++)
            forest_free(forests[f]);
    }
    unsetenv("REDRESS_ISA");
}

/* Each of these asks for more slots than there are, alone or together. */
static void forests_with_too_many_slots_are_scored_all_the_same(void **state)
{
    struct forest *forests[3];
    struct engine *engine;
    struct rng rng;
    struct err err;

    (void)state;
    rng_seed(&rng, 5);
    for (int f = 0; f < 3; f++) {
        struct forest_shape shape = {.dialect = FOREST_LIGHTGBM,
                                     .feature_count = 5 + f,
                                     .tree_count = f == 0 ? 100 : 40,
                                     .group_count = 1,
                                     .depth_max = 6,
                                     .is_full = true,
                                     .category_permille = 1000};

        forests[f] = forest_random(&rng, &shape);
    }
    assert_int_equal(engine_open((const struct forest *const *)forests, 3, &engine, &err),
                     STATUS_OK);
    assert_string_equal(engine_kernel_name(engine, 0, 1), "plain");
    assert_string_not_equal(engine_kernel_name(engine, 1, 1), "plain");
    compare_engine(&rng, engine, forests, 3, 1);
    compare_engine(&rng, engine, forests, 3, 70);
    engine_close(engine);
    for (int f = 0; f < 3; f++)
        forest_free(forests[f]);
}

static void an_engine_of_nothing_gives_nothing(void **state)
{
    struct engine *engine;
    struct err err;
    double row = 1, raw = 5;

    (void)state;
    assert_int_equal(engine_open(NULL, 0, &engine, &err), STATUS_OK);
    assert_int_equal(engine_output_count(engine), 0);
    engine_raw(engine, &row, 1, &raw);
    assert_true(raw == 5);
    engine_close(engine);
    engine_close(NULL);
}

/* ---- bounds ---- */

enum {
    STRANGE_TREE_COUNT = 99990,
    STRANGE_SPACING = 32,
    STRANGE_DEPTH = 8,
    OPENING_BYTES_MAX = 320 << 20, /* beside the forests */
    OPENING_CPU_MS_MAX = 2000,
};

/* A chain of splits with so many levels, or a leaf alone; returns the node behind it. */
static int32_t lay_chain(struct forest_node *nodes, int32_t at, int depth)
{
    for (int level = 0; level < depth; level++, at += 2) {
        nodes[at] = (struct forest_node){
            .feature = level, .threshold = level / 8.0, .left = at + 1, .right = at + 2};
        nodes[at + 1] = (struct forest_node){.feature = -1, .threshold = level - 3.5};
    }
    nodes[at] = (struct forest_node){.feature = -1, .threshold = depth * 0.3};
    return at + 1;
}

/* Single leaves, and so few deep trees among them that making room for one in all that
 * are side by side would take a hundred times more than the forest. */
static struct forest *forest_strange(void)
{
    struct forest *forest = calloc(1, sizeof *forest);
    size_t deep_count = STRANGE_TREE_COUNT / STRANGE_SPACING + 1;
    size_t node_count = STRANGE_TREE_COUNT + 2 * STRANGE_DEPTH * deep_count;
    int32_t at = 0;

    assert_non_null(forest);
    *forest = (struct forest){
        .dialect = FOREST_LIGHTGBM,
        .feature_count = STRANGE_DEPTH,
        .group_count = 1,
        .tree_count = STRANGE_TREE_COUNT,
        .trees_per_round = 1,
        .base_margin = calloc(1, sizeof(double)),
        .roots = calloc(STRANGE_TREE_COUNT, sizeof(int32_t)),
        .tree_groups = calloc(STRANGE_TREE_COUNT, sizeof(int32_t)),
        .nodes = calloc(node_count, sizeof(struct forest_node)),
    };
    assert_true(forest->base_margin && forest->roots && forest->tree_groups);
    assert_non_null(forest->nodes);
    for (int t = 0; t < STRANGE_TREE_COUNT; t++) {
        forest->roots[t] = at;
        at = lay_chain(forest->nodes, at, t % STRANGE_SPACING ? 0 : STRANGE_DEPTH);
    }
    forest->node_count = at;
    return forest;
}

/* Of this process from now on; sanitizers take more than any limit. */
static void limit_memory(size_t further_bytes)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    long page_count = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    struct rlimit limit;

    if (!file || fscanf(file, "%ld", &page_count) != 1)
        _exit(9);
    fclose(file);
    limit.rlim_cur = limit.rlim_max =
        (rlim_t)page_count * (rlim_t)sysconf(_SC_PAGESIZE) + further_bytes;
    if (setrlimit(RLIMIT_AS, &limit))
        _exit(9);
#else
    printf("not limited under a sanitizer: %zu bytes\n", further_bytes);
#endif
}

static int64_t cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Within its limits, and with the bits of the plain evaluator: 0. */
static int open_within_limits(const struct forest *const *forests, int forest_count)
{
    const double row[STRANGE_DEPTH] = {1, 1, 1, 0.1};
    int64_t begin = cpu_ms(), spent;
    double expected, found;
    struct engine *engine;
    struct err err;

    limit_memory(OPENING_BYTES_MAX);
    if (engine_open(forests, forest_count, &engine, &err)) {
        printf("%s\n", err.text);
        return 1;
    }
    spent = cpu_ms() - begin;
    printf("%d strange forests opened within %lld ms\n", forest_count, (long long)spent);
    if ((double)spent > OPENING_CPU_MS_MAX * machine_slowness())
        return 2;
    forest_raw(forests[0], row, 1, 0, STRANGE_TREE_COUNT, &expected);
    for (int f = 0; f < forest_count; f++) {
        engine_raw_of(engine, f, row, 1, &found);
        if (!is_same(expected, found))
            return 3;
    }
    return 0;
}

static void opening_strange_forests_is_bounded(void **state)
{
    static const int counts[] = {1, 9};
    struct forest *forest = forest_strange();
    const struct forest *forests[9];

    (void)state;
    for (int f = 0; f < 9; f++)
        forests[f] = forest;
    for (int i = 0; i < 2; i++) {
        pid_t child;
        int how;

        fflush(stdout);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int rc = open_within_limits(forests, counts[i]);

            fflush(stdout);
            _exit(rc);
        }
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFEXITED(how));
        assert_int_equal(WEXITSTATUS(how), 0);
    }
    forest_free(forest);
}

/* From nothing at all to more than is needed, with and without time to try. */
static void a_selection_stays_within_its_budget(void **state)
{
    struct forest_shape shape = {.dialect = FOREST_XGBOOST,
                                 .feature_count = 28,
                                 .tree_count = 100,
                                 .group_count = 1,
                                 .depth_max = 6};
    const struct split *splits;
    struct quantizer *quantizer;
    struct forest *forest;
    int selected_count = 0;
    struct rng rng;
    struct err err;

    (void)state;
    rng_seed(&rng, 3);
    forest = forest_random(&rng, &shape);
    assert_int_equal(quantizer_open((const struct forest *const *)&forest, 1, &quantizer,
                                    &splits, &err),
                     STATUS_OK);
    for (size_t bytes = 1; bytes <= 4 << 20; bytes *= 2) {
        struct compile_budget budget = {bytes, selected_count % 2 ? 0 : 10000000, 1};
        struct selection selection;
        size_t kept = 0;

        assert_int_equal(selection_make(forest, splits, quantizer_slot_count(quantizer),
                                        true, &budget, &selection, &err),
                         STATUS_OK);
        for (int i = 0; i < selection.compiled_count; i++)
            kept += selection.compiled[i].bytes;
        assert_true(kept <= bytes - budget.bytes);
        assert_true(budget.bytes <= bytes);
        selected_count += selection.compiled_count > 0;
        assert_true(selected_count == 0 || selection.compiled_count > 0);
        assert_true(bytes > 1 || selected_count == 0);
        selection_release(&selection);
    }
    assert_true(selected_count > 3);
    quantizer_close(quantizer);
    forest_free(forest);
}

static void an_instruction_set_that_is_none_is_refused(void **state)
{
    struct engine *engine;
    struct err err;

    (void)state;
    setenv("REDRESS_ISA", "avx", 1);
    assert_int_equal(engine_open(NULL, 0, &engine, &err), STATUS_INVALID);
    assert_string_equal(err.text,
                        "REDRESS_ISA: 'avx' is not portable, avx2, avx512 or vbmi");
    unsetenv("REDRESS_ISA");
}

/* ---- threads ---- */

struct task {
    const struct engine *engine;
    const struct sample *sample;
    int differing_count;
};

static void *score_repeatedly(void *argument)
{
    struct task *task = argument;
    const struct sample *sample = task->sample;
    double raw[ROW_COUNT_MAX];

    for (int i = 0; i < 20; i++) {
        int count = 1 + i * 37 % sample->row_count;

        engine_raw(task->engine, sample->rows, count, raw);
        task->differing_count +=
            memcmp(raw, sample->raw, (size_t)count * sizeof *raw) != 0;
    }
    return NULL;
}

static void threads_may_score_with_one_engine(void **state)
{
    struct forest_shape shape = {.dialect = FOREST_XGBOOST,
                                 .feature_count = 28,
                                 .tree_count = 100,
                                 .group_count = 1,
                                 .depth_max = 6};
    struct task tasks[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    struct forest *forest;
    struct sample sample;
    struct engine *engine;
    struct rng rng;
    struct err err;

    (void)state;
    rng_seed(&rng, 9);
    forest = forest_random(&rng, &shape);
    sample = sample_make(&rng, forest, ROW_COUNT_MAX);
    assert_int_equal(engine_open((const struct forest *const *)&forest, 1, &engine, &err),
                     STATUS_OK);
    for (int i = 0; i < THREAD_COUNT; i++) {
        tasks[i] = (struct task){.engine = engine, .sample = &sample};
        assert_int_equal(pthread_create(&threads[i], NULL, score_repeatedly, &tasks[i]),
                         0);
    }
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(tasks[i].differing_count, 0);
    }
    engine_close(engine);
    sample_free(&sample);
    forest_free(forest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_gives_the_plain_scores_to_the_bit),
        cmocka_unit_test(every_kernel_finds_the_leaf_of_every_tree),
        cmocka_unit_test(every_kernel_goes_on_after_many_trees),
        cmocka_unit_test(an_engine_gives_the_plain_scores_of_all_its_forests),
        cmocka_unit_test(forests_with_too_many_slots_are_scored_all_the_same),
        cmocka_unit_test(an_engine_of_nothing_gives_nothing),
        cmocka_unit_test(opening_strange_forests_is_bounded),
        cmocka_unit_test(a_selection_stays_within_its_budget),
        cmocka_unit_test(an_instruction_set_that_is_none_is_refused),
        cmocka_unit_test(threads_may_score_with_one_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
