/* document.c - see document.h. */
#include "support/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_BYTES_MAX = 1 << 20 };

void assert_document_shows(const char *path, const char *lines)
{
    char *text = calloc(DOCUMENT_BYTES_MAX, 1);
    FILE *file = fopen(path, "r");
    size_t bytes;

    assert_non_null(text);
    if (!file)
        fail_msg("%s is not there", path);
    bytes = fread(text, 1, DOCUMENT_BYTES_MAX - 1, file);
    assert_true(bytes < DOCUMENT_BYTES_MAX - 1);
    assert_int_equal(fclose(file), 0);
    if (!strstr(text, lines))
        fail_msg("%s does not show:\n%s", path, lines);
    free(text);
}
