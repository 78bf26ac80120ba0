/* world.c - snapshots that share their parts, counted by their holders. */
#include "decide/world.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct world_holder {
    /* Held for as long as it takes to read the pointer and count one more holder: between
     * the two the writer must not let go of the world. */
    pthread_mutex_t lock;
    struct world *current;
};

/* --- parts ---------------------------------------------------------------------------------- */

struct served_policy *served_policy_new(const char *id, int64_t revision,
                                        struct policy *policy)
{
    struct served_policy *served = calloc(1, sizeof *served);

    if (!served)
        return NULL;
    atomic_init(&served->holders, 1);
    served->revision = revision;
    served->policy = policy;
    if (!text_copy(text_of(id), served->id, sizeof served->id))
        assert(!"ids of policies fit");
    return served;
}

struct served_model *served_model_new(const char *name, int64_t version,
                                      struct scorer *scorer)
{
    struct served_model *served = calloc(1, sizeof *served);

    if (!served)
        return NULL;
    atomic_init(&served->holders, 1);
    served->version = version;
    served->scorer = scorer;
    if (!text_copy(text_of(name), served->name, sizeof served->name))
        assert(!"names of models fit");
    return served;
}

static void hold(atomic_int *holders)
{
    atomic_fetch_add_explicit(holders, 1, memory_order_relaxed);
}

/* Whether that was the last hold; then everything the others did is visible. */
static bool let_go(atomic_int *holders)
{
    return atomic_fetch_sub_explicit(holders, 1, memory_order_acq_rel) == 1;
}

void served_policy_release(struct served_policy *served)
{
    if (!served || !let_go(&served->holders))
        return;
    policy_free(served->policy);
    free(served);
}

void served_model_release(struct served_model *served)
{
    if (!served || !let_go(&served->holders))
        return;
    scorer_close(served->scorer);
    free(served);
}

struct served_model *served_model_hold(const struct served_model *served)
{
    struct served_model *held = (struct served_model *)served;

    hold(&held->holders);
    return held;
}

enum status world_of(struct served_policy *policy, struct served_model *model,
                     struct world **world, struct err *err)
{
    struct world *made = calloc(1, sizeof *made);

    if (!made) {
        served_policy_release(policy);
        served_model_release(model);
        return err_set(err, STATUS_EXHAUSTED, "no memory for a world");
    }
    atomic_init(&made->holders, 1);
    made->policies[0] = policy;
    made->policy_count = policy != NULL;
    made->models[0] = model;
    made->model_count = model != NULL;
    *world = made;
    return STATUS_OK;
}

/* --- the current world ---------------------------------------------------------------------- */

enum status world_holder_open(struct world_holder **holder, struct err *err)
{
    struct world_holder *opened = calloc(1, sizeof *opened);
    struct world *world = calloc(1, sizeof *world);

    if (!opened || !world) {
        free(opened);
        free(world);
        return err_set(err, STATUS_EXHAUSTED, "no memory for the world");
    }
    atomic_init(&world->holders, 1);
    pthread_mutex_init(&opened->lock, NULL);
    opened->current = world;
    *holder = opened;
    return STATUS_OK;
}

void world_holder_close(struct world_holder *holder)
{
    if (!holder)
        return;
    world_release(holder->current);
    pthread_mutex_destroy(&holder->lock);
    free(holder);
}

struct world *world_acquire(struct world_holder *holder)
{
    struct world *world;

    pthread_mutex_lock(&holder->lock);
    world = holder->current;
    hold(&world->holders);
    pthread_mutex_unlock(&holder->lock);
    return world;
}

void world_release(struct world *world)
{
    if (!world || !let_go(&world->holders))
        return;
    for (int i = 0; i < world->policy_count; i++)
        served_policy_release(world->policies[i]);
    for (int i = 0; i < world->model_count; i++)
        served_model_release(world->models[i]);
    free(world);
}

/* --- the next world ------------------------------------------------------------------------- */

/* A copy with holds of its own on all parts, not yet anybody's; NULL when there is no
 * memory. Only the one writer changes current, so it may read it without the lock. */
static struct world *copy_current(struct world_holder *holder)
{
    const struct world *old = holder->current;
    struct world *next = calloc(1, sizeof *next);

    if (!next)
        return NULL;
    /* One by one: others count holders of the old world meanwhile. */
    atomic_init(&next->holders, 1);
    next->number = old->number + 1;
    next->policy_count = old->policy_count;
    next->model_count = old->model_count;
    memcpy(next->policies, old->policies, sizeof next->policies);
    memcpy(next->models, old->models, sizeof next->models);
    for (int i = 0; i < next->policy_count; i++)
        hold(&next->policies[i]->holders);
    for (int i = 0; i < next->model_count; i++)
        hold(&next->models[i]->holders);
    return next;
}

static void publish(struct world_holder *holder, struct world *next)
{
    struct world *old;

    pthread_mutex_lock(&holder->lock);
    old = holder->current;
    holder->current = next;
    pthread_mutex_unlock(&holder->lock);
    /* Outside the lock: freeing a model takes a while. */
    world_release(old);
}

static void remove_policy(struct world *world, const char *id)
{
    for (int i = 0; i < world->policy_count; i++) {
        if (strcmp(world->policies[i]->id, id) != 0)
            continue;
        served_policy_release(world->policies[i]);
        world->policy_count--;
        memmove(&world->policies[i], &world->policies[i + 1],
                (size_t)(world->policy_count - i) * sizeof *world->policies);
        return;
    }
}

/* How narrow a scope is: what it asks for. */
static int scope_size(const struct policy *policy)
{
    const struct scope *scope = policy_scope(policy);

    return (scope->market.bytes > 0) + (scope->issue.bytes > 0) +
           (scope->segment.bytes > 0) + (scope->channel.bytes > 0);
}

static bool goes_first(const struct served_policy *a, const struct served_policy *b)
{
    int priority_a = policy_priority(a->policy), priority_b = policy_priority(b->policy);
    int size_a = scope_size(a->policy), size_b = scope_size(b->policy);

    if (priority_a != priority_b)
        return priority_a > priority_b;
    return size_a != size_b ? size_a > size_b : strcmp(a->id, b->id) < 0;
}

enum status world_put_policy(struct world_holder *holder, struct served_policy *policy,
                             struct err *err)
{
    struct world *next = copy_current(holder);
    int place = 0;

    if (!next) {
        served_policy_release(policy);
        return err_set(err, STATUS_EXHAUSTED, "no memory for the next world");
    }
    remove_policy(next, policy->id);
    if (next->policy_count == WORLD_POLICY_COUNT_MAX) {
        world_release(next);
        served_policy_release(policy);
        return err_code(err, STATUS_TOO_LARGE, "too_many_policies",
                        "at most %d policies can be in force", WORLD_POLICY_COUNT_MAX);
    }
    while (place < next->policy_count && goes_first(next->policies[place], policy))
        place++;
    memmove(&next->policies[place + 1], &next->policies[place],
            (size_t)(next->policy_count - place) * sizeof *next->policies);
    next->policies[place] = policy;
    next->policy_count++;
    publish(holder, next);
    return STATUS_OK;
}

/* Models stand in the order of their names. Where the name is, or where it would be. */
static int model_place(const struct world *world, const char *name, bool *is_there)
{
    int low = 0, high = world->model_count;

    *is_there = false;
    while (low < high && !*is_there) {
        int middle = low + (high - low) / 2;
        int order = strcmp(world->models[middle]->name, name);

        *is_there = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *is_there ? high : low;
}

/* The model replaces or joins what is there, or leaves; the hold on it is used up. */
static enum status place_model(struct world *world, struct served_model *model,
                               struct err *err)
{
    bool is_there, stays = model->scorer || model->is_left_out;
    int place = model_place(world, model->name, &is_there);
    int after = place + is_there;

    if (stays && !is_there && world->model_count == WORLD_MODEL_COUNT_MAX) {
        served_model_release(model);
        return err_code(err, STATUS_TOO_LARGE, "too_many_models",
                        "at most %d models can be in force", WORLD_MODEL_COUNT_MAX);
    }
    if (is_there)
        served_model_release(world->models[place]);
    memmove(&world->models[place + stays], &world->models[after],
            (size_t)(world->model_count - after) * sizeof *world->models);
    world->model_count += stays - is_there;
    if (stays)
        world->models[place] = model;
    else
        served_model_release(model);
    return STATUS_OK;
}

enum status world_put_model(struct world_holder *holder, struct served_model *model,
                            struct err *err)
{
    struct world *next = copy_current(holder);
    enum status rc;

    if (!next) {
        served_model_release(model);
        return err_set(err, STATUS_EXHAUSTED, "no memory for the next world");
    }
    rc = place_model(next, model, err);
    if (rc)
        world_release(next);
    else
        publish(holder, next);
    return rc;
}

enum status world_leave_out_model(struct world_holder *holder, const char *name,
                                  int64_t version, struct err *err)
{
    struct served_model *served = served_model_new(name, version, NULL);

    if (!served)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the next world");
    served->is_left_out = true;
    return world_put_model(holder, served, err);
}

/* --- looking things up ---------------------------------------------------------------------- */

const struct served_policy *world_policy(const struct world *world,
                                         const struct refund_case *asked)
{
    for (int i = 0; i < world->policy_count; i++)
        if (scope_matches(policy_scope(world->policies[i]->policy), asked))
            return world->policies[i];
    return NULL;
}

/* NULL when there is none of that name. */
static const struct served_model *find_model(const struct world *world, const char *name)
{
    bool is_there;
    int place = model_place(world, name, &is_there);

    return is_there ? world->models[place] : NULL;
}

const struct served_model *world_model(const struct world *world, const char *name)
{
    const struct served_model *model = find_model(world, name);

    return model && !model->is_left_out ? model : NULL;
}

const struct served_model *world_lack(const struct world *world)
{
    for (int i = 0; i < world->policy_count; i++) {
        const char *name = policy_model(world->policies[i]->policy);
        const struct served_model *model = name ? find_model(world, name) : NULL;

        if (model && model->is_left_out)
            return model;
    }
    return NULL;
}
