/* bench.c - redress bench: what a call of a model costs, on one thread.
 *
 * Every call takes so many rows from wherever the last one stopped, so that none sees the
 * rows of the call before it; behind the last row the first ones follow. */
#include "app/bench.h"
#include "app/commands.h"
#include "base/clock.h"
#include "json/write.h"
#include "model/scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BATCH_COUNT_MAX = 16,
    BATCH_ROWS_MAX = 65536,
    ROWS_BYTES_MAX = 1 << 30,
    CALL_COUNT_MAX = 1000000000,
    COLD_CALL_COUNT = 40,
    CACHE_LINE = 64,
    FLUSH_BYTES_MIN = 32 << 20, /* also when the machine does not tell its caches */
    FLUSH_BYTES_MAX = 512 << 20,
    REPORT_BYTES = 16 << 10,
};

#define NS_MIN 1e8 /* that the calls of a batch take together, at least */

struct batch {
    int rows;
    long calls;
    double ns, ns_cold, checksum;
};

struct bench {
    struct bench_model model;
    /* (row_count + batch_rows_max, input): the first ones again at the end */
    double *rows;
    size_t row_count;
    double *answers, *references; /* (batch_rows_max, output), (row_count, output) */
    struct batch batches[BATCH_COUNT_MAX];
    int batch_count, batch_rows_max;
    long call_count; /* 0: as many as NS_MIN takes */
    unsigned char *flush;
    size_t flush_bytes;
    struct err err;
};

/* ---- rows ---- */

static enum status grow_rows(struct bench *bench, size_t *capacity)
{
    size_t row_bytes = (size_t)bench->model.input_count * sizeof(double);
    double *grown;

    *capacity = *capacity ? *capacity * 2 : 1024;
    if (row_bytes && *capacity > ROWS_BYTES_MAX / row_bytes)
        return err_set(&bench->err, STATUS_TOO_LARGE, "the table takes more than %d MB",
                       ROWS_BYTES_MAX >> 20);
    grown = realloc(bench->rows, *capacity * row_bytes + sizeof(double));
    if (!grown)
        return err_set(&bench->err, STATUS_EXHAUSTED, "out of memory for the table");
    bench->rows = grown;
    return STATUS_OK;
}

/* All rows, then the first ones again, so that a call may begin at any of them. */
static enum status read_rows(struct bench *bench, struct table_rows *table)
{
    size_t width = (size_t)bench->model.input_count, capacity = 0, wanted;
    bool has_row = true;
    enum status rc = STATUS_OK;

    while (!rc && has_row) {
        if (bench->row_count == capacity)
            rc = grow_rows(bench, &capacity);
        if (!rc)
            rc = table_rows_next(table, bench->rows + bench->row_count * width, &has_row,
                                 &bench->err);
        bench->row_count += !rc && has_row;
    }
    if (!rc && bench->row_count == 0)
        rc = err_set(&bench->err, STATUS_INVALID, "%s: has no rows",
                     table_rows_name(table));
    wanted = bench->row_count + (size_t)bench->batch_rows_max;
    while (!rc && capacity < wanted)
        rc = grow_rows(bench, &capacity);
    for (size_t i = bench->row_count * width; !rc && i < wanted * width; i++)
        bench->rows[i] = bench->rows[i - bench->row_count * width];
    return rc;
}

static enum status open_rows(struct bench *bench, const char *path, bool has_header)
{
    struct table_rows *table;
    enum status rc =
        table_rows_open(path, has_header, &bench->model.loaded, &table, &bench->err);

    if (rc)
        return rc;
    rc = read_rows(bench, table);
    table_rows_close(table);
    return rc;
}

/* ---- answers ---- */

static enum status find_references(struct bench *bench)
{
    size_t inputs = (size_t)bench->model.input_count;
    size_t outputs = (size_t)bench->model.output_count;
    double *scratch = calloc(inputs + 1, sizeof *scratch);

    bench->references = calloc(bench->row_count, outputs * sizeof(double));
    bench->answers = calloc((size_t)bench->batch_rows_max, outputs * sizeof(double));
    if (!scratch || !bench->references || !bench->answers) {
        free(scratch);
        return err_set(&bench->err, STATUS_EXHAUSTED, "out of memory for answers");
    }
    for (size_t i = 0; i < bench->row_count; i++)
        bench_reference(&bench->model, bench->rows + i * inputs,
                        bench->references + i * outputs, scratch);
    free(scratch);
    return STATUS_OK;
}

/* One pass over the table, its last block shorter; also what warms the caches. */
static enum status check_answers(struct bench *bench, struct batch *batch)
{
    const struct bench_model *model = &bench->model;
    size_t outputs = (size_t)model->output_count;
    size_t block = (size_t)batch->rows;

    batch->checksum = 0;
    for (size_t first = 0; first < bench->row_count; first += block) {
        size_t rest = bench->row_count - first, count = rest < block ? rest : block;
        enum status rc =
            bench_model_call(model, bench->rows + first * (size_t)model->input_count,
                             (int)count, bench->answers, &bench->err);

        if (rc)
            return rc;
        for (size_t i = 0; i < count * outputs; i++) {
            double reference = bench->references[first * outputs + i];

            if (!bench_is_same(model, bench->answers[i], reference))
                return err_set(&bench->err, STATUS_CORRUPT,
                               "row %zu, output %zu, %d rows a call: %.17g instead of "
                               "the reference's %.17g",
                               first + i / outputs, i % outputs, batch->rows,
                               bench->answers[i], reference);
            batch->checksum += bench->answers[i];
        }
    }
    return STATUS_OK;
}

/* ---- time ---- */

static double now_ns(void)
{
    return (double)clock_thread_ns();
}

static enum status call_once(struct bench *bench, int row_count, size_t *at)
{
    const double *rows = bench->rows + *at * (size_t)bench->model.input_count;

    *at = (*at + (size_t)row_count) % bench->row_count;
    return bench_model_call(&bench->model, rows, row_count, bench->answers, &bench->err);
}

/* The clock is read after 1, 2, 4, ... calls, so that reading it costs nothing. */
static enum status time_warm(struct bench *bench, struct batch *batch)
{
    double begin = now_ns(), passed = 0;
    size_t at = 0;
    long chunk = bench->call_count ? bench->call_count : 1;
    enum status rc = STATUS_OK;

    batch->calls = 0;
    while (!rc &&
           (bench->call_count ? batch->calls < bench->call_count : passed < NS_MIN)) {
        for (long i = 0; i < chunk && !rc; i++)
            rc = call_once(bench, batch->rows, &at);
        batch->calls += chunk;
        chunk = batch->calls < CALL_COUNT_MAX ? batch->calls : chunk;
        passed = now_ns() - begin;
    }
    batch->ns = passed / (double)batch->calls;
    return rc;
}

/* ---- cold caches ---- */

static enum status open_flush(struct bench *bench)
{
    long caches = sysconf(_SC_LEVEL2_CACHE_SIZE) + sysconf(_SC_LEVEL3_CACHE_SIZE);

    bench->flush_bytes = caches < FLUSH_BYTES_MIN   ? FLUSH_BYTES_MIN
                         : caches > FLUSH_BYTES_MAX ? FLUSH_BYTES_MAX
                                                    : (size_t)caches;
    bench->flush = calloc(bench->flush_bytes, 1);
    return bench->flush
               ? STATUS_OK
               : err_set(&bench->err, STATUS_EXHAUSTED, "out of memory for cold caches");
}

/* Write to every line of a buffer as large as the second and third level together. */
static void flush_caches(struct bench *bench)
{
    volatile unsigned char *bytes = bench->flush;

    for (size_t i = 0; i < bench->flush_bytes; i += CACHE_LINE)
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

/* The median of single calls, less that of reading the clock twice. */
static enum status time_cold(struct bench *bench, struct batch *batch)
{
    double calls[COLD_CALL_COUNT], clocks[COLD_CALL_COUNT];
    int count = bench->call_count && bench->call_count < COLD_CALL_COUNT
                    ? (int)bench->call_count
                    : COLD_CALL_COUNT;
    size_t at = 0;
    enum status rc = STATUS_OK;

    for (int i = 0; i < count && !rc; i++) {
        double begin, middle;

        flush_caches(bench);
        (void)now_ns(); /* the clock itself is warm */
        begin = now_ns();
        middle = now_ns();
        rc = call_once(bench, batch->rows, &at);
        calls[i] = now_ns() - middle;
        clocks[i] = middle - begin;
    }
    if (!rc)
        batch->ns_cold = median(calls, count) - median(clocks, count);
    return rc;
}

/* ---- the report ---- */

static const char *output_name(const struct bench *bench)
{
    return bench->model.loaded.scorer ? "effect" : "raw";
}

static void put_batch(struct json_writer *writer, const struct bench *bench,
                      const struct batch *batch)
{
    json_put_object(writer);
    json_member_int(writer, "rows", batch->rows);
    json_member_string(writer, "kernel", bench_model_kernel(&bench->model, batch->rows));
    json_member_int(writer, "calls", batch->calls);
    json_member_decimal(writer, "ns_per_call", batch->ns, 1);
    json_member_decimal(writer, "ns_per_call_cold", batch->ns_cold, 1);
    json_put_key(writer, "checksum");
    json_put_double(writer, batch->checksum);
    json_put_object_end(writer);
}

static enum status print_json(struct bench *bench, const char *path)
{
    char buffer[REPORT_BYTES];
    struct json_writer writer;
    struct text text;
    enum status rc;

    json_writer_init(&writer, buffer, sizeof buffer);
    json_put_object(&writer);
    json_member_string(&writer, "model", path);
    json_member_string(&writer, "kernel",
                       bench_model_kernel(&bench->model, bench->batches[0].rows));
    json_member_int(&writer, "trees", bench->model.tree_count);
    json_member_int(&writer, "features", bench->model.input_count);
    json_member_string(&writer, "output", output_name(bench));
    json_put_key(&writer, "batches");
    json_put_array(&writer);
    for (int i = 0; i < bench->batch_count; i++)
        put_batch(&writer, bench, &bench->batches[i]);
    json_put_array_end(&writer);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &text, &bench->err);
    if (!rc)
        printf("%.*s\n", TEXT_ARG(text));
    return rc;
}

static void print_table_of(const struct bench *bench, const char *path)
{
    print_line(stdout, "%s: %d trees, %d features", path, bench->model.tree_count,
               bench->model.input_count);
    printf("%8s  %-8s %12s %14s %14s  %s\n", "rows", "kernel", "calls", "ns per call",
           "cold caches", "checksum");
    for (int i = 0; i < bench->batch_count; i++) {
        const struct batch *batch = &bench->batches[i];

        printf("%8d  %-8s %12ld %14.1f %14.1f  %.17g\n", batch->rows,
               bench_model_kernel(&bench->model, batch->rows), batch->calls, batch->ns,
               batch->ns_cold, batch->checksum);
    }
}

/* ---- the command ---- */

/* "1,8,64": false when it is not a list of numbers of rows. */
static bool parse_batches(struct bench *bench, const char *list)
{
    while (bench->batch_count < BATCH_COUNT_MAX) {
        size_t bytes = strcspn(list, ",");
        int64_t rows;

        if (!text_int((struct text){list, bytes}, &rows) || rows < 1 ||
            rows > BATCH_ROWS_MAX)
            return false;
        bench->batches[bench->batch_count++].rows = (int)rows;
        if (rows > bench->batch_rows_max)
            bench->batch_rows_max = (int)rows;
        if (!list[bytes])
            return true;
        list += bytes + 1;
    }
    return false;
}

static enum status measure(struct bench *bench)
{
    enum status rc = find_references(bench);

    if (!rc)
        rc = open_flush(bench);
    for (int i = 0; i < bench->batch_count && !rc; i++) {
        rc = check_answers(bench, &bench->batches[i]);
        if (!rc)
            rc = time_warm(bench, &bench->batches[i]);
        if (!rc)
            rc = time_cold(bench, &bench->batches[i]);
    }
    return rc;
}

static int run(struct bench *bench, const char *model, const char *rows, bool has_header,
               bool as_json)
{
    enum status rc =
        bench_model_open(model, bench->batch_rows_max, &bench->model, &bench->err);

    if (rc)
        return model_refused(model, &bench->err);
    if (bench->model.loaded.scorer && !has_header) {
        fputs("redress: a bundle takes its columns by name: no --no-header\n", stderr);
        return EXIT_USAGE;
    }
    rc = open_rows(bench, rows, has_header);
    if (!rc)
        rc = measure(bench);
    if (!rc && as_json)
        rc = print_json(bench, model);
    else if (!rc)
        print_table_of(bench, model);
    bench->err.fault_count = 0; /* the sentence says it */
    return rc ? command_failed(&bench->err) : EXIT_DONE;
}

static void bench_close(struct bench *bench)
{
    bench_model_close(&bench->model);
    free(bench->rows);
    free(bench->answers);
    free(bench->references);
    free(bench->flush);
}

static int bench_score(int argc, char **argv)
{
    const char *rows = NULL, *batches = "1,8,64,1024", *positionals[2];
    bool no_header = false, as_json = false;
    struct bench bench = {0};
    const struct option_spec options[] = {
        TABLE_OPTIONS(rows, no_header),
        {.name = "batch",
         .kind = OPTION_TEXT,
         .target = &batches,
         .argument = "N,...",
         .help = "Rows per call. Default: 1,8,64,1024."},
        {.name = "calls",
         .kind = OPTION_INT,
         .target = &bench.call_count,
         .argument = "N",
         .minimum = 1,
         .maximum = CALL_COUNT_MAX,
         .help = "Exactly so many calls. Default: what 0.1 s takes."},
        {.name = "json",
         .kind = OPTION_FLAG,
         .target = &as_json,
         .help = "Print results as JSON."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "bench score MODEL --rows X.csv [OPTIONS]",
        .summary =
            "Check a model's answers against the plain evaluator, then measure calls: "
            "thread CPU time, with warm caches and with cold ones.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    int code = options_parse(&usage, argc, argv, positionals);

    if (code != OPTIONS_GO_ON)
        return code;
    if (!rows)
        return usage_wrong(&usage, "--rows is missing");
    if (!parse_batches(&bench, batches))
        return usage_wrong(&usage,
                           "--batch needs up to %d numbers of rows from 1 to %d, with "
                           "commas between them",
                           BATCH_COUNT_MAX, BATCH_ROWS_MAX);
    err_clear(&bench.err);
    code = run(&bench, positionals[0], rows, !no_header, as_json);
    bench_close(&bench);
    return code;
}

int command_bench(int argc, char **argv)
{
    static const struct command commands[] = {
        {"score", "What scoring rows costs, per call", .run = bench_score},
        {0},
    };

    return command_dispatch("bench", "Measures, on this machine.", commands, argc, argv);
}
