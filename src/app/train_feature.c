/* train_feature.c - a column as a feature: numbers, truths, or categories with their
 * names. */
#include "app/train_reading.h"

#include "app/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status train_refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a table to learn from");
}

enum status train_refuse_cell(const struct train_reading *reading, int column,
                              int64_t row, const char *what, struct err *err)
{
    char place[COLUMNS_PLACE_BYTES];

    return err_set(err, STATUS_INVALID, "%s column '%s': %.17g %s",
                   columns_place(reading->columns, row, place),
                   reading->columns->items[column].name,
                   reading->columns->items[column].numbers[row], what);
}

/* Why a manifest cannot hold it as a name; NULL: it can. */
static const char *why_not_plain(struct text text)
{
    const char *end = text.at + text.bytes;

    for (const char *at = text.at; at < end;) {
        int bytes = utf8_bytes(at, end);

        if (bytes == 0)
            return "is not UTF-8";
        at += bytes;
    }
    if (memchr(text.at, '\n', text.bytes))
        return "holds a line break";
    return text_has_control(text, false) ? "holds a control character" : NULL;
}

static int64_t first_row_of(const int32_t *codes, int32_t code)
{
    int64_t row = 0;

    while (codes[row] != code)
        row++;
    return row;
}

enum status train_text_check(const struct train_reading *reading, const char *column,
                             const int32_t *codes, int32_t code, struct text text,
                             struct err *err)
{
    const char *why = why_not_plain(text);
    char shown[64], place[COLUMNS_PLACE_BYTES];

    if (!why)
        return STATUS_OK;
    snprintf(shown, sizeof shown, "%.*s", text.bytes < 40 ? (int)text.bytes : 40,
             text.at);
    text_plain(shown);
    return err_set(
        err, STATUS_INVALID,
        "%s column '%s': '%s' %s, which no category and no arm of a bundle may",
        columns_place(reading->columns, first_row_of(codes, code), place), column, shown,
        why);
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
static enum status list_categories(const struct train_reading *reading,
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

        enum status rc =
            train_text_check(reading, column->name, column->codes, i, text, err);

        if (rc)
            return rc;
        feature->categories[i] = own_text(text);
        if (!feature->categories[i])
            return train_refuse_memory(err);
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
            return train_refuse_memory(err);
        numbers[i] = (float)(place - feature->categories);
    }
    return STATUS_OK;
}

/* numbers (text): what each text of the column is as a number. */
static enum status number_texts(const struct train_reading *reading,
                                const struct table_column *column,
                                struct train_feature *feature, float *numbers,
                                struct err *err)
{
    int count = text_set_count(column->texts);
    bool is_true;
    enum status rc;

    feature->categories = calloc((size_t)count + 1, sizeof *feature->categories);
    if (!feature->categories)
        return train_refuse_memory(err);
    feature->type = are_truths(column) ? FEATURE_BOOL : FEATURE_CATEGORY;
    for (int i = 0; i < count && feature->type == FEATURE_BOOL; i++)
        numbers[i] = is_truth(text_set_text(column->texts, i), &is_true) && is_true;
    if (feature->type == FEATURE_BOOL)
        return STATUS_OK;
    rc = list_categories(reading, column, feature, err);
    return rc ? rc : number_categories(column, feature, numbers, err);
}

enum status train_feature_read(const struct train_reading *reading, int index,
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
        return train_refuse_memory(err);
    table->names[index] = feature->name;
    if (column->is_text) {
        numbers = calloc((size_t)text_set_count(column->texts) + 1, sizeof *numbers);
        rc = numbers ? number_texts(reading, column, feature, numbers, err)
                     : train_refuse_memory(err);
    }
    table->is_nominal[index] = feature->type == FEATURE_CATEGORY;
    for (int64_t i = 0; i < table->row_count && !rc; i++) {
        float *value = &table->values[i * table->feature_count + index];

        if (column->is_text)
            *value = column->codes[kept[i]] < 0 ? NAN : numbers[column->codes[kept[i]]];
        else
            *value = (float)column->numbers[kept[i]];
        if (isinf(*value))
            rc = train_refuse_cell(reading, reading->layout.feature + index, kept[i],
                                   "is too large for a feature", err);
    }
    free(numbers);
    return rc;
}
