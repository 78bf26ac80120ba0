/* evaluate.c - redress evaluate: how good a score, a policy or an experiment was. */
#include "app/evaluate.h"

#include "app/commands.h"

int command_evaluate(int argc, char **argv)
{
    static const struct command commands[] = {
        {"uplift", "How well a score ranks cases by what a treatment does to them",
         .run = command_evaluate_uplift},
        {"curve", "What arms with costs would gain for every spend",
         .run = command_evaluate_curve},
        {"policy", "What another policy would have earned, from a log",
         .run = command_evaluate_policy},
        {"experiment", "The arms of an experiment beside its control",
         .run = command_evaluate_experiment},
        {0},
    };

    return command_dispatch("evaluate", "Judge scores, policies and experiments on logs.",
                            commands, argc, argv);
}
