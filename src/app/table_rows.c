/* table_rows.c - columns found once, then row after row. */
#include "app/table_rows.h"

#include <math.h>
#include <stdlib.h>

struct table_rows {
    const char *path;
    const struct loaded_model *loaded;
    struct csv *csv;
    int input_count;
    int *columns; /* (input): of the table; -1: the treatment, when the table lacks it */
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
        return err_set(err, STATUS_INVALID, "%s: has %d columns, the model %d inputs",
                       rows->path, column_count, rows->input_count);
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
    return rc;
}

enum status table_rows_open(const char *path, bool has_header,
                            const struct loaded_model *loaded, struct table_rows **rows,
                            struct err *err)
{
    struct table_rows *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    if (opened) {
        *opened = (struct table_rows){
            .path = path, .loaded = loaded, .input_count = loaded_input_count(loaded)};
        opened->columns =
            calloc((size_t)opened->input_count + 1, sizeof *opened->columns);
    }
    if (!opened || !opened->columns)
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

/* A field as a case would send it. */
static enum status read_value(struct csv *csv, const struct bundle_feature *feature,
                              int column, struct feature_value *value, struct err *err)
{
    struct text field = csv_text(csv, column);

    value->kind = FEATURE_SENT_NULL;
    if (feature->type == FEATURE_CATEGORY) {
        value->kind = field.bytes ? FEATURE_SENT_STRING : FEATURE_SENT_NULL;
        value->string = field;
        return STATUS_OK;
    }
    if (feature->type == FEATURE_BOOL &&
        (text_is(field, "true") || text_is(field, "false"))) {
        value->kind = FEATURE_SENT_BOOL;
        value->number = text_is(field, "true");
        return STATUS_OK;
    }
    if (csv_number(csv, column, &value->number, err))
        return err->status;
    if (!isnan(value->number))
        value->kind = FEATURE_SENT_NUMBER;
    return STATUS_OK;
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
        rc = read_value(rows->csv, &bundle->features[i], rows->columns[i],
                        &values[count++], err);
    }
    if (!rc)
        rc = bundle_row(bundle, values, count, row, &refused, err);
    if (rc == STATUS_INVALID && err->fault_count)
        return err_wrap(err, "%s line %ld", rows->path, csv_line(rows->csv));
    if (!rc && refused >= 0)
        rc = err_set(err, STATUS_INVALID, "%s line %ld: '%s' must not be missing",
                     rows->path, csv_line(rows->csv), bundle->features[refused].name);
    return rc;
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

long table_rows_line(const struct table_rows *rows)
{
    return csv_line(rows->csv);
}

double table_rows_progress(const struct table_rows *rows)
{
    return csv_progress(rows->csv);
}
