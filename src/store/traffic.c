/* traffic.c - the rows of cells and curves. SQLite's integers have a sign: a hash is kept
 * as the number of the same bits. */
#include "store/traffic.h"

#include "store/sql.h"

enum status traffic_cell_put(struct store *store, const struct traffic_cell *cell,
                             struct err *err)
{
    struct query query = query_write(store, SQL_TRAFFIC_CELL_PUT);

    put_int(&query, (int64_t)cell->hash);
    put_string(&query, cell->market);
    put_string(&query, cell->issue);
    put_string(&query, cell->segment);
    put_string(&query, cell->channel);
    put_string(&query, cell->currency);
    return query_run(&query, "write a cell of traffic", err);
}

enum status traffic_cell_list(struct store *store, int count_max,
                              struct traffic_cell *cells, int *count, struct err *err)
{
    struct query query = query_start(store, SQL_TRAFFIC_CELL_LIST);

    for (*count = 0; *count < count_max && query_row(&query); ++*count) {
        struct traffic_cell *cell = &cells[*count];

        cell->hash = (uint64_t)take_int(&query);
        take_string(&query, cell->market, sizeof cell->market);
        take_string(&query, cell->issue, sizeof cell->issue);
        take_string(&query, cell->segment, sizeof cell->segment);
        take_string(&query, cell->channel, sizeof cell->channel);
        take_string(&query, cell->currency, sizeof cell->currency);
    }
    return query_end(&query, "read the cells of traffic", err);
}

enum status traffic_curve_put(struct store *store, const struct traffic_curve *curve,
                              struct err *err)
{
    struct query query = query_write(store, SQL_TRAFFIC_CURVE_PUT);

    put_int(&query, curve->slot);
    put_int(&query, (int64_t)curve->cell);
    put_bytes(&query, curve->content.at, curve->content.bytes);
    return query_run(&query, "write a curve of traffic", err);
}

enum status traffic_curve_list(struct store *store, int64_t before_slot,
                               uint64_t before_cell, int limit, struct arena *arena,
                               struct traffic_curve **curves, int *count, struct err *err)
{
    struct query query = query_start(store, SQL_TRAFFIC_CURVE_PAGE);
    int capacity = 0;

    *curves = NULL;
    *count = 0;
    put_int(&query, before_slot);
    put_int(&query, (int64_t)before_cell);
    put_int(&query, limit);
    while (query_row(&query)) {
        struct traffic_curve *curve =
            QUERY_PUSH(&query, arena, curves, *count, &capacity);

        if (!curve)
            break;
        curve->slot = take_int(&query);
        curve->cell = (uint64_t)take_int(&query);
        curve->content = take_text(&query, arena);
        ++*count;
    }
    return query_end(&query, "read the curves of traffic", err);
}

enum status traffic_forget(struct store *store, int64_t first_slot, int64_t last_slot,
                           int limit, struct err *err)
{
    struct query curves = query_write(store, SQL_TRAFFIC_CURVE_FORGET), cells;
    enum status rc;

    put_int(&curves, first_slot);
    put_int(&curves, last_slot);
    put_int(&curves, limit);
    rc = query_run(&curves, "forget curves of traffic", err);
    if (rc)
        return rc;
    cells = query_write(store, SQL_TRAFFIC_CELL_FORGET);
    put_int(&cells, limit);
    return query_run(&cells, "forget cells of traffic", err);
}
