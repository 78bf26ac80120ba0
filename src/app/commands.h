/* commands.h - the commands of the program, and how a word on the command line becomes
 * one. */
#ifndef REDRESS_APP_COMMANDS_H
#define REDRESS_APP_COMMANDS_H

#include "app/options.h"

struct call_command;

/* Either run or call, see app/call.h. */
struct command {
    const char *name; /* NULL ends a table */
    const char *help; /* one line, without full stop */
    command_main *run;
    const struct call_command *call;
};

/* Run the command that argv[1] names. group: what stands before it on the command line
 * ("budget"), or NULL. No word, --help or -h: list them. An unknown word: the nearest one
 * is suggested. */
int command_dispatch(const char *group, const char *summary,
                     const struct command *commands, int argc, char **argv);

/* The name that is nearest to word, NULL when none is near. */
const char *command_nearest(const struct command *commands, const char *word);

command_main command_version, command_demo, command_serve, command_key, command_budget,
    command_policy, command_model, command_decide, command_replay, command_db,
    command_audit, command_bench, command_allocate, command_simulate, command_train,
    command_evaluate, command_estimate, command_generate;

/* "redress 0.1.0 (abcdef123456)": what made a decision. */
const char *version_build(void);

#endif
