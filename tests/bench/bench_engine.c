/* bench_engine.c - nanoseconds per call of every kernel, of the engine with all that
 * belongs to a call, and of the plain evaluator, for 1, 8, 64 and 1024 rows.
 *
 * bench_engine [MODEL ...]: without model files, forests grown by chance. */
#include "base/file.h"
#include "base/rng.h"
#include "infer/engine.h"
#include "infer/engine_compile.h"
#include "infer/evaluate.h"
#include "model/bundle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROW_COUNT = 1024, FEATURE_COUNT = 28, THRESHOLD_COUNT = 200, BATCH_COUNT = 4 };

static const int batches[BATCH_COUNT] = {1, 8, 64, 1024};

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);

    if (!memory)
        abort();
    return memory;
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- forests grown by chance ---- */

/* Split a leaf in two. */
static void split_leaf(struct rng *rng, struct forest *forest, int32_t index)
{
    struct forest_node *node = &forest->nodes[index];
    double bin = (double)(1 + rng_below(rng, THRESHOLD_COUNT));

    node->feature = (int32_t)rng_below(rng, (uint64_t)forest->feature_count);
    node->threshold = (float)((bin / (THRESHOLD_COUNT + 1) - 0.5) * 4);
    node->goes_left_by_default = forest->dialect == FOREST_XGBOOST && node->feature & 1;
    node->left = forest->node_count;
    node->right = forest->node_count + 1;
    for (int i = 0; i < 2; i++)
        forest->nodes[forest->node_count++] =
            (struct forest_node){.feature = -1, .threshold = (float)rng_normal(rng) / 10};
}

/* By levels when depth > 0, else leaf by leaf, as LightGBM grows them. */
static void grow(struct rng *rng, struct forest *forest, int depth, int leaf_count)
{
    int32_t root = forest->node_count++;

    forest->nodes[root] = (struct forest_node){.feature = -1};
    if (depth > 0) {
        for (int32_t i = root; i < root + (1 << depth) - 1; i++)
            split_leaf(rng, forest, i);
        return;
    }
    for (int leaves = 1; leaves < leaf_count; leaves++) {
        int32_t at = root;

        while (forest->nodes[at].feature >= 0)
            at = rng_below(rng, 2) ? forest->nodes[at].left : forest->nodes[at].right;
        split_leaf(rng, forest, at);
    }
}

static struct forest *forest_grown(uint64_t seed, enum forest_dialect dialect,
                                   int tree_count, int depth, int leaf_count)
{
    struct forest *forest = allocate(1, sizeof *forest);
    size_t nodes = depth > 0 ? (2u << depth) : 2 * (size_t)leaf_count;
    struct rng rng;

    rng_seed(&rng, seed);
    *forest = (struct forest){.dialect = dialect,
                              .feature_count = FEATURE_COUNT,
                              .group_count = 1,
                              .tree_count = tree_count,
                              .trees_per_round = 1};
    forest->roots = allocate((size_t)tree_count, sizeof *forest->roots);
    forest->tree_groups = allocate((size_t)tree_count, sizeof *forest->tree_groups);
    forest->base_margin = allocate(1, sizeof *forest->base_margin);
    forest->nodes = allocate((size_t)tree_count * nodes, sizeof *forest->nodes);
    for (int t = 0; t < tree_count; t++) {
        forest->roots[t] = forest->node_count;
        grow(&rng, forest, depth, leaf_count);
    }
    return forest;
}

/* ---- measuring ---- */

struct run {
    const struct forest *forest; /* the first, whose features all share */
    const struct engine *engine;
    const struct kernel *kernel;
    const void *form;
    const struct quantizer *quantizer;
    const uint8_t *row_codes, *block_codes;
    uint8_t *room; /* for the codes of a block */
    size_t padded;
    const double *rows;
    double *raw;
    int row_count;
};

typedef void run_fn(const struct run *run, int first);

static void run_plain(const struct run *run, int first)
{
    forest_raw(run->forest,
               run->rows + (size_t)first * (size_t)run->forest->feature_count,
               run->row_count, 0, forest_round_count(run->forest), run->raw);
}

static void run_engine(const struct run *run, int first)
{
    engine_raw(run->engine,
               run->rows + (size_t)first * (size_t)run->forest->feature_count,
               run->row_count, run->raw);
}

static void run_quantizer(const struct run *run, int first)
{
    size_t width = (size_t)run->forest->feature_count;

    for (int r = first; r < first + run->row_count; r++)
        quantize_row(run->quantizer, run->rows + (size_t)r * width,
                     run->room + (size_t)(r % 2) * run->padded);
}

static void run_block_quantizer(const struct run *run, int first)
{
    size_t width = (size_t)run->forest->feature_count;

    for (int r = 0; r < run->row_count; r += QUANTIZE_BLOCK)
        quantize_block(run->quantizer, run->rows + (size_t)(first + r) * width,
                       run->row_count - r < QUANTIZE_BLOCK ? run->row_count - r
                                                           : QUANTIZE_BLOCK,
                       run->room);
}

static void run_kernel(const struct run *run, int first)
{
    size_t stride = (size_t)run->forest->group_count;

    for (int r = first; r < first + run->row_count; r++) {
        if (run->kernel->row) {
            run->kernel->row(run->form, run->row_codes + (size_t)r * run->padded,
                             run->raw);
        } else {
            int rest = first + run->row_count - r;
            int count = rest < QUANTIZE_BLOCK ? rest : QUANTIZE_BLOCK;

            compiled_block(run->kernel, run->form,
                           run->block_codes + (size_t)(r / QUANTIZE_BLOCK) *
                                                  QUANTIZE_BLOCK * run->padded,
                           count, run->raw, stride);
            r += count - 1;
        }
    }
}

/* The least mean over passes of at least a millisecond, each call with rows of its
 * own. */
static double ns_per_call(run_fn *call, const struct run *run)
{
    double least = INFINITY, began = now_ns();

    for (int pass = 0; pass < 40 && (pass < 5 || now_ns() - began < 4e7); pass++) {
        double begin = now_ns(), end;
        int calls = 0;

        do {
            for (int first = 0; first + run->row_count <= ROW_COUNT;
                 first += run->row_count, calls++)
                call(run, first);
            end = now_ns();
        } while (end - begin < 1e6);
        if ((end - begin) / calls < least)
            least = (end - begin) / calls;
    }
    return least;
}

static void print_line(const char *name, run_fn *call, struct run run)
{
    printf("  %-15s", name);
    for (int i = 0; i < BATCH_COUNT; i++) {
        run.row_count = batches[i];
        printf(" %12.0f", ns_per_call(call, &run));
    }
    printf("\n");
}

static double *random_rows(const struct forest *forest)
{
    size_t count = ROW_COUNT * (size_t)forest->feature_count;
    double *rows = allocate(count, sizeof *rows);
    struct rng rng;

    rng_seed(&rng, 7);
    for (size_t i = 0; i < count; i++)
        rows[i] = rng_below(&rng, 20) ? rng_normal(&rng) : NAN;
    return rows;
}

static void bench_kernels(struct run run)
{
    struct kernel_forest source;
    const struct split *splits;
    struct quantizer *quantizer;
    uint8_t *row_codes, *block_codes;
    size_t width = (size_t)run.forest->feature_count;
    struct err err;

    if (quantizer_open(&run.forest, 1, &quantizer, &splits, &err) || !quantizer)
        abort();
    if (!kernel_forest_init(&source, run.forest, splits, quantizer_slot_count(quantizer)))
        abort();
    run.padded = ((size_t)quantizer_slot_count(quantizer) + QUANTIZE_BLOCK) /
                 QUANTIZE_BLOCK * QUANTIZE_BLOCK;
    run.row_codes = row_codes = aligned_block(ROW_COUNT * run.padded + CODE_SLACK);
    run.block_codes = block_codes = aligned_block(ROW_COUNT * run.padded);
    if (!row_codes || !block_codes)
        abort();
    for (size_t r = 0; r < ROW_COUNT; r++)
        quantize_row(quantizer, run.rows + r * width, row_codes + r * run.padded);
    for (size_t r = 0; r < ROW_COUNT; r += QUANTIZE_BLOCK)
        quantize_block(quantizer, run.rows + r * width, QUANTIZE_BLOCK,
                       block_codes + r * run.padded);
    run.quantizer = quantizer;
    run.room = aligned_block(QUANTIZE_BLOCK * run.padded);
    if (!run.room)
        abort();
    print_line("codes of rows", run_quantizer, run);
    print_line("codes of blocks", run_block_quantizer, run);
    free(run.room);
    for (int i = 0; kernels[i]; i++) {
        size_t bytes = kernels[i]->isa <= cpu_isa() ? kernels[i]->measure(&source) : 0;
        void *form = bytes ? aligned_block(bytes) : NULL;

        if (!form)
            continue;
        memset(form, 0, bytes);
        kernels[i]->compile(&source, form);
        run.kernel = kernels[i];
        run.form = form;
        print_line(kernels[i]->name, run_kernel, run);
        free(form);
    }
    free(row_codes);
    free(block_codes);
    kernel_forest_release(&source);
    quantizer_close(quantizer);
}

static void bench(const char *name, const struct forest *const *forests, int forest_count)
{
    struct run run = {.forest = forests[0]};
    struct engine *engine;
    struct err err;
    double *rows = random_rows(forests[0]);
    double begin = now_ns();

    if (engine_open(forests, forest_count, &engine, &err))
        abort();
    printf("%s: %d x %d trees, opened in %.1f ms; kernels", name, forest_count,
           forests[0]->tree_count, (now_ns() - begin) / 1e6);
    for (int i = 0; i < BATCH_COUNT; i++)
        printf(" %s", engine_kernel_name(engine, 0, batches[i]));
    printf("\n  %-15s", "rows");
    for (int i = 0; i < BATCH_COUNT; i++)
        printf(" %12d", batches[i]);
    printf("\n");
    run.engine = engine;
    run.rows = rows;
    run.raw = allocate(ROW_COUNT * (size_t)engine_output_count(engine), sizeof(double));
    print_line("engine", run_engine, run);
    if (forest_count == 1) {
        print_line("plain", run_plain, run);
        bench_kernels(run);
    }
    free(run.raw);
    free(rows);
    engine_close(engine);
}

static void bench_grown(const char *name, int forest_count, enum forest_dialect dialect,
                        int tree_count, int depth, int leaf_count)
{
    const struct forest *forests[8];

    for (int f = 0; f < forest_count; f++)
        forests[f] =
            forest_grown((uint64_t)f + 1, dialect, tree_count, depth, leaf_count);
    bench(name, forests, forest_count);
    for (int f = 0; f < forest_count; f++)
        forest_free((struct forest *)forests[f]);
}

static int bench_file(const char *path)
{
    struct bundle_model model = {0};
    const struct forest *forest;
    struct err err;
    char *content;
    size_t bytes;

    if (file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err) ||
        model_read(content, bytes, &model, &err)) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        return 1;
    }
    free(content);
    forest = model.forest;
    if (forest)
        bench(path, &forest, 1);
    model_release(&model);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    printf("ns per call on %s\n", isa_name(cpu_isa()));
    for (int i = 1; i < argc; i++)
        failed |= bench_file(argv[i]);
    if (argc > 1)
        return failed;
    bench_grown("depth 6", 1, FOREST_XGBOOST, 100, 6, 0);
    bench_grown("depth 6", 1, FOREST_XGBOOST, 500, 6, 0);
    bench_grown("31 leaves", 1, FOREST_LIGHTGBM, 500, 0, 31);
    bench_grown("63 leaves", 1, FOREST_LIGHTGBM, 500, 0, 63);
    bench_grown("depth 10", 1, FOREST_XGBOOST, 200, 10, 0);
    bench_grown("4 arms, depth 6", 4, FOREST_XGBOOST, 200, 6, 0);
    bench_grown("4 arms, depth 6", 4, FOREST_XGBOOST, 500, 6, 0);
    bench_grown("4 arms, 31 leaves", 4, FOREST_LIGHTGBM, 500, 0, 31);
    return 0;
}
