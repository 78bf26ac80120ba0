/* catboost_reader.h - reading CatBoost's JSON, and knowing where one is.
 *
 * Members come in any order: splits name their features by number until all is read. */
#ifndef REDRESS_MODEL_CATBOOST_READER_H
#define REDRESS_MODEL_CATBOOST_READER_H

#include "model/catboost_tree.h"
#include "model/source.h"

/* A numeric feature. */
struct catboost_feature {
    int32_t column;     /* of the input; -1: not said */
    bool nan_is_larger; /* than every border */
    struct text name;
};

struct catboost_reader {
    struct source source;
    struct json_scan *scan; /* of the source */
    struct arena arena;
    struct forest_builder builder;
    struct catboost_tree tree;
    struct catboost_feature *features;
    size_t feature_count, feature_capacity;
    int64_t column_count; /* also those of features that are not numeric */
    double scale, *biases;
    size_t bias_count, bias_capacity;
    char loss[48];
    bool has_trees, has_features, has_scale;
    char place[96]; /* of what is being read, for messages */
    struct err *err;
};

/* One member that may stand in an object, and what reads its value. */
struct catboost_member {
    const char *name;
    void (*read)(struct catboost_reader *reader);
};

/* Known members by the table, each at most once; others are skipped. */
void catboost_members(struct catboost_reader *reader,
                      const struct catboost_member *members, int count);

#define READ_MEMBERS(reader, members)                                                    \
    catboost_members((reader), (members), sizeof(members) / sizeof *(members))

/* Say where the items are that are read next. The place of a failure stays. */
void catboost_go_to(struct catboost_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The object "features_info". */
void catboost_features_read(struct catboost_reader *reader);

/* When all is read: features of the forest instead of those of the file, the way of NaN,
 * and names if all columns have one. */
enum status catboost_features_place(struct catboost_reader *reader);

#endif
