/* care.h - what the commands that care for the data of a folder have in common: they open
 * its database themselves, also while a service runs, and print figures. */
#ifndef REDRESS_APP_CARE_H
#define REDRESS_APP_CARE_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct figure {
    const char *name; /* NULL ends the list */
    int64_t value;
};

/* A line each, or the members of a JSON object that the caller ends. */
void print_figures(const struct figure *figures, bool is_json);

struct target {
    const char *folder;
    bool is_json;
    const char *head; /* the file with heads, NULL when none was named */
};

/* A command. run returns the code to exit with. */
struct care {
    const char *synopsis, *summary;
    int positional_count; /* 0 or 1 */
    bool takes_head;      /* the option --head */
    int (*run)(const struct target *target, const char *positional, struct err *err);
};

int care_main(const struct care *care, int argc, char **argv);

/* The caller closes *store. */
enum status care_reader(const struct target *target, struct store **store,
                        struct err *err);

/* Check everything and print what was found. */
int care_check(const struct target *target, const char *positional, struct err *err);

/* The same with one more check of the store, which counts its own faults; NULL: none. */
int care_check_also(const struct target *target,
                    enum status (*also)(struct store *store, const void *context,
                                        struct store_report *report, struct err *err),
                    const void *context, struct err *err);

/* {"entries": {"seq", "hash"}, "audit": ..} */
void print_heads(const struct store_heads *heads);

#endif
