/* format.c - telling model files apart by their content, and reading any of them. */
#include "model/bundle.h"

#include "model/source.h"

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* LightGBM's dump for people has a version too, but as a text. */
static bool is_dump(struct text key, struct json_scan *scan)
{
    return text_is(key, "tree_info") ||
           (text_is(key, "version") && json_peek(scan) == JSON_KIND_STRING);
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
        if (is_dump(key, &scan))
            return MODEL_UNKNOWN;
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

/* What people hand in instead of a model, by how it begins after spaces. */
static const char *hint_of(const char *bytes, size_t count)
{
    static const struct {
        const char *start, *hint;
    } hints[] = {
        {"binf", "XGBoost's old binary format is not supported; save the model as JSON"},
        {"bs64", "XGBoost's old binary format is not supported; save the model as JSON"},
        {"\x1f\x8b", "is compressed by gzip; decompress it first"},
        {"PK\x03\x04", "is a ZIP archive; take the model out of it first"},
        {"\xef\xbb\xbf", "begins with a byte order mark; save it without one"},
        {"\x80", "looks like a Python pickle; save the model with save_model"},
        {"{", "looks like a dump for people; save the model with save_model"},
        {"[",
         "is a list, as XGBoost's dump_model writes; save the model with save_model"},
    };
    const char *at = skip_spaces(bytes, bytes + count);
    size_t left = (size_t)(bytes + count - at);

    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        size_t length = strlen(hints[i].start);

        if (left >= length && memcmp(at, hints[i].start, length) == 0)
            return hints[i].hint;
    }
    return "neither a model of XGBoost (JSON, UBJ), LightGBM (text), CatBoost (JSON) nor "
           "a "
           "linear model";
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
    return err_set(err, STATUS_MALFORMED, "byte 0: %s", hint_of(text, bytes));
}

void model_release(struct bundle_model *model)
{
    forest_free(model->forest);
    linear_free(model->linear);
    model->forest = NULL;
    model->linear = NULL;
}
