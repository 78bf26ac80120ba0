#include "support/table_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/server.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_COUNT_MAX = 32, PATH_BYTES_MAX = 512 };

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(group_path(name), "w");

    assert_non_null(file);
    for (const char *at = text ? text : ""; *at; at++)
        putc(*at == '\x1a' ? '\0' : *at, file);
    fclose(file);
}

int table_call(const char *command, const char *const tables[3], char **output,
               char **messages)
{
    static char words[WORD_COUNT_MAX][PATH_BYTES_MAX];
    const char *arguments[WORD_COUNT_MAX + 1] = {0};
    char *copy = strdup(command), *rest = copy;
    int count = 0, code;

    write_text("a.csv", tables[0]);
    write_text("b.csv", tables[1]);
    write_text("c.csv", tables[2]);
    for (char *word; (word = strsep(&rest, " "));) {
        bool is_file = strstr(word, ".csv") || strcmp(word, "plots") == 0;

        assert_true(count < WORD_COUNT_MAX);
        snprintf(words[count], PATH_BYTES_MAX, "%s%s%s", is_file ? group_folder() : "",
                 is_file ? "/" : "", word);
        arguments[count] = words[count];
        count++;
    }
    code = program_run_messages(arguments, NULL, output, messages);
    free(copy);
    return code;
}

void table_expect(const char *command, const char *a, const char *b, int code,
                  const char *said, const char *not_said)
{
    char *output, *messages, *all;
    int found =
        table_call(command, (const char *const[]){a, b, NULL}, &output, &messages);

    assert_true(asprintf(&all, "%s%s", output ? output : "", messages ? messages : "") >=
                0);
    if (found != code || (said && !strstr(all, said)) ||
        (not_said && strstr(all, not_said)))
        fail_msg("%s\nexit code %d, not %d, or not '%s', or '%s':\n%s", command, found,
                 code, said ? said : "", not_said ? not_said : "", all);
    free(all);
    free(output);
    free(messages);
}
