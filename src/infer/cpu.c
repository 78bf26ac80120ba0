/* cpu.c - the instruction sets of this machine, and the environment's word on them. */
#include "infer/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [ISA_PORTABLE] = "portable",
    [ISA_AVX2] = "avx2",
    [ISA_AVX512] = "avx512",
    [ISA_VBMI] = "vbmi",
};

static enum isa machine_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return ISA_PORTABLE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512cd"))
        return ISA_AVX2;
    return __builtin_cpu_supports("avx512vbmi") ? ISA_VBMI : ISA_AVX512;
#else
    return ISA_PORTABLE;
#endif
}

enum isa cpu_isa(void)
{
    enum isa isa = machine_isa();
    const char *allowed = getenv("REDRESS_ISA");

    for (int i = 0; allowed && i < (int)isa; i++)
        if (strcmp(allowed, names[i]) == 0)
            return (enum isa)i;
    return isa;
}

const char *isa_name(enum isa isa)
{
    return names[isa];
}
