/* store_bench.c - what one durable decision costs the commit thread, by size of batch.
 *
 * Usage: store_bench [DECISIONS] [RESERVE_MB] [random|ordered] [FOLDER]
 *
 * Per decision: an answer looked up and not found, the customer's usage, an answer, a decision,
 * one hold entry; per decision, too, the row of the budget, though the service writes it once per
 * batch. Prints CPU and elapsed time per decision. */
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
    char body[701], context[1001];
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

static enum status decide(struct bench *b)
{
    char key[96], id[ID_BYTES], customer[32], order[32];
    int64_t now_us = 1700000000000000 + b->number * 100, count, goodwill;
    struct answer answer = {.http_status = 201, .created_at_us = now_us};
    struct decision_row row = {.created_at_us = now_us,
                               .updated_at_us = now_us,
                               .hold_expires_at_us = now_us + 3600000000,
                               .amount = 1,
                               .goodwill = 1,
                               .currency = "USD",
                               .case_id = text_of("zd-48213"),
                               .issue = text_of("late_delivery"),
                               .context = {b->context, 1000}};
    struct answer found;
    struct entry entry = {.kind = ENTRY_HOLD,
                          .amount = 1,
                          .budget_id = "bud_bench",
                          .created_at_us = now_us};
    enum status rc;

    b->number++;
    snprintf(key, sizeof key,
             "key_01JD3M00000000000000000000 POST /v1/decisions %016llx%016llx",
             (unsigned long long)(b->is_random ? rng_next(&b->rng) : (uint64_t)b->number),
             (unsigned long long)rng_next(&b->rng));
    snprintf(customer, sizeof customer, "c_%llu",
             (unsigned long long)rng_below(&b->rng, 100000));
    snprintf(order, sizeof order, "o_%lld", (long long)b->number);
    id_make("dec_", now_us, id);
    answer.scope_key = text_of(key);
    answer.body = (struct text){b->body, 700};
    arena_reset(&b->arena);
    rc = answer_find(b->store, answer.scope_key, &b->arena, &found, &b->err);
    if (rc || found.number > 0)
        die(b, "the key was known");
    row.customer_id = text_of(customer);
    row.order_id = text_of(order);
    rc = decision_usage(b->store, row.customer_id, "USD", now_us - 1000000, &count,
                        &goodwill, &b->err);
    if (!rc)
        rc = answer_insert(b->store, &answer, &b->err);
    row.answer_number = answer.number;
    snprintf(row.id, sizeof row.id, "%s", id);
    if (!rc)
        rc = decision_insert(b->store, &row, &b->err);
    b->budget.held++;
    entry.balance_after = b->budget.limit - b->budget.held;
    snprintf(entry.decision_id, sizeof entry.decision_id, "%s", id);
    if (!rc)
        rc = entry_append(b->store, &entry, &b->err);
    if (!rc)
        rc = budget_update(b->store, &b->budget, &b->err);
    return rc;
}

static void batch(struct bench *b, int size)
{
    if (store_begin(b->store, &b->err))
        die(b, "begin");
    for (int i = 0; i < size; i++)
        if (decide(b))
            die(b, "decide");
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

static void measure(struct bench *b, int size, int decisions)
{
    int rounds = decisions / size;
    double *commit_us = calloc((size_t)rounds, sizeof *commit_us);
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);

    for (int i = 0; i < rounds; i++) {
        double start = seconds(CLOCK_MONOTONIC);

        batch(b, size);
        commit_us[i] = (seconds(CLOCK_MONOTONIC) - start) * 1e6;
    }
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    qsort(commit_us, (size_t)rounds, sizeof *commit_us, by_size);
    printf("%5d %12.2f %12.2f %12.0f %10.0f %10.0f %10.0f\n", size,
           cpu * 1e6 / (rounds * size), wall * 1e6 / (rounds * size),
           rounds * size / wall, commit_us[rounds / 2], commit_us[rounds * 99 / 100],
           commit_us[rounds - 1]);
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
    memset(b.body, 'b', 700);
    memset(b.context, 'c', 1000);
    rng_seed(&b.rng, 1);
    arena_init(&b.arena, NULL, 0, 1 << 20);
    if (store_open(path, STORE_WRITER, &b.store, NULL, &b.err))
        die(&b, "open");
    prepare(&b);
    if (reserve_mb && store_wal_reserve(b.store, reserve_mb << 20, &b.err))
        die(&b, "reserve");
    pthread_create(&thread, NULL, checkpoint_run, &checkpointer);
    printf(
        "batch  cpu_us/dec  wall_us/dec  decisions/s   p50_us     p99_us     max_us\n");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        measure(&b, sizes[i], sizes[i] == 1 ? decisions / 4 : decisions);
    atomic_store(&checkpointer.is_done, true);
    pthread_join(thread, NULL);
    store_close(b.store);
    if (unlink(path) || rmdir(folder))
        perror(folder);
    return 0;
}
