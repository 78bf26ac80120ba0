/* pacing.c - how a budget keeps to its plan: what was to be spent by now and what was,
 * the price, and what is expected of the rest of the period. */
#include "decide/admin.h"

#include "decide/budget_json.h"
#include "decide/lists.h"
#include "decide/prices.h"

enum { PACING_BYTES = 2048 };

/* The budget and the snapshot that its price is of. */
static enum status read_budget(struct service *service, const char *id,
                               struct budget *budget, struct price_snapshot *snapshot,
                               struct err *err)
{
    struct store *reader = service_reader_take(service);
    enum status rc = store_read_begin(reader, err);

    if (!rc) {
        rc = budget_find(reader, id, budget, err);
        if (!rc)
            rc = price_snapshot_find(reader, snapshot, err);
        store_read_end(reader);
    }
    service_reader_give(service, reader);
    return rc;
}

static void put_price(struct json_writer *w, const struct budget *budget,
                      const struct price_snapshot *snapshot)
{
    json_member_decimal(w, "shadow_price",
                        budget->pacing == PACING_NONE ? 0 : budget->shadow_price, 9);
    json_member_string(w, "snapshot", snapshot->id[0] ? snapshot->id : NULL);
    json_put_key(w, "published_at");
    if (snapshot->published_at_us > 0)
        json_put_time(w, snapshot->published_at_us);
    else
        json_put_null(w);
}

static void put_plan(struct json_writer *w, const struct budget *budget,
                     const struct price_outlook *outlook)
{
    json_member_int(w, "limit", budget->limit);
    json_member_int(w, "held", budget->held);
    json_member_int(w, "spent", budget->spent);
    json_member_int(w, "remaining", budget_remaining(budget));
    json_put_key(w, "planned_amount");
    if (outlook)
        json_put_int(w,
                     (int64_t)(outlook->outlook.planned_share * (double)budget->limit));
    else
        json_put_null(w);
}

/* null: nothing was solved yet. */
static void put_forecast(struct json_writer *w, const struct price_outlook *outlook)
{
    json_put_key(w, "forecast");
    if (!outlook) {
        json_put_null(w);
        return;
    }
    json_put_object(w);
    json_member_time(w, "at", outlook->solved_at_us);
    json_member_decimal(w, "cases_left", outlook->outlook.cases_left, 1);
    json_member_decimal(w, "spend_left", outlook->outlook.spend_left, 1);
    json_put_object_end(w);
}

static void put_incident(struct json_writer *w, const struct price_outlook *outlook)
{
    json_put_key(w, "incident");
    if (!outlook || outlook->incident_since_us == 0) {
        json_put_null(w);
        return;
    }
    json_put_object(w);
    json_member_time(w, "since", outlook->incident_since_us);
    json_put_object_end(w);
}

/* Where no keeper solves, in a tool beside no service, whoever asks does. */
static bool find_outlook(struct service *service, const char *id,
                         struct price_outlook *found)
{
    struct err err;

    err_clear(&err);
    if (prices_find(service_prices(service), id, found))
        return true;
    return !service_has_keepers(service) && prices_renew(service, &err) == STATUS_OK &&
           prices_find(service_prices(service), id, found);
}

enum status budget_pacing_show(struct service *service, const char *id,
                               struct arena *arena, struct text *json, struct err *err)
{
    struct price_snapshot snapshot = {0};
    const struct price_outlook *outlook;
    struct price_outlook found;
    struct budget budget;
    struct json_writer w;
    enum status rc = read_budget(service, id, &budget, &snapshot, err);

    if (!rc)
        rc = show_writer(arena, PACING_BYTES, &w, err);
    if (rc)
        return rc;
    outlook = find_outlook(service, id, &found) ? &found : NULL;
    json_put_object(&w);
    json_member_string(&w, "object", "budget_pacing");
    json_member_string(&w, "budget_id", budget.id);
    json_member_string(&w, "pacing", pacing_name(budget.pacing));
    json_member_string(&w, "currency", budget.currency);
    json_member_time_or_null(&w, "period_starts_at", budget.period_starts_at_us);
    json_member_time_or_null(&w, "period_ends_at", budget.period_ends_at_us);
    put_plan(&w, &budget, outlook);
    json_member_int(&w, "case_count", budget.case_count);
    put_price(&w, &budget, &snapshot);
    put_forecast(&w, outlook);
    put_incident(&w, outlook);
    json_put_object_end(&w);
    return json_writer_text(&w, json, err);
}
