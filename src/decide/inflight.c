#include "decide/inflight.h"

#include <pthread.h>
#include <stdlib.h>

/* At most one key per request that waits or runs; more than this at once are turned away. */
enum { SLOT_COUNT = 1 << 16 };

struct inflight {
    pthread_mutex_t lock;
    int count;
    struct text slots[SLOT_COUNT]; /* open addressing; at NULL: free */
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

static size_t home_of(struct text key)
{
    return text_quick_hash(key) & (SLOT_COUNT - 1);
}

static size_t next_of(size_t slot)
{
    return (slot + 1) & (SLOT_COUNT - 1);
}

/* Where the key is, or the free slot where it belongs. */
static size_t find(const struct inflight *inflight, struct text key)
{
    size_t slot = home_of(key);

    while (inflight->slots[slot].at && !text_equal(inflight->slots[slot], key))
        slot = next_of(slot);
    return slot;
}

bool inflight_claim(struct inflight *inflight, struct text key)
{
    bool is_ours = false;
    size_t slot;

    pthread_mutex_lock(&inflight->lock);
    slot = find(inflight, key);
    if (!inflight->slots[slot].at && inflight->count < SLOT_COUNT / 2) {
        inflight->slots[slot] = key;
        inflight->count++;
        is_ours = true;
    }
    pthread_mutex_unlock(&inflight->lock);
    return is_ours;
}

void inflight_release(struct inflight *inflight, struct text key)
{
    size_t hole, slot;

    pthread_mutex_lock(&inflight->lock);
    hole = find(inflight, key);
    if (inflight->slots[hole].at) {
        inflight->count--;
        /* Close the gap: move back whoever would not be found across it (Knuth, 6.4 R). */
        for (slot = next_of(hole); inflight->slots[slot].at; slot = next_of(slot)) {
            size_t home = home_of(inflight->slots[slot]);
            bool is_between =
                hole <= slot ? hole < home && home <= slot : hole < home || home <= slot;

            if (is_between)
                continue;
            inflight->slots[hole] = inflight->slots[slot];
            hole = slot;
        }
        inflight->slots[hole] = (struct text){0};
    }
    pthread_mutex_unlock(&inflight->lock);
}
