/* test_hillstrom.c - a public experiment from its log to its decisions: train on half of
 * the customers, push the model to a running server, and let a budget that is enough for
 * 30 % of the other half decide who gets the e-mail. Those it chose were in truth sent
 * it, or not, at random: so the difference that it made among them can be read off.
 *
 * Hillstrom's e-mail experiment of 2008 is expected in ../shared/data/hillstrom
 * (REDRESS_SHARED overrides ../shared). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/case_stream.h"
#include "support/folder.h"
#include "support/server.h"
#include "table/csv.h"
#include "table/csv_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROW_COUNT_MAX = 64000,
    DOSE = 100,         /* what an e-mail costs, minor units */
    VISIT = 10000,      /* what a visit is worth, minor units */
    SHARE_PERCENT = 30, /* of those held out that the budget is enough for */
    DRAW_COUNT = 400,
    CONNECTION_COUNT = 16,
    SPLIT_SEED = 1,
};

#define CONTROL "No E-Mail"
#define TREATED "Womens E-Mail"

#define FEATURES "recency,history_segment,history,mens,womens,zip_code,newbie,channel"

static const char *const feature_names[] = {
    "recency", "history_segment", "history", "mens",
    "womens",  "zip_code",        "newbie",  "channel",
};

struct customer {
    char *body; /* the case, as JSON */
    bool is_treated;
    double visit;
};

struct lift {
    double value, error;
};

static struct customer held_out[ROW_COUNT_MAX];
static int held_out_count;

/* --- the data ------------------------------------------------------------------------------- */

static const char *data_path(void)
{
    static char path[4096];
    const char *shared = getenv("REDRESS_SHARED");

    snprintf(path, sizeof path, "%s/data/hillstrom/hillstrom.csv",
             shared && *shared ? shared : "../shared");
    return path;
}

static bool can_train(void)
{
    if (access(data_path(), R_OK) != 0) {
        printf("SKIPPED: no %s\n", data_path());
        return false;
    }
    if (system("ldconfig -p | grep -q libxgboost.so.0") != 0) {
        printf("SKIPPED: libxgboost0 is not installed\n");
        return false;
    }
    return true;
}

/* By a hash of the customer, never by the order of the file, which may have been sorted:
 * the even CRC-32 of "1:CUSTOMER". */
static bool is_for_training(int customer)
{
    char id[32];
    uint32_t crc = UINT32_MAX;

    snprintf(id, sizeof id, "%d:%d", SPLIT_SEED, customer);
    for (const char *c = id; *c; c++) {
        crc ^= (unsigned char)*c;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return (~crc & 1) == 0;
}

static json_t *feature_of(const struct csv *csv, int column)
{
    struct text text = csv_text(csv, column);
    char buffer[64], *end;
    double number;

    snprintf(buffer, sizeof buffer, "%.*s", (int)text.bytes, text.at);
    number = strtod(buffer, &end);
    return end > buffer && *end == '\0' ? json_real(number) : json_string(buffer);
}

static char *case_of(const struct csv *csv, int customer)
{
    json_t *features = json_object();
    char id[32], *body;
    json_t *asked;

    snprintf(id, sizeof id, "c_%d", customer);
    for (size_t i = 0; i < sizeof feature_names / sizeof feature_names[0]; i++) {
        int column;

        assert_int_equal(csv_column_find(csv, feature_names[i], &column, NULL), 0);
        json_object_set_new(features, feature_names[i], feature_of(csv, column));
    }
    asked = json_pack("{s:s, s:s, s:s, s:i, s:s, s:o}", "case_id", id, "customer_id", id,
                      "currency", "USD", "order_amount", 10 * DOSE, "issue", "inactive",
                      "features", features);
    body = json_dumps(asked, JSON_COMPACT);
    json_decref(asked);
    assert_non_null(body);
    return body;
}

static void write_row(FILE *file, const struct text *fields, int count)
{
    char line[4096];
    struct csv_writer writer;

    csv_writer_init(&writer, line, sizeof line);
    for (int i = 0; i < count; i++)
        csv_put_text(&writer, fields[i]);
    csv_put_end(&writer);
    assert_false(writer.is_full);
    assert_int_equal(fwrite(line, 1, writer.bytes, file), writer.bytes);
}

static void write_header(FILE *file, const struct csv *csv)
{
    struct text names[32];

    assert_in_range(csv_column_count(csv), 1, 32);
    for (int i = 0; i < csv_column_count(csv); i++)
        names[i] = text_of(csv_column_name(csv, i));
    write_row(file, names, csv_column_count(csv));
}

/* Customers of both arms: one half goes to the file to train on, the other is kept. */
static void split(const char *path)
{
    FILE *file = fopen(path, "we");
    struct csv *csv;
    struct err err;
    int segment, visit;
    bool has_row;

    err_clear(&err);
    assert_non_null(file);
    assert_int_equal(csv_open(data_path(), true, &csv, &err), 0);
    assert_int_equal(csv_column_find(csv, "segment", &segment, &err), 0);
    assert_int_equal(csv_column_find(csv, "visit", &visit, &err), 0);
    write_header(file, csv);
    for (int i = 0; csv_next(csv, &has_row, &err) == STATUS_OK && has_row; i++) {
        bool is_treated = text_is(csv_text(csv, segment), TREATED);

        if (!is_treated && !text_is(csv_text(csv, segment), CONTROL))
            continue;
        if (is_for_training(i)) {
            write_row(file, csv_fields(csv), csv_column_count(csv));
        } else {
            struct customer *kept = &held_out[held_out_count++];

            *kept = (struct customer){.body = case_of(csv, i), .is_treated = is_treated};
            assert_int_equal(csv_number(csv, visit, &kept->visit, &err), 0);
        }
    }
    csv_close(csv);
    assert_int_equal(fclose(file), 0);
}

static void shuffle(struct rng *rng, struct customer *customers, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int j = (int)(rng_below(rng, (uint64_t)i + 1));
        struct customer other = customers[i];

        customers[i] = customers[j];
        customers[j] = other;
    }
}

static void train(const char *data, const char *output)
{
    char dose[INT_TEXT_BYTES], visit[INT_TEXT_BYTES], *messages, *printed;
    const char *const words[] = {"train",
                                 "--data",
                                 data,
                                 "--treatment",
                                 "segment",
                                 "--control",
                                 CONTROL,
                                 "--doses",
                                 int_text(DOSE, dose),
                                 "--outcome",
                                 "visit",
                                 "--scale",
                                 int_text(VISIT, visit),
                                 "--features",
                                 FEATURES,
                                 "--randomised",
                                 "--learner",
                                 "dr",
                                 "--quick",
                                 "--output",
                                 output,
                                 NULL};

    if (program_run_messages(words, NULL, &printed, &messages))
        fail_msg("%s", messages);
    free(printed);
    free(messages);
}

/* --- the server ----------------------------------------------------------------------------- */

static void settle_in(const struct stream *stream, const char *bundle, int64_t limit)
{
    model_install(stream->listen, stream->authorization, "womens_email", bundle);
    json_decref(server_call(stream->listen, stream->authorization, "PUT",
                            "/v1/policies/mailing",
                            json_pack("{s:s, s:s, s:{s:[i]}}", "currency", "USD", "model",
                                      "womens_email", "menu", "amounts", DOSE),
                            201));
    json_decref(
        server_call(stream->listen, stream->authorization, "POST", "/v1/budgets",
                    json_pack("{s:s, s:s, s:I, s:s, s:s, s:i}", "id", "bud_mailing",
                              "period", "total", "limit", (json_int_t)limit, "currency",
                              "USD", "pacing", "even", "expected_cases", held_out_count),
                    201));
}

static int64_t held_by_budget(const struct stream *stream)
{
    json_t *budget = server_call(stream->listen, stream->authorization, "GET",
                                 "/v1/budgets/bud_mailing", NULL, 200);
    int64_t held = json_integer_value(json_object_get(budget, "held"));

    json_decref(budget);
    return held;
}

/* --- what came of it ------------------------------------------------------------------------ */

/* Mean of the treated less mean of the control among those chosen (NULL: all). */
static struct lift lift_of(const bool *is_chosen)
{
    double count[2] = {0}, sum[2] = {0}, mean[2], variance[2];

    for (int i = 0; i < held_out_count; i++)
        if (!is_chosen || is_chosen[i]) {
            count[held_out[i].is_treated]++;
            sum[held_out[i].is_treated] += held_out[i].visit;
        }
    for (int side = 0; side < 2; side++) {
        assert_true(count[side] > 1);
        mean[side] = sum[side] / count[side];
        /* Visits are 0 or 1. */
        variance[side] = mean[side] * (1 - mean[side]) / (count[side] - 1);
    }
    return (struct lift){mean[1] - mean[0], sqrt(variance[0] + variance[1])};
}

/* As many as were chosen, drawn at random, many times: the mean of their lifts, and what
 * the standard error of one of them is. */
static struct lift lift_of_random(struct rng *rng, int chosen_count)
{
    bool *is_chosen = malloc((size_t)held_out_count * sizeof *is_chosen);
    struct lift mean = {0};

    assert_non_null(is_chosen);
    for (int draw = 0; draw < DRAW_COUNT; draw++) {
        int missing_count = chosen_count;
        struct lift one;

        for (int i = 0; i < held_out_count; i++) {
            is_chosen[i] =
                (int)rng_below(rng, (uint64_t)(held_out_count - i)) < missing_count;
            missing_count -= is_chosen[i];
        }
        one = lift_of(is_chosen);
        mean.value += one.value / DRAW_COUNT;
        mean.error += one.error / DRAW_COUNT;
    }
    free(is_chosen);
    return mean;
}

static void print_course(const struct stream_answer *answers)
{
    enum { PART_COUNT = 10 };
    int chosen_counts[PART_COUNT] = {0}, counts[PART_COUNT] = {0};
    double prices[PART_COUNT] = {0};

    for (int i = 0; i < held_out_count; i++) {
        int part = (int)(answers[i].sequence * PART_COUNT / held_out_count);

        counts[part]++;
        chosen_counts[part] += answers[i].amount > 0;
        prices[part] += answers[i].price;
    }
    printf("share chosen and mean price, by tenths of the stream:");
    for (int part = 0; part < PART_COUNT; part++)
        printf("  %.0f %% %.2f", 100.0 * chosen_counts[part] / counts[part],
               prices[part] / counts[part]);
    printf("\n");
}

static void those_whom_the_budget_chose_respond_more_than_others(void **state)
{
    char *folder, *authorization, log_path[4096], bundle_path[4096], **cases;
    struct stream_answer *answers;
    struct live_server server;
    struct stream stream = {.connection_count = CONNECTION_COUNT};
    struct lift chosen, some, all;
    struct rng rng;
    bool *is_chosen;
    int chosen_count = 0;
    int64_t limit, held;

    (void)state;
    if (!can_train())
        skip();
    folder = folder_temporary();
    assert_non_null(folder);
    snprintf(log_path, sizeof log_path, "%s/train.csv", folder);
    snprintf(bundle_path, sizeof bundle_path, "%s/womens_email", folder);
    split(log_path);
    rng_seed(&rng, SPLIT_SEED);
    shuffle(&rng, held_out, held_out_count);
    train(log_path, bundle_path);

    cases = calloc((size_t)held_out_count, sizeof *cases);
    answers = calloc((size_t)held_out_count, sizeof *answers);
    is_chosen = calloc((size_t)held_out_count, sizeof *is_chosen);
    assert_true(cases && answers && is_chosen);
    for (int i = 0; i < held_out_count; i++)
        cases[i] = held_out[i].body;

    authorization = admin_make(folder);
    assert_true(live_server_start(folder, NULL, &server));
    stream.listen = server.listen;
    stream.authorization = authorization;
    limit = (int64_t)held_out_count * SHARE_PERCENT / 100 * DOSE;
    settle_in(&stream, bundle_path, limit);
    stream_decide(&stream, cases, held_out_count, answers);
    held = held_by_budget(&stream);
    assert_int_equal(live_server_stop(&server), 0);

    for (int i = 0; i < held_out_count; i++) {
        is_chosen[i] = answers[i].amount > 0;
        chosen_count += is_chosen[i];
    }
    chosen = lift_of(is_chosen);
    some = lift_of_random(&rng, chosen_count);
    all = lift_of(NULL);
    printf("%d cases decided in %.1f s; %lld of %lld held\n", held_out_count,
           stream.seconds, (long long)held, (long long)limit);
    print_course(answers);
    printf("uplift in visits        value      se\n"
           "  chosen, %5.1f %%      %.4f  %.4f\n"
           "  as many at random    %.4f  %.4f\n"
           "  all                  %.4f  %.4f\n",
           100.0 * chosen_count / held_out_count, chosen.value, chosen.error, some.value,
           some.error, all.value, all.error);

    assert_int_equal(held, (int64_t)chosen_count * DOSE);
    assert_true(held <= limit);
    /* Hardly anything of a scarce budget may be left over. */
    assert_true((double)held >= 0.98 * (double)limit);
    /* The draws average what sending to all brings. */
    assert_true(fabs(some.value - all.value) < 4 * some.error / sqrt(DRAW_COUNT));
    /* This split, ranked by its model alone, gives 0.03 more than random. */
    assert_true(chosen.value > some.value + 0.015);

    for (int i = 0; i < held_out_count; i++)
        free(held_out[i].body);
    free(cases);
    free(answers);
    free(is_chosen);
    free(authorization);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_whom_the_budget_chose_respond_more_than_others),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
