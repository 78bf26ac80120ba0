/* simulate_plot.c - pictures of a simulated day. */
#include "app/plot.h"
#include "app/simulate.h"

#include <stdbool.h>
#include <stdio.h>

enum { CURVE_COUNT_MAX = 12 }; /* more would not be told apart */

struct day_plot {
    struct plot *plot;
    FILE *script;
    const struct simulation *simulation;
    const struct simulation_result *result;
    int curve_count;
};

static void begin(struct day_plot *day, const char *name, const char *title,
                  const char *unit)
{
    char whole[128];

    snprintf(whole, sizeof whole, "%s", title);
    if (day->curve_count < day->simulation->budget_count)
        snprintf(whole, sizeof whole, "%s, the first %d of %d budgets", title,
                 day->curve_count, day->simulation->budget_count);
    plot_begin(day->plot, name, whole, "hour of the day", unit);
    fputs("set xrange [0:24]\nset xtics 3\nset yrange [0:*]\nset key outside right\n",
          day->script);
}

static void list_curves(struct day_plot *day, bool has_plan)
{
    fputs("plot ", day->script);
    if (has_plan)
        fputs("'-' using 1:2 with lines dashtype 2 lc rgb '#555555' title 'even', ",
              day->script);
    for (int b = 0; b < day->curve_count; b++) {
        fprintf(day->script, "%s'-' using 1:2 with lines lw 1.5 title ", b ? ", " : "");
        plot_put_quoted(day->plot, text_of(day->simulation->budgets[b].id));
        fputs(" noenhanced", day->script);
    }
    fputs("\n", day->script);
}

static void put_spend(struct day_plot *day, int budget)
{
    const struct simulation_result *result = day->result;
    double limit = (double)day->simulation->budgets[budget].limit;

    for (int i = 0; i < result->sample_count; i++)
        fprintf(day->script, "%g %g\n", 24 * result->samples[i].at,
                limit > 0 ? 100 * (double)result->samples[i].spend[budget] / limit : 0);
    fputs("e\n", day->script);
}

static void put_price(struct day_plot *day, int budget)
{
    const struct simulation_result *result = day->result;

    for (int i = 0; i < result->sample_count; i++)
        fprintf(day->script, "%g %g\n", 24 * result->samples[i].at,
                result->samples[i].prices[budget]);
    fputs("e\n", day->script);
}

static void draw(struct day_plot *day)
{
    begin(day, "spend", "Spend over the day", "% of the limit");
    list_curves(day, true);
    fputs("0 0\n24 100\ne\n", day->script);
    for (int b = 0; b < day->curve_count; b++)
        put_spend(day, b);
    begin(day, "price", "Price of budget over the day", "value per unit of cost");
    list_curves(day, false);
    for (int b = 0; b < day->curve_count; b++)
        put_price(day, b);
}

enum status simulate_plot(const char *folder, const struct simulation *simulation,
                          const struct simulation_result *result, struct err *err)
{
    struct day_plot day = {.simulation = simulation, .result = result};
    enum status rc = plot_open(folder, &day.plot, err);

    if (rc)
        return rc;
    day.script = plot_script(day.plot);
    day.curve_count = simulation->budget_count < CURVE_COUNT_MAX
                          ? simulation->budget_count
                          : CURVE_COUNT_MAX;
    draw(&day);
    rc = plot_finish(day.plot, err);
    if (!rc && day.curve_count < simulation->budget_count)
        fprintf(stderr, "redress: the plots have the first %d of %d budgets\n",
                day.curve_count, simulation->budget_count);
    return rc;
}
