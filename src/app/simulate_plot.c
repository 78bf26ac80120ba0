/* simulate_plot.c - pictures of a simulated day, drawn by gnuplot. */
#include "app/simulate.h"

#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CURVE_COUNT_MAX = 12 }; /* more would not be told apart */

struct plot {
    FILE *script; /* gnuplot's standard input */
    const struct simulation *simulation;
    const struct simulation_result *result;
    enum pacer_plan plan;
    int curve_count;
};

/* --- gnuplot ------------------------------------------------------------------------ */

static bool has_gnuplot(void)
{
    char path[PATH_MAX];
    const char *at = getenv("PATH");

    while (at && *at) {
        size_t bytes = strcspn(at, ":");

        if (snprintf(path, sizeof path, "%.*s/gnuplot", (int)bytes, at) <
                (int)sizeof path &&
            access(path, X_OK) == 0)
            return true;
        at += bytes + (at[bytes] == ':');
    }
    return false;
}

/* A quoted name for gnuplot: no quote in it, no line break. */
static bool is_plain(const char *text)
{
    return !strpbrk(text, "'\"\\\n\r`");
}

/* --- what is drawn ------------------------------------------------------------------ */

static void begin(struct plot *plot, const char *folder, const char *name,
                  const char *title, const char *unit)
{
    char whose[64] = "";

    if (plot->curve_count < plot->simulation->budget_count)
        snprintf(whose, sizeof whose, ", the first %d of %d budgets", plot->curve_count,
                 plot->simulation->budget_count);
    fprintf(plot->script,
            "set terminal pngcairo size 900,520 font 'sans,11'\n"
            "set output '%s/%s.png'\nset title '%s%s'\nset ylabel '%s'\n"
            "set xlabel 'hour of the day'\nset xrange [0:24]\nset xtics 3\n"
            "set yrange [0:*]\nset grid lc rgb '#dddddd'\nset key outside right\n",
            folder, name, title, whose, unit);
}

static void list_curves(struct plot *plot, bool has_plan)
{
    fputs("plot ", plot->script);
    if (has_plan)
        fputs("'-' using 1:2 with lines dashtype 2 lc rgb '#555555' title 'even', ",
              plot->script);
    for (int b = 0; b < plot->curve_count; b++)
        fprintf(plot->script, "%s'-' using 1:2 with lines lw 1.5 title '%s' noenhanced",
                b ? ", " : "", plot->simulation->budgets[b].id);
    fputs("\n", plot->script);
}

static void put_spend(struct plot *plot, int budget)
{
    const struct simulation_result *result = plot->result;
    double limit = (double)plot->simulation->budgets[budget].limit;

    for (int i = 0; i < result->sample_count; i++)
        fprintf(plot->script, "%g %g\n", 24 * result->samples[i].at,
                limit > 0 ? 100 * (double)result->samples[i].spend[budget] / limit : 0);
    fputs("e\n", plot->script);
}

static void put_price(struct plot *plot, int budget)
{
    const struct simulation_result *result = plot->result;

    for (int i = 0; i < result->sample_count; i++)
        fprintf(plot->script, "%g %g\n", 24 * result->samples[i].at,
                result->samples[i].prices[budget]);
    fputs("e\n", plot->script);
}

static void draw(struct plot *plot, const char *folder)
{
    begin(plot, folder, "spend", "Spend over the day", "% of the limit");
    list_curves(plot, true);
    fputs("0 0\n24 100\ne\n", plot->script);
    for (int b = 0; b < plot->curve_count; b++)
        put_spend(plot, b);
    begin(plot, folder, "price", "Price of budget over the day",
          "value per unit of cost");
    list_curves(plot, false);
    for (int b = 0; b < plot->curve_count; b++)
        put_price(plot, b);
}

enum status simulate_plot(const char *folder, const struct simulation *simulation,
                          const struct simulation_result *result, enum pacer_plan plan,
                          struct err *err)
{
    struct plot drawn = {.simulation = simulation, .result = result, .plan = plan};
    enum status rc;
    int code;

    if (!has_gnuplot())
        return err_set(
            err, STATUS_UNAVAILABLE,
            "--plot needs gnuplot, which is not installed (Debian: gnuplot-nox)");
    drawn.curve_count = simulation->budget_count < CURVE_COUNT_MAX
                            ? simulation->budget_count
                            : CURVE_COUNT_MAX;
    for (int b = 0; b < drawn.curve_count; b++)
        if (!is_plain(simulation->budgets[b].id))
            return err_set(err, STATUS_INVALID, "a budget's id cannot be drawn");
    if (!is_plain(folder))
        return err_set(err, STATUS_INVALID, "the folder's name has quotes");
    rc = folder_make(folder, 0777, err);
    if (rc)
        return rc;
    signal(SIGPIPE, SIG_IGN);
    drawn.script = popen("gnuplot", "w");
    if (!drawn.script)
        return err_set(err, STATUS_IO, "gnuplot: %s", strerror(errno));
    draw(&drawn, folder);
    code = pclose(drawn.script);
    if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
        return err_set(err, STATUS_IO, "gnuplot failed");
    if (drawn.curve_count < simulation->budget_count)
        fprintf(stderr, "redress: the plots have the first %d of %d budgets\n",
                drawn.curve_count, simulation->budget_count);
    return STATUS_OK;
}
