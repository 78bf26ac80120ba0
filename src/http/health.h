/* health.h - whether the process lives, whether it is ready, and what it is: the same
 * answers on the main listener and on the one for health. */
#ifndef REDRESS_HTTP_HEALTH_H
#define REDRESS_HTTP_HEALTH_H

#include "base/text.h"

#include <stdbool.h>

enum { HEALTH_BYTES = 512 };

/* Answer "/healthz", "/readyz" or "/version" without touching the store: the HTTP number
 * and a JSON body in buffer. build: service_build; check: service_check, or NULL;
 * trouble: what is not well, or NULL. False for any other path. */
bool health_answer(const char *path, const char *build, const char *check,
                   const char *trouble, char buffer[static HEALTH_BYTES], int *number,
                   struct text *body);

#endif
