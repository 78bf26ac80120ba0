/* score_peers.c - one XGBoost model scored by this project's engine, by libxgboost and by
 * C code compiled from it (scripts/ifelse.py), in turn, on one thread.
 *
 * usage: score_peers MODEL.json ROWS.f64 IFELSE.so ROUNDS MS COLD-CALLS
 *
 * A line per measurement: round, rows per call, 1 when the caches were cold, who,
 * nanoseconds of thread CPU time per call; and one "# name value" for each thing worth
 * knowing. Every call sees rows that the call before did not. Before anything is timed,
 * all must agree on every row.
 *
 * The peers are handed float rows, which is their form, so that turning doubles into
 * floats is not their cost; the engine is handed doubles. libxgboost is tried in each way
 * that it offers; the DMatrix is made anew in every call, because it caches its
 * predictions. */
#include "base/file.h"
#include "infer/engine.h"
#include "model/bundle.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_COUNT = 4, COLD_CALL_COUNT_MAX = 1000, CACHE_LINE = 64 };

static const int batches[BATCH_COUNT] = {1, 8, 64, 1024};

static struct forest *forest;
static struct engine *engine;
static double *rows;
static float *float_rows; /* the same */
static int row_count, width;
static double answers[1024];

static void die(const char *what, const char *why)
{
    fprintf(stderr, "score_peers: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);

    if (!memory)
        die("memory", "there is none");
    return memory;
}

/* ---- libxgboost, by the names and types of its C interface (1.7) ---- */

static struct {
    int (*booster_create)(void *const matrices[], uint64_t count, void **booster);
    int (*booster_set)(void *booster, const char *name, const char *value);
    int (*booster_load)(void *booster, const char *path);
    int (*predict_dense)(void *booster, const char *values, const char *config,
                         void *matrix, const uint64_t **shape, uint64_t *dimensions,
                         const float **result);
    int (*predict_matrix)(void *booster, void *matrix, const char *config,
                          const uint64_t **shape, uint64_t *dimensions,
                          const float **result);
    int (*predict)(void *booster, void *matrix, int option_mask, unsigned trees,
                   int training, uint64_t *count, const float **result);
    int (*matrix_create)(const float *values, uint64_t rows, uint64_t columns,
                         float missing, void **matrix);
    int (*matrix_free)(void *matrix);
    void (*version)(int *major, int *minor, int *patch);
    const char *(*error)(void);
    void *booster;
} xgboost;

static void xgboost_must(int rc)
{
    if (rc)
        die("libxgboost", xgboost.error());
}

static void xgboost_open(const char *path)
{
    void *library = dlopen("libxgboost.so.0", RTLD_NOW);
    const struct {
        const char *name;
        void *target;
    } functions[] = {
        {"XGBoosterCreate", &xgboost.booster_create},
        {"XGBoosterSetParam", &xgboost.booster_set},
        {"XGBoosterLoadModel", &xgboost.booster_load},
        {"XGBoosterPredictFromDense", &xgboost.predict_dense},
        {"XGBoosterPredictFromDMatrix", &xgboost.predict_matrix},
        {"XGBoosterPredict", &xgboost.predict},
        {"XGDMatrixCreateFromMat", &xgboost.matrix_create},
        {"XGDMatrixFree", &xgboost.matrix_free},
        {"XGBoostVersion", &xgboost.version},
        {"XGBGetLastError", &xgboost.error},
    };
    int major, minor, patch;

    if (!library)
        die("libxgboost", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);

        if (!found)
            die(functions[i].name, dlerror());
        memcpy(functions[i].target, &found, sizeof found);
    }
    xgboost_must(xgboost.booster_create(NULL, 0, &xgboost.booster));
    xgboost_must(xgboost.booster_load(xgboost.booster, path));
    xgboost_must(xgboost.booster_set(xgboost.booster, "nthread", "1"));
    xgboost.version(&major, &minor, &patch);
    printf("# xgboost %d.%d.%d\n", major, minor, patch);
}

/* ---- calls: rows [first, first + count) to answers ---- */

typedef void call_fn(int first, int count);

static void call_engine(int first, int count)
{
    engine_raw(engine, rows + (size_t)first * (size_t)width, count, answers);
}

static void keep(const float *raw, int count)
{
    for (int i = 0; i < count; i++)
        answers[i] = (double)raw[i];
}

/* In place: no DMatrix. */
static void call_xgboost_dense(int first, int count)
{
    const uint64_t *shape;
    const float *result;
    uint64_t dimensions;
    char values[160];

    snprintf(values, sizeof values,
             "{\"data\":[%llu,true],\"shape\":[%d,%d],\"typestr\":\"<f4\",\"version\":3}",
             (unsigned long long)(uintptr_t)(float_rows + (size_t)first * (size_t)width),
             count, width);
    xgboost_must(xgboost.predict_dense(
        xgboost.booster, values,
        "{\"type\":1,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,"
        "\"missing\":NaN,\"cache_id\":0}",
        NULL, &shape, &dimensions, &result));
    keep(result, count);
}

static void *matrix_of(int first, int count)
{
    void *matrix;

    xgboost_must(xgboost.matrix_create(float_rows + (size_t)first * (size_t)width,
                                       (uint64_t)count, (uint64_t)width, NAN, &matrix));
    return matrix;
}

static void call_xgboost_matrix(int first, int count)
{
    void *matrix = matrix_of(first, count);
    const uint64_t *shape;
    const float *result;
    uint64_t dimensions;

    xgboost_must(xgboost.predict_matrix(
        xgboost.booster, matrix,
        "{\"type\":1,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
        "\"strict_shape\":false}",
        &shape, &dimensions, &result));
    keep(result, count);
    xgboost_must(xgboost.matrix_free(matrix));
}

static void call_xgboost_old(int first, int count)
{
    void *matrix = matrix_of(first, count);
    const float *result;
    uint64_t result_count;

    xgboost_must(
        xgboost.predict(xgboost.booster, matrix, 1, 0, 0, &result_count, &result));
    keep(result, count);
    xgboost_must(xgboost.matrix_free(matrix));
}

static void (*ifelse_by_row)(const float *rows, int row_count, float *raw);
static void (*ifelse_by_tree)(const float *rows, int row_count, float *raw);

static void call_ifelse_rows(int first, int count)
{
    float raw[1024];

    ifelse_by_row(float_rows + (size_t)first * (size_t)width, count, raw);
    keep(raw, count);
}

static void call_ifelse_trees(int first, int count)
{
    float raw[1024];

    ifelse_by_tree(float_rows + (size_t)first * (size_t)width, count, raw);
    keep(raw, count);
}

static void ifelse_open(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    void *by_row = library ? dlsym(library, "ifelse_by_row") : NULL;
    void *by_tree = library ? dlsym(library, "ifelse_by_tree") : NULL;

    if (!by_row || !by_tree)
        die(path, dlerror());
    memcpy(&ifelse_by_row, &by_row, sizeof by_row);
    memcpy(&ifelse_by_tree, &by_tree, sizeof by_tree);
}

static const struct contender {
    const char *name;
    call_fn *call;
} contenders[] = {
    {"redress", call_engine},
    {"xgboost_dense", call_xgboost_dense},
    {"xgboost_matrix", call_xgboost_matrix},
    {"xgboost_old", call_xgboost_old},
    {"ifelse_rows", call_ifelse_rows},
    {"ifelse_trees", call_ifelse_trees},
};

enum { CONTENDER_COUNT = sizeof contenders / sizeof *contenders };

/* ---- what they are handed ---- */

static void model_open(const char *path)
{
    struct bundle_model model = {0};
    const struct forest *forests[1];
    struct err err;
    char *content;
    size_t bytes;

    if (file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err) ||
        model_read(content, bytes, &model, &err))
        die(path, err.text);
    free(content);
    forest = model.forest;
    if (!forest || forest->group_count != 1)
        die(path, "not a forest of one output");
    forests[0] = forest;
    if (engine_open(forests, 1, &engine, &err))
        die(path, err.text);
    width = forest->feature_count;
    for (int i = 0; i < BATCH_COUNT; i++)
        printf("# kernel_%d %s\n", batches[i], engine_kernel_name(engine, 0, batches[i]));
}

/* Whole blocks of the largest batch, so that every call takes as many rows as it says. */
static void rows_open(const char *path)
{
    struct err err;
    char *content;
    size_t bytes, row_bytes = (size_t)width * sizeof(double), count;

    if (file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err))
        die(path, err.text);
    count = bytes / row_bytes / 1024 * 1024;
    if (count == 0)
        die(path, "less than 1024 rows");
    row_count = (int)count;
    rows = allocate(count, row_bytes);
    float_rows = allocate(count * (size_t)width, sizeof *float_rows);
    memcpy(rows, content, count * row_bytes);
    free(content);
    for (size_t i = 0; i < count * (size_t)width; i++)
        float_rows[i] = (float)rows[i];
}

/* All give the engine's margins, give or take the order of a float sum. */
static void check(void)
{
    double expected[1024], worst = 0;

    for (int first = 0; first < row_count; first += 1024) {
        call_engine(first, 1024);
        memcpy(expected, answers, sizeof expected);
        for (int c = 1; c < CONTENDER_COUNT; c++) {
            contenders[c].call(first, 1024);
            for (int i = 0; i < 1024; i++)
                worst =
                    fmax(worst, fabs(answers[i] - expected[i]) / (1 + fabs(expected[i])));
            if (!(worst <= 1e-6))
                die(contenders[c].name, "answers differ");
        }
    }
    printf("# largest_difference %.3g\n", worst);
}

/* ---- time ---- */

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Whole passes over the rows, until so many milliseconds are over. */
static double time_warm(call_fn *call, int batch, double ms)
{
    double begin, passed = 0;
    long calls = 0;
    int first = 0;

    for (int i = 0; i < 20 && i * batch < row_count; i++) /* what is next is warm again */
        call(i * batch, batch);
    begin = now_ns();
    do {
        for (int i = 0; i < 1 + 64 / batch; i++, calls++) {
            call(first, batch);
            first = first + 2 * batch <= row_count ? first + batch : 0;
        }
        passed = now_ns() - begin;
    } while (passed < ms * 1e6);
    return passed / (double)calls;
}

static unsigned char *flush;
static size_t flush_bytes;

/* Write to a buffer as large as the second and third level of caches. */
static void flush_caches(void)
{
    volatile unsigned char *bytes = flush;

    for (size_t i = 0; i < flush_bytes; i += CACHE_LINE)
        bytes[i]++;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static int cold_first;

/* One row; the median of calls, less that of reading the clock. */
static double time_cold(call_fn *call, int count)
{
    double calls[COLD_CALL_COUNT_MAX], clocks[COLD_CALL_COUNT_MAX];

    for (int i = 0; i < count; i++) {
        double begin, middle;

        cold_first = (cold_first + 1) % row_count;
        flush_caches();
        (void)now_ns();
        begin = now_ns();
        middle = now_ns();
        call(cold_first, 1);
        calls[i] = now_ns() - middle;
        clocks[i] = middle - begin;
    }
    return median(calls, count) - median(clocks, count);
}

static void flush_open(void)
{
    long caches = sysconf(_SC_LEVEL2_CACHE_SIZE) + sysconf(_SC_LEVEL3_CACHE_SIZE);

    flush_bytes = caches < 32 << 20 ? 32 << 20 : (size_t)caches;
    flush = allocate(flush_bytes, 1);
    printf("# flush_bytes %zu\n", flush_bytes);
}

/* Contenders in turn within each batch, so that a busy machine slows all of them. */
static void run_round(int round, double ms, int cold_calls)
{
    for (int b = 0; b < BATCH_COUNT; b++)
        for (int c = 0; c < CONTENDER_COUNT; c++)
            printf("%d %d 0 %s %.1f\n", round, batches[b], contenders[c].name,
                   time_warm(contenders[c].call, batches[b], ms));
    for (int c = 0; c < CONTENDER_COUNT && cold_calls; c++)
        printf("%d 1 1 %s %.1f\n", round, contenders[c].name,
               time_cold(contenders[c].call, cold_calls));
}

int main(int argc, char **argv)
{
    int rounds = argc == 7 ? atoi(argv[4]) : 0,
        cold_calls = argc == 7 ? atoi(argv[6]) : 0;

    if (rounds < 1 || cold_calls < 0 || cold_calls > COLD_CALL_COUNT_MAX) {
        fputs("usage: score_peers MODEL.json ROWS.f64 IFELSE.so ROUNDS MS COLD-CALLS\n",
              stderr);
        return 2;
    }
    setenv("OMP_NUM_THREADS", "1", 1);
    model_open(argv[1]);
    rows_open(argv[2]);
    xgboost_open(argv[1]);
    ifelse_open(argv[3]);
    check();
    flush_open();
    for (int round = 0; round < rounds; round++)
        run_round(round, atof(argv[5]), cold_calls);
    engine_close(engine);
    forest_free(forest);
    return fflush(stdout) != 0;
}
