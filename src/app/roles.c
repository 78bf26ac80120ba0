/* roles.c - a table of what a column can be at once. */
#include "app/roles.h"

#include <math.h>
#include <string.h>

/* Whether a column may have both. */
static const bool may_share[AS_ROLE_COUNT][AS_ROLE_COUNT] = {
    [AS_OUTCOME] = {[AS_BESIDE] = true},
    [AS_BESIDE] = {[AS_OUTCOME] = true, [AS_BESIDE] = true},
    [AS_BEFORE] = {[AS_ABOUT] = true},
    [AS_ABOUT] = {[AS_BEFORE] = true, [AS_ABOUT] = true},
};

static int name_count(const struct role_use *use)
{
    return use->list ? use->list->count : use->name != NULL;
}

static const char *name_at(const struct role_use *use, int i)
{
    return use->list ? use->list->names[i] : use->name;
}

/* A column of both uses; NULL when there is none. */
static const char *find_shared(const struct role_use *a, const struct role_use *b)
{
    for (int i = 0; i < name_count(a); i++)
        for (int j = 0; j < name_count(b); j++)
            if (strcmp(name_at(a, i), name_at(b, j)) == 0)
                return name_at(a, i);
    return NULL;
}

static enum status check_pair(const struct role_use *a, const struct role_use *b,
                              struct err *err)
{
    const char *name = may_share[a->role][b->role] ? NULL : find_shared(a, b);

    if (!name)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "%s: '%.80s' is also %s: one column cannot be both", a->option, name,
                   b->option);
}

enum status roles_check(const struct role_use *uses, int count, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < count && !rc; i++)
        for (int j = 0; j < i && !rc; j++)
            rc = check_pair(&uses[j], &uses[i], err);
    return rc;
}

bool roles_is_copy(const struct columns *columns, int item, int outcome)
{
    const double *a = columns->items[item].numbers, *b = columns->items[outcome].numbers;
    bool is_varied = false;

    if (columns->items[item].is_text || columns->row_count < ROLES_ROWS_MIN)
        return false;
    for (int64_t row = 0; row < columns->row_count; row++) {
        if (a[row] != b[row] && !(isnan(a[row]) && isnan(b[row])))
            return false;
        is_varied |= b[row] != b[0];
    }
    return is_varied;
}

enum status roles_check_copies(const struct columns *columns, int first, int count,
                               int outcome, struct err *err)
{
    for (int item = first; item < first + count; item++)
        if (roles_is_copy(columns, item, outcome))
            return err_set(err, STATUS_INVALID,
                           "%s column '%.80s': is the same as '%.80s' in every row, "
                           "which is known only afterwards",
                           columns->file, columns->items[item].name,
                           columns->items[outcome].name);
    return STATUS_OK;
}
