#include "decide/form.h"

#include "base/clock.h"
#include "base/pointer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void form_refuse(struct form *form, const char *name, int index, const char *code,
                 const char *format, ...)
{
    char member[POINTER_BYTES], item[POINTER_BYTES];
    char detail[sizeof((struct fault *)0)->detail];
    va_list arguments;

    pointer_member(member, "", text_of(name));
    if (index >= 0)
        pointer_index(item, member, index);
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    form->status = err_fault(form->err, index >= 0 ? item : member, code, "%s", detail);
}

static const struct field *field_find(const struct field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

enum status form_open(const struct action *action, const struct field *fields,
                      struct form *form, struct err *err)
{
    const char *name;
    json_t *value;
    enum status rc;

    *form = (struct form){.err = err};
    rc = action_object(action, &form->root, err);
    if (rc)
        return rc;
    json_object_foreach(form->root, name, value)
    {
        (void)value;
        if (!field_find(fields, name))
            form_refuse(form, name, -1, "unknown_field", "there is no such member");
    }
    for (; fields->name; fields++)
        if (fields->need == REQUIRED && !form_has(form, fields->name))
            form_refuse(form, fields->name, -1, "missing_field", "'%s' is required",
                        fields->name);
    return STATUS_OK;
}

enum status form_close(struct form *form)
{
    json_decref(form->root);
    form->root = NULL;
    return form->status;
}

bool form_has(const struct form *form, const char *name)
{
    return json_object_get(form->root, name);
}

bool form_is_null(const struct form *form, const char *name)
{
    return json_is_null(json_object_get(form->root, name));
}

/* The text of a member that is one. */
static bool take_text(struct form *form, const char *name, struct text *text)
{
    const json_t *value = json_object_get(form->root, name);

    if (!value)
        return false;
    if (!json_is_string(value)) {
        form_refuse(form, name, -1, "wrong_type", "'%s' must be a string", name);
        return false;
    }
    *text = (struct text){json_string_value(value), json_string_length(value)};
    return true;
}

bool form_text(struct form *form, const char *name, char *buffer, size_t buffer_bytes)
{
    struct text text;

    if (!take_text(form, name, &text))
        return false;
    if (text.bytes > 0 && text_copy(text, buffer, buffer_bytes))
        return true;
    form_refuse(form, name, -1, "out_of_range", "'%s' must have 1 to %zu bytes", name,
                buffer_bytes - 1);
    return false;
}

bool form_text_or_null(struct form *form, const char *name, char *buffer,
                       size_t buffer_bytes)
{
    return !form_is_null(form, name) && form_text(form, name, buffer, buffer_bytes);
}

bool form_int(struct form *form, const char *name, int64_t least, int64_t most,
              int64_t *value)
{
    const json_t *item = json_object_get(form->root, name);
    int64_t given;

    if (!item)
        return false;
    if (!json_is_integer(item)) {
        form_refuse(form, name, -1, "wrong_type", "'%s' must be an integer", name);
        return false;
    }
    given = json_integer_value(item);
    if (given < least || given > most) {
        form_refuse(form, name, -1, "out_of_range", "'%s' must be %lld to %lld", name,
                    (long long)least, (long long)most);
        return false;
    }
    *value = given;
    return true;
}

bool form_time(struct form *form, const char *name, int64_t *us)
{
    struct text text;
    struct err why;

    if (!take_text(form, name, &text))
        return false;
    err_clear(&why);
    if (time_parse(text, us, &why) == STATUS_OK)
        return true;
    form_refuse(form, name, -1, "invalid_time",
                "'%s' must be a time like 2026-11-20T18:02:11Z", name);
    return false;
}
