/* store.c - the connection: opened with every guard SQLite has, and its transactions. */
#include "store/store.h"

#include "base/file.h"
#include "store/claim.h"
#include "store/log_file.h"
#include "store/sql.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUSY_STEP_US = 500,         /* between attempts to lock the database, */
    BUSY_STEP_COUNT = 10000,    /* for 5 s or a little more */
    VALUE_BYTES_MAX = 80 << 20, /* a whole model bundle, and room to spare */
};

static const char *const statement_texts[SQL_COUNT] = {
#define SQL_TEXT(name, role, text) [SQL_##name] = text,
    STORE_STATEMENTS(SQL_TEXT)
#undef SQL_TEXT
};

enum { READ, WRITE };
static const char statement_roles[SQL_COUNT] = {
#define SQL_ROLE(name, role, text) [SQL_##name] = role,
    STORE_STATEMENTS(SQL_ROLE)
#undef SQL_ROLE
};

/* Nothing in a damaged or hostile file may make SQLite run code, follow views into
 * trouble, or grow without bounds. */
static const struct {
    int limit, value;
} limits[] = {
    {SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX},
    {SQLITE_LIMIT_SQL_LENGTH, 32 << 10},
    {SQLITE_LIMIT_COLUMN, 64},
    {SQLITE_LIMIT_EXPR_DEPTH, 100},
    {SQLITE_LIMIT_COMPOUND_SELECT, 10},
    {SQLITE_LIMIT_VDBE_OP, 25000},
    {SQLITE_LIMIT_FUNCTION_ARG, 32},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 32},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 4},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

/* References are looked up by the check (check.c), not by every insert: four of five are
 * of rows that were written a moment ago in the same transaction. */
static const struct {
    int option, value;
} guards[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_FKEY, 0}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1},
    {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_DQS_DDL, 0},     {SQLITE_DBCONFIG_DQS_DML, 0},
};

/* Memory maps of the database stay off: an I/O error must be an error, not SIGBUS. The
 * log's index is mapped nevertheless: see data_shm_map (data_file.c) and what the program
 * does about that signal (main.c). */
static const char common_pragmas[] = "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;"
                                     "PRAGMA temp_store = MEMORY;";

/* The log is moved into the file by a thread of its own (store_checkpoint), and never
 * cut: a large log that is written again needs no metadata at each commit. Pages stay in
 * memory until the commit, but for a migration. */
static const char writer_pragmas[] =
    "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = -1; PRAGMA cache_size = -32768;"
    "PRAGMA cache_spill = OFF;";

static const char reader_pragmas[] =
    "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = -1; PRAGMA cache_size = -4096; PRAGMA query_only = ON;";

/* What a reader may compile: reads, and the checks. */
static int reader_may(void *context, int action, const char *first, const char *second,
                      const char *database, const char *trigger)
{
    static const char *const pragmas[] = {
        "integrity_check", "quick_check", "foreign_key_check",
        "user_version",    "query_only",  "application_id",
    };

    (void)context, (void)second, (void)database, (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_TRANSACTION:
        return SQLITE_OK;
    case SQLITE_PRAGMA:
        for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++)
            if (strcmp(first, pragmas[i]) == 0)
                return SQLITE_OK;
        return SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static bool is_empty(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && info.st_size == 0;
}

/* To SQLite an empty file is a new database: it would even throw a log beside it away.
 * Whoever emptied it, all money in it would be forgotten. */
static enum status check_present(const char *path, struct err *err)
{
    if (access(path, F_OK) != 0)
        return err_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                       "cannot open '%s': %s", path, strerror(errno));
    if (is_empty(path))
        return err_set(err, STATUS_CORRUPT,
                       "'%s' is empty: restore a backup, or delete it to begin anew",
                       path);
    return STATUS_OK;
}

static enum status check_readable(const char *path, struct err *err)
{
    enum status rc = check_present(path, err);

    return rc ? rc : store_reader_check(path, err);
}

static int wait_a_moment(void *context, int count)
{
    (void)context;
    if (count >= BUSY_STEP_COUNT)
        return 0;
    usleep(BUSY_STEP_US);
    return 1;
}

static enum status connect(struct store *store, struct err *err)
{
    const char *layer = log_file_layer();
    int code = SQLITE_NOMEM;
    enum status rc;

    if (layer)
        code = sqlite3_open_v2(store->path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE,
                               layer);
    if (code != SQLITE_OK)
        return sql_fail(store, code, "open the database", err);
    sqlite3_busy_handler(store->db, wait_a_moment, NULL);
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) {
        code = sqlite3_db_config(store->db, guards[i].option, guards[i].value, NULL);
        if (code != SQLITE_OK)
            return sql_fail(store, code, "guard the database", err);
    }
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        sqlite3_limit(store->db, limits[i].limit, limits[i].value);
    rc = sql_run(store, common_pragmas, "configure the database", err);
    return rc ? rc : digest_provide(store, err);
}

/* A migration may change every row: what does not fit into the cache goes to the log
 * meanwhile, and what a statement would need to be undone to a file, not to memory. */
static enum status migrate(struct store *store, bool *was_created, struct err *err)
{
    enum status rc = sql_run(store, "PRAGMA cache_spill = ON; PRAGMA temp_store = FILE",
                             "configure the database", err);

    if (!rc)
        rc = schema_migrate(store, was_created, err);
    return rc ? rc
              : sql_run(store, "PRAGMA cache_spill = OFF; PRAGMA temp_store = MEMORY",
                        "configure the database", err);
}

static enum status configure_writer(struct store *store, bool *was_created,
                                    struct err *err)
{
    sqlite3_stmt *statement = NULL;
    enum status rc = sql_run(store, writer_pragmas, "configure the database", err);
    int64_t version;
    bool is_wal = false;
    int code;

    /* A newer or a foreign file stays as it is, its journal mode too. */
    if (!rc)
        rc = schema_version(store, &version, err);
    if (rc)
        return rc;
    code =
        sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *journal = (const char *)sqlite3_column_text(statement, 0);

        is_wal = journal && strcmp(journal, "wal") == 0;
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW)
        return sql_fail(store, code, "switch to a write-ahead log", err);
    if (!is_wal)
        return err_set(err, STATUS_IO, "'%s' cannot have a write-ahead log: %s",
                       store->path, "its file system lacks shared memory or locks");
    return migrate(store, was_created, err);
}

static enum status configure_reader(struct store *store, struct err *err)
{
    enum status rc = sql_run(store, reader_pragmas, "configure the database", err);

    if (!rc)
        rc = schema_check(store, err);
    if (!rc)
        sqlite3_set_authorizer(store->db, reader_may, NULL);
    return rc;
}

static enum status prepare_all(struct store *store, struct err *err)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        int code;

        if (store->mode == STORE_READER && statement_roles[i] == WRITE)
            continue;
        code = sqlite3_prepare_v3(store->db, statement_texts[i], -1,
                                  SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);
        if (code != SQLITE_OK)
            return sql_fail(store, code, "prepare a statement", err);
    }
    return STATUS_OK;
}

static struct store *store_new(const char *path, enum store_mode mode, struct err *err)
{
    size_t path_bytes = strlen(path) + 1;
    struct store *store = calloc(1, sizeof *store + path_bytes);

    if (!store) {
        (void)err_set(err, STATUS_EXHAUSTED, "no memory to open '%s'", path);
        return NULL;
    }
    store->mode = mode;
    memcpy(store->path, path, path_bytes);
    return store;
}

/* --- a new database --------------------------------------------------------------------------- */

/* What an attempt has left, or may have. */
static void clear_away(const char *fresh)
{
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s%s", fresh, endings[i]);
        unlink(path);
    }
}

/* A log beside it would become part of the new database, or be thrown away; it may hold
 * money. */
static enum status check_alone(const char *path, struct err *err)
{
    static const char *const endings[] = {"-wal", "-journal"};
    char beside[PATH_MAX];

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(beside, sizeof beside, "%s%s", path, endings[i]);
        if (access(beside, F_OK) == 0)
            return err_set(
                err, STATUS_CORRUPT,
                "'%s' is missing, but its log '%s' is there: restore a backup, "
                "or delete the log to begin anew",
                path, beside);
    }
    return STATUS_OK;
}

/* SQLite gives a new file the mode of the process; ours holds customers and keys. */
static enum status make_private(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, STATUS_IO, "cannot create '%s': %s", path, strerror(errno));
    close(fd);
    return STATUS_OK;
}

/* The whole schema in one file, which is on disk when it is closed. */
static enum status fill(const char *fresh, struct err *err)
{
    struct store *store = store_new(fresh, STORE_WRITER, err);
    enum status rc = store ? connect(store, err) : STATUS_EXHAUSTED;
    bool was_created;

    if (!rc)
        rc = sql_run(store, "PRAGMA synchronous = FULL", "configure the database", err);
    if (!rc)
        rc = schema_migrate(store, &was_created, err);
    store_close(store);
    return rc;
}

/* Made beside, then named: whenever the power goes, under its name there is a whole
 * database or none, so that an empty one is always somebody's mistake. What has the name
 * beside is deleted; it is none that people would give a copy which they are about to put
 * back. */
static enum status make_new(const char *path, bool *is_made, struct err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char fresh[PATH_MAX];
    int n = snprintf(fresh, sizeof fresh, "%.*s.%s.being-made", (int)(name - path), path,
                     name);
    enum status rc;

    if (n < 0 || (size_t)n >= sizeof fresh - 8)
        return err_set(err, STATUS_INVALID, "the path '%.64s...' is too long", path);
    rc = check_alone(path, err);
    if (rc)
        return rc;
    clear_away(fresh);
    rc = make_private(fresh, err);
    if (!rc)
        rc = fill(fresh, err);
    if (!rc) {
        rc = file_rename_new(fresh, path, err);
        *is_made = !rc;
        if (rc == STATUS_CONFLICT) /* another process was faster */
            rc = STATUS_OK;
    }
    if (!*is_made)
        clear_away(fresh);
    return rc ? rc : file_name_sync(path, err);
}

static enum status file_prepare(const char *path, enum store_mode mode, bool *is_made,
                                struct err *err)
{
    if (mode == STORE_WRITER && access(path, F_OK) != 0 && errno == ENOENT)
        return make_new(path, is_made, err);
    return mode == STORE_WRITER ? check_present(path, err) : check_readable(path, err);
}

/* Damage is told with what to do about it, once. */
static enum status open_failed(const char *path, struct err *err)
{
    enum status rc = err_wrap(err, "open '%s'", path);
    size_t bytes = strlen(err->text);

    if (rc == STATUS_CORRUPT && !strstr(err->text, "restore a backup"))
        snprintf(err->text + bytes, sizeof err->text - bytes, ": restore a backup");
    return rc;
}

enum status store_open(const char *path, enum store_mode mode, struct store **store,
                       bool *was_created, struct err *err)
{
    bool is_made = false, is_new = false;
    struct store *opened = store_new(path, mode, err);
    enum status rc;

    *store = NULL;
    if (!opened)
        return STATUS_EXHAUSTED;
    rc = file_prepare(path, mode, &is_made, err);
    if (!rc) {
        rc = connect(opened, err);
        if (!rc && mode == STORE_WRITER)
            rc = configure_writer(opened, &is_new, err);
        if (!rc && mode == STORE_READER)
            rc = configure_reader(opened, err);
        if (!rc)
            rc = prepare_all(opened, err);
        if (rc)
            rc = open_failed(path, err);
    }
    if (rc) {
        store_close(opened);
        return rc;
    }
    if (was_created)
        *was_created = is_made || is_new;
    *store = opened;
    return STATUS_OK;
}

enum status store_schema_version(const char *path, int64_t *version, struct err *err)
{
    struct store *store = store_new(path, STORE_READER, err);
    enum status rc;

    if (!store)
        return STATUS_EXHAUSTED;
    rc = check_readable(path, err);
    if (!rc) {
        rc = connect(store, err);
        if (!rc)
            rc = sql_run(store, reader_pragmas, "configure the database", err);
        if (!rc)
            rc = schema_version(store, version, err);
        if (rc)
            rc = open_failed(path, err);
    }
    store_close(store);
    return rc;
}

bool store_has_failed(const struct store *store)
{
    return store && store->has_failed;
}

int64_t store_change_count(const struct store *store)
{
    return sqlite3_total_changes64(store->db);
}

int64_t store_failure_count(const struct store *store)
{
    return store->failure_count;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store->packing);
    free(store);
}

/* --- transactions --------------------------------------------------------------------------- */

static unsigned data_version(struct store *store)
{
    unsigned version = 0;

    (void)sqlite3_file_control(store->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

/* A rollback can itself fail for want of memory; then the transaction is still there. */
static bool is_idle(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return sqlite3_get_autocommit(store->db);
}

const char *store_trouble(const struct store *store)
{
    switch (store->trouble) {
    case SQLITE_OK:
        return NULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "nothing can be recorded: the database is damaged";
    case SQLITE_FULL:
        return "nothing can be recorded: the disk is full";
    case SQLITE_READONLY:
        return "nothing can be recorded: the database may not be written";
    default:
        return "nothing can be recorded: the disk reports errors";
    }
}

enum status store_begin(struct store *store, struct err *err)
{
    struct query query;
    enum status rc;

    assert(store->mode == STORE_WRITER);
    if (store->has_failed)
        return err_set(err, STATUS_IO,
                       "an earlier write did not reach the disk: open the store again");
    if (!is_idle(store))
        return err_set(err, STATUS_IO, "an earlier transaction could not be ended");
    query = query_start(store, SQL_BEGIN_WRITE);
    rc = query_run(&query, "begin a transaction", err);
    if (rc)
        return rc;
    /* Another process may have written meanwhile. */
    if (store->data_version != data_version(store))
        chains_forget(store);
    store->is_writing = true;
    store->began_at = store_change_count(store);
    store->has_answer = false;
    return STATUS_OK;
}

/* A disk that takes anything is well again. In a damaged file other tables can still be
 * written: there only an answer shows that requests are. */
static void end_trouble(struct store *store)
{
    bool is_damage = store->trouble == SQLITE_CORRUPT || store->trouble == SQLITE_NOTADB;

    if (is_damage ? store->has_answer : store_change_count(store) != store->began_at)
        store->trouble = SQLITE_OK;
}

/* In place of itself: an update to the same bytes would touch no page. */
enum status store_write_again(struct store *store, struct err *err)
{
    struct query query = query_write(store, SQL_WRITE_AGAIN);

    return query_run(&query, "write a row again", err);
}

enum status store_commit(struct store *store, struct err *err)
{
    enum status rc = chains_save(store, err);

    if (!rc) {
        struct query query = query_write(store, SQL_COMMIT);

        rc = query_run(&query, "commit", err);
    }
    if (rc) {
        store_rollback(store);
        return rc;
    }
    store->is_writing = false;
    end_trouble(store);
    store->data_version = data_version(store);
    return STATUS_OK;
}

void store_rollback(struct store *store)
{
    (void)is_idle(store);
    store->is_writing = false;
    chains_forget(store);
}

enum status store_read_begin(struct store *store, struct err *err)
{
    struct query query = query_start(store, SQL_BEGIN_READ);

    if (!is_idle(store))
        return err_set(err, STATUS_IO, "an earlier transaction could not be ended");
    return query_run(&query, "begin to read", err);
}

void store_read_end(struct store *store)
{
    (void)is_idle(store);
}
