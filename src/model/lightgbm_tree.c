/* lightgbm_tree.c - from the lines of a LightGBM tree to checked nodes. */
#include "model/lightgbm_tree.h"

#include "model/scalar.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum {
    IS_CATEGORICAL = 1,
    IS_DEFAULT_LEFT = 2,
    MISSING_SHIFT = 2,
    DECISION_TYPE_MAX = 11
};

const char *const lightgbm_line_names[LINE_COUNT] = {
    [LINE_LEAF_COUNT] = "num_leaves",
    [LINE_CATEGORY_SET_COUNT] = "num_cat",
    [LINE_FEATURE] = "split_feature",
    [LINE_THRESHOLD] = "threshold",
    [LINE_DECISION_TYPE] = "decision_type",
    [LINE_LEFT] = "left_child",
    [LINE_RIGHT] = "right_child",
    [LINE_LEAF_VALUE] = "leaf_value",
    [LINE_LEAF_COVER] = "leaf_count",
    [LINE_SPLIT_COVER] = "internal_count",
    [LINE_CATEGORY_BOUNDARIES] = "cat_boundaries",
    [LINE_CATEGORY_WORDS] = "cat_threshold",
    [LINE_IS_LINEAR] = "is_linear",
    [LINE_LEAF_CONSTANT] = "leaf_const",
    [LINE_TERM_COUNT] = "num_features",
    [LINE_TERM_FEATURE] = "leaf_features",
    [LINE_TERM_COEFFICIENT] = "leaf_coeff",
};

/* A child whose turn comes later, and where its place is written. */
struct lightgbm_step {
    int64_t child;  /* inner node, or ~leaf */
    int32_t parent; /* index in the forest, -1 for the root */
    bool is_left;
};

void lightgbm_tree_free(struct lightgbm_tree *tree)
{
    for (int i = 0; i < LINE_COUNT; i++) {
        free(tree->ints[i]);
        free(tree->doubles[i]);
    }
    free(tree->is_met);
    free(tree->steps);
}

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a tree");
}

/* A line that is one whole number. */
static enum status read_scalar(const struct lightgbm_tree *tree, enum lightgbm_line line,
                               int64_t fallback, int64_t *value, struct err *err)
{
    struct text text = tree->lines[line];

    *value = fallback;
    if (!text.at && fallback >= 0)
        return STATUS_OK;
    if (!text.at)
        return err_set(err, STATUS_INVALID, "%s: is missing", lightgbm_line_names[line]);
    if (!text_int(text, value) || *value < 0 || *value > INT_MAX)
        return err_set(err, STATUS_INVALID, "%s: '%.*s' is not a count",
                       lightgbm_line_names[line], TEXT_ARG(scalar_shown(text)));
    return STATUS_OK;
}

/* Thresholds beyond all values are written as "inf"; everything else must be finite. */
static bool read_double(enum lightgbm_line line, struct text word, double *value)
{
    if (line == LINE_THRESHOLD && (text_is(word, "inf") || text_is(word, "-inf"))) {
        *value = word.at[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return text_double(word, value);
}

/* Read one word as the next item of a line. */
static enum status read_item(struct lightgbm_tree *tree, enum lightgbm_line line,
                             bool is_double, struct text word, struct err *err)
{
    size_t count = tree->counts[line];
    void **items = is_double ? (void **)&tree->doubles[line] : (void **)&tree->ints[line];

    static_assert(sizeof **tree->ints == sizeof **tree->doubles);
    if (!array_reserve(items, &tree->capacities[line], count + 1, sizeof(double)))
        return no_memory(err);
    tree->counts[line] = count + 1;
    if (is_double ? read_double(line, word, &tree->doubles[line][count])
                  : text_int(word, &tree->ints[line][count]))
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "%s[%zu]: '%.*s' is not %s",
                   lightgbm_line_names[line], count, TEXT_ARG(scalar_shown(word)),
                   is_double ? "a finite number" : "a whole number");
}

enum status lightgbm_line_read(struct lightgbm_tree *tree, enum lightgbm_line line,
                               bool is_double, size_t count, struct err *err)
{
    struct text rest = tree->lines[line];
    struct text word;
    enum status rc = STATUS_OK;

    tree->counts[line] = 0;
    if (!rest.at && count)
        return err_set(err, STATUS_INVALID, "%s: is missing", lightgbm_line_names[line]);
    while (!rc && text_word(&rest, &word)) {
        if (tree->counts[line] == count)
            return err_set(err, STATUS_INVALID, "%s: has more than %zu entries",
                           lightgbm_line_names[line], count);
        rc = read_item(tree, line, is_double, word, err);
    }
    if (!rc && tree->counts[line] != count)
        rc = err_set(err, STATUS_INVALID, "%s: has %zu entries, not %zu",
                     lightgbm_line_names[line], tree->counts[line], count);
    return rc;
}

/* The bit sets: boundaries rise from 0 within the words. */
static enum status read_sets(struct lightgbm_tree *tree, size_t set_count,
                             struct err *err)
{
    enum status rc = lightgbm_line_read(tree, LINE_CATEGORY_BOUNDARIES, false,
                                        set_count ? set_count + 1 : 0, err);
    const int64_t *boundaries = tree->ints[LINE_CATEGORY_BOUNDARIES];
    const int64_t *words;

    if (rc || set_count == 0)
        return rc;
    for (size_t i = 0; i <= set_count; i++)
        if (boundaries[i] > FOREST_CATEGORY_WORD_COUNT_MAX ||
            (i == 0 ? boundaries[i] != 0 : boundaries[i] <= boundaries[i - 1]))
            return err_set(err, STATUS_INVALID,
                           "cat_boundaries[%zu]: %lld does not rise from 0", i,
                           (long long)boundaries[i]);
    rc = lightgbm_line_read(tree, LINE_CATEGORY_WORDS, false,
                            (size_t)boundaries[set_count], err);
    words = tree->ints[LINE_CATEGORY_WORDS];
    for (size_t i = 0; !rc && i < tree->counts[LINE_CATEGORY_WORDS]; i++)
        if (words[i] < 0 || words[i] > UINT32_MAX)
            rc = err_set(err, STATUS_INVALID,
                         "cat_threshold[%zu]: %lld is not a 32-bit word", i,
                         (long long)words[i]);
    return rc;
}

static bool has_covers(const struct lightgbm_tree *tree, int64_t leaf_count)
{
    return leaf_count > 1 && tree->lines[LINE_LEAF_COVER].at &&
           tree->lines[LINE_SPLIT_COVER].at;
}

static enum status read_lines(struct lightgbm_tree *tree, int64_t leaf_count,
                              struct err *err)
{
    size_t split_count = (size_t)leaf_count - 1;
    int64_t set_count = 0;
    enum status rc =
        lightgbm_line_read(tree, LINE_LEAF_VALUE, true, (size_t)leaf_count, err);

    if (!rc && has_covers(tree, leaf_count))
        rc = lightgbm_line_read(tree, LINE_LEAF_COVER, true, (size_t)leaf_count, err);
    if (!rc && has_covers(tree, leaf_count))
        rc = lightgbm_line_read(tree, LINE_SPLIT_COVER, true, split_count, err);
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_FEATURE, false, split_count, err);
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_THRESHOLD, true, split_count, err);
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_DECISION_TYPE, false, split_count, err);
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_LEFT, false, split_count, err);
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_RIGHT, false, split_count, err);
    if (!rc)
        rc = read_scalar(tree, LINE_CATEGORY_SET_COUNT, 0, &set_count, err);
    if (!rc && set_count > (int64_t)split_count)
        rc = err_set(err, STATUS_INVALID, "num_cat: %lld sets for %zu splits",
                     (long long)set_count, split_count);
    if (!rc)
        rc = read_sets(tree, (size_t)set_count, err);
    if (!rc && tree->is_linear)
        rc = lightgbm_linear_read(tree, leaf_count, err);
    return rc;
}

static enum status add_set(const struct lightgbm_tree *tree, int64_t node,
                           struct forest_builder *builder, struct forest_node *split,
                           struct err *err)
{
    const int64_t *boundaries = tree->ints[LINE_CATEGORY_BOUNDARIES];
    double threshold = tree->doubles[LINE_THRESHOLD][node];
    size_t set_count = tree->counts[LINE_CATEGORY_BOUNDARIES];
    enum status rc;
    int64_t set;

    set_count -= set_count > 0;
    set = threshold >= 0 && threshold < (double)set_count ? (int64_t)threshold : -1;
    if (set < 0 || (double)set != threshold)
        return err_set(err, STATUS_INVALID, "threshold[%lld]: %g of %zu category sets",
                       (long long)node, threshold, set_count);
    split->category_word_count = (uint32_t)(boundaries[set + 1] - boundaries[set]);
    rc = forest_builder_words(builder, split->category_word_count, &split->category, err);
    for (uint32_t i = 0; !rc && i < split->category_word_count; i++)
        builder->forest->category_words[split->category + i] =
            (uint32_t)tree->ints[LINE_CATEGORY_WORDS][boundaries[set] + i];
    return rc;
}

static enum status add_split(const struct lightgbm_tree *tree, int64_t node,
                             struct forest_builder *builder, struct forest_node *split,
                             struct err *err)
{
    static const enum missing_rule rules[] = {MISSING_NONE, MISSING_IS_ZERO,
                                              MISSING_IS_NAN};
    int64_t feature = tree->ints[LINE_FEATURE][node];
    int64_t type = tree->ints[LINE_DECISION_TYPE][node];

    if (feature < 0 || feature >= builder->forest->feature_count)
        return err_set(err, STATUS_INVALID, "split_feature[%lld]: feature %lld of %d",
                       (long long)node, (long long)feature,
                       builder->forest->feature_count);
    if (type < 0 || type > DECISION_TYPE_MAX)
        return err_set(err, STATUS_INVALID, "decision_type[%lld]: %lld is not known",
                       (long long)node, (long long)type);
    *split = (struct forest_node){
        .feature = (int32_t)feature,
        .id = (int32_t)node,
        .threshold = tree->doubles[LINE_THRESHOLD][node],
        .missing = (uint8_t)rules[type >> MISSING_SHIFT],
        .goes_left_by_default = type & IS_DEFAULT_LEFT,
        .is_categorical = type & IS_CATEGORICAL,
        .values = -1,
    };
    if (!split->is_categorical)
        return STATUS_OK;
    split->threshold = 0;
    return add_set(tree, node, builder, split, err);
}

/* Children of inner nodes: whether they exist and nobody else has them. Inner nodes and
 * leaves share is_met: leaves stand behind the inner nodes. */
static enum status check_child(const struct lightgbm_tree *tree, enum lightgbm_line line,
                               int64_t node, int64_t leaf_count, struct err *err)
{
    int64_t child = tree->ints[line][node];
    int64_t split_count = leaf_count - 1;
    int64_t place = child >= 0 ? child : split_count + ~child;

    if (child >= split_count || (child < 0 && ~child >= leaf_count))
        return err_set(err, STATUS_INVALID,
                       "%s[%lld]: %lld of %lld nodes and %lld leaves",
                       lightgbm_line_names[line], (long long)node, (long long)child,
                       (long long)split_count, (long long)leaf_count);
    if (tree->is_met[place])
        return err_set(err, STATUS_INVALID, "%s[%lld]: %lld is met twice",
                       lightgbm_line_names[line], (long long)node, (long long)child);
    tree->is_met[place] = 1;
    return STATUS_OK;
}

static enum status add_node(const struct lightgbm_tree *tree, struct lightgbm_step step,
                            int64_t leaf_count, struct forest_builder *builder,
                            int32_t *place, struct err *err)
{
    struct forest_node node = {.feature = -1, .values = -1};
    enum status rc = forest_builder_node(builder, place, err);

    if (!rc && step.child < 0) {
        node.id = (int32_t)~step.child;
        node.threshold = tree->doubles[LINE_LEAF_VALUE][~step.child];
        if (tree->is_linear)
            rc = lightgbm_linear_add(tree, ~step.child, builder, &node.values, err);
    } else if (!rc) {
        rc = add_split(tree, step.child, builder, &node, err);
        if (!rc)
            rc = check_child(tree, LINE_LEFT, step.child, leaf_count, err);
        if (!rc)
            rc = check_child(tree, LINE_RIGHT, step.child, leaf_count, err);
    }
    if (rc)
        return rc;
    builder->forest->nodes[*place] = node;
    if (has_covers(tree, leaf_count))
        builder->forest->covers[*place] =
            step.child < 0 ? tree->doubles[LINE_LEAF_COVER][~step.child]
                           : tree->doubles[LINE_SPLIT_COVER][step.child];
    if (step.parent >= 0 && step.is_left)
        builder->forest->nodes[step.parent].left = *place;
    else if (step.parent >= 0)
        builder->forest->nodes[step.parent].right = *place;
    return STATUS_OK;
}

/* Depth first, left before right, without recursion. As many children as there are nodes
 * but the root, each at most once: when the walk ends early, some are out of reach. */
static enum status walk(struct lightgbm_tree *tree, int64_t leaf_count,
                        struct forest_builder *builder, struct err *err)
{
    int64_t node_count = 2 * leaf_count - 1, added = 0;
    size_t waiting = 1;
    enum status rc = STATUS_OK;

    memset(tree->is_met, 0, (size_t)node_count);
    tree->is_met[0] = 1;
    tree->steps[0] = (struct lightgbm_step){leaf_count > 1 ? 0 : ~INT64_C(0), -1, false};
    while (waiting && !rc) {
        struct lightgbm_step step = tree->steps[--waiting];
        int32_t place = -1;

        rc = add_node(tree, step, leaf_count, builder, &place, err);
        added++;
        if (rc || step.child < 0)
            continue;
        tree->steps[waiting++] =
            (struct lightgbm_step){tree->ints[LINE_RIGHT][step.child], place, false};
        tree->steps[waiting++] =
            (struct lightgbm_step){tree->ints[LINE_LEFT][step.child], place, true};
    }
    if (!rc && added != node_count)
        rc = err_set(err, STATUS_INVALID,
                     "left_child, right_child: reach %lld of %lld nodes",
                     (long long)added, (long long)node_count);
    return rc;
}

enum status lightgbm_tree_add(struct lightgbm_tree *tree, struct forest_builder *builder,
                              struct err *err)
{
    int64_t leaf_count = 0, is_linear = 0;
    enum status rc = read_scalar(tree, LINE_LEAF_COUNT, -1, &leaf_count, err);

    if (!rc)
        rc = read_scalar(tree, LINE_IS_LINEAR, 0, &is_linear, err);
    if (!rc && is_linear > 1)
        rc = err_set(err, STATUS_INVALID, "is_linear: is %lld", (long long)is_linear);
    tree->is_linear = is_linear;
    if (is_linear)
        builder->forest->form = FOREST_OF_LINES;
    if (!rc && (leaf_count < 1 || leaf_count > FOREST_NODE_COUNT_MAX / 2))
        rc = err_set(err, STATUS_INVALID, "num_leaves: %lld is not in [1, %d]",
                     (long long)leaf_count, FOREST_NODE_COUNT_MAX / 2);
    if (!rc)
        rc = read_lines(tree, leaf_count, err);
    if (!rc && (!array_reserve((void **)&tree->is_met, &tree->met_capacity,
                               2 * (size_t)leaf_count, 1) ||
                !array_reserve((void **)&tree->steps, &tree->step_capacity,
                               2 * (size_t)leaf_count, sizeof *tree->steps)))
        rc = no_memory(err);
    if (!rc)
        rc = forest_builder_tree(builder, err);
    if (!rc)
        rc = walk(tree, leaf_count, builder, err);
    return rc;
}
