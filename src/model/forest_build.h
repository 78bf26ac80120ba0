/* forest_build.h - how the readers of model files put a forest together.
 *
 * Everything grows by doubling, within the limits of forest.h, and only as the file's own
 * content grows: no count in a file is ever believed. */
#ifndef REDRESS_MODEL_FOREST_BUILD_H
#define REDRESS_MODEL_FOREST_BUILD_H

#include "base/text.h"
#include "model/forest.h"

struct forest_builder {
    struct forest *forest; /* counts are right at all times */
    size_t node_capacity, cover_capacity, tree_capacity, word_capacity;
    size_t value_count, value_capacity; /* of vector leaves */
    size_t line_count, line_capacity, term_count, term_capacity;
    char *names; /* each ended by NUL */
    size_t name_bytes, name_capacity;
    int name_count;
};

/* The caller ends with forest_builder_finish or forest_builder_free. */
enum status forest_builder_init(struct forest_builder *builder,
                                enum forest_dialect dialect, struct err *err);
void forest_builder_free(struct forest_builder *builder);

/* Room for one more node; *node is its index, its content is zero but for values, which
 * is -1, and its cover is not known. */
enum status forest_builder_node(struct forest_builder *builder, int32_t *node,
                                struct err *err);

/* A tree begins: its root is the next node. */
enum status forest_builder_tree(struct forest_builder *builder, struct err *err);

/* Room for so many words of a category set, all zero; *first is the index. */
enum status forest_builder_words(struct forest_builder *builder, size_t count,
                                 uint32_t *first, struct err *err);

/* Room for the numbers of one more vector leaf; *first is the index. */
enum status forest_builder_values(struct forest_builder *builder, size_t count,
                                  int32_t *first, struct err *err);

/* One more linear leaf without terms; *line is its index. Terms go to the last one. */
enum status forest_builder_line(struct forest_builder *builder, double constant,
                                int32_t *line, struct err *err);
enum status forest_builder_term(struct forest_builder *builder, struct forest_term term,
                                struct err *err);

/* The next feature's name. */
enum status forest_builder_name(struct forest_builder *builder, struct text name,
                                struct err *err);

/* Take the forest out, marked with needs_evaluator if need be. Names become feature_names
 * when there are any; how many they must be is the reader's business. Covers stay when
 * every node of a tree with splits has a sound one. */
enum status forest_builder_finish(struct forest_builder *builder, struct forest **forest,
                                  struct err *err);

/* Make *items hold at least count items. False when memory is out. */
bool array_reserve(void **items, size_t *capacity, size_t count, size_t item_bytes);

#endif
