/* objective.h - what the objectives of the libraries do to raw scores. */
#ifndef REDRESS_MODEL_OBJECTIVE_H
#define REDRESS_MODEL_OBJECTIVE_H

#include "base/text.h"
#include "model/forest.h"

/* Where the base score of an XGBoost file lives: it is written in output space. */
enum base_space { BASE_AS_IS, BASE_PROBABILITY, BASE_POSITIVE };

struct xgboost_objective {
    const char *name;
    enum link link;
    enum base_space base;
};

/* NULL when we do not know it. */
const struct xgboost_objective *xgboost_objective_find(const char *name);

/* The value of LightGBM's objective line, such as "binary sigmoid:0.7", into objective,
 * link and link_slope of the forest, whose group_count is known. */
enum status lightgbm_objective_read(struct text line, struct forest *forest,
                                    struct err *err);

/* CatBoost's loss function into objective and link of the forest, whose group_count is
 * known. */
enum status catboost_objective_read(const char *name, struct forest *forest,
                                    struct err *err);

#endif
