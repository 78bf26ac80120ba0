/* train_table.c - the columns of a log as rows to learn from: arms, and what a row has
 * besides features. */
#include "app/train_reading.h"

#include "app/options.h"
#include "learn/offpolicy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert((int64_t)COLUMNS_ROW_COUNT_MAX * LEARNER_ARM_COUNT_MAX <= UINT32_MAX,
              "rows have numbers of four bytes, also once for each arm");

/* ---- arms ---- */

static enum status read_given_doses(struct train_reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    double doses[ARM_COUNT_MAX] = {0};
    enum status rc = arms_numbers(&reading->arms, "--doses", reading->options->doses,
                                  reading->arms.control, doses, err);

    for (int i = 0; i < table->arm_count && !rc; i++)
        table->doses[reading->arm_of[i]] = doses[i];
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        for (int other = 0; other < arm && !rc; other++)
            if (!(table->doses[arm] > 0) || table->doses[arm] == table->doses[other])
                rc = err_set(err, STATUS_INVALID,
                             "--doses: are above 0 and differ from each other");
    return rc;
}

/* Numbers above 0 are doses as they are; else arms are counted. */
static enum status read_doses(struct train_reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    bool is_text = reading->columns->items[0].is_text, are_numbers = !is_text;

    if (reading->options->doses)
        return read_given_doses(reading, err);
    for (int arm = 1; arm < table->arm_count; arm++) {
        table->doses[arm] = strtod(table->arm_names[arm], NULL);
        if (!is_text && are_numbers && !(table->doses[arm] > 0))
            table->low_arm = arm;
        are_numbers = are_numbers && table->doses[arm] > 0;
    }
    table->has_made_doses = !are_numbers;
    for (int arm = 1; arm < table->arm_count && !are_numbers; arm++)
        table->doses[arm] = arm;
    return STATUS_OK;
}

/* The control first, the others in their order. */
static enum status read_arms(struct train_reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    enum status rc = arms_read(reading->columns, &reading->columns->items[0],
                               reading->options->control, &reading->arms, err);
    int next = 1;

    if (rc)
        return rc;
    if (reading->arms.count > BUNDLE_ARM_COUNT_MAX + 1)
        return err_set(
            err, STATUS_TOO_LARGE,
            "%s column '%s': has %d arms besides the control, a bundle at most %d",
            reading->columns->file, reading->options->treatment, reading->arms.count - 1,
            BUNDLE_ARM_COUNT_MAX);
    table->arm_count = reading->arms.count;
    table->arm_names = calloc(ARM_COUNT_MAX, sizeof *table->arm_names);
    if (!table->arm_names)
        return train_refuse_memory(err);
    for (int i = 0; i < reading->arms.count; i++) {
        int arm = i == reading->arms.control ? 0 : next++;

        rc = train_text_check(reading, reading->options->treatment, reading->arms.codes,
                              i, text_of(reading->arms.names[i]), err);
        if (rc)
            return rc;
        reading->arm_of[i] = arm;
        memcpy(table->arm_names[arm], reading->arms.names[i], ARM_NAME_BYTES);
    }
    return read_doses(reading, err);
}

/* ---- rows ---- */

/* Of what was done, or of each arm. */
static enum status check_propensities(const struct train_reading *reading,
                                      struct err *err)
{
    int first = reading->layout.propensity, count = reading->layout.propensities.count;
    char place[COLUMNS_PLACE_BYTES];

    if (count > 1 && count != reading->arms.count)
        return err_set(err, STATUS_INVALID,
                       "--propensity: %d columns for %d arms; one, of what was done, or "
                       "one for each arm",
                       count, reading->arms.count);
    for (int64_t row = 0; row < reading->columns->row_count && count; row++) {
        double sum = 0;

        for (int i = 0; i < count; i++) {
            double p = reading->columns->items[first + i].numbers[row];
            bool is_own = count == 1 || reading->arms.codes[row] == i;

            if (!(p >= 0 && p <= 1) || (is_own && p < OFFPOLICY_PROPENSITY_MIN))
                return train_refuse_cell(reading, first + i, row,
                                         is_own ? "is no probability of what was done"
                                                : "is no probability",
                                         err);
            sum += p;
        }
        if (count > 1 && !(fabs(sum - 1) <= 1e-6))
            return err_set(err, STATUS_INVALID,
                           "%s: the propensities sum to %.9g, not to one",
                           columns_place(reading->columns, row, place), sum);
    }
    return STATUS_OK;
}

static enum status check_weights(const struct train_reading *reading, struct err *err)
{
    int column = reading->layout.weight;

    for (int64_t row = 0; row < reading->columns->row_count && column >= 0; row++)
        if (!(reading->columns->items[column].numbers[row] > 0))
            return train_refuse_cell(reading, column, row, "is no weight above 0", err);
    return STATUS_OK;
}

static enum status check_ages(const struct train_reading *reading, struct err *err)
{
    int column = reading->layout.age;

    for (int64_t row = 0; row < reading->columns->row_count && column >= 0; row++)
        if (!(reading->columns->items[column].numbers[row] >= 0))
            return train_refuse_cell(reading, column, row, "is no age", err);
    return STATUS_OK;
}

static double outcome_of(const struct train_reading *reading, int64_t row)
{
    double sum = 0;

    for (int i = 0; i < reading->layout.outcomes.count; i++)
        sum += reading->outcome_weights[i] *
               reading->columns->items[reading->layout.outcome + i].numbers[row];
    return sum;
}

/* Whether the window of a row has not closed: what its outcome is so far is not what it
 * will be. */
static bool is_young(const struct train_reading *reading, int64_t row)
{
    int age = reading->layout.age;

    return age >= 0 && reading->columns->items[age].numbers[row] < reading->window;
}

/* NaN where it is still to come. */
static double final_outcome(const struct train_reading *reading, int64_t row)
{
    return is_young(reading, row) ? NAN : outcome_of(reading, row);
}

/* Rows that can be learned from, in kept. */
static void choose_rows(struct train_reading *reading, uint32_t *kept)
{
    struct train_table *table = reading->table;

    for (int64_t row = 0; row < reading->columns->row_count; row++) {
        bool is_mature = !isnan(final_outcome(reading, row));

        table->young_count += is_young(reading, row);
        table->immature_count += !is_mature;
        if (is_mature || reading->layout.surrogates.count)
            kept[table->row_count++] = (uint32_t)row;
    }
    table->dropped_count = reading->columns->row_count - table->row_count;
    if (reading->layout.surrogates.count == 0)
        table->immature_count = 0;
}

static enum status refuse_window(const struct train_reading *reading, struct err *err)
{
    return err_set(err, STATUS_INVALID,
                   "--window: %s column '%s': %lld of %lld rows are younger than %g, and "
                   "none of the others has an outcome",
                   reading->columns->file, reading->options->age,
                   (long long)reading->table->young_count,
                   (long long)reading->columns->row_count, reading->window);
}

/* Squares of less are too small for the library of trees (learn/predictor.c). */
#define OUTCOME_SPREAD_MIN 1e-16

static enum status check_spread(const struct train_reading *reading, double low,
                                double high, struct err *err)
{
    const char *outcome = reading->options->outcome;

    if (low == high)
        return err_set(err, STATUS_INVALID,
                       "%s column '%s': is %.17g in every row: there is nothing to learn",
                       reading->columns->file, outcome, low);
    if (high - low < OUTCOME_SPREAD_MIN && strcmp(reading->options->base, "xgboost") == 0)
        return err_set(
            err, STATUS_INVALID,
            "%s column '%s': differs by %.3g between rows, which is too little "
            "for trees: give it in smaller units, or take --base ridge",
            reading->columns->file, outcome, high - low);
    return STATUS_OK;
}

static enum status check_outcomes(const struct train_reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    double low = INFINITY, high = -INFINITY;
    enum status rc;

    table->is_binary = true;
    for (int64_t i = 0; i < table->row_count; i++) {
        double y = table->outcomes[i];

        if (isnan(y))
            continue;
        low = fmin(low, y);
        high = fmax(high, y);
        table->is_binary = table->is_binary && (y == 0 || y == 1);
    }
    if (low > high && table->young_count > 0)
        return refuse_window(reading, err);
    if (low > high)
        return err_set(err, STATUS_INVALID, "%s column '%s': is missing in every row",
                       reading->columns->file, reading->options->outcome);
    rc = check_spread(reading, low, high, err);
    if (rc)
        return rc;
    for (int arm = 0; arm < table->arm_count; arm++)
        if (table->arm_rows[arm] < TRAIN_ARM_ROWS_MIN)
            return err_set(err, STATUS_INVALID,
                           "%s column '%s': '%s' has %lld rows with an outcome, at least "
                           "%d are needed",
                           reading->columns->file, reading->options->treatment,
                           table->arm_names[arm], (long long)table->arm_rows[arm],
                           TRAIN_ARM_ROWS_MIN);
    return STATUS_OK;
}

/* Rows of one cluster have one key, whatever order they stand in. */
static uint64_t key_of(const struct train_reading *reading, int64_t row)
{
    const struct table_column *column;
    double number;

    column = &reading->columns->items[reading->layout.cluster];
    if (column->is_text)
        return text_hash(column_text(column, row));
    number = column->numbers[row] + 0.0;
    return text_hash((struct text){(const char *)&number, sizeof number});
}

static bool are_billionths(double value)
{
    return rint(value * LEARNER_BILLION) / LEARNER_BILLION == value;
}

/* Whether all are known, and can be written with nine digits behind the point. */
static bool can_be_billionths(const struct train_reading *reading)
{
    int count = reading->layout.propensities.count;
    const struct table_column *first = reading->columns->items;

    if (count == 0 || (count == 1 && reading->arms.count != 2))
        return false;
    first += reading->layout.propensity;
    for (int64_t row = 0; row < reading->columns->row_count; row++)
        for (int i = 0; i < count; i++)
            if (!are_billionths(first[i].numbers[row]) ||
                (count == 1 && !are_billionths(1 - first->numbers[row])))
                return false;
    return true;
}

/* out (arm), zero. */
static void read_propensities(const struct train_reading *reading, int64_t row,
                              double *out)
{
    const struct table_column *first =
        &reading->columns->items[reading->layout.propensity];
    int own = reading->arm_of[reading->arms.codes[row]];

    if (reading->layout.propensities.count > 1) {
        for (int i = 0; i < reading->arms.count; i++)
            out[reading->arm_of[i]] = first[i].numbers[row];
        return;
    }
    out[own] = first->numbers[row];
    if (reading->arms.count == 2)
        out[!own] = 1 - first->numbers[row];
}

/* Of row i of the table. */
static void put_propensities(const struct train_reading *reading, int64_t row, int64_t i)
{
    struct train_table *table = reading->table;
    double found[LEARNER_ARM_COUNT_MAX] = {0};

    if (!table->billionths) {
        read_propensities(reading, row, table->propensities + i * table->arm_count);
        return;
    }
    read_propensities(reading, row, found);
    for (int arm = 0; arm < table->arm_count; arm++)
        table->billionths[i * table->arm_count + arm] =
            (uint32_t)rint(found[arm] * LEARNER_BILLION);
}

static void put_row(const struct train_reading *reading, int64_t row, int64_t i)
{
    struct train_table *table = reading->table;
    const struct train_layout *layout = &reading->layout;
    const struct table_column *items = reading->columns->items;

    table->arms[i] = reading->arm_of[reading->arms.codes[row]];
    table->outcomes[i] = final_outcome(reading, row);
    table->arm_rows[table->arms[i]] += !isnan(table->outcomes[i]);
    if (table->keys)
        table->keys[i] = key_of(reading, row);
    if (table->weights)
        table->weights[i] = items[layout->weight].numbers[row];
    if (table->costs)
        table->costs[i] = items[layout->cost].numbers[row];
    if (layout->propensity >= 0)
        put_propensities(reading, row, i);
    for (int s = 0; s < table->surrogate_count; s++)
        table->surrogates[i * table->surrogate_count + s] =
            (float)items[layout->surrogate + s].numbers[row];
}

static enum status make_room(struct train_reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    size_t n = (size_t)table->row_count + 1, features = (size_t)table->feature_count;

    table->features = calloc(features + 1, sizeof *table->features);
    table->names = calloc(features + 2, sizeof *table->names);
    table->is_nominal = calloc(features + 1, sizeof *table->is_nominal);
    table->values = malloc(n * (features + 1) * sizeof *table->values);
    table->surrogates =
        malloc(n * ((size_t)table->surrogate_count + 1) * sizeof *table->surrogates);
    table->outcomes = malloc(n * sizeof *table->outcomes);
    table->arms = malloc(n * sizeof *table->arms);
    if (can_be_billionths(reading))
        table->billionths =
            calloc(n * (size_t)table->arm_count, sizeof *table->billionths);
    else
        table->propensities =
            calloc(n * (size_t)table->arm_count, sizeof *table->propensities);
    if (table->has_clusters)
        table->keys = malloc(n * sizeof *table->keys);
    if (reading->layout.cost >= 0)
        table->costs = malloc(n * sizeof *table->costs);
    if (reading->layout.weight >= 0)
        table->weights = malloc(n * sizeof *table->weights);
    if (!table->features || !table->names || !table->is_nominal || !table->values ||
        !table->surrogates || !table->outcomes || !table->arms ||
        !(table->propensities || table->billionths) ||
        (table->has_clusters && !table->keys) ||
        (reading->layout.cost >= 0 && !table->costs) ||
        (reading->layout.weight >= 0 && !table->weights))
        return train_refuse_memory(err);
    return STATUS_OK;
}

/* Trees know no unit of weights, but their penalty is as much as a row of weight 1. */
static void set_mean_weight(struct train_table *table)
{
    double sum = 0, mean;

    for (int64_t i = 0; table->weights && i < table->row_count; i++)
        sum += table->weights[i];
    mean = sum / (double)table->row_count;
    for (int64_t i = 0; table->weights && i < table->row_count; i++)
        table->weights[i] /= mean;
}

static bool is_in(const struct name_list *list, const char *name)
{
    for (int i = 0; name && i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

/* A name for the dose that no feature has. */
static void name_dose(struct train_table *table, const struct name_list *features)
{
    snprintf(table->dose_name, sizeof table->dose_name, "dose");
    for (int i = 2; is_in(features, table->dose_name); i++)
        snprintf(table->dose_name, sizeof table->dose_name, "dose_%d", i);
    table->names[table->feature_count] = table->dose_name;
}

/* A column is freed once its rows are in the table: they are in memory little more than
 * once. */
static void drop_all_but_features(struct train_reading *reading)
{
    int first = reading->layout.feature, count = reading->layout.features.count;

    for (int i = 0; i < reading->layout.count; i++)
        if (i < first || i >= first + count)
            columns_drop(reading->columns, i);
    arms_drop_rows(&reading->arms);
}

static enum status put_table(struct train_reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    uint32_t *kept = malloc((size_t)reading->columns->row_count * sizeof *kept + 1);
    enum status rc = kept ? STATUS_OK : train_refuse_memory(err);

    if (!rc) {
        choose_rows(reading, kept);
        rc = train_order_rows(reading->columns, reading->layout.feature,
                              table->feature_count, kept, table->row_count, err);
    }
    if (!rc)
        rc = make_room(reading, err);
    for (int64_t i = 0; i < table->row_count && !rc; i++)
        put_row(reading, kept[i], i);
    if (!rc)
        set_mean_weight(table);
    drop_all_but_features(reading);
    for (int i = 0; i < table->feature_count && !rc; i++) {
        rc = train_feature_read(reading, i, kept, err);
        columns_drop(reading->columns, reading->layout.feature + i);
    }
    if (!rc) {
        name_dose(table, &reading->layout.features);
        rc = check_outcomes(reading, err);
    }
    free(kept);
    return rc;
}

enum status train_table_read(const struct train_options *options,
                             struct train_table *table, struct err *err)
{
    struct train_reading reading = {.options = options, .table = table};
    enum status rc;

    *table = (struct train_table){0};
    rc = option_checked(train_options_read(&reading, err), err);
    if (!rc)
        rc = train_columns_read(&reading, err);
    if (!rc)
        rc = read_arms(&reading, err);
    if (!rc)
        rc = check_propensities(&reading, err);
    if (!rc)
        rc = check_weights(&reading, err);
    if (!rc)
        rc = check_ages(&reading, err);
    if (!rc) {
        table->feature_count = reading.layout.features.count;
        table->surrogate_count = reading.layout.surrogates.count;
        table->has_propensities = reading.layout.propensity >= 0;
        table->has_clusters = reading.layout.cluster >= 0;
        rc = put_table(&reading, err);
    }
    arms_free(&reading.arms);
    columns_close(reading.columns);
    name_list_free(&reading.layout.outcomes);
    name_list_free(&reading.layout.features);
    name_list_free(&reading.layout.categories);
    name_list_free(&reading.layout.propensities);
    name_list_free(&reading.layout.surrogates);
    free(reading.layout.wishes);
    return rc;
}

void train_table_free(struct train_table *table)
{
    for (int i = 0; table->features && i < table->feature_count; i++) {
        for (int c = 0; c < table->features[i].category_count; c++)
            free(table->features[i].categories[c]);
        free(table->features[i].categories);
        free(table->features[i].name);
    }
    free(table->features);
    free(table->names);
    free(table->is_nominal);
    free(table->values);
    free(table->surrogates);
    free(table->outcomes);
    free(table->costs);
    free(table->weights);
    free(table->propensities);
    free(table->billionths);
    free(table->keys);
    free(table->arms);
    free(table->arm_names);
    *table = (struct train_table){0};
}
