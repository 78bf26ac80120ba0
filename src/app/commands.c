/* commands.c - from a word to a command; the nearest one for a word that is none. */
#include "app/commands.h"

#include "app/call.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMNS = 12 };

const char *command_nearest(const struct command *commands, const char *word)
{
    size_t word_bytes = strlen(word);
    const char *nearest = NULL;
    int nearest_distance = 3; /* farther is a guess, not a help */

    for (const struct command *c = commands; c->name; c++) {
        int distance = text_distance(word, c->name);

        if (strncmp(word, c->name, word_bytes) == 0)
            distance = 1; /* the beginning of it */
        if (distance < nearest_distance && distance < (int)strlen(c->name)) {
            nearest = c->name;
            nearest_distance = distance;
        }
    }
    return nearest;
}

static int list(const char *group, const char *summary, const struct command *commands)
{
    printf("Usage: redress %s%s%s [OPTIONS]\n\n%s\n\n", group ? group : "",
           group ? " " : "", group ? "SUBCOMMAND" : "COMMAND", summary);
    for (const struct command *c = commands; c->name; c++)
        printf("  %-*s %s\n", NAME_COLUMNS, c->name, c->help);
    printf("\n'redress %s%s%s --help' says more.\n", group ? group : "", group ? " " : "",
           group ? "SUBCOMMAND" : "COMMAND");
    return EXIT_DONE;
}

int command_dispatch(const char *group, const char *summary,
                     const struct command *commands, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    const char *space = group ? " " : "", *nearest;

    group = group ? group : "";
    if (!word) {
        fprintf(stderr, "redress: which %s? Try 'redress %s%s--help'.\n",
                *group ? "subcommand" : "command", group, space);
        return EXIT_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return list(*group ? group : NULL, summary, commands);
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(word, c->name) == 0)
            return c->call ? call_main(c->call, argc - 1, argv + 1)
                           : c->run(argc - 1, argv + 1);
    nearest = command_nearest(commands, word);
    if (nearest)
        print_line(stderr,
                   "redress: there is no command '%s%s%.64s'; did you mean '%s%s%s'?",
                   group, space, word, group, space, nearest);
    else
        print_line(stderr,
                   "redress: there is no command '%s%s%.64s'. Try 'redress %s%s--help'.",
                   group, space, word, group, space);
    return EXIT_USAGE;
}
