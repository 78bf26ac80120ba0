/* estimate.h - the commands of redress estimate. */
#ifndef REDRESS_APP_ESTIMATE_H
#define REDRESS_APP_ESTIMATE_H

#include "app/options.h"

command_main command_estimate_ate;

#endif
