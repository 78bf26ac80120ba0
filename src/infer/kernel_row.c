/* kernel_row.c - trees laid side by side. */
#include "infer/kernel_row.h"

#include <string.h>

/* ---- trees side by side ---- */

/* The bunch that begins with a tree; returns the bytes it takes from position on. */
static size_t bunch_layout(const struct kernel_forest *source,
                           const struct lanes_shape *shape, const struct lanes *lanes,
                           int first, size_t position, struct bunch *bunch)
{
    int rest = source->forest->tree_count - first;
    size_t number_bytes = lanes->is_float ? sizeof(float) : sizeof(double);
    size_t leaf_count;

    *bunch = (struct bunch){
        .tree_count = rest < shape->lane_count ? rest : shape->lane_count,
    };
    for (int t = first; t < first + bunch->tree_count; t++) {
        int size = shape->size(source, t);

        if (size > bunch->size)
            bunch->size = size;
    }
    bunch->leaf_stride = shape->leaf_stride(bunch->size);
    bunch->nodes = (uint32_t)position;
    bunch->leaves = (uint32_t)(position + kernel_aligned(shape->node_bytes(bunch->size)));
    leaf_count = (size_t)bunch->leaf_stride * (size_t)bunch->tree_count;
    for (int i = 0; shape->further_leaves && i < bunch->tree_count; i++)
        leaf_count += shape->further_leaves(source, first + i, bunch->size);
    return kernel_aligned(shape->node_bytes(bunch->size)) +
           kernel_aligned(leaf_count * number_bytes);
}

bool lanes_layout(const struct kernel_forest *source, const struct lanes_shape *shape,
                  struct lanes *lanes)
{
    const struct forest *forest = source->forest;
    size_t tree_count = (size_t)forest->tree_count;
    struct bunch bunch;

    *lanes = (struct lanes){
        .is_float = forest->dialect == FOREST_XGBOOST,
        .bunch_count = (forest->tree_count + shape->lane_count - 1) / shape->lane_count,
        .group_count = forest->group_count,
    };
    if (!local_slots_find(source, &lanes->slots))
        return false;
    lanes->bunches = kernel_aligned(sizeof *lanes);
    lanes->groups = lanes->bunches +
                    kernel_aligned((size_t)lanes->bunch_count * sizeof(struct bunch));
    lanes->margins = lanes->groups + kernel_aligned(tree_count * sizeof(int32_t));
    lanes->bytes =
        lanes->margins + kernel_aligned((size_t)forest->group_count * sizeof(double));
    for (int first = 0; first < forest->tree_count; first += shape->lane_count)
        lanes->bytes += bunch_layout(source, shape, lanes, first, lanes->bytes, &bunch);
    return lanes->bytes <= UINT32_MAX;
}

void lanes_put_leaf(const struct kernel_forest *source, const struct lanes *lanes,
                    const struct bunch *bunch, int tree, int lane, int32_t node, int leaf,
                    void *compiled)
{
    double value = leaf_value(source->forest, tree, &source->forest->nodes[node]);
    char *leaves = (char *)compiled + bunch->leaves;
    size_t at = (size_t)lane * (size_t)bunch->leaf_stride + (size_t)leaf;

    if (lanes->is_float)
        ((float *)leaves)[at] = (float)value;
    else
        ((double *)leaves)[at] = value;
}

void lanes_compile(const struct kernel_forest *source, const struct lanes_shape *shape,
                   void *compiled)
{
    const struct forest *forest = source->forest;
    char *base = compiled;
    struct bunch *bunch;
    struct lanes lanes;
    double *margins;
    size_t at;

    (void)lanes_layout(source, shape, &lanes);
    memcpy(compiled, &lanes, sizeof lanes);
    memcpy(base + lanes.groups, forest->tree_groups,
           (size_t)forest->tree_count * sizeof(int32_t));
    margins = (double *)(base + lanes.margins);
    for (int g = 0; g < forest->group_count; g++)
        margins[g] = margin_of(forest, g);
    bunch = (struct bunch *)(base + lanes.bunches);
    at = lanes.margins + kernel_aligned((size_t)forest->group_count * sizeof(double));
    for (int first = 0; first < forest->tree_count; first += shape->lane_count, bunch++) {
        at += bunch_layout(source, shape, &lanes, first, at, bunch);
        for (int lane = 0; lane < bunch->tree_count; lane++)
            shape->put_tree(source, &lanes, bunch, first + lane, lane, compiled);
    }
}
