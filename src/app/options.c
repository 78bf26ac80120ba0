/* options.c - GNU long options from a table, and the help that the table makes. */
#include "app/options.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* getopt names an option of the table by FIRST_ANSWER and its index, above every
 * character that it may also answer. */
enum { OPTION_COUNT_MAX = 64, HELP_COLUMN = 26, LINE_COLUMNS = 80, FIRST_ANSWER = 256 };

/* A path may be long; what does not fit is cut. */
enum { LINE_BYTES = 8192, NAMES_BYTES = 512 };

/* The words of the synopsis that name the command: "model score FILE" -> "model
 * score". */
static int command_bytes(const struct command_usage *usage)
{
    const char *at = usage->synopsis;
    size_t bytes = 0;

    while (*at >= 'a' && *at <= 'z') {
        at += strspn(at, "abcdefghijklmnopqrstuvwxyz-");
        bytes = (size_t)(at - usage->synopsis);
        at += *at == ' ';
    }
    return (int)bytes;
}

void print_line(FILE *out, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text_plain(text);
    fprintf(out, "%s\n", text);
}

int usage_wrong(const struct command_usage *usage, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_line(stderr, "redress: %s", text);
    print_line(stderr, "Try 'redress %.*s --help'.", command_bytes(usage),
               usage->synopsis);
    return EXIT_USAGE;
}

/* Print words in lines that begin at the column of indent, where the cursor is now. */
static void print_wrapped(const char *text, int indent)
{
    int column = indent;

    while (*text) {
        int bytes = (int)strcspn(text, " \n");
        bool is_first = column == indent;

        if (!is_first && column + 1 + bytes > LINE_COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
            is_first = true;
        }
        column += printf("%s%.*s", is_first ? "" : " ", bytes, text);
        text += bytes;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void print_option(const struct option_spec *option)
{
    int column = printf("  --%s%s%s", option->name, option->argument ? " " : "",
                        option->argument ? option->argument : "");

    if (column + 2 > HELP_COLUMN) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", HELP_COLUMN - column, "");
    print_wrapped(option->help, HELP_COLUMN);
}

static int print_help(const struct command_usage *usage)
{
    static const struct option_spec help = {.name = "help",
                                            .help = "Show this and exit."};

    printf("Usage: redress %s\n\n", usage->synopsis);
    print_wrapped(usage->summary, 0);
    printf("\nOptions:\n");
    for (const struct option_spec *o = usage->options; o && o->name; o++)
        print_option(o);
    print_option(&help);
    return EXIT_DONE;
}

static int take_int(const struct command_usage *usage, const struct option_spec *option,
                    const char *text)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (end == text || *end)
        return usage_wrong(usage, "--%s: '%s' is not a whole number", option->name, text);
    if (errno || value < option->minimum || value > option->maximum)
        return usage_wrong(usage, "--%s: %s is not within %ld to %ld", option->name, text,
                           option->minimum, option->maximum);
    *(long *)option->target = value;
    return OPTIONS_GO_ON;
}

/* Of two values one would be passed over without a word; a flag says the same twice. */
static int take_value(const struct command_usage *usage, const struct option_spec *option,
                      bool is_said, const char *text)
{
    if (is_said && option_kind_of(option) != OPTION_FLAG)
        return usage_wrong(usage, "--%s is there twice, and takes one value",
                           option->name);
    switch (option_kind_of(option)) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        return OPTIONS_GO_ON;
    case OPTION_TEXT:
        *(const char **)option->target = text;
        return OPTIONS_GO_ON;
    case OPTION_INT:
        return take_int(usage, option, text);
    }
    return EXIT_USAGE;
}

static int take_positionals(const struct command_usage *usage, int count,
                            char **arguments, const char **positionals)
{
    if (count < usage->positional_min)
        return usage_wrong(usage, "something is missing: redress %s", usage->synopsis);
    if (count > usage->positional_max)
        return usage_wrong(usage, "'%s' is one argument too many",
                           arguments[usage->positional_max]);
    for (int i = 0; i < count; i++)
        positionals[i] = arguments[i];
    positionals[count] = NULL;
    return OPTIONS_GO_ON;
}

/* Our table as getopt's, --help behind it. Returns the index of --help. */
static int make_table(const struct command_usage *usage,
                      struct option table[static OPTION_COUNT_MAX + 2])
{
    int count = 0;

    for (const struct option_spec *o = usage->options; o && o->name; o++) {
        assert(count < OPTION_COUNT_MAX);
        table[count] = (struct option){
            .name = o->name,
            .has_arg = option_kind_of(o) == OPTION_FLAG ? no_argument : required_argument,
            .val = FIRST_ANSWER + count,
        };
        count++;
    }
    table[count] = (struct option){.name = "help", .val = FIRST_ANSWER + count};
    table[count + 1] = (struct option){0};
    return count;
}

/* What getopt could not take; it leaves the option in optopt, 0 for an unknown long
 * one. */
static int refuse_option(const struct command_usage *usage, int answer, const char *word,
                         const struct option *table)
{
    if (answer == ':')
        return usage_wrong(usage, "'%s' needs a value", word);
    if (optopt >= FIRST_ANSWER)
        return usage_wrong(usage, "--%s takes no value",
                           table[optopt - FIRST_ANSWER].name);
    if (optopt)
        return usage_wrong(usage, "there is no option '-%c'", optopt);
    return usage_wrong(usage, "there is no option '%s', or more than one begins so",
                       word);
}

/* "--a, --b and --c": those of the table that are picked; returns how many. */
static int name_options(const struct option_spec *options,
                        const bool is_picked[static OPTION_COUNT_MAX],
                        char names[static NAMES_BYTES])
{
    int count = 0, named = 0;
    size_t used = 0;

    for (int i = 0; i < OPTION_COUNT_MAX; i++)
        count += is_picked[i];
    names[0] = '\0';
    for (int i = 0; i < OPTION_COUNT_MAX && used < NAMES_BYTES; i++)
        if (is_picked[i])
            used += (size_t)snprintf(names + used, NAMES_BYTES - used, "%s--%s",
                                     named++ == 0     ? ""
                                     : named == count ? " and "
                                                      : ", ",
                                     options[i].name);
    return count;
}

static int check_needed(const struct command_usage *usage,
                        const bool is_said[static OPTION_COUNT_MAX])
{
    const struct option_spec *options = usage->options;
    bool is_needed[OPTION_COUNT_MAX] = {0}, is_missing = false;
    char names[NAMES_BYTES];
    int count;

    for (int i = 0; options && options[i].name; i++) {
        is_needed[i] = options[i].kind & OPTION_NEEDED;
        is_missing |= is_needed[i] && !is_said[i];
    }
    if (!is_missing)
        return OPTIONS_GO_ON;
    count = name_options(options, is_needed, names);
    return usage_wrong(usage, "%s %s needed", names, count > 1 ? "are" : "is");
}

/* Options that would be passed over without the first of the table. */
static int check_first(const struct command_usage *usage,
                       const bool is_said[static OPTION_COUNT_MAX])
{
    const struct option_spec *options = usage->options;
    bool is_idle[OPTION_COUNT_MAX] = {0};
    char names[NAMES_BYTES];
    int count;

    for (int i = 0; options && options[i].name; i++)
        is_idle[i] = is_said[i] && !is_said[0] && options[i].kind & OPTION_WITH_FIRST;
    count = name_options(options, is_idle, names);
    if (count == 0)
        return OPTIONS_GO_ON;
    return usage_wrong(usage, "%s %s with --%s", names, count > 1 ? "go" : "goes",
                       options[0].name);
}

int options_parse(const struct command_usage *usage, int argc, char **argv,
                  const char **positionals)
{
    struct option table[OPTION_COUNT_MAX + 2];
    bool is_said[OPTION_COUNT_MAX] = {0};
    int help = make_table(usage, table), answer, index, code;

    optind = 0; /* start afresh, as the GNU library wants it */
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (answer < FIRST_ANSWER)
            return refuse_option(usage, answer, argv[optind - 1], table);
        if (answer == FIRST_ANSWER + help)
            return print_help(usage);
        index = answer - FIRST_ANSWER;
        code = take_value(usage, &usage->options[index], is_said[index], optarg);
        if (code != OPTIONS_GO_ON)
            return code;
        is_said[index] = true;
    }
    code = take_positionals(usage, argc - optind, argv + optind, positionals);
    if (code == OPTIONS_GO_ON)
        code = check_needed(usage, is_said);
    return code == OPTIONS_GO_ON ? check_first(usage, is_said) : code;
}

/* Whether the sentence ends with what the first fault says, as it does unless somebody
 * wrote a better one; *before: how much stands before that. */
static bool ends_with_fault(const struct err *err, int *before)
{
    const struct fault *first = &err->faults[0];
    size_t bytes = strlen(err->text);
    char said[sizeof first->pointer + sizeof first->detail + 2];
    size_t said_bytes = (size_t)snprintf(said, sizeof said, "%s%s%s", first->pointer,
                                         first->pointer[0] ? ": " : "", first->detail);

    *before = (int)(bytes - said_bytes);
    return bytes >= said_bytes && strcmp(err->text + bytes - said_bytes, said) == 0;
}

int command_failed(const struct err *err)
{
    int before = 0;
    bool is_said = err->fault_count > 0 && ends_with_fault(err, &before);

    if (is_said && err->fault_count > 1)
        print_line(stderr, "redress: %.*s%d faults", before, err->text, err->fault_count);
    else
        print_line(stderr, "redress: %s", err->text);
    for (int i = 0; i < err->fault_count && !(is_said && err->fault_count == 1); i++)
        print_line(stderr, "  %s%s%s", err->faults[i].pointer,
                   err->faults[i].pointer[0] ? ": " : "", err->faults[i].detail);
    return EXIT_REFUSED;
}

static const char wrong_usage[] = "wrong_usage";

enum status option_checked(enum status rc, struct err *err)
{
    if (rc == STATUS_INVALID || rc == STATUS_TOO_LARGE)
        strcpy(err->code, wrong_usage);
    return rc;
}

int command_end(const struct command_usage *usage, enum status rc, const struct err *err)
{
    if (!rc)
        return EXIT_DONE;
    return strcmp(err->code, wrong_usage) == 0 ? usage_wrong(usage, "%s", err->text)
                                               : command_failed(err);
}
