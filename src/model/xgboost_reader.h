/* xgboost_reader.h - reading XGBoost's JSON or UBJ value by value, and knowing where one
 * is. */
#ifndef REDRESS_MODEL_XGBOOST_READER_H
#define REDRESS_MODEL_XGBOOST_READER_H

#include "model/source.h"
#include "model/xgboost_tree.h"

/* Arrays of a tree that do not matter for scores, but must have an entry per node. */
enum { NODE_WEIGHTS, LOSS_CHANGES, PARENTS, STATISTIC_COUNT };

struct xgboost_reader {
    struct source source;
    struct arena arena; /* unescaped strings */
    struct forest_builder builder;
    struct xgboost_tree tree; /* the one being read */
    struct err *err;

    /* Where the scan is, for messages: path.member[item], and inside of which tree. */
    const char *path, *member;
    long item;       /* -1: not in an array */
    bool is_in_tree; /* the one that the forest gets next */
    int tree_index;
    int64_t statistic_counts[STATISTIC_COUNT]; /* -1: not there */
    size_t node_total, value_total; /* of the trees before, also those out of reach */
    struct source node_weights;     /* stands before the tree's "base_weights" */

    char booster[16], objective[48];
    struct text base_score; /* as written */
    int64_t class_count, target_count, feature_count;
    int64_t announced_tree_count, parallel_tree_count, leaf_vector_size;
    struct int_column version, tree_groups, round_ends;
    struct float_column weights;        /* of trees: dart */
    struct float_column linear_weights; /* gblinear */
    int64_t tree_vector_size;           /* of the leaves of all trees so far */
    int64_t best_round;
    bool has_learner, has_model, has_round_ends, has_linear_weights, has_trees;
    bool has_weights_beside; /* the model, as up to 3.x */
    bool has_weights_inside; /* the model, as after */
};

/* One member that may stand in an object, and what reads its value. */
struct xgboost_member {
    const char *name;
    void (*read)(struct xgboost_reader *reader, int argument);
    int argument;
};

/* The sticky status of the source. */
static inline enum status reader_status(const struct xgboost_reader *reader)
{
    return reader->source.scan.status;
}

#define reader_refuse(reader, status, ...)                                               \
    json_refuse(&(reader)->source.scan, (status), __VA_ARGS__)

/* Read an object: known members by the table, each at most once; others are skipped. */
void read_members(struct xgboost_reader *reader, const char *path,
                  const struct xgboost_member *members, int count);

#define READ_MEMBERS(reader, path, members)                                              \
    read_members((reader), (path), (members), sizeof(members) / sizeof *(members))

/* A string that is a whole number, as XGBoost writes its parameters. */
void read_parameter(struct xgboost_reader *reader, int64_t min, int64_t max,
                    int64_t *value);

/* A short string into a buffer. */
void xgboost_name(struct xgboost_reader *reader, char *buffer, size_t buffer_bytes);

/* How many entries an array may have, and what is said when there are more. */
struct xgboost_room {
    size_t count;
    int stated_count;
    const char *stated_things;
};
#define ENTRIES(count) ((struct xgboost_room){(count), (count), "entries"})

void read_ints(struct xgboost_reader *reader, struct int_column *column,
               struct xgboost_room room);

void read_floats(struct xgboost_reader *reader, struct float_column *column,
                 struct xgboost_room room);

/* One object of "trees": read, checked, added to the forest. */
void read_tree(struct xgboost_reader *reader);

/* Put where the scan is before the message: "trees[17].left_children[4]: ...". */
enum status wrap_place(struct xgboost_reader *reader);

/* The whole file, member by member; what is said in several places is not compared
 * yet. */
enum status xgboost_document_read(struct xgboost_reader *reader);

/* Compare, and complete the forest but for what its builder finishes. */
enum status xgboost_document_check(struct xgboost_reader *reader);

#endif
