/* contributions.c - an attribution turned into members of an explanation, and into
 * words. */
#include "decide/contributions.h"

#include "decide/lists.h"

#include <math.h>
#include <string.h>

enum status features_see(const struct again *again, struct arena *arena,
                         struct seen_features *seen, struct err *err)
{
    const struct bundle *bundle;

    *seen = (struct seen_features){.refused = -1};
    if (again->world->model_count == 0 || again->made_from.is_override)
        return STATUS_OK;
    seen->model = again->world->models[0];
    bundle = scorer_bundle(seen->model->scorer);
    seen->row = arena_array(arena, double, (size_t)bundle->feature_count);
    if (!seen->row)
        return arena_exhausted(err);
    return bundle_row(bundle, again->made_from.asked.features,
                      again->made_from.asked.feature_count, seen->row, &seen->refused,
                      err);
}

/* --- of which option, and in which order ---------------------------------------------------- */

/* The goodwill of the largest net value; NULL when none was scored. */
static const struct option *best_goodwill(const struct menu *menu, bool is_allowed)
{
    const struct option *best = NULL;

    for (int i = 0; i < menu->count; i++) {
        const struct option *option = &menu->options[i];

        if (option->goodwill > 0 && option->is_scored &&
            option->is_allowed == is_allowed &&
            (!best || option->net_value > best->net_value))
            best = option;
    }
    return best;
}

static const struct option *option_to_explain(const struct decision *decision)
{
    const struct option *chosen = &decision->menu.options[decision->chosen];
    const struct option *best;

    if (chosen->goodwill > 0)
        return chosen->is_scored ? chosen : NULL;
    best = best_goodwill(&decision->menu, true);
    return best ? best : best_goodwill(&decision->menu, false);
}

/* Insertion, by falling size; equal ones as the model has them. */
static enum status put_in_order(const struct attribution *attribution,
                                struct arena *arena, int **order, struct err *err)
{
    int *sorted = arena_array(arena, int, (size_t)attribution->input_count);

    if (!sorted)
        return arena_exhausted(err);
    for (int i = 0; i < attribution->input_count; i++) {
        double size = fabs(attribution->contributions[i]);
        int at = i;

        for (; at > 0 && fabs(attribution->contributions[sorted[at - 1]]) < size; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = i;
    }
    *order = sorted;
    return STATUS_OK;
}

/* --- in words ------------------------------------------------------------------------------- */

/* Of a feature, or of the dose where it comes after them. */
static const char *input_name(const struct bundle *bundle, int input)
{
    return input < bundle->feature_count ? bundle->features[input].name
                                         : bundle->treatment_name;
}

/* The case holds no dose: what the option gives stands for it. */
static double input_value(const struct seen_features *seen,
                          const struct contributions *contributions, int input)
{
    const struct bundle *bundle = scorer_bundle(seen->model->scorer);

    return input == bundle->treatment_feature ? contributions->dose : seen->row[input];
}

/* The feature that says how a value is written; NULL: as a number. */
static const struct bundle_feature *input_feature(const struct bundle *bundle, int input)
{
    return input < bundle->feature_count ? &bundle->features[input] : NULL;
}

static char *value_in_words(const struct bundle_feature *feature, double value,
                            struct arena *arena)
{
    if (isnan(value))
        return arena_format(arena, "missing");
    if (feature && feature->type == FEATURE_CATEGORY)
        return arena_format(arena, "\"%s\"", feature->categories[(int)value]);
    if (feature && feature->type == FEATURE_BOOL)
        return arena_format(arena, "%s", value != 0 ? "true" : "false");
    return arena_format(arena, "%.15g", value);
}

/* "minutes_late is 42: adds 812.35 to the effect" */
static char *sentence(const struct seen_features *seen,
                      const struct contributions *contributions, int input,
                      struct arena *arena)
{
    const struct bundle *bundle = scorer_bundle(seen->model->scorer);
    const struct attribution *attribution = &contributions->attribution;
    double contribution = attribution->contributions[input];
    double size = fabs(contribution);
    char *value = value_in_words(input_feature(bundle, input),
                                 input_value(seen, contributions, input), arena);

    if (!value)
        return NULL;
    return arena_format(arena, "%s is %s: %s %.*f %s the %s", input_name(bundle, input),
                        value, contribution > 0 ? "adds" : "takes", size < 1 ? 4 : 2,
                        size, contribution > 0 ? "to" : "from",
                        attribution->link == LINK_IDENTITY ? "effect" : "raw score");
}

static enum status summarize(const struct seen_features *seen, struct arena *arena,
                             struct contributions *contributions, struct err *err)
{
    const struct attribution *attribution = &contributions->attribution;

    for (int i = 0; i < SUMMARY_COUNT_MAX && i < attribution->input_count; i++) {
        int input = contributions->order[i];
        char *text;

        if (attribution->contributions[input] == 0)
            break;
        text = sentence(seen, contributions, input, arena);
        if (!text)
            return arena_exhausted(err);
        contributions->summary[contributions->summary_count++] = text;
    }
    return STATUS_OK;
}

/* --- all of it ------------------------------------------------------------------------------ */

static const char *why_of_none(const struct again *again)
{
    if (again->made_from.is_override)
        return "a person chose the amount";
    if (again->decision.effect_count == 0 || again->decision.is_fallback)
        return "no model answered";
    return "there was no amount for the model to judge";
}

enum status contributions_find(const struct again *again,
                               const struct seen_features *seen, struct arena *arena,
                               struct contributions *contributions, struct err *err)
{
    const struct decision *decision = &again->decision;
    int64_t order_amount = again->made_from.asked.order_amount;
    const struct option *option = NULL;
    const struct bundle *bundle;
    struct err why;
    enum status rc;

    *contributions = (struct contributions){0};
    if (seen->model && decision->effect_count > 0 && !decision->is_fallback)
        option = option_to_explain(decision);
    contributions->option = option;
    contributions->note = option ? NULL : why_of_none(again);
    if (!option)
        return STATUS_OK;
    contributions->is_chosen = option == &decision->menu.options[decision->chosen];
    bundle = scorer_bundle(seen->model->scorer);
    contributions->dose = (double)option->goodwill /
                          (bundle->dose_is_order_share ? (double)order_amount : 1);
    err_clear(&why);
    rc = contribute_effect(seen->model->scorer, seen->row, option->goodwill, order_amount,
                           arena, &contributions->attribution, &why);
    if (rc == STATUS_INVALID) {
        contributions->note = arena_copy(arena, text_of(why.text));
        return contributions->note ? STATUS_OK : arena_exhausted(err);
    }
    if (rc) {
        *err = why;
        return rc;
    }
    contributions->is_known = true;
    if (contributions->attribution.link != LINK_IDENTITY)
        contributions->note =
            "the models' raw scores pass through a link before they make "
            "the effect: the contributions add up to the raw score, not "
            "to the effect";
    rc = put_in_order(&contributions->attribution, arena, &contributions->order, err);
    return rc ? rc : summarize(seen, arena, contributions, err);
}

size_t contributions_room(const struct seen_features *seen,
                          const struct contributions *contributions)
{
    enum { FRAME_BYTES = 512, INPUT_FRAME_BYTES = 128 };
    size_t bytes = FRAME_BYTES;
    const struct bundle *bundle;

    if (contributions->note)
        bytes += json_room(strlen(contributions->note));
    if (!contributions->is_known)
        return bytes;
    for (int i = 0; i < contributions->summary_count; i++)
        bytes += json_room(strlen(contributions->summary[i]));
    bundle = scorer_bundle(seen->model->scorer);
    for (int i = 0; i < contributions->attribution.input_count; i++) {
        const struct bundle_feature *feature = input_feature(bundle, i);

        bytes += INPUT_FRAME_BYTES + json_room(strlen(input_name(bundle, i)));
        if (feature && feature->type == FEATURE_CATEGORY && !isnan(seen->row[i]))
            bytes += json_room(strlen(feature->categories[(int)seen->row[i]]));
    }
    return bytes;
}

void feature_value_put(const struct bundle_feature *feature, double value,
                       struct json_writer *writer)
{
    if (isnan(value))
        json_put_null(writer);
    else if (feature && feature->type == FEATURE_CATEGORY)
        json_put_string(writer, feature->categories[(int)value]);
    else if (feature && feature->type == FEATURE_BOOL)
        json_put_bool(writer, value != 0);
    else
        json_put_double(writer, value);
}

static void put_known(const struct seen_features *seen,
                      const struct contributions *contributions,
                      struct json_writer *writer)
{
    const struct bundle *bundle = scorer_bundle(seen->model->scorer);
    const struct attribution *attribution = &contributions->attribution;

    json_put_key(writer, "contributions");
    json_put_array(writer);
    for (int i = 0; i < attribution->input_count; i++) {
        int input = contributions->order[i];

        json_put_object(writer);
        json_member_string(writer, "feature", input_name(bundle, input));
        json_put_key(writer, "value");
        feature_value_put(input_feature(bundle, input),
                          input_value(seen, contributions, input), writer);
        json_member_decimal(writer, "contribution", attribution->contributions[input], 6);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
    json_member_decimal(writer, "base", attribution->base, 6);
    json_member_decimal(writer, "score", attribution->score, 6);
    json_member_string(writer, "units",
                       attribution->link == LINK_IDENTITY ? "minor_units" : "raw_score");
}

static void put_unknown(struct json_writer *writer)
{
    static const char *const members[] = {"contributions", "base", "score", "units"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_member_string(writer, members[i], NULL);
}

void contributions_put(const struct seen_features *seen,
                       const struct contributions *contributions,
                       struct json_writer *writer)
{
    const struct option *option = contributions->option;

    if (contributions->is_known)
        put_known(seen, contributions, writer);
    else
        put_unknown(writer);
    json_put_key(writer, "contributions_to");
    if (option) {
        json_put_object(writer);
        json_member_int(writer, "amount", option->amount);
        json_member_bool(writer, "chosen", contributions->is_chosen);
        json_member_decimal(writer, "effect", option->effect, 6);
        json_put_object_end(writer);
    } else {
        json_put_null(writer);
    }
    json_member_string(writer, "contributions_note", contributions->note);
    json_put_key(writer, "summary");
    json_put_array(writer);
    for (int i = 0; i < contributions->summary_count; i++)
        json_put_string(writer, contributions->summary[i]);
    json_put_array_end(writer);
}
