/* learner.c - from rows to models of effects. */
#include "learn/learner_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SEED_OUTCOME = 400, SEED_EFFECT = 500 };

static const char *const kind_names[LEARNER_KIND_COUNT] = {"s", "t", "x", "r", "dr"};

const char *learner_kind_name(enum learner_kind kind)
{
    return kind_names[kind];
}

enum status learner_kind_read(const char *name, enum learner_kind *kind, struct err *err)
{
    for (int i = 0; i < LEARNER_KIND_COUNT; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *kind = (enum learner_kind)i;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "'%.40s' is no learner: s, t, x, r or dr", name);
}

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

/* What a learner is fitted with: room by row, besides what it is fitted to. */
struct fitting {
    const struct learner_data *data;
    const struct learner_settings *settings;
    struct row_set set;
    struct learner_outcomes outcomes;
    double *targets; /* (row); NULL: the outcomes themselves */
    double *weights; /* (row); NULL: all are 1 */
    uint32_t *rows;  /* (row); NULL: the set is taken whole */
    struct learner *learner;
};

static enum status add_part(struct fitting *fitting, enum learner_role role, int arm,
                            const struct predictor_settings *settings,
                            const struct feature_rows *features, struct row_set set,
                            const double *targets, const double *weights, struct err *err)
{
    struct learner_part *part = &fitting->learner->parts[fitting->learner->part_count];
    enum status rc =
        predictor_fit(settings, features, set, targets, weights, &part->predictor, err);

    if (rc)
        return rc == STATUS_INVALID ? err_wrap(err, "arm %d", arm) : rc;
    part->role = role;
    part->arm = arm;
    fitting->learner->part_count++;
    return STATUS_OK;
}

static double row_weight(const struct learner_data *data, int64_t row)
{
    return data->weights ? data->weights[row] : 1;
}

/* ---- s and t: outcomes ---- */

static void set_outcome_weights(struct fitting *fitting)
{
    const struct learner_data *data = fitting->data;

    for (int64_t row = 0; row < data->row_count && fitting->weights; row++) {
        fitting->weights[row] = row_weight(data, row);
        if (data->weighs_inversely)
            fitting->weights[row] /= learner_propensity(data, row, data->arms[row]);
    }
}

static enum status fit_s(struct fitting *fitting, struct err *err)
{
    const struct learner_data *data = fitting->data;
    struct predictor_settings settings =
        kept_settings(fitting->settings, data->is_binary, SEED_OUTCOME);
    float *doses = NULL;
    enum status rc = row_doses(data, &doses, err);

    if (!rc) {
        struct feature_rows features = with_doses(data, doses, 0);

        /* The dose is one input among many, and speaks through what it does together with
         * others: every tree may ask for it, and may be deeper. */
        settings.column_share = 1;
        settings.round_count *= 2;
        settings.rate *= 2;
        settings.depth += 2;
        settings.leaf_share /= 10;
        settings.is_rising = fitting->settings->is_rising;
        rc = add_part(fitting, LEARNER_OUTCOME, 0, &settings, &features, fitting->set,
                      data->outcomes, fitting->weights, err);
    }
    free(doses);
    return rc;
}

struct arm_choice {
    const struct learner_data *data;
    int arm;
};

static bool is_of_arm(const void *context, int64_t row)
{
    const struct arm_choice *choice = context;

    return choice->data->arms[row] == choice->arm;
}

static enum status fit_t(struct fitting *fitting, struct err *err)
{
    const struct learner_data *data = fitting->data;
    enum status rc = STATUS_OK;

    for (int arm = 0; arm < data->arm_count && !rc; arm++) {
        const struct arm_choice choice = {data, arm};
        const struct predictor_settings settings = kept_settings(
            fitting->settings, data->is_binary, SEED_OUTCOME + (uint64_t)arm);
        struct row_set set =
            row_set_pick(fitting->set, fitting->rows, is_of_arm, &choice);

        rc = add_part(fitting, LEARNER_MU, arm, &settings, &data->features, set,
                      data->outcomes, fitting->weights, err);
    }
    return rc;
}

/* ---- x, r and dr: effects ---- */

struct pseudo {
    double target, weight;
};

/* Of arm and control, how probable the arm was. */
static double share_of(const struct learner_data *data, int64_t row, int arm)
{
    double p = learner_propensity(data, row, arm);

    return p / (p + learner_propensity(data, row, 0));
}

/* Whether a row of arm or control could have been either. */
static bool overlaps(const void *context, int64_t row)
{
    const struct arm_choice *choice = context;
    int own = choice->data->arms[row];
    double e;

    if (own != choice->arm && own != 0)
        return false;
    e = share_of(choice->data, row, choice->arm);
    return e >= LEARNER_OVERLAP_MIN && 1 - e >= LEARNER_OVERLAP_MIN;
}

void learner_count_overlap(const struct learner_data *data, int arm, int64_t counts[2])
{
    const struct arm_choice choice = {data, arm};

    counts[0] = counts[1] = 0;
    for (int64_t row = 0; row < data->row_count; row++)
        if (overlaps(&choice, row))
            counts[data->arms[row] == arm]++;
}

static double mu_at(const struct fitting *fitting, int64_t row, int arm)
{
    return learner_outcome(&fitting->outcomes, row * fitting->data->arm_count + arm);
}

/* Among rows alike the mean is (e (1 - e)^2 tau_1 + (1 - e) e^2 tau_0) / (e (1 - e)). */
static struct pseudo pseudo_x(const struct fitting *fitting, int64_t row, int arm)
{
    const struct learner_data *data = fitting->data;
    double y = data->outcomes[row], e = share_of(data, row, arm);

    if (data->arms[row] == arm)
        return (struct pseudo){y - mu_at(fitting, row, 0), (1 - e) * (1 - e)};
    return (struct pseudo){mu_at(fitting, row, arm) - y, e * e};
}

static struct pseudo pseudo_r(const struct fitting *fitting, int64_t row, int arm)
{
    const struct learner_data *data = fitting->data;
    double e = share_of(data, row, arm), residual = (data->arms[row] == arm) - e;

    return (struct pseudo){(data->outcomes[row] - (1 - e) * mu_at(fitting, row, 0) -
                            e * mu_at(fitting, row, arm)) /
                               residual,
                           residual * residual};
}

static struct pseudo pseudo_dr(const struct fitting *fitting, int64_t row, int arm)
{
    const struct learner_data *data = fitting->data;
    double mu = mu_at(fitting, row, arm), mu_0 = mu_at(fitting, row, 0);
    double target = mu - mu_0;
    int own = data->arms[row];

    if (own == arm)
        target += (data->outcomes[row] - mu) / learner_propensity(data, row, arm);
    else if (own == 0)
        target -= (data->outcomes[row] - mu_0) / learner_propensity(data, row, 0);
    return (struct pseudo){target, 1};
}

typedef struct pseudo pseudo_of(const struct fitting *fitting, int64_t row, int arm);

static pseudo_of *const pseudo_kinds[LEARNER_KIND_COUNT] = {
    [LEARNER_X] = pseudo_x, [LEARNER_R] = pseudo_r, [LEARNER_DR] = pseudo_dr};

static void set_targets(struct fitting *fitting, struct row_set set, int arm)
{
    pseudo_of *pseudo = pseudo_kinds[fitting->learner->kind];

    for (int64_t i = 0; i < set.count; i++) {
        int64_t row = set.rows[i];
        struct pseudo found = pseudo(fitting, row, arm);

        fitting->targets[row] = found.target;
        if (fitting->weights)
            fitting->weights[row] = found.weight * row_weight(fitting->data, row);
    }
}

static struct row_set effect_rows(struct fitting *fitting, int arm)
{
    const struct arm_choice choice = {fitting->data, arm};

    if (fitting->learner->kind == LEARNER_DR)
        return fitting->set;
    return row_set_pick(fitting->set, fitting->rows, overlaps, &choice);
}

static enum status fit_effects(struct fitting *fitting, struct err *err)
{
    const struct learner_data *data = fitting->data;
    enum status rc = STATUS_OK;

    for (int arm = 1; arm < data->arm_count && !rc; arm++) {
        const struct predictor_settings settings =
            kept_settings(fitting->settings, false, SEED_EFFECT + (uint64_t)arm);
        struct row_set set = effect_rows(fitting, arm);

        set_targets(fitting, set, arm);
        rc = add_part(fitting, LEARNER_TAU, arm, &settings, &data->features, set,
                      fitting->targets, fitting->weights, err);
    }
    return rc;
}

/* ---- effects that rise with the dose ---- */

/* Rows once for each arm that speaks of them, and once for no dose, where the effect is
 * 0. */
struct stack {
    float *values, *doses;
    double *targets, *weights;
    uint32_t *rows;
    int64_t count;
};

static enum status stack_open(const struct fitting *fitting, struct stack *stack,
                              struct err *err)
{
    size_t most = (size_t)fitting->set.count * (size_t)fitting->data->arm_count;
    size_t width = (size_t)fitting->data->features.feature_count;

    *stack = (struct stack){
        .values = malloc(most * width * sizeof *stack->values),
        .doses = malloc(most * sizeof *stack->doses),
        .targets = malloc(most * sizeof *stack->targets),
        .weights = malloc(most * sizeof *stack->weights),
        .rows = malloc(most * sizeof *stack->rows),
    };
    if (stack->values && stack->doses && stack->targets && stack->weights && stack->rows)
        return STATUS_OK;
    return refuse_memory(err);
}

static void stack_close(struct stack *stack)
{
    free(stack->values);
    free(stack->doses);
    free(stack->targets);
    free(stack->weights);
    free(stack->rows);
}

static void stack_put(struct stack *stack, const struct learner_data *data, int64_t row,
                      int arm, double target, double weight)
{
    size_t width = (size_t)data->features.feature_count;

    memcpy(stack->values + (size_t)stack->count * width,
           data->features.values + (size_t)row * width, width * sizeof *stack->values);
    stack->doses[stack->count] = (float)data->doses[arm];
    stack->targets[stack->count] = target;
    stack->weights[stack->count] = weight;
    stack->rows[stack->count] = (uint32_t)stack->count;
    stack->count++;
}

static void stack_fill(struct fitting *fitting, struct stack *stack)
{
    for (int arm = 0; arm < fitting->data->arm_count; arm++) {
        struct row_set set = arm ? effect_rows(fitting, arm) : fitting->set;

        if (arm)
            set_targets(fitting, set, arm);
        for (int64_t i = 0; i < set.count; i++) {
            int64_t row = set.rows[i];

            stack_put(stack, fitting->data, row, arm, arm ? fitting->targets[row] : 0,
                      arm && fitting->weights ? fitting->weights[row]
                                              : row_weight(fitting->data, row));
        }
    }
}

static enum status fit_rising(struct fitting *fitting, struct err *err)
{
    struct predictor_settings settings =
        kept_settings(fitting->settings, false, SEED_EFFECT);
    struct feature_rows features = fitting->data->features;
    struct stack stack;
    enum status rc = stack_open(fitting, &stack, err);

    if (!rc) {
        stack_fill(fitting, &stack);
        settings.column_share = 1;
        settings.is_rising = true;
        features.values = stack.values;
        features.keys = NULL; /* its rows are others */
        features.has_last = true;
        features.last = stack.doses;
        rc = add_part(fitting, LEARNER_OUTCOME, 0, &settings, &features,
                      (struct row_set){stack.count, stack.rows}, stack.targets,
                      stack.weights, err);
    }
    stack_close(&stack);
    return rc;
}

/* ---- any of them ---- */

static enum status fit_kind(struct fitting *fitting, struct err *err)
{
    enum learner_kind kind = fitting->learner->kind;

    if (kind == LEARNER_S || kind == LEARNER_T) {
        set_outcome_weights(fitting);
        return kind == LEARNER_S ? fit_s(fitting, err) : fit_t(fitting, err);
    }
    return fitting->settings->is_rising ? fit_rising(fitting, err)
                                        : fit_effects(fitting, err);
}

/* Rows that all count alike need no weights. */
static bool needs_weights(enum learner_kind kind, const struct learner_data *data)
{
    bool is_of_outcomes = kind == LEARNER_S || kind == LEARNER_T;

    return data->weights ||
           (is_of_outcomes ? data->weighs_inversely : kind != LEARNER_DR);
}

/* Those that look at some rows of the set at a time. */
static bool needs_rows(enum learner_kind kind)
{
    return kind == LEARNER_T || learner_needs_overlap(kind);
}

static enum status open_room(enum learner_kind kind, struct fitting *fitting,
                             struct err *err)
{
    size_t count = (size_t)fitting->data->row_count + 1;
    bool has_targets = learner_needs_outcomes(kind),
         has_weights = needs_weights(kind, fitting->data), has_rows = needs_rows(kind);

    if (has_targets)
        fitting->targets = malloc(count * sizeof *fitting->targets);
    if (has_weights)
        fitting->weights = malloc(count * sizeof *fitting->weights);
    if (has_rows)
        fitting->rows = malloc(count * sizeof *fitting->rows);
    fitting->learner = calloc(1, sizeof *fitting->learner);
    return (has_targets && !fitting->targets) || (has_weights && !fitting->weights) ||
                   (has_rows && !fitting->rows) || !fitting->learner
               ? refuse_memory(err)
               : STATUS_OK;
}

enum status learner_fit_to(enum learner_kind kind, const struct learner_data *data,
                           const struct learner_settings *settings, struct row_set set,
                           struct learner_outcomes outcomes, struct learner **learner,
                           struct err *err)
{
    struct fitting fitting = {
        .data = data, .settings = settings, .set = set, .outcomes = outcomes};
    enum status rc = open_room(kind, &fitting, err);

    if (!rc) {
        fitting.learner->kind = kind;
        rc = fit_kind(&fitting, err);
    }
    free(fitting.targets);
    free(fitting.weights);
    free(fitting.rows);
    if (rc)
        learner_close(fitting.learner);
    else
        *learner = fitting.learner;
    return rc;
}

enum status learner_fit(enum learner_kind kind, const struct learner_data *data,
                        const struct learner_settings *settings, struct row_set set,
                        const double *outcomes, struct learner **learner, struct err *err)
{
    return learner_fit_to(kind, data, settings, set,
                          (struct learner_outcomes){.known = outcomes}, learner, err);
}

bool learner_needs_outcomes(enum learner_kind kind)
{
    return pseudo_kinds[kind] != NULL;
}

bool learner_needs_overlap(enum learner_kind kind)
{
    return kind == LEARNER_X || kind == LEARNER_R;
}

void learner_close(struct learner *learner)
{
    if (!learner)
        return;
    for (int i = 0; i < learner->part_count; i++)
        predictor_close(learner->parts[i].predictor);
    free(learner);
}

/* Add sign times what a part says of the rows of a set, at a dose where it takes one, to
 * the effects of an arm. */
static enum status add_effects(const struct learner_part *part,
                               const struct learner_data *data, struct row_set set,
                               double dose, int arm, double sign, double *numbers,
                               double *effects, struct err *err)
{
    struct feature_rows features =
        part->role == LEARNER_OUTCOME ? with_doses(data, NULL, dose) : data->features;
    int width = data->arm_count - 1;
    enum status rc =
        predictor_predict(part->predictor, &features, set, false, numbers, err);

    for (int64_t i = 0; i < set.count && !rc; i++)
        effects[i * width + arm - 1] += sign * numbers[i];
    return rc;
}

enum status learner_effects(const struct learner *learner,
                            const struct learner_data *data, struct row_set set,
                            double *effects, struct err *err)
{
    size_t width = (size_t)data->arm_count - 1;
    double *numbers = malloc((size_t)set.count * sizeof *numbers + 1);
    enum status rc = numbers ? STATUS_OK : refuse_memory(err);

    memset(effects, 0, (size_t)set.count * width * sizeof *effects);
    for (int i = 0; i < learner->part_count && !rc; i++) {
        const struct learner_part *part = &learner->parts[i];
        bool is_for_all = part->role == LEARNER_OUTCOME;
        bool is_base = part->role == LEARNER_MU && part->arm == 0;

        for (int arm = 1; arm < data->arm_count && !rc; arm++) {
            if (!is_for_all && !is_base && part->arm != arm)
                continue;
            rc = add_effects(part, data, set, data->doses[arm], arm, is_base ? -1 : 1,
                             numbers, effects, err);
            if (!rc && is_for_all)
                rc = add_effects(part, data, set, 0, arm, -1, numbers, effects, err);
        }
    }
    free(numbers);
    return rc;
}
