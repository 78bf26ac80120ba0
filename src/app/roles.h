/* roles.h - which columns of a table have which role, and which roles a column can have
 * at once. */
#ifndef REDRESS_APP_ROLES_H
#define REDRESS_APP_ROLES_H

#include "app/analysis.h"

enum column_role {
    AS_TREATMENT, /* what was done, to whom and when: nothing else */
    AS_OUTCOME,   /* known after, and what is asked about */
    AS_BESIDE,    /* known after, too: costs, guardrails; may also be an outcome */
    AS_BEFORE,    /* known before, and what tells rows apart */
    /* known before: clusters, weights, propensities; may also tell rows apart */
    AS_ABOUT,
    AS_ROLE_COUNT
};

/* A column or a list of them that an option names. */
struct role_use {
    const char *option; /* "--outcome" */
    enum column_role role;
    const char *name;             /* NULL: none, or */
    const struct name_list *list; /* these */
};

/* INVALID names the first column that two options (uses: count) give roles that exclude
 * each other. */
enum status roles_check(const struct role_use *uses, int count, struct err *err);

/* Of fewer rows a column may be like another by chance. */
enum { ROLES_ROWS_MIN = 50 };

/* Whether a column of numbers is an outcome under another name: the same number in every
 * row, and not in all the same. */
bool roles_is_copy(const struct columns *columns, int item, int outcome);

/* INVALID when one of the columns [first, first + count), which were known before, is
 * such. */
enum status roles_check_copies(const struct columns *columns, int first, int count,
                               int outcome, struct err *err);

#endif
