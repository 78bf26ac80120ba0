/* kernel_block_lanes.c - trees laid into lanes: completed, or from left to right. */
#include "infer/kernel_block_lanes.h"

enum {
    REGISTER_BYTES = 64,
    RANK_ALWAYS_LEFT = 255,
    /* A swept node costs about as much as so many of a complete tree. */
    SWEPT_COST = 3,
};

/* ---- laying out ---- */

static bool find_slots(const struct kernel_forest *source, struct lanes *lanes)
{
    bool is_used[QUANTIZE_SLOT_COUNT_MAX] = {0};
    int count = 0;

    for (int i = 0; i < source->forest->node_count; i++)
        if (source->forest->nodes[i].feature >= 0)
            is_used[source->splits[i].slot] = true;
    for (int s = 0; s < source->slot_count; s++) {
        if (!is_used[s])
            continue;
        if (count == LANE_SLOT_COUNT_MAX)
            return false;
        lanes->used[count++] = (uint16_t)s;
    }
    lanes->used_count = count;
    lanes->slot_count = count <= 64 ? 64 : count <= 128 ? 128 : LANE_SLOT_COUNT_MAX;
    return true;
}

static int local_slot(const struct lanes *lanes, int slot)
{
    int from = 0, to = lanes->used_count;

    while (to - from > 1) {
        int middle = (from + to) / 2;

        if (lanes->used[middle] <= slot)
            from = middle;
        else
            to = middle;
    }
    return from;
}

static int lane_count(const struct lanes *lanes)
{
    return REGISTER_BYTES / lanes->lane_bytes;
}

static void bunch_init(const struct kernel_forest *source, const struct lanes *lanes,
                       int first, struct lane_bunch *bunch)
{
    int rest = source->forest->tree_count - first;
    int depth = 0, leaves = 1;

    *bunch = (struct lane_bunch){
        .tree_count = rest < lane_count(lanes) ? rest : lane_count(lanes),
    };
    for (int t = first; t < first + bunch->tree_count; t++) {
        if (source->tree_depths[t] > depth)
            depth = source->tree_depths[t];
        if (source->tree_leaf_counts[t] > leaves)
            leaves = source->tree_leaf_counts[t];
    }
    bunch->is_complete = depth <= LANE_LEVEL_MAX && (1 << depth) <= SWEPT_COST * leaves;
    bunch->size = bunch->is_complete ? depth : leaves - 1;
    if (bunch->is_complete)
        leaves = 1 << depth;
    bunch->leaf_count =
        leaves <= LANE_LEAF_COUNT_MAX / 2 ? LANE_LEAF_COUNT_MAX / 2 : LANE_LEAF_COUNT_MAX;
}

/* Registers of a node. */
static int part_count(const struct lanes *lanes, const struct lane_bunch *bunch)
{
    return (lanes->lane_bytes == 1 ? 2 : 1) + !bunch->is_complete;
}

static size_t node_bytes(const struct lanes *lanes, const struct lane_bunch *bunch)
{
    int count = bunch->is_complete ? (1 << bunch->size) - 1 : bunch->size;

    return (size_t)count * (size_t)part_count(lanes, bunch) * REGISTER_BYTES;
}

static size_t tree_leaf_bytes(const struct kernel_forest *source,
                              const struct lane_bunch *bunch)
{
    return (size_t)bunch->leaf_count * block_number_bytes(source);
}

static size_t bunch_bytes(const struct kernel_forest *source, const struct lanes *lanes,
                          const struct lane_bunch *bunch)
{
    return node_bytes(lanes, bunch) +
           (size_t)bunch->tree_count * tree_leaf_bytes(source, bunch);
}

static bool layout(const struct kernel_forest *source, int lane_bytes,
                   struct lanes *lanes)
{
    *lanes = (struct lanes){
        .head = block_head_layout(source, sizeof *lanes),
        .lane_bytes = lane_bytes,
    };
    if (!find_slots(source, lanes))
        return false;
    lanes->bunch_count =
        (source->forest->tree_count + lane_count(lanes) - 1) / lane_count(lanes);
    lanes->bunches = lanes->head.end;
    lanes->head.end +=
        block_aligned((size_t)lanes->bunch_count * sizeof(struct lane_bunch));
    return true;
}

size_t lanes_measure(const struct kernel_forest *source, int lane_bytes)
{
    struct lanes lanes;
    size_t bytes;

    if (source->leaf_count_max > LANE_LEAF_COUNT_MAX ||
        source->forest->group_count > BLOCK_GROUP_COUNT_MAX ||
        !layout(source, lane_bytes, &lanes))
        return 0;
    bytes = lanes.head.end;
    for (int t = 0; t < source->forest->tree_count; t += lane_count(&lanes)) {
        struct lane_bunch bunch;

        bunch_init(source, &lanes, t, &bunch);
        bytes += bunch_bytes(source, &lanes, &bunch);
    }
    return bytes <= UINT32_MAX ? bytes : 0;
}

/* ---- compiling ---- */

/* A tree on its way into its lane. */
struct planting {
    const struct kernel_forest *source;
    const struct lanes *lanes;
    const struct lane_bunch *bunch;
    int tree, lane;
    char *nodes;  /* of the bunch */
    void *leaves; /* of the tree */
};

static void put_leaf(const struct planting *planting, int32_t node, int index)
{
    const struct forest *forest = planting->source->forest;

    block_put_leaf(leaf_value(forest, planting->tree, &forest->nodes[node]),
                   forest->dialect == FOREST_XGBOOST, planting->bunch->leaf_count, index,
                   planting->leaves);
}

/* Write the parts of the node at an index of the bunch. */
static void put_node(const struct planting *planting, int index, int slot, int rank,
                     int first)
{
    const struct lanes *lanes = planting->lanes;
    int parts = part_count(lanes, planting->bunch);
    char *at = planting->nodes + (size_t)index * (size_t)parts * REGISTER_BYTES;

    if (lanes->lane_bytes == 1) {
        uint8_t *bytes = (uint8_t *)at + planting->lane;

        bytes[LANE_SLOT * REGISTER_BYTES] = (uint8_t)slot;
        bytes[LANE_RANK * REGISTER_BYTES] = (uint8_t)rank;
        if (!planting->bunch->is_complete)
            bytes[LANE_FIRST * REGISTER_BYTES] = (uint8_t)first;
    } else {
        uint16_t *words = (uint16_t *)at + planting->lane;

        words[0] = (uint16_t)(rank << 8 | slot);
        if (!planting->bunch->is_complete)
            words[REGISTER_BYTES / sizeof *words] = (uint16_t)first;
    }
}

static void put_split(const struct planting *planting, int index, int32_t node, int first)
{
    struct split split = planting->source->splits[node];

    put_node(planting, index, local_slot(planting->lanes, split.slot), split.rank, first);
}

/* The subtree below a node, which stands at an index of its level. A leaf goes on to the left. */
static void put_complete(const struct planting *planting, int32_t node, int level,
                         int index)
{
    const struct forest_node *here = &planting->source->forest->nodes[node];
    int at = (1 << level) - 1 + index;

    if (level == planting->bunch->size) {
        put_leaf(planting, node, index);
    } else if (here->feature >= 0) {
        put_split(planting, at, node, 0);
        put_complete(planting, here->left, level + 1, 2 * index);
        put_complete(planting, here->right, level + 1, 2 * index + 1);
    } else {
        put_node(planting, at, 0, RANK_ALWAYS_LEFT, 0);
        put_complete(planting, node, level + 1, 2 * index);
    }
}

/* From left to right; the first leaf of a node is known before its subtree is. */
static void put_swept(const struct planting *planting)
{
    const struct forest *forest = planting->source->forest;
    struct {
        int32_t node;
        int first;
    } waiting[LANE_LEAF_COUNT_MAX];
    int32_t at = forest->roots[planting->tree];
    int depth = 0, leaf = 0;

    for (;;) {
        for (; forest->nodes[at].feature >= 0; at = forest->nodes[at].left) {
            waiting[depth].node = at;
            waiting[depth++].first = leaf;
        }
        put_leaf(planting, at, leaf);
        if (depth == 0)
            break;
        depth--;
        put_split(planting, leaf, waiting[depth].node, waiting[depth].first);
        at = forest->nodes[waiting[depth].node].right;
        leaf++;
    }
    for (; leaf < planting->bunch->size; leaf++)
        put_node(planting, leaf, 0, RANK_ALWAYS_LEFT, 0);
}

static void put_bunch(const struct kernel_forest *source, const struct lanes *lanes,
                      const struct lane_bunch *bunch, int first, char *base)
{
    struct planting planting = {
        .source = source,
        .lanes = lanes,
        .bunch = bunch,
        .nodes = base + bunch->nodes,
        .leaves = base + bunch->leaves,
    };

    for (; planting.lane < bunch->tree_count; planting.lane++) {
        planting.tree = first + planting.lane;
        if (bunch->is_complete)
            put_complete(&planting, source->forest->roots[planting.tree], 0, 0);
        else
            put_swept(&planting);
        planting.leaves = (char *)planting.leaves + tree_leaf_bytes(source, bunch);
    }
}

void lanes_compile(const struct kernel_forest *source, int lane_bytes, void *compiled)
{
    char *base = compiled;
    struct lane_bunch *bunches;
    struct lanes lanes;
    size_t at;

    (void)layout(source, lane_bytes, &lanes);
    memcpy(compiled, &lanes, sizeof lanes);
    block_head_compile(source, &lanes.head, compiled);
    bunches = (struct lane_bunch *)(base + lanes.bunches);
    at = lanes.head.end;
    for (int i = 0; i < lanes.bunch_count; i++) {
        struct lane_bunch *bunch = &bunches[i];
        int first = i * lane_count(&lanes);

        bunch_init(source, &lanes, first, bunch);
        bunch->nodes = (uint32_t)at;
        bunch->leaves = (uint32_t)(at + node_bytes(&lanes, bunch));
        put_bunch(source, &lanes, bunch, first, base);
        at += bunch_bytes(source, &lanes, bunch);
    }
}

void lanes_codes(const struct lanes *lanes, const uint8_t *block_codes, int row_count,
                 uint8_t *codes)
{
    for (int i = 0; i < lanes->used_count; i++) {
        const uint8_t *of_slot = block_codes + (size_t)lanes->used[i] * QUANTIZE_BLOCK;

        for (int r = 0; r < row_count; r++)
            codes[r * lanes->slot_count + i] = of_slot[r];
    }
}
