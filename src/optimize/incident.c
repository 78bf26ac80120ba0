/* incident.c - bursts that no day before has shown: an outage in one market.
 *
 * Each cell is watched, and all cells of each budget together, by a running sum of
 * evidence that cases come at RATE_FACTOR times their usual rate rather than at it (Page,
 * Continuous inspection schemes, Biometrika 1954): it rises by ln RATE_FACTOR with a
 * case, falls with the time that passes, and never below 0, which is where a burst can
 * have begun. Of those that a case is in, the one whose cases are the least likely by
 * chance is what bursts. */
#include "optimize/pacer_state.h"

#include <math.h>

enum { COUNT_MIN = 8 }; /* fewer cases are no incident */

#define RATE_FACTOR     3.0                /* so many times the usual begin an incident */
#define RATE_LOGARITHM  1.0986122886681098 /* ln RATE_FACTOR */
#define EVIDENCE_ENOUGH 14.0 /* that one begins: by chance once in e^14 cases at most */
#define EVIDENCE_OVER   9.21 /* that it is over */
#define USUAL_COUNT_MIN 0.5  /* cases that are usual in a quarter of an hour, at least */
#define EVIDENCE_US     6e8  /* what grew over more than 10 min is no burst */
#define MEMORY_US       3e8  /* of its rate: 5 min */
#define CELL_WEIGHT     4.0  /* cases that a cell is held by to the rate of all */
#define DURATION_US                                                                      \
    2.7e9 /* what is thought of their length before any was seen: 45 min */
#define DURATION_WEIGHT  2.0 /* and as how many incidents that counts */
#define SHORTEST_ELAPSED 1e6 /* us: a rate over less is no rate */

/* --- what is usual ---------------------------------------------------------------------------- */

/* Cases a second, by the days before or by what came of late. */
static double cell_rate(const struct pacer *pacer, const struct pacer_cell *cell,
                        int64_t now_us)
{
    if (pacer->reference_now >= 0 && pacer->day_expected > 0)
        return pacer_cell_volume(pacer, cell, pacer_volume(pacer, now_us), now_us) *
               cell->expected_now * 1e6 / PACER_SLOT_US;
    return cell->recent.case_count * 1e6 / fmax(pacer->recent_us, 1);
}

/* What was counted in one quarter of an hour may have been few by chance: a rate that is
 * more likely too high. */
static double at_most(double rate)
{
    double count = rate * PACER_SLOT_US / 1e6;

    return (count + sqrt(count) + USUAL_COUNT_MIN) * 1e6 / PACER_SLOT_US;
}

static bool has_usual(const struct pacer *pacer)
{
    return pacer->reference_now >= 0 || pacer->recent_us >= 2.0 * PACER_SLOT_US;
}

/* --- watching --------------------------------------------------------------------------------- */

static void watch_note(struct watch *watch, double rate, int64_t now_us)
{
    watch->score -= (RATE_FACTOR - 1) * rate * (double)(now_us - watch->latest_us) / 1e6;
    watch->latest_us = now_us;
    if (watch->score <= 0 || (double)(now_us - watch->since_us) > EVIDENCE_US)
        *watch = (struct watch){.latest_us = now_us, .since_us = now_us};
    watch->score += RATE_LOGARITHM;
    watch->count++;
}

/* Cases that were to be expected since it may have begun. */
static double usual_count(const struct watch *watch, double rate, int64_t now_us)
{
    return rate * fmax((double)(now_us - watch->since_us), SHORTEST_ELAPSED) / 1e6;
}

static bool is_burst(const struct watch *watch, double rate, int64_t now_us)
{
    return watch->score > EVIDENCE_ENOUGH && watch->count >= COUNT_MIN &&
           watch->count > RATE_FACTOR * usual_count(watch, rate, now_us);
}

/* How unlikely so many cases are: ln of the likelihood ratio of their own rate to the
 * usual one. */
static double surprise(const struct watch *watch, double rate, int64_t now_us)
{
    double usual = usual_count(watch, rate, now_us);

    return watch->count > usual
               ? watch->count * log(watch->count / usual) - watch->count + usual
               : 0;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static bool is_in_pool(const struct pacer_cell *cell, int pool)
{
    for (int i = 0; i < cell->pool_count; i++)
        if (cell->pools[i] == pool)
            return true;
    return false;
}

static void join(struct pacer_cell *cell, int number, int64_t now_us)
{
    cell->incident = number;
    cell->burst = (struct burst){.latest_us = now_us};
    cell->watch = (struct watch){.latest_us = now_us};
}

/* What bursts: a cell, or all cells of a pool that are in no incident yet. */
struct found {
    struct pacer_cell *cell;
    int pool; /* -1: the cell alone */
    struct watch watch;
    double rate, surprise;
};

static bool is_part(const struct pacer_cell *cell, const struct found *found)
{
    return found->pool < 0 ? cell == found->cell
                           : cell->incident == 0 && is_in_pool(cell, found->pool);
}

/* A number that is free, from 1; 0 when there is none. */
static int take_number(const struct pacer *pacer)
{
    for (int i = 0; i < PACER_INCIDENT_COUNT_MAX; i++)
        if (!pacer->incidents[i].is_active)
            return i + 1;
    return 0;
}

/* All evidence is used up: of other pools it was in part that of the same cases. */
static void begin(struct pacer *pacer, const struct found *found, int64_t now_us)
{
    int number = take_number(pacer);

    if (number > 0)
        pacer->incidents[number - 1] = (struct incident){
            .is_active = true,
            .since_us = found->watch.since_us,
            .usual_rate = found->rate,
            .burst = {.latest_us = now_us,
                      .count = found->watch.count - 1, /* the first one only began it */
                      .usual = usual_count(&found->watch, found->rate, now_us)}};
    for (int i = 0; i < pacer->cell_count; i++)
        if (is_part(pacer->cells[i], found))
            join(pacer->cells[i], number, now_us);
    for (int i = 0; i < pacer->pool_count; i++)
        pacer->pools[i].watch = (struct watch){.latest_us = now_us};
}

static void end(struct pacer *pacer, struct incident *incident, int64_t now_us)
{
    int number = (int)(incident - pacer->incidents) + 1;

    incident->is_active = false;
    pacer->has_stale_pools =
        true; /* they know no rate of its cells until the next solve */
    pacer->ended_count++;
    pacer->ended_us += (double)(now_us - incident->since_us);
    for (int i = 0; i < pacer->cell_count; i++)
        if (pacer->cells[i]->incident == number)
            join(pacer->cells[i], 0, now_us);
}

/* --- while it lasts --------------------------------------------------------------------------- */

/* Counts grow older; count more cases came. */
static void burst_note(struct burst *burst, double rate, double count, int64_t now_us)
{
    double kept = exp(-(double)(now_us - burst->latest_us) / MEMORY_US);

    burst->latest_us = now_us;
    burst->count = kept * burst->count + count;
    burst->usual = kept * burst->usual + (1 - kept) * rate * MEMORY_US / 1e6;
}

/* Evidence that cases come at their usual rate again. */
static void incident_go_on(struct pacer *pacer, struct incident *incident, double count,
                           int64_t now_us)
{
    double rate = at_most(incident->usual_rate);
    double passed_s = (double)(now_us - incident->burst.latest_us) / 1e6;

    incident->over_score =
        fmax(0, incident->over_score + (RATE_FACTOR - 1) * rate * passed_s -
                    RATE_LOGARITHM * count);
    burst_note(&incident->burst, rate, count, now_us);
    if (incident->over_score > EVIDENCE_OVER)
        end(pacer, incident, now_us);
}

/* How many times its usual rate the cases of a cell come at: its own, held by that of
 * all. */
static double cell_times(const struct pacer *pacer, const struct pacer_cell *cell)
{
    const struct burst *all = &pacer->incidents[cell->incident - 1].burst;
    double times = all->count / fmax(all->usual, 1e-9);

    return (CELL_WEIGHT + cell->burst.count) /
           (CELL_WEIGHT / fmax(times, 1) + cell->burst.usual);
}

static double note_active(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us)
{
    double times;

    burst_note(&cell->burst, cell_rate(pacer, cell, now_us), 1, now_us);
    times = cell_times(pacer, cell);
    incident_go_on(pacer, &pacer->incidents[cell->incident - 1], 1, now_us);
    return times > 1 ? 1 / times : 1;
}

static double pool_rate(const struct pool *pool)
{
    return at_most(pool->usual_rate);
}

/* Count a case in its cell and pools. True when one of them bursts. */
static bool watch_all(struct pacer *pacer, struct pacer_cell *cell, double rate,
                      int64_t now_us)
{
    bool has_begun;

    watch_note(&cell->watch, rate, now_us);
    has_begun = is_burst(&cell->watch, rate, now_us);
    for (int i = 0; i < cell->pool_count && !pacer->has_stale_pools; i++) {
        struct pool *pool = &pacer->pools[cell->pools[i]];

        watch_note(&pool->watch, pool_rate(pool), now_us);
        has_begun = has_begun || is_burst(&pool->watch, pool_rate(pool), now_us);
    }
    return has_begun;
}

/* Of a case's cell and pools, the one that surprises most. */
static struct found find_most(const struct pacer *pacer, struct pacer_cell *cell,
                              double rate, int64_t now_us)
{
    struct found most = {.cell = cell,
                         .pool = -1,
                         .watch = cell->watch,
                         .rate = rate,
                         .surprise = surprise(&cell->watch, rate, now_us)};

    for (int i = 0; i < cell->pool_count && !pacer->has_stale_pools; i++) {
        const struct pool *pool = &pacer->pools[cell->pools[i]];
        double found = surprise(&pool->watch, pool_rate(pool), now_us);

        if (found > most.surprise)
            most = (struct found){.pool = cell->pools[i],
                                  .watch = pool->watch,
                                  .rate = pool_rate(pool),
                                  .surprise = found};
    }
    return most;
}

double incident_note(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us)
{
    struct found most;
    double rate;

    if (!has_usual(pacer))
        return 1;
    if (cell->incident > 0)
        return note_active(pacer, cell, now_us);
    rate = at_most(cell_rate(pacer, cell, now_us));
    if (!watch_all(pacer, cell, rate, now_us))
        return 1;
    most = find_most(pacer, cell, rate, now_us);
    begin(pacer, &most, now_us);
    return cell->incident > 0 ? 1 / fmax(1, cell_times(pacer, cell)) : 1;
}

/* --- solving ---------------------------------------------------------------------------------- */

void incident_pools_begin(struct pacer *pacer, int pool_count, int64_t now_us)
{
    for (int i = 0; i < PACER_INCIDENT_COUNT_MAX; i++)
        if (pacer->incidents[i].is_active) {
            incident_go_on(pacer, &pacer->incidents[i], 0, now_us);
            pacer->incidents[i].usual_rate = 0;
        }
    for (int i = 0; i < pool_count; i++) {
        if (pacer->pool_count != pool_count || pacer->has_stale_pools)
            pacer->pools[i].watch = (struct watch){.latest_us = now_us};
        pacer->pools[i].usual_rate = 0;
    }
    pacer->pool_count = pool_count;
    pacer->has_stale_pools = false;
}

void incident_pools_add(struct pacer *pacer, struct pacer_cell *cell, const int *pools,
                        int count, int64_t now_us)
{
    double rate = cell_rate(pacer, cell, now_us);

    cell->pool_count = count;
    for (int i = 0; i < count; i++)
        cell->pools[i] = (int16_t)pools[i];
    if (cell->incident > 0) {
        pacer->incidents[cell->incident - 1].usual_rate += rate;
        burst_note(&cell->burst, rate, 0, now_us);
    }
    for (int i = 0; i < count && cell->incident == 0; i++)
        pacer->pools[pools[i]].usual_rate += rate;
}

double incident_cases_left(const struct pacer *pacer, const struct pacer_cell *cell,
                           int64_t now_us, int64_t ends_us)
{
    double length_us = (DURATION_WEIGHT * DURATION_US + pacer->ended_us) /
                       (DURATION_WEIGHT + pacer->ended_count);
    double left_us, more;

    if (cell->incident == 0)
        return 0;
    left_us =
        length_us - (double)(now_us - pacer->incidents[cell->incident - 1].since_us);
    left_us = fmin(fmax(left_us, length_us / 3), (double)(ends_us - now_us));
    more = (cell_times(pacer, cell) - 1) * cell_rate(pacer, cell, now_us);
    return more > 0 && left_us > 0 ? more * left_us / 1e6 : 0;
}
