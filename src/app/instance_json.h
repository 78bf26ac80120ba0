/* instance_json.h - a JSON or NDJSON instance while it is read; private to its readers.
 *
 * The document (instance_json.c) goes from item to item through a window; an item (one
 * budget, one request; instance_item.c) is read by one scan of a piece of text that holds
 * it whole. */
#ifndef REDRESS_APP_INSTANCE_JSON_H
#define REDRESS_APP_INSTANCE_JSON_H

#include "app/instance_build.h"
#include "json/scan.h"

/* Where reading is, for messages: /requests/7/actions/2/cost. */
struct place {
    const char *list; /* "budgets", "requests", or NULL: the document itself */
    int64_t item;
    const char *part; /* a list in the item, or NULL */
    int position;
    const char *member; /* or NULL */
};

enum document_member { MEMBER_OTHER, MEMBER_BUDGETS, MEMBER_REQUESTS, MEMBER_COUNT };

struct document {
    struct input *input;
    struct instance *instance;
    struct err *err;
    struct place place;
    bool is_lines;          /* NDJSON, behind its first line */
    bool has[MEMBER_COUNT]; /* came; a budget named after all came must be one of them */
    enum document_member key; /* the last that was read */

    /* Sets of budgets, as written and as sorted indices. */
    struct text_set *set_texts, *cells;
    int32_t *text_cells; /* (set_text) */
    int64_t text_cell_capacity;
    int32_t set[ALLOCATION_BUDGET_COUNT_MAX]; /* the one that is read */

    struct arena arena; /* strings with escapes, of one item */
    char buffer[4096];
};

/* Read the item that the scan is at. False when it is refused; nothing of it is then
 * kept, but for names of budgets. */
bool document_read_budget(struct document *document, struct json_scan *scan);
bool document_read_request(struct document *document, struct json_scan *scan);

#endif
