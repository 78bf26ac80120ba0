/* forest_fixture.c - models small enough to check by eye. */
#include "forest_fixture.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

const char xgboost_small[] =
    "{\"learner\":{\"attributes\":{},\"feature_names\":[],\"feature_types\":[],"
    "\"gradient_booster\":{\"model\":{"
    "\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"2\","
    "\"size_leaf_vector\":\"0\"},"
    "\"tree_info\":[0,0],\"trees\":["
    "{\"base_weights\":[0,0,0,0,0],\"categories\":[],\"categories_nodes\":[],"
    "\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[0,0,1,0,0],"
    "\"id\":0,\"left_children\":[1,-1,3,-1,-1],\"loss_changes\":[0,0,0,0,0],"
    "\"parents\":[2147483647,0,0,2,2],\"right_children\":[2,-1,4,-1,-1],"
    "\"split_conditions\":[5E-1,1E0,-2E0,2E0,4E0],\"split_indices\":[0,0,1,0,0],"
    "\"split_type\":[0,0,0,0,0],\"sum_hessian\":[4,2,2,1,1],"
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"2\",\"num_nodes\":\"5\","
    "\"size_leaf_vector\":\"0\"}},"
    "{\"base_weights\":[0],\"categories\":[],\"categories_nodes\":[],"
    "\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[0],\"id\":1,"
    "\"left_children\":[-1],\"loss_changes\":[0],\"parents\":[2147483647],"
    "\"right_children\":[-1],\"split_conditions\":[2.5E-1],\"split_indices\":[0],"
    "\"split_type\":[0],\"sum_hessian\":[4],"
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"2\",\"num_nodes\":\"1\","
    "\"size_leaf_vector\":\"0\"}}"
    "]},\"name\":\"gbtree\"},"
    "\"learner_model_param\":{\"base_score\":\"5E-1\",\"boost_from_average\":\"1\","
    "\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"},"
    "\"objective\":{\"name\":\"binary:logistic\","
    "\"reg_loss_param\":{\"scale_pos_weight\":\"1\"}}},\"version\":[1,7,4]}";

const char lightgbm_small[] = "tree\n"
                              "version=v4\n"
                              "num_class=1\n"
                              "num_tree_per_iteration=1\n"
                              "label_index=0\n"
                              "max_feature_idx=1\n"
                              "objective=regression\n"
                              "feature_names=tenure orders\n"
                              "feature_infos=[0:9] [0:9]\n"
                              "tree_sizes=300\n"
                              "\n"
                              "Tree=0\n"
                              "num_leaves=3\n"
                              "num_cat=0\n"
                              "split_feature=0 1\n"
                              "split_gain=2 1\n"
                              "threshold=1.5 0\n"
                              "decision_type=8 8\n"
                              "left_child=-1 -2\n"
                              "right_child=1 -3\n"
                              "leaf_value=10 20 30\n"
                              "leaf_weight=1 1 1\n"
                              "leaf_count=1 1 1\n"
                              "internal_value=0 0\n"
                              "internal_weight=0 0\n"
                              "internal_count=3 2\n"
                              "is_linear=0\n"
                              "shrinkage=1\n"
                              "\n"
                              "\n"
                              "end of trees\n"
                              "\n"
                              "parameters:\n"
                              "[boosting: gbdt]\n"
                              "end of parameters\n";

char *text_replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *copy = NULL;

    if (!at) {
        fprintf(stderr, "'%s' does not occur in the text\n", from);
        abort();
    }
    if (asprintf(&copy, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) < 0)
        abort();
    return copy;
}

const char *fixtures_folder(void)
{
    static char path[512];
    const char *shared = getenv("REDRESS_SHARED");

    snprintf(path, sizeof path, "%s/fixtures/trees", shared ? shared : "../shared");
    if (folder_exists(path))
        return path;
    printf("SKIPPED: no fixtures in %s\n", path);
    return NULL;
}
