/* service.h - the running whole: one data folder, its store, world, commit thread and
 * keepers.
 *
 * Used by the server and, without a socket, by the command line. */
#ifndef REDRESS_DECIDE_SERVICE_H
#define REDRESS_DECIDE_SERVICE_H

#include "base/clock.h"
#include "base/err.h"
#include "decide/commit.h"
#include "decide/keyring.h"
#include "decide/world.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct service_settings {
    const char *folder;
    const struct clock *clock;
    /* "redress 0.1.0 (abcdef123456)": part of every decision; borrowed */
    const char *build;
    int reader_count;      /* read connections, 1 .. 64 */
    int queue_capacity;    /* requests waiting for the commit thread */
    bool has_keepers;      /* expire holds, roll periods, re-solve prices, checkpoint */
    int price_interval_ms; /* between solves of the prices */
    bool accepts_clock;    /* though it is behind what is stored */
};

struct service; /* opaque */

/* INVALID for a folder whose name has more than so many bytes: nothing is opened by a
 * part of the name of a file in it. Whoever makes such names asks first; service_open and
 * service_look do. */
enum { FOLDER_BYTES_MAX = 400 };
enum status service_folder_check(const char *folder, struct err *err);

/* Lock the folder (UNAVAILABLE, naming the process, when another has it), open or create
 * the store, load the world, start the threads. *was_created: the folder was empty.
 * PRECONDITION when the clock is more than an hour behind what was recorded last, unless
 * accepts_clock: a period that was over could begin a second time. */
enum status service_open(const struct service_settings *settings,
                         struct service **service, bool *was_created, struct err *err);

/* What service_open would find in a folder. */
struct folder_look {
    bool is_new; /* there is no database: one would be made */
    /* of the database; an older one would be migrated, and is not read */
    int64_t schema_version;
};

/* All that a start reads, and refuses: what is newest, balances, prices, keys, the secret
 * of draws, policies and models in force, the clock. Of the settings folder, clock and
 * accepts_clock count. Nothing is written, and the lock is not asked. */
enum status service_look(const struct service_settings *settings,
                         struct folder_look *look, struct err *err);

/* Finish what is queued, end the threads, unlock. NULL is fine. */
void service_close(struct service *service);

/* What the use cases work with. */
const struct clock *service_clock(const struct service *service);
const char *service_build(const struct service *service);
struct world_holder *service_worlds(struct service *service);
struct committer *service_committer(struct service *service);
struct keyring *service_keyring(struct service *service);
struct prices *service_prices(struct service *service);

/* Uniform in [0, 1): the same for the same text as long as the data folder lives,
 * foreseen by nobody outside. */
double service_draw(const struct service *service, struct text of);

/* A read connection for a short while; waits for a free one. Never NULL. */
struct store *service_reader_take(struct service *service);
void service_reader_give(struct service *service, struct store *reader);

/* What a request in flight has claimed by name: an idempotency key, a path, a place of an
 * export. The claim and the text of its key, which is set by whoever claims, stay where
 * they are until it is given up. */
struct claim {
    struct text key;
    uint64_t hash;      /* private, as is the rest */
    struct claim *next; /* in the same bucket */
};

/* False: another one has it. */
bool service_claim(struct service *service, struct claim *claim);
void service_unclaim(struct service *service, struct claim *claim);

/* Batches under way: false when there are so many already, else service_batch_end is
 * due. */
bool service_batch_begin(struct service *service, int count_max);
void service_batch_end(struct service *service);

/* Something that takes long, to be run on a thread of its own. It may be freed in run. */
struct chore {
    void (*run)(struct chore *chore);
};
enum status service_chore(struct service *service, struct chore *chore, struct err *err);

/* Soon it ends: reads that may take long come to an end. NULL is fine. Any thread. */
void service_wind_up(struct service *service);
bool service_is_winding_up(const struct service *service);

bool service_has_keepers(const struct service *service);

/* What the last look at everything stored found, beside the service: "running" until
 * there is one, "passed", "failed", "not_done"; NULL without keepers. */
const char *service_check(const struct service *service);

/* NULL when all is well, else what is not, for /readyz. */
const char *service_trouble(const struct service *service);

#endif
