/* forecast.c - what is still to come: the same slots of days before, as many times as
 * today has shown, mixed with what came of late. */
#include "optimize/pacer_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VOLUME_WEIGHT  0.03  /* of a day's forecast beside what was seen: w */
#define CELL_WEIGHT    50.0  /* cases that a cell's own volume is held back by */
#define RECENT_SHARE   0.1   /* of what came of late in the forecast */
#define RECENT_WEIGHT  500.0 /* cases that this share is held back by */
#define RATE_WEIGHT_US 30e6  /* time that the first rate is held back by */

/* --- volume ----------------------------------------------------------------------------------- */

double pacer_volume_weight(const struct pacer *pacer)
{
    return VOLUME_WEIGHT * pacer->day_expected;
}

double pacer_volume_seen(const struct pacer *pacer)
{
    return pacer->seen + (pacer->reference_now >= 0 ? pacer->usual_now : 0);
}

/* (w N + n_seen) / (w N + N F(t)): of two counts that both forget. */
double pacer_volume(const struct pacer *pacer, int64_t now_us)
{
    double expected =
        pacer->expected + pacer->expected_now * pacer_slot_share(pacer, now_us);
    double weight = pacer_volume_weight(pacer);

    if (weight <= 0 || expected <= 0)
        return 1;
    return (weight + pacer_volume_seen(pacer)) / (weight + expected);
}

double pacer_cell_volume(const struct pacer *pacer, const struct pacer_cell *cell,
                         double volume, int64_t now_us)
{
    double expected =
        cell->expected + cell->expected_now * pacer_slot_share(pacer, now_us);
    double seen = cell->seen + (pacer->reference_now >= 0 ? cell->usual_now : 0);

    return volume * (CELL_WEIGHT + seen) / (CELL_WEIGHT + volume * expected);
}

/* --- days before ------------------------------------------------------------------------------ */

static enum status make_parts(const struct pacer *pacer, struct horizon *horizon)
{
    if (horizon->cell_capacity < pacer->cell_count) {
        struct demand *parts =
            realloc(horizon->parts, (size_t)pacer->cell_count * sizeof *parts);

        if (!parts)
            return STATUS_EXHAUSTED;
        horizon->parts = parts;
        horizon->cell_capacity = pacer->cell_count;
    }
    horizon->cell_count = pacer->cell_count;
    for (int i = 0; i < pacer->cell_count; i++)
        demand_clear(&horizon->parts[i]);
    return STATUS_OK;
}

static void add_slot(struct pacer *pacer, int64_t number, double share,
                     struct horizon *horizon)
{
    int64_t reference = pacer_reference(pacer, number);
    const struct slot *slot = pacer_slot(pacer, reference);

    if (reference < 0)
        horizon->unknown_us += (int64_t)(share * PACER_SLOT_US);
    if (!slot)
        return;
    horizon->case_count += share * slot->case_count;
    for (const struct sheet *s = slot->sheets; s; s = s->next)
        sheet_add(s, share, &horizon->parts[s->cell]);
}

/* Share of a slot that is before an end. */
static double share_before(int64_t number, int64_t ends_us)
{
    double share = (double)(ends_us - number * PACER_SLOT_US) / PACER_SLOT_US;

    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* The latest that ends no later and knows as many cells; NULL when there is none. */
static const struct horizon *find_before(const struct pacer *pacer, int64_t ends_us)
{
    const struct horizon *found = NULL;

    for (int i = 0; i < pacer->horizon_count; i++) {
        const struct horizon *horizon = &pacer->horizons[i];

        if (horizon->ends_us <= ends_us && horizon->cell_count == pacer->cell_count &&
            (!found || horizon->ends_us > found->ends_us))
            found = horizon;
    }
    return found;
}

/* From where another ends, or from the next slot, to its own end. */
static void go_on(struct pacer *pacer, const struct horizon *from, int64_t ends_us,
                  struct horizon *horizon)
{
    int64_t since_us = from ? from->ends_us : (pacer->slot_now + 1) * PACER_SLOT_US;
    int64_t first = since_us / PACER_SLOT_US;

    if (first <= pacer->slot_now)
        first = pacer->slot_now + 1;
    if (from && from != horizon)
        memcpy(horizon->parts, from->parts,
               (size_t)pacer->cell_count * sizeof *horizon->parts);
    horizon->case_count = from ? from->case_count : 0;
    horizon->unknown_us = from ? from->unknown_us : 0;
    for (int64_t n = first; n * PACER_SLOT_US < ends_us; n++)
        add_slot(pacer, n, share_before(n, ends_us) - share_before(n, since_us), horizon);
    horizon->ends_us = ends_us;
}

/* How many are kept: as many as there is memory for. */
static int horizon_room(const struct pacer *pacer)
{
    int room = PACER_HORIZON_CELL_COUNT_MAX / pacer->cell_count;

    return room < PACER_HORIZON_COUNT_MAX ? room : PACER_HORIZON_COUNT_MAX;
}

struct horizon *pacer_horizon(struct pacer *pacer, int64_t ends_us)
{
    const struct horizon *from = find_before(pacer, ends_us);
    int room = horizon_room(pacer);
    struct horizon *horizon = &pacer->horizons[pacer->horizon_count % room];

    for (int i = 0; i < pacer->horizon_count; i++)
        if (pacer->horizons[i].ends_us == ends_us)
            return &pacer->horizons[i];
    if (from != horizon && make_parts(pacer, horizon))
        return NULL;
    go_on(pacer, from, ends_us, horizon);
    if (pacer->horizon_count < room)
        pacer->horizon_count++;
    return horizon;
}

/* --- today ------------------------------------------------------------------------------------ */

/* Share of a slot from now to the end of the slot now, or of the horizon. */
static double slot_left(const struct pacer *pacer, const struct horizon *horizon,
                        int64_t now_us)
{
    int64_t until_us = (pacer->slot_now + 1) * PACER_SLOT_US;

    if (until_us > horizon->ends_us)
        until_us = horizon->ends_us;
    return now_us < until_us ? (double)(until_us - now_us) / PACER_SLOT_US : 0;
}

double pacer_cases_ahead(const struct pacer *pacer, const struct horizon *horizon,
                         int64_t now_us)
{
    return horizon->case_count + pacer->expected_now * slot_left(pacer, horizon, now_us);
}

/* The slots of days before, and of late as it would go on with the day's course. */
static void add_known(struct pacer *pacer, const struct horizon *horizon, int index,
                      int64_t now_us, struct demand *forecast)
{
    const struct pacer_cell *cell = pacer->cells[index];
    double share = pacer_slot_share(pacer, now_us);
    double volume = pacer_cell_volume(pacer, cell, pacer_volume(pacer, now_us), now_us);
    double behind = pacer->recent_expected + share * pacer->expected_now;
    double ahead = pacer_cases_ahead(pacer, horizon, now_us);
    double mixed = RECENT_SHARE * behind / (behind + RECENT_WEIGHT);

    if (index < horizon->cell_count)
        demand_add(forecast, &horizon->parts[index], (1 - mixed) * volume);
    if (cell->reference_now)
        sheet_add(cell->reference_now,
                  (1 - mixed) * volume * slot_left(pacer, horizon, now_us), forecast);
    if (behind <= 0 || ahead <= 0)
        return;
    demand_add(forecast, &cell->recent, mixed * ahead / behind);
    demand_add(forecast, &cell->now, mixed * ahead / behind * pacer_usual_share(cell));
}

/* What came of late, at its rate, through the time that nothing is known of. */
static void add_unknown(const struct pacer *pacer, const struct pacer_cell *cell,
                        int64_t now_us, double unknown_us, struct demand *forecast)
{
    int64_t since_us = pacer->slot_now * PACER_SLOT_US;
    double noted_us, scale;

    if (since_us < pacer->noted_since_us)
        since_us = pacer->noted_since_us;
    noted_us = pacer->recent_us + (double)(now_us - since_us);
    scale = unknown_us / (noted_us + RATE_WEIGHT_US);
    demand_add(forecast, &cell->recent, scale);
    demand_add(forecast, &cell->now, scale * pacer_usual_share(cell));
}

static void add_incident(const struct pacer *pacer, const struct pacer_cell *cell,
                         int64_t now_us, int64_t ends_us, struct demand *forecast)
{
    double left = incident_cases_left(pacer, cell, now_us, ends_us);
    double count = cell->recent.case_count + cell->now.case_count;

    if (left <= 0 || count <= 0)
        return;
    demand_add(forecast, &cell->recent, left / count);
    demand_add(forecast, &cell->now, left / count);
}

void pacer_forecast(struct pacer *pacer, const struct horizon *horizon, int cell,
                    int64_t now_us, struct demand *forecast)
{
    double unknown_us = (double)horizon->unknown_us;

    demand_clear(forecast);
    if (pacer->reference_now < 0)
        unknown_us += PACER_SLOT_US * slot_left(pacer, horizon, now_us);
    add_known(pacer, horizon, cell, now_us, forecast);
    if (unknown_us > 0)
        add_unknown(pacer, pacer->cells[cell], now_us, unknown_us, forecast);
    add_incident(pacer, pacer->cells[cell], now_us, horizon->ends_us, forecast);
}
