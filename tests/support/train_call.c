/* train_call.c - see train_call.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/train_call.h"

#include "base/rng.h"
#include "support/folder.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENT_COUNT_MAX = 40 };

const int train_liking[3] = {-2, 6, 1};

char train_log_path[512];

/* A credit is worth more the later the order was; who is a member gets more of them. */
static void write_log(const char *path)
{
    static const char *const issues[] = {"late, very", "wrong \"item\"", "quality"};
    FILE *file = fopen(path, "w");
    struct rng rng, other;

    assert_non_null(file);
    rng_seed(&rng, 7);
    rng_seed(&other, 8);
    fputs("customer,tenure,late,is_member,issue,credit,p,treated_p,cost,value,visit,"
          "early,heavy,liking,likes\n",
          file);
    for (int row = 0; row < TRAIN_ROW_COUNT; row++) {
        bool is_member = rng_uniform(&rng) < 0.4;
        double late = 60 * rng_uniform(&rng), p = is_member ? 0.6 : 0.4;
        bool has_credit = rng_uniform(&rng) < p;
        int credit = has_credit ? (rng_uniform(&rng) < 0.5 ? 500 : 1000) : 0;
        double value = 100 * is_member + credit * (late / 30 - 0.4);

        fprintf(file, "c_%d,", row / 2);
        if (row % 50 == 0)
            fputc(',', file); /* tenure is missing */
        else
            fprintf(file, "%d,", (int)(1000 * rng_uniform(&rng)));
        fprintf(file, "%.4f,%s,\"", late, is_member ? "true" : "false");
        for (const char *c = issues[row % 3]; *c; c++)
            fprintf(file, *c == '"' ? "\"\"" : "%c", *c);
        fprintf(file, "\",%d,%.2f,%.2f,%.1f,%.6f,%d,%.3f,%d", credit,
                has_credit ? p / 2 : 1 - p, p, 0.9 * credit,
                value + 50 * rng_normal(&rng),
                rng_uniform(&rng) < 0.3 + has_credit * late / 200,
                value + 20 * rng_normal(&rng), 1 + row % 2);
        /* The second of three issues is what a credit is liked for, the others are
         * not. */
        fprintf(file, ",%.4f,%d\n",
                has_credit * train_liking[row % 3] + rng_normal(&other),
                rng_uniform(&other) < 0.3 + has_credit * 0.05 * train_liking[row % 3]);
    }
    assert_int_equal(fclose(file), 0);
}

int train_log_open(void **state)
{
    if (group_folder_open(state))
        return -1;
    snprintf(train_log_path, sizeof train_log_path, "%s", group_path("log.csv"));
    write_log(train_log_path);
    return 0;
}

int train_call(const char *data, const char *name, const char *more, char **output,
               char **messages)
{
    const char *arguments[ARGUMENT_COUNT_MAX] = {"train", "--data", data, "--output",
                                                 group_path(name)};
    char *words = strdup(more), *printed = NULL, *said = NULL, *rest = NULL;
    int count = 5, code;

    for (char *word = strtok_r(words, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    code = program_run_messages(arguments, NULL, &printed, &said);
    if (code != 0 && !messages)
        print_message("%s", said);
    free(words);
    if (output)
        *output = printed;
    else
        free(printed);
    if (messages)
        *messages = said;
    else
        free(said);
    return code;
}

bool train_has_library(void)
{
    static int known; /* 1: yes, 2: no */
    char *messages;
    int code;

    if (!known) {
        code =
            train_call(train_log_path, "probe",
                       "--treatment credit --outcome value --features late --learner t "
                       "--trees 1 --quick",
                       NULL, &messages);
        known = code == 0 || !strstr(messages, "libxgboost0") ? 1 : 2;
        free(messages);
    }
    if (known == 2)
        printf("SKIPPED: libxgboost0 is not installed\n");
    return known == 1;
}
