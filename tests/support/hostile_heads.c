/* hostile_heads.c - heads that one HTTP program reads in one way and another in another,
 * with a request hidden where one of them would look for the next. */
#include "support/hostile_maker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a second request, hidden ------------------------------------------------------------------- */

/* What stands before it, and after the head. */
static const char *const covers[] = {"",
                                     "0" CRLF CRLF,
                                     "{}",
                                     "0" CRLF,
                                     "\r\n",
                                     "1" CRLF "Z" CRLF "0" CRLF CRLF,
                                     "Z",
                                     "0\n\n",
                                     "00000" CRLF CRLF,
                                     "2;x=\nzz" CRLF "xx" CRLF "0" CRLF CRLF,
                                     "ffffffffffffffff" CRLF,
                                     "-1" CRLF,
                                     "7fffffffffffffff" CRLF "x",
                                     "2" CRLF "{}" CRLF "0" CRLF CRLF};

struct rest rest_make(struct maker *maker)
{
    const char *cover = *PICK(maker, covers);
    char *hidden = hostile_hidden(maker->number, maker->keys);
    struct rest rest = {.cover = strlen(cover)};
    int rc = asprintf(&rest.text, "%s%s", cover, hidden);

    assert(rc > 0);
    rest.whole = (size_t)rc;
    free(hidden);
    return rest;
}

void rest_put(struct maker *maker, struct rest *rest)
{
    maker_text(maker, CRLF);
    maker_text(maker, rest->text);
    free(rest->text);
    maker->request->is_one = true;
}

/* Of the lengths that one could believe in. */
static size_t any_length(struct maker *maker, const struct rest *rest)
{
    const size_t lengths[] = {0, rest->cover, rest->whole, 5, rest->whole - 1};

    return *PICK(maker, lengths);
}

/* A header that is there or not, before and after what matters. */
static void put_filler(struct maker *maker)
{
    if (maker_is_one_in(maker, 2))
        maker_text(maker, "X-Filler: a" CRLF);
}

void hostile_coding(struct maker *maker)
{
    static const char *const names[] = {"Transfer-Encoding",       "transfer-encoding",
                                        "TRANSFER-ENCODING",       "tRANSFER-eNCODING",
                                        "Transfer-Encoding ",      "Transfer-Encoding\t",
                                        "X: y\nTransfer-Encoding", "Transfer-Encoding\v"};
    static const char *const values[] = {"chunked",
                                         "chunked",
                                         "chunked",
                                         " chunked",
                                         "Chunked",
                                         "cHuNkEd",
                                         "xchunked",
                                         "chunked, identity",
                                         "identity",
                                         "identity, chunked",
                                         "\tchunked",
                                         "\vchunked",
                                         "chunked\t",
                                         "chunked;x=1",
                                         "\"chunked\"",
                                         "'chunked'",
                                         "gzip, chunked",
                                         "",
                                         "chunked\r\nTransfer-Encoding: identity",
                                         "x\r\nTransfer-Encoding: chunked",
                                         "chunked`",
                                         "`chunked",
                                         "chu\r\n nked",
                                         "\r\n chunked",
                                         "chunked,chunked",
                                         ",chunked",
                                         "deflate",
                                         "\xc5\x8bhunked",
                                         "chunked\x01",
                                         "ch\x7funked",
                                         "trailers"};
    struct rest rest = rest_make(maker);
    bool is_first = maker_is_one_in(maker, 2);

    maker_head(maker);
    if (is_first)
        fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    put_filler(maker);
    fprintf(maker->out, "%s: ", *PICK(maker, names));
    maker_value(maker, *PICK(maker, values), 0);
    maker_text(maker, CRLF);
    put_filler(maker);
    if (!is_first && maker_is_one_in(maker, 2))
        fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

void hostile_two_lengths(struct maker *maker)
{
    static const char *const names[] = {"Content-Length", "content-length",
                                        "CONTENT-LENGTH", "cOnTeNt-LeNgTh"};
    size_t count = 2 + maker_below(maker, 2);
    struct rest rest = rest_make(maker);

    maker_head(maker);
    for (size_t i = 0; i < count; i++) {
        fprintf(maker->out, "%s: %zu" CRLF, *PICK(maker, names),
                any_length(maker, &rest));
        put_filler(maker);
    }
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

void hostile_odd_length(struct maker *maker)
{
    static const char *const values[] = {"+@",
                                         "-@",
                                         "0x@",
                                         "@,@",
                                         "@, 0",
                                         "0, @",
                                         "0 @",
                                         "@ 0",
                                         "@\t0",
                                         "",
                                         "@;",
                                         "@;x",
                                         "@.0",
                                         "1e2",
                                         "0o12",
                                         "0b1",
                                         "99999999999999999999999999",
                                         "\"@\"",
                                         "@\v",
                                         "\v@",
                                         "@\f",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "18446744073709551621",
                                         "-9223372036854775808",
                                         "\xef\xbc\x95",
                                         "\xd9\xa5",
                                         "@_0",
                                         "@'0",
                                         "@\r",
                                         "\r@",
                                         "@\r0",
                                         "@\x01",
                                         "\x7f@",
                                         "\xa0@",
                                         "@,",
                                         ",@",
                                         "NaN",
                                         "@h",
                                         "$@",
                                         "@\r\n 0",
                                         "0\r\n @",
                                         "0\r\n\t@",
                                         "4294967301",
                                         "@ bytes"};
    struct rest rest = rest_make(maker);

    maker_head(maker);
    put_filler(maker);
    maker_text(maker, "Content-Length: ");
    maker_value(maker, *PICK(maker, values), any_length(maker, &rest));
    maker_text(maker, CRLF);
    put_filler(maker);
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

/* Names that are none, with a length or something harmless as their value. */
void hostile_odd_name(struct maker *maker)
{
    static const char *const names[] = {"Content-Length ",
                                        "Content-Length\t",
                                        "Con tent-Length",
                                        "Content Length",
                                        "Content-Length\x01",
                                        "\"Content-Length\"",
                                        "Conten\xfft-Length",
                                        "(Content-Length)",
                                        "",
                                        "Content-Length\v",
                                        "Content-Length\r",
                                        "Content\r-Length",
                                        "[x]",
                                        "{x}",
                                        "a/b",
                                        "a=b",
                                        "a,b",
                                        "<x>",
                                        "X?",
                                        "a\\b",
                                        "\x7f",
                                        "Host ",
                                        "Authorization ",
                                        "Transfer-Encoding ",
                                        "\xc2\xa0X",
                                        "a;b"};
    struct rest rest = rest_make(maker);
    bool is_first = maker_is_one_in(maker, 2);

    maker_head(maker);
    if (is_first)
        fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    maker_value(maker, *PICK(maker, names), 0);
    fprintf(maker->out, ": %zu" CRLF, any_length(maker, &rest));
    if (!is_first)
        fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

void hostile_no_colon(struct maker *maker)
{
    static const char *const lines[] = {
        "X", "Content-Length 5",        "Transfer-Encoding chunked", "X y z",
        "=", "GET /v1/budgets HTTP/1.1"};
    struct rest rest = rest_make(maker);

    maker_head(maker);
    if (maker_is_one_in(maker, 2))
        fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    fprintf(maker->out, "%s" CRLF, *PICK(maker, lines));
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

void hostile_odd_value(struct maker *maker)
{
    static const char *const names[] = {"X-Filler",    "Host",         "Authorization",
                                        "traceparent", "X-Request-Id", "Idempotency-Key",
                                        "Cookie"};
    struct rest rest = rest_make(maker);
    int control = maker_is_one_in(maker, 32) ? 0x7f : 1 + (int)maker_below(maker, 31);

    if (control == '\t' || control == '\n')
        control = '\r';
    maker_head(maker);
    fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    fprintf(maker->out, "%s: a%cb" CRLF, *PICK(maker, names), control);
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

void hostile_repeated(struct maker *maker)
{
    static const char *const names[] = {
        "Host",         "Authorization", "Idempotency-Key",
        "Content-Type", "host",          "AUTHORIZATION"};
    struct rest rest = rest_make(maker);

    maker_head(maker);
    fprintf(maker->out, "Content-Length: %zu" CRLF, any_length(maker, &rest));
    fprintf(maker->out, "%s: %s" CRLF, *PICK(maker, names), maker->keys->admin);
    maker->request->is_refused = true;
    rest_put(maker, &rest);
}

/* Lines that end otherwise, or go on, and NULs: there are two ways to read the head, and
 * the length of the body is the same in both. The hidden request is in it. */
void hostile_odd_lines(struct maker *maker)
{
    static const char *const lines[] = {
        "X: y\nContent-Length: @\r\n",
        "Content-Length: @\r\nX: y\n",
        "Content-Length: @\n",
        "Content-Length: @\r\nX: y\r\n folded\r\n",
        "X: y\r\n\tfolded\r\nContent-Length: @\r\n",
        "Content-Length: @\r\nX: y\r\n Content-Length: 0\r\n",
        "Content-Length: @\r\nX: y\r\n Transfer-Encoding: chunked\r\n",
        "Content-Length: @\r\nX:\r\n \r\n y\r\n",
        "Content-Length: @\r\nX: a`b\r\n",
        "Content-Length: @`\r\n",
        "Content-Length: @\r\nX`Y: a\r\n",
        "Content-Length: @\r\nX: a\r\n`: b\r\n",
        "Content-Length: @\r\nTransfer_Encoding: chunked\r\n",
        "Content-Length: @\r\nContent_Length: 0\r\n",
        "Content-Length: @\r\nX-Transfer-Encoding: chunked\r\n",
        "Content-Length: @\r\nConnection: Content-Length\r\n",
        "Content-Length: @\r\nConnection: keep-alive, close\r\n",
        "Content-Length: @\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Content-Length: @\r\nTrailer: Content-Length\r\nTE: trailers\r\n",
        "Content-Length: @\r\nX-HTTP-Method-Override: DELETE\r\n",
        "Content-Length: @\r\nX-Original-URL: /v1/api-keys\r\n",
        "Content-Length: 0000000@\r\n",
        "Content-Length:@\r\n",
        "Content-Length: \t @ \t\r\n"};
    struct rest rest = rest_make(maker);

    maker_head(maker);
    maker_value(maker, *PICK(maker, lines), rest.whole);
    rest_put(maker, &rest);
}

void hostile_request_line(struct maker *maker)
{
    static const char *const lines[] = {
        "POST /v1/decisions HTTP/1.2",
        "POST /v1/decisions HTTP/2.0",
        "POST /v1/decisions HTTP/0.9",
        "POST /v1/decisions http/1.1",
        "POST /v1/decisions HTTP/01.1",
        "POST /v1/decisions HTTP/1.1x",
        "POST /v1/decisions HTTP/1",
        "POST /v1/decisions HTTP/",
        "POST /v1/decisions",
        "POST /v1/decisions HTP/1.1",
        "POST /v1/decisions HTTP/1.1 x",
        "POST /v1/decisions HTTP/1,1",
        "POST /v1/decisions HTTP/+1.1",
        "POST  /v1/decisions  HTTP/1.1",
        "POST\t/v1/decisions\tHTTP/1.1",
        "POST /v1/decisions HTTP/1.1 ",
        "POST /v1/decisions\vHTTP/1.1",
        "POST http://evil/v1/decisions HTTP/1.1",
        "POST //evil/v1/decisions HTTP/1.1",
        "POST * HTTP/1.1",
        "CONNECT evil:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "POST /v1/decisions#x HTTP/1.1",
        "POST /v1/ decisions HTTP/1.1",
        "POST /v1/decisions\x01 HTTP/1.1",
        "POST /\xff HTTP/1.1",
        "POST  HTTP/1.1",
        "PO`ST /v1/decisions HTTP/1.1",
        "POST /v1/dec`isions HTTP/1.1",
        "P(OST /v1/decisions HTTP/1.1",
        " POST /v1/decisions HTTP/1.1",
        "\tPOST /v1/decisions HTTP/1.1",
        "\r\n\r\nPOST /v1/decisions HTTP/1.1",
        "\n\nPOST /v1/decisions HTTP/1.1",
        "post /v1/decisions HTTP/1.1",
        "PRI * HTTP/2.0",
        "TRACE /v1/decisions HTTP/1.1",
        "POST /v1/decisions?a=%zz HTTP/1.1",
        "POST /v1/decisions?a=%00 HTTP/1.1",
        "POST /v1/decisions?a HTTP/1.1",
        "POST /v1/decisions?&&&=&=& HTTP/1.1",
        "POST /v1/decisions?dry_run=maybe HTTP/1.1",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 / HTTP/1.1",
        "` / HTTP/1.1",
        "XYZZY /v1/decisions HTTP/1.1",
        "/v1/decisions",
        "HTTP/1.1 200 OK",
        ""};
    static const char *const ends[] = {CRLF, CRLF, CRLF, "\n", "\r", CRLF "\t", " " CRLF};
    struct rest rest = rest_make(maker);

    maker_value(maker, *PICK(maker, lines), 0);
    maker_text(maker, *PICK(maker, ends));
    maker_headers(maker);
    fprintf(maker->out, "Content-Length: %zu" CRLF, rest.whole);
    rest_put(maker, &rest);
}
