/* options.h - command lines: GNU long options from a table that also prints --help.
 *
 * Results go to stdout, messages to stderr; exit 0 done, 1 refused or a check failed, 2
 * wrong usage. */
#ifndef REDRESS_APP_OPTIONS_H
#define REDRESS_APP_OPTIONS_H

#include "base/err.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, OPTIONS_GO_ON = -1 };

enum option_kind {
    OPTION_FLAG, /* bool *target */
    OPTION_TEXT, /* const char **target; the text is argv's */
    OPTION_INT,  /* long *target, in [minimum, maximum] */
};

/* With one of these options_parse refuses a command line: without the option; with it but
 * without the first option of the table, which it has no meaning without. */
enum { OPTION_NEEDED = 8, OPTION_WITH_FIRST = 16 };

struct option_spec {
    const char *name; /* without dashes; NULL ends the table */
    int kind;         /* enum option_kind, with or without one of the two above */
    void *target;
    const char *argument; /* what --help calls the value, e.g. "FILE" */
    const char *help;
    long minimum, maximum; /* of OPTION_INT */
};

static inline enum option_kind option_kind_of(const struct option_spec *option)
{
    return option->kind & ~(OPTION_NEEDED | OPTION_WITH_FIRST);
}

struct command_usage {
    const char *synopsis; /* "model score FILE --rows X.csv [OPTIONS]" */
    const char *summary;  /* one or more full sentences */
    int positional_min, positional_max;
    const struct option_spec *options;
};

/* Parse argv[1..]; options and positionals may be mixed, "--" ends options. --help is
 * always there; one that takes a value may be there once. Returns OPTIONS_GO_ON, or the
 * code to exit with after help or a message. positionals has room for positional_max + 1
 * entries and is ended by NULL. */
int options_parse(const struct command_usage *usage, int argc, char **argv,
                  const char **positionals);

/* A line. Names in it may come from files or from a service: control characters do not
 * reach the terminal. */
void print_line(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "redress: sentence" on stderr and where to find help; returns EXIT_USAGE. */
int usage_wrong(const struct command_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "redress: sentence" on stderr, faults one a line unless the sentence is the only one;
 * returns EXIT_REFUSED. */
int command_failed(const struct err *err);

/* What a step that looks at options alone returns: marks what it refuses as wrong usage,
 * which needs no look at the data. Returns rc. */
enum status option_checked(enum status rc, struct err *err);

/* The code to exit with: EXIT_DONE, or after a message that of wrong usage or of what was
 * refused. */
int command_end(const struct command_usage *usage, enum status rc, const struct err *err);

/* A command: argv[0] is its last word. */
typedef int command_main(int argc, char **argv);

#endif
