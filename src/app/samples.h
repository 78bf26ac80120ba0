/* samples.h - files that are part of the program: what 'redress demo' puts into a
 * folder. */
#ifndef REDRESS_APP_SAMPLES_H
#define REDRESS_APP_SAMPLES_H

#include "base/text.h"

/* In samples.S: path in the source tree, first byte, behind the last byte; a NULL path
 * ends it. */
struct sample {
    const char *path, *begin, *end;
};
extern const struct sample samples[];

#endif
