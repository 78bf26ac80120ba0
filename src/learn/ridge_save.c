/* ridge_save.c - a linear model as the file that model/linear.h describes. */
#include "learn/ridge.h"

#include "json/write.h"

#include <stdlib.h>
#include <string.h>

struct plain {
    double *weights, *fill; /* (feature), of features as they are */
    double intercept;
};

static void undo_scales(const struct ridge *ridge, struct plain *plain)
{
    plain->intercept = ridge->weights[0];
    for (int i = 0; i < ridge->column_count; i++) {
        const struct ridge_column *column = &ridge->columns[i];

        plain->fill[column->feature] = column->mean;
        if (column->spread == 0)
            continue;
        plain->weights[column->feature] = ridge->weights[1 + i] / column->spread;
        plain->intercept -= ridge->weights[1 + i] * column->mean / column->spread;
    }
}

static void put_numbers(struct json_writer *writer, const char *key,
                        const double *numbers, int count)
{
    json_put_key(writer, key);
    json_put_array(writer);
    for (int i = 0; i < count; i++)
        json_put_double(writer, numbers[i]);
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
        capacity += 6 * strlen(features->names[i]) + 80;
    *text = malloc(capacity);
    plain.weights = calloc((size_t)ridge->feature_count + 1, sizeof *plain.weights);
    plain.fill = calloc((size_t)ridge->feature_count + 1, sizeof *plain.fill);
    if (*text && plain.weights && plain.fill) {
        undo_scales(ridge, &plain);
        json_writer_init(&writer, *text, capacity);
        put_model(&writer, ridge, features, &plain);
        rc = json_writer_text(&writer, &written, err);
        if (!rc)
            *bytes = written.bytes;
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a model file");
    }
    free(plain.weights);
    free(plain.fill);
    if (rc) {
        free(*text);
        *text = NULL;
    }
    return rc;
}
