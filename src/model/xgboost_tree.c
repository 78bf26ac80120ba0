/* xgboost_tree.c - from XGBoost's arrays to checked nodes. */
#include "model/xgboost_tree.h"

#include <math.h>
#include <stdlib.h>

enum { CATEGORY_END = 1 << 24, WORD_BITS = 32, NO_SET = -1 };

const char *const xgboost_column_names[COLUMN_COUNT] = {
    [COLUMN_LEFT] = "left_children",
    [COLUMN_RIGHT] = "right_children",
    [COLUMN_FEATURE] = "split_indices",
    [COLUMN_DEFAULT_LEFT] = "default_left",
    [COLUMN_SPLIT_TYPE] = "split_type",
    [COLUMN_CATEGORIES] = "categories",
    [COLUMN_CATEGORY_NODES] = "categories_nodes",
    [COLUMN_CATEGORY_SEGMENTS] = "categories_segments",
    [COLUMN_CATEGORY_SIZES] = "categories_sizes",
};

/* A node of the file whose turn comes later, and where its place is written. */
struct walk_step {
    int32_t node;
    int32_t parent; /* index in the forest, -1 for the root */
    bool is_left;
};

void xgboost_tree_reset(struct xgboost_tree *tree)
{
    for (int i = 0; i < COLUMN_COUNT; i++)
        tree->columns[i].count = 0;
    tree->condition.count = tree->node_weights.count = tree->leaf_weights.count = 0;
    tree->cover.count = 0;
    tree->columns_present = 0;
    tree->has_cover = false;
    tree->has_condition = tree->has_node_weights = tree->has_leaf_weights = false;
    tree->node_count = -1;
    tree->leaf_vector_size = 0;
}

void xgboost_tree_free(struct xgboost_tree *tree)
{
    for (int i = 0; i < COLUMN_COUNT; i++)
        free(tree->columns[i].items);
    free(tree->condition.items);
    free(tree->cover.items);
    free(tree->node_weights.items);
    free(tree->leaf_weights.items);
    free(tree->set_of_node);
    free(tree->is_met);
    free(tree->steps);
}

bool int_column_grow(struct int_column *column)
{
    return column->count < column->capacity ||
           array_reserve((void **)&column->items, &column->capacity, column->count + 1,
                         sizeof *column->items);
}

bool int_column_push(struct int_column *column, int32_t value)
{
    if (!int_column_grow(column))
        return false;
    column->items[column->count++] = value;
    return true;
}

bool float_column_push(struct float_column *column, float value)
{
    if (column->count == column->capacity &&
        !array_reserve((void **)&column->items, &column->capacity, column->count + 1,
                       sizeof value))
        return false;
    column->items[column->count++] = value;
    return true;
}

static bool has_column(const struct xgboost_tree *tree, enum xgboost_column column)
{
    return tree->columns_present >> column & 1;
}

static enum status check_count(const char *name, bool is_there, size_t count,
                               int64_t node_count, struct err *err)
{
    if (!is_there)
        return err_set(err, STATUS_INVALID, "%s: is missing", name);
    if ((int64_t)count != node_count)
        return err_set(err, STATUS_INVALID, "%s: has %zu entries for %lld nodes", name,
                       count, (long long)node_count);
    return STATUS_OK;
}

static bool has_vectors(const struct xgboost_tree *tree)
{
    return tree->leaf_vector_size > 1;
}

/* Vector leaves are in a vector per node up to 3.1, later in a table of their own. */
static enum status check_vectors(const struct xgboost_tree *tree, struct err *err)
{
    size_t count = tree->node_weights.count;
    int64_t size = tree->leaf_vector_size;

    if (!has_vectors(tree) && tree->has_leaf_weights)
        return err_set(err, STATUS_INVALID,
                       "leaf_weights: tree_param.size_leaf_vector is %lld",
                       (long long)size);
    if (!has_vectors(tree))
        return STATUS_OK;
    if (tree->has_leaf_weights && tree->leaf_weights.count % (size_t)size != 0)
        return err_set(err, STATUS_INVALID,
                       "leaf_weights: %zu entries are no rows of %lld",
                       tree->leaf_weights.count, (long long)size);
    if (tree->has_leaf_weights)
        return STATUS_OK;
    if (!tree->has_node_weights)
        return err_set(err, STATUS_INVALID, "base_weights: is missing");
    if ((int64_t)count != tree->node_count * size)
        return err_set(err, STATUS_INVALID,
                       "base_weights: has %zu entries for %lld nodes with %lld numbers",
                       count, (long long)tree->node_count, (long long)size);
    return STATUS_OK;
}

static enum status check_counts(const struct xgboost_tree *tree, struct err *err)
{
    enum status rc = STATUS_OK;

    if (tree->node_count < 0)
        return err_set(err, STATUS_INVALID, "tree_param.num_nodes: is missing");
    if (tree->node_count == 0)
        return err_set(err, STATUS_INVALID, "tree_param.num_nodes: is 0");
    for (int i = COLUMN_LEFT; i <= COLUMN_SPLIT_TYPE && !rc; i++)
        if (i != COLUMN_SPLIT_TYPE || has_column(tree, COLUMN_SPLIT_TYPE))
            rc = check_count(xgboost_column_names[i], has_column(tree, i),
                             tree->columns[i].count, tree->node_count, err);
    if (!rc)
        rc = check_count("split_conditions", tree->has_condition, tree->condition.count,
                         tree->node_count, err);
    if (!rc && tree->has_cover)
        rc = check_count("sum_hessian", true, tree->cover.count, tree->node_count, err);
    return rc ? rc : check_vectors(tree, err);
}

/* Which set belongs to which node; the nodes are listed in rising order. */
static enum status place_sets(struct xgboost_tree *tree, struct err *err)
{
    const struct int_column *nodes = &tree->columns[COLUMN_CATEGORY_NODES];
    const struct int_column *segments = &tree->columns[COLUMN_CATEGORY_SEGMENTS];
    const struct int_column *sizes = &tree->columns[COLUMN_CATEGORY_SIZES];
    size_t category_count = tree->columns[COLUMN_CATEGORIES].count;
    int64_t previous = -1;

    if (nodes->count != segments->count || nodes->count != sizes->count)
        return err_set(err, STATUS_INVALID,
                       "categories_nodes, _segments and _sizes: have %zu, %zu and %zu "
                       "entries",
                       nodes->count, segments->count, sizes->count);
    if (!array_reserve((void **)&tree->set_of_node, &tree->set_capacity,
                       (size_t)tree->node_count, sizeof *tree->set_of_node))
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a tree");
    for (int64_t i = 0; i < tree->node_count; i++)
        tree->set_of_node[i] = NO_SET;
    for (size_t i = 0; i < nodes->count; i++) {
        int64_t node = nodes->items[i];
        int64_t end = (int64_t)segments->items[i] + sizes->items[i];

        if (node < 0 || node >= tree->node_count)
            return err_set(err, STATUS_INVALID,
                           "categories_nodes[%zu]: %lld of %lld nodes", i,
                           (long long)node, (long long)tree->node_count);
        if (node <= previous)
            return err_set(err, STATUS_INVALID, "categories_nodes[%zu]: %lld after %lld",
                           i, (long long)node, (long long)previous);
        if (segments->items[i] < 0 || sizes->items[i] <= 0 ||
            end > (int64_t)category_count)
            return err_set(err, STATUS_INVALID,
                           "categories_segments[%zu]: %d categories from %d of %zu", i,
                           sizes->items[i], segments->items[i], category_count);
        tree->set_of_node[node] = (int32_t)i;
        previous = node;
    }
    return STATUS_OK;
}

/* The categories of one node as bits. */
static enum status add_set(const struct xgboost_tree *tree, int32_t node,
                           struct forest_builder *builder, struct forest_node *split,
                           struct err *err)
{
    int32_t set = tree->set_of_node[node];
    const int32_t *categories;
    int32_t first, size, largest = 0;
    enum status rc;

    if (set == NO_SET)
        return err_set(err, STATUS_INVALID, "split_type[%d]: no categories for this node",
                       node);
    first = tree->columns[COLUMN_CATEGORY_SEGMENTS].items[set];
    size = tree->columns[COLUMN_CATEGORY_SIZES].items[set];
    categories = tree->columns[COLUMN_CATEGORIES].items + first;
    for (int32_t i = 0; i < size; i++) {
        if (categories[i] < 0 || categories[i] >= CATEGORY_END)
            return err_set(err, STATUS_INVALID, "categories[%d]: %d is not in [0, 2^24)",
                           first + i, categories[i]);
        if (categories[i] > largest)
            largest = categories[i];
    }
    split->category_word_count = (uint32_t)largest / WORD_BITS + 1;
    rc = forest_builder_words(builder, split->category_word_count, &split->category, err);
    if (rc)
        return rc;
    for (int32_t i = 0; i < size; i++)
        builder->forest
            ->category_words[split->category + (uint32_t)categories[i] / WORD_BITS] |=
            UINT32_C(1) << categories[i] % WORD_BITS;
    return STATUS_OK;
}

static enum status check_child(const struct xgboost_tree *tree,
                               enum xgboost_column column, int32_t node, struct err *err)
{
    int32_t child = tree->columns[column].items[node];

    if (child < 0 || child >= tree->node_count)
        return err_set(err, STATUS_INVALID, "%s[%d]: %d of %lld nodes",
                       xgboost_column_names[column], node, child,
                       (long long)tree->node_count);
    if (tree->is_met[child])
        return err_set(err, STATUS_INVALID, "%s[%d]: node %d is met twice",
                       xgboost_column_names[column], node, child);
    tree->is_met[child] = 1;
    return STATUS_OK;
}

static enum status check_condition(const struct xgboost_tree *tree, int32_t node,
                                   struct err *err)
{
    if (isfinite(tree->condition.items[node]))
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "split_conditions[%d]: is not finite", node);
}

/* Fill an inner node, except for the places of its children. */
static enum status add_split(const struct xgboost_tree *tree, int32_t node,
                             struct forest_builder *builder, struct forest_node *split,
                             struct err *err)
{
    int32_t type = has_column(tree, COLUMN_SPLIT_TYPE)
                       ? tree->columns[COLUMN_SPLIT_TYPE].items[node]
                       : 0;
    int32_t feature = tree->columns[COLUMN_FEATURE].items[node];
    enum status rc;

    if (type != 0 && type != 1)
        return err_set(err, STATUS_INVALID, "split_type[%d]: %d is not known", node,
                       type);
    if (feature < 0 || feature >= FOREST_FEATURE_COUNT_MAX)
        return err_set(err, STATUS_INVALID, "split_indices[%d]: feature %d of at most %d",
                       node, feature, FOREST_FEATURE_COUNT_MAX);
    split->feature = feature;
    split->missing = MISSING_IS_NAN;
    split->goes_left_by_default = tree->columns[COLUMN_DEFAULT_LEFT].items[node] != 0;
    split->is_categorical = type == 1;
    if (split->is_categorical)
        return add_set(tree, node, builder, split, err);
    if (tree->set_of_node[node] != NO_SET)
        return err_set(err, STATUS_INVALID,
                       "split_type[%d]: is numeric, but the node has categories", node);
    rc = check_condition(tree, node, err);
    split->threshold = tree->condition.items[node];
    return rc;
}

/* The numbers of a vector leaf; with a table of their own, the right child is the row. */
static enum status add_vector(const struct xgboost_tree *tree, int32_t node,
                              struct forest_builder *builder, struct forest_node *leaf,
                              struct err *err)
{
    const char *name = tree->has_leaf_weights ? "leaf_weights" : "base_weights";
    const struct float_column *column =
        tree->has_leaf_weights ? &tree->leaf_weights : &tree->node_weights;
    size_t size = (size_t)tree->leaf_vector_size, first;
    int32_t row = tree->has_leaf_weights ? tree->columns[COLUMN_RIGHT].items[node] : node;
    enum status rc;

    if (row < 0 || (size_t)row >= column->count / size)
        return err_set(err, STATUS_INVALID, "right_children[%d]: row %d of %zu leaves",
                       node, row, column->count / size);
    first = (size_t)row * size;
    rc = forest_builder_values(builder, size, &leaf->values, err);
    for (size_t i = 0; !rc && i < size; i++) {
        if (!isfinite(column->items[first + i]))
            rc = err_set(err, STATUS_INVALID, "%s[%zu]: is not finite", name, first + i);
        else
            builder->forest->leaf_values[(size_t)leaf->values + i] =
                column->items[first + i];
    }
    return rc;
}

static enum status add_leaf(const struct xgboost_tree *tree, int32_t node,
                            struct forest_builder *builder, struct forest_node *leaf,
                            struct err *err)
{
    int32_t right = tree->columns[COLUMN_RIGHT].items[node];
    enum status rc;

    if (right != -1 && !tree->has_leaf_weights)
        return err_set(err, STATUS_INVALID,
                       "right_children[%d]: %d, but there is no left one", node, right);
    if (has_vectors(tree))
        return add_vector(tree, node, builder, leaf, err);
    rc = check_condition(tree, node, err);
    leaf->threshold = tree->condition.items[node];
    return rc;
}

/* Fill the node at *place; *is_split says whether its children are to be visited. */
static enum status add_node(const struct xgboost_tree *tree, struct walk_step step,
                            struct forest_builder *builder, int32_t *place,
                            bool *is_split, struct err *err)
{
    struct forest_node node = {.id = step.node, .feature = -1, .values = -1};
    enum status rc = forest_builder_node(builder, place, err);

    *is_split = tree->columns[COLUMN_LEFT].items[step.node] != -1;
    if (!rc && !*is_split)
        rc = add_leaf(tree, step.node, builder, &node, err);
    if (!rc && *is_split)
        rc = add_split(tree, step.node, builder, &node, err);
    if (!rc && *is_split)
        rc = check_child(tree, COLUMN_LEFT, step.node, err);
    if (!rc && *is_split)
        rc = check_child(tree, COLUMN_RIGHT, step.node, err);
    if (rc)
        return rc;
    builder->forest->nodes[*place] = node;
    if (tree->has_cover)
        builder->forest->covers[*place] = tree->cover.items[step.node];
    if (step.parent >= 0 && step.is_left)
        builder->forest->nodes[step.parent].left = *place;
    else if (step.parent >= 0)
        builder->forest->nodes[step.parent].right = *place;
    return STATUS_OK;
}

/* Depth first, left before right, without recursion; each node is met at most once, so
 * there are no cycles, and never more steps waiting than nodes. */
static enum status walk(struct xgboost_tree *tree, struct forest_builder *builder,
                        struct err *err)
{
    size_t waiting = 1;
    enum status rc = STATUS_OK;

    memset(tree->is_met, 0, (size_t)tree->node_count);
    tree->is_met[0] = 1;
    tree->steps[0] = (struct walk_step){.node = 0, .parent = -1};
    while (waiting && !rc) {
        struct walk_step step = tree->steps[--waiting];
        int32_t place = -1;
        bool is_split = false;

        rc = add_node(tree, step, builder, &place, &is_split, err);
        if (rc || !is_split)
            continue;
        tree->steps[waiting++] = (struct walk_step){
            tree->columns[COLUMN_RIGHT].items[step.node], place, false};
        tree->steps[waiting++] =
            (struct walk_step){tree->columns[COLUMN_LEFT].items[step.node], place, true};
    }
    return rc;
}

enum status xgboost_tree_add(struct xgboost_tree *tree, struct forest_builder *builder,
                             struct err *err)
{
    enum status rc = check_counts(tree, err);

    if (!rc)
        rc = place_sets(tree, err);
    if (!rc && (!array_reserve((void **)&tree->is_met, &tree->met_capacity,
                               (size_t)tree->node_count, 1) ||
                !array_reserve((void **)&tree->steps, &tree->step_capacity,
                               (size_t)tree->node_count + 1, sizeof *tree->steps)))
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a tree");
    if (!rc)
        rc = forest_builder_tree(builder, err);
    if (!rc)
        rc = walk(tree, builder, err);
    return rc;
}
