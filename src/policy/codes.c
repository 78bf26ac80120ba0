/* codes.c - the catalogue of reason and blocker codes, by name and by issue. */
#include "policy/codes.h"

#include <ctype.h>

static const struct {
    const char *name, *text;
} catalogue[CODE_COUNT] = {
#define X(name, text) [CODE_##name] = {#name, text},
    POLICY_CODES(X)
#undef X
};

const char *policy_code_name(enum policy_code code)
{
    return catalogue[code].name;
}

const char *policy_code_text(enum policy_code code)
{
    return catalogue[code].text;
}

bool policy_code_find(struct text name, enum policy_code *code)
{
    for (int i = 0; i < CODE_COUNT; i++) {
        if (text_is(name, catalogue[i].name)) {
            *code = (enum policy_code)i;
            return true;
        }
    }
    return false;
}

bool policy_code_of_issue(struct text issue, enum policy_code *code)
{
    static const enum policy_code issues[] = {
        CODE_LATE_DELIVERY, CODE_DAMAGED_ITEM, CODE_WRONG_ITEM,
        CODE_MISSING_ITEM,  CODE_QUALITY,
    };

    for (size_t i = 0; i < sizeof issues / sizeof issues[0]; i++) {
        const char *name = catalogue[issues[i]].name;
        size_t at = 0;

        if (strlen(name) != issue.bytes)
            continue;
        while (at < issue.bytes && tolower((unsigned char)name[at]) == issue.at[at])
            at++;
        if (at == issue.bytes) {
            *code = issues[i];
            return true;
        }
    }
    return false;
}
