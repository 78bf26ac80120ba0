/* care.c - options, figures and the check of the commands that care for data. */
#include "app/care.h"

#include "app/client.h"
#include "app/commands.h"
#include "decide/service.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

void print_figures(const struct figure *figures, bool is_json)
{
    int width = 0;

    for (const struct figure *f = figures; f->name; f++)
        if ((int)strlen(f->name) > width)
            width = (int)strlen(f->name);
    for (const struct figure *f = figures; f->name; f++) {
        if (is_json)
            printf("%s\"%s\": %" PRId64, f == figures ? "{" : ", ", f->name, f->value);
        else
            printf("%s:%*s %" PRId64 "\n", f->name, width - (int)strlen(f->name), "",
                   f->value);
    }
}

/* --- the command line ------------------------------------------------------------------------- */

int care_main(const struct care *care, int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *head = NULL;
    struct option_spec options[] = {
        {.name = "data",
         .kind = OPTION_TEXT,
         .target = &settings.data,
         .argument = "DIR",
         .help = "The data folder (default: $REDRESS_DATA, else data)."},
        {.name = "json",
         .kind = OPTION_FLAG,
         .target = &settings.is_json,
         .help = "Print JSON."},
        {0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = care->synopsis,
        .summary = care->summary,
        .positional_min = care->positional_count,
        .positional_max = care->positional_count,
        .options = options,
    };
    const char *positionals[2];
    struct target target;
    struct err err;
    int code;

    if (care->takes_head)
        options[2] = (struct option_spec){
            .name = "head",
            .kind = OPTION_TEXT,
            .target = &head,
            .argument = "FILE",
            .help = "What 'audit head' once wrote: the chains must still have it."};
    code = options_parse(&usage, argc, argv, positionals);

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    target = (struct target){client_folder(&settings), settings.is_json, head};
    if (service_folder_check(target.folder, &err))
        return command_failed(&err);
    return care->run(&target, positionals[0], &err);
}

enum status care_reader(const struct target *target, struct store **store,
                        struct err *err)
{
    char path[CLIENT_PATH_BYTES];

    snprintf(path, sizeof path, "%s/redress.db", target->folder);
    return store_open(path, STORE_READER, store, NULL, err);
}

/* --- check ------------------------------------------------------------------------------------ */

static void print_head(const char *name, const struct chain_end *end)
{
    char digits[2 * sizeof end->hash + 1];

    sodium_bin2hex(digits, sizeof digits, end->hash, sizeof end->hash);
    printf("\"%s\": {\"seq\": %" PRId64 ", \"hash\": \"%s\"}", name, end->seq, digits);
}

void print_heads(const struct store_heads *heads)
{
    putchar('{');
    print_head("entries", &heads->entries);
    printf(", ");
    print_head("audit", &heads->audit);
    putchar('}');
}

static void print_report(const struct store_report *report, bool is_json)
{
    const struct figure figures[] = {
        {"budgets", report->budget_count}, {"decisions", report->decision_count},
        {"entries", report->entry_count},  {"audit_events", report->audit_count},
        {"faults", report->fault_count},   {0},
    };

    print_figures(figures, is_json);
    if (is_json) {
        json_t *fault =
            report->first_fault[0] ? json_string(report->first_fault) : json_null();

        printf(", \"chains\": ");
        print_heads(&report->heads);
        printf(", \"first_fault\": ");
        json_dumpf(fault, stdout, JSON_ENCODE_ANY);
        puts("}");
        json_decref(fault);
    } else if (report->fault_count > 0) {
        print_line(stderr, "redress: %s", report->first_fault);
    }
}

int care_check_also(const struct target *target,
                    enum status (*also)(struct store *store, const void *context,
                                        struct store_report *report, struct err *err),
                    const void *context, struct err *err)
{
    struct store_report report = {0};
    struct store *store = NULL;
    enum status rc = care_reader(target, &store, err);

    if (!rc)
        rc = store_check(store, &report, err);
    if (!rc && also)
        rc = also(store, context, &report, err);
    store_close(store);
    if (rc)
        return command_failed(err);
    print_report(&report, target->is_json);
    return report.fault_count > 0 ? EXIT_REFUSED : EXIT_DONE;
}

int care_check(const struct target *target, const char *, struct err *err)
{
    return care_check_also(target, NULL, NULL, err);
}
