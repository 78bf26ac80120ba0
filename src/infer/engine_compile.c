/* engine_compile.c - a forest compiled for every kernel that takes it, and the clock's
 * word on which is fastest. */
#include "infer/engine_compile.h"

#include "base/rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    HUGE_PAGE_BYTES = 2 << 20,
    CANDIDATE_COUNT_MAX = 16,
    TRIAL_ROUND_COUNT =
        3,               /* candidates take turns, so that a disturbance hits them all */
    TRIAL_COUNT_MIN = 3, /* runs per round, and more of them while they are short */
    TRIAL_COUNT_MAX = 12,
    TRIAL_NS = 8000,
    TRIAL_NS_MAX = 200000, /* a run that takes longer is tried once a round */
    /* Kernels make room for the largest of some trees in all of them, which a strange
     * forest can make very large. Those of training are below five times the simplest
     * form. */
    FORM_RATIO_MAX = 6,
    FORM_BYTES_ALWAYS = 64 << 10,
};

/* Between the ends of each range. */
static const int range_rows[ROW_RANGE_COUNT] = {1, 3, 6, 12, 24, 48, QUANTIZE_BLOCK};

int row_range(int row_count)
{
    return 31 - __builtin_clz((unsigned)row_count);
}

static size_t alignment_of(size_t bytes)
{
    return bytes >= HUGE_PAGE_BYTES / 2 ? HUGE_PAGE_BYTES : KERNEL_ALIGNMENT;
}

/* What aligned_block takes for so many bytes. */
static size_t block_bytes(size_t bytes)
{
    size_t alignment = alignment_of(bytes);

    return (bytes + alignment - 1) / alignment * alignment;
}

void *aligned_block(size_t bytes)
{
    size_t alignment = alignment_of(bytes), rounded = block_bytes(bytes);
    void *block;

    if (rounded < bytes)
        return NULL;
    block = aligned_alloc(alignment, rounded ? rounded : alignment);
    /* Advice only: without large pages all is well, if slower. */
    if (block && alignment == HUGE_PAGE_BYTES)
        (void)madvise(block, rounded, MADV_HUGEPAGE);
    return block;
}

/* ---- shapes ---- */

/* Parents stand before their children, so one pass finds all depths. */
static void measure_tree(const struct forest *forest, int tree, int32_t *depths,
                         struct kernel_forest *source)
{
    int32_t root = forest->roots[tree], end = tree_end(forest, tree);

    depths[root] = 0;
    source->tree_leaf_counts[tree] = 1;
    for (int32_t i = root; i < end; i++) {
        const struct forest_node *node = &forest->nodes[i];

        if (depths[i] > source->tree_depths[tree])
            source->tree_depths[tree] = depths[i];
        if (node->feature < 0)
            continue;
        source->tree_leaf_counts[tree]++;
        depths[node->left] = depths[node->right] = depths[i] + 1;
    }
    if (source->tree_depths[tree] > source->depth_max)
        source->depth_max = source->tree_depths[tree];
    if (source->tree_leaf_counts[tree] > source->leaf_count_max)
        source->leaf_count_max = source->tree_leaf_counts[tree];
}

bool kernel_forest_init(struct kernel_forest *source, const struct forest *forest,
                        const struct split *splits, int slot_count)
{
    size_t tree_count = (size_t)forest->tree_count;
    int32_t *depths = calloc((size_t)forest->node_count + 1, sizeof *depths);

    *source = (struct kernel_forest){
        .forest = forest,
        .splits = splits,
        .slot_count = slot_count,
        .tree_depths = calloc(tree_count + 1, sizeof(int32_t)),
        .tree_leaf_counts = calloc(tree_count + 1, sizeof(int32_t)),
    };
    if (!depths || !source->tree_depths || !source->tree_leaf_counts) {
        free(depths);
        kernel_forest_release(source);
        return false;
    }
    for (int t = 0; t < forest->tree_count; t++)
        measure_tree(forest, t, depths, source);
    free(depths);
    return true;
}

void kernel_forest_release(struct kernel_forest *source)
{
    free(source->tree_depths);
    free(source->tree_leaf_counts);
    source->tree_depths = source->tree_leaf_counts = NULL;
}

/* ---- trying ---- */

void compiled_block(const struct kernel *kernel, const void *form, const uint8_t *codes,
                    int row_count, double *raw, size_t raw_stride)
{
    int piece = kernel->row_count_max;

    if (row_count <= piece) {
        kernel->block(form, codes, row_count, raw, raw_stride);
        return;
    }
    for (int row = 0; row < row_count; row += piece) {
        int rest = row_count - row;

        kernel->block(form, codes + row, rest < piece ? rest : piece,
                      raw + (size_t)row * raw_stride, raw_stride);
    }
}

/* What every trial uses: codes as they might be, and room for what comes out. */
struct trial {
    uint8_t *codes; /* (slot, 64) */
    double *raw;    /* (row, group) */
    size_t code_bytes;
    size_t row_codes_bytes;
    size_t group_count;
    int64_t end_ns; /* nothing is tried any more */
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static bool trial_init(struct trial *trial, const struct kernel_forest *source,
                       int64_t end_ns)
{
    size_t slots = (size_t)source->slot_count + CODE_SLACK;
    struct rng rng;

    trial->end_ns = end_ns;
    trial->row_codes_bytes = (size_t)source->slot_count;
    trial->code_bytes = slots * QUANTIZE_BLOCK;
    trial->group_count = (size_t)source->forest->group_count;
    trial->codes = aligned_block(trial->code_bytes);
    trial->raw = calloc(QUANTIZE_BLOCK * trial->group_count, sizeof *trial->raw);
    if (!trial->codes || !trial->raw)
        return false;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < trial->code_bytes; i++)
        trial->codes[i] = (uint8_t)rng_below(&rng, QUANTIZE_RANK_COUNT + 1);
    return true;
}

static void trial_release(struct trial *trial)
{
    free(trial->codes);
    free(trial->raw);
}

static void run_once(const struct compiled *compiled, const struct trial *trial,
                     int row_count, int turn)
{
    const struct kernel *kernel = compiled->kernel;
    size_t shift = trial->row_codes_bytes;

    if (kernel->block) {
        compiled_block(kernel, compiled->form, trial->codes, row_count, trial->raw,
                       trial->group_count);
        return;
    }
    assert(kernel->row);
    /* Another row each time, as in life: no branch predictor learns it. */
    kernel->row(compiled->form,
                trial->codes + shift * (size_t)(turn % (QUANTIZE_BLOCK - 1)), trial->raw);
}

/* The least of a few runs and of what was known before: whatever disturbs makes them
 * longer. A kernel that seems to take long is tried once more each time, in case that was
 * a disturbance too. When time is over, only what was known before. */
static int64_t cost_ns(const struct compiled *compiled, const struct trial *trial,
                       int row_count, int64_t least)
{
    bool is_long = least > TRIAL_NS_MAX && least < INT64_MAX;
    int64_t spent = 0;

    if (now_ns() >= trial->end_ns)
        return least;
    if (!is_long)
        run_once(compiled, trial, row_count, TRIAL_COUNT_MAX); /* warms up */
    for (int turn = 0;
         turn < TRIAL_COUNT_MIN || (turn < TRIAL_COUNT_MAX && spent < TRIAL_NS); turn++) {
        int64_t begin = now_ns(), ns;

        run_once(compiled, trial, row_count, turn);
        ns = now_ns() - begin;
        spent += ns;
        if (ns < least)
            least = ns;
        if (is_long || ns > TRIAL_NS_MAX)
            break;
    }
    return least;
}

/* ---- choosing ---- */

struct candidates {
    struct compiled compiled[CANDIDATE_COUNT_MAX];
    int count;
    size_t form_bytes_max; /* of each */
    size_t bytes_left;     /* for all that are still to come */
};

/* False when memory is out; a form that is too large is none. */
static bool add_candidate(struct candidates *candidates, const struct kernel *kernel,
                          const struct kernel_forest *source)
{
    struct compiled compiled = {.kernel = kernel, .bytes = kernel->measure(source)};

    if (compiled.bytes == 0 || compiled.bytes > candidates->form_bytes_max ||
        block_bytes(compiled.bytes) > candidates->bytes_left)
        return true;
    compiled.form = aligned_block(compiled.bytes);
    if (!compiled.form)
        return false;
    memset(compiled.form, 0, compiled.bytes);
    kernel->compile(source, compiled.form);
    candidates->compiled[candidates->count++] = compiled;
    candidates->bytes_left -= block_bytes(compiled.bytes);
    return true;
}

static bool is_worth_trying(const struct kernel *kernel, enum isa isa, bool may_block)
{
    if (kernel->isa > isa || (kernel->superseded_at && kernel->superseded_at <= isa))
        return false;
    return kernel->row || may_block;
}

static bool add_candidates(struct candidates *candidates,
                           const struct kernel_forest *source, bool may_block)
{
    enum isa isa = cpu_isa();
    size_t least_bytes = kernels[0]->measure(source);

    if (block_bytes(least_bytes) > candidates->bytes_left)
        return true;
    candidates->form_bytes_max = FORM_BYTES_ALWAYS + FORM_RATIO_MAX * least_bytes;
    if (source->slot_count > BLOCK_SLOT_COUNT_MAX)
        may_block = false;
    for (int i = 0; kernels[i] && candidates->count < CANDIDATE_COUNT_MAX; i++)
        if (is_worth_trying(kernels[i], isa, may_block) &&
            !add_candidate(candidates, kernels[i], source))
            return false;
    return true;
}

/* What every candidate takes for each range of rows, as far as it was tried. */
struct costs {
    int64_t ns[CANDIDATE_COUNT_MAX][ROW_RANGE_COUNT];
    int64_t least_ns[ROW_RANGE_COUNT];
    int64_t rows_ns[ROW_RANGE_COUNT]; /* the least of kernels for single rows */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void note_cost(struct costs *costs, int candidate, int range, int64_t ns)
{
    costs->ns[candidate][range] = ns;
    costs->least_ns[range] = least(costs->least_ns[range], ns);
}

/* Kernels for single rows take as long for each. */
static void try_rows(const struct candidates *candidates, const struct trial *trial,
                     struct costs *costs)
{
    for (int i = 0; i < candidates->count; i++) {
        const struct compiled *compiled = &candidates->compiled[i];
        int64_t ns;

        if (!compiled->kernel->row)
            continue;
        ns = cost_ns(compiled, trial, 1, costs->ns[i][0]);
        if (ns == INT64_MAX)
            return;
        for (int range = 0; range < ROW_RANGE_COUNT; range++) {
            note_cost(costs, i, range, ns * range_rows[range]);
            costs->rows_ns[range] = least(costs->rows_ns[range], ns * range_rows[range]);
        }
    }
}

/* Kernels for blocks gain with the number of rows: from the most to the fewest, until
 * scoring them one by one is clearly faster. */
static void try_blocks(const struct candidates *candidates, const struct trial *trial,
                       struct costs *costs)
{
    for (int i = 0; i < candidates->count; i++) {
        const struct compiled *compiled = &candidates->compiled[i];

        if (compiled->kernel->row)
            continue;
        for (int range = ROW_RANGE_COUNT - 1; range >= 0; range--) {
            int64_t ns = cost_ns(compiled, trial, range_rows[range], costs->ns[i][range]);

            note_cost(costs, i, range, ns);
            if (ns / 3 > costs->rows_ns[range] / 2)
                break;
        }
    }
}

/* For each range of rows the index of the fastest candidate. */
static void find_fastest(const struct candidates *candidates, const struct trial *trial,
                         int fastest[ROW_RANGE_COUNT])
{
    struct costs costs;

    for (int range = 0; range < ROW_RANGE_COUNT; range++) {
        costs.least_ns[range] = costs.rows_ns[range] = INT64_MAX;
        for (int i = 0; i < CANDIDATE_COUNT_MAX; i++)
            costs.ns[i][range] = INT64_MAX;
    }
    for (int round = 0; round < TRIAL_ROUND_COUNT; round++) {
        try_rows(candidates, trial, &costs);
        try_blocks(candidates, trial, &costs);
    }
    for (int range = 0; range < ROW_RANGE_COUNT; range++)
        for (int i = candidates->count - 1; i >= 0; i--)
            if (costs.ns[i][range] == costs.least_ns[range])
                fastest[range] = i;
}

/* Move the winners over, at the expense of the budget. */
static void select_fastest(struct candidates *candidates, const int *fastest,
                           struct compile_budget *budget, struct selection *selection)
{
    for (int range = 0; range < ROW_RANGE_COUNT; range++) {
        struct compiled *winner = &candidates->compiled[fastest[range]];
        int i = 0;

        while (i < selection->compiled_count &&
               selection->compiled[i].kernel != winner->kernel)
            i++;
        if (i == selection->compiled_count) {
            selection->compiled[selection->compiled_count++] = *winner;
            budget->bytes -= block_bytes(winner->bytes);
            winner->form = NULL;
        }
        selection->of_range[range] = (uint8_t)i;
    }
}

/* Whether memory was enough. */
static bool try_candidates(const struct candidates *candidates,
                           const struct kernel_forest *source,
                           struct compile_budget *budget, int fastest[ROW_RANGE_COUNT])
{
    struct trial trial = {0};
    int64_t begin = now_ns();
    bool is_ready =
        trial_init(&trial, source, begin + budget->trial_ns / budget->forest_count);

    if (is_ready)
        find_fastest(candidates, &trial, fastest);
    trial_release(&trial);
    budget->trial_ns -= least(now_ns() - begin, budget->trial_ns);
    return is_ready;
}

enum status selection_make(const struct forest *forest, const struct split *splits,
                           int slot_count, bool may_block, struct compile_budget *budget,
                           struct selection *selection, struct err *err)
{
    struct kernel_forest source = {0};
    struct candidates candidates = {.bytes_left = budget->bytes};
    int fastest[ROW_RANGE_COUNT] = {0};
    bool is_made;

    assert(budget->forest_count > 0);
    *selection = (struct selection){0};
    is_made = kernel_forest_init(&source, forest, splits, slot_count) &&
              add_candidates(&candidates, &source, may_block);
    if (is_made && candidates.count > 1)
        is_made = try_candidates(&candidates, &source, budget, fastest);
    if (is_made && candidates.count > 0)
        select_fastest(&candidates, fastest, budget, selection);
    budget->forest_count--;
    for (int i = 0; i < candidates.count; i++)
        free(candidates.compiled[i].form);
    kernel_forest_release(&source);
    return is_made ? STATUS_OK
                   : err_set(err, STATUS_EXHAUSTED, "out of memory to compile a forest");
}

void selection_release(struct selection *selection)
{
    for (int i = 0; i < selection->compiled_count; i++)
        free(selection->compiled[i].form);
    selection->compiled_count = 0;
}
