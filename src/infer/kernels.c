/* kernels.c - the kernels there are. */
#include "infer/kernel.h"

const struct kernel *const kernels[] = {
    &kernel_walk,
#if defined(__x86_64__)
    &kernel_mux,
    &kernel_twig,
    &kernel_scan_avx2,
    &kernel_scan_avx512,
    &kernel_scan_vbmi,
    &kernel_planes_avx2,
    &kernel_lanes_avx512,
    &kernel_team_avx512,
    &kernel_team_vbmi,
#endif
    NULL,
};
