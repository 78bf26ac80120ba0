/* kernel_block_team.c - trees laid into lanes: completed, or from left to right. */
#include "infer/kernel_block_team.h"

enum { REGISTER_BYTES = 64 };

/* ---- laying out ---- */

static void bunch_init(const struct kernel_forest *source, int first,
                       struct team_bunch *bunch)
{
    int rest = source->forest->tree_count - first;
    struct tree_size size;

    *bunch = (struct team_bunch){
        .tree_count = rest < TEAM_LANE_COUNT ? rest : TEAM_LANE_COUNT,
    };
    size = largest_tree(source, first, bunch->tree_count);
    bunch->is_complete =
        size.depth <= TEAM_LEVEL_MAX && (1 << size.depth) <= SWEPT_COST * size.leaf_count;
    bunch->size = bunch->is_complete ? size.depth : size.leaf_count - 1;
    if (bunch->is_complete)
        size.leaf_count = 1 << size.depth;
    bunch->leaf_count = size.leaf_count <= TEAM_LEAF_COUNT_MAX / 2
                            ? TEAM_LEAF_COUNT_MAX / 2
                            : TEAM_LEAF_COUNT_MAX;
}

/* Registers of a node. */
static int part_count(const struct team *team, const struct team_bunch *bunch)
{
    return (team->lane_bytes == 1 ? 2 : 1) + !bunch->is_complete;
}

/* Of as many trees as a register has lanes. */
static size_t register_node_bytes(const struct team *team, const struct team_bunch *bunch)
{
    int count = bunch->is_complete ? (1 << bunch->size) - 1 : bunch->size;

    return (size_t)count * (size_t)part_count(team, bunch) * REGISTER_BYTES;
}

static size_t node_bytes(const struct team *team, const struct team_bunch *bunch)
{
    return register_node_bytes(team, bunch) * (size_t)team->lane_bytes;
}

static size_t tree_leaf_bytes(const struct kernel_forest *source,
                              const struct team_bunch *bunch)
{
    return (size_t)bunch->leaf_count * block_number_bytes(source);
}

static size_t bunch_bytes(const struct kernel_forest *source, const struct team *team,
                          const struct team_bunch *bunch)
{
    return node_bytes(team, bunch) +
           (size_t)bunch->tree_count * tree_leaf_bytes(source, bunch);
}

static bool layout(const struct kernel_forest *source, int lane_bytes, struct team *team)
{
    *team = (struct team){
        .head = block_head_layout(source, sizeof *team),
        .lane_bytes = lane_bytes,
    };
    if (!local_slots_find(source, &team->slots))
        return false;
    team->bunch_count =
        (source->forest->tree_count + TEAM_LANE_COUNT - 1) / TEAM_LANE_COUNT;
    team->bunches = team->head.end;
    team->head.end +=
        kernel_aligned((size_t)team->bunch_count * sizeof(struct team_bunch));
    return true;
}

size_t team_measure(const struct kernel_forest *source, int lane_bytes)
{
    struct team team;
    size_t bytes;

    if (source->leaf_count_max > TEAM_LEAF_COUNT_MAX ||
        source->forest->group_count > BLOCK_GROUP_COUNT_MAX ||
        !layout(source, lane_bytes, &team))
        return 0;
    bytes = team.head.end;
    for (int t = 0; t < source->forest->tree_count; t += TEAM_LANE_COUNT) {
        struct team_bunch bunch;

        bunch_init(source, t, &bunch);
        bytes += bunch_bytes(source, &team, &bunch);
    }
    return bytes <= UINT32_MAX ? bytes : 0;
}

/* ---- compiling ---- */

/* A tree on its way into its lane. */
struct planting {
    const struct kernel_forest *source;
    const struct team *team;
    const struct team_bunch *bunch;
    int tree, lane;
    char *nodes; /* of the bunch */
};

/* Write the parts of the node at an index of the bunch. */
static void put_node(const struct planting *planting, int index, int slot, int rank,
                     int first)
{
    const struct team *team = planting->team;
    int parts = part_count(team, planting->bunch);
    char *at = planting->nodes + (size_t)index * (size_t)parts * REGISTER_BYTES;

    if (team->lane_bytes == 1) {
        uint8_t *bytes = (uint8_t *)at + planting->lane;

        bytes[TEAM_SLOT * REGISTER_BYTES] = (uint8_t)slot;
        bytes[TEAM_RANK * REGISTER_BYTES] = (uint8_t)rank;
        if (!planting->bunch->is_complete)
            bytes[TEAM_FIRST * REGISTER_BYTES] = (uint8_t)first;
    } else {
        int half = planting->lane / (TEAM_LANE_COUNT / 2);
        uint16_t *words = (uint16_t *)(at + (size_t)half * planting->bunch->half_bytes) +
                          planting->lane % (TEAM_LANE_COUNT / 2);

        words[0] = (uint16_t)(rank << 8 | slot);
        if (!planting->bunch->is_complete)
            words[REGISTER_BYTES / sizeof *words] = (uint16_t)first;
    }
}

static void put_split(const struct planting *planting, int index, int32_t node, int first)
{
    struct split split = planting->source->splits[node];

    put_node(planting, index, local_slot_index(&planting->team->slots, split.slot),
             split.rank, first);
}

static void put_complete(const struct planting *planting, int32_t *leaves)
{
    int32_t nodes[TEAM_LEAF_COUNT_MAX];

    tree_complete(planting->source->forest, planting->tree, planting->bunch->size, nodes,
                  leaves);
    for (int i = 1; i < 1 << planting->bunch->size; i++) {
        if (nodes[i] >= 0)
            put_split(planting, i - 1, nodes[i], 0);
        else
            put_node(planting, i - 1, 0, RANK_ALWAYS_LEFT, 0);
    }
}

static void put_swept(const struct planting *planting, int32_t *leaves)
{
    struct sweep nodes[TEAM_LEAF_COUNT_MAX];
    int count = tree_sweep(planting->source->forest, planting->tree, nodes, leaves);

    for (int i = 0; i < count; i++)
        put_split(planting, i, nodes[i].node, nodes[i].first);
    for (int i = count; i < planting->bunch->size; i++)
        put_node(planting, i, 0, RANK_ALWAYS_LEFT, 0);
}

static void put_bunch(const struct kernel_forest *source, const struct team *team,
                      const struct team_bunch *bunch, int first, char *base)
{
    struct planting planting = {
        .source = source,
        .team = team,
        .bunch = bunch,
        .nodes = base + bunch->nodes,
    };
    char *leaves = base + bunch->leaves;

    for (; planting.lane < bunch->tree_count; planting.lane++) {
        int32_t nodes[BLOCK_LEAF_COUNT_MAX];

        planting.tree = first + planting.lane;
        if (bunch->is_complete)
            put_complete(&planting, nodes);
        else
            put_swept(&planting, nodes);
        block_put_leaves(source, planting.tree, nodes, bunch->leaf_count, leaves);
        leaves += tree_leaf_bytes(source, bunch);
    }
}

void team_compile(const struct kernel_forest *source, int lane_bytes, void *compiled)
{
    char *base = compiled;
    struct team_bunch *bunches;
    struct team team;
    size_t at;

    (void)layout(source, lane_bytes, &team);
    memcpy(compiled, &team, sizeof team);
    block_head_compile(source, &team.head, compiled);
    bunches = (struct team_bunch *)(base + team.bunches);
    at = team.head.end;
    for (int i = 0; i < team.bunch_count; i++) {
        struct team_bunch *bunch = &bunches[i];
        int first = i * TEAM_LANE_COUNT;

        bunch_init(source, first, bunch);
        bunch->half_bytes = (uint32_t)register_node_bytes(&team, bunch);
        bunch->nodes = (uint32_t)at;
        bunch->leaves = (uint32_t)(at + node_bytes(&team, bunch));
        put_bunch(source, &team, bunch, first, base);
        at += bunch_bytes(source, &team, bunch);
    }
}

void team_codes(const struct team *team, const uint8_t *block_codes, int row_count,
                uint8_t *codes)
{
    for (int i = 0; i < team->slots.list_count; i++) {
        const uint8_t *of_slot =
            block_codes + (size_t)team->slots.list[i] * QUANTIZE_BLOCK;

        for (int r = 0; r < row_count; r++)
            codes[r * team->slots.count + i] = of_slot[r];
    }
}
