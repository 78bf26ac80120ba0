/* score_own.c - what this project's own scoring takes where there is no peer: opening a
 * model, and all arms of a bundle with quantising and links.
 *
 * usage: score_own MODEL.json BUNDLE ROWS.f64 ROUNDS
 *
 * Lines of name and value: load_ms, once per round (read, check and compile; thread CPU
 * time, the file is in memory); p50_us and p99_us, once per round, of single cases
 * through the scorer with warm caches, by the wall clock. */
#include "base/file.h"
#include "infer/engine.h"
#include "infer/scorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALL_COUNT = 8000, WARM_UP_COUNT = 500 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "score_own: %s: %s\n", what, why);
    exit(1);
}

static double now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double load_ms(const char *path)
{
    double begin = now_ns(CLOCK_THREAD_CPUTIME_ID), passed;
    struct bundle_model model = {0};
    const struct forest *forests[1];
    struct engine *engine;
    struct err err;
    char *content;
    size_t bytes;

    if (file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err) ||
        model_read(content, bytes, &model, &err))
        die(path, err.text);
    if (!model.forest)
        die(path, "not a forest");
    forests[0] = model.forest;
    if (engine_open(forests, 1, &engine, &err))
        die(path, err.text);
    passed = now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
    engine_close(engine);
    model_release(&model);
    free(content);
    return passed / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void time_cases(const struct scorer *scorer, const double *rows, size_t row_count)
{
    static double passed[CALL_COUNT];
    double effects[BUNDLE_ARM_COUNT_MAX], costs[BUNDLE_ARM_COUNT_MAX];
    size_t width = (size_t)scorer_bundle(scorer)->feature_count;
    struct err err;

    for (int i = -WARM_UP_COUNT; i < CALL_COUNT; i++) {
        const double *row = rows + (size_t)(i + WARM_UP_COUNT) % row_count * width;
        double begin = now_ns(CLOCK_MONOTONIC);

        if (scorer_effects(scorer, row, 1, effects, costs, &err))
            die("scorer", err.text);
        if (i >= 0)
            passed[i] = now_ns(CLOCK_MONOTONIC) - begin;
    }
    qsort(passed, CALL_COUNT, sizeof *passed, compare_doubles);
    printf("p50_us %.3f\np99_us %.3f\n", passed[CALL_COUNT / 2] / 1e3,
           passed[CALL_COUNT * 99 / 100] / 1e3);
}

static struct scorer *scorer_of(const char *path)
{
    struct bundle *bundle = NULL;
    struct scorer *scorer = NULL;
    struct err err;

    if (bundle_read_path(path, &bundle, &err) || scorer_open(bundle, &scorer, &err) ||
        scorer_check_examples(scorer, &err))
        die(path, err.text);
    return scorer;
}

int main(int argc, char **argv)
{
    int rounds = argc == 5 ? atoi(argv[4]) : 0;
    struct scorer *scorer;
    struct err err;
    size_t bytes, row_count;
    char *rows;

    if (rounds < 1) {
        fputs("usage: score_own MODEL.json BUNDLE ROWS.f64 ROUNDS\n", stderr);
        return 2;
    }
    if (file_read(argv[3], MODEL_BYTES_MAX, &rows, &bytes, &err))
        die(argv[3], err.text);
    scorer = scorer_of(argv[2]);
    row_count = bytes / sizeof(double) / (size_t)scorer_bundle(scorer)->feature_count;
    if (row_count == 0)
        die(argv[3], "no rows");
    for (int round = 0; round < rounds; round++) {
        printf("load_ms %.3f\n", load_ms(argv[1]));
        time_cases(scorer, (const double *)(const void *)rows, row_count);
    }
    scorer_close(scorer);
    free(rows);
    return fflush(stdout) != 0;
}
