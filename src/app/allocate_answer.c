/* allocate_answer.c - integers become decimals of the input's units again. */
#include "app/allocate_answer.h"

#include "app/options.h"
#include "json/write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_TEXT_BYTES = 6 * INSTANCE_ID_BYTES_MAX + 16, SHOWN_ID_BYTES = 40 };

/* ---- units ---- */

static double power_of_ten(int decimals)
{
    return (double)decimal_power(decimals);
}

static const char *value_text_of(const struct answer *answer,
                                 char text[static DECIMAL_TEXT_BYTES])
{
    return decimal_text(answer->result->value, answer->instance->value_decimals, text);
}

static const char *cost_text_of(const struct answer *answer, __int128 cost,
                                char text[static DECIMAL_TEXT_BYTES])
{
    return decimal_text(cost, answer->instance->cost_decimals, text);
}

/* Rounded on its way to the input's units, the bound must not fall below the value that
 * is printed beside it. */
static double bound_of(const struct answer *answer)
{
    char text[DECIMAL_TEXT_BYTES];
    double value = strtod(value_text_of(answer, text), NULL);
    double bound = answer->result->bound / power_of_ten(answer->instance->value_decimals);

    return bound > value ? bound : value;
}

static double price_of(const struct answer *answer, int32_t budget)
{
    return answer->result->prices[budget] *
           power_of_ten(answer->instance->cost_decimals) /
           power_of_ten(answer->instance->value_decimals);
}

/* ---- why not ---- */

void answer_why(const struct answer *answer, char why[static ANSWER_WHY_BYTES])
{
    const struct instance *instance = answer->instance;
    int32_t budget = answer->result->infeasible_budget;
    const struct decimal *limit = &instance->budget_list[budget].limit;
    struct text id = text_clip(text_set_text(instance->budgets, budget), 120);
    char cost[DECIMAL_TEXT_BYTES], most[DECIMAL_TEXT_BYTES];

    snprintf(why, ANSWER_WHY_BYTES,
             "the cheapest actions of the requests of budget '%.*s' cost %s together, "
             "its limit "
             "is %s",
             TEXT_ARG(id), cost_text_of(answer, answer->result->infeasible_cost, cost),
             decimal_text(limit->digits, limit->decimals, most));
}

/* ---- JSON ---- */

static void put_json_text(struct output *output, struct text text)
{
    char buffer[JSON_TEXT_BYTES];
    struct json_writer writer;

    json_writer_init(&writer, buffer, sizeof buffer);
    json_put_text(&writer, text);
    output_put(output, buffer, writer.bytes);
}

static void put_json_double(struct output *output, double number)
{
    char buffer[64];
    struct json_writer writer;

    json_writer_init(&writer, buffer, sizeof buffer);
    json_put_double(&writer, number);
    output_put(output, buffer, writer.bytes);
}

/* Small numbers make up nearly all of a large answer, so they do without printf. */
static void put_index(struct output *output, int32_t index)
{
    char digits[12];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    output_put(output, digits + at, sizeof digits - at);
}

static int32_t action_name_of(const struct answer *answer, int64_t request)
{
    return answer->instance->action_names[answer->instance->starts[request] +
                                          answer->result->choices[request]];
}

static void put_choices(const struct answer *answer, struct output *output)
{
    const struct instance *instance = answer->instance;
    int64_t count = instance->allocation.request_count;

    output_string(output, "\"choice\":[");
    for (int64_t i = 0; i < count; i++) {
        if (i > 0)
            output_put(output, ",", 1);
        put_index(output, answer->result->choices[i]);
    }
    if (instance->format != INSTANCE_CSV) {
        output_string(output, "],");
        return;
    }
    output_string(output, "],\"requests\":[");
    for (int64_t i = 0; i < count; i++) {
        output_string(output, i > 0 ? "," : "");
        put_json_text(output, text_set_text(instance->requests, (int32_t)i));
    }
    output_string(output, "],\"actions\":[");
    for (int64_t i = 0; i < count; i++) {
        output_string(output, i > 0 ? "," : "");
        put_json_text(output,
                      text_set_text(instance->actions, action_name_of(answer, i)));
    }
    output_string(output, "],");
}

static void put_budgets(const struct answer *answer, struct output *output)
{
    const struct instance *instance = answer->instance;
    int32_t count = text_set_count(instance->budgets);
    char text[DECIMAL_TEXT_BYTES];

    output_string(output, ",\"spend\":{");
    for (int32_t i = 0; i < count; i++) {
        output_string(output, i > 0 ? "," : "");
        put_json_text(output, text_set_text(instance->budgets, i));
        output_format(output, ":%s",
                      cost_text_of(answer, answer->result->spend[i], text));
    }
    output_string(output, "},\"prices\":{");
    for (int32_t i = 0; i < count; i++) {
        output_string(output, i > 0 ? "," : "");
        put_json_text(output, text_set_text(instance->budgets, i));
        output_string(output, ":");
        put_json_double(output, price_of(answer, i));
    }
    output_string(output, "}");
}

void answer_put_json(const struct answer *answer, bool has_choices, struct output *output)
{
    char text[DECIMAL_TEXT_BYTES], why[ANSWER_WHY_BYTES];

    output_string(output, "{");
    if (answer->result->is_infeasible) {
        answer_why(answer, why);
        output_string(output, "\"infeasible\":true,\"why\":");
        put_json_text(output, text_of(why));
        output_string(output, "}\n");
        return;
    }
    if (has_choices)
        put_choices(answer, output);
    output_format(output, "\"value\":%s", value_text_of(answer, text));
    put_budgets(answer, output);
    output_string(output, ",\"bound\":");
    put_json_double(output, bound_of(answer));
    output_string(output, ",\"gap\":");
    put_json_double(output, answer->result->gap);
    output_format(output, ",\"exact\":%s", answer->result->is_exact ? "true" : "false");
    if (answer->instance->is_rounded)
        output_format(output, ",\"value_decimals\":%d", answer->instance->value_decimals);
    output_format(output, ",\"solve_ms\":%.3f}\n", answer->solve_ms);
}

/* ---- CSV ---- */

/* A field that may need quotes (RFC 4180). */
static void put_field(struct output *output, struct text text)
{
    bool is_plain = true;

    for (size_t i = 0; i < text.bytes; i++)
        is_plain = is_plain && text.at[i] != ',' && text.at[i] != '"' &&
                   text.at[i] != '\r' && text.at[i] != '\n';
    if (is_plain) {
        output_put(output, text.at, text.bytes);
        return;
    }
    output_put(output, "\"", 1);
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] == '"')
            output_put(output, "\"", 1);
        output_put(output, text.at + i, 1);
    }
    output_put(output, "\"", 1);
}

void answer_put_table(const struct answer *answer, struct output *output)
{
    const struct instance *instance = answer->instance;

    output_string(output, "request,action\n");
    for (int64_t i = 0; i < instance->allocation.request_count; i++) {
        put_field(output, text_set_text(instance->requests, (int32_t)i));
        output_put(output, ",", 1);
        put_field(output, text_set_text(instance->actions, action_name_of(answer, i)));
        output_put(output, "\n", 1);
    }
}

/* ---- for people ---- */

static void print_budget(const struct answer *answer, int32_t budget, int id_columns,
                         FILE *out)
{
    const struct instance *instance = answer->instance;
    const struct decimal *limit = &instance->budget_list[budget].limit;
    struct text id = text_clip(text_set_text(instance->budgets, budget), SHOWN_ID_BYTES);
    char shown[SHOWN_ID_BYTES + 1], most[DECIMAL_TEXT_BYTES], spend[DECIMAL_TEXT_BYTES],
        left[DECIMAL_TEXT_BYTES];
    int64_t spent = answer->result->spend[budget];

    if (!text_copy(id, shown, sizeof shown))
        snprintf(shown, sizeof shown, "?");
    print_line(out, "%-*s %15s %15s %15s %12.6g", id_columns, shown,
               decimal_text(limit->digits, limit->decimals, most),
               cost_text_of(answer, spent, spend),
               cost_text_of(answer, instance->limits[budget] - spent, left),
               price_of(answer, budget));
}

static void print_budgets(const struct answer *answer, FILE *out)
{
    int32_t count = text_set_count(answer->instance->budgets);
    int id_columns = 6;

    for (int32_t i = 0; i < count; i++) {
        int bytes = (int)text_set_text(answer->instance->budgets, i).bytes;

        id_columns = bytes > id_columns ? bytes : id_columns;
    }
    id_columns = id_columns < SHOWN_ID_BYTES ? id_columns : SHOWN_ID_BYTES;
    fprintf(out, "\n%-*s %15s %15s %15s %12s\n", id_columns, "budget", "limit", "spend",
            "left", "price");
    for (int32_t i = 0; i < count; i++)
        print_budget(answer, i, id_columns, out);
}

void answer_print(const struct answer *answer, FILE *out)
{
    char text[DECIMAL_TEXT_BYTES];

    fprintf(out, "requests   %lld\n",
            (long long)answer->instance->allocation.request_count);
    fprintf(out, "actions    %lld\n", (long long)answer->instance->action_count);
    fprintf(out, "value      %s%s\n", value_text_of(answer, text),
            answer->result->is_exact ? ", the most there is" : "");
    fprintf(out, "bound      %.12g\n", bound_of(answer));
    fprintf(out, "gap        %.3g\n", answer->result->gap);
    fprintf(out, "solved in  %.1f ms\n", answer->solve_ms);
    if (answer->instance->is_rounded)
        fprintf(out, "values were rounded to %d decimals: more do not fit 2^53\n",
                answer->instance->value_decimals);
    print_budgets(answer, out);
}
