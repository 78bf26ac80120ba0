/* samples.S - the files of samples.h, one line each. */

    .macro  sample path:req
    .section .rodata
10: .incbin "\path"
11: .byte   0
12: .string "\path"
    .section .data.rel.ro, "aw"
    .quad   12b, 10b, 11b
    .endm

    .section .data.rel.ro, "aw"
    .balign 8
    .globl  samples
    .type   samples, %object
samples:
    sample  "config/demo-policy.json"
    sample  "config/demo-budgets.json"
    sample  "models/credit_uplift/manifest.json"
    sample  "models/credit_uplift/credit_500.json"
    sample  "models/credit_uplift/credit_1000.json"
    sample  "models/credit_uplift/credit_1500.json"
    sample  "models/credit_uplift/credit_2000.json"
    sample  "models/credit_linear/manifest.json"
    sample  "models/credit_linear/credit_500.linear.json"
    sample  "models/credit_linear/credit_1000.linear.json"
    sample  "models/credit_linear/credit_1500.linear.json"
    sample  "models/credit_linear/credit_2000.linear.json"
    .quad   0, 0, 0
    .size   samples, . - samples
