/* analysis.h - what the commands that read a table and print what it says have in
 * common. */
#ifndef REDRESS_APP_ANALYSIS_H
#define REDRESS_APP_ANALYSIS_H

#include "app/progress.h"
#include "app/report.h"
#include "table/columns.h"

enum { NAME_LIST_COUNT_MAX = 4096, ARM_COUNT_MAX = 64, ARM_NAME_BYTES = 64 };

/* "a,b,c" cut at its commas. */
struct name_list {
    char *copy;
    const char **names; /* (count) */
    int count;
};

/* An empty name, or the same twice, is INVALID; option is named: "--features". NULL is an
 * empty list. The caller frees it. */
enum status name_list_read(const char *option, const char *text, struct name_list *list,
                           struct err *err);
void name_list_free(struct name_list *list);

/* A finite number above `above` and at most `most`: "0.05". INVALID names the option, and
 * what it may be. */
enum status option_number_read(const char *option, const char *text, double above,
                               double most, double *number, struct err *err);

enum { NAMES_TEXT_BYTES = 200 };

/* "'a', 'b' and 3 more": as many as have room in text, which is returned. */
const char *names_quoted(const char *const *names, int count,
                         char text[static NAMES_TEXT_BYTES]);

/* Before what is INVALID, where it is: the table, and which of its columns it is about
 * (count 0: only the table), as "a.csv columns 'a', 'b': ..". Returns rc, whatever it
 * is. */
enum status analysis_wrap(const struct columns *columns, const char *const *names,
                          int count, enum status rc, struct err *err);

/* columns_read with progress on a terminal. */
enum status analysis_columns(const char *path, const struct column_wish *wishes,
                             int count, struct columns **columns, struct err *err);

/* Names of --categories, each of which is in one of two lists (NULL: none), else
 * INVALID. */
enum status categories_read(const char *text, const struct name_list *one,
                            const struct name_list *other, struct name_list *categories,
                            struct err *err);

/* A column of features or covariates: of numbers or of texts, whichever it holds; one of
 * the categories of texts, whatever it holds. It may miss. */
struct column_wish feature_wish(const char *name, const struct name_list *categories);

/* INVALID when nine in ten or more of a column's fields that are not missing are numbers
 * and the rest is not, with the line of the first that is not: these are mistakes, not
 * categories, unless the column is one of the categories. Of count columns from the first
 * on. */
enum status features_check(const struct columns *columns, int first, int count,
                           const struct name_list *categories, struct err *err);

/* Shows how far it is; the context is a struct progress with the word before the
 * share. */
struct analysis_progress {
    struct progress progress;
    const char *what; /* "resampling" */
};
void analysis_tell(void *context, double done);

/* For --timing: processor time of this thread. */
struct analysis_timing {
    bool is_wanted;
    int64_t begun_ns, read_ns, computed_ns; /* where on the thread's clock */
};

/* "estimate", "se", "ci" (95 %) and "p" of one whose value / se is Student's; freedom
 * INFINITY: normal. */
void analysis_put_effect(struct report *report, double value, double se, double freedom);

/* "clusters" and "degrees_of_freedom", of an estimate whose draws they are. */
void analysis_put_clusters(struct report *report, int32_t count, double freedom);

/* "seconds": {"read", "compute"}, when it is wanted. */
void analysis_put_timing(const struct analysis_timing *timing, struct report *report);

/* The different values of a column that says what was done to a row. */
struct arms {
    int count;
    int control;                   /* the arm that others are compared with */
    char (*names)[ARM_NAME_BYTES]; /* (arm) */
    int64_t *row_counts;           /* (arm) */
    int32_t *codes;                /* (row): its arm */
};

/* Arms in rising order, whatever the order of the rows: numbers by their size, before
 * words by their bytes. control may be NULL: then it is 0, or "control", when there is
 * such an arm. INVALID names the arms when the control is none of them, when there is
 * only one, or more than ARM_COUNT_MAX. The caller frees it. */
enum status arms_read(const struct columns *columns, const struct table_column *column,
                      const char *control, struct arms *arms, struct err *err);
void arms_free(struct arms *arms); /* one that is zero is fine */

/* Free the codes, once they are needed no more. */
void arms_drop_rows(struct arms *arms);

/* The arm of that name, as it is written or as a number. INVALID names those there
 * are. */
enum status arms_find(const struct arms *arms, const char *option, const char *name,
                      int *arm, struct err *err);

/* The arm that is compared with the control: that of the name, which the option gave, or
 * the other of two when name is NULL. INVALID when it is the control, or there are
 * more. */
enum status arms_find_treated(const struct arms *arms, const struct columns *columns,
                              const char *column, const char *option, const char *name,
                              int *treated, struct err *err);

/* A finite number for each arm but one (without; -1: for all): "5,10" in the order of the
 * arms, or "small=5,large=10" in any. numbers (arm). INVALID names the arms. */
enum status arms_numbers(const struct arms *arms, const char *option, const char *text,
                         int without, double *numbers, struct err *err);

#endif
