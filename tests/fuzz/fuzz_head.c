/* fuzz_head.c - any bytes as a request head: one that is believed has only one
 * meaning. */
#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a believed head may not hold, looked for in the plainest way. */
struct census {
    int lengths, hosts, authorizations;
};

static void count(struct census *census, const char *name, const char *value)
{
    assert(strcasecmp(name, "Transfer-Encoding") != 0);
    assert(name[0]);
    for (const char *at = name; *at; at++)
        assert((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f && *at != ':');
    for (const char *at = value; *at; at++)
        assert(*at == '\t' || !iscntrl((unsigned char)*at));
    census->lengths += strcasecmp(name, "Content-Length") == 0;
    census->hosts += strcasecmp(name, "Host") == 0;
    census->authorizations += strcasecmp(name, "Authorization") == 0;
    if (strcasecmp(name, "Content-Length") == 0)
        assert(value[0] && strspn(value, "0123456789") == strlen(value));
}

/* Cut the next line off, as a library that takes bare line feeds would. */
static char *next(char **rest, const char *ends)
{
    return *rest ? strsep(rest, ends) : NULL;
}

static void check_values(const struct head *head)
{
    char id[65], trace[33];

    head_request_id(head, id);
    assert(strlen(id) <= 64);
    head_trace_id(head, trace);
    assert(trace[0] == 0 || strspn(trace, "0123456789abcdef") == 32);
    assert(head->content_length >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *copy, *rest, *line, *decoded = malloc(size + 1);
    const char *method, *target, *version;
    struct head head = {0};

    memcpy(text, data, size);
    text[size] = 0;
    copy = strdup(text);
    rest = text;
    method = next(&rest, " ");
    target = next(&rest, " ");
    version = next(&rest, "\n");
    if (target && head_decode(text_of(target), decoded))
        assert(strlen(decoded) <= strlen(target));
    head_begin(&head, method ? method : "", target ? target : "", version);
    while ((line = next(&rest, "\n"))) {
        const char *name = next(&line, ":");

        head_add(&head, text_of(name), text_of(line));
    }
    check_values(&head);
    if (head_end(&head, version)) {
        struct census census = {0};

        rest = copy;
        next(&rest, "\n");
        while ((line = next(&rest, "\n"))) {
            const char *name = next(&line, ":");

            count(&census, name, line ? line : "");
        }
        assert(census.lengths <= 1 && census.hosts <= 1 && census.authorizations <= 1);
        assert(strcmp(version, "HTTP/1.0") == 0 || census.hosts == 1);
    }
    free(decoded);
    free(copy);
    free(text);
    return 0;
}
