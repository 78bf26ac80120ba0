/* export_stored.h - what the stored texts of a decision say, cut into pieces. Private to
 * decide/. */
#ifndef REDRESS_DECIDE_EXPORT_STORED_H
#define REDRESS_DECIDE_EXPORT_STORED_H

#include "store/decisions.h"

enum { CASE_FIELD_COUNT = 12 };

/* Fields of a case that are columns; features and metadata are not. */
extern const char *const case_fields[CASE_FIELD_COUNT];

/* Pieces of JSON, borrowed from the row; bytes 0: not there. */
struct pieces {
    struct text options, budgets, versions, propensity, explored; /* as answered */
    struct text effect, cost;                                     /* of what was chosen */
    struct text policy, model, prices;                            /* of versions */
    struct text body;                                             /* of the case */
    struct text features, fields[CASE_FIELD_COUNT];
};

/* CORRUPT when what is stored cannot be read. */
enum status pieces_read(const struct decision_row *row, struct pieces *pieces,
                        struct err *err);

#endif
