/* hostile.c - chooses a family, and spoils honest requests; the other families are in
 * hostile_heads.c and hostile_bodies.c. */
#include "support/hostile_maker.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t maker_below(struct maker *maker, size_t bound)
{
    return (size_t)rng_below(&maker->rng, bound);
}

bool maker_is_one_in(struct maker *maker, size_t bound)
{
    return maker_below(maker, bound) == 0;
}

void maker_text(struct maker *maker, const char *text)
{
    fputs(text, maker->out);
}

void maker_many(struct maker *maker, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputs(text, maker->out);
}

void maker_noise(struct maker *maker, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputc((int)maker_below(maker, 256), maker->out);
}

/* In tables, @ stands for a length, and ` for NUL. */
void maker_value(struct maker *maker, const char *value, size_t length)
{
    for (; *value; value++)
        if (*value == '@')
            fprintf(maker->out, "%zu", length);
        else
            fputc(*value == '`' ? 0 : *value, maker->out);
}

/* --- honest parts ------------------------------------------------------------------------------- */

int hostile_case(char text[static HOSTILE_CASE_BYTES], const char *customer,
                 int64_t number)
{
    return snprintf(
        text, 512,
        "{\"case_id\": \"%s-%" PRId64 "\", \"customer_id\": \"%s\", "
        "\"currency\": \"USD\", \"order_amount\": 4000, \"issue\": \"other\", "
        "\"market\": \"serial\", \"features\": {\"need\": 1}}",
        customer, number, customer);
}

/* more: further headers. */
char *hostile_decision(const char *customer, int64_t number, const char *admin,
                       const char *more)
{
    char body[HOSTILE_CASE_BYTES], *text;
    int body_bytes = hostile_case(body, customer, number);
    int rc = asprintf(&text,
                      "POST /v1/decisions HTTP/1.1" CRLF "Host: x" CRLF
                      "Authorization: %s" CRLF "Idempotency-Key: %s-%" PRId64 CRLF
                      "Content-Type: application/json" CRLF
                      "%sContent-Length: %d" CRLF CRLF "%s",
                      admin, customer, number, more, body_bytes, body);

    assert(rc > 0);
    return text;
}

char *hostile_hidden(int64_t number, const struct hostile_keys *keys)
{
    return hostile_decision("hidden", number, keys->admin, "Connection: close" CRLF);
}

void maker_headers(struct maker *maker)
{
    fprintf(maker->out,
            "Host: x" CRLF "Authorization: %s" CRLF "Idempotency-Key: front-%" PRId64 CRLF
            "Content-Type: application/json" CRLF,
            maker->keys->admin, maker->number);
}

void maker_head(struct maker *maker)
{
    maker_text(maker, "POST /v1/decisions HTTP/1.1" CRLF);
    maker_headers(maker);
}

/* --- honest requests, spoiled ------------------------------------------------------------------- */

/* Bytes changed, left out, doubled, moved: the case inside is an honest one of customer
 * "mutated". */
static void hostile_mutation(struct maker *maker)
{
    char *text = hostile_decision("mutated", maker->number, maker->keys->admin, "");
    size_t count = strlen(text);

    for (size_t i = 0, n = 1 + maker_below(maker, 6); i < n && count > 1; i++) {
        size_t at = maker_below(maker, count), other = maker_below(maker, count);

        switch (maker_below(maker, 5)) {
        case 0:
            text[at] = (char)maker_below(maker, 256);
            break;
        case 1:
            text[at] ^= (char)(1 << maker_below(maker, 8));
            break;
        case 2:
            memmove(text + at, text + at + 1, --count - at);
            break;
        case 3:
            text[at] = "\r\n\t :,;\"{}[]\\%/?#"[maker_below(maker, 16)];
            break;
        case 4:
            text[at] = text[other];
            break;
        }
    }
    fwrite(text, 1, count, maker->out);
    free(text);
    if (maker_is_one_in(maker, 4))
        maker->request->end = HOSTILE_CLOSE;
}

/* Left at any moment. */
static void hostile_cut(struct maker *maker)
{
    char *text = hostile_decision("cut", maker->number, maker->keys->admin, "");
    size_t count = strlen(text);

    fwrite(text, 1, maker_below(maker, count + 1), maker->out);
    free(text);
    maker->request->end = (enum hostile_end)(HOSTILE_HALF_CLOSE + maker_below(maker, 3));
    if (maker_is_one_in(maker, 3))
        maker->request->piece_bytes = 1 + maker_below(maker, 40);
}

/* Many at once by somebody who does not wait for the answers. */
static void hostile_pipeline(struct maker *maker)
{
    for (size_t i = 0, n = 1 + maker_below(maker, 12); i < n; i++) {
        char *text = hostile_decision("pipeline", maker->number * 100 + (int64_t)i,
                                      maker->keys->admin, "");

        maker_text(maker, maker_is_one_in(maker, 3) ? "GET /version HTTP/1.1" CRLF
                                                      "Host: x" CRLF CRLF
                                                    : text);
        free(text);
    }
    maker->request->end = (enum hostile_end)(HOSTILE_HALF_CLOSE + maker_below(maker, 3));
}

static const struct {
    const char *name;
    int weight;
    void (*make)(struct maker *maker);
} families[] = {{"codings", 4, hostile_coding},
                {"two lengths", 2, hostile_two_lengths},
                {"odd lengths", 4, hostile_odd_length},
                {"odd names", 3, hostile_odd_name},
                {"lines without a colon", 1, hostile_no_colon},
                {"odd values", 2, hostile_odd_value},
                {"repeated headers", 1, hostile_repeated},
                {"odd lines", 4, hostile_odd_lines},
                {"odd request lines", 4, hostile_request_line},
                {"oversize", 2, hostile_oversize},
                {"short bodies", 1, hostile_short_body},
                {"noise", 1, hostile_noise},
                {"broken credentials", 3, hostile_credentials},
                {"odd paths", 4, hostile_path},
                {"hostile bodies", 6, hostile_body},
                {"hostile queries", 3, hostile_query},
                {"mutations", 6, hostile_mutation},
                {"cut off", 3, hostile_cut},
                {"pipelines", 1, hostile_pipeline}};

static size_t family_of(struct maker *maker)
{
    int total = 0, left;
    size_t i = 0;

    for (size_t j = 0; j < COUNT(families); j++)
        total += families[j].weight;
    left = (int)maker_below(maker, (size_t)total);
    while ((left -= families[i].weight) >= 0)
        i++;
    return i;
}

void hostile_make(uint64_t seed, int64_t number, const struct hostile_keys *keys,
                  struct hostile_request *request)
{
    struct maker maker = {.number = number, .keys = keys, .request = request};
    size_t family;

    *request = (struct hostile_request){.end = HOSTILE_HALF_CLOSE};
    rng_seed(&maker.rng, seed + (uint64_t)number * 0x9e3779b97f4a7c15u);
    maker.out = open_memstream(&request->bytes, &request->count);
    assert(maker.out);
    family = family_of(&maker);
    request->family = families[family].name;
    families[family].make(&maker);
    fclose(maker.out);
    if (request->is_refused && maker_is_one_in(&maker, 8))
        request->end = HOSTILE_LISTEN;
    if (request->count < 1000 && maker_is_one_in(&maker, 16))
        request->piece_bytes = 1 + maker_below(&maker, 60);
}

void hostile_free(struct hostile_request *request)
{
    free(request->bytes);
    *request = (struct hostile_request){0};
}
