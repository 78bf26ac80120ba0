/* main.c - the program: one table of commands. */
#include "app/commands.h"
#include "json/tree.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LISTEN_MS = 100 };

static const struct command commands[] = {
    {"demo", "Make a working data folder of an empty one", .run = command_demo},
    {"serve", "Answer requests over HTTP", .run = command_serve},
    {"key", "API keys: create, list, revoke, rotate", .run = command_key},
    {"budget", "Budgets: list, show, set, adjust, pacing, delete", .run = command_budget},
    {"policy", "Policies: list, show, set, diff, rollback", .run = command_policy},
    {"model", "Models: check, score, push, promote, ...", .run = command_model},
    {"decide", "Decide one case", .run = command_decide},
    {"replay", "Make decisions again and compare", .run = command_replay},
    {"simulate", "Try a day of cases: pacing", .run = command_simulate},
    {"allocate", "Spend budgets best over many requests", .run = command_allocate},
    {"train", "Learn from a log what each treatment changes, into a bundle",
     .run = command_train},
    {"evaluate", "Judge scores, policies and experiments on logs",
     .run = command_evaluate},
    {"estimate", "Estimate effects, also without experiments", .run = command_estimate},
    {"generate", "Make refund cases whose truth is known: log, cases",
     .run = command_generate},
    {"bench", "Measure: score", .run = command_bench},
    {"db", "The data: check, backup, stats, migrate", .run = command_db},
    {"audit", "The audit trail: verify, head", .run = command_audit},
    {"version", "Print the version", .run = command_version},
    {0},
};

static const char summary[] =
    "Decides which refund or credit a customer should get, now.";

/* What was printed counts only when it arrived. */
static int finish(int code)
{
    if (code == EXIT_DONE && json_tree_lack_count() > 0) {
        fputs("redress: out of memory: what was printed may not be whole\n", stderr);
        return EXIT_REFUSED;
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("redress: standard output");
    return code == EXIT_DONE ? EXIT_REFUSED : code;
}

/* What is mapped is the index of the database's log, and cannot be had. No answer leaves
 * that needed it: this is the end of the process. What reads stderr is given a moment,
 * not more. */
static void end_without_index(int signal)
{
    static const char words[] =
        "redress: the index of the database's log (redress.db-shm) cannot be had: its "
        "disk has no room for it, or fails, or the file was cut: make room, and delete "
        "nothing in the data folder; what was answered is there after a start\n";
    struct pollfd listener = {.fd = STDERR_FILENO, .events = POLLOUT};

    (void)signal;
    if (poll(&listener, 1, LISTEN_MS) > 0)
        (void)!write(STDERR_FILENO, words, sizeof words - 1);
    _exit(EXIT_REFUSED);
}

static void heed_bus_errors(void)
{
    struct sigaction action = {.sa_handler = end_without_index};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}

int main(int argc, char **argv)
{
    static char version[] = "version";

    heed_bus_errors();
    json_tree_prepare();
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    return finish(command_dispatch(NULL, summary, commands, argc, argv));
}
