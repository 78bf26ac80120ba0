/* hostile_bodies.c - heads and bodies of the wrong size, wrong keys, paths that only look
 * like others, and what breaks parsers, for every route that takes a body. */
#include "support/hostile_maker.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- too much and too little -------------------------------------------------------------------- */

void hostile_oversize(struct maker *maker)
{
    static const size_t sizes[] = {100,  2000, 7000,  8191,  8192,
                                   8193, 9000, 20000, 70000, 300000};
    size_t size = *PICK(maker, sizes);
    struct rest rest = rest_make(maker);

    switch (maker_below(maker, 7)) {
    case 0: /* a long path */
        maker_text(maker, "POST /");
        maker_many(maker, "a", size);
        maker_text(maker, " HTTP/1.1" CRLF);
        maker_headers(maker);
        break;
    case 1: /* a long value */
        maker_head(maker);
        maker_text(maker, "X-Filler: ");
        maker_many(maker, "v", size);
        maker_text(maker, CRLF);
        break;
    case 2: /* a long name */
        maker_head(maker);
        maker_many(maker, "n", size);
        maker_text(maker, ": 1" CRLF);
        break;
    case 3: /* many headers */
        maker_head(maker);
        maker_many(maker, "A: b" CRLF, size / 6);
        break;
    case 4: /* many parameters */
        maker_text(maker, "POST /v1/decisions?");
        maker_many(maker, "a&", size / 2);
        maker_text(maker, "=1 HTTP/1.1" CRLF);
        maker_headers(maker);
        break;
    case 5: /* a long cookie */
        maker_head(maker);
        maker_text(maker, "Cookie: ");
        maker_many(maker, "c=\"", size / 3);
        maker_text(maker, CRLF);
        break;
    case 6: /* a long method */
        maker_many(maker, "M", size);
        maker_text(maker, " /v1/decisions HTTP/1.1" CRLF);
        maker_headers(maker);
        break;
    }
    fprintf(maker->out, "Content-Length: %zu" CRLF, rest.whole);
    rest_put(maker, &rest);
}

/* A body that ends early, or that is announced larger than anything that is taken. */
void hostile_short_body(struct maker *maker)
{
    static const size_t mores[] = {1, 2, 100, 60000, 70000, 20000000, 2000000000};
    struct rest rest = rest_make(maker);

    maker_head(maker);
    if (maker_is_one_in(maker, 4))
        maker_text(maker, "Expect: 100-continue" CRLF);
    fprintf(maker->out, "Content-Length: %zu" CRLF, rest.whole + *PICK(maker, mores));
    rest_put(maker, &rest);
    maker->request->end = maker_is_one_in(maker, 3) ? HOSTILE_RESET : HOSTILE_HALF_CLOSE;
}

void hostile_noise(struct maker *maker)
{
    maker_noise(maker, 1 + maker_below(maker, maker_is_one_in(maker, 10) ? 20000 : 300));
    if (maker_is_one_in(maker, 2))
        maker_text(maker, CRLF CRLF);
    maker->request->is_one = true;
}

/* --- who asks, and for what --------------------------------------------------------------------- */

void hostile_credentials(struct maker *maker)
{
    static const char *const values[] = {"Bearer",
                                         "Bearer ",
                                         "Bearer .",
                                         "Bearer key_.",
                                         "Bearer key_x.y",
                                         "Bearer %s",
                                         "Basic YWRtaW46YWRtaW4=",
                                         "Bearer key_' OR '1'='1.x",
                                         "Bearer key_`.x",
                                         "Bearer key_00000000000000000000000000.0",
                                         "Digest a=b",
                                         "Bearer ........................",
                                         "Bearer \xff\xfe.\xff",
                                         "null",
                                         "*"};
    static const char *const paths[] = {"/v1/api-keys",     "/v1/budgets",
                                        "/v1/audit-events", "/v1/decisions",
                                        "/v1/models",       "/metrics"};
    struct rest rest = rest_make(maker);
    const char *admin = maker->keys->admin;
    int admin_bytes = (int)strlen(admin);

    fprintf(maker->out,
            "GET %s HTTP/1.1" CRLF "Host: x" CRLF "Authorization: ", *PICK(maker, paths));
    switch (maker_below(maker, 4)) {
    case 0:
        maker_value(maker, *PICK(maker, values), 0);
        break;
    case 1: /* cut */
        fprintf(maker->out, "%.*s", (int)maker_below(maker, (size_t)admin_bytes), admin);
        break;
    case 2: /* longer */
        fprintf(maker->out, "%s%c", admin, 'a' + (char)maker_below(maker, 26));
        break;
    case 3:
        maker_text(maker, "Bearer key_");
        maker_many(maker, "0123456789.", 1 + maker_below(maker, 500));
        break;
    }
    fprintf(maker->out, CRLF "Content-Length: %zu" CRLF, rest.whole);
    rest_put(maker, &rest);
}

/* The support role may not see these, however they are written. */
void hostile_path(struct maker *maker)
{
    static const char *const paths[] = {"/v1/api-keys", "/v1/audit-events",
                                        "/v1/audit-events/verify",
                                        "/v1/api-keys/x/rotate"};
    static const char *const parts[] = {
        "/",     "//", "/./",  "/../",   "/%2e%2e/", "/..;/",  "%2f",   "%5c",
        "\\",    ";",  ";a=b", "%00",    "%0d%0a",   "%c0%af", "%252e", "?",
        "#",     "%",  "%2",   "%u002f", "/.%2e/",   "%20",    "%09",   "..",
        ".json", "~",  "*",    "@",      ":80",      "%ff"};
    static const char *const methods[] = {"GET",    "GET",  "POST", "PUT",
                                          "DELETE", "HEAD", "PATCH"};
    const char *path = *PICK(maker, paths);
    size_t at = maker_below(maker, strlen(path) + 1);
    const char *method = *PICK(maker, methods);

    fprintf(maker->out, "%s ", method);
    if (maker_is_one_in(maker, 3))
        maker_text(maker, "/v1/decisions/..");
    fprintf(maker->out, "%.*s%s%s", (int)at, path, *PICK(maker, parts), path + at);
    fprintf(maker->out, " HTTP/1.1" CRLF "Host: x" CRLF "Authorization: %s" CRLF,
            maker->keys->support);
    if (*method != 'G')
        maker_text(maker, "Content-Length: 0" CRLF);
    maker_text(maker, CRLF);
    maker->request->is_one = true;
}

static const struct {
    const char *method, *path;
} writes[] = {{"POST", "/v1/decisions"},
              {"POST", "/v1/decisions?dry_run=true"},
              {"POST", "/v1/decision-batches"},
              {"POST", "/v1/decisions/x/settle"},
              {"POST", "/v1/decisions/x/release"},
              {"POST", "/v1/decisions/x/override"},
              {"POST", "/v1/decisions/x/replay"},
              {"POST", "/v1/budgets"},
              {"PUT", "/v1/budgets/bud_x"},
              {"DELETE", "/v1/budgets/bud_x"},
              {"POST", "/v1/budgets/bud_x/adjustments"},
              {"PUT", "/v1/policies/x"},
              {"POST", "/v1/policies/x/rollback"},
              {"POST", "/v1/models/x/versions"},
              {"PUT", "/v1/models/x/aliases/champion"},
              {"DELETE", "/v1/models/x/versions/1"},
              {"POST", "/v1/api-keys"},
              {"DELETE", "/v1/api-keys/x"},
              {"POST", "/v1/api-keys/x/rotate"},
              {"POST", "/v1/outcomes"},
              {"POST", "/v1/experiments"},
              {"POST", "/v1/evaluations"},
              {"POST", "/v1/customers/x/erasure"},
              {"GET", "/v1/budgets"}};

/* Bodies that hurt parsers. */
static char *print_body(struct maker *maker, size_t *bytes)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "{",
        "}",
        "[]",
        "\"x\"",
        "{}{}",
        "{},",
        "{\"a\":1,\"a\":2}",
        "{\"case_id\":\"\xff\xfe\"}",
        "{\"case_id\":\"\xed\xa0\x80\"}",
        "{\"case_id\":\"\\ud800\"}",
        "{\"case_id\":\"\\u0000\"}",
        "{\"case_id\":\"`\"}",
        "\xef\xbb\xbf{}",
        "{\"order_amount\":1e999999}",
        "{\"order_amount\":-0}",
        "{\"order_amount\":9223372036854775808}",
        "{\"limit\":NaN}",
        "{\"a\":0x10}",
        "{\"a\":.5}",
        "{\"a\":01}",
        "{'a':1}",
        "{\"a\":tru}",
        "/**/{}",
        "{\"manifest\":{\"format\":\"redress-bundle/1\"},\"files\":{\"../"
        "x\":{\"text\":\"\"}}}",
        "{\"manifest\":[],\"files\":{}}",
        "{\"cases\":[{},{},[]]}",
        "a=b&c=d",
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM "
        "\"file:///etc/passwd\">]><a>&b;</a>",
        "{\"__proto__\":{\"admin\":true}}",
        "\xf4\x90\x80\x80",
        "\xc0\x80"};
    static const char *const openings[] = {"[",
                                           "{\"a\":",
                                           "{\"files\":{\"a\":",
                                           "[[{\"a\":",
                                           "\"\\u00",
                                           "[1,",
                                           "{\"cases\":[",
                                           "-",
                                           "1",
                                           "\\",
                                           "\xf0\x9f"};
    char *text = NULL;
    FILE *whole = maker->out, *out = open_memstream(&text, bytes);

    maker->out = out;
    switch (maker_below(maker, 4)) {
    case 0:
        maker_value(maker, *PICK(maker, texts), 0);
        break;
    case 1:
        maker_many(maker, *PICK(maker, openings),
                   1 + maker_below(maker, maker_is_one_in(maker, 8) ? 30000 : 900));
        break;
    case 2:
        maker_noise(maker, maker_below(maker, 600));
        break;
    case 3: {
        char sample[HOSTILE_CASE_BYTES];
        int sample_bytes = hostile_case(sample, "mutated", maker->number);

        for (size_t i = 0, n = 1 + maker_below(maker, 4); i < n; i++)
            sample[maker_below(maker, (size_t)sample_bytes)] =
                (char)maker_below(maker, 256);
        fwrite(sample, 1, (size_t)sample_bytes - maker_below(maker, 3), out);
        break;
    }
    }
    fclose(out);
    maker->out = whole;
    return text;
}

void hostile_body(struct maker *maker)
{
    static const char *const types[] = {"application/json",
                                        "application/json",
                                        "application/json",
                                        "application/json; charset=utf-16",
                                        "text/plain",
                                        "",
                                        "application/jsonx",
                                        "multipart/form-data; boundary=x",
                                        "application/x-www-form-urlencoded",
                                        "application/json\xff"};
    size_t bytes, row = maker_below(maker, COUNT(writes));
    char *body = print_body(maker, &bytes);

    fprintf(maker->out,
            "%s %s HTTP/1.1" CRLF "Host: x" CRLF "Authorization: %s" CRLF
            "Idempotency-Key: body-%" PRId64 CRLF "If-Match: *" CRLF
            "Content-Type: %s" CRLF "Content-Length: %zu" CRLF CRLF,
            writes[row].method, writes[row].path, maker->keys->admin, maker->number,
            *PICK(maker, types), bytes);
    fwrite(body, 1, bytes, maker->out);
    free(body);
}

void hostile_query(struct maker *maker)
{
    static const char *const paths[] = {"/v1/decisions",
                                        "/v1/budgets",
                                        "/v1/ledger-entries",
                                        "/v1/audit-events",
                                        "/v1/policies/serial",
                                        "/v1/models/serial/history",
                                        "/v1/budgets/bud_x/entries",
                                        "/v1/customers/%41%0a/decisions",
                                        "/v1/policies"};
    static const char *const names[] = {
        "limit",    "after",   "order", "created_after", "at", "outcome", "customer_id",
        "order_id", "%6cimit", "",      "created_before"};
    static const char *const values[] = {"-1",
                                         "0",
                                         "201",
                                         "99999999999999999999",
                                         "1e3",
                                         "%00",
                                         "%ff",
                                         "%",
                                         "",
                                         "asc",
                                         "desc",
                                         "'%20OR%201=1--",
                                         "2026-13-45T99:99:99Z",
                                         "0000-01-01T00:00:00Z",
                                         "9999-12-31T23:59:60Z",
                                         "dec_00000000000000000000000000",
                                         "%f0%9f%92%a9",
                                         "NULL",
                                         "1%3B%20DROP%20TABLE%20answers"};
    size_t count = maker_is_one_in(maker, 10) ? 40 : 1 + maker_below(maker, 4);

    fprintf(maker->out, "GET %s?", *PICK(maker, paths));
    for (size_t i = 0; i < count; i++)
        fprintf(maker->out, "%s=%s&", *PICK(maker, names), *PICK(maker, values));
    fprintf(maker->out, " HTTP/1.1" CRLF "Host: x" CRLF "Authorization: %s" CRLF CRLF,
            maker->keys->admin);
}
