/* evaluate.h - the commands of redress evaluate. */
#ifndef REDRESS_APP_EVALUATE_H
#define REDRESS_APP_EVALUATE_H

#include "app/options.h"

command_main command_evaluate_uplift, command_evaluate_policy,
    command_evaluate_experiment, command_evaluate_curve;

#endif
