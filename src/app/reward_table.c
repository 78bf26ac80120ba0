/* reward_table.c - see reward_table.h. */
#include "app/reward_table.h"

#include "app/analysis.h"
#include "learn/giveaway.h"
#include "learn/offpolicy.h"
#include "learn/reward_model.h"
#include "table/text_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    AMOUNT,
    AMOUNT_CODE,
    EFFECT,
    COST,
    OPTION_WIDTH, /* columns of the option, which come first */
    COLUMN_COUNT_MAX = OPTION_WIDTH + REWARD_COLUMN_COUNT_MAX,
    WIDTH_STEP = 8, /* when many rows have to be moved for it */
    MANY_ROWS = 4096,
    SHARED_STEP = 1024,
    RECENT_COUNT = 1024,
    CODE_LAST = PREDICTOR_CATEGORY_COUNT_MAX - 1, /* of all texts that come later */
    TEXT_BYTES_MAX = 1 << 20,
};

#define NUMBER_MAX 1e30

struct reward_table {
    struct text_set *names;
    struct text_set *texts[COLUMN_COUNT_MAX]; /* of columns of texts, else NULL */
    bool has_kind[COLUMN_COUNT_MAX];          /* a value has come */
    uint64_t seed;                            /* of folds */
    int column_count;                         /* with those of the option */
    int width;                                /* of the case, that rows have room for */
    float *values;                            /* (row, width) */
    uint16_t *folds;                          /* (row) */
    int32_t *taken;                           /* (row): the option */
    int32_t *menus;                           /* (row): where its options end */
    int64_t *menu_ends;                       /* (menu): places */
    int64_t row_count, row_capacity;
    int32_t menu_count;
    int32_t *shared; /* (index): the menu of the rows that say it, -1: none did */
    int64_t shared_count;
    int32_t *options;      /* (place of a menu) */
    double *probabilities; /* (place) */
    int64_t place_count, place_capacity;
    float *option_values; /* (option, OPTION_WIDTH) */
    int64_t option_count, option_capacity;
    /* by their hash, options that may come again; -1: none */
    int32_t recent[RECENT_COUNT];
};

static enum status refuse_memory(const struct reward_table *table, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED,
                   "out of memory for what %lld rows expect (--base none does without)",
                   (long long)table->row_count);
}

enum status reward_table_open(uint64_t seed, struct reward_table **table, struct err *err)
{
    struct reward_table *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory");
    opened->seed = seed;
    opened->column_count = OPTION_WIDTH;
    opened->width = 1;
    memset(opened->recent, -1, sizeof opened->recent);
    rc = text_set_open(REWARD_COLUMN_COUNT_MAX, TEXT_BYTES_MAX, &opened->names, err);
    if (!rc)
        rc = text_set_open(CODE_LAST, TEXT_BYTES_MAX, &opened->texts[AMOUNT_CODE], err);
    if (rc)
        reward_table_close(opened);
    else
        *table = opened;
    return rc;
}

void reward_table_close(struct reward_table *table)
{
    if (!table)
        return;
    text_set_close(table->names);
    for (int i = 0; i < COLUMN_COUNT_MAX; i++)
        text_set_close(table->texts[i]);
    free(table->values);
    free(table->folds);
    free(table->taken);
    free(table->menus);
    free(table->menu_ends);
    free(table->shared);
    free(table->options);
    free(table->probabilities);
    free(table->option_values);
    free(table);
}

/* ---- room ---- */

static bool resize(void *column, int64_t capacity, size_t item_bytes)
{
    void **items = column;
    void *resized = realloc(*items, (size_t)capacity * item_bytes);

    if (resized)
        *items = resized;
    return resized != NULL;
}

/* By a quarter, as the log's own columns. */
static int64_t next_capacity(int64_t capacity)
{
    return capacity + capacity / 4 + 1024;
}

/* Lay rows out anew, wider or, with no room to spare, narrower. */
static void move_rows(struct reward_table *table, int width)
{
    size_t old = (size_t)table->width, new = (size_t)width;
    size_t kept = (size_t)(table->column_count - OPTION_WIDTH);

    for (int64_t i = 0; i < table->row_count; i++) {
        size_t row = (size_t)(new > old ? table->row_count - 1 - i : i);

        memmove(table->values + row * new, table->values + row * old,
                kept * sizeof *table->values);
        for (size_t j = kept; j < new; j++)
            table->values[row * new + j] = NAN;
    }
    table->width = width;
}

static enum status widen(struct reward_table *table, struct err *err)
{
    int width = table->width + (table->row_count < MANY_ROWS ? 1 : WIDTH_STEP);

    if (!resize(&table->values, table->row_capacity * width, sizeof *table->values))
        return refuse_memory(table, err);
    move_rows(table, width);
    return STATUS_OK;
}

enum status reward_table_begin(struct reward_table *table, struct text owner,
                               struct err *err)
{
    int64_t capacity = next_capacity(table->row_capacity);
    float *row;

    if (table->row_count == table->row_capacity) {
        if (!resize(&table->values, capacity * table->width, sizeof *table->values) ||
            !resize(&table->folds, capacity, sizeof *table->folds) ||
            !resize(&table->taken, capacity, sizeof *table->taken) ||
            !resize(&table->menus, capacity, sizeof *table->menus) ||
            !resize(&table->menu_ends, capacity, sizeof *table->menu_ends))
            return refuse_memory(table, err);
        table->row_capacity = capacity;
    }
    row = table->values + table->row_count * table->width;
    for (int i = 0; i < table->width; i++)
        row[i] = NAN;
    table->folds[table->row_count] = reward_folds(text_hash(owner), table->seed);
    table->taken[table->row_count] = 0;
    table->menus[table->row_count++] = table->menu_count;
    table->menu_ends[table->menu_count++] = table->place_count;
    return STATUS_OK;
}

/* ---- the case ---- */

static enum status find_column(struct reward_table *table, struct text name, int *column,
                               struct err *err)
{
    int32_t index = text_set_find(table->names, name);
    bool is_new;
    enum status rc = STATUS_OK;

    if (index < 0 && text_set_count(table->names) == REWARD_COLUMN_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE,
                       "more than %d features are named (--base none does without)",
                       REWARD_COLUMN_COUNT_MAX);
    if (index < 0)
        rc = text_set_add(table->names, name, &index, &is_new, err);
    *column = OPTION_WIDTH + index;
    if (!rc && *column - OPTION_WIDTH == table->width)
        rc = widen(table, err);
    if (!rc && *column == table->column_count)
        table->column_count++;
    return rc;
}

/* As large as counts: sums of squares stay finite. */
static float number_of(double value)
{
    return isnan(value) ? NAN : (float)fmin(fmax(value, -NUMBER_MAX), NUMBER_MAX);
}

static float *cell(struct reward_table *table, int column)
{
    return table->values + (table->row_count - 1) * table->width + column - OPTION_WIDTH;
}

enum status reward_table_number(struct reward_table *table, struct text name,
                                double value, struct err *err)
{
    int column;
    enum status rc = find_column(table, name, &column, err);

    if (rc)
        return rc;
    table->has_kind[column] = true;
    if (!table->texts[column])
        *cell(table, column) = number_of(value);
    return STATUS_OK;
}

/* The code of a text in a column of texts. */
static enum status code_of(struct text_set *texts, struct text value, float *code,
                           struct err *err)
{
    int32_t index = text_set_find(texts, value);
    bool is_new;
    enum status rc = STATUS_OK;

    if (index < 0 && text_set_count(texts) < CODE_LAST)
        rc = text_set_add(texts, value, &index, &is_new, err);
    *code = index < 0 ? CODE_LAST : (float)index;
    return rc;
}

enum status reward_table_text(struct reward_table *table, struct text name,
                              struct text value, struct err *err)
{
    int column;
    enum status rc = find_column(table, name, &column, err);

    if (!rc && !table->has_kind[column]) {
        table->has_kind[column] = true;
        rc = text_set_open(CODE_LAST, TEXT_BYTES_MAX, &table->texts[column], err);
    }
    if (rc || !table->texts[column])
        return rc;
    return code_of(table->texts[column], value, cell(table, column), err);
}

/* ---- options ---- */

static enum status describe(struct reward_table *table,
                            const struct reward_option *option,
                            float values[OPTION_WIDTH], struct err *err)
{
    char written[INT_TEXT_BYTES];
    struct text name = option->name;

    if (!name.bytes)
        name = text_of(int_text((int64_t)option->amount, written));
    values[AMOUNT] = number_of(option->amount);
    values[EFFECT] = number_of(option->effect);
    values[COST] = number_of(option->cost);
    return code_of(table->texts[AMOUNT_CODE], name, &values[AMOUNT_CODE], err);
}

static enum status append_option(struct reward_table *table,
                                 const float values[OPTION_WIDTH], struct err *err)
{
    int64_t capacity = next_capacity(table->option_capacity);

    if (table->option_count == REWARD_OPTION_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE,
                       "more than %d options (--base none does without)",
                       REWARD_OPTION_COUNT_MAX);
    if (table->option_count == table->option_capacity) {
        if (!resize(&table->option_values, capacity * OPTION_WIDTH,
                    sizeof *table->option_values))
            return refuse_memory(table, err);
        table->option_capacity = capacity;
    }
    memcpy(table->option_values + table->option_count++ * OPTION_WIDTH, values,
           OPTION_WIDTH * sizeof *values);
    return STATUS_OK;
}

static struct text bytes_of(const float values[OPTION_WIDTH])
{
    return (struct text){(const char *)values, OPTION_WIDTH * sizeof *values};
}

/* One like it that came not long ago, or a new one. */
static enum status find_option(struct reward_table *table,
                               const struct reward_option *option, int32_t *index,
                               struct err *err)
{
    float values[OPTION_WIDTH];
    enum status rc = describe(table, option, values, err);
    int32_t *recent;

    if (rc)
        return rc;
    recent = &table->recent[text_hash(bytes_of(values)) % RECENT_COUNT];
    if (*recent < 0 ||
        !text_equal(bytes_of(table->option_values + *recent * OPTION_WIDTH),
                    bytes_of(values))) {
        rc = append_option(table, values, err);
        *recent = (int32_t)(table->option_count - 1);
    }
    *index = *recent;
    return rc;
}

enum status reward_table_take(struct reward_table *table,
                              const struct reward_option *option, struct err *err)
{
    return find_option(table, option, &table->taken[table->row_count - 1], err);
}

enum status reward_table_add(struct reward_table *table,
                             const struct reward_option *option, double probability,
                             struct err *err)
{
    int64_t at = table->place_count, capacity = next_capacity(table->place_capacity);

    if (at == table->place_capacity) {
        if (!resize(&table->options, capacity, sizeof *table->options) ||
            !resize(&table->probabilities, capacity, sizeof *table->probabilities))
            return refuse_memory(table, err);
        table->place_capacity = capacity;
    }
    table->probabilities[at] = probability;
    table->menu_ends[table->menu_count - 1] = ++table->place_count;
    return find_option(table, option, &table->options[at], err);
}

static enum status grow_shared(struct reward_table *table, int64_t count, struct err *err)
{
    int64_t capacity = count + count / 4 + SHARED_STEP;

    if (!resize(&table->shared, capacity, sizeof *table->shared))
        return refuse_memory(table, err);
    for (; table->shared_count < capacity; table->shared_count++)
        table->shared[table->shared_count] = -1;
    return STATUS_OK;
}

enum status reward_table_share(struct reward_table *table, int32_t index,
                               bool *has_options, struct err *err)
{
    int32_t *own = &table->menus[table->row_count - 1];
    enum status rc = index < table->shared_count
                         ? STATUS_OK
                         : grow_shared(table, (int64_t)index + 1, err);

    if (rc)
        return rc;
    *has_options = table->shared[index] >= 0;
    if (*has_options) {
        *own = table->shared[index];
        table->menu_count--;
    } else {
        table->shared[index] = *own;
    }
    return STATUS_OK;
}

/* ---- fitting ---- */

static const char *const base_names[] = {
    [REWARD_BASE_AUTO] = "auto",         [REWARD_BASE_RIDGE] = "ridge",
    [REWARD_BASE_LOGISTIC] = "logistic", [REWARD_BASE_XGBOOST] = "xgboost",
    [REWARD_BASE_NONE] = "none",
};

const char *reward_base_name(enum reward_base base)
{
    return base_names[base];
}

enum status reward_base_read(const char *name, enum reward_base *base, struct err *err)
{
    for (size_t i = 0; i < sizeof base_names / sizeof *base_names; i++)
        if (strcmp(name, base_names[i]) == 0) {
            *base = (enum reward_base)i;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID,
                   "--base: '%.40s' is not auto, ridge, logistic, xgboost or none", name);
}

/* Too few rows are refused whatever a model says; owners of one fold teach nothing about
 * another. */
static bool is_enough(const struct reward_table *table)
{
    bool differs = false;

    for (int64_t i = 1; i < table->row_count && !differs; i++)
        differs = reward_fold(table->folds[i]) != reward_fold(table->folds[0]);
    return differs && table->row_count >= OFFPOLICY_EFFECTIVE_MIN;
}

static bool are_binary(const double *rewards, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (rewards[i] != 0 && rewards[i] != 1)
            return false;
    return true;
}

static double explained(const double *rewards, const double *logged, int64_t count)
{
    double mean = 0, around = 0, left = 0;

    for (int64_t i = 0; i < count; i++)
        mean += rewards[i] / (double)count;
    for (int64_t i = 0; i < count; i++) {
        around += (rewards[i] - mean) * (rewards[i] - mean);
        left += (rewards[i] - logged[i]) * (rewards[i] - logged[i]);
    }
    return around > 0 ? 1 - left / around : NAN;
}

/* is_nominal (column): room, which stays in use. */
static struct feature_rows features_of(const struct reward_table *table,
                                       bool is_nominal[COLUMN_COUNT_MAX])
{
    for (int i = 0; i < table->column_count; i++)
        is_nominal[i] = table->texts[i] != NULL;
    return (struct feature_rows){.feature_count = table->column_count,
                                 .values = table->values,
                                 .is_nominal = is_nominal,
                                 .shared_count = OPTION_WIDTH,
                                 .shared = table->option_values,
                                 .shared_of = table->taken};
}

/* What was done is no such column: its effect is what is asked for. Menus, which are not
 * needed any more, give way to it. */
static void find_giveaway(struct reward_table *table, const double *rewards,
                          struct reward_fit *fit)
{
    bool is_nominal[COLUMN_COUNT_MAX];
    struct feature_rows features = features_of(table, is_nominal);
    int32_t *actions = table->menus;
    struct giveaway found;

    for (int64_t row = 0; row < table->row_count; row++)
        actions[row] = (int32_t)feature_at(&features, row, AMOUNT_CODE);
    found = giveaway_find(&features, OPTION_WIDTH, table->row_count, actions, rewards);
    if (found.column < 0)
        return;
    fit->giveaway_share = found.share;
    text_copy(text_clip(text_set_text(table->names, found.column - OPTION_WIDTH),
                        REWARD_SHOWN_BYTES - 1),
              fit->giveaway, REWARD_SHOWN_BYTES);
}

static enum status fit_rows(struct reward_table *table,
                            const struct reward_settings *settings, const double *rewards,
                            double *logged, double *expected, struct err *err)
{
    bool is_nominal[COLUMN_COUNT_MAX];
    struct analysis_progress progress = {.what = "fitting"};
    struct reward_rows rows = {
        .row_count = table->row_count,
        .features = features_of(table, is_nominal),
        .rewards = rewards,
        .folds = table->folds,
        .menus = table->menus,
        .menu_ends = table->menu_ends,
        .options = table->options,
        .probabilities = table->probabilities,
    };
    enum status rc;

    progress_start(&progress.progress);
    rc = reward_model_fit(&rows, settings,
                          (struct reward_progress){analysis_tell, &progress}, logged,
                          expected, err);
    progress_end(&progress.progress);
    return rc;
}

enum status reward_table_fit(struct reward_table *table, enum reward_base base,
                             const double *rewards, double *logged, double *expected,
                             struct reward_fit *fit, struct err *err)
{
    bool is_binary = are_binary(rewards, table->row_count);
    struct reward_settings settings = {
        .base = base == REWARD_BASE_XGBOOST ? PREDICTOR_TREES : PREDICTOR_LINEAR,
        .is_logistic = is_binary && base != REWARD_BASE_RIDGE,
        .seed = table->seed,
    };
    enum status rc;

    if (base == REWARD_BASE_LOGISTIC && !is_binary)
        return err_set(err, STATUS_INVALID,
                       "--base logistic: not all rewards are 0 or 1");
    *fit = (struct reward_fit){.base = REWARD_BASE_NONE};
    if (base == REWARD_BASE_NONE || !is_enough(table))
        return STATUS_OK;
    if (base == REWARD_BASE_AUTO)
        base = is_binary ? REWARD_BASE_LOGISTIC : REWARD_BASE_RIDGE;
    assert(table->option_count > 0);
    move_rows(table, table->column_count - OPTION_WIDTH);
    rc = fit_rows(table, &settings, rewards, logged, expected, err);
    if (rc)
        return err_wrap(err, "the outcome model (--base none does without)");
    *fit = (struct reward_fit){
        .base = base,
        .column_count = table->column_count - OPTION_WIDTH,
        .explained = explained(rewards, logged, table->row_count),
    };
    find_giveaway(table, rewards, fit);
    return STATUS_OK;
}
