/* estimate.h - the commands of redress estimate. */
#ifndef REDRESS_APP_ESTIMATE_H
#define REDRESS_APP_ESTIMATE_H

#include "app/options.h"

command_main command_estimate_ate, command_estimate_iv, command_estimate_panel,
    command_estimate_surrogate, command_estimate_delayed;

#endif
