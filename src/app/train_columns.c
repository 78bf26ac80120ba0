/* train_columns.c - which columns of a log are read, and as what. */
#include "app/train_reading.h"

#include "app/decision_rows.h"
#include "app/roles.h"

#include <math.h>
#include <stdlib.h>

static int wish(struct train_layout *layout, const char *name, enum column_kind kind,
                bool may_miss)
{
    if (!name)
        return -1;
    layout->wishes[layout->count] = (struct column_wish){name, kind, may_miss};
    return layout->count++;
}

static int wish_all(struct train_layout *layout, const struct name_list *list,
                    enum column_kind kind, bool may_miss)
{
    int first = list->count ? layout->count : -1;

    for (int i = 0; i < list->count; i++)
        (void)wish(layout, list->names[i], kind, may_miss);
    return first;
}

static int wish_features(struct train_layout *layout)
{
    int first = layout->count;

    for (int i = 0; i < layout->features.count; i++)
        layout->wishes[layout->count++] =
            feature_wish(layout->features.names[i], &layout->categories);
    return first;
}

static enum status check_roles(const struct train_reading *reading, struct err *err)
{
    const struct train_layout *layout = &reading->layout;
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

static enum status read_lists(struct train_reading *reading, struct err *err)
{
    const struct train_options *options = reading->options;
    struct train_layout *layout = &reading->layout;
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

static enum status read_outcome_weights(struct train_reading *reading, struct err *err)
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

enum status train_options_read(struct train_reading *reading, struct err *err)
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

enum status train_columns_read(struct train_reading *reading, struct err *err)
{
    const struct train_options *options = reading->options;
    struct train_layout *layout = &reading->layout;
    size_t most = (size_t)layout->outcomes.count + (size_t)layout->features.count +
                  (size_t)layout->propensities.count + (size_t)layout->surrogates.count;
    enum status rc;

    layout->wishes = calloc(most + 8 + DECISION_ROWS_WISH_COUNT, sizeof *layout->wishes);
    if (!layout->wishes)
        return train_refuse_memory(err);
    (void)wish(layout, options->treatment, COLUMN_IS_NAME, false);
    layout->outcome = wish_all(layout, &layout->outcomes, COLUMN_IS_NUMBER, true);
    layout->feature = wish_features(layout);
    layout->propensity = wish_all(layout, &layout->propensities, COLUMN_IS_NUMBER, false);
    layout->surrogate = wish_all(layout, &layout->surrogates, COLUMN_IS_NUMBER, true);
    layout->cost = wish(layout, options->cost, COLUMN_IS_NUMBER, true);
    layout->weight = wish(layout, options->weights, COLUMN_IS_NUMBER, false);
    layout->cluster = wish(layout, options->cluster, COLUMN_IS_NAME, false);
    layout->age = wish(layout, options->age, COLUMN_IS_NUMBER, false);
    layout->decision = layout->count;
    decision_rows_wish(layout->wishes + layout->count);
    layout->count += DECISION_ROWS_WISH_COUNT;
    rc = analysis_columns(options->data, layout->wishes, layout->count, &reading->columns,
                          err);
    if (!rc)
        rc = features_check(reading->columns, layout->feature, layout->features.count,
                            &layout->categories, err);
    if (rc)
        return rc;
    reading->table->read_count = reading->columns->row_count;
    return decision_rows_pick(reading->columns, layout->decision, options->takes_all_rows,
                              &reading->table->decisions, err);
}
