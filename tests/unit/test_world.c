/* test_world.c - decide/world.h, with policies and scorers that count how often they are
 * freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "decide/world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- parts: alive until freed -------------------------------------------------------------------- */

enum { ALIVE = 0x600d };

struct policy {
    int is_alive;
    struct scope scope;
    int priority;
    const char *model;
};

struct scorer {
    int is_alive;
    int64_t number;
};

static atomic_int alive_count;

void policy_free(struct policy *policy)
{
    assert_int_equal(policy->is_alive, ALIVE);
    policy->is_alive = 0;
    atomic_fetch_sub(&alive_count, 1);
    free(policy);
}

void scorer_close(struct scorer *scorer)
{
    if (!scorer)
        return;
    assert_int_equal(scorer->is_alive, ALIVE);
    scorer->is_alive = 0;
    atomic_fetch_sub(&alive_count, 1);
    free(scorer);
}

const struct scope *policy_scope(const struct policy *policy)
{
    return &policy->scope;
}

int policy_priority(const struct policy *policy)
{
    return policy->priority;
}

const char *policy_model(const struct policy *policy)
{
    return policy->model;
}

bool scope_matches(const struct scope *scope, const struct refund_case *asked)
{
    return scope->market.bytes == 0 || text_equal(scope->market, asked->market);
}

static struct served_policy *new_policy(const char *id, int64_t revision, int priority,
                                        const char *market)
{
    struct policy *policy = calloc(1, sizeof *policy);

    *policy = (struct policy){ALIVE, {.market = text_of(market)}, priority, NULL};
    atomic_fetch_add(&alive_count, 1);
    return served_policy_new(id, revision, policy);
}

static struct served_model *new_model(const char *name, int64_t version)
{
    struct scorer *scorer = calloc(1, sizeof *scorer);

    *scorer = (struct scorer){ALIVE, version};
    atomic_fetch_add(&alive_count, 1);
    return served_model_new(name, version, scorer);
}

static void put_policy(struct world_holder *holder, const char *id, int64_t revision,
                       int priority, const char *market)
{
    assert_int_equal(
        world_put_policy(holder, new_policy(id, revision, priority, market), NULL),
        STATUS_OK);
}

static void put_model(struct world_holder *holder, const char *name, int64_t version)
{
    assert_int_equal(world_put_model(holder, new_model(name, version), NULL), STATUS_OK);
}

static struct world_holder *open_holder(void)
{
    struct world_holder *holder;

    atomic_store(&alive_count, 0);
    assert_int_equal(world_holder_open(&holder, NULL), STATUS_OK);
    return holder;
}

static void close_holder(struct world_holder *holder)
{
    world_holder_close(holder);
    assert_int_equal(atomic_load(&alive_count), 0);
}

/* --- tests --------------------------------------------------------------------------------------- */

static void policies_stand_by_falling_priority_then_scope_then_id(void **state)
{
    static const char *const expected[] = {"late", "z_us", "a", "b", "c", "base"};
    struct world_holder *holder = open_holder();
    struct world *world;

    (void)state;
    put_policy(holder, "base", 1, -5, "");
    put_policy(holder, "c", 1, 0, "");
    put_policy(holder, "a", 1, 0, "");
    put_policy(holder, "late", 1, 10, "");
    put_policy(holder, "b", 1, 0, "");
    put_policy(holder, "z_us", 1, 0, "us");
    world = world_acquire(holder);
    assert_int_equal(world->policy_count, 6);
    assert_int_equal(world->number, 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(world->policies[i]->id, expected[i]);
    world_release(world);
    close_holder(holder);
}

static void a_case_gets_the_first_policy_that_matches(void **state)
{
    struct world_holder *holder = open_holder();
    struct refund_case asked = {.market = text_of("us")};
    struct world *world;

    (void)state;
    world = world_acquire(holder);
    assert_null(world_policy(world, &asked));
    world_release(world);
    put_policy(holder, "all", 1, 0, "");
    put_policy(holder, "de", 1, 5, "de");
    put_policy(holder, "us", 1, 5, "us");
    world = world_acquire(holder);
    assert_string_equal(world_policy(world, &asked)->id, "us");
    asked.market = text_of("fr");
    assert_string_equal(world_policy(world, &asked)->id, "all");
    world_release(world);
    close_holder(holder);
}

static void a_new_revision_takes_the_place_of_the_old(void **state)
{
    struct world_holder *holder = open_holder();
    struct world *old, *new;

    (void)state;
    put_policy(holder, "a", 1, 0, "");
    put_policy(holder, "b", 1, 1, "");
    old = world_acquire(holder);
    put_policy(holder, "a", 2, 7, "");
    new = world_acquire(holder);
    assert_int_equal(new->policy_count, 2);
    assert_string_equal(new->policies[0]->id, "a");
    assert_int_equal(new->policies[0]->revision, 2);
    /* Shared where nothing changed, undisturbed where it did. */
    assert_ptr_equal(new->policies[1], old->policies[0]);
    assert_string_equal(old->policies[1]->id, "a");
    assert_int_equal(old->policies[1]->revision, 1);
    assert_int_equal(old->policies[1]->policy->is_alive, ALIVE);
    assert_int_equal(atomic_load(&alive_count), 3);
    world_release(old);
    assert_int_equal(atomic_load(&alive_count), 2);
    world_release(new);
    close_holder(holder);
}

static void models_come_change_and_leave_by_name(void **state)
{
    static const char *const names[] = {"m", "a", "z", "mm", "l"};
    struct world_holder *holder = open_holder();
    struct world *world;

    (void)state;
    for (int i = 0; i < 5; i++)
        put_model(holder, names[i], i + 1);
    put_model(holder, "m", 9);
    world = world_acquire(holder);
    assert_int_equal(world->model_count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(world_model(world, names[i])->version, i == 0 ? 9 : i + 1);
    assert_null(world_model(world, "none"));
    assert_null(world_model(world, ""));
    world_release(world);

    assert_int_equal(world_put_model(holder, served_model_new("z", 0, NULL), NULL),
                     STATUS_OK);
    assert_int_equal(world_put_model(holder, served_model_new("none", 0, NULL), NULL),
                     STATUS_OK);
    world = world_acquire(holder);
    assert_int_equal(world->model_count, 4);
    assert_null(world_model(world, "z"));
    assert_int_equal(world_model(world, "mm")->version, 4);
    world_release(world);
    close_holder(holder);
}

static void a_model_left_out_is_missed_by_the_policy_that_asks_it(void **state)
{
    struct world_holder *holder = open_holder();
    struct served_policy *policy = new_policy("p", 1, 0, "");
    struct world *world;

    (void)state;
    policy->policy->model = "m";
    assert_int_equal(world_leave_out_model(holder, "m", 3, NULL), STATUS_OK);
    assert_int_equal(world_leave_out_model(holder, "other", 1, NULL), STATUS_OK);
    world = world_acquire(holder);
    assert_null(world_model(world, "m"));
    assert_null(world_lack(world)); /* nobody asks it */
    world_release(world);
    assert_int_equal(world_put_policy(holder, policy, NULL), STATUS_OK);
    world = world_acquire(holder);
    assert_non_null(world_lack(world));
    assert_int_equal(world_lack(world)->version, 3);
    world_release(world);
    put_model(holder, "m", 4);
    world = world_acquire(holder);
    assert_null(world_lack(world));
    assert_int_equal(world_model(world, "m")->version, 4);
    world_release(world);
    close_holder(holder);
}

static void a_full_world_refuses_but_still_replaces(void **state)
{
    struct world_holder *holder = open_holder();
    struct world *world;
    char name[16];

    (void)state;
    for (int i = 0; i < WORLD_POLICY_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put_policy(holder, name, 1, 0, "");
        put_model(holder, name, 1);
    }
    assert_int_equal(world_put_policy(holder, new_policy("more", 1, 0, ""), NULL),
                     STATUS_TOO_LARGE);
    assert_int_equal(world_put_model(holder, new_model("more", 1), NULL),
                     STATUS_TOO_LARGE);
    put_policy(holder, "n7", 2, 0, "");
    put_model(holder, "n255", 2);
    world = world_acquire(holder);
    assert_int_equal(world->number, 2 * WORLD_POLICY_COUNT_MAX + 2);
    assert_int_equal(world->policy_count, WORLD_POLICY_COUNT_MAX);
    assert_int_equal(world_model(world, "n255")->version, 2);
    world_release(world);
    assert_int_equal(atomic_load(&alive_count), 2 * WORLD_POLICY_COUNT_MAX);
    close_holder(holder);
}

/* --- threads ------------------------------------------------------------------------------------- */

struct reader {
    pthread_t thread;
    struct world_holder *holder;
    atomic_bool *is_over;
    atomic_int seen_count;
    int64_t last_number;
};

/* Policy and model are always put in pairs of one number, the policy first: what is seen
 * together differs by one step at most, and never goes back. */
static void a_world_of_its_own_keeps_what_it_shares(void **state)
{
    struct world_holder *holder = open_holder();
    struct world *current, *own, *empty;
    struct err err;

    (void)state;
    err_clear(&err);
    put_model(holder, "m", 1);
    current = world_acquire(holder);
    assert_int_equal(world_of(new_policy("p", 1, 0, NULL),
                              served_model_hold(world_model(current, "m")), &own, &err),
                     STATUS_OK);
    world_release(current);
    put_model(holder, "m", 2);
    assert_int_equal(own->policy_count, 1);
    assert_int_equal(world_model(own, "m")->version, 1);
    assert_int_equal(world_model(own, "m")->scorer->is_alive, ALIVE);
    assert_int_equal(atomic_load(&alive_count), 3);
    world_release(own);
    assert_int_equal(atomic_load(&alive_count), 1);
    assert_int_equal(world_of(NULL, NULL, &empty, &err), STATUS_OK);
    assert_null(world_model(empty, "m"));
    assert_int_equal(empty->policy_count, 0);
    world_release(empty);
    close_holder(holder);
}

static void *read_worlds(void *context)
{
    struct reader *reader = context;
    const struct refund_case asked = {0};

    while (!atomic_load(reader->is_over)) {
        struct world *world = world_acquire(reader->holder);
        const struct served_policy *policy = world_policy(world, &asked);
        const struct served_model *model = world_model(world, "m");

        assert_int_equal(policy->policy->is_alive, ALIVE);
        assert_int_equal(model->scorer->is_alive, ALIVE);
        assert_int_equal(model->scorer->number, model->version);
        assert_true(policy->revision - model->version == 0 ||
                    policy->revision - model->version == 1);
        assert_true(world->number >= reader->last_number);
        reader->last_number = world->number;
        atomic_fetch_add(&reader->seen_count, 1);
        world_release(world);
    }
    return NULL;
}

static void readers_work_undisturbed_while_worlds_are_swapped(void **state)
{
    enum { READER_COUNT = 3, SWAP_COUNT = 3000, SEEN_COUNT = 500 };
    struct world_holder *holder = open_holder();
    struct reader readers[READER_COUNT];
    atomic_bool is_over = false;

    (void)state;
    put_policy(holder, "p", 1, 0, "");
    put_model(holder, "m", 1);
    for (int i = 0; i < READER_COUNT; i++) {
        readers[i] = (struct reader){.holder = holder, .is_over = &is_over};
        assert_int_equal(
            pthread_create(&readers[i].thread, NULL, read_worlds, &readers[i]), 0);
    }
    /* Until every reader has had its turns among the swaps. */
    for (int i = 2, slowest = 0; i <= SWAP_COUNT || slowest < SEEN_COUNT; i++) {
        put_policy(holder, "p", i, 0, "");
        put_model(holder, "m", i);
        slowest = SEEN_COUNT;
        for (int r = 0; r < READER_COUNT; r++)
            if (atomic_load(&readers[r].seen_count) < slowest)
                slowest = atomic_load(&readers[r].seen_count);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < READER_COUNT; i++)
        pthread_join(readers[i].thread, NULL);
    assert_int_equal(atomic_load(&alive_count), 2);
    close_holder(holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_stand_by_falling_priority_then_scope_then_id),
        cmocka_unit_test(a_case_gets_the_first_policy_that_matches),
        cmocka_unit_test(a_new_revision_takes_the_place_of_the_old),
        cmocka_unit_test(models_come_change_and_leave_by_name),
        cmocka_unit_test(a_model_left_out_is_missed_by_the_policy_that_asks_it),
        cmocka_unit_test(a_full_world_refuses_but_still_replaces),
        cmocka_unit_test(a_world_of_its_own_keeps_what_it_shares),
        cmocka_unit_test(readers_work_undisturbed_while_worlds_are_swapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
