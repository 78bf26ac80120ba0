/* uplift_balance.c - see uplift_balance.h. */
#include "app/uplift_balance.h"

#include "app/options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum status compare_texts(const struct columns *columns,
                                 const struct table_column *column,
                                 const struct balance_arms *arms, struct balance_gap *gap,
                                 char name[DESIGN_NAME_BYTES], struct err *err)
{
    int32_t count = text_set_count(column->texts), code;
    enum status rc;

    if (count > DESIGN_CATEGORY_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE,
                       "%s column '%s': more than %d different texts; is it a category?",
                       columns->file, column->name, DESIGN_CATEGORY_COUNT_MAX);
    rc = balance_of_codes(column->codes, count, arms, gap, &code, err);
    if (!rc && gap->difference != 0)
        snprintf(name, DESIGN_NAME_BYTES, "%.40s=%.*s", column->name,
                 TEXT_ARG(text_clip(text_set_text(column->texts, code), 48)));
    return rc;
}

enum status uplift_balance_add(struct uplift_balance *balance,
                               const struct columns *columns, int item,
                               const struct balance_arms *arms, struct err *err)
{
    const struct table_column *column = &columns->items[item];
    char name[DESIGN_NAME_BYTES];
    struct balance_gap gap;
    bool is_off, was_off = balance->off_count > 0;
    enum status rc = STATUS_OK;

    snprintf(name, sizeof name, "%.90s", column->name);
    if (column->is_text)
        rc = compare_texts(columns, column, arms, &gap, name, err);
    else
        gap = balance_of_numbers(column->numbers, arms);
    if (rc)
        return rc;
    balance->column_count++;
    is_off = balance_is_off(gap.difference, gap.se);
    if (is_off > was_off ||
        (is_off == was_off && fabs(gap.difference) > fabs(balance->gap.difference))) {
        balance->gap = gap;
        memcpy(balance->worst, name, sizeof name);
    }
    balance->off_count += is_off;
    return STATUS_OK;
}

void uplift_balance_put(const struct uplift_balance *balance, struct report *report)
{
    report_object(report, "balance");
    report_count(report, "columns", balance->column_count);
    report_count(report, "off", balance->off_count);
    if (balance->worst[0])
        report_string(report, "worst", balance->worst);
    else
        report_null(report, "worst");
    report_number(report, "difference", balance->gap.difference);
    report_number(report, "se", balance->gap.se);
    report_bool(report, "perfect", isinf(balance->gap.difference));
    report_object_end(report);
}

void uplift_balance_print(const struct uplift_balance *balance)
{
    if (!balance->worst[0])
        return;
    if (isinf(balance->gap.difference))
        print_line(stdout, "'%s' tells the treated from the others perfectly",
                   balance->worst);
    else
        print_line(stdout,
                   "treated less others in '%s', the most of %d column%s: %.3g "
                   "standard deviations (se %.2g)",
                   balance->worst, balance->column_count,
                   balance->column_count == 1 ? "" : "s", balance->gap.difference,
                   balance->gap.se);
}

void uplift_balance_warn(const struct uplift_balance *balance)
{
    char how[64];

    if (balance->off_count == 0)
        return;
    snprintf(how, sizeof how, "differs by %.2g standard deviations between",
             fabs(balance->gap.difference));
    print_line(stderr,
               "redress: not a randomised log: '%s' %s the treated and the others (%d of "
               "%d columns are off), so that curves show who was treated as well as what "
               "it did",
               balance->worst,
               isinf(balance->gap.difference) ? "perfectly tells apart" : how,
               balance->off_count, balance->column_count);
}
