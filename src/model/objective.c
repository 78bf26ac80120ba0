/* objective.c - the objectives of the libraries, one line each. */
#include "model/objective.h"

#include "model/scalar.h"

static const struct xgboost_objective xgboost_objectives[] = {
    {"reg:squarederror", LINK_IDENTITY, BASE_AS_IS},
    {"reg:linear", LINK_IDENTITY, BASE_AS_IS}, /* its name until 0.90 */
    {"reg:squaredlogerror", LINK_IDENTITY, BASE_AS_IS},
    {"reg:absoluteerror", LINK_IDENTITY, BASE_AS_IS},
    {"reg:pseudohubererror", LINK_IDENTITY, BASE_AS_IS},
    {"reg:quantileerror", LINK_SORT, BASE_AS_IS},
    {"reg:logistic", LINK_SIGMOID, BASE_PROBABILITY},
    {"reg:gamma", LINK_EXP, BASE_POSITIVE},
    {"reg:tweedie", LINK_EXP, BASE_POSITIVE},
    {"count:poisson", LINK_EXP, BASE_POSITIVE},
    {"survival:cox", LINK_EXP, BASE_POSITIVE},
    {"survival:aft", LINK_EXP, BASE_POSITIVE},
    {"binary:logistic", LINK_SIGMOID, BASE_PROBABILITY},
    {"binary:logitraw", LINK_IDENTITY, BASE_AS_IS},
    {"binary:hinge", LINK_STEP, BASE_AS_IS},
    {"multi:softprob", LINK_SOFTMAX, BASE_AS_IS},
    {"multi:softmax", LINK_ARGMAX, BASE_AS_IS},
    {"rank:pairwise", LINK_IDENTITY, BASE_AS_IS},
    {"rank:ndcg", LINK_IDENTITY, BASE_AS_IS},
    {"rank:map", LINK_IDENTITY, BASE_AS_IS},
};

const struct xgboost_objective *xgboost_objective_find(const char *name)
{
    for (size_t i = 0; i < sizeof xgboost_objectives / sizeof *xgboost_objectives; i++)
        if (strcmp(xgboost_objectives[i].name, name) == 0)
            return &xgboost_objectives[i];
    return NULL;
}

static const struct lightgbm_objective {
    const char *name;
    enum link link;
    bool can_be_sqrt;  /* trained on the square root of the label */
    bool has_slope;    /* sigmoid:... */
    bool is_per_class; /* as many outputs as num_class says */
} lightgbm_objectives[] = {
    {"regression", LINK_IDENTITY, true, false, false},
    {"regression_l1", LINK_IDENTITY, true, false, false},
    {"huber", LINK_IDENTITY, true, false, false},
    {"fair", LINK_IDENTITY, true, false, false},
    {"quantile", LINK_IDENTITY, true, false, false},
    {"mape", LINK_IDENTITY, true, false, false},
    {"poisson", LINK_EXP, false, false, false},
    {"gamma", LINK_EXP, false, false, false},
    {"tweedie", LINK_EXP, false, false, false},
    {"binary", LINK_SIGMOID, false, true, false},
    {"multiclass", LINK_SOFTMAX, false, false, true},
    {"multiclassova", LINK_SIGMOID, false, true, true},
    {"cross_entropy", LINK_SIGMOID, false, false, false},
    {"cross_entropy_lambda", LINK_LOG1P_EXP, false, false, false},
    {"lambdarank", LINK_IDENTITY, false, false, false},
    {"rank_xendcg", LINK_IDENTITY, false, false, false},
    {"custom", LINK_IDENTITY, false, false, false},
    {"none", LINK_IDENTITY, false, false, false},
};

static const struct lightgbm_objective *lightgbm_objective_find(struct text name)
{
    size_t count = sizeof lightgbm_objectives / sizeof *lightgbm_objectives;

    for (size_t i = 0; i < count; i++)
        if (text_is(name, lightgbm_objectives[i].name))
            return &lightgbm_objectives[i];
    return NULL;
}

/* One word after the name: "sqrt", or key:number. */
static enum status parameter_read(const struct lightgbm_objective *objective,
                                  struct text word, struct forest *forest,
                                  struct err *err)
{
    const char *colon = memchr(word.at, ':', word.bytes);
    struct text key, value;
    double number;

    if (text_is(word, "sqrt") && objective->can_be_sqrt) {
        forest->link = LINK_SQUARE;
        return STATUS_OK;
    }
    if (!colon)
        return err_set(err, STATUS_INVALID, "objective: '%.*s' is not known",
                       TEXT_ARG(scalar_shown(word)));
    key = (struct text){word.at, (size_t)(colon - word.at)};
    value = (struct text){colon + 1, word.bytes - key.bytes - 1};
    if (!text_double(value, &number))
        return err_set(err, STATUS_INVALID, "objective: '%.*s' is not a number",
                       TEXT_ARG(scalar_shown(word)));
    if (text_is(key, "sigmoid") && objective->has_slope) {
        if (!(number > 0))
            return err_set(err, STATUS_INVALID, "objective: sigmoid is %g, not positive",
                           number);
        forest->link_slope = number;
    }
    if (text_is(key, "num_class") && number != forest->group_count)
        return err_set(err, STATUS_INVALID,
                       "objective: num_class is %g, but there are %d outputs", number,
                       forest->group_count);
    return STATUS_OK;
}

enum status lightgbm_objective_read(struct text line, struct forest *forest,
                                    struct err *err)
{
    const struct lightgbm_objective *objective;
    struct text word;
    enum status rc = STATUS_OK;

    if (!text_word(&line, &word))
        return err_set(err, STATUS_INVALID, "objective: is empty");
    objective = lightgbm_objective_find(word);
    if (!objective)
        return err_set(err, STATUS_INVALID, "objective: '%.*s' is not supported",
                       TEXT_ARG(scalar_shown(word)));
    memcpy(forest->objective, objective->name, strlen(objective->name) + 1);
    forest->link = objective->link;
    while (!rc && text_word(&line, &word))
        rc = parameter_read(objective, word, forest, err);
    if (!rc && !objective->is_per_class && forest->group_count > 1 &&
        objective->link != LINK_IDENTITY)
        rc = err_set(err, STATUS_INVALID, "objective: %s with %d outputs",
                     objective->name, forest->group_count);
    return rc;
}

static const struct catboost_loss {
    const char *name;
    enum link link;
    bool has_outputs; /* may have several */
} catboost_losses[] = {
    {"RMSE", LINK_IDENTITY, false},
    {"MAE", LINK_IDENTITY, false},
    {"Quantile", LINK_IDENTITY, false},
    {"MultiQuantile", LINK_IDENTITY, true},
    {"Expectile", LINK_IDENTITY, false},
    {"MAPE", LINK_IDENTITY, false},
    {"Huber", LINK_IDENTITY, false},
    {"LogCosh", LINK_IDENTITY, false},
    {"Lq", LINK_IDENTITY, false},
    {"MultiRMSE", LINK_IDENTITY, true},
    {"MultiRMSEWithMissingValues", LINK_IDENTITY, true},
    {"Poisson", LINK_EXP, false},
    {"Tweedie", LINK_EXP, false},
    {"Logloss", LINK_SIGMOID, false},
    {"CrossEntropy", LINK_SIGMOID, false},
    {"Focal", LINK_SIGMOID, false},
    {"MultiLogloss", LINK_SIGMOID, true},
    {"MultiCrossEntropy", LINK_SIGMOID, true},
    {"MultiClass", LINK_SOFTMAX, true},
    {"MultiClassOneVsAll", LINK_SIGMOID, true},
    {"QueryRMSE", LINK_IDENTITY, false},
    {"QuerySoftMax", LINK_IDENTITY, false},
    {"PairLogit", LINK_IDENTITY, false},
    {"PairLogitPairwise", LINK_IDENTITY, false},
    {"YetiRank", LINK_IDENTITY, false},
    {"YetiRankPairwise", LINK_IDENTITY, false},
    {"LambdaMart", LINK_IDENTITY, false},
    {"StochasticRank", LINK_IDENTITY, false},
    {"none", LINK_IDENTITY, true}, /* a file that does not say */
};

enum status catboost_objective_read(const char *name, struct forest *forest,
                                    struct err *err)
{
    for (size_t i = 0; i < sizeof catboost_losses / sizeof *catboost_losses; i++) {
        if (strcmp(catboost_losses[i].name, name) != 0)
            continue;
        if (forest->group_count > 1 && !catboost_losses[i].has_outputs)
            return err_set(err, STATUS_INVALID, "loss_function: %s with %d outputs", name,
                           forest->group_count);
        memcpy(forest->objective, name, strlen(name) + 1);
        forest->link = catboost_losses[i].link;
        return STATUS_OK;
    }
    return err_set(err, STATUS_INVALID, "loss_function: '%s' is not supported", name);
}
