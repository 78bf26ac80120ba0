/* test_forest_ubj.c - UBJ says the same as JSON in every way it can be written, and is
 * refused where it is unsound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forest_fixture.h"
#include "support/ubj_fixture.h"
#include "model/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WRITING_COUNT = 300 };

/* A piece of UBJ with its NULs. */
#define UBJ(literal) literal, sizeof(literal) - 1

static uint64_t seed(void)
{
    const char *text = getenv("SEED");

    return text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
}

static struct forest *read_bytes(const char *bytes, size_t count)
{
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    if (forest_read_xgboost(bytes, count, &forest, &err))
        fail_msg("%s", err.text);
    return forest;
}

static void assert_same(const struct forest *a, const struct forest *b)
{
    assert_int_equal(a->tree_count, b->tree_count);
    assert_int_equal(a->node_count, b->node_count);
    assert_int_equal(a->category_word_count, b->category_word_count);
    for (int i = 0; i < a->node_count; i++) {
        assert_true(a->nodes[i].threshold == b->nodes[i].threshold);
        assert_int_equal(a->nodes[i].feature, b->nodes[i].feature);
        assert_int_equal(a->nodes[i].left, b->nodes[i].left);
        assert_int_equal(a->nodes[i].right, b->nodes[i].right);
        assert_int_equal(a->nodes[i].goes_left_by_default,
                         b->nodes[i].goes_left_by_default);
    }
    assert_string_equal(a->objective, b->objective);
    assert_true(a->base_margin[0] == b->base_margin[0]);
}

static void however_it_is_written_it_says_the_same_as_json(void **)
{
    struct forest *json = read_bytes(xgboost_small, strlen(xgboost_small));
    uint64_t first = seed();

    printf("SEED=%llu\n", (unsigned long long)first);
    for (uint64_t i = 0; i < WRITING_COUNT; i++) {
        size_t bytes;
        char *ubj = ubj_of(xgboost_small, first + i, &bytes);
        struct forest *forest;

        assert_int_equal(model_format_of(ubj, bytes), MODEL_XGBOOST_UBJ);
        forest = read_bytes(ubj, bytes);
        assert_same(json, forest);
        forest_free(forest);
        free(ubj);
    }
    forest_free(json);
}

static void no_prefix_of_a_file_is_accepted(void **)
{
    size_t count;
    char *ubj = ubj_of(xgboost_small, 7, &count);
    struct forest *forest = NULL;
    struct err err;

    for (size_t bytes = 2; bytes < count; bytes++) {
        char *prefix = malloc(bytes); /* its own block, so that ASan sees the end */

        assert_non_null(prefix);
        memcpy(prefix, ubj, bytes);
        err_clear(&err);
        assert_int_not_equal(forest_read_xgboost(prefix, bytes, &forest, &err),
                             STATUS_OK);
        assert_non_null(strstr(err.text, "byte"));
        free(prefix);
    }
    free(ubj);
}

static void an_unsound_tree_is_refused_with_its_place(void **)
{
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {"[1,-1,3,-1,-1]", "[1,-1,93,-1,-1]", "trees[0].left_children[2]: 93 of 5 nodes"},
        {"[1,-1,3,-1,-1]", "[1,-1,3.5,-1,-1]", "trees[0].left_children["},
        {"[1,-1,3,-1,-1]", "[1,-1,\"3\",-1,-1]", "trees[0].left_children[2]: byte"},
        {"[1,-1,3,-1,-1]", "[1,-1,4294967299,-1,-1]", "does not fit into 32 bits"},
        {"[1,-1,3,-1,-1]", "[1,-1,3,-1]", "trees[0].left_children: has 4 entries for 5"},
        {"\"num_nodes\":\"5\"", "\"num_nodes\":5", "trees[0].tree_param.num_nodes: byte"},
        {"[0,0,1,0,0]", "[0,0,2,0,0]", "trees[0].default_left[2]: byte"},
        {"binary:logistic", "binary:other", "'binary:other' is not supported"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char *text = text_replaced(xgboost_small, edits[i].from, edits[i].to);
        size_t bytes;
        char *ubj = ubj_of(text, 12, &bytes);
        struct forest *forest = NULL;
        struct err err;

        err_clear(&err);
        assert_int_not_equal(forest_read_xgboost(ubj, bytes, &forest, &err), STATUS_OK);
        if (!strstr(err.text, edits[i].message))
            fail_msg("'%s' does not say '%s'", err.text, edits[i].message);
        free(ubj);
        free(text);
    }
}

/* ---- values ---- */

static void every_width_of_a_number_is_read(void **)
{
    static const char bytes[] = "{U\1a[i\xffU\xffI\xff\xfel\x80\0\0\0"
                                "L\x7f\xff\xff\xff\xff\xff\xff\xff"
                                "d\x3f\xc0\0\0D\x3f\xf8\0\0\0\0\0\0]}";
    static const int64_t ints[] = {-1, 255, -2, INT32_MIN, INT64_MAX};
    struct source source;
    struct source_level object, array;
    struct text key;
    struct err err;
    int64_t integer;
    float number;

    err_clear(&err);
    source_init(&source, bytes, sizeof bytes - 1, &err);
    assert_true(source.is_ubj);
    source_enter_object(&source, &object);
    assert_true(source_member(&source, &object, &key));
    source_enter_array(&source, &array);
    for (int i = 0; i < 5; i++) {
        assert_true(source_item(&source, &array));
        assert_true(source_int(&source, &integer));
        assert_true(integer == ints[i]);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(source_item(&source, &array));
        assert_true(source_float(&source, &number));
        assert_true(number == 1.5f);
    }
    assert_false(source_item(&source, &array));
    assert_false(source_member(&source, &object, &key));
    assert_int_equal(source_end(&source), STATUS_OK);
}

static void what_takes_no_bytes_or_more_than_there_are_is_refused(void **)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *message;
    } files[] = {
        /* bombs */
        {UBJ("{U\1a[$Z#l\x7f\xff\xff\xff}"), "an array of type 0x5a is not supported"},
        {UBJ("{U\1a[$T#l\x7f\xff\xff\xff}"), "an array of type 0x54"},
        {UBJ("{U\1a[$N#l\x7f\xff\xff\xff}"), "an array of type 0x4e"},
        {UBJ("{U\1a[$[#l\x7f\xff\xff\xff}"), "an array of type 0x5b"},
        {UBJ("{U\1a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"), "only 0 bytes follow"},
        {UBJ("{U\1a[$d#U\2\0\0\0\0"), "a length is 2, but only 4 bytes follow"},
        {UBJ("{U\1a[#l\x7f\xff\xff\xffZ"), "a length is 2147483647, but only 1 bytes"},
        {UBJ("{#l\x7f\xff\xff\xff"), "a length is 2147483647, but only 0 bytes"},
        {UBJ("{$Z#l\x7f\xff\xff\xff"), "an array of type 0x5a"},
        {UBJ("{U\1aSl\x7f\xff\xff\xff"
             "a}"),
         "a length is 2147483647, but only 2"},
        {UBJ("{l\x7f\xff\xff\xff"
             "a"),
         "a length is 2147483647"},
        /* lengths */
        {UBJ("{i\xff"
             "a"),
         "a length is -1"},
        {UBJ("{U\1aSi\xff}"), "a length is -1"},
        {UBJ("{U\1a[$d#i\xff}"), "a length is -1"},
        {UBJ("{U\1aSd\0\0\0\0}"), "expected a length, found type 'd'"},
        {UBJ("{U\1aSS}"), "expected a length, found type 'S'"},
        {UBJ("{U\1a[$d}"), "a type without a count"},
        /* types */
        {UBJ("{U\1aN}"), "the unknown type 0x4e"},
        {UBJ("{U\1aH}"), "the unknown type 0x48"},
        {UBJ("{U\1a\0}"), "the unknown type 0x00"},
        {UBJ("{U\1a]}"), "the unknown type 0x5d"},
        {UBJ("{U\7learnerZ}"), "learner: byte 11: expected an object, found type 'Z'"},
        {UBJ("{U\7versionS}"), "expected an array, found type 'S'"},
        /* ends */
        {UBJ("{U\1aZ"), "the file ends within a value"},
        {UBJ("{U\1aZ}}"), "expected nothing more"},
        {UBJ("{U\1a[[Z]"), "the file ends within a value"},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct forest *forest = NULL;
        struct err err;

        err_clear(&err);
        assert_int_not_equal(
            forest_read_xgboost(files[i].bytes, files[i].count, &forest, &err),
            STATUS_OK);
        if (!strstr(err.text, files[i].message))
            fail_msg("file %zu: '%s' does not say '%s'", i, err.text, files[i].message);
    }
}

static void a_key_is_not_longer_than_keys_are(void **)
{
    char bytes[1000] = "{I\1\x01";
    struct forest *forest = NULL;
    struct err err;

    memset(bytes + 4, 'a', sizeof bytes - 4);
    err_clear(&err);
    assert_int_not_equal(forest_read_xgboost(bytes, sizeof bytes, &forest, &err),
                         STATUS_OK);
    assert_non_null(strstr(err.text, "a key has more than 256 bytes"));
}

/* Also in what is skipped. */
static void depth_is_limited(void **)
{
    char bytes[4 + 2 * JSON_DEPTH_MAX + 1] = "{U\1a";
    struct forest *forest = NULL;
    struct err err;
    int levels = JSON_DEPTH_MAX - 1;

    for (int i = 0; i <= 1; i++) {
        memset(bytes + 4, '[', (size_t)(levels + i));
        memset(bytes + 4 + levels + i, ']', (size_t)(levels + i));
        bytes[4 + 2 * (levels + i)] = '}';
        err_clear(&err);
        assert_int_not_equal(
            forest_read_xgboost(bytes, (size_t)(4 + 2 * (levels + i) + 1), &forest, &err),
            STATUS_OK);
        assert_non_null(
            strstr(err.text, i ? "nested deeper than 64" : "version: is missing"));
    }
}

/* Nothing is open before: all levels there are belong to what is skipped. */
static void skipping_keeps_to_the_depth_too(void **)
{
    char bytes[JSON_DEPTH_MAX + 1];

    memset(bytes, '[', sizeof bytes);
    for (size_t count = JSON_DEPTH_MAX; count <= sizeof bytes; count++) {
        struct source source;
        struct err err;

        err_clear(&err);
        source_init(&source, bytes, count, &err);
        source.is_ubj = true;
        assert_false(source_skip(&source));
        assert_non_null(strstr(err.text, count > JSON_DEPTH_MAX ? "nested deeper than 64"
                                                                : "ends within a value"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_it_is_written_it_says_the_same_as_json),
        cmocka_unit_test(no_prefix_of_a_file_is_accepted),
        cmocka_unit_test(an_unsound_tree_is_refused_with_its_place),
        cmocka_unit_test(every_width_of_a_number_is_read),
        cmocka_unit_test(what_takes_no_bytes_or_more_than_there_are_is_refused),
        cmocka_unit_test(a_key_is_not_longer_than_keys_are),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(skipping_keeps_to_the_depth_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
