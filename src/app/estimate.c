/* estimate.c - redress estimate: effects, also where there was no experiment. */
#include "app/estimate.h"

#include "app/commands.h"

int command_estimate(int argc, char **argv)
{
    static const struct command commands[] = {
        {"ate", "The average effect of a treatment", .run = command_estimate_ate},
        {"iv", "The effect of a treatment through instruments",
         .run = command_estimate_iv},
        {"panel", "What a treatment did to one unit, beside others",
         .run = command_estimate_panel},
        {"surrogate", "A long-term effect from short-term outcomes",
         .run = command_estimate_surrogate},
        {"delayed", "A difference while conversions are still to come",
         .run = command_estimate_delayed},
        {0},
    };

    return command_dispatch("estimate", "Estimate effects, also without experiments.",
                            commands, argc, argv);
}
