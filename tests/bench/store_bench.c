/* store_bench.c - what one durable decision costs the commit thread, by size of batch.
 *
 * Usage: store_bench [DECISIONS] [RESERVE_MB] [random|ordered] [FOLDER] [BATCH]
 *
 * Per decision: an answer looked up and not found, an answer and a decision as large as
 * those of the demo, two hold entries for three decisions; per batch the row of the
 * budget. Prints CPU of the writing thread, elapsed time, and what was written to the
 * disk (with checkpoints) per decision. */
#include "base/rng.h"
#include "store/audit.h"
#include "store/decisions.h"
#include "store/ledger.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct bench {
    struct store *store;
    struct arena arena;
    struct rng rng;
    struct budget budget;
    struct err err;
    bool is_random;
    int64_t number;
    char key[128], customer[32], order[32], case_id[32], location[64];
    char body[4096], context[2048];
};

static void die(const struct bench *bench, const char *what)
{
    fprintf(stderr, "store_bench: %s: %s\n", what, bench->err.text);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* As the demo's policy and model answer a case: what differs from one to the next is made
 * up. */
static struct text body_of(struct bench *b, const char *id)
{
    static const int amounts[] = {0, 500, 900, 1000, 1500, 1800, 2000, 3600};
    int at = snprintf(
        b->body, sizeof b->body,
        "{\"id\":\"%s\",\"object\":\"decision\",\"created_at\":\"2026-11-22T14:29:44.%"
        "06lldZ\","
        "\"mode\":\"live\",\"outcome\":\"credit\",\"status\":\"held\",\"amount\":500,"
        "\"entitled_amount\":0,\"currency\":\"USD\",\"hold_expires_at\":null,\"reasons\":"
        "[{"
        "\"code\":\"HIGH_UPLIFT\",\"direction\":\"for\",\"contribution\":%d.%06d,"
        "\"text\":\"A "
        "credit is expected to make this customer stay.\"}],\"options\":[",
        id, (long long)(b->number % 1000000), (int)rng_below(&b->rng, 900),
        (int)rng_below(&b->rng, 1000000));

    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        at += snprintf(
            b->body + at, sizeof b->body - (size_t)at,
            "%s{\"amount\":%d,\"effect\":%d.%06d,\"cost\":%d,\"net_value\":-%d.%06d,"
            "\"propensity\":%d,\"allowed\":true}",
            i ? "," : "", amounts[i], (int)rng_below(&b->rng, 900),
            (int)rng_below(&b->rng, 1000000), amounts[i] * 9 / 10,
            (int)rng_below(&b->rng, 900), (int)rng_below(&b->rng, 1000000), i == 1);
    at += snprintf(
        b->body + at, sizeof b->body - (size_t)at,
        "],\"budgets\":[{\"id\":\"bud_bench\",\"shadow_price\":0,\"remaining\":%lld}],"
        "\"propensity\":1,\"explored\":false,\"experiment\":null,\"versions\":{\"model\":"
        "\"credit_uplift@1\",\"model_sha256\":"
        "\"65b0850ac57165f4d4d7ddec0b5f927819a66ba5c3ad78f9ff28025b383d7380\",\"policy\":"
        "\"goodwill@1\",\"prices\":\"prc_01M81TK5GA3H3WZYY9FNKA6BHA\",\"build\":"
        "\"redress 0.1.0 "
        "(b22e7b662623)\"},\"case_id\":\"%s\",\"customer_id\":\"%s\",\"order_id\":\"%s\","
        "\"issue\":\"late_delivery\",\"request_id\":\"req_%s\"}",
        (long long)(b->budget.limit - b->budget.held), b->case_id, b->customer, b->order,
        id + 4);
    return (struct text){b->body, (size_t)at};
}

static struct text context_of(struct bench *b, int64_t now_us)
{
    int at =
        snprintf(b->context, sizeof b->context,
                 "{\"now_us\":%lld,\"build\":\"redress 0.1.0 "
                 "(b22e7b662623)\",\"policy_id\":\"goodwill\","
                 "\"policy_revision\":1,\"model_name\":\"credit_uplift\",\"model_"
                 "version\":1,\"windows\":[],"
                 "\"order_amount\":0,\"has_duplicate\":false,\"prices\":\"prc_"
                 "01M81TK5GA3H3WZYY9FNKA6BHA\","
                 "\"budgets\":[{\"id\":\"bud_bench\",\"shadow_price\":0,\"remaining\":%"
                 "lld}],\"case\":{"
                 "\"case_id\":\"%s\",\"customer_id\":\"%s\",\"currency\":\"USD\",\"order_"
                 "amount\":%d,"
                 "\"issue\":\"late_delivery\",\"market\":\"us-ny\",\"segment\":"
                 "\"regular\",\"channel\":\"app\","
                 "\"features\":{\"tenure_days\":%d,\"orders_90d\":%d,\"avg_order_minor\":"
                 "%d,\"claims_90d\":0,"
                 "\"credits_90d_minor\":0,\"minutes_late\":%d,\"items_missing\":0,\"days_"
                 "since_order\":%d,"
                 "\"discount_share\":0.%02d,\"contacts\":1,\"app_sessions_7d\":3,\"is_"
                 "member\":true,"
                 "\"channel\":\"app\",\"issue\":\"late_delivery\"},\"order_id\":\"%s\"}}",
                 (long long)now_us, (long long)(b->budget.limit - b->budget.held),
                 b->case_id, b->customer, (int)rng_below(&b->rng, 9000),
                 (int)rng_below(&b->rng, 900), (int)rng_below(&b->rng, 20),
                 (int)rng_below(&b->rng, 5000), (int)rng_below(&b->rng, 60),
                 (int)rng_below(&b->rng, 30), (int)rng_below(&b->rng, 100), b->order);

    return (struct text){b->context, (size_t)at};
}

static void name_all(struct bench *b)
{
    uint64_t name = b->is_random ? rng_next(&b->rng) % 10000000000 : (uint64_t)b->number;

    snprintf(b->key, sizeof b->key,
             "key_01JD3M00000000000000000000 POST /v1/decisions - "
             "load-18ea6462b3dc8b9e-%010llu",
             (unsigned long long)name);
    snprintf(b->customer, sizeof b->customer, "c_%010llu", (unsigned long long)name);
    snprintf(b->order, sizeof b->order, "o_%010llu", (unsigned long long)name);
    snprintf(b->case_id, sizeof b->case_id, "b-%010llu", (unsigned long long)name);
}

static enum status hold(struct bench *b, const char *id, int64_t now_us)
{
    struct entry entry = {.kind = ENTRY_HOLD,
                          .amount = 1,
                          .budget_id = "bud_bench",
                          .created_at_us = now_us};

    b->budget.held++;
    entry.balance_after = b->budget.limit - b->budget.held;
    snprintf(entry.decision_id, sizeof entry.decision_id, "%s", id);
    return entry_append(b->store, &entry, &b->err);
}

/* Two of three are granted something. */
static enum status decide(struct bench *b)
{
    int64_t now_us = 1700000000000000 + b->number * 100;
    bool is_held = b->number % 3 != 0;
    struct answer answer = {.http_status = 201, .created_at_us = now_us};
    struct decision_row row = {.created_at_us = now_us,
                               .updated_at_us = now_us,
                               .hold_expires_at_us = is_held ? now_us + 3600000000 : 0,
                               .status = is_held ? DECISION_HELD : DECISION_NONE,
                               .amount = is_held,
                               .goodwill = is_held,
                               .currency = "USD",
                               .issue = text_of("late_delivery")};
    struct answer found;
    enum status rc;

    b->number++;
    name_all(b);
    id_make("dec_", now_us, row.id);
    snprintf(b->location, sizeof b->location, "/v1/decisions/%s", row.id);
    answer.scope_key = text_of(b->key);
    answer.location = text_of(b->location);
    answer.body = body_of(b, row.id);
    row.context = context_of(b, now_us);
    row.customer_id = text_of(b->customer);
    row.order_id = text_of(b->order);
    row.case_id = text_of(b->case_id);
    arena_reset(&b->arena);
    rc = answer_find(b->store, answer.scope_key, &b->arena, &found, &b->err);
    if (rc || found.number > 0)
        die(b, "the key was known");
    rc = answer_insert(b->store, &answer, &b->err);
    row.answer_number = answer.number;
    if (!rc)
        rc = decision_insert(b->store, &row, &b->err);
    return rc || !is_held ? rc : hold(b, row.id, now_us);
}

static void batch(struct bench *b, int size)
{
    if (store_begin(b->store, &b->err))
        die(b, "begin");
    for (int i = 0; i < size; i++)
        if (decide(b))
            die(b, "decide");
    if (budget_update(b->store, &b->budget, &b->err))
        die(b, "write the budget");
    if (store_commit(b->store, &b->err))
        die(b, "commit");
}

/* The checkpoint thread of the service. */
struct checkpointer {
    const char *path;
    atomic_bool is_done;
};

static void *checkpoint_run(void *context)
{
    struct checkpointer *checkpointer = context;
    struct store *store;
    struct err err;

    if (store_open(checkpointer->path, STORE_READER, &store, NULL, &err))
        return NULL;
    while (!atomic_load(&checkpointer->is_done)) {
        if (store_checkpoint(store, NULL, &err))
            fprintf(stderr, "store_bench: checkpoint: %s\n", err.text);
        usleep(100000);
    }
    store_close(store);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What this process has written to disks. */
static double written_kb(void)
{
    long long bytes = 0;
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "write_bytes: %lld", &bytes) == 1)
            break;
    if (file)
        fclose(file);
    return (double)bytes / 1024;
}

static void measure(struct bench *b, int size, int decisions)
{
    int rounds = decisions / size;
    double *commit_us = calloc((size_t)rounds, sizeof *commit_us);
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC),
           kb = written_kb();

    for (int i = 0; i < rounds; i++) {
        double start = seconds(CLOCK_MONOTONIC);

        batch(b, size);
        commit_us[i] = (seconds(CLOCK_MONOTONIC) - start) * 1e6;
    }
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    qsort(commit_us, (size_t)rounds, sizeof *commit_us, by_size);
    printf("%5d %12.2f %12.2f %8.2f %12.0f %10.0f %10.0f %10.0f\n", size,
           cpu * 1e6 / (rounds * size), wall * 1e6 / (rounds * size),
           (written_kb() - kb) / (rounds * size), rounds * size / wall,
           commit_us[rounds / 2], commit_us[rounds * 99 / 100], commit_us[rounds - 1]);
    free(commit_us);
}

static void prepare(struct bench *b)
{
    struct entry entry = {.kind = ENTRY_ADJUST,
                          .budget_id = "bud_bench",
                          .amount = 1000000000,
                          .balance_after = 1000000000};

    b->budget = (struct budget){.id = "bud_bench",
                                .currency = "USD",
                                .time_zone = "UTC",
                                .limit = 1000000000,
                                .period = PERIOD_TOTAL,
                                .period_ends_at_us = INT64_MAX,
                                .revision = 1};
    if (store_begin(b->store, &b->err) || budget_insert(b->store, &b->budget, &b->err) ||
        entry_append(b->store, &entry, &b->err) || store_commit(b->store, &b->err))
        die(b, "prepare");
}

int main(int argc, char **argv)
{
    static const int sizes[] = {1, 8, 32, 128};
    int decisions = argc > 1 ? atoi(argv[1]) : 20000;
    int64_t reserve_mb = argc > 2 ? atoi(argv[2]) : 64;
    struct bench b = {.is_random = argc <= 3 || strcmp(argv[3], "ordered") != 0};
    char folder[256], path[300];
    struct checkpointer checkpointer = {.path = path};
    pthread_t thread;

    snprintf(folder, sizeof folder, "%s/redress-bench-XXXXXX",
             argc > 4 ? argv[4] : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/redress.db", folder);
    rng_seed(&b.rng, 1);
    arena_init(&b.arena, NULL, 0, 1 << 20);
    if (store_open(path, STORE_WRITER, &b.store, NULL, &b.err))
        die(&b, "open");
    prepare(&b);
    if (reserve_mb && store_wal_reserve(b.store, reserve_mb << 20, &b.err))
        die(&b, "reserve");
    pthread_create(&thread, NULL, checkpoint_run, &checkpointer);
    printf(
        "batch   cpu_us/dec  wall_us/dec   kb/dec  decisions/s     p50_us     p99_us     "
        "max_us\n");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (argc <= 5 || atoi(argv[5]) == sizes[i])
            measure(&b, sizes[i], sizes[i] == 1 ? decisions / 4 : decisions);
    atomic_store(&checkpointer.is_done, true);
    pthread_join(thread, NULL);
    store_close(b.store);
    if (unlink(path) || rmdir(folder))
        perror(folder);
    return 0;
}
