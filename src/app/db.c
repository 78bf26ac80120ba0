/* db.c - redress db, redress audit: care for the data of a folder, also while a service runs. */
#include "app/client.h"
#include "app/commands.h"
#include "decide/service.h"
#include "store/store.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct figure {
    const char *name; /* NULL ends the list */
    int64_t value;
};

static void print_figures(const struct figure *figures, bool is_json)
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

/* --- what the commands have in common --------------------------------------------------------- */

struct target {
    const char *folder;
    bool is_json;
};

/* A command. positional: what follows it, or NULL. run returns the code to exit with. */
struct care {
    const char *synopsis, *summary;
    int positional_count;
    int (*run)(const struct target *target, const char *positional, struct err *err);
};

static int care_main(const struct care *care, int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {
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
    };
    const struct command_usage usage = {
        .synopsis = care->synopsis,
        .summary = care->summary,
        .positional_min = care->positional_count,
        .positional_max = care->positional_count,
        .options = options,
    };
    const char *positionals[2];
    int code = options_parse(&usage, argc, argv, positionals);
    struct target target;
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    target = (struct target){client_folder(&settings), settings.is_json};
    return care->run(&target, positionals[0], &err);
}

static enum status open_reader(const struct target *target, struct store **store,
                               struct err *err)
{
    char path[CLIENT_PATH_BYTES];

    snprintf(path, sizeof path, "%s/redress.db", target->folder);
    return store_open(path, STORE_READER, store, NULL, err);
}

/* --- check ------------------------------------------------------------------------------------ */

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

        printf(", \"first_fault\": ");
        json_dumpf(fault, stdout, JSON_ENCODE_ANY);
        puts("}");
        json_decref(fault);
    } else if (report->fault_count > 0) {
        print_line(stderr, "redress: %s", report->first_fault);
    }
}

static int check(const struct target *target, const char *, struct err *err)
{
    struct store_report report = {0};
    struct store *store = NULL;
    enum status rc = open_reader(target, &store, err);

    if (!rc)
        rc = store_check(store, &report, err);
    store_close(store);
    if (rc)
        return command_failed(err);
    print_report(&report, target->is_json);
    return report.fault_count > 0 ? EXIT_REFUSED : EXIT_DONE;
}

static int db_check(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "db check [OPTIONS]",
        .summary =
            "Check the database: its structure, both hash chains, each balance "
            "against the sum of its entries, and that no budget is overspent. Exit "
            "code 1 when a check fails.",
        .run = check,
    };

    return care_main(&care, argc, argv);
}

static int audit_verify(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "audit verify [OPTIONS]",
        .summary = "Verify the hash chains of the audit trail and the ledger, with all "
                   "that 'db check' checks. Exit code 1 when a check fails.",
        .run = check,
    };

    return care_main(&care, argc, argv);
}

/* --- backup, stats, migrate ------------------------------------------------------------------- */

static int backup(const struct target *target, const char *destination, struct err *err)
{
    struct store *store = NULL;
    enum status rc = open_reader(target, &store, err);

    if (!rc)
        rc = store_backup(store, destination, err);
    store_close(store);
    if (rc)
        return command_failed(err);
    if (target->is_json) {
        json_t *name = json_pack("{s:s}", "backup", destination);

        json_dumpf(name, stdout, 0);
        putchar('\n');
        json_decref(name);
    } else {
        printf("%s: written and checked\n", destination);
    }
    return EXIT_DONE;
}

static int db_backup(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "db backup DEST [OPTIONS]",
        .summary = "Write a consistent copy of the database to the file DEST while the "
                   "service runs, and check the copy. An existing DEST is refused. To "
                   "restore: an empty folder with the copy as redress.db.",
        .positional_count = 1,
        .run = backup,
    };

    return care_main(&care, argc, argv);
}

static int stats(const struct target *target, const char *, struct err *err)
{
    struct store_stats stored;
    struct store *store = NULL;
    enum status rc = open_reader(target, &store, err);

    if (!rc)
        rc = store_stats(store, &stored, err);
    store_close(store);
    if (rc)
        return command_failed(err);
    print_figures(
        (const struct figure[]){
            {"schema_version", stored.schema_version},
            {"file_bytes", stored.file_bytes},
            {"wal_bytes", stored.wal_bytes},
            {"decisions", stored.decision_count},
            {"ledger_entries", stored.entry_count},
            {"answers", stored.answer_count},
            {"budgets", stored.budget_count},
            {"policies", stored.policy_count},
            {"model_versions", stored.model_version_count},
            {"api_keys", stored.api_key_count},
            {"audit_events", stored.audit_count},
            {0},
        },
        target->is_json);
    if (target->is_json)
        puts("}");
    return EXIT_DONE;
}

static int db_stats(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "db stats [OPTIONS]",
        .summary = "Print sizes and counts.",
        .run = stats,
    };

    return care_main(&care, argc, argv);
}

/* Opening for writing, under the folder's lock, is what migrates. */
static enum status open_for_writing(const char *folder, struct err *err)
{
    const struct service_settings settings = {
        .folder = folder,
        .clock = &system_clock,
        .build = version_build(),
        .reader_count = 1,
        .queue_capacity = 1,
        .price_interval_ms = 1000,
    };
    struct service *service = NULL;
    bool was_created = false;
    enum status rc = service_open(&settings, &service, &was_created, err);

    service_close(service);
    return rc;
}

static int migrate(const struct target *target, const char *, struct err *err)
{
    struct store *store = NULL;

    /* A folder without a database is not one to be migrated, and must not become one. */
    if (open_reader(target, &store, err) == STATUS_NOT_FOUND)
        return command_failed(err);
    store_close(store);
    err_clear(err);
    if (open_for_writing(target->folder, err))
        return command_failed(err);
    return stats(target, NULL, err);
}

static int db_migrate(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "db migrate [OPTIONS]",
        .summary = "Bring the schema up to date, as 'serve' does when it starts. No "
                   "service may run on the folder.",
        .run = migrate,
    };

    return care_main(&care, argc, argv);
}

int command_db(int argc, char **argv)
{
    static const struct command commands[] = {
        {"check", "Check everything that is stored", .run = db_check},
        {"backup", "Write a consistent copy", .run = db_backup},
        {"stats", "Sizes and counts", .run = db_stats},
        {"migrate", "Bring the schema up to date", .run = db_migrate},
        {0},
    };

    return command_dispatch("db", "Care for the data of a folder.", commands, argc, argv);
}

int command_audit(int argc, char **argv)
{
    static const struct command commands[] = {
        {"verify", "Verify the hash chains", .run = audit_verify},
        {0},
    };

    return command_dispatch("audit", "Who changed what, when and why.", commands, argc,
                            argv);
}
