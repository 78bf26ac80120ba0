/* hostile_maker.h - what the families of hostile requests are written with. Private to
 * hostile*.c. */
#ifndef REDRESS_TESTS_HOSTILE_MAKER_H
#define REDRESS_TESTS_HOSTILE_MAKER_H

#include "base/rng.h"
#include "support/hostile.h"

#include <stdio.h>

#define CRLF        "\r\n"
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

struct maker {
    FILE *out;
    struct rng rng;
    int64_t number;
    const struct hostile_keys *keys;
    struct hostile_request *request;
};

size_t maker_below(struct maker *maker, size_t bound);
bool maker_is_one_in(struct maker *maker, size_t bound);
#define PICK(maker, rows) (&(rows)[maker_below(maker, COUNT(rows))])

void maker_text(struct maker *maker, const char *text);
void maker_many(struct maker *maker, const char *text, size_t count);
void maker_noise(struct maker *maker, size_t count);

/* In tables, @ stands for a length, and ` for NUL. */
void maker_value(struct maker *maker, const char *value, size_t length);

/* An honest case, an honest request to decide it, with further headers, and its head: the
 * headers, and the first line with them. */
enum { HOSTILE_CASE_BYTES = 512 };
int hostile_case(char text[static HOSTILE_CASE_BYTES], const char *customer,
                 int64_t number);
char *hostile_decision(const char *customer, int64_t number, const char *admin,
                       const char *more);
void maker_headers(struct maker *maker);
void maker_head(struct maker *maker);

/* What comes after the head, with a hidden request: bytes before it, and of all. */
struct rest {
    char *text;
    size_t cover, whole;
};
struct rest rest_make(struct maker *maker);
void rest_put(struct maker *maker, struct rest *rest); /* frees it */

/* A head with two meanings (hostile_heads.c). */
void hostile_coding(struct maker *maker);
void hostile_two_lengths(struct maker *maker);
void hostile_odd_length(struct maker *maker);
void hostile_odd_name(struct maker *maker);
void hostile_no_colon(struct maker *maker);
void hostile_odd_value(struct maker *maker);
void hostile_repeated(struct maker *maker);
void hostile_odd_lines(struct maker *maker);
void hostile_request_line(struct maker *maker);

/* Too much, too little, by the wrong people, of the wrong things (hostile_bodies.c). */
void hostile_oversize(struct maker *maker);
void hostile_short_body(struct maker *maker);
void hostile_noise(struct maker *maker);
void hostile_credentials(struct maker *maker);
void hostile_path(struct maker *maker);
void hostile_body(struct maker *maker);
void hostile_query(struct maker *maker);

#endif
