/* no_writes.c - preloaded into the service, SQLite writes nothing after SIGUSR2.
 *
 * What redress costs without its commit: every transaction is then one that only reads,
 * each statement that would write does nothing, and nothing is synced. All else is done
 * as ever: the idempotency key and the customer's past are looked up, the answer and what
 * it was made from are encoded, the hash chain goes on. Balances change in memory
 * only. */
#include <dlfcn.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static int (*true_step)(sqlite3_stmt *statement);
static int (*true_changes)(sqlite3 *db);
static atomic_bool is_wanted;
static _Thread_local int is_left_out; /* within the transaction of this thread */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&is_wanted, 1);
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    true_step = (int (*)(sqlite3_stmt *))dlsym(RTLD_NEXT, "sqlite3_step");
    true_changes = (int (*)(sqlite3 *))dlsym(RTLD_NEXT, "sqlite3_changes");
    sigaction(SIGUSR2, &action, NULL);
}

int sqlite3_step(sqlite3_stmt *statement)
{
    if (!atomic_load_explicit(&is_wanted, memory_order_relaxed) ||
        sqlite3_stmt_readonly(statement))
        return true_step(statement);
    if (strcmp(sqlite3_sql(statement), "BEGIN IMMEDIATE") == 0) {
        is_left_out = 1;
        return sqlite3_exec(sqlite3_db_handle(statement), "BEGIN", NULL, NULL, NULL) ==
                       SQLITE_OK
                   ? SQLITE_DONE
                   : SQLITE_ERROR;
    }
    return is_left_out ? SQLITE_DONE : true_step(statement);
}

int sqlite3_changes(sqlite3 *db)
{
    return is_left_out ? 1 : true_changes(db);
}
