/* passed_over.c - see passed_over.h. */
#include "app/passed_over.h"

#include "store/decisions.h"

#include <stdlib.h>

enum { TIMES_FIRST = 1024 };

bool log_overridden_read(struct text text, bool *is_overridden)
{
    static const char *const words[] = {"0",    "1",     "false", "true", "False",
                                        "True", "FALSE", "TRUE",  "",     NULL};

    for (int i = 0; words[i]; i++)
        if (text_is(text, words[i])) {
            *is_overridden = i % 2 == 1;
            return true;
        }
    return false;
}

bool log_mode_read(struct text text, bool *is_live)
{
    for (enum decision_mode mode = MODE_LIVE; mode <= MODE_DRY_RUN; mode++)
        if (text_is(text, decision_mode_name(mode))) {
            *is_live = mode == MODE_LIVE;
            return true;
        }
    return false;
}

static bool is_of_policy(struct log_facts facts)
{
    return facts.is_live && !facts.is_by_person;
}

bool passed_over_add(struct passed_over *passed_over, struct log_facts facts)
{
    if (!is_of_policy(facts)) {
        passed_over->by_person += facts.is_by_person;
        passed_over->not_live += !facts.is_by_person;
        return false;
    }
    passed_over->without_reward += !facts.has_reward;
    passed_over->overridden += facts.has_reward && facts.is_overridden;
    return facts.has_reward;
}

/* The latest only becomes later: what lies before it lies there for good. */
static void forget_before(struct awaited *awaited)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < awaited->count; i++)
        if (awaited->times_us[i] > awaited->latest_us)
            awaited->times_us[kept++] = awaited->times_us[i];
    awaited->count = kept;
}

/* Doubled only when half of the room is needed: what a row costs is bounded in any
 * order. */
static enum status make_room(struct awaited *awaited, struct err *err)
{
    int64_t capacity = awaited->capacity ? 2 * awaited->capacity : TIMES_FIRST;
    int64_t *grown;

    if (awaited->count < awaited->capacity)
        return STATUS_OK;
    forget_before(awaited);
    if (awaited->count < awaited->capacity / 2)
        return STATUS_OK;
    grown = realloc(awaited->times_us, (size_t)capacity * sizeof *grown);
    if (!grown)
        return err_set(err, STATUS_EXHAUSTED,
                       "out of memory for %lld decisions without an outcome",
                       (long long)awaited->count);
    awaited->times_us = grown;
    awaited->capacity = capacity;
    return STATUS_OK;
}

enum status awaited_add(struct awaited *awaited, struct log_facts facts,
                        int64_t created_at_us, struct err *err)
{
    enum status rc;

    if (!is_of_policy(facts))
        return STATUS_OK;
    if (facts.has_reward && created_at_us > awaited->latest_us)
        awaited->latest_us = created_at_us;
    if (facts.has_reward || created_at_us <= awaited->latest_us)
        return STATUS_OK;
    rc = make_room(awaited, err);
    if (!rc)
        awaited->times_us[awaited->count++] = created_at_us;
    return rc;
}

int64_t awaited_count(struct awaited *awaited)
{
    forget_before(awaited);
    return awaited->count;
}

void awaited_free(struct awaited *awaited)
{
    free(awaited->times_us);
    *awaited = (struct awaited){0};
}
