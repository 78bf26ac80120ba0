/* kernel_block_planes.c - trees made ready for planes: completed, or ordered. */
#include "infer/kernel_block_planes.h"

enum {
    /* An ordered node costs about as much as two of a complete tree. */
    BORDER_COST = 2,
};

/* Trees [first, first + tree_count) as a bunch. */
static void bunch_init(const struct kernel_forest *source, int first,
                       struct plane_bunch *bunch)
{
    int rest = source->forest->tree_count - first;
    struct tree_size size;

    *bunch = (struct plane_bunch){
        .tree_count = rest < PLANE_TREE_COUNT ? rest : PLANE_TREE_COUNT,
    };
    size = largest_tree(source, first, bunch->tree_count);
    bunch->is_complete = size.depth <= PLANE_LEVEL_MAX &&
                         (1 << size.depth) <= BORDER_COST * size.leaf_count;
    bunch->levels = size.depth;
    if (!bunch->is_complete)
        bunch->levels =
            size.leaf_count > 1 ? 32 - __builtin_clz((unsigned)size.leaf_count - 1) : 0;
    if (bunch->levels == 0)
        bunch->levels = 1;
    bunch->node_count =
        bunch->is_complete ? (1 << bunch->levels) - 1 : size.leaf_count - 1;
}

static size_t node_bytes(const struct plane_bunch *bunch)
{
    size_t node = bunch->is_complete
                      ? PLANE_TREE_COUNT / TURN_GROUP * sizeof(struct turns)
                      : PLANE_TREE_COUNT * sizeof(struct border);

    return kernel_aligned((size_t)bunch->node_count * node);
}

static size_t leaf_bytes(const struct kernel_forest *source,
                         const struct plane_bunch *bunch)
{
    return (size_t)bunch->tree_count * (size_t)plane_leaf_count(bunch->levels) *
           block_number_bytes(source);
}

static struct planes layout(const struct kernel_forest *source)
{
    struct planes planes = {
        .head = block_head_layout(source, sizeof planes),
        .bunch_count =
            (source->forest->tree_count + PLANE_TREE_COUNT - 1) / PLANE_TREE_COUNT,
    };

    planes.bunches = planes.head.end;
    planes.head.end +=
        kernel_aligned((size_t)planes.bunch_count * sizeof(struct plane_bunch));
    return planes;
}

size_t planes_measure(const struct kernel_forest *source)
{
    size_t bytes = layout(source).head.end;

    if (source->leaf_count_max > PLANE_LEAF_COUNT_MAX ||
        source->forest->group_count > BLOCK_GROUP_COUNT_MAX)
        return 0;
    for (int t = 0; t < source->forest->tree_count; t += PLANE_TREE_COUNT) {
        struct plane_bunch bunch;

        bunch_init(source, t, &bunch);
        bytes += node_bytes(&bunch) + leaf_bytes(source, &bunch);
    }
    return bytes <= UINT32_MAX ? bytes : 0;
}

/* ---- compiling ---- */

/* A tree on its way into a form. */
struct planting {
    const struct kernel_forest *source;
    const struct plane_bunch *bunch;
    int tree, lane;
    void *nodes;  /* of the bunch */
    void *leaves; /* of the tree */
};

static uint32_t ranks_of(const struct kernel_forest *source, int32_t node)
{
    return source->splits[node].rank * 0x01010101u;
}

static uint16_t codes_of(const struct kernel_forest *source, int32_t node)
{
    return (uint16_t)(source->splits[node].slot * (QUANTIZE_BLOCK / CODES_STEP));
}

static void put_leaf(const struct planting *planting, int32_t node, int index)
{
    const struct forest *forest = planting->source->forest;
    double value = leaf_value(forest, planting->tree, &forest->nodes[node]);

    if (forest->dialect == FOREST_XGBOOST)
        ((float *)planting->leaves)[index] = (float)value;
    else
        ((double *)planting->leaves)[index] = value;
}

static void put_complete(const struct planting *planting)
{
    int levels = planting->bunch->levels;
    int32_t nodes[PLANE_LEAF_COUNT_MAX], leaves[BLOCK_LEAF_COUNT_MAX];
    struct turns *turns = (struct turns *)planting->nodes + planting->lane / TURN_GROUP;
    int lane = planting->lane % TURN_GROUP;

    tree_complete(planting->source->forest, planting->tree, levels, nodes, leaves);
    for (int i = 1; i < 1 << levels; i++, turns += PLANE_TREE_COUNT / TURN_GROUP) {
        turns->ranks[lane] = UINT32_MAX; /* no code is above 255 */
        if (nodes[i] < 0)
            continue;
        turns->ranks[lane] = ranks_of(planting->source, nodes[i]);
        turns->codes[lane] = codes_of(planting->source, nodes[i]);
    }
    for (int i = 0; i < 1 << levels; i++)
        if (leaves[i] >= 0)
            put_leaf(planting, leaves[i], i);
}

/* A subtree waiting for its turn: its leaves begin at first and lie between two masks. */
struct subtree {
    int32_t node;
    int first;
    uint16_t left, right;
};

/* How many leaves each node of the tree has below it, and where it is asked. */
static void count_leaves(const struct planting *planting, int32_t root, uint8_t *counts)
{
    const struct forest *forest = planting->source->forest;
    int32_t end = tree_end(forest, planting->tree);

    for (int32_t i = end - 1; i >= root; i--) {
        const struct forest_node *node = &forest->nodes[i];

        counts[i - root] =
            node->feature < 0
                ? 1
                : (uint8_t)(counts[node->left - root] + counts[node->right - root]);
    }
}

/* The place of border i in the binary search. */
static uint16_t border_place(int i, int levels)
{
    int rest = __builtin_ctz((unsigned)i);

    return (uint16_t)((1 << (levels - 1 - rest)) + (i >> (rest + 1)));
}

/* Level by level, so that a node seldom waits for the one before it. */
static void put_ordered(const struct planting *planting)
{
    const struct forest *forest = planting->source->forest;
    int32_t root = forest->roots[planting->tree];
    struct border *border = (struct border *)planting->nodes + planting->lane;
    struct subtree queue[2 * PLANE_LEAF_COUNT_MAX];
    uint8_t counts[2 * PLANE_LEAF_COUNT_MAX];
    int end = 1;

    count_leaves(planting, root, counts);
    queue[0] = (struct subtree){root, 0, MASK_ALL, MASK_NONE};
    for (int i = 0; i < end; i++) {
        struct subtree tree = queue[i];
        const struct forest_node *node = &forest->nodes[tree.node];
        uint16_t at;
        int middle;

        if (node->feature < 0) {
            put_leaf(planting, tree.node, tree.first);
            continue;
        }
        middle = tree.first + counts[node->left - root];
        at = border_place(middle, planting->bunch->levels);
        *border = (struct border){
            .ranks = ranks_of(planting->source, tree.node),
            .codes = codes_of(planting->source, tree.node),
            .left = (uint16_t)(tree.left * PLANE_TREE_COUNT),
            .right = (uint16_t)(tree.right * PLANE_TREE_COUNT),
            .at = (uint16_t)(at * PLANE_TREE_COUNT),
        };
        border += PLANE_TREE_COUNT;
        queue[end++] = (struct subtree){node->left, tree.first, tree.left, at};
        queue[end++] = (struct subtree){node->right, middle, at, tree.right};
    }
}

static void put_bunch(const struct kernel_forest *source, const struct plane_bunch *bunch,
                      int first, char *base)
{
    struct planting planting = {
        .source = source,
        .bunch = bunch,
        .nodes = base + bunch->nodes,
        .leaves = base + bunch->leaves,
    };

    if (!bunch->is_complete)
        for (int i = 0; i < bunch->node_count * PLANE_TREE_COUNT; i++)
            ((struct border *)planting.nodes)[i].at = MASK_UNUSED * PLANE_TREE_COUNT;
    for (; planting.lane < bunch->tree_count; planting.lane++) {
        planting.tree = first + planting.lane;
        if (bunch->is_complete)
            put_complete(&planting);
        else
            put_ordered(&planting);
        planting.leaves = (char *)planting.leaves +
                          leaf_bytes(source, bunch) / (size_t)bunch->tree_count;
    }
}

void planes_compile(const struct kernel_forest *source, void *compiled)
{
    struct planes planes = layout(source);
    char *base = compiled;
    struct plane_bunch *bunches = (struct plane_bunch *)(base + planes.bunches);
    size_t at = planes.head.end;

    memcpy(compiled, &planes, sizeof planes);
    block_head_compile(source, &planes.head, compiled);
    for (int i = 0; i < planes.bunch_count; i++) {
        struct plane_bunch *bunch = &bunches[i];

        bunch_init(source, i * PLANE_TREE_COUNT, bunch);
        bunch->nodes = (uint32_t)at;
        bunch->leaves = (uint32_t)(at + node_bytes(bunch));
        put_bunch(source, bunch, i * PLANE_TREE_COUNT, base);
        at = bunch->leaves + leaf_bytes(source, bunch);
    }
}
