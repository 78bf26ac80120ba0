/* train_table.c - the columns of a log as rows to learn from. */
#include "app/train.h"

#include "app/decision_rows.h"
#include "app/options.h"
#include "app/roles.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where columns are among those that were read. */
struct layout {
    struct name_list outcomes, features, categories, propensities, surrogates;
    struct column_wish *wishes;
    int count;
    int outcome, feature, propensity, surrogate, cost, weight, cluster,
        age;      /* -1: not asked for */
    int decision; /* what says which rows of a decision log count, unless all do */
};

static_assert((int64_t)COLUMNS_ROW_COUNT_MAX * LEARNER_ARM_COUNT_MAX <= UINT32_MAX,
              "rows have numbers of four bytes, also once for each arm");

struct reading {
    const struct train_options *options;
    struct layout layout;
    struct columns *columns;
    struct arms arms;
    int32_t arm_of[ARM_COUNT_MAX]; /* by its place in the table's list */
    double outcome_weights[64], window;
    struct train_table *table;
};

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a table to learn from");
}

/* ---- which columns ---- */

static int wish(struct layout *layout, const char *name, enum column_kind kind,
                bool may_miss)
{
    if (!name)
        return -1;
    layout->wishes[layout->count] = (struct column_wish){name, kind, may_miss};
    return layout->count++;
}

static int wish_all(struct layout *layout, const struct name_list *list,
                    enum column_kind kind, bool may_miss)
{
    int first = list->count ? layout->count : -1;

    for (int i = 0; i < list->count; i++)
        (void)wish(layout, list->names[i], kind, may_miss);
    return first;
}

static int wish_features(struct layout *layout)
{
    int first = layout->count;

    for (int i = 0; i < layout->features.count; i++)
        layout->wishes[layout->count++] =
            feature_wish(layout->features.names[i], &layout->categories);
    return first;
}

static bool is_in(const struct name_list *list, const char *name)
{
    for (int i = 0; name && i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

static enum status check_roles(const struct reading *reading, struct err *err)
{
    const struct layout *layout = &reading->layout;
    const struct train_options *options = reading->options;
    const struct role_use uses[] = {
        {"--treatment", AS_TREATMENT, options->treatment, NULL},
        {"--outcome", AS_OUTCOME, NULL, &layout->outcomes},
        {"--surrogates", AS_OUTCOME, NULL, &layout->surrogates},
        {"--cost", AS_BESIDE, options->cost, NULL},
        {"--features", AS_BEFORE, NULL, &layout->features},
        {"--propensity", AS_ABOUT, NULL, &layout->propensities},
        {"--weights", AS_ABOUT, options->weights, NULL},
        {"--cluster", AS_ABOUT, options->cluster, NULL},
        {"--age", AS_ABOUT, options->age, NULL},
    };

    if (layout->features.count > BUNDLE_FEATURE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "--features: %d, at most %d",
                       layout->features.count, BUNDLE_FEATURE_COUNT_MAX);
    return roles_check(uses, sizeof uses / sizeof *uses, err);
}

static enum status read_lists(struct reading *reading, struct err *err)
{
    const struct train_options *options = reading->options;
    struct layout *layout = &reading->layout;
    enum status rc =
        name_list_read("--outcome", options->outcome, &layout->outcomes, err);

    if (!rc)
        rc = name_list_read("--features", options->features, &layout->features, err);
    if (!rc)
        rc = categories_read(options->categories, &layout->features, NULL,
                             &layout->categories, err);
    if (!rc)
        rc = name_list_read("--propensity", options->propensity, &layout->propensities,
                            err);
    if (!rc)
        rc =
            name_list_read("--surrogates", options->surrogates, &layout->surrogates, err);
    return rc ? rc : check_roles(reading, err);
}

static enum status read_columns(struct reading *reading, struct err *err)
{
    const struct train_options *options = reading->options;
    struct layout *layout = &reading->layout;
    size_t most = (size_t)layout->outcomes.count + (size_t)layout->features.count +
                  (size_t)layout->propensities.count + (size_t)layout->surrogates.count;
    enum status rc;

    layout->wishes = calloc(most + 8 + DECISION_ROWS_WISH_COUNT, sizeof *layout->wishes);
    if (!layout->wishes)
        return refuse_memory(err);
    (void)wish(layout, options->treatment, COLUMN_IS_EITHER, false);
    layout->outcome = wish_all(layout, &layout->outcomes, COLUMN_IS_NUMBER, true);
    layout->feature = wish_features(layout);
    layout->propensity = wish_all(layout, &layout->propensities, COLUMN_IS_NUMBER, false);
    layout->surrogate = wish_all(layout, &layout->surrogates, COLUMN_IS_NUMBER, true);
    layout->cost = wish(layout, options->cost, COLUMN_IS_NUMBER, true);
    layout->weight = wish(layout, options->weights, COLUMN_IS_NUMBER, false);
    layout->cluster = wish(layout, options->cluster, COLUMN_IS_EITHER, false);
    layout->age = wish(layout, options->age, COLUMN_IS_NUMBER, false);
    if (!options->takes_all_rows) {
        layout->decision = layout->count;
        decision_rows_wish(layout->wishes + layout->count);
        layout->count += DECISION_ROWS_WISH_COUNT;
    }
    rc = analysis_columns(options->data, layout->wishes, layout->count, &reading->columns,
                          err);
    if (!rc)
        rc = features_check(reading->columns, layout->feature, layout->features.count,
                            &layout->categories, err);
    if (rc)
        return rc;
    reading->table->read_count = reading->columns->row_count;
    return options->takes_all_rows
               ? STATUS_OK
               : decision_rows_pick(reading->columns, layout->decision,
                                    &reading->table->decisions, err);
}

/* ---- arms ---- */

/* What a manifest can hold as a name. */
static bool is_plain(struct text text)
{
    const char *end = text.at + text.bytes;

    for (const char *at = text.at; at < end;) {
        int bytes = utf8_bytes(at, end);

        if (bytes == 0 || !*at)
            return false;
        at += bytes;
    }
    return text.bytes > 0 && !text_has_control(text, false);
}

static enum status refuse_text(const struct reading *reading, const char *column,
                               struct text text, struct err *err)
{
    char shown[64];

    snprintf(shown, sizeof shown, "%.*s", text.bytes < 40 ? (int)text.bytes : 40,
             text.at);
    text_plain(shown);
    return err_set(err, STATUS_INVALID,
                   "%s column '%s': '%s' is no plain UTF-8 text, so it cannot be in a "
                   "bundle",
                   reading->columns->file, column, shown);
}

/* "1,-0.5": one number per item. */
static enum status read_numbers(const char *option, const char *text, int count,
                                double *numbers, struct err *err)
{
    const char *at = text;

    for (int i = 0; i < count; i++) {
        char *end;

        numbers[i] = strtod(at, &end);
        if (end == at || !isfinite(numbers[i]) || *end != (i + 1 < count ? ',' : '\0'))
            return err_set(err, STATUS_INVALID, "%s: '%.80s' is not %d number%s", option,
                           text, count, count == 1 ? "" : "s");
        at = end + 1;
    }
    return STATUS_OK;
}

static enum status read_given_doses(struct reading *reading, struct err *err)
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
static enum status read_doses(struct reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    bool are_numbers = !reading->columns->items[0].is_text;

    if (reading->options->doses)
        return read_given_doses(reading, err);
    for (int arm = 1; arm < table->arm_count; arm++) {
        table->doses[arm] = strtod(table->arm_names[arm], NULL);
        are_numbers = are_numbers && table->doses[arm] > 0;
    }
    table->has_made_doses = !are_numbers;
    for (int arm = 1; arm < table->arm_count && !are_numbers; arm++)
        table->doses[arm] = arm;
    return STATUS_OK;
}

/* The control first, the others in their order. */
static enum status read_arms(struct reading *reading, struct err *err)
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
        return refuse_memory(err);
    for (int i = 0; i < reading->arms.count; i++) {
        int arm = i == reading->arms.control ? 0 : next++;

        if (!is_plain(text_of(reading->arms.names[i])))
            return refuse_text(reading, reading->options->treatment,
                               text_of(reading->arms.names[i]), err);
        reading->arm_of[i] = arm;
        memcpy(table->arm_names[arm], reading->arms.names[i], ARM_NAME_BYTES);
    }
    return read_doses(reading, err);
}

/* ---- features ---- */

static enum status refuse_cell(const struct reading *reading, int column, int64_t row,
                               const char *what, struct err *err)
{
    char place[COLUMNS_PLACE_BYTES];

    return err_set(err, STATUS_INVALID, "%s column '%s': %.17g %s",
                   columns_place(reading->columns, row, place),
                   reading->columns->items[column].name,
                   reading->columns->items[column].numbers[row], what);
}

static bool is_truth(struct text text, bool *value)
{
    static const char *const words[] = {"false", "true",  "False",
                                        "True",  "FALSE", "TRUE"};

    for (int i = 0; i < 6; i++)
        if (text_is(text, words[i])) {
            *value = i % 2;
            return true;
        }
    return false;
}

static bool are_truths(const struct table_column *column)
{
    bool value;

    for (int32_t i = 0; i < text_set_count(column->texts); i++)
        if (!is_truth(text_set_text(column->texts, i), &value))
            return false;
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_found(const void *key, const void *item)
{
    return strcmp(key, *(char *const *)item);
}

/* Ended by NUL, of the caller; NULL without memory. The text is plain. */
static char *own_text(struct text text)
{
    char *own = malloc(text.bytes + 1);

    if (own)
        text_copy(text, own, text.bytes + 1);
    return own;
}

/* The texts of a column as categories, by the alphabet. */
static enum status list_categories(const struct reading *reading,
                                   const struct table_column *column,
                                   struct train_feature *feature, struct err *err)
{
    int count = text_set_count(column->texts);

    if (count > BUNDLE_CATEGORY_COUNT_MAX)
        return err_set(
            err, STATUS_TOO_LARGE,
            "%s column '%s': %d different texts, at most %d; is it a category?",
            reading->columns->file, column->name, count, BUNDLE_CATEGORY_COUNT_MAX);
    for (int i = 0; i < count; i++) {
        struct text text = text_set_text(column->texts, i);

        if (!is_plain(text))
            return refuse_text(reading, column->name, text, err);
        feature->categories[i] = own_text(text);
        if (!feature->categories[i])
            return refuse_memory(err);
        feature->category_count++;
    }
    qsort(feature->categories, (size_t)count, sizeof *feature->categories, compare_texts);
    return STATUS_OK;
}

static enum status number_categories(const struct table_column *column,
                                     const struct train_feature *feature, float *numbers,
                                     struct err *err)
{
    for (int i = 0; i < feature->category_count; i++) {
        char *own = own_text(text_set_text(column->texts, i));
        char **place =
            own ? bsearch(own, feature->categories, (size_t)feature->category_count,
                          sizeof *feature->categories, compare_found)
                : NULL;

        free(own);
        if (!place)
            return refuse_memory(err);
        numbers[i] = (float)(place - feature->categories);
    }
    return STATUS_OK;
}

/* numbers (text): what each text of the column is as a number. */
static enum status number_texts(const struct reading *reading,
                                const struct table_column *column,
                                struct train_feature *feature, float *numbers,
                                struct err *err)
{
    int count = text_set_count(column->texts);
    bool is_true;
    enum status rc;

    feature->categories = calloc((size_t)count + 1, sizeof *feature->categories);
    if (!feature->categories)
        return refuse_memory(err);
    feature->type = are_truths(column) ? FEATURE_BOOL : FEATURE_CATEGORY;
    for (int i = 0; i < count && feature->type == FEATURE_BOOL; i++)
        numbers[i] = is_truth(text_set_text(column->texts, i), &is_true) && is_true;
    if (feature->type == FEATURE_BOOL)
        return STATUS_OK;
    rc = list_categories(reading, column, feature, err);
    return rc ? rc : number_categories(column, feature, numbers, err);
}

static enum status read_feature(const struct reading *reading, int index,
                                const uint32_t *kept, struct err *err)
{
    struct train_table *table = reading->table;
    const struct table_column *column =
        &reading->columns->items[reading->layout.feature + index];
    struct train_feature *feature = &table->features[index];
    float *numbers = NULL;
    enum status rc = STATUS_OK;

    feature->name = strdup(column->name);
    if (!feature->name)
        return refuse_memory(err);
    table->names[index] = feature->name;
    if (column->is_text) {
        numbers = calloc((size_t)text_set_count(column->texts) + 1, sizeof *numbers);
        rc = numbers ? number_texts(reading, column, feature, numbers, err)
                     : refuse_memory(err);
    }
    table->is_nominal[index] = feature->type == FEATURE_CATEGORY;
    for (int64_t i = 0; i < table->row_count && !rc; i++) {
        float *value = &table->values[i * table->feature_count + index];

        if (column->is_text)
            *value = column->codes[kept[i]] < 0 ? NAN : numbers[column->codes[kept[i]]];
        else
            *value = (float)column->numbers[kept[i]];
        if (isinf(*value))
            rc = refuse_cell(reading, reading->layout.feature + index, kept[i],
                             "is too large for a feature", err);
    }
    free(numbers);
    return rc;
}

/* ---- rows ---- */

/* Of what was done, or of each arm. */
static enum status check_propensities(const struct reading *reading, struct err *err)
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

            if (!(p >= 0 && p <= 1) || (is_own && p == 0))
                return refuse_cell(reading, first + i, row,
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

static enum status check_weights(const struct reading *reading, struct err *err)
{
    int column = reading->layout.weight;

    for (int64_t row = 0; row < reading->columns->row_count && column >= 0; row++)
        if (!(reading->columns->items[column].numbers[row] > 0))
            return refuse_cell(reading, column, row, "is no weight above 0", err);
    return STATUS_OK;
}

static enum status check_ages(const struct reading *reading, struct err *err)
{
    int column = reading->layout.age;

    for (int64_t row = 0; row < reading->columns->row_count && column >= 0; row++)
        if (!(reading->columns->items[column].numbers[row] >= 0))
            return refuse_cell(reading, column, row, "is no age", err);
    return STATUS_OK;
}

static double outcome_of(const struct reading *reading, int64_t row)
{
    double sum = 0;

    for (int i = 0; i < reading->layout.outcomes.count; i++)
        sum += reading->outcome_weights[i] *
               reading->columns->items[reading->layout.outcome + i].numbers[row];
    return sum;
}

/* Whether the window of a row has not closed: what its outcome is so far is not what it will be. */
static bool is_young(const struct reading *reading, int64_t row)
{
    int age = reading->layout.age;

    return age >= 0 && reading->columns->items[age].numbers[row] < reading->window;
}

/* NaN where it is still to come. */
static double final_outcome(const struct reading *reading, int64_t row)
{
    return is_young(reading, row) ? NAN : outcome_of(reading, row);
}

/* Rows that can be learned from, in kept. */
static void choose_rows(struct reading *reading, uint32_t *kept)
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

static enum status check_outcomes(const struct reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    double low = INFINITY, high = -INFINITY;

    table->is_binary = true;
    for (int64_t i = 0; i < table->row_count; i++) {
        double y = table->outcomes[i];

        if (isnan(y))
            continue;
        low = fmin(low, y);
        high = fmax(high, y);
        table->is_binary = table->is_binary && (y == 0 || y == 1);
    }
    if (low > high)
        return err_set(err, STATUS_INVALID, "%s column '%s': is missing in every row",
                       reading->columns->file, reading->options->outcome);
    if (low == high)
        return err_set(err, STATUS_INVALID,
                       "%s column '%s': is %.17g in every row: there is nothing to learn",
                       reading->columns->file, reading->options->outcome, low);
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
static uint64_t key_of(const struct reading *reading, int64_t row)
{
    const struct table_column *column;
    double number;

    column = &reading->columns->items[reading->layout.cluster];
    if (column->is_text)
        return text_hash(column_text(column, row));
    number = column->numbers[row] + 0.0;
    return text_hash((struct text){(const char *)&number, sizeof number});
}

static void put_propensities(const struct reading *reading, int64_t row, double *out)
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

static void put_row(const struct reading *reading, int64_t row, int64_t i)
{
    struct train_table *table = reading->table;
    const struct layout *layout = &reading->layout;
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
        put_propensities(reading, row, table->propensities + i * table->arm_count);
    for (int s = 0; s < table->surrogate_count; s++)
        table->surrogates[i * table->surrogate_count + s] =
            (float)items[layout->surrogate + s].numbers[row];
}

static enum status make_room(struct reading *reading, struct err *err)
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
    table->propensities =
        calloc(n * (size_t)table->arm_count, sizeof *table->propensities);
    if (table->has_clusters)
        table->keys = malloc(n * sizeof *table->keys);
    if (reading->layout.cost >= 0)
        table->costs = malloc(n * sizeof *table->costs);
    if (reading->layout.weight >= 0)
        table->weights = malloc(n * sizeof *table->weights);
    if (!table->features || !table->names || !table->is_nominal || !table->values ||
        !table->surrogates || !table->outcomes || !table->arms || !table->propensities ||
        (table->has_clusters && !table->keys) ||
        (reading->layout.cost >= 0 && !table->costs) ||
        (reading->layout.weight >= 0 && !table->weights))
        return refuse_memory(err);
    return STATUS_OK;
}

/* A name for the dose that no feature has. */
static void name_dose(struct train_table *table, const struct name_list *features)
{
    snprintf(table->dose_name, sizeof table->dose_name, "dose");
    for (int i = 2; is_in(features, table->dose_name); i++)
        snprintf(table->dose_name, sizeof table->dose_name, "dose_%d", i);
    table->names[table->feature_count] = table->dose_name;
}

/* A column is freed once its rows are in the table: they are in memory little more than once. */
static void drop_all_but_features(struct reading *reading)
{
    int first = reading->layout.feature, count = reading->layout.features.count;

    for (int i = 0; i < reading->layout.count; i++)
        if (i < first || i >= first + count)
            columns_drop(reading->columns, i);
    arms_drop_rows(&reading->arms);
}

static enum status put_table(struct reading *reading, struct err *err)
{
    struct train_table *table = reading->table;
    uint32_t *kept = malloc((size_t)reading->columns->row_count * sizeof *kept + 1);
    enum status rc = kept ? STATUS_OK : refuse_memory(err);

    if (!rc) {
        choose_rows(reading, kept);
        rc = train_order_rows(reading->columns, reading->layout.feature,
                              table->feature_count, kept, table->row_count, err);
    }
    if (!rc)
        rc = make_room(reading, err);
    for (int64_t i = 0; i < table->row_count && !rc; i++)
        put_row(reading, kept[i], i);
    drop_all_but_features(reading);
    for (int i = 0; i < table->feature_count && !rc; i++) {
        rc = read_feature(reading, i, kept, err);
        columns_drop(reading->columns, reading->layout.feature + i);
    }
    if (!rc) {
        name_dose(table, &reading->layout.features);
        rc = check_outcomes(reading, err);
    }
    free(kept);
    return rc;
}

static enum status read_outcome_weights(struct reading *reading, struct err *err)
{
    int count = reading->layout.outcomes.count;

    if (count > (int)(sizeof reading->outcome_weights / sizeof(double)))
        return err_set(err, STATUS_TOO_LARGE, "--outcome: %d columns, at most 64", count);
    for (int i = 0; i < count; i++)
        reading->outcome_weights[i] = 1;
    if (!reading->options->outcome_weights)
        return count == 1 ? STATUS_OK
                          : err_set(err, STATUS_INVALID,
                                    "--outcome-weights says what each of the %d outcomes "
                                    "is worth",
                                    count);
    return read_numbers("--outcome-weights", reading->options->outcome_weights, count,
                        reading->outcome_weights, err);
}

static enum status read_options(struct reading *reading, struct err *err)
{
    const char *window = reading->options->window;
    enum status rc = read_lists(reading, err);

    if (!rc)
        rc = read_outcome_weights(reading, err);
    if (!rc && window)
        rc = read_numbers("--window", window, 1, &reading->window, err);
    if (!rc && window && !(reading->window > 0))
        rc = err_set(err, STATUS_INVALID, "--window: %g is not above 0", reading->window);
    return rc;
}

enum status train_table_read(const struct train_options *options,
                             struct train_table *table, struct err *err)
{
    struct reading reading = {.options = options, .table = table};
    enum status rc;

    *table = (struct train_table){0};
    rc = option_checked(read_options(&reading, err), err);
    if (!rc)
        rc = read_columns(&reading, err);
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
    free(table->keys);
    free(table->arms);
    free(table->arm_names);
    *table = (struct train_table){0};
}
