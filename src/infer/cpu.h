/* cpu.h - which instructions the forests may be scored with. Private to infer/. */
#ifndef REDRESS_INFER_CPU_H
#define REDRESS_INFER_CPU_H

#include "base/err.h"

/* Each holds those before it. */
enum isa {
    ISA_PORTABLE,
    ISA_AVX2,   /* and POPCNT, BMI, BMI2, LZCNT */
    ISA_AVX512, /* F, BW, DQ, VL, CD */
    ISA_VBMI,   /* AVX512 and VBMI: bytes permuted across a whole register */
};

/* The most that this machine has, or what the environment variable REDRESS_ISA (portable,
 * avx2, avx512, vbmi) allows of it. Asked when something is opened, never while
 * scoring. */
enum isa cpu_isa(void);

/* INVALID when REDRESS_ISA names no instruction set; one that the machine does not have
 * is fine. */
enum status cpu_check(struct err *err);

const char *isa_name(enum isa isa);

#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,popcnt,bmi,bmi2,lzcnt")))
#define TARGET_AVX512                                                                    \
    __attribute__((target(                                                               \
        "avx2,popcnt,bmi,bmi2,lzcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")))
#define TARGET_VBMI                                                                      \
    __attribute__((target("avx2,popcnt,bmi,bmi2,lzcnt,avx512f,avx512bw,avx512dq,"        \
                          "avx512vl,avx512cd,avx512vbmi")))
#endif

#endif
