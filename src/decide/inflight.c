#include "decide/inflight.h"

#include <pthread.h>
#include <stdlib.h>

/* At most one key per request that waits or runs; more than this at once are turned away.
 * So few buckets that they stay in the cache: rarely are there more than a few hundred
 * keys. */
enum { CLAIM_COUNT_MAX = 1 << 15, BUCKET_COUNT = 1 << 12 };

struct inflight {
    pthread_mutex_t lock;
    int count;
    struct claim *buckets[BUCKET_COUNT];
};

enum status inflight_open(struct inflight **inflight, struct err *err)
{
    *inflight = calloc(1, sizeof **inflight);
    if (!*inflight)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the keys in flight");
    pthread_mutex_init(&(*inflight)->lock, NULL);
    return STATUS_OK;
}

void inflight_close(struct inflight *inflight)
{
    if (!inflight)
        return;
    pthread_mutex_destroy(&inflight->lock);
    free(inflight);
}

static struct claim **bucket_of(struct inflight *inflight, const struct claim *claim)
{
    return &inflight->buckets[claim->hash % BUCKET_COUNT];
}

static bool is_claimed(const struct claim *bucket, const struct claim *claim)
{
    for (; bucket; bucket = bucket->next)
        if (bucket->hash == claim->hash && text_equal(bucket->key, claim->key))
            return true;
    return false;
}

bool inflight_claim(struct inflight *inflight, struct claim *claim)
{
    struct claim **bucket;
    bool is_ours;

    claim->hash = text_quick_hash(claim->key);
    bucket = bucket_of(inflight, claim);
    pthread_mutex_lock(&inflight->lock);
    is_ours = inflight->count < CLAIM_COUNT_MAX && !is_claimed(*bucket, claim);
    if (is_ours) {
        claim->next = *bucket;
        *bucket = claim;
        inflight->count++;
    }
    pthread_mutex_unlock(&inflight->lock);
    return is_ours;
}

void inflight_release(struct inflight *inflight, struct claim *claim)
{
    struct claim **at = bucket_of(inflight, claim);

    pthread_mutex_lock(&inflight->lock);
    while (*at != claim)
        at = &(*at)->next;
    *at = claim->next;
    inflight->count--;
    pthread_mutex_unlock(&inflight->lock);
}
