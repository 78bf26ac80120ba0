/* openapi_json.S - docs/openapi.json, as openapi.c answers it. */

    .section .rodata
    .globl  openapi_json
    .type   openapi_json, %object
openapi_json:
    .incbin "docs/openapi.json"
    .size   openapi_json, . - openapi_json
    .globl  openapi_json_end
openapi_json_end:
    .byte   0
