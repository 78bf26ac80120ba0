/* forest_build.c - growing a forest node by node. */
#include "model/forest_build.h"

#include "model/names.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

bool array_reserve(void **items, size_t *capacity, size_t count, size_t item_bytes)
{
    size_t wanted = *capacity ? *capacity : 64;
    size_t bytes;
    void *grown;

    if (count <= *capacity)
        return true;
    while (wanted < count)
        if (__builtin_mul_overflow(wanted, 2, &wanted))
            return false;
    if (__builtin_mul_overflow(wanted, item_bytes, &bytes))
        return false;
    grown = realloc(*items, bytes);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a model");
}

enum status forest_builder_init(struct forest_builder *builder,
                                enum forest_dialect dialect, struct err *err)
{
    *builder = (struct forest_builder){0};
    builder->forest = calloc(1, sizeof *builder->forest);
    if (!builder->forest)
        return no_memory(err);
    builder->forest->dialect = dialect;
    builder->forest->link_slope = 1;
    builder->forest->sum_scale = 1;
    builder->forest->best_round = -1;
    return STATUS_OK;
}

void forest_builder_free(struct forest_builder *builder)
{
    forest_free(builder->forest);
    free(builder->names);
    *builder = (struct forest_builder){0};
}

enum status forest_builder_node(struct forest_builder *builder, int32_t *node,
                                struct err *err)
{
    struct forest *forest = builder->forest;
    size_t count = (size_t)forest->node_count + 1;

    if (count > FOREST_NODE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "more than %d nodes in all trees",
                       FOREST_NODE_COUNT_MAX);
    if (!array_reserve((void **)&forest->nodes, &builder->node_capacity, count,
                       sizeof *forest->nodes) ||
        !array_reserve((void **)&forest->covers, &builder->cover_capacity, count,
                       sizeof *forest->covers))
        return no_memory(err);
    *node = forest->node_count++;
    forest->nodes[*node] = (struct forest_node){.values = -1};
    forest->covers[*node] = NAN;
    return STATUS_OK;
}

enum status forest_builder_tree(struct forest_builder *builder, struct err *err)
{
    struct forest *forest = builder->forest;
    size_t count = (size_t)forest->tree_count + 1;

    if (count > FOREST_TREE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "more than %d trees",
                       FOREST_TREE_COUNT_MAX);
    if (!array_reserve((void **)&forest->roots, &builder->tree_capacity, count,
                       sizeof *forest->roots))
        return no_memory(err);
    forest->roots[forest->tree_count++] = forest->node_count;
    return STATUS_OK;
}

enum status forest_builder_words(struct forest_builder *builder, size_t count,
                                 uint32_t *first, struct err *err)
{
    struct forest *forest = builder->forest;
    size_t used = forest->category_word_count;

    if (count > FOREST_CATEGORY_WORD_COUNT_MAX - used)
        return err_set(err, STATUS_TOO_LARGE,
                       "the category sets need more than %d words in all trees",
                       FOREST_CATEGORY_WORD_COUNT_MAX);
    if (!array_reserve((void **)&forest->category_words, &builder->word_capacity,
                       used + count, sizeof *forest->category_words))
        return no_memory(err);
    memset(forest->category_words + used, 0, count * sizeof *forest->category_words);
    *first = (uint32_t)used;
    forest->category_word_count = (uint32_t)(used + count);
    return STATUS_OK;
}

enum status forest_builder_values(struct forest_builder *builder, size_t count,
                                  int32_t *first, struct err *err)
{
    struct forest *forest = builder->forest;

    if (count > FOREST_VALUE_COUNT_MAX - builder->value_count)
        return err_set(err, STATUS_TOO_LARGE, "more than %d numbers in all leaves",
                       FOREST_VALUE_COUNT_MAX);
    if (!array_reserve((void **)&forest->leaf_values, &builder->value_capacity,
                       builder->value_count + count, sizeof *forest->leaf_values))
        return no_memory(err);
    *first = (int32_t)builder->value_count;
    builder->value_count += count;
    return STATUS_OK;
}

enum status forest_builder_line(struct forest_builder *builder, double constant,
                                int32_t *line, struct err *err)
{
    struct forest *forest = builder->forest;

    if (!array_reserve((void **)&forest->lines, &builder->line_capacity,
                       builder->line_count + 1, sizeof *forest->lines))
        return no_memory(err);
    *line = (int32_t)builder->line_count++;
    forest->lines[*line] =
        (struct forest_line){constant, (uint32_t)builder->term_count, 0};
    return STATUS_OK;
}

enum status forest_builder_term(struct forest_builder *builder, struct forest_term term,
                                struct err *err)
{
    struct forest *forest = builder->forest;

    assert(builder->line_count > 0);
    if (builder->term_count >= FOREST_TERM_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "more than %d terms in all leaves",
                       FOREST_TERM_COUNT_MAX);
    if (!array_reserve((void **)&forest->terms, &builder->term_capacity,
                       builder->term_count + 1, sizeof *forest->terms))
        return no_memory(err);
    forest->terms[builder->term_count++] = term;
    forest->lines[builder->line_count - 1].term_count++;
    return STATUS_OK;
}

enum status forest_builder_name(struct forest_builder *builder, struct text name,
                                struct err *err)
{
    size_t bytes = builder->name_bytes + name.bytes + 1;

    if (builder->name_count >= FOREST_FEATURE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "feature_names: more than %d",
                       FOREST_FEATURE_COUNT_MAX);
    if (bytes > FOREST_NAME_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "feature_names: more than %d bytes",
                       FOREST_NAME_BYTES_MAX);
    if (name.bytes && memchr(name.at, 0, name.bytes))
        return err_set(err, STATUS_INVALID, "feature_names[%d]: holds a NUL",
                       builder->name_count);
    if (!array_reserve((void **)&builder->names, &builder->name_capacity, bytes, 1))
        return no_memory(err);
    if (name.bytes)
        memcpy(builder->names + builder->name_bytes, name.at, name.bytes);
    builder->names[bytes - 1] = 0;
    builder->name_bytes = bytes;
    builder->name_count++;
    return STATUS_OK;
}

/* Columns could not be told apart by names that repeat. */
static enum status check_names(char *const *names, int count, struct err *err)
{
    struct arena arena;
    int duplicate = -1;
    bool is_sorted;

    arena_init(&arena, NULL, 0, 2 * FOREST_FEATURE_COUNT_MAX * sizeof(int));
    is_sorted = names_sort((const char *const *)names, count, &arena, &duplicate);
    arena_reset(&arena);
    if (!is_sorted)
        return no_memory(err);
    if (duplicate >= 0)
        return err_set(err, STATUS_INVALID, "feature_names[%d]: '%.80s' is given twice",
                       duplicate, names[duplicate]);
    return STATUS_OK;
}

/* One block: the pointers, then the bytes they point to. */
static char **names_block(const struct forest_builder *builder)
{
    size_t pointer_bytes = (size_t)builder->name_count * sizeof(char *);
    char **names = malloc(pointer_bytes + builder->name_bytes);
    char *at;

    if (!names)
        return NULL;
    at = memcpy((char *)names + pointer_bytes, builder->names, builder->name_bytes);
    for (int i = 0; i < builder->name_count; i++) {
        names[i] = at;
        at += strlen(at) + 1;
    }
    return names;
}

/* A tree that is one leaf needs no cover, and LightGBM does not always write one. */
static bool has_covers(const struct forest *forest)
{
    int tree = 0;

    for (int i = 0; i < forest->node_count; i++) {
        bool is_alone;

        while (tree + 1 < forest->tree_count && forest->roots[tree + 1] <= i)
            tree++;
        is_alone = forest->nodes[i].feature < 0 && forest->roots[tree] == i;
        if (!is_alone && !(forest->covers[i] >= 0 && isfinite(forest->covers[i])))
            return false;
    }
    return true;
}

enum status forest_builder_finish(struct forest_builder *builder, struct forest **forest,
                                  struct err *err)
{
    enum status rc;

    assert(builder->forest->tree_groups || builder->forest->tree_count == 0);
    if (builder->name_count) {
        builder->forest->feature_names = names_block(builder);
        if (!builder->forest->feature_names)
            return no_memory(err);
        rc = check_names(builder->forest->feature_names, builder->name_count, err);
        if (rc)
            return rc;
    }
    if (!has_covers(builder->forest)) {
        free(builder->forest->covers);
        builder->forest->covers = NULL;
    }
    *forest = builder->forest;
    (*forest)->needs_evaluator =
        (*forest)->form != FOREST_OF_NUMBERS || (*forest)->dialect == FOREST_CATBOOST;
    builder->forest = NULL;
    return STATUS_OK;
}

void forest_free(struct forest *forest)
{
    if (!forest)
        return;
    free(forest->feature_names);
    free(forest->base_margin);
    free(forest->roots);
    free(forest->tree_groups);
    free(forest->tree_weights);
    free(forest->nodes);
    free(forest->covers);
    free(forest->category_words);
    free(forest->leaf_values);
    free(forest->lines);
    free(forest->terms);
    free(forest->weights);
    free(forest);
}
