/* api.h - what the parts of the API share. Private to http/. */
#ifndef REDRESS_HTTP_API_H
#define REDRESS_HTTP_API_H

#include "decide/action.h"
#include "http/exchange.h"

#include <stdbool.h>

/* Answer now (OK, or an error that becomes a problem document), or STATUS_PENDING. */
typedef enum status handler(struct exchange *exchange, struct err *err);
typedef enum status preparation(struct action *action, struct err *err);

enum { ACCESS_PUBLIC = -1, LIST_COUNT_DEFAULT = 50 };

/* LATER: handled, or prepared, on the thread for what takes long. LATER_ALONE: refused
 * while another one of the route waits or is handled; for routes without an action. */
enum pace { AT_ONCE, LATER, LATER_ALONE };

struct route {
    const char *method, *path; /* "/v1/budgets/{id}" */
    int access;                /* enum access, or ACCESS_PUBLIC */
    handler *handle;           /* or NULL: then it is an action, */
    preparation *prepare;      /* prepared so and handed to the commit thread */
    size_t body_max;           /* 0: a body is refused */
    const char *queries;       /* names that are taken, separated by spaces */
    enum pace pace;
};

/* The route of a method and path, its parameters decoded into the exchange. Else NULL,
 * and allowed lists the methods that the path has, or is empty when there is no such
 * path. */
const struct route *route_find(const char *method, const char *path,
                               char params[PARAM_COUNT_MAX][PARAM_BYTES],
                               char allowed[static ALLOW_BYTES]);

/* The routes in the order of their table; NULL behind the last. */
const struct route *route_at(int index);

/* Whether its body may also be lines of JSON. */
bool route_takes_lines(const struct route *route);

/* GET /openapi.json */
handler openapi_get;

/* GET /v1/exports/... */
handler export_decisions_get, export_ledger_get, export_audit_get;

/* Values of query parameters. */
const char *query_text(const struct exchange *exchange, const char *name); /* or NULL */
enum status query_int(const struct exchange *exchange, const char *name, int64_t minimum,
                      int64_t maximum, int64_t fallback, int64_t *value, struct err *err);
enum status query_bool(const struct exchange *exchange, const char *name, bool *value,
                       struct err *err);
enum status query_time(const struct exchange *exchange, const char *name, int64_t *us,
                       struct err *err);
/* "asc" or "desc". */
enum status query_order(const struct exchange *exchange, bool is_descending_by_default,
                        bool *is_descending, struct err *err);

/* A new action on behalf of the exchange, about what the path names ("NAME/REST" when
 * that is two things); NULL when its arena is full. */
struct action *exchange_action(struct exchange *exchange);

/* Hand a prepared action over: PENDING, unless it is refused at once. */
enum status exchange_submit(struct exchange *exchange, struct action *action,
                            struct err *err);

/* 200 with this JSON. */
enum status exchange_show(struct exchange *exchange, struct text json);

#endif
