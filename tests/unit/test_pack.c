/* test_pack.c - packed texts are what they were, and damaged ones never crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/store_fixture.h"

#include "base/rng.h"
#include "store/pack.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 600, ROUND_COUNT = 20000 };

static const char answer[] =
    "{\"id\":\"dec_01M81TKERSA17WZZKRX4J7HQRZ\",\"object\":\"decision\",\"created_at\":"
    "\"2026-11-22T14:29:44.849157Z\",\"mode\":\"live\",\"outcome\":\"no_credit\","
    "\"status\":"
    "\"none\",\"amount\":0,\"entitled_amount\":0,\"currency\":\"USD\",\"hold_expires_"
    "at\":null,"
    "\"reasons\":[{\"code\":\"LOW_UPLIFT\",\"direction\":\"against\",\"contribution\":0,"
    "\"text\":"
    "\"No.\"}],\"options\":[{\"amount\":0,\"effect\":0,\"cost\":0,\"net_value\":0,"
    "\"propensity\":"
    "1,\"allowed\":true},{\"amount\":500,\"effect\":330.113403,\"cost\":450,\"net_"
    "value\":-119."
    "886597,\"propensity\":0,\"allowed\":true},{\"amount\":900,\"effect\":447.638184,"
    "\"cost\":"
    "810,\"net_value\":-362.361816,\"propensity\":0,\"allowed\":true}],\"budgets\":[{"
    "\"id\":\"bud_"
    "all\",\"shadow_price\":0,\"remaining\":8999977170200}],\"propensity\":1,"
    "\"explored\":"
    "false,\"experiment\":null,\"versions\":{\"model\":\"credit_uplift@1\"},\"case_id\":"
    "\"b-7\","
    "\"customer_id\":\"c_7\",\"issue\":\"late_delivery\",\"request_id\":\"req_01\"}";

/* Packed, and unpacked again; how many bytes it took. */
static size_t assert_comes_back(struct text text)
{
    char *room = malloc(pack_room(text.bytes)), *again;
    struct text packed = pack(text, room);
    size_t packed_size = packed.bytes, bytes;

    assert_true(packed.bytes <= pack_room(text.bytes));
    assert_true(unpacked_bytes(packed, &bytes));
    assert_int_equal(bytes, text.bytes);
    again = malloc(bytes + 1);
    unpack(packed, again);
    if (bytes)
        assert_memory_equal(again, text.at, bytes);
    free(again);
    free(room);
    return packed_size;
}

static void an_answer_takes_less_than_half(void **state)
{
    (void)state;
    assert_true(assert_comes_back(text_of(answer)) < sizeof answer / 2);
}

static void whatever_was_packed_comes_back(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "\"",
                                        "plain",
                                        "\x01",
                                        "\x01\x01",
                                        "\x1f",
                                        "\x02\x03{\"id\":\"dec_",
                                        "{\n\t\"a\":\r1}",
                                        "\x7f"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_comes_back(text_of(texts[i]));
    assert_comes_back((struct text){"\0\x01\0", 3});
    assert_comes_back((struct text){"\x01\0\0", 3});
}

/* Parts of an answer one after the other, and bytes of all kinds between them. */
static struct text mixed_text(struct rng *rng, char room[static TEXT_BYTES_MAX])
{
    size_t bytes = 0, wanted = rng_below(rng, TEXT_BYTES_MAX);

    while (bytes < wanted) {
        size_t from = rng_below(rng, sizeof answer - 1), count = 1 + rng_below(rng, 60);

        if (count > sizeof answer - 1 - from)
            count = sizeof answer - 1 - from;
        if (count > wanted - bytes)
            count = wanted - bytes;
        memcpy(room + bytes, answer + from, count);
        bytes += count;
        if (bytes < wanted && rng_below(rng, 3) == 0)
            room[bytes++] = (char)rng_below(rng, 256);
    }
    return (struct text){room, bytes};
}

static void mixed_texts_come_back(void **state)
{
    char room[TEXT_BYTES_MAX];
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("mixed_texts_come_back"));
    for (int i = 0; i < ROUND_COUNT; i++)
        assert_comes_back(mixed_text(&rng, room));
}

/* What is unpacked fits into what was said, whatever is packed. */
static void damaged_ones_are_refused_or_something_else(void **state)
{
    int refused_count = 0;
    char room[TEXT_BYTES_MAX], *packed_room;
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("damaged_ones"));
    for (int i = 0; i < ROUND_COUNT; i++) {
        size_t bytes = 1 + rng_below(&rng, TEXT_BYTES_MAX - 1), said;

        for (size_t k = 0; k < bytes; k++)
            room[k] = (char)rng_below(&rng, i % 2 ? 48 : 256);
        room[0] = 1;
        packed_room = malloc(bytes); /* of that size, so that a sanitizer sees its end */
        memcpy(packed_room, room, bytes);
        if (unpacked_bytes((struct text){packed_room, bytes}, &said)) {
            char *text = malloc(said + 1);

            unpack((struct text){packed_room, bytes}, text);
            free(text);
        } else {
            refused_count++;
        }
        free(packed_room);
    }
    assert_in_range(refused_count, 1, ROUND_COUNT - 1);
}

/* Numbers of pieces are on disks: the ones of today, byte for byte. */
static void what_is_on_disks_is_read_for_good(void **state)
{
    static const char packed[] = "\x01\x13"
                                 "01\x14"
                                 "t\x03\x20"
                                 "5\x05"
                                 "7\x04"
                                 "9";
    static const char text[] =
        "{\"id\":\"dec_01\",\"object\":\"decision\",\"created_at\":\"t\",\"status\":"
        "\"none\","
        "\"amount\":5,\"effect\":7,\"propensity\":0,\"allowed\":true},{\"amount\":9";
    char room[sizeof text];
    size_t bytes;

    (void)state;
    assert_true(unpacked_bytes((struct text){packed, sizeof packed - 1}, &bytes));
    assert_int_equal(bytes, sizeof text - 1);
    unpack((struct text){packed, sizeof packed - 1}, room);
    assert_memory_equal(room, text, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_takes_less_than_half),
        cmocka_unit_test(whatever_was_packed_comes_back),
        cmocka_unit_test(mixed_texts_come_back),
        cmocka_unit_test(damaged_ones_are_refused_or_something_else),
        cmocka_unit_test(what_is_on_disks_is_read_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
