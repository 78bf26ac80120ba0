/* query.c - the values of query parameters. */
#include "http/api.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *query_text(const struct exchange *exchange, const char *name)
{
    for (int i = 0; i < exchange->query_count; i++)
        if (strcmp(exchange->queries[i].name, name) == 0)
            return exchange->queries[i].value;
    return NULL;
}

enum status query_int(const struct exchange *exchange, const char *name, int64_t minimum,
                      int64_t maximum, int64_t fallback, int64_t *value, struct err *err)
{
    const char *text = query_text(exchange, name);
    long long number;
    char *end;

    *value = fallback;
    if (!text)
        return STATUS_OK;
    number = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || strlen(text) > 18 ||
        number < minimum || number > maximum)
        return err_fault(err, "", "invalid_parameter",
                         "'%s' must be a whole number from %lld to %lld", name,
                         (long long)minimum, (long long)maximum);
    *value = number;
    return STATUS_OK;
}

enum status query_bool(const struct exchange *exchange, const char *name, bool *value,
                       struct err *err)
{
    const char *text = query_text(exchange, name);

    *value = text && strcmp(text, "true") == 0;
    if (!text || *value || strcmp(text, "false") == 0)
        return STATUS_OK;
    return err_fault(err, "", "invalid_parameter", "'%s' must be true or false", name);
}

enum status query_time(const struct exchange *exchange, const char *name, int64_t *us,
                       struct err *err)
{
    const char *text = query_text(exchange, name);

    *us = 0;
    if (!text)
        return STATUS_OK;
    if (time_parse(text_of(text), us, err) == STATUS_OK)
        return STATUS_OK;
    return err_fault(err, "", "invalid_parameter",
                     "'%s' must be a time such as 2026-11-20T18:02:11Z", name);
}

enum status query_order(const struct exchange *exchange, bool is_descending_by_default,
                        bool *is_descending, struct err *err)
{
    const char *text = query_text(exchange, "order");

    *is_descending = is_descending_by_default;
    if (!text)
        return STATUS_OK;
    *is_descending = strcmp(text, "desc") == 0;
    if (*is_descending || strcmp(text, "asc") == 0)
        return STATUS_OK;
    return err_fault(err, "", "invalid_parameter", "'order' must be asc or desc");
}
