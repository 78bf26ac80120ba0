/* db.c - redress db: care for the data of a folder, also while a service runs. */
#include "app/care.h"
#include "app/client.h"
#include "app/commands.h"
#include "decide/service.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

static int db_check(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "db check [OPTIONS]",
        .summary =
            "Check the database: its structure, the digest of every row, both hash "
            "chains, each balance against the sum of its entries, and that no budget is "
            "overspent. Exit code 1 when a check fails.",
        .run = care_check,
    };

    return care_main(&care, argc, argv);
}

/* --- backup, stats, migrate ------------------------------------------------------------------- */

static int64_t file_bytes(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? info.st_size : 0;
}

static int backup(const struct target *target, const char *destination, struct err *err)
{
    struct store *store = NULL;
    enum status rc = care_reader(target, &store, err);

    if (!rc)
        rc = store_backup(store, destination, err);
    store_close(store);
    if (rc)
        return command_failed(err);
    if (target->is_json) {
        json_t *name = json_pack("{s:s, s:I}", "backup", destination, "file_bytes",
                                 (json_int_t)file_bytes(destination));

        json_dumpf(name, stdout, 0);
        putchar('\n');
        json_decref(name);
    } else {
        printf("%s: written; its structure and newest part are checked ('redress db "
               "check' looks at all)\n",
               destination);
    }
    return EXIT_DONE;
}

static int db_backup(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "db backup DEST [OPTIONS]",
        .summary =
            "Write a consistent copy of the database to the file DEST while the "
            "service runs, and check its structure and newest part as a start does "
            "('redress "
            "db check' looks at all). An existing DEST is refused. To "
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
    enum status rc = care_reader(target, &store, err);

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
            {"outcomes", stored.outcome_count},
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
    if (care_reader(target, &store, err) == STATUS_NOT_FOUND)
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
