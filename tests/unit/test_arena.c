/* test_arena.c - base/arena.h and base/text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/rng.h"

#include <stdio.h>

enum { ITEM_COUNT = 400 };

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    char buffer[1000];
    struct arena arena;
    struct rng rng;
    unsigned char *items[ITEM_COUNT];
    size_t bytes[ITEM_COUNT];

    (void)state;
    memset(buffer, 0xee, sizeof buffer);
    rng_seed(&rng, 7);
    arena_init(&arena, buffer + 3, sizeof buffer - 3, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < ITEM_COUNT; i++) {
            bytes[i] = rng_below(&rng, 300);
            items[i] = arena_alloc(&arena, bytes[i], 1);
            assert_non_null(items[i]);
            assert_int_equal((uintptr_t)items[i] % 16, 0);
            for (size_t k = 0; k < bytes[i]; k++)
                assert_int_equal(items[i][k], 0);
            memset(items[i], i & 0xff, bytes[i]);
        }
        for (int i = 0; i < ITEM_COUNT; i++)
            for (size_t k = 0; k < bytes[i]; k++)
                assert_int_equal(items[i][k], i & 0xff);
        assert_true(arena.chunk_bytes <= arena.chunk_bytes_max);
        arena_reset(&arena);
        assert_int_equal(arena.chunk_bytes, 0);
    }
}

static void a_full_buffer_without_chunks_gives_null(void **state)
{
    _Alignas(16) char buffer[64];
    struct arena arena;

    (void)state;
    arena_init(&arena, buffer, sizeof buffer, 0);
    assert_ptr_equal(arena_alloc(&arena, 4, 8), buffer);
    assert_null(arena_alloc(&arena, 33, 1));
    assert_ptr_equal(arena_alloc(&arena, 32, 1), buffer + 32);
    assert_null(arena_alloc(&arena, 0, 1));
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 64, 1), buffer);
    arena_init(&arena, NULL, 0, 0);
    assert_null(arena_alloc(&arena, 1, 1));
}

static void chunks_never_pass_their_limit(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 20000; limit += 777) {
        struct arena arena;
        size_t taken = 0;

        arena_init(&arena, NULL, 0, limit);
        while (arena_alloc(&arena, 100, 1))
            taken += 100;
        assert_true(arena.chunk_bytes <= limit);
        assert_true(taken <= limit);
        assert_true(taken + 4096 / 2 + 400 >= limit / 2);
        arena_reset(&arena);
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    char buffer[64];
    struct arena arena;

    (void)state;
    arena_init(&arena, buffer, sizeof buffer, SIZE_MAX);
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX - 15, 1));
    assert_non_null(arena_alloc(&arena, 1, 1));
    arena_reset(&arena);
}

static void texts_are_copied_and_formatted(void **state)
{
    struct arena arena;
    char buffer[96];

    (void)state;
    arena_init(&arena, buffer, sizeof buffer, 0);
    assert_string_equal(arena_copy(&arena, (struct text){"credit note", 6}), "credit");
    assert_string_equal(arena_copy(&arena, (struct text){0}), "");
    assert_string_equal(arena_format(&arena, "%s@%d", "model", 7), "model@7");
    assert_null(arena_format(&arena, "%100d", 1));
}

static void a_text_that_does_not_fit_is_not_copied(void **state)
{
    char buffer[4] = "zzz";

    (void)state;
    assert_true(text_copy(text_of("USD"), buffer, sizeof buffer));
    assert_string_equal(buffer, "USD");
    assert_false(text_copy(text_of("USDT"), buffer, sizeof buffer));
    assert_string_equal(buffer, "");
    assert_false(text_copy((struct text){"a\0b", 3}, buffer, sizeof buffer));
    assert_string_equal(buffer, "");
    assert_true(text_copy((struct text){0}, buffer, sizeof buffer));
    assert_true(text_equal((struct text){0}, text_of("")));
    assert_false(text_is(text_of("US"), "USD"));
}

static void hashes_are_those_of_the_published_function(void **state)
{
    (void)state;
    assert_true(text_hash(text_of("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(text_hash(text_of("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(text_hash(text_of("foobar")) == UINT64_C(0x85944171f73967e8));
}

/* Against a decoder that knows nothing but the bit pattern and the ranges. */
static int plain_utf8_bytes(const unsigned char *s, size_t room)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int bytes = s[0] < 0x80             ? 1
                : (s[0] & 0xe0) == 0xc0 ? 2
                : (s[0] & 0xf0) == 0xe0 ? 3
                : (s[0] & 0xf8) == 0xf0 ? 4
                                        : 0;
    uint32_t point = bytes > 1 ? s[0] & (0x7f >> bytes) : s[0];

    if (bytes == 0 || (size_t)bytes > room)
        return 0;
    for (int i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < least[bytes] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return bytes;
}

static void utf8_is_recognised_like_by_its_definition(void **state)
{
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90,
                                          0x9f, 0xa0, 0xbf, 0xc0, 0xff};

    (void)state;
    for (int first = 0; first < 256; first++)
        for (int second = 0; second < 256; second++)
            for (size_t k = 0; k < sizeof edges * sizeof edges; k++)
                for (size_t room = 0; room <= 4; room++) {
                    const unsigned char s[] = {
                        (unsigned char)first, (unsigned char)second,
                        edges[k % sizeof edges], edges[k / sizeof edges]};
                    int want = room ? plain_utf8_bytes(s, room) : 0;

                    if (utf8_bytes((const char *)s, (const char *)s + room) != want)
                        fail_msg("%02x %02x %02x %02x, %zu bytes", s[0], s[1], s[2], s[3],
                                 room);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(a_full_buffer_without_chunks_gives_null),
        cmocka_unit_test(chunks_never_pass_their_limit),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(texts_are_copied_and_formatted),
        cmocka_unit_test(a_text_that_does_not_fit_is_not_copied),
        cmocka_unit_test(hashes_are_those_of_the_published_function),
        cmocka_unit_test(utf8_is_recognised_like_by_its_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
