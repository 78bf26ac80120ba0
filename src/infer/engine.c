/* engine.c - all forests of a bundle in one block of memory, behind one set of codes. */
#include "infer/engine.h"

#include "infer/engine_compile.h"
#include "infer/evaluate.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum {
    FORMS_BYTES_MAX =
        128 << 20, /* of all forests; what is beyond is scored as it was read */
    TRIAL_NS_ALL = 400000000,
};

struct choice {
    const struct kernel *kernel;
    const void *form;
};

/* One forest: its kernel for each range of rows. */
struct entry {
    const struct forest *forest;
    const struct quantizer *quantizer; /* NULL: not compiled; scored as it was read */
    int output;                        /* the first of its outputs */
    struct choice choices[ROW_RANGE_COUNT];
};

/* The one block begins with this, then come the entries and the compiled forests. */
struct engine {
    struct entry *entries; /* (forest); those with the same quantizer stand together */
    int forest_count;
    int feature_count, output_count;
    struct quantizer **quantizers; /* (forest): one for all, or one for each */
};

/* ---- opening ---- */

/* What is put together before the block is made. */
struct draft {
    const struct forest *const *forests;
    int forest_count;
    const struct forest **compiled; /* (forest); NULL: left to the plain evaluator */
    struct quantizer **quantizers;  /* (forest) */
    const struct split **splits;    /* (forest) */
    struct selection *selections;   /* (forest) */
};

static enum status draft_init(struct draft *draft, struct err *err)
{
    size_t count = (size_t)draft->forest_count + 1;

    draft->compiled = calloc(count, sizeof(struct forest *));
    draft->quantizers = calloc(count, sizeof(struct quantizer *));
    draft->splits = calloc(count, sizeof(struct split *));
    draft->selections = calloc(count, sizeof *draft->selections);
    if (!draft->compiled || !draft->quantizers || !draft->splits || !draft->selections)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for an engine");
    for (int f = 0; f < draft->forest_count; f++)
        if (!draft->forests[f]->needs_evaluator && draft->forests[f]->tree_count > 0)
            draft->compiled[f] = draft->forests[f];
    return STATUS_OK;
}

/* With quantizers[f] only where it begins to serve. */
static void draft_release(struct draft *draft)
{
    for (int f = 0; draft->selections && f < draft->forest_count; f++)
        selection_release(&draft->selections[f]);
    for (int f = 0; draft->quantizers && f < draft->forest_count; f++)
        quantizer_close(draft->quantizers[f]);
    free(draft->compiled);
    free(draft->quantizers);
    free(draft->splits);
    free(draft->selections);
}

/* One quantizer for all forests, at quantizers[0]; when that would have too many slots,
 * one for each. */
static enum status open_quantizers(struct draft *draft, bool *is_shared, struct err *err)
{
    enum status rc = quantizer_open(draft->compiled, draft->forest_count,
                                    &draft->quantizers[0], draft->splits, err);

    *is_shared = !rc && draft->quantizers[0];
    if (rc || *is_shared)
        return rc;
    for (int f = 0; f < draft->forest_count && !rc; f++)
        rc = quantizer_open(&draft->compiled[f], 1, &draft->quantizers[f],
                            &draft->splits[f], err);
    return rc;
}

static enum status compile(struct draft *draft, bool is_shared, struct err *err)
{
    struct compile_budget budget = {FORMS_BYTES_MAX, TRIAL_NS_ALL, draft->forest_count};
    enum status rc = STATUS_OK;
    int width = 0;

    for (int f = 0; f < draft->forest_count; f++)
        if (draft->forests[f]->feature_count > width)
            width = draft->forests[f]->feature_count;
    for (int f = 0; f < draft->forest_count && !rc; f++) {
        const struct quantizer *quantizer = draft->quantizers[is_shared ? 0 : f];

        if (quantizer && draft->compiled[f])
            rc = selection_make(draft->forests[f], draft->splits[f],
                                quantizer_slot_count(quantizer),
                                quantizer_feature_count(quantizer) == width, &budget,
                                &draft->selections[f], err);
    }
    for (int f = 0; f < draft->forest_count && !rc; f++)
        if (draft->quantizers[f])
            quantizer_release_splits(draft->quantizers[f]);
    return rc;
}

static size_t block_bytes(const struct draft *draft)
{
    size_t count = (size_t)draft->forest_count;
    size_t bytes = kernel_aligned(sizeof(struct engine)) +
                   kernel_aligned(count * sizeof(struct entry)) +
                   kernel_aligned(count * sizeof(struct quantizer *));

    for (size_t f = 0; f < count; f++)
        for (int i = 0; i < draft->selections[f].compiled_count; i++)
            bytes += kernel_aligned(draft->selections[f].compiled[i].bytes);
    return bytes;
}

/* Take bytes from the block. */
static void *take(char **at, size_t bytes)
{
    void *taken = *at;

    *at += kernel_aligned(bytes);
    return taken;
}

static void place_forms(const struct selection *selection, struct entry *entry, char **at)
{
    const void *forms[ROW_RANGE_COUNT];

    for (int i = 0; i < selection->compiled_count; i++) {
        const struct compiled *compiled = &selection->compiled[i];

        forms[i] = memcpy(take(at, compiled->bytes), compiled->form, compiled->bytes);
    }
    for (int range = 0; range < ROW_RANGE_COUNT; range++) {
        int i = selection->of_range[range];

        entry->choices[range] = (struct choice){selection->compiled[i].kernel, forms[i]};
    }
}

/* Forms, entries and quantizers in one block; the quantizers are the engine's now. */
static struct engine *place(struct draft *draft, bool is_shared)
{
    size_t count = (size_t)draft->forest_count;
    char *at = aligned_block(block_bytes(draft));
    struct engine *engine;

    if (!at)
        return NULL;
    engine = take(&at, sizeof *engine);
    *engine = (struct engine){.forest_count = draft->forest_count};
    engine->entries = take(&at, count * sizeof *engine->entries);
    engine->quantizers = take(&at, count * sizeof(struct quantizer *));
    for (size_t f = 0; f < count; f++) {
        const struct forest *forest = draft->forests[f];
        struct entry *entry = &engine->entries[f];

        *entry = (struct entry){.forest = forest, .output = engine->output_count};
        engine->quantizers[f] = draft->quantizers[f];
        draft->quantizers[f] = NULL;
        if (draft->selections[f].compiled_count) {
            entry->quantizer = engine->quantizers[is_shared ? 0 : f];
            place_forms(&draft->selections[f], entry, &at);
            selection_release(&draft->selections[f]);
        }
        engine->output_count += forest->group_count;
        if (forest->feature_count > engine->feature_count)
            engine->feature_count = forest->feature_count;
    }
    return engine;
}

enum status engine_check(struct err *err)
{
    return cpu_check(err);
}

enum status engine_open(const struct forest *const *forests, int forest_count,
                        struct engine **engine, struct err *err)
{
    struct draft draft = {.forests = forests, .forest_count = forest_count};
    bool is_shared = false;
    enum status rc = cpu_check(err);

    if (!rc)
        rc = draft_init(&draft, err);
    if (!rc && forest_count > 0)
        rc = open_quantizers(&draft, &is_shared, err);
    if (!rc)
        rc = compile(&draft, is_shared, err);
    if (!rc) {
        *engine = place(&draft, is_shared);
        if (!*engine)
            rc = err_set(err, STATUS_EXHAUSTED, "out of memory for an engine");
    }
    draft_release(&draft);
    return rc;
}

void engine_close(struct engine *engine)
{
    if (!engine)
        return;
    for (int f = 0; f < engine->forest_count; f++)
        quantizer_close(engine->quantizers[f]);
    free(engine);
}

/* ---- scoring ---- */

/* Forests [from, to), and where their outputs go. */
struct part {
    const struct entry *from, *to;
    size_t width;  /* of a row */
    double *raw;   /* of the first row; first: the output it begins with */
    size_t stride; /* between rows of raw */
    int first;
    int range;
};

/* Forests that are not compiled, or that have no trees. */
static void score_plainly(const struct entry *entry, const double *row, double *raw)
{
    const struct forest *forest = entry->forest;

    forest_raw(forest, row, 1, 0, forest_round_count(forest), raw);
}

/* One row by the kernels for single rows. */
static void score_row(const struct part *part, const double *row, double *raw)
{
    alignas(KERNEL_ALIGNMENT) uint8_t codes[QUANTIZE_SLOT_COUNT_MAX + CODE_SLACK];
    const struct quantizer *coded = NULL;

    for (const struct entry *entry = part->from; entry < part->to; entry++) {
        const struct choice *choice = &entry->choices[part->range];

        if (!entry->quantizer) {
            score_plainly(entry, row, raw + (entry->output - part->first));
            continue;
        }
        if (!choice->kernel->row)
            continue;
        if (entry->quantizer != coded) {
            coded = entry->quantizer;
            quantize_row(coded, row, codes);
        }
        choice->kernel->row(choice->form, codes, raw + (entry->output - part->first));
    }
}

static bool is_by_blocks(const struct entry *entry, int range)
{
    return entry->quantizer && entry->choices[range].kernel->block;
}

/* How many forests are scored block by block; the others are scored row by row. */
static int count_by_blocks(const struct part *part)
{
    int count = 0;

    for (const struct entry *entry = part->from; entry < part->to; entry++)
        count += is_by_blocks(entry, part->range);
    return count;
}

/* Up to 64 rows by the kernels for blocks. */
static void score_block(const struct part *part, const double *rows, int row_count,
                        double *raw)
{
    alignas(KERNEL_ALIGNMENT) uint8_t codes[BLOCK_SLOT_COUNT_MAX * QUANTIZE_BLOCK];
    const struct quantizer *coded = NULL;

    for (const struct entry *entry = part->from; entry < part->to; entry++) {
        const struct choice *choice = &entry->choices[part->range];

        if (!is_by_blocks(entry, part->range))
            continue;
        if (entry->quantizer != coded) {
            coded = entry->quantizer;
            quantize_block(coded, rows, row_count, codes);
        }
        compiled_block(choice->kernel, choice->form, codes, row_count,
                       raw + (entry->output - part->first), part->stride);
    }
}

static void score(struct part part, const double *rows, int row_count)
{
    while (row_count > 0) {
        int count = row_count < QUANTIZE_BLOCK ? row_count : QUANTIZE_BLOCK;
        int by_blocks;

        part.range = row_range(count);
        by_blocks = count_by_blocks(&part);
        for (int r = 0; r < count && by_blocks < part.to - part.from; r++)
            score_row(&part, rows + (size_t)r * part.width,
                      part.raw + (size_t)r * part.stride);
        if (by_blocks)
            score_block(&part, rows, count, part.raw);
        rows += (size_t)count * part.width;
        part.raw += (size_t)count * part.stride;
        row_count -= count;
    }
}

void engine_raw(const struct engine *engine, const double *rows, int row_count,
                double *raw)
{
    struct part part = {
        .from = engine->entries,
        .to = engine->entries + engine->forest_count,
        .width = (size_t)engine->feature_count,
        .raw = raw,
        .stride = (size_t)engine->output_count,
    };

    score(part, rows, row_count);
}

void engine_raw_of(const struct engine *engine, int forest, const double *rows,
                   int row_count, double *raw)
{
    const struct entry *entry = &engine->entries[forest];
    struct part part = {
        .from = entry,
        .to = entry + 1,
        .width = (size_t)engine->feature_count,
        .raw = raw,
        .first = entry->output,
        .stride = (size_t)entry->forest->group_count,
    };

    score(part, rows, row_count);
}

int engine_feature_count(const struct engine *engine)
{
    return engine->feature_count;
}

int engine_output_count(const struct engine *engine)
{
    return engine->output_count;
}

int engine_output_of(const struct engine *engine, int forest)
{
    return engine->entries[forest].output;
}

const char *engine_kernel_name(const struct engine *engine, int forest, int row_count)
{
    const struct entry *entry = &engine->entries[forest];
    int count = row_count < QUANTIZE_BLOCK ? row_count : QUANTIZE_BLOCK;

    if (!entry->quantizer)
        return "plain";
    return entry->choices[row_range(count)].kernel->name;
}
