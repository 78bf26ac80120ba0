/* ridge_save.c - a linear model as the file that model/linear.h describes. */
#include "learn/ridge.h"

#include "json/write.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 32 /* of a double, with its comma */ };

struct plain {
    double *weights, *fill; /* (feature), of features as they are */
    double **levels;        /* (feature): what each code counts as; NULL: a number */
    double intercept;
};

/* A column of a category adds weight / spread where it is the row's, and otherwise
 * nothing; where the code is missing or not known, what all its columns add on
 * average. */
static void undo_category(const struct ridge_column *column, double slope,
                          struct plain *plain)
{
    plain->weights[column->feature] = 1;
    plain->levels[column->feature][column->code] = slope;
    plain->fill[column->feature] += slope * column->mean;
}

static void undo_scales(const struct ridge *ridge, struct plain *plain)
{
    plain->intercept = ridge->weights[0];
    for (int i = 0; i < ridge->column_count; i++) {
        const struct ridge_column *column = &ridge->columns[i];
        bool is_category = ridge->levels[column->feature].is_category;
        double slope;

        if (!is_category)
            plain->fill[column->feature] = column->mean;
        if (column->spread == 0)
            continue;
        slope = ridge->weights[1 + i] / column->spread;
        if (is_category)
            undo_category(column, slope, plain);
        else
            plain->weights[column->feature] = slope;
        plain->intercept -= slope * column->mean;
    }
    for (int i = 0; i < ridge->feature_count; i++)
        for (int code = 0; code < ridge->levels[i].count; code++)
            if (!ridge->levels[i].is_known[code])
                plain->levels[i][code] = plain->fill[i];
}

/* Room for what each code counts as, at first nothing. */
static bool open_plain(const struct ridge *ridge, struct plain *plain)
{
    size_t count = (size_t)ridge->feature_count + 1;

    plain->weights = calloc(count, sizeof *plain->weights);
    plain->fill = calloc(count, sizeof *plain->fill);
    plain->levels = calloc(count, sizeof *plain->levels);
    if (!plain->weights || !plain->fill || !plain->levels)
        return false;
    for (int i = 0; i < ridge->feature_count; i++) {
        if (!ridge->levels[i].is_category)
            continue;
        plain->levels[i] = calloc((size_t)ridge->levels[i].count + 1, sizeof(double));
        if (!plain->levels[i])
            return false;
    }
    return true;
}

static void close_plain(const struct ridge *ridge, struct plain *plain)
{
    for (int i = 0; plain->levels && i < ridge->feature_count; i++)
        free(plain->levels[i]);
    free(plain->levels);
    free(plain->weights);
    free(plain->fill);
}

static void put_list(struct json_writer *writer, const double *numbers, int count)
{
    json_put_array(writer);
    for (int i = 0; i < count; i++)
        json_put_double(writer, numbers[i]);
    json_put_array_end(writer);
}

static void put_numbers(struct json_writer *writer, const char *key,
                        const double *numbers, int count)
{
    json_put_key(writer, key);
    put_list(writer, numbers, count);
}

static bool has_categories(const struct ridge *ridge)
{
    for (int i = 0; i < ridge->feature_count; i++)
        if (ridge->levels[i].count > 0)
            return true;
    return false;
}

static void put_levels(struct json_writer *writer, const struct ridge *ridge,
                       const struct plain *plain)
{
    json_put_key(writer, "levels");
    json_put_array(writer);
    for (int i = 0; i < ridge->feature_count; i++)
        put_list(writer, plain->levels[i], ridge->levels[i].count);
    json_put_array_end(writer);
}

static void put_model(struct json_writer *writer, const struct ridge *ridge,
                      const struct feature_rows *features, const struct plain *plain)
{
    json_put_object(writer);
    json_member_string(writer, "format", "redress-linear/1");
    json_put_key(writer, "features");
    json_put_array(writer);
    for (int i = 0; i < ridge->feature_count; i++)
        json_put_string(writer, features->names[i]);
    json_put_array_end(writer);
    put_numbers(writer, "weights", plain->weights, ridge->feature_count);
    json_put_key(writer, "intercept");
    json_put_double(writer, plain->intercept);
    put_numbers(writer, "fill", plain->fill, ridge->feature_count);
    if (has_categories(ridge))
        put_levels(writer, ridge, plain);
    json_member_string(writer, "link", ridge->is_logistic ? "sigmoid" : "identity");
    json_put_object_end(writer);
}

enum status ridge_save(const struct ridge *ridge, const struct feature_rows *features,
                       char **text, size_t *bytes, struct err *err)
{
    size_t capacity = 256;
    struct json_writer writer;
    struct plain plain;
    struct text written;
    enum status rc;

    for (int i = 0; i < ridge->feature_count; i++)
        capacity += 6 * strlen(features->names[i]) + 80 +
                    NUMBER_BYTES * (size_t)ridge->levels[i].count;
    *text = malloc(capacity);
    if (open_plain(ridge, &plain) && *text) {
        undo_scales(ridge, &plain);
        json_writer_init(&writer, *text, capacity);
        put_model(&writer, ridge, features, &plain);
        rc = json_writer_text(&writer, &written, err);
        if (!rc)
            *bytes = written.bytes;
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a model file");
    }
    close_plain(ridge, &plain);
    if (rc) {
        free(*text);
        *text = NULL;
    }
    return rc;
}
