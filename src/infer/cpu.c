/* cpu.c - the instruction sets of this machine, and the environment's word on them. */
#include "infer/cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { ISA_COUNT = ISA_VBMI + 1 };

static const char *const names[] = {
    [ISA_PORTABLE] = "portable",
    [ISA_AVX2] = "avx2",
    [ISA_AVX512] = "avx512",
    [ISA_VBMI] = "vbmi",
};

#if defined(__x86_64__)
/* Asked of the processor itself: not every compiler's __builtin_cpu_supports knows the
 * name. */
static bool has_lzcnt(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
}
#endif

static enum isa machine_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") || !has_lzcnt())
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

/* What the environment allows; ISA_COUNT when it names none. */
static int allowed_isa(const char *name)
{
    int isa = 0;

    while (isa < ISA_COUNT && strcmp(name, names[isa]) != 0)
        isa++;
    return isa;
}

enum status cpu_check(struct err *err)
{
    const char *name = getenv("REDRESS_ISA");

    if (!name || allowed_isa(name) < ISA_COUNT)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "REDRESS_ISA: '%.32s' is not portable, avx2, avx512 or vbmi", name);
}

enum isa cpu_isa(void)
{
    enum isa isa = machine_isa();
    const char *name = getenv("REDRESS_ISA");
    int allowed = name ? allowed_isa(name) : ISA_COUNT;

    return allowed < (int)isa ? (enum isa)allowed : isa;
}

const char *isa_name(enum isa isa)
{
    return names[isa];
}
