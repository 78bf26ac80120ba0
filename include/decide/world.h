/* world.h - what every decision is made under: one immutable snapshot of policies and
 * models.
 *
 * A change makes a new world that shares what did not change, and swaps one pointer;
 * whoever works under the old one finishes undisturbed. Acquire and release from any
 * thread. */
#ifndef REDRESS_DECIDE_WORLD_H
#define REDRESS_DECIDE_WORLD_H

#include "base/err.h"
#include "infer/scorer.h"
#include "policy/policy.h"
#include "store/registry.h"

#include <stdatomic.h>
#include <stdint.h>

enum { WORLD_POLICY_COUNT_MAX = 256, WORLD_MODEL_COUNT_MAX = 256 };

/* A policy revision in force. Shared between worlds. */
struct served_policy {
    atomic_int holders;
    char id[NAME_TEXT_BYTES];
    int64_t revision;
    struct policy *policy;
};

/* A model version that an alias "champion" points at. Shared between worlds. */
struct served_model {
    atomic_int holders;
    char name[NAME_TEXT_BYTES];
    int64_t version;
    struct scorer *scorer;
    /* it could not be opened: the name stands for it, and there is no scorer */
    bool is_left_out;
};

struct world {
    atomic_int holders;
    int64_t number; /* rises by one with every change */
    struct served_policy *policies
        /* by falling priority, then the narrower scope, then id */
        [WORLD_POLICY_COUNT_MAX];
    int policy_count;
    struct served_model *models[WORLD_MODEL_COUNT_MAX];
    int model_count;
};

struct world_holder; /* opaque: where the current world is found */

enum status world_holder_open(struct world_holder **holder, struct err *err);
void world_holder_close(struct world_holder *holder); /* NULL is fine */

/* The current world; give it back with world_release. Never NULL. */
struct world *world_acquire(struct world_holder *holder);
void world_release(struct world *world); /* NULL is fine */

/* Take an object over and hand out the first hold on it. NULL when there is no memory;
 * then the caller still owns policy or scorer. */
struct served_policy *served_policy_new(const char *id, int64_t revision,
                                        struct policy *policy);
struct served_model *served_model_new(const char *name, int64_t version,
                                      struct scorer *scorer);
void served_policy_release(struct served_policy *served); /* NULL is fine */
void served_model_release(struct served_model *served);

/* One more hold on a model, for whoever keeps it longer than the world it was found
 * in. */
struct served_model *served_model_hold(const struct served_model *served);

/* A world of nothing but these, each or both NULL, that is not the current one. The
 * caller's holds pass to it, also on failure; world_release gives them back. */
enum status world_of(struct served_policy *policy, struct served_model *model,
                     struct world **world, struct err *err);

/* Make the next world, with this policy or model in place of the one of the same name; a
 * NULL scorer's name leaves. The caller's hold passes to the world, also on failure. One
 * writer at a time: the commit thread. */
enum status world_put_policy(struct world_holder *holder, struct served_policy *policy,
                             struct err *err);
enum status world_put_model(struct world_holder *holder, struct served_model *model,
                            struct err *err);

/* Note instead that the champion of that name could not be opened, until another one is
 * put. */
enum status world_leave_out_model(struct world_holder *holder, const char *name,
                                  int64_t version, struct err *err);

/* The first policy that matches the case, in the order of policies; NULL when none
 * does. */
const struct served_policy *world_policy(const struct world *world,
                                         const struct refund_case *asked);
/* NULL also when it was left out. */
const struct served_model *world_model(const struct world *world, const char *name);

/* A model that was left out though a policy in force asks it; NULL when there is none. */
const struct served_model *world_lack(const struct world *world);

#endif
