/* main.c - the program: one table of commands. */
#include "app/commands.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"demo", command_demo, "Make a working data folder of an empty one"},
    {"serve", command_serve, "Answer requests over HTTP"},
    {"key", command_key, "API keys: create, list, revoke, rotate"},
    {"budget", command_budget, "Budgets: list, show, set, adjust, delete"},
    {"policy", command_policy, "Policies: list, show, set, diff, rollback"},
    {"model", command_model, "Models: check, score, push, promote, ..."},
    {"decide", command_decide, "Decide one case"},
    {"replay", command_replay, "Make decisions again and compare"},
    {"allocate", command_allocate, "Spend budgets best over many requests"},
    {"bench", command_bench, "Measure: score"},
    {"db", command_db, "The data: check, backup, stats, migrate"},
    {"audit", command_audit, "The audit trail: verify"},
    {"version", command_version, "Print the version"},
    {0},
};

static const char summary[] =
    "Decides which refund or credit a customer should get, now.";

/* What was printed counts only when it arrived. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("redress: standard output");
    return code == EXIT_DONE ? EXIT_REFUSED : code;
}

int main(int argc, char **argv)
{
    static char version[] = "version";

    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    return finish(command_dispatch(NULL, summary, commands, argc, argv));
}
