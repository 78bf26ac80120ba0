/* train_order.c - an order of rows that the file has no say in. */
#include "app/train.h"

#include <stdlib.h>
#include <string.h>

struct place {
    uint64_t hash;
    uint32_t row;
};

/* One round of splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Codes of texts are in the order of rows, so texts speak for themselves. */
static uint64_t cell_hash(const struct table_column *column, int64_t row)
{
    double number = NAN;
    uint64_t bits;

    if (column->is_text && column->codes[row] >= 0)
        return text_hash(column_text(column, row));
    if (!column->is_text && !isnan(column->numbers[row]))
        number = column->numbers[row] + 0.0; /* -0 becomes 0 */
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* Of features alone: what an outcome or a weight is counted in has no say in where a row
 * stands. */
static uint64_t row_hash(const struct table_column *features, int feature_count,
                         int64_t row)
{
    uint64_t hash = 0;

    for (int i = 0; i < feature_count; i++)
        hash = mix(hash ^ cell_hash(&features[i], row));
    return hash;
}

static int compare_numbers(double one, double other)
{
    if (isnan(one) || isnan(other))
        return isnan(one) - isnan(other);
    return (one > other) - (one < other);
}

static int compare_texts(struct text one, struct text other)
{
    size_t bytes = one.bytes < other.bytes ? one.bytes : other.bytes;
    int order = bytes ? memcmp(one.at, other.at, bytes) : 0;

    return order ? order : (one.bytes > other.bytes) - (one.bytes < other.bytes);
}

/* A file need not have every column, and some have done their work. */
static bool is_there(const struct table_column *column)
{
    return column->is_text ? column->codes != NULL : column->numbers != NULL;
}

static int compare_cells(const struct table_column *column, int64_t one, int64_t other)
{
    if (!is_there(column))
        return 0;
    if (!column->is_text)
        return compare_numbers(column->numbers[one], column->numbers[other]);
    if (column->codes[one] < 0 || column->codes[other] < 0)
        return (column->codes[one] < 0) - (column->codes[other] < 0);
    return compare_texts(column_text(column, one), column_text(column, other));
}

/* Rows of the same features by what else is known of them, until nothing is left that
 * tells them apart. */
static int compare_places(const void *a, const void *b, void *context)
{
    const struct columns *columns = context;
    const struct place *one = a, *other = b;
    int order = (one->hash > other->hash) - (one->hash < other->hash);

    for (int i = 0; i < columns->count && !order; i++)
        order = compare_cells(&columns->items[i], one->row, other->row);
    return order;
}

enum status train_order_rows(struct columns *columns, int feature, int feature_count,
                             uint32_t *rows, int64_t count, struct err *err)
{
    struct place *places = malloc((size_t)count * sizeof *places + 1);

    if (!places)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a table to learn from");
    for (int64_t i = 0; i < count; i++)
        places[i] = (struct place){
            row_hash(&columns->items[feature], feature_count, rows[i]), rows[i]};
    qsort_r(places, (size_t)count, sizeof *places, compare_places, columns);
    for (int64_t i = 0; i < count; i++)
        rows[i] = places[i].row;
    free(places);
    return STATUS_OK;
}
