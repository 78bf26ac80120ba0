/* bundle_row.c - the features of a case as the row of numbers that models read. */
#include "model/bundle.h"

#include "model/names.h"

#include <math.h>
#include <stdio.h>

int bundle_feature_find(const struct bundle *bundle, struct text name)
{
    return names_find(bundle->feature_names, bundle->feature_order, bundle->feature_count,
                      name);
}

/* "/features/NAME", its slashes and tildes escaped (RFC 6901). */
static void pointer_to(struct text name, char *pointer, size_t pointer_bytes)
{
    size_t used = (size_t)snprintf(pointer, pointer_bytes, "/features/");

    for (size_t i = 0; i < name.bytes && used + 3 < pointer_bytes; i++) {
        char c = name.at[i];

        if (c == '~' || c == '/') {
            pointer[used++] = '~';
            c = c == '~' ? '0' : '1';
        }
        pointer[used++] = c;
    }
    pointer[used] = 0;
}

static enum status fault(struct err *err, struct text name, const char *code,
                         const char *detail)
{
    char pointer[sizeof err->faults[0].pointer];

    pointer_to(name, pointer, sizeof pointer);
    return err_fault(err, pointer, code, "%s", detail);
}

static enum status number_of(const struct bundle_feature *feature,
                             const struct feature_value *value, double *number,
                             struct err *err)
{
    *number = NAN;
    if (value->kind == FEATURE_SENT_NULL)
        return STATUS_OK;
    switch (feature->type) {
    case FEATURE_FLOAT:
        if (value->kind != FEATURE_SENT_NUMBER)
            return fault(err, value->name, "wrong_type", "must be a number");
        *number = value->number;
        return STATUS_OK;
    case FEATURE_BOOL:
        if (value->kind == FEATURE_SENT_STRING ||
            (value->number != 0 && value->number != 1))
            return fault(err, value->name, "wrong_type", "must be true or false");
        *number = value->number;
        return STATUS_OK;
    case FEATURE_CATEGORY:
        if (value->kind != FEATURE_SENT_STRING)
            return fault(err, value->name, "wrong_type", "must be a text");
        int category = names_find(feature->categories, feature->category_order,
                                  feature->category_count, value->string);
        if (category >= 0)
            *number = category;
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* Senders keep the model's order: the search begins with the feature that is expected. */
static int find_from(const struct bundle *bundle, struct text name, int expected)
{
    if (expected < bundle->feature_count &&
        text_is(name, bundle->feature_names[expected]))
        return expected;
    return bundle_feature_find(bundle, name);
}

enum status bundle_row(const struct bundle *bundle, const struct feature_value *values,
                       int value_count, double *row, int *refused, struct err *err)
{
    bool is_given[BUNDLE_FEATURE_COUNT_MAX] = {false};
    enum status rc = STATUS_OK, value_rc;
    int feature = -1;

    for (int i = 0; i < bundle->feature_count; i++)
        row[i] = NAN;
    for (int i = 0; i < value_count; i++) {
        feature = find_from(bundle, values[i].name, feature + 1);
        if (feature < 0) {
            rc = fault(err, values[i].name, "unknown_feature", "is not in the model");
            continue;
        }
        if (is_given[feature]) {
            rc = fault(err, values[i].name, "duplicate", "is given twice");
            continue;
        }
        is_given[feature] = true;
        value_rc = number_of(&bundle->features[feature], &values[i], &row[feature], err);
        rc = value_rc ? value_rc : rc;
    }
    *refused = -1;
    for (int i = 0; i < bundle->feature_count && *refused < 0; i++)
        if (isnan(row[i]) && !bundle->features[i].may_be_missing &&
            i != bundle->treatment_feature)
            *refused = i;
    return rc;
}
