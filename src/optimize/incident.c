/* incident.c - bursts that no day before has shown: an outage in one market. */
#include "optimize/pacer_state.h"

#include <math.h>

#define WINDOW_US (INT64_C(300) * 1000000)
enum { COUNT_MIN = 8 }; /* fewer cases are no incident */

#define RATE_FACTOR     3.0  /* so many times the usual begin an incident, */
#define RATE_FACTOR_END 1.5  /* and fewer than so many end it */
#define TAIL_LOGARITHM  9.21 /* -ln of 1e-4 */
#define DURATION_US                                                                      \
    2.7e9 /* what is thought of their length before any was seen: 45 min */
#define DURATION_WEIGHT 2.0 /* and as how many incidents that counts */

static double window_us(const struct pacer_cell *cell, int64_t now_us)
{
    double us = (double)(now_us - cell->incident.window_us);

    return us + (cell->incident.count_before >= 0 ? WINDOW_US : 0);
}

double incident_usual_rate(const struct pacer *pacer, const struct pacer_cell *cell,
                           int64_t now_us)
{
    double volume;

    if (pacer->reference_now >= 0 && pacer->day_expected > 0) {
        volume = pacer_cell_volume(pacer, cell, pacer_volume(pacer, now_us), now_us);
        return volume * fmax(cell->expected_now, 0.5) * 1e6 / PACER_SLOT_US;
    }
    return fmax(cell->recent.case_count, 0.5) * 1e6 / fmax(pacer->recent_us, 1);
}

/* Chernoff's bound of the Poisson tail: P(X >= n) <= exp(m - n - n ln(n / m)... ) for n > m. */
static bool is_burst(double count, double usual)
{
    return count > RATE_FACTOR * usual &&
           count * log(count / usual) - count + usual > TAIL_LOGARITHM;
}

static bool has_usual(const struct pacer *pacer)
{
    return pacer->reference_now >= 0 || pacer->recent_us >= 2.0 * PACER_SLOT_US;
}

static void end_incident(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us)
{
    cell->incident.is_active = false;
    pacer->ended_count++;
    pacer->ended_us += (double)(now_us - cell->incident.since_us);
}

/* The window moves on by its length; after a gap both are empty. */
static void move_window(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us)
{
    struct incident *incident = &cell->incident;
    int64_t passed = (now_us - incident->window_us) / WINDOW_US;

    if (passed <= 0)
        return;
    if (incident->is_active) {
        double usual = incident_usual_rate(pacer, cell, now_us) * WINDOW_US / 1e6;

        if ((passed > 1 ? 0 : incident->count) < RATE_FACTOR_END * usual)
            end_incident(pacer, cell, now_us);
    }
    incident->count_before = passed > 1 ? 0 : incident->count;
    incident->count = 0;
    incident->window_us += passed * WINDOW_US;
}

void incident_watch(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us)
{
    if (cell->incident.is_active)
        move_window(pacer, cell, now_us);
}

double incident_note(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us)
{
    struct incident *incident = &cell->incident;
    double count, usual;

    move_window(pacer, cell, now_us);
    incident->count++;
    if (incident->is_active)
        return incident->usual_share;
    count = incident->count + fmax(incident->count_before, 0);
    if (count < COUNT_MIN || !has_usual(pacer))
        return 1;
    usual = incident_usual_rate(pacer, cell, now_us) * window_us(cell, now_us) / 1e6;
    if (!is_burst(count, usual))
        return 1;
    incident->is_active = true;
    incident->since_us = now_us;
    incident->usual_share = usual / count;
    return incident->usual_share;
}

double incident_cases_left(const struct pacer *pacer, const struct pacer_cell *cell,
                           int64_t now_us, int64_t ends_us)
{
    const struct incident *incident = &cell->incident;
    double length_us = (DURATION_WEIGHT * DURATION_US + pacer->ended_us) /
                       (DURATION_WEIGHT + pacer->ended_count);
    double left_us = length_us - (double)(now_us - incident->since_us);
    double rate;

    if (!incident->is_active)
        return 0;
    left_us = fmin(fmax(left_us, length_us / 3), (double)(ends_us - now_us));
    rate = (incident->count + fmax(incident->count_before, 0)) * 1e6 /
               fmax(window_us(cell, now_us), 1) -
           incident_usual_rate(pacer, cell, now_us);
    return rate > 0 && left_us > 0 ? rate * left_us / 1e6 : 0;
}
