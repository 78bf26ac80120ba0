/* schema.c - the tables, as an append-only list of migrations counted by PRAGMA
 * user_version.
 *
 * Enumerations are stored as the numbers of their headers; new values go at the end
 * there. An empty optional text or moment is NULL. */
#include "store/decisions.h"
#include "store/ledger.h"
#include "store/sql.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* "Rdrs" in the file's header, so that file(1) and we know whose database it is. */
enum { APPLICATION_ID = 0x52647273 };

static_assert(DECISION_HELD == 0 && DECISION_SETTLED == 1 && DECISION_NONE == 4);
static_assert(OUTCOME_FALLBACK == 3 && MODE_DRY_RUN == 3);
static_assert(ENTRY_HOLD == 0 && ENTRY_SETTLE == 1 && ENTRY_EXPIRE == 3 &&
              ENTRY_ADJUST == 4 && ENTRY_OVERRIDE == 5 && ENTRY_ROLL == 6 &&
              ENTRY_UNFUNDED == 7);
static_assert(PERIOD_TOTAL == 3 && PACING_EVEN == 1 && PACING_PROFILE == 3);
static_assert(MONEY_MINOR_MAX == 9007199254740991);

#define MONEY(column)                                                                    \
    column " INTEGER NOT NULL CHECK (" column " BETWEEN 0 AND 9007199254740991)"
#define TIME(column)    column " INTEGER NOT NULL CHECK (" column " >= 0)"
#define TIME_OR(column) column " INTEGER CHECK (" column " > 0)"
#define HASH(column)    column " BLOB NOT NULL CHECK (length(" column ") = 32)"

/* Rows of this table stay as they were written. */
#define NEVER_CHANGES(table)                                                             \
    "CREATE TRIGGER " table "_no_update BEFORE UPDATE ON " table                         \
    " BEGIN SELECT RAISE(ABORT, '" table " rows never change'); END;"                    \
    "CREATE TRIGGER " table "_no_delete BEFORE DELETE ON " table                         \
    " BEGIN SELECT RAISE(ABORT, '" table " rows are never deleted'); END;"

/* Tables whose rows have a digest, and the columns it is of; apart those whose rows never
 * change. */
#define DIGESTED_TABLES(CHANGES, STAYS)                                                  \
    CHANGES("answers", "scope_key, request_hash, http_status, body, revision, location," \
                       " created_at_us")                                                 \
    CHANGES("decisions",                                                                 \
            "id, parent_id, answer_number, created_at_us, updated_at_us,"                \
            " hold_expires_at_us, outcome, mode, status, amount, goodwill,"              \
            " settled_amount, currency, customer_id, order_id, case_id, issue,"          \
            " external_ref, context")                                                    \
    CHANGES("budgets",                                                                   \
            "id, market, issue, segment, channel, scope_currency, currency,"             \
            " period, time_zone, pacing, limit_minor, held_minor, spent_minor,"          \
            " unfunded_minor, expected_cases, case_count, shadow_price,"                 \
            " period_starts_at_us, period_ends_at_us, created_at_us, updated_at_us,"     \
            " revision, ended_minor, returned_minor, removed_at_us")                     \
    CHANGES("model_versions",                                                            \
            "name, version, sha256, bytes, created_at_us, created_by, is_deleted,"       \
            " manifest")                                                                 \
    CHANGES("api_keys",                                                                  \
            "id, name, scopes, hash, created_at_us, expires_at_us, revoked_at_us")       \
    CHANGES("price_snapshot", "id, published_at_us")                                     \
    CHANGES("traffic_cells", "hash, market, issue, segment, channel, currency")          \
    CHANGES("traffic_curves", "slot, cell, content")                                     \
    STAYS("model_files", "model_name, version, name, content")                           \
    STAYS("alias_moves", "name, alias, version, moved_at_us, moved_by, reason")          \
    STAYS("policy_revisions", "id, revision, created_at_us, created_by, reason,"         \
                              " document")                                               \
    STAYS("secrets", "name, value")

#define DIGEST_COLUMN(table)                                                             \
    "ALTER TABLE " table " ADD COLUMN digest INTEGER NOT NULL DEFAULT 0;"
#define UNLOCKED(table, change)                                                          \
    "DROP TRIGGER " table "_no_update; DROP TRIGGER " table "_no_delete;" change         \
    NEVER_CHANGES(table)
#define DIGEST_FIRST(table, columns)                                                     \
    DIGEST_COLUMN(table) "UPDATE " table " SET digest = row_digest_1(" columns ");"
#define DIGEST_FIRST_ONCE(table, columns) UNLOCKED(table, DIGEST_FIRST(table, columns))
#define DIGEST_AGAIN(table, columns)                                                     \
    "UPDATE " table " SET digest = unless_changed('" table "', rowid,"                   \
    " digest = row_digest_1(" columns "), row_digest(" columns "));"
#define DIGEST_AGAIN_ONCE(table, columns) UNLOCKED(table, DIGEST_AGAIN(table, columns))

/* clang-format off */
static const char *const migrations[] = {
    /* 1: the first schema. */
    "CREATE TABLE budgets ("
    " number INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 63"
    "  AND id NOT GLOB '*[^a-zA-Z0-9_]*'),"
    " market TEXT NOT NULL, issue TEXT NOT NULL, segment TEXT NOT NULL,"
    " channel TEXT NOT NULL, scope_currency TEXT NOT NULL,"
    " currency TEXT NOT NULL CHECK (length(currency) = 3),"
    " period INTEGER NOT NULL CHECK (period BETWEEN 0 AND 3),"
    " time_zone TEXT NOT NULL,"
    " pacing INTEGER NOT NULL CHECK (pacing BETWEEN 0 AND 1),"
    " " MONEY("limit_minor") "," MONEY("held_minor") "," MONEY("spent_minor") ","
    " " MONEY("unfunded_minor") ","
    " expected_cases INTEGER NOT NULL CHECK (expected_cases >= 0),"
    " case_count INTEGER NOT NULL CHECK (case_count >= 0),"
    " shadow_price REAL NOT NULL CHECK (shadow_price >= 0),"
    " period_starts_at_us INTEGER NOT NULL,"
    " period_ends_at_us INTEGER NOT NULL CHECK (period_ends_at_us > period_starts_at_us),"
    " " TIME("created_at_us") "," TIME("updated_at_us") ","
    " revision INTEGER NOT NULL CHECK (revision >= 1),"
    " " TIME_OR("removed_at_us")
    ") STRICT;"

    /* Answers come first: a decision names the answer that holds its JSON. */
    "CREATE TABLE answers ("
    " number INTEGER PRIMARY KEY,"
    " scope_key TEXT UNIQUE CHECK (scope_key <> ''),"
    " " HASH("request_hash") ","
    " http_status INTEGER NOT NULL CHECK (http_status BETWEEN 100 AND 599),"
    " body TEXT NOT NULL,"
    " revision INTEGER NOT NULL CHECK (revision >= 0), location TEXT,"
    " " TIME("created_at_us")
    ") STRICT;"

    "CREATE TABLE decisions ("
    " number INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 31),"
    " parent_id TEXT REFERENCES decisions (id),"
    " answer_number INTEGER REFERENCES answers (number),"
    " " TIME("created_at_us") "," TIME("updated_at_us") ","
    " " TIME_OR("hold_expires_at_us") ","
    " outcome INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND 3),"
    " mode INTEGER NOT NULL CHECK (mode BETWEEN 0 AND 3),"
    " status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),"
    " " MONEY("amount") "," MONEY("goodwill") "," MONEY("settled_amount") ","
    " currency TEXT NOT NULL CHECK (length(currency) = 3),"
    " customer_id TEXT NOT NULL, order_id TEXT, case_id TEXT NOT NULL,"
    " issue TEXT NOT NULL, external_ref TEXT, context TEXT NOT NULL,"
    " CHECK (goodwill <= amount), CHECK (settled_amount <= amount)"
    ") STRICT;"
    "CREATE INDEX decisions_held ON decisions (hold_expires_at_us) WHERE status = 0;"
    "CREATE INDEX decisions_created ON decisions (created_at_us);"
    "CREATE INDEX decisions_customer"
    " ON decisions (customer_id, created_at_us, status, goodwill, currency);"
    "CREATE INDEX decisions_parent ON decisions (parent_id) WHERE parent_id IS NOT NULL;"
    "CREATE INDEX decisions_order ON decisions (order_id) WHERE order_id IS NOT NULL;"

    /* Within a transaction an entry may come before its decision. The hash before is that
     * of the row before. */
    "CREATE TABLE entries ("
    " seq INTEGER PRIMARY KEY CHECK (seq > 0),"
    " decision_id TEXT REFERENCES decisions (id) DEFERRABLE INITIALLY DEFERRED,"
    " budget_id TEXT NOT NULL REFERENCES budgets (id) DEFERRABLE INITIALLY DEFERRED,"
    " kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 7),"
    " amount INTEGER NOT NULL CHECK (amount >= 0 OR kind IN (4, 7)),"
    " balance_after INTEGER NOT NULL,"
    " " TIME("created_at_us") ","
    " note TEXT,"
    " " HASH("hash") ","
    " CHECK ((decision_id IS NULL) = (kind IN (4, 6)))"
    ") STRICT;"
    "CREATE INDEX entries_decision ON entries (decision_id)"
    " WHERE decision_id IS NOT NULL;"
    "CREATE INDEX entries_budget ON entries (budget_id);"
    NEVER_CHANGES("entries")

    "CREATE TABLE audit ("
    " seq INTEGER PRIMARY KEY CHECK (seq > 0),"
    " " TIME("created_at_us") ","
    " actor TEXT NOT NULL, action TEXT NOT NULL CHECK (length(action) > 0),"
    " subject TEXT NOT NULL, detail TEXT NOT NULL,"
    " " HASH("hash")
    ") STRICT;"
    NEVER_CHANGES("audit")

    /* Where each chain ends, so that rows cut off its end are missed. */
    "CREATE TABLE chains ("
    " name TEXT PRIMARY KEY, seq INTEGER NOT NULL CHECK (seq >= 0), " HASH("hash")
    ") STRICT;"
    "INSERT INTO chains VALUES ('entries', 0, zeroblob(32)), ('audit', 0, zeroblob(32));"

    "CREATE TABLE model_versions ("
    " name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),"
    " version INTEGER NOT NULL CHECK (version >= 1),"
    " sha256 TEXT NOT NULL CHECK (length(sha256) = 64),"
    " bytes INTEGER NOT NULL CHECK (bytes >= 0),"
    " " TIME("created_at_us") ", created_by TEXT NOT NULL,"
    " is_deleted INTEGER NOT NULL CHECK (is_deleted IN (0, 1)),"
    " manifest TEXT NOT NULL,"
    " UNIQUE (name, version)"
    ") STRICT;"
    "CREATE TABLE model_files ("
    " model_name TEXT NOT NULL, version INTEGER NOT NULL,"
    " name TEXT NOT NULL CHECK (length(name) > 0), content BLOB NOT NULL,"
    " UNIQUE (model_name, version, name),"
    " FOREIGN KEY (model_name, version) REFERENCES model_versions (name, version)"
    ") STRICT;"
    NEVER_CHANGES("model_files")

    /* Every move of an alias; the newest one counts. No version: it was taken away. */
    "CREATE TABLE alias_moves ("
    " number INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " alias TEXT NOT NULL CHECK (length(alias) BETWEEN 1 AND 15),"
    " version INTEGER,"
    " " TIME("moved_at_us") ", moved_by TEXT NOT NULL, reason TEXT NOT NULL,"
    " FOREIGN KEY (name, version) REFERENCES model_versions (name, version)"
    ") STRICT;"
    "CREATE INDEX alias_moves_alias ON alias_moves (name, alias);"
    NEVER_CHANGES("alias_moves")

    "CREATE TABLE policy_revisions ("
    " id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 64),"
    " revision INTEGER NOT NULL CHECK (revision >= 1),"
    " " TIME("created_at_us") ", created_by TEXT NOT NULL, reason TEXT NOT NULL,"
    " document TEXT NOT NULL,"
    " UNIQUE (id, revision)"
    ") STRICT;"
    NEVER_CHANGES("policy_revisions")

    "CREATE TABLE api_keys ("
    " number INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 31),"
    " name TEXT NOT NULL, scopes TEXT NOT NULL, " HASH("hash") ","
    " " TIME("created_at_us") "," TIME_OR("expires_at_us") "," TIME_OR("revoked_at_us")
    ") STRICT;",

    /* 2: what the installation keeps to itself, so that nobody can foresee its chance. */
    "CREATE TABLE secrets ("
    " name TEXT PRIMARY KEY CHECK (name <> ''),"
    " value BLOB NOT NULL CHECK (length(value) = 32)"
    ") STRICT;"
    NEVER_CHANGES("secrets"),

    /* 3: more ways to pace; what becomes of holds; demand, and prices as snapshots. A
     * CHECK cannot be changed: the column is made anew, and the table, which entries
     * refer to, stays. */
    "ALTER TABLE budgets ADD COLUMN plan INTEGER NOT NULL DEFAULT 0"
    " CHECK (plan BETWEEN 0 AND 3);"
    "UPDATE budgets SET plan = pacing;"
    "ALTER TABLE budgets DROP COLUMN pacing;"
    "ALTER TABLE budgets RENAME COLUMN plan TO pacing;"
    "ALTER TABLE budgets ADD COLUMN ended_minor INTEGER NOT NULL DEFAULT 0"
    " CHECK (ended_minor BETWEEN 0 AND 9007199254740991);"
    "ALTER TABLE budgets ADD COLUMN returned_minor INTEGER NOT NULL DEFAULT 0"
    " CHECK (returned_minor BETWEEN 0 AND ended_minor);"

    /* The one in force; the prices are in the rows of the budgets. */
    "CREATE TABLE price_snapshot ("
    " number INTEGER PRIMARY KEY CHECK (number = 1),"
    " id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 31), " TIME("published_at_us")
    ") STRICT;"

    "CREATE TABLE traffic_cells ("
    " hash INTEGER PRIMARY KEY,"
    " market TEXT NOT NULL, issue TEXT NOT NULL, segment TEXT NOT NULL,"
    " channel TEXT NOT NULL, currency TEXT NOT NULL CHECK (length(currency) = 3)"
    ") STRICT;"
    "CREATE TABLE traffic_curves ("
    " number INTEGER PRIMARY KEY,"
    " slot INTEGER NOT NULL CHECK (slot >= 0),"
    " cell INTEGER NOT NULL REFERENCES traffic_cells (hash),"
    " content BLOB NOT NULL CHECK (length(content) > 0),"
    " UNIQUE (slot, cell)"
    ") STRICT;"
    "CREATE INDEX traffic_curves_cell ON traffic_curves (cell);",

    /* 4: a digest of every row that is in no chain (digest_1.c); chains has the schema's,
     * too. */
    DIGESTED_TABLES(DIGEST_FIRST, DIGEST_FIRST_ONCE),

    /* 5: digests of another kind, which cost less, for rows that are whole by the former
     * ones. Ids rise with time: lists need no other index. */
    DIGESTED_TABLES(DIGEST_AGAIN, DIGEST_AGAIN_ONCE)
    "DROP INDEX decisions_created;",

    /* 6: what became of decisions. */
    "CREATE TABLE outcomes ("
    " number INTEGER PRIMARY KEY,"
    " decision_number INTEGER NOT NULL REFERENCES decisions (number),"
    " metric TEXT NOT NULL CHECK (length(metric) BETWEEN 1 AND 64),"
    " value REAL NOT NULL CHECK (abs(value) < 9e999),"
    " " TIME("occurred_at_us") "," TIME("created_at_us") ","
    " digest INTEGER NOT NULL,"
    " UNIQUE (decision_number, metric, occurred_at_us)"
    ") STRICT;"
    NEVER_CHANGES("outcomes"),

    /* 7: where the tables that are in no chain end. */
    "INSERT INTO chains SELECT 'answers', coalesce(max(number), 0), zeroblob(32) FROM answers;"
    "INSERT INTO chains SELECT 'decisions', coalesce(max(number), 0), zeroblob(32) FROM decisions;"
    "INSERT INTO chains SELECT 'outcomes', coalesce(max(number), 0), zeroblob(32) FROM outcomes;",
};
/* clang-format on */

static_assert(sizeof migrations / sizeof *migrations == STORE_SCHEMA_VERSION);

enum status schema_version(struct store *store, int64_t *version, struct err *err)
{
    int64_t application = 0, objects = 0;
    enum status rc;

    rc = sql_int(store, "PRAGMA user_version", version, err);
    if (!rc)
        rc = sql_int(store, "PRAGMA application_id", &application, err);
    if (!rc)
        rc = sql_int(store, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (rc)
        return rc;
    if (application != APPLICATION_ID && (application || objects || *version))
        return err_set(err, STATUS_INVALID,
                       "'%s' is a database of some other program, not of redress",
                       store->path);
    if (*version < 0 || *version > STORE_SCHEMA_VERSION)
        return err_set(
            err, STATUS_INVALID,
            "'%s': database has schema %lld, this program knows %d: use a newer "
            "redress",
            store->path, (long long)*version, STORE_SCHEMA_VERSION);
    return STATUS_OK;
}

enum status schema_check(struct store *store, struct err *err)
{
    int64_t version;
    enum status rc = schema_version(store, &version, err);

    if (!rc && version < STORE_SCHEMA_VERSION)
        rc = err_set(err, STATUS_UNAVAILABLE,
                     "'%s': database has schema %lld, this program needs %d: run "
                     "'redress db migrate'",
                     store->path, (long long)version, STORE_SCHEMA_VERSION);
    return rc;
}

/* --- what the schema is --------------------------------------------------------------------- */

/* But for what an operator's ANALYZE has added. */
static enum status hash_schema(struct store *store, unsigned char hash[static HASH_BYTES],
                               struct err *err)
{
    crypto_generichash_state state;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(
        store->db,
        "SELECT type, name, tbl_name, sql FROM sqlite_schema"
        " WHERE substr(name, 1, 11) <> 'sqlite_stat' ORDER BY type, name",
        -1, &statement, NULL);

    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        /* Each column with the NUL that ends it. */
        for (int i = 0; code == SQLITE_ROW && i < 4; i++) {
            const unsigned char *text = sqlite3_column_text(statement, i);

            crypto_generichash_update(&state, text ? text : (const unsigned char *)"",
                                      (size_t)sqlite3_column_bytes(statement, i) + 1);
        }
    }
    sqlite3_finalize(statement);
    crypto_generichash_final(&state, hash, HASH_BYTES);
    return code == SQLITE_DONE ? STATUS_OK
                               : sql_fail(store, code, "read the schema", err);
}

enum status schema_note(struct store *store, struct err *err)
{
    unsigned char hash[HASH_BYTES];
    char text[160], digits[2 * HASH_BYTES + 1];
    enum status rc = hash_schema(store, hash, err);

    if (rc)
        return rc;
    sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
    snprintf(text, sizeof text, "REPLACE INTO chains VALUES ('schema', %d, x'%s')",
             STORE_SCHEMA_VERSION, digits);
    return sql_run(store, text, "note the schema", err);
}

/* Of what the connection has not prepared yet: a migration asks, too. Zeros when it was
 * not noted. */
static enum status noted_hash(struct store *store, unsigned char noted[static HASH_BYTES],
                              struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(
        store->db, "SELECT hash FROM chains WHERE name = 'schema'", -1, &statement, NULL);

    memset(noted, 0, HASH_BYTES);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW && sqlite3_column_bytes(statement, 0) == HASH_BYTES)
        memcpy(noted, sqlite3_column_blob(statement, 0), HASH_BYTES);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? STATUS_OK
               : sql_fail(store, code, "read what the schema was", err);
}

enum status schema_is_intact(struct store *store, bool *is_intact, struct err *err)
{
    unsigned char hash[HASH_BYTES], noted[HASH_BYTES];
    enum status rc = hash_schema(store, hash, err);

    if (!rc)
        rc = noted_hash(store, noted, err);
    if (!rc)
        *is_intact = memcmp(hash, noted, HASH_BYTES) == 0;
    return rc;
}

/* --- migrations ----------------------------------------------------------------------------- */

/* What is damaged stays as it is, so that it can be seen: a migration would note it as
 * what was written. */
static enum status refuse_damaged(enum status rc, struct err *err)
{
    char found[sizeof err->text];

    snprintf(found, sizeof found, "%s", err->text);
    return err_set(err, rc,
                   "%s; nothing was migrated: restore a backup, or see with "
                   "'redress db check' of the former program what is damaged",
                   found);
}

/* Schemas have been noted since the fourth. */
static enum status check_former_schema(struct store *store, int64_t version,
                                       struct err *err)
{
    bool is_intact = true;
    enum status rc = version < 4 ? STATUS_OK : schema_is_intact(store, &is_intact, err);

    return rc || is_intact
               ? rc
               : err_set(err, STATUS_CORRUPT, "the schema is not the one that was made");
}

static enum status migrate_from(struct store *store, int64_t version, struct err *err)
{
    char stamp[96];
    enum status rc = check_former_schema(store, version, err);

    if (!rc)
        rc = digest_1_provide(store, err);
    for (; !rc && version < STORE_SCHEMA_VERSION; version++)
        rc = sql_run(store, migrations[version], "bring the schema up to date", err);
    if (rc == STATUS_CORRUPT)
        return refuse_damaged(rc, err);
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, STORE_SCHEMA_VERSION);
    if (!rc)
        rc = sql_run(store, stamp, "number the schema", err);
    return rc ? rc : schema_note(store, err);
}

enum status schema_migrate(struct store *store, bool *was_created, struct err *err)
{
    int64_t version;
    enum status rc = schema_version(store, &version, err);

    *was_created = false;
    if (rc || version == STORE_SCHEMA_VERSION)
        return rc;
    rc = sql_run(store, "BEGIN IMMEDIATE", "begin the migration", err);
    /* Again: another process may have been faster. */
    if (!rc)
        rc = schema_version(store, &version, err);
    if (!rc && version < STORE_SCHEMA_VERSION)
        rc = migrate_from(store, version, err);
    if (!rc)
        rc = sql_run(store, "COMMIT", "commit the migration", err);
    if (rc && !sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    *was_created = !rc && version == 0;
    return rc;
}
