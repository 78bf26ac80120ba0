/* words.c - what enums are called in manifests, in answers and by people. */
#include "model/bundle.h"

const char *const link_names[] = {
    [LINK_IDENTITY] = "identity", [LINK_SIGMOID] = "sigmoid",     [LINK_EXP] = "exp",
    [LINK_SOFTMAX] = "softmax",   [LINK_ARGMAX] = "argmax",       [LINK_STEP] = "step",
    [LINK_SQUARE] = "square",     [LINK_LOG1P_EXP] = "log1p_exp", [LINK_SORT] = "sort",
};

const char *const role_names[] = {
    [ROLE_TAU] = "tau",           [ROLE_MU0] = "mu0",   [ROLE_MU1] = "mu1",
    [ROLE_OUTCOME] = "outcome",   [ROLE_COST] = "cost", [ROLE_PROPENSITY] = "propensity",
    [ROLE_PROPENSITY + 1] = NULL,
};

const char *const feature_type_names[] = {
    [FEATURE_FLOAT] = "float",
    [FEATURE_CATEGORY] = "category",
    [FEATURE_BOOL] = "bool",
    [FEATURE_BOOL + 1] = NULL,
};
