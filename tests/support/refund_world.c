/* refund_world.c - see refund_world.h. */
#include "support/refund_world.h"

#include "learn/case_world.h"
#include "support/folder.h"
#include "support/server.h"
#include "table/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int64_t world_doses[WORLD_DOSE_COUNT] = {500, 1000, 1500, 2000};

static void must(bool is_well, const char *what, const char *why)
{
    if (is_well)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void read_truth(const char *path, struct refund_world *world)
{
    struct csv *csv;
    struct err err;
    bool has_row;

    err_clear(&err);
    must(csv_open(path, true, &csv, &err) == STATUS_OK, path, err.text);
    for (int i = 0; i < world->count; i++) {
        must(csv_next(csv, &has_row, &err) == STATUS_OK && has_row, path, "is too short");
        for (int dose = 0; dose < WORLD_DOSE_COUNT; dose++) {
            char name[32];
            int column;

            snprintf(name, sizeof name, "effect_%lld", (long long)world_doses[dose]);
            must(csv_column_find(csv, name, &column, &err) == STATUS_OK, path, err.text);
            must(csv_number(csv, column, &world->effects[i][dose], &err) == STATUS_OK,
                 path, err.text);
        }
    }
    csv_close(csv);
}

/* Each line becomes a text of its own. */
static void read_cases(char *lines, struct refund_world *world)
{
    for (int i = 0; i < world->count; i++) {
        const char *line = strsep(&lines, "\n");

        must(lines != NULL, "redress generate", "wrote too few cases");
        world->cases[i] = strdup(line);
    }
}

void refund_world_open(int count, int seed, struct refund_world *world)
{
    char *folder = folder_temporary(), truth[4096], cases[16], seed_text[16], *lines;

    must(folder != NULL, "a world of refunds", "no folder for it");
    snprintf(truth, sizeof truth, "%s/truth.csv", folder);
    snprintf(cases, sizeof cases, "%d", count);
    snprintf(seed_text, sizeof seed_text, "%d", seed);
    must(program_run((const char *[]){"generate", "cases", "--cases", cases, "--seed",
                                      seed_text, "--truth", truth, NULL},
                     NULL, &lines) == 0,
         "redress generate", "failed");
    *world = (struct refund_world){
        .cases = calloc((size_t)count, sizeof *world->cases),
        .effects = calloc((size_t)count, sizeof *world->effects),
        .count = count,
    };
    must(world->cases && world->effects, "a world of refunds", "no memory");
    read_cases(lines, world);
    read_truth(truth, world);
    free(lines);
    free(folder);
}

void refund_world_close(struct refund_world *world)
{
    for (int i = 0; i < world->count; i++)
        free(world->cases[i]);
    free(world->cases);
    free(world->effects);
    *world = (struct refund_world){0};
}

double refund_world_value(const struct refund_world *world, int index, int64_t amount)
{
    for (int dose = 0; dose < WORLD_DOSE_COUNT; dose++)
        if (world_doses[dose] == amount)
            return world->effects[index][dose] - world_cost_share * (double)amount;
    must(amount == 0, "a world of refunds", "an amount that was not on the menu");
    return 0;
}
