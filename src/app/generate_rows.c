/* generate_rows.c - made cases as lines of a log, of its truth, and as cases to be
 * decided. */
#include "app/generate.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "json/write.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { ID_BYTES = 64, CHANCE_DECIMALS = 6, TRUTH_DECIMALS = 4, DAY_DECIMALS = 2 };

#define DAY_US (86400 * SECOND_US)

/* --- a line of CSV: nothing in it needs quotes ---------------------------------------------- */

struct line {
    size_t bytes;
    char text[GENERATE_LINE_BYTES];
};

static void put_bytes(struct line *line, const char *text, size_t bytes)
{
    assert(line->bytes + bytes + 2 <= sizeof line->text);
    if (line->bytes > 0)
        line->text[line->bytes++] = ',';
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
}

static void put_string(struct line *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

static void put_int(struct line *line, int64_t value)
{
    char text[INT_TEXT_BYTES];

    put_bytes(line, text, int_format(value, text));
}

/* A multiple of 10^-decimals; nothing when it is not known. */
static void put_number(struct line *line, double value, int decimals)
{
    char text[DECIMAL_TEXT_BYTES];

    if (isnan(value))
        put_string(line, "");
    else if (value == (double)(int64_t)value)
        put_int(line, (int64_t)value);
    else
        put_string(line, decimal_text(llround(value * (double)decimal_power(decimals)),
                                      decimals, text));
}

static void put_chance(struct line *line, int millionths)
{
    char text[DECIMAL_TEXT_BYTES];

    put_string(line, decimal_text(millionths, CHANCE_DECIMALS, text));
}

static void put_line(struct line *line, struct output *output)
{
    line->text[line->bytes++] = '\n';
    output_put(output, line->text, line->bytes);
}

/* --- what all of them say ------------------------------------------------------------------- */

static void case_id(const struct case_world *world, const struct world_case *drawn,
                    char id[static ID_BYTES])
{
    snprintf(id, ID_BYTES, "case-%" PRIu64 "-%06" PRId64, world->seed, drawn->index);
}

static void customer_id(const struct case_world *world, const struct world_case *drawn,
                        char id[static ID_BYTES])
{
    snprintf(id, ID_BYTES, "c_%" PRIu64 "_%06" PRId64, world->seed, drawn->customer);
}

/* To the second. */
static void occurred_at(const struct generate_times *times,
                        const struct world_case *drawn, char text[static TIME_TEXT_BYTES])
{
    int64_t second = (int64_t)floor(drawn->day * 86400);

    time_format(times->start_us + second * SECOND_US, text);
}

static const char *category_of(const struct world_case *drawn, int feature)
{
    return world_features[feature].categories[(int)drawn->features[feature]];
}

/* --- the log -------------------------------------------------------------------------------- */

void generate_log_head(struct output *output)
{
    output_string(output,
                  "case_id,customer_id,occurred_at,currency,order_amount,market,segment");
    for (int i = 0; i < WORLD_FEATURE_COUNT; i++)
        output_format(output, ",%s", world_features[i].name);
    output_string(output, ",credit,action,propensity");
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        output_format(output, ",propensity_%" PRId64, world_credits[arm]);
    output_string(output, ",held_out,cost,satisfaction,value_14d,value_90d,reward,"
                          "returned,return_days,watched_days\n");
}

static void put_features(struct line *line, const struct world_case *drawn)
{
    for (int i = 0; i < WORLD_FEATURE_COUNT; i++)
        if (world_features[i].kind == WORLD_CATEGORY)
            put_string(line, category_of(drawn, i));
        else if (world_features[i].kind == WORLD_BOOL)
            put_string(line, drawn->seen[i] != 0 ? "true" : "false");
        else
            put_number(line, drawn->seen[i], DAY_DECIMALS);
}

static void put_given(struct line *line, const struct world_case *drawn)
{
    put_int(line, world_credits[drawn->arm]);
    put_int(line, world_credits[drawn->arm]);
    put_chance(line, drawn->chances[drawn->arm]);
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        put_chance(line, drawn->chances[arm]);
    put_int(line, drawn->is_held_out);
    put_int(line, drawn->cost);
}

static void put_outcomes(struct line *line, const struct world_case *drawn)
{
    put_number(line, drawn->satisfaction, 0);
    put_number(line, drawn->value_14d, 0);
    put_number(line, drawn->value_90d, 0);
    put_number(line, drawn->value_90d - (double)drawn->cost, 0);
    put_int(line, !isnan(drawn->return_days));
    put_number(line, drawn->return_days, DAY_DECIMALS);
    put_number(line, drawn->watched_days, DAY_DECIMALS);
}

void generate_log_row(const struct case_world *world, const struct generate_times *times,
                      const struct world_case *drawn, struct output *output)
{
    char id[ID_BYTES], time[TIME_TEXT_BYTES];
    struct line line;

    line.bytes = 0;
    case_id(world, drawn, id);
    put_string(&line, id);
    customer_id(world, drawn, id);
    put_string(&line, id);
    occurred_at(times, drawn, time);
    put_string(&line, time);
    put_string(&line, drawn->market->currency);
    put_int(&line, drawn->order_amount);
    put_string(&line, drawn->market->name);
    put_string(&line, drawn->segment);
    put_features(&line, drawn);
    put_given(&line, drawn);
    put_outcomes(&line, drawn);
    put_line(&line, output);
}

/* --- the truth ------------------------------------------------------------------------------ */

void generate_truth_head(struct output *output)
{
    output_string(output, "case_id,is_claimer,severity,baseline");
    for (int arm = 1; arm < WORLD_ARM_COUNT; arm++)
        output_format(output, ",effect_%" PRId64, world_credits[arm]);
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        output_format(output, ",return_%" PRId64, world_credits[arm]);
    output_string(output, ",best_credit\n");
}

void generate_truth_row(const struct case_world *world, const struct world_case *drawn,
                        struct output *output)
{
    char id[ID_BYTES];
    struct line line;

    line.bytes = 0;
    case_id(world, drawn, id);
    put_string(&line, id);
    put_int(&line, drawn->is_claimer);
    put_number(&line, drawn->severity, TRUTH_DECIMALS);
    put_number(&line, drawn->baseline, TRUTH_DECIMALS);
    for (int arm = 1; arm < WORLD_ARM_COUNT; arm++)
        put_number(&line, drawn->effects[arm], TRUTH_DECIMALS);
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        put_number(&line, drawn->returns[arm], TRUTH_DECIMALS);
    put_int(&line, world_credits[drawn->best_arm]);
    put_line(&line, output);
}

/* --- cases ---------------------------------------------------------------------------------- */

static void put_feature(struct json_writer *writer, const struct world_case *drawn,
                        int feature)
{
    double value = drawn->seen[feature];

    if (isnan(value))
        return;
    json_put_key_text(writer, text_of(world_features[feature].name));
    switch (world_features[feature].kind) {
    case WORLD_NUMBER:
        json_put_decimal(writer, value, DAY_DECIMALS);
        break;
    case WORLD_BOOL:
        json_put_bool(writer, value != 0);
        break;
    case WORLD_CATEGORY:
        json_put_string(writer, category_of(drawn, feature));
        break;
    }
}

static void put_case(const struct case_world *world, const struct generate_times *times,
                     const struct world_case *drawn, struct json_writer *writer)
{
    char id[ID_BYTES], time[TIME_TEXT_BYTES];

    json_put_object(writer);
    case_id(world, drawn, id);
    json_member_string(writer, "case_id", id);
    customer_id(world, drawn, id);
    json_member_string(writer, "customer_id", id);
    json_member_string(writer, "currency", drawn->market->currency);
    json_member_int(writer, "order_amount", drawn->order_amount);
    json_member_string(writer, "issue", category_of(drawn, WORLD_ISSUE));
    json_member_string(writer, "market", drawn->market->name);
    json_member_string(writer, "segment", drawn->segment);
    json_member_string(writer, "channel", category_of(drawn, WORLD_CHANNEL));
    if (times->cases_have_one) {
        occurred_at(times, drawn, time);
        json_member_string(writer, "occurred_at", time);
    }
    json_put_key(writer, "features");
    json_put_object(writer);
    for (int i = 0; i < WORLD_FEATURE_COUNT; i++)
        put_feature(writer, drawn, i);
    json_put_object_end(writer);
    json_put_object_end(writer);
}

enum status generate_case_line(const struct case_world *world,
                               const struct generate_times *times,
                               const struct world_case *drawn, struct output *output,
                               struct err *err)
{
    char buffer[GENERATE_LINE_BYTES];
    struct json_writer writer;
    struct text line;
    enum status rc;

    json_writer_init(&writer, buffer, sizeof buffer);
    put_case(world, times, drawn, &writer);
    rc = json_writer_text(&writer, &line, err);
    if (rc)
        return rc;
    output_put(output, line.at, line.bytes);
    output_put(output, "\n", 1);
    return STATUS_OK;
}
