/* booster.c - libxgboost through dlopen. */
#include "learn/booster.h"

#include "learn/bins.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* xgboost/c_api.h: handles are pointers, bst_ulong has 64 bits, 0 is success; and of the
 * library it runs on, OpenMP. */
typedef void *handle;

enum { PREDICT_MARGIN = 1, VERSION_BYTES = 40, FEED_ROWS = 1 << 13 };

#define LIBRARY_CALLS(X)                                                                 \
    X(void, omp_set_num_threads, (int))                                                  \
    X(const char *, XGBGetLastError, (void))                                             \
    X(void, XGBoostVersion, (int *, int *, int *))                                       \
    X(int, XGBSetGlobalConfig, (const char *))                                           \
    X(int, XGDMatrixCreateFromMat, (const float *, uint64_t, uint64_t, float, handle *)) \
    X(int, XGProxyDMatrixCreate, (handle *))                                             \
    X(int, XGProxyDMatrixSetDataDense, (handle, const char *))                           \
    X(int, XGQuantileDMatrixCreateFromCallback,                                          \
      (handle, handle, handle, void (*)(void *), int (*)(void *), const char *,          \
       handle *))                                                                        \
    X(int, XGDMatrixSetFloatInfo, (handle, const char *, const float *, uint64_t))       \
    X(int, XGDMatrixFree, (handle))                                                      \
    X(int, XGBoosterCreate, (const handle *, uint64_t, handle *))                        \
    X(int, XGBoosterFree, (handle))                                                      \
    X(int, XGBoosterSetParam, (handle, const char *, const char *))                      \
    X(int, XGBoosterSetStrFeatureInfo, (handle, const char *, const char **, uint64_t))  \
    X(int, XGBoosterUpdateOneIter, (handle, int, handle))                                \
    X(int, XGBoosterPredict,                                                             \
      (handle, handle, int, unsigned, int, uint64_t *, const float **))                  \
    X(int, XGBoosterSaveModelToBuffer,                                                   \
      (handle, const char *, uint64_t *, const char **))                                 \
    X(int, XGBoosterLoadModelFromBuffer, (handle, const void *, uint64_t))               \
    X(int, XGBoosterFeatureScore,                                                        \
      (handle, const char *, uint64_t *, const char ***, uint64_t *, const uint64_t **,  \
       const float **))

struct library {
#define X(type, name, arguments) type(*name) arguments;
    LIBRARY_CALLS(X)
#undef X
    char version[VERSION_BYTES];
    char why[240]; /* it cannot be used; empty when it can */
};

struct booster {
    handle xgboost;
};

static struct library library;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* ---- the library ---- */

/* What is missing first is what the library is said to lack. */
static void *find(void *opened, const char *name)
{
    void *call = dlsym(opened, name);

    if (call || library.why[0])
        return call;
    if (strcmp(name, "omp_set_num_threads") == 0)
        snprintf(library.why, sizeof library.why,
                 "libxgboost was built without OpenMP, by which its threads are counted: "
                 "one with it is needed (Debian package libxgboost0)");
    else
        snprintf(library.why, sizeof library.why,
                 "libxgboost lacks %s; 1.7 or later is needed (Debian package "
                 "libxgboost0)",
                 name);
    return NULL;
}

/* Stays loaded: its threads' memory outlives every booster. */
static void library_open(void)
{
    static const char *const names[] = {"libxgboost.so.0", "libxgboost.so"};
    void *opened = NULL;
    int major = 0, minor = 0, patch = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names && !opened; i++)
        opened = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!opened) {
        snprintf(
            library.why, sizeof library.why,
            "boosted trees need libxgboost.so.0 (Debian package libxgboost0): %.120s",
            dlerror());
        return;
    }
#define X(type, name, arguments) library.name = (type(*) arguments)find(opened, #name);
    LIBRARY_CALLS(X)
#undef X
    if (library.why[0])
        return;
    library.XGBoostVersion(&major, &minor, &patch);
    snprintf(library.version, sizeof library.version, "%d.%d.%d", major, minor, patch);
    if (library.XGBSetGlobalConfig("{\"verbosity\": 0}") != 0)
        snprintf(library.why, sizeof library.why, "libxgboost cannot be configured");
}

static enum status need_library(struct err *err)
{
    pthread_once(&library_once, library_open);
    if (library.why[0])
        return err_set(err, STATUS_UNAVAILABLE, "%s", library.why);
    library.omp_set_num_threads(
        1); /* of this thread; some calls ask for no other number */
    return STATUS_OK;
}

const char *booster_version(void)
{
    return library.version;
}

/* Its messages have a line on where in the source, then a stack. */
static enum status refused(const char *what, struct err *err)
{
    const char *why = library.XGBGetLastError();
    const char *end = strchr(why, '\n');

    return err_set(err, STATUS_UNAVAILABLE, "xgboost, %s: %.*s", what,
                   end && end - why < 200 ? (int)(end - why) : 200, why);
}

static enum status check(int code, const char *what, struct err *err)
{
    return code == 0 ? STATUS_OK : refused(what, err);
}

/* ---- training ---- */

/* What the library asks for its rows, block by block and several times over. */
struct feed {
    const struct booster_rows *rows;
    struct booster_block block;
    handle proxy;
    int64_t next; /* the row that the next block begins with */
};

static void feed_reset(void *context)
{
    ((struct feed *)context)->next = 0;
}

/* 1: there is a block. One that cannot be given ends the rows early, which the library
 * refuses. */
static int feed_next(void *context)
{
    struct feed *feed = context;
    const struct booster_rows *rows = feed->rows;
    int64_t left = rows->row_count - feed->next;
    int count = left < FEED_ROWS ? (int)left : FEED_ROWS;
    char shape[160];

    if (count == 0)
        return 0;
    rows->put(rows->context, feed->next, count, &feed->block);
    feed->next += count;
    snprintf(shape, sizeof shape,
             "{\"data\": [%llu, true], \"shape\": [%d, %d], \"typestr\": \"<f4\", "
             "\"version\": 3}",
             (unsigned long long)(uintptr_t)feed->block.features, count,
             rows->feature_count);
    return library.XGProxyDMatrixSetDataDense(feed->proxy, shape) == 0 &&
           library.XGDMatrixSetFloatInfo(feed->proxy, "label", feed->block.targets,
                                         (uint64_t)count) == 0 &&
           (!rows->has_weights ||
            library.XGDMatrixSetFloatInfo(feed->proxy, "weight", feed->block.weights,
                                          (uint64_t)count) == 0);
}

/* Rows in bins, and no copy of the rows themselves; ref: rows whose bins these are put
 * into, or NULL. */
static enum status put_into_bins(const struct booster_rows *rows, handle ref,
                                 handle *matrix, struct err *err)
{
    size_t most = (size_t)(rows->row_count < FEED_ROWS ? rows->row_count : FEED_ROWS);
    struct feed feed = {
        .rows = rows,
        .block = {.features = malloc(most * (size_t)rows->feature_count * sizeof(float)),
                  .targets = malloc(most * sizeof(float)),
                  .weights = malloc(most * sizeof(float))}};
    enum status rc = feed.block.features && feed.block.targets && feed.block.weights
                         ? check(library.XGProxyDMatrixCreate(&feed.proxy), "rows", err)
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for training");

    if (!rc)
        rc = check(library.XGQuantileDMatrixCreateFromCallback(
                       &feed, feed.proxy, ref, feed_reset, feed_next,
                       "{\"missing\": NaN, \"nthread\": 1, \"max_bin\": 256}", matrix),
                   "rows", err);
    if (feed.proxy)
        library.XGDMatrixFree(feed.proxy);
    free(feed.block.features);
    free(feed.block.targets);
    free(feed.block.weights);
    return rc;
}

/* What cuts are put from. */
struct cuts {
    const float *values; /* (BIN_COUNT_MAX, feature) */
    int feature_count;
};

static void put_cuts(const void *context, int64_t first, int count,
                     struct booster_block *block)
{
    const struct cuts *cuts = context;
    size_t width = (size_t)cuts->feature_count;

    memcpy(block->features, cuts->values + (size_t)first * width,
           (size_t)count * width * sizeof *block->features);
    memset(block->targets, 0, (size_t)count * sizeof *block->targets);
}

/* Left to itself the library sketches quantiles of the rows, in 16 bytes for each of some
 * ten thousands of values of every feature, which it keeps until all rows are in bins. Of
 * rows that are the quantiles it makes bins of each value, and puts others into them. */
static enum status make_bins(const struct booster_rows *rows, handle *matrix,
                             struct err *err)
{
    size_t count = BIN_COUNT_MAX * (size_t)rows->feature_count;
    float *values = malloc(count * sizeof *values);
    const struct cuts cuts = {values, rows->feature_count};
    const struct booster_rows cut_rows = {.row_count = BIN_COUNT_MAX,
                                          .feature_count = rows->feature_count,
                                          .put = put_cuts,
                                          .context = &cuts};
    handle ref = NULL;
    enum status rc = values
                         ? bins_find(rows, values, err)
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for training");

    if (!rc)
        rc = put_into_bins(&cut_rows, NULL, &ref, err);
    free(values);
    if (!rc)
        rc = put_into_bins(rows, ref, matrix, err);
    if (ref)
        library.XGDMatrixFree(ref);
    return rc;
}

static enum status set_number(struct booster *booster, const char *name, double value,
                              struct err *err)
{
    char text[40];

    snprintf(text, sizeof text, "%.17g", value);
    return check(library.XGBoosterSetParam(booster->xgboost, name, text), name, err);
}

/* "(0,0,1)" */
static enum status set_rising(struct booster *booster, int feature_count, int rising,
                              struct err *err)
{
    char *text = malloc(2 * (size_t)feature_count + 2);
    enum status rc;

    if (!text)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a booster");
    for (int i = 0; i < feature_count; i++) {
        text[2 * i] = i ? ',' : '(';
        text[2 * i + 1] = i == rising ? '1' : '0';
    }
    strcpy(text + 2 * feature_count, ")");
    rc = check(library.XGBoosterSetParam(booster->xgboost, "monotone_constraints", text),
               "monotone_constraints", err);
    free(text);
    return rc;
}

/* A logistic link begins at a probability that is neither 0 nor 1. */
static double base_score(const struct booster_rows *rows, bool is_logistic)
{
    return is_logistic ? fmin(fmax(rows->mean, 1e-6), 1 - 1e-6) : rows->mean;
}

static enum status configure(struct booster *booster, const struct booster_rows *rows,
                             const struct booster_settings *settings, struct err *err)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"max_depth", settings->depth},
        {"eta", settings->rate},
        {"min_child_weight", settings->leaf_weight_min},
        {"subsample", settings->row_share},
        {"colsample_bytree", settings->column_share},
        {"reg_lambda", settings->ridge},
        {"base_score", base_score(rows, settings->is_logistic)},
        {"seed", settings->seed},
        {"nthread", 1},
    };
    enum status rc =
        check(library.XGBoosterSetParam(booster->xgboost, "objective",
                                        settings->is_logistic ? "binary:logistic"
                                                              : "reg:squarederror"),
              "objective", err);

    if (!rc)
        rc = check(library.XGBoosterSetParam(booster->xgboost, "tree_method", "hist"),
                   "tree_method", err);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !rc; i++)
        rc = set_number(booster, numbers[i].name, numbers[i].value, err);
    if (!rc && settings->rising_feature >= 0)
        rc = set_rising(booster, rows->feature_count, settings->rising_feature, err);
    if (!rc && rows->names)
        rc = check(library.XGBoosterSetStrFeatureInfo(booster->xgboost, "feature_name",
                                                      (const char **)rows->names,
                                                      (uint64_t)rows->feature_count),
                   "feature names", err);
    return rc;
}

/* format: "ubj" or "json". The text is the library's, until the booster is asked for
 * something else. */
static enum status write_out(const struct booster *booster, const char *format,
                             const char **written, uint64_t *bytes, struct err *err)
{
    char request[40];

    snprintf(request, sizeof request, "{\"format\": \"%s\"}", format);
    return check(
        library.XGBoosterSaveModelToBuffer(booster->xgboost, request, bytes, written),
        "saving", err);
}

/* A booster keeps what it was trained with, some 40 bytes a row; one that is loaded has
 * its trees alone, the same to the bit. */
static enum status shed(struct booster *booster, struct err *err)
{
    struct booster loaded = {0};
    const char *written = NULL;
    uint64_t bytes = 0;
    enum status rc = write_out(booster, "ubj", &written, &bytes, err);

    if (!rc)
        rc = check(library.XGBoosterCreate(NULL, 0, &loaded.xgboost), "a booster", err);
    if (!rc)
        rc = set_number(&loaded, "nthread", 1, err);
    if (!rc)
        rc = check(library.XGBoosterLoadModelFromBuffer(loaded.xgboost, written, bytes),
                   "loading", err);
    if (rc && loaded.xgboost)
        library.XGBoosterFree(loaded.xgboost);
    if (rc)
        return rc;
    library.XGBoosterFree(booster->xgboost);
    booster->xgboost = loaded.xgboost;
    return STATUS_OK;
}

enum status booster_train(const struct booster_rows *rows,
                          const struct booster_settings *settings,
                          struct booster **booster, struct err *err)
{
    struct booster *made = calloc(1, sizeof *made);
    handle matrix = NULL;
    enum status rc = made ? need_library(err)
                          : err_set(err, STATUS_EXHAUSTED, "out of memory for a booster");

    if (!rc)
        rc = make_bins(rows, &matrix, err);
    if (!rc)
        rc = check(library.XGBoosterCreate(&matrix, 1, &made->xgboost), "a booster", err);
    if (!rc)
        rc = configure(made, rows, settings, err);
    for (int round = 0; round < settings->round_count && !rc; round++) {
        rc = check(library.XGBoosterUpdateOneIter(made->xgboost, round, matrix),
                   "training", err);
        if (settings->tell)
            settings->tell(settings->context, (round + 1.0) / settings->round_count);
    }
    if (matrix)
        library.XGDMatrixFree(matrix);
    if (!rc)
        rc = shed(made, err);
    if (rc)
        booster_close(made);
    else
        *booster = made;
    return rc;
}

void booster_close(struct booster *booster)
{
    if (!booster)
        return;
    if (booster->xgboost)
        library.XGBoosterFree(booster->xgboost);
    free(booster);
}

/* ---- what was learned ---- */

enum status booster_raw(const struct booster *booster, const float *features,
                        int64_t row_count, int feature_count, float *raw, struct err *err)
{
    const float *found = NULL;
    handle matrix = NULL;
    uint64_t count = 0;
    enum status rc =
        check(library.XGDMatrixCreateFromMat(features, (uint64_t)row_count,
                                             (uint64_t)feature_count, NAN, &matrix),
              "rows", err);

    if (!rc)
        rc = check(library.XGBoosterPredict(booster->xgboost, matrix, PREDICT_MARGIN, 0,
                                            0, &count, &found),
                   "predicting", err);
    if (!rc && count != (uint64_t)row_count)
        rc = err_set(err, STATUS_UNAVAILABLE, "xgboost, predicting: %llu scores",
                     (unsigned long long)count);
    if (!rc)
        memcpy(raw, found, (size_t)count * sizeof *raw);
    if (matrix)
        library.XGDMatrixFree(matrix);
    return rc;
}

enum status booster_save(const struct booster *booster, char **text, size_t *bytes,
                         struct err *err)
{
    const char *written = NULL;
    uint64_t count = 0;
    enum status rc = write_out(booster, "json", &written, &count, err);

    if (rc)
        return rc;
    *text = malloc(count + 1);
    if (!*text)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a model file");
    memcpy(*text, written, count);
    (*text)[count] = '\0';
    *bytes = count;
    return STATUS_OK;
}

/* Names of its own, "f0" .., so that places are known whatever features are called. */
static char *gain_request(int feature_count)
{
    size_t bytes = 80 + 16 * (size_t)feature_count, used;
    char *text = malloc(bytes);

    if (!text)
        return NULL;
    used = (size_t)snprintf(text, bytes,
                            "{\"importance_type\": \"total_gain\", \"feature_names\": [");
    for (int i = 0; i < feature_count; i++)
        used +=
            (size_t)snprintf(text + used, bytes - used, "%s\"f%d\"", i ? ", " : "", i);
    snprintf(text + used, bytes - used, "]}");
    return text;
}

enum status booster_gains(const struct booster *booster, int feature_count, double *gains,
                          struct err *err)
{
    uint64_t name_count = 0, dimension = 0;
    const uint64_t *shape = NULL;
    const char **names = NULL;
    const float *scores = NULL;
    char *request = gain_request(feature_count);
    enum status rc;

    if (!request)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a booster");
    memset(gains, 0, (size_t)feature_count * sizeof *gains);
    rc = check(library.XGBoosterFeatureScore(booster->xgboost, request, &name_count,
                                             &names, &dimension, &shape, &scores),
               "importance", err);
    for (uint64_t i = 0; i < name_count && !rc; i++) {
        long index = names[i][0] == 'f' ? strtol(names[i] + 1, NULL, 10) : -1;

        if (index >= 0 && index < feature_count)
            gains[index] = (double)scores[i];
    }
    free(request);
    return rc;
}
