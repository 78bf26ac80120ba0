#include "decide/service.h"

#include "base/file.h"
#include "base/log.h"
#include "decide/book.h"
#include "decide/chance.h"
#include "decide/checker.h"
#include "decide/folder.h"
#include "decide/inflight.h"
#include "decide/keeper.h"
#include "decide/load.h"
#include "decide/prices.h"
#include "decide/worker.h"
#include "infer/engine.h"
#include "json/tree.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    READER_COUNT_MAX = 64,
    WAL_RESERVED_BYTES = 64 << 20,
    CHORE_COUNT_MAX = 64,
};

struct service {
    const struct clock *clock;
    const char *build;
    int lock, claim; /* on the folder, and on the database in it */
    struct store *writer;
    struct book *book;
    struct prices *prices;
    struct world_holder *worlds;
    struct keyring *keyring;
    struct inflight *inflight;
    struct committer *committer;
    struct keeper *keeper;
    struct checker *checker;
    struct worker *worker;
    unsigned char draw_secret[SECRET_BYTES];
    atomic_int batch_count; /* under way */
    atomic_bool is_winding_up;

    struct store *readers[READER_COUNT_MAX];
    int reader_count, reader_free_count;
    pthread_mutex_t reader_lock;
    pthread_cond_t reader_freed;
};

const struct clock *service_clock(const struct service *service)
{
    return service->clock;
}

const char *service_build(const struct service *service)
{
    return service->build;
}

struct world_holder *service_worlds(struct service *service)
{
    return service->worlds;
}

struct committer *service_committer(struct service *service)
{
    return service->committer;
}

struct prices *service_prices(struct service *service)
{
    return service->prices;
}

struct keyring *service_keyring(struct service *service)
{
    return service->keyring;
}

double service_draw(const struct service *service, struct text of)
{
    return chance_draw(service->draw_secret, of);
}

bool service_has_keepers(const struct service *service)
{
    return service->keeper != NULL;
}

void service_wind_up(struct service *service)
{
    if (service)
        atomic_store(&service->is_winding_up, true);
}

bool service_is_winding_up(const struct service *service)
{
    return atomic_load(&service->is_winding_up);
}

bool service_batch_begin(struct service *service, int count_max)
{
    if (atomic_fetch_add(&service->batch_count, 1) < count_max)
        return true;
    atomic_fetch_sub(&service->batch_count, 1);
    return false;
}

void service_batch_end(struct service *service)
{
    atomic_fetch_sub(&service->batch_count, 1);
}

bool service_claim(struct service *service, struct claim *claim)
{
    return inflight_claim(service->inflight, claim);
}

void service_unclaim(struct service *service, struct claim *claim)
{
    inflight_release(service->inflight, claim);
}

/* --- readers ---------------------------------------------------------------------------------- */

struct store *service_reader_take(struct service *service)
{
    struct store *reader;

    pthread_mutex_lock(&service->reader_lock);
    while (service->reader_free_count == 0)
        pthread_cond_wait(&service->reader_freed, &service->reader_lock);
    reader = service->readers[--service->reader_free_count];
    pthread_mutex_unlock(&service->reader_lock);
    return reader;
}

void service_reader_give(struct service *service, struct store *reader)
{
    pthread_mutex_lock(&service->reader_lock);
    service->readers[service->reader_free_count++] = reader;
    pthread_cond_signal(&service->reader_freed);
    pthread_mutex_unlock(&service->reader_lock);
}

static enum status open_readers(struct service *service, const char *path, int count,
                                struct err *err)
{
    enum status rc = STATUS_OK;

    while (service->reader_count < count && !rc) {
        rc = store_open(path, STORE_READER, &service->readers[service->reader_count],
                        NULL, err);
        if (!rc)
            service->reader_count++;
    }
    service->reader_free_count = service->reader_count;
    return rc;
}

/* --- the folder ------------------------------------------------------------------------------- */

/* One that is made now is claimed afterwards: its name is new, too. */
static enum status open_writer(struct service *service, const char *path,
                               bool *was_created, struct err *err)
{
    enum status rc = store_claim(path, &service->claim, err);

    if (!rc)
        rc = store_open(path, STORE_WRITER, &service->writer, was_created, err);
    if (!rc && service->claim < 0)
        rc = store_claim(path, &service->claim, err);
    return rc;
}

static enum status open_parts(struct service *service,
                              const struct service_settings *settings, bool *was_created,
                              struct err *err)
{
    char path[FOLDER_PATH_BYTES];
    enum status rc;

    snprintf(path, sizeof path, "%s/redress.db", settings->folder);
    rc = open_writer(service, path, was_created, err);
    if (!rc)
        rc = folder_check_recent(service->writer, err);
    if (!rc)
        rc = folder_check_clock(settings, service->writer, err);
    if (!rc)
        rc = store_wal_reserve(service->writer,
                               settings->has_keepers ? WAL_RESERVED_BYTES : 0, err);
    if (!rc)
        rc =
            folder_advise(chance_secret(service->writer, service->draw_secret, err), err);
    if (!rc)
        rc = open_readers(service, path, settings->reader_count, err);
    if (!rc)
        rc = world_holder_open(&service->worlds, err);
    if (!rc)
        rc = folder_advise(world_load(service->readers[0], service->worlds, err), err);
    if (!rc)
        rc =
            folder_advise(keyring_open(service->readers[0], &service->keyring, err), err);
    if (!rc)
        rc = book_open(service->writer, &service->book, err);
    if (!rc)
        rc = prices_open(service->writer, clock_wall_us(service->clock), cell_budgets,
                         NULL, &service->prices, err);
    if (!rc)
        rc = inflight_open(&service->inflight, err);
    if (!rc) {
        struct commit tools = {.store = service->writer,
                               .book = service->book,
                               .prices = service->prices,
                               .worlds = service->worlds};

        rc = committer_open(&tools, settings->clock, settings->queue_capacity,
                            &service->committer, err);
    }
    if (!rc)
        rc = worker_open(CHORE_COUNT_MAX, &service->worker, err);
    if (!rc && settings->has_keepers)
        rc = keeper_open(service, path, settings->price_interval_ms, &service->keeper,
                         err);
    if (!rc && settings->has_keepers)
        rc = checker_open(path, &service->checker, err);
    return rc;
}

enum status service_open(const struct service_settings *settings,
                         struct service **service, bool *was_created, struct err *err)
{
    struct service *opened;
    enum status rc;

    json_tree_prepare();
    if (sodium_init() < 0)
        return err_set(err, STATUS_UNAVAILABLE, "libsodium cannot start");
    rc = engine_check(err);
    if (!rc)
        rc = service_folder_check(settings->folder, err);
    if (rc)
        return rc;
    rc = folder_make(settings->folder, 0700, err);
    if (rc)
        return rc;
    opened = calloc(1, sizeof *opened);
    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the service");
    opened->clock = settings->clock;
    opened->build = settings->build;
    opened->claim = -1;
    pthread_mutex_init(&opened->reader_lock, NULL);
    pthread_cond_init(&opened->reader_freed, NULL);
    rc = folder_lock(settings->folder, &opened->lock, err);
    if (!rc)
        rc = open_parts(opened, settings, was_created, err);
    if (rc) {
        service_close(opened);
        return rc;
    }
    *service = opened;
    return STATUS_OK;
}

/* --- a look ----------------------------------------------------------------------------------- */

/* What is put into memory at a start, and thrown away. */
static enum status look_at_parts(struct store *reader, int64_t now_us, struct err *err)
{
    struct world_holder *worlds = NULL;
    struct keyring *keyring = NULL;
    struct book *book = NULL;
    struct prices *prices = NULL;
    enum status rc = folder_advise(chance_look(reader, err), err);

    if (!rc)
        rc = world_holder_open(&worlds, err);
    if (!rc)
        rc = folder_advise(world_load(reader, worlds, err), err);
    if (!rc)
        rc = folder_advise(keyring_open(reader, &keyring, err), err);
    if (!rc)
        rc = book_open(reader, &book, err);
    if (!rc)
        rc = prices_open(reader, now_us, cell_budgets, NULL, &prices, err);
    prices_close(prices);
    book_close(book);
    keyring_close(keyring);
    world_holder_close(worlds);
    return rc;
}

enum status service_look(const struct service_settings *settings,
                         struct folder_look *look, struct err *err)
{
    struct store *reader = NULL;
    char path[FOLDER_PATH_BYTES];
    enum status rc = engine_check(err);

    *look = (struct folder_look){0};
    snprintf(path, sizeof path, "%s/redress.db", settings->folder);
    if (!rc)
        rc = service_folder_check(settings->folder, err);
    if (!rc)
        rc = store_claim_check(path, err);
    if (!rc)
        rc = folder_lock_check(settings->folder, err);
    if (rc)
        return rc;
    rc = store_schema_version(path, &look->schema_version, err);
    look->is_new = rc == STATUS_NOT_FOUND;
    if (look->is_new)
        err_clear(err);
    if (look->is_new || (!rc && look->schema_version < STORE_SCHEMA_VERSION))
        return STATUS_OK;
    if (!rc)
        rc = store_open(path, STORE_READER, &reader, NULL, err);
    if (!rc)
        rc = folder_check_recent(reader, err);
    if (!rc && !settings->accepts_clock)
        rc = folder_check_clock(settings, reader, err);
    if (!rc)
        rc = look_at_parts(reader, clock_wall_us(settings->clock), err);
    store_close(reader);
    return rc;
}

/* What was learned of cases since the keeper wrote it last. */
static void save_traffic(struct service *service)
{
    struct err err;

    err_clear(&err);
    if (service->committer && service->prices &&
        !committer_has_failed(service->committer) && prices_save(service, &err))
        log_event(LOG_WARN, "traffic_not_saved", LOG_TEXT("detail", err.text));
}

void service_close(struct service *service)
{
    if (!service)
        return;
    checker_close(service->checker);
    keeper_close(service->keeper);
    worker_close(service->worker); /* its chores may submit */
    save_traffic(service);
    committer_close(service->committer);
    inflight_close(service->inflight);
    prices_close(service->prices);
    book_close(service->book);
    keyring_close(service->keyring);
    world_holder_close(service->worlds);
    for (int i = 0; i < service->reader_count; i++)
        store_close(service->readers[i]);
    store_close(service->writer);
    if (service->claim >= 0)
        close(service->claim);
    if (service->lock >= 0)
        close(service->lock);
    pthread_cond_destroy(&service->reader_freed);
    pthread_mutex_destroy(&service->reader_lock);
    sodium_memzero(service->draw_secret, sizeof service->draw_secret);
    free(service);
}

enum status service_chore(struct service *service, struct chore *chore, struct err *err)
{
    return worker_submit(service->worker, chore, err);
}

const char *service_check(const struct service *service)
{
    return service->checker ? checker_result(service->checker) : NULL;
}

const char *service_trouble(const struct service *service)
{
    const char *trouble = committer_trouble(service->committer);
    struct world *world;
    bool has_lack;

    if (committer_has_failed(service->committer))
        return "the store failed: restart the service";
    if (trouble)
        return trouble;
    world = world_acquire(service->worlds);
    has_lack = world_lack(world) != NULL;
    world_release(world);
    if (has_lack)
        return "model_not_loaded: the champion that a policy in force asks could not be "
               "opened, its cases take the fallback: see the log";
    return NULL;
}
