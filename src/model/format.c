/* format.c - telling model files apart by their content, and reading any of them. */
#include "model/bundle.h"

#include "model/source.h"

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* What a JSON object is, by the first of its members that only one format has. */
static enum model_format json_format_of(const char *bytes, size_t count)
{
    static const struct {
        const char *key;
        enum model_format format;
    } keys[] = {
        {"learner", MODEL_XGBOOST_JSON},
        {"version", MODEL_XGBOOST_JSON},
        {"model_info", MODEL_CATBOOST_JSON},
        {"features_info", MODEL_CATBOOST_JSON},
        {"oblivious_trees", MODEL_CATBOOST_JSON},
        {"trees", MODEL_CATBOOST_JSON},
        {"scale_and_bias", MODEL_CATBOOST_JSON},
        {"ctr_data", MODEL_CATBOOST_JSON},
        {"manifest", MODEL_BUNDLE},
        {"files", MODEL_BUNDLE},
        {"format", MODEL_LINEAR},
        {"weights", MODEL_LINEAR},
        {"features", MODEL_LINEAR},
        {"intercept", MODEL_LINEAR},
        {"intercepts", MODEL_LINEAR},
        {"fill", MODEL_LINEAR},
        {"link", MODEL_LINEAR},
    };
    enum { HEAD_BYTES = 1 << 20 };
    struct json_scan scan;
    struct json_level level;
    struct text key;
    struct err err;

    json_scan_init(&scan, bytes, count < HEAD_BYTES ? count : HEAD_BYTES, JSON_DEPTH_MAX,
                   &err);
    json_enter_object(&scan, &level);
    while (json_member(&scan, &level, &key)) {
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (text_is(key, keys[i].key))
                return keys[i].format;
        json_skip(&scan);
    }
    return MODEL_XGBOOST_JSON; /* whose reader says what is wrong with it */
}

enum model_format model_format_of(const char *bytes, size_t count)
{
    const char *end = bytes + count;
    const char *at;

    if (count >= 5 && memcmp(bytes, "tree\n", 5) == 0)
        return MODEL_LIGHTGBM_TEXT;
    if (count >= 6 && memcmp(bytes, "tree\r\n", 6) == 0)
        return MODEL_LIGHTGBM_TEXT;
    if (source_is_ubj(bytes, count))
        return MODEL_XGBOOST_UBJ;
    at = skip_spaces(bytes, end);
    if (at < end && *at == '{')
        return json_format_of(at, (size_t)(end - at));
    return MODEL_UNKNOWN;
}

static bool starts_with(const char *bytes, size_t count, const char *word)
{
    return count >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
}

enum status model_read(const char *text, size_t bytes, struct bundle_model *model,
                       struct err *err)
{
    model->forest = NULL;
    model->linear = NULL;
    if (bytes > MODEL_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "the model is over %d bytes",
                       MODEL_BYTES_MAX);
    if (bytes == 0)
        return err_set(err, STATUS_MALFORMED, "the model is empty");
    switch (model_format_of(text, bytes)) {
    case MODEL_XGBOOST_JSON:
    case MODEL_XGBOOST_UBJ:
        return forest_read_xgboost(text, bytes, &model->forest, err);
    case MODEL_LIGHTGBM_TEXT:
        return forest_read_lightgbm(text, bytes, &model->forest, err);
    case MODEL_LINEAR:
        return linear_read(text, bytes, &model->linear, err);
    case MODEL_CATBOOST_JSON:
        return forest_read_catboost(text, bytes, &model->forest, err);
    case MODEL_BUNDLE:
        return err_set(err, STATUS_INVALID,
                       "byte 0: a bundle where a model file is expected");
    case MODEL_UNKNOWN:
        break;
    }
    if (starts_with(text, bytes, "binf") || starts_with(text, bytes, "bs64"))
        return err_set(
            err, STATUS_INVALID,
            "byte 0: XGBoost's old binary format is not supported; save the model "
            "as JSON");
    return err_set(err, STATUS_MALFORMED,
                   "byte 0: neither a model of XGBoost (JSON, UBJ), LightGBM (text), "
                   "CatBoost (JSON) nor a linear model");
}

void model_release(struct bundle_model *model)
{
    forest_free(model->forest);
    linear_free(model->linear);
    model->forest = NULL;
    model->linear = NULL;
}
