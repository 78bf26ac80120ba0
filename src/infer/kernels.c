/* kernels.c - the kernels there are. */
#include "infer/kernel.h"

const struct kernel *const kernels[] = {
    &kernel_walk,
    NULL,
};
