/* table_rows.c - columns found once, then row after row. */
#include "app/table_rows.h"

#include "model/names.h"
#include "model/scalar.h"
#include "table/field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct table_rows {
    const struct loaded_model *loaded;
    struct csv *csv;
    int input_count;
    int *columns; /* (input): of the table; -1: the treatment, when the table lacks it */
    long *unknown_counts; /* (input): values that are none of a bundle's categories */
};

int loaded_input_count(const struct loaded_model *loaded)
{
    if (loaded->scorer)
        return scorer_bundle(loaded->scorer)->feature_count;
    return loaded->model.forest ? loaded->model.forest->feature_count
                                : loaded->model.linear->feature_count;
}

/* ---- columns ---- */

static const char *input_name(const struct loaded_model *loaded, int input)
{
    const struct bundle_model *model = &loaded->model;
    char **names;

    if (loaded->scorer)
        return scorer_bundle(loaded->scorer)->features[input].name;
    names = model->forest ? model->forest->feature_names : model->linear->feature_names;
    return names ? names[input] : NULL;
}

/* A first line of nothing but numbers was hardly meant to name columns. */
static bool has_number_names(const struct csv *csv)
{
    for (int i = 0; i < csv_column_count(csv); i++) {
        struct text name = text_of(csv_column_name(csv, i));
        double number;

        if (!field_number(&name, &number))
            return false;
    }
    return true;
}

static enum status refuse_counts(const struct table_rows *rows, struct err *err)
{
    int columns = csv_column_count(rows->csv), inputs = rows->input_count;

    return err_set(err, STATUS_INVALID, "%s: has %d column%s, the model %d input%s",
                   csv_name(rows->csv), columns, columns == 1 ? "" : "s", inputs,
                   inputs == 1 ? "" : "s");
}

static enum status find_columns(struct table_rows *rows, struct err *err)
{
    int column_count = csv_column_count(rows->csv);
    bool is_by_name = column_count > 0 && csv_column_name(rows->csv, 0) &&
                      rows->input_count > 0 && input_name(rows->loaded, 0);
    int treatment = rows->loaded->scorer
                        ? scorer_bundle(rows->loaded->scorer)->treatment_feature
                        : -1;
    enum status rc = STATUS_OK;

    if (!is_by_name && column_count != rows->input_count && column_count > 0)
        return refuse_counts(rows, err);
    for (int i = 0; i < rows->input_count && !rc; i++) {
        rows->columns[i] = i;
        if (is_by_name)
            rc = csv_column_find(rows->csv, input_name(rows->loaded, i),
                                 &rows->columns[i], err);
        /* The scorer sets the treatment itself. */
        if (rc && i == treatment) {
            rc = STATUS_OK;
            rows->columns[i] = -1;
        }
    }
    if (rc && is_by_name && has_number_names(rows->csv))
        return err_set(err, rc, "%s line 1: has numbers where '%.80s' is wanted%s",
                       csv_name(rows->csv), input_name(rows->loaded, 0),
                       rows->loaded->scorer ? ""
                                            : "; --no-header takes columns by position");
    return rc;
}

enum status table_rows_open(const char *path, bool has_header,
                            const struct loaded_model *loaded, struct table_rows **rows,
                            struct err *err)
{
    struct table_rows *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    if (opened) {
        *opened = (struct table_rows){.loaded = loaded,
                                      .input_count = loaded_input_count(loaded)};
        opened->columns =
            calloc((size_t)opened->input_count + 1, sizeof *opened->columns);
        opened->unknown_counts =
            calloc((size_t)opened->input_count + 1, sizeof *opened->unknown_counts);
    }
    if (!opened || !opened->columns || !opened->unknown_counts)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a table's columns");
    if (!rc)
        rc = csv_open(path, has_header, &opened->csv, err);
    if (!rc)
        rc = find_columns(opened, err);
    if (rc) {
        table_rows_close(opened);
        return rc;
    }
    *rows = opened;
    return STATUS_OK;
}

void table_rows_close(struct table_rows *rows)
{
    if (!rows)
        return;
    csv_close(rows->csv);
    free(rows->columns);
    free(rows->unknown_counts);
    free(rows);
}

/* ---- rows ---- */

static enum status read_numbers(struct table_rows *rows, double *row, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < rows->input_count && !rc; i++)
        rc = csv_number(rows->csv, rows->columns[i], &row[i], err);
    return rc;
}

static bool is_category(const struct bundle_feature *feature, struct text text)
{
    return names_find(feature->categories, feature->category_order,
                      feature->category_count, text) >= 0;
}

/* A category that begins with a space, or is called NA, is found first. */
static void read_category(struct table_rows *rows, int input, struct feature_value *value)
{
    const struct bundle_feature *feature =
        &scorer_bundle(rows->loaded->scorer)->features[input];
    struct text field = csv_text(rows->csv, rows->columns[input]);

    if (!is_category(feature, field))
        field = field_trim(field);
    value->kind = FEATURE_SENT_STRING;
    value->string = field;
    if (is_category(feature, field))
        return;
    if (field_is_missing(field))
        value->kind = FEATURE_SENT_NULL;
    else
        rows->unknown_counts[input]++;
}

static enum status read_bool(struct csv *csv, int column, struct feature_value *value,
                             struct err *err)
{
    static const char *const words[] = {"false", "true",  "False",
                                        "True",  "FALSE", "TRUE"};
    struct text field = field_trim(csv_text(csv, column));

    value->kind = FEATURE_SENT_BOOL;
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
        if (text_is(field, words[i])) {
            value->number = i % 2;
            return STATUS_OK;
        }
    }
    if (field_number(&field, &value->number) &&
        (value->number == 0 || value->number == 1 || isnan(value->number))) {
        if (isnan(value->number))
            value->kind = FEATURE_SENT_NULL;
        return STATUS_OK;
    }
    return err_set(
        err, STATUS_INVALID,
        "%s line %ld column '%.80s': expected true, false, 1 or 0, found '%.*s'",
        csv_name(csv), csv_line(csv), csv_column_name(csv, column),
        TEXT_ARG(scalar_shown(field)));
}

/* A field as a case would send it. */
static enum status read_value(struct table_rows *rows, int input,
                              struct feature_value *value, struct err *err)
{
    const struct bundle_feature *feature =
        &scorer_bundle(rows->loaded->scorer)->features[input];
    int column = rows->columns[input];
    enum status rc;

    switch (feature->type) {
    case FEATURE_CATEGORY:
        read_category(rows, input, value);
        return STATUS_OK;
    case FEATURE_BOOL:
        return read_bool(rows->csv, column, value, err);
    case FEATURE_FLOAT:
        break;
    }
    rc = csv_number(rows->csv, column, &value->number, err);
    value->kind = rc || isnan(value->number) ? FEATURE_SENT_NULL : FEATURE_SENT_NUMBER;
    return rc;
}

static enum status refuse_missing(const struct table_rows *rows, int input,
                                  struct err *err)
{
    const struct bundle_feature *feature =
        &scorer_bundle(rows->loaded->scorer)->features[input];
    struct text field = field_trim(csv_text(rows->csv, rows->columns[input]));

    if (feature->type == FEATURE_CATEGORY && !field_is_missing(field))
        return err_set(
            err, STATUS_INVALID,
            "%s line %ld: '%.*s' is none of the categories of '%s', which must "
            "not be missing",
            csv_name(rows->csv), csv_line(rows->csv), TEXT_ARG(scalar_shown(field)),
            feature->name);
    return err_set(err, STATUS_INVALID, "%s line %ld: '%s' must not be missing",
                   csv_name(rows->csv), csv_line(rows->csv), feature->name);
}

static enum status read_features(struct table_rows *rows, double *row, struct err *err)
{
    const struct bundle *bundle = scorer_bundle(rows->loaded->scorer);
    struct feature_value values[BUNDLE_FEATURE_COUNT_MAX];
    int count = 0, refused = -1;
    enum status rc = STATUS_OK;

    for (int i = 0; i < bundle->feature_count && !rc; i++) {
        if (rows->columns[i] < 0)
            continue;
        values[count].name = text_of(bundle->features[i].name);
        rc = read_value(rows, i, &values[count++], err);
    }
    if (!rc)
        rc = bundle_row(bundle, values, count, row, &refused, err);
    if (rc == STATUS_INVALID && err->fault_count)
        return err_wrap(err, "%s line %ld", csv_name(rows->csv), csv_line(rows->csv));
    return !rc && refused >= 0 ? refuse_missing(rows, refused, err) : rc;
}

enum status table_rows_next(struct table_rows *rows, double *row, bool *has_row,
                            struct err *err)
{
    enum status rc = csv_next(rows->csv, has_row, err);

    if (rc || !*has_row)
        return rc;
    return rows->loaded->scorer ? read_features(rows, row, err)
                                : read_numbers(rows, row, err);
}

void table_rows_note_unknown(const struct table_rows *rows)
{
    for (int i = 0; i < rows->input_count; i++) {
        long count = rows->unknown_counts[i];

        if (count)
            print_line(stderr,
                       "redress: %s: %ld value%s of '%s' %s not among its categories and "
                       "count%s as missing",
                       csv_name(rows->csv), count, count == 1 ? "" : "s",
                       input_name(rows->loaded, i), count == 1 ? "is" : "are",
                       count == 1 ? "s" : "");
    }
}

bool table_rows_is_ahead(const struct table_rows *rows)
{
    return csv_is_ahead(rows->csv);
}

const char *table_rows_name(const struct table_rows *rows)
{
    return csv_name(rows->csv);
}

long table_rows_line(const struct table_rows *rows)
{
    return csv_line(rows->csv);
}

double table_rows_progress(const struct table_rows *rows)
{
    return csv_progress(rows->csv);
}
