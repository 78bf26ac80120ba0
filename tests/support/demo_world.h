/* demo_world.h - what 'redress demo' makes, in a service inside the test's own process:
 * the sample models, the policy and the budgets, but no keys. */
#ifndef REDRESS_TESTS_DEMO_WORLD_H
#define REDRESS_TESTS_DEMO_WORLD_H

#include "decide/service.h"

/* Fill an empty service. Aborts on failure. */
void demo_fill(struct service *service);

#endif
