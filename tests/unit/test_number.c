/* test_number.c - decimal texts beside the C library's strtod, bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/number.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *text)
{
    double known = strtod(text, NULL), found = NAN;
    bool is_finite = number_parse(text, text + strlen(text), &found);

    if (is_finite != (bool)isfinite(known))
        fail_msg("%s is%s a finite number", text, is_finite ? "" : " not");
    if (is_finite && memcmp(&found, &known, sizeof known) != 0)
        fail_msg("%s is %a, not %a", text, found, known);
}

static uint64_t seed_of_run(void)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 5;

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void doubles_come_back_from_every_count_of_digits(void **)
{
    char text[64];
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < 400000; i++) {
        double number = ldexp((double)rng_next(&rng), (int)rng_below(&rng, 300) - 200);

        snprintf(text, sizeof text, "%.*e", (int)rng_below(&rng, 20), number);
        expect(text);
        snprintf(text, sizeof text, "%.17g", (double)(rng_next(&rng) >> 11) * 0x1p-53);
        expect(text);
    }
}

/* The middle between two doubles, and what is nearest to it with 19 digits and fewer. */
static void middles_between_doubles_go_to_the_even_one(void **)
{
    char text[64];
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < 200000; i++) {
        uint64_t odd = rng_next(&rng) >> 10 | UINT64_C(1) << 53 | 1; /* 54 bits */
        int shift = (int)rng_below(&rng, 10);

        snprintf(text, sizeof text, "%llu", (unsigned long long)odd << shift);
        expect(text);
        snprintf(text, sizeof text, "%llu.5", (unsigned long long)(odd >> 3));
        expect(text);
        snprintf(text, sizeof text, "%.*Lg", 17 + i % 3,
                 ldexpl((long double)odd, (int)rng_below(&rng, 160) - 120));
        expect(text);
    }
}

static void any_digits_with_any_exponent(void **)
{
    char text[80];
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < 400000; i++) {
        int length = 1 + (int)rng_below(&rng, 24), point = (int)rng_below(&rng, 24);
        size_t at = 0;

        if (i % 7 == 0)
            text[at++] = '-';
        text[at++] = (char)('1' + rng_below(&rng, 9));
        for (int d = 1; d < length; d++) {
            if (d == point)
                text[at++] = '.';
            text[at++] = (char)('0' + rng_below(&rng, 10));
        }
        snprintf(text + at, sizeof text - at, "e%d", (int)rng_below(&rng, 700) - 360);
        if (i % 3 == 0)
            snprintf(text + at, sizeof text - at, "e%d", (int)rng_below(&rng, 130) - 65);
        expect(text);
    }
}

/* Plain ones of every length before and after the point, and one letter wrong anywhere in
 * them. */
static void plain_decimals_of_every_length(void **)
{
    char text[64];
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int before = 1; before < 21; before++)
        for (int after = 0; after < 21; after++)
            for (int again = 0; again < 60; again++) {
                bool is_negative = again & 1;
                size_t bytes = (size_t)(is_negative + before + (after > 0) + after);
                char *copy = malloc(bytes); /* so that a look beyond it is seen */
                double number;

                for (size_t i = 0; i < bytes; i++)
                    text[i] = (char)('0' + rng_below(&rng, 10));
                if (is_negative)
                    text[0] = '-';
                if (before == 1 && again % 3)
                    text[is_negative] = '0';
                else if (text[is_negative] == '0')
                    text[is_negative] = '7';
                if (after > 0)
                    text[is_negative + before] = '.';
                text[bytes] = 0;
                expect(text);
                memcpy(copy, text, bytes);
                number_parse(copy, copy + bytes, &number);
                copy[rng_below(&rng, bytes)] = "/:x- ,"[again % 6];
                if (number_parse(copy, copy + bytes, &number) && copy[0] != '-')
                    fail_msg("%.*s is a number", (int)bytes, copy);
                free(copy);
            }
}

static void every_power_of_ten_and_its_neighbours(void **)
{
    char text[64];

    for (int power = -330; power <= 310; power++)
        for (int digits = 1; digits < 20; digits++) {
            snprintf(text, sizeof text, "%.*se%d", digits, "9999999999999999999", power);
            expect(text);
            snprintf(text, sizeof text, "%.*se%d", digits, "1000000000000000001", power);
            expect(text);
        }
}

static void what_is_no_number_is_none(void **)
{
    static const char *const words[] = {
        "",          "-",  "1.", ".5",  "01",    "1e",  "1e+",      "1x",      "+1",
        "12345678x", "1 ", " 1", "nan", "1.2.3", "--1", "1234567:", "1/345678"};
    double number;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (number_parse(words[i], words[i] + strlen(words[i]), &number))
            fail_msg("'%s' is a number", words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_come_back_from_every_count_of_digits),
        cmocka_unit_test(middles_between_doubles_go_to_the_even_one),
        cmocka_unit_test(any_digits_with_any_exponent),
        cmocka_unit_test(plain_decimals_of_every_length),
        cmocka_unit_test(every_power_of_ten_and_its_neighbours),
        cmocka_unit_test(what_is_no_number_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
