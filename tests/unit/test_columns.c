/* test_columns.c - tables as columns: kinds, what is missing, and where something is
 * wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table/columns.h"

#include "base/file.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/redress-columns-XXXXXX";

static const struct columns_progress silent;

static int make_path(void **)
{
    int file = mkstemp(path);

    return file < 0 ? -1 : close(file);
}

static int remove_path(void **)
{
    return unlink(path);
}

static void write_text(const char *text)
{
    struct err err;

    assert_int_equal(file_write(path, text, strlen(text), 0600, &err), STATUS_OK);
}

static void expect_refusal(const char *text, struct column_wish wish, const char *message)
{
    struct columns *columns = NULL;
    struct err err = {0};
    char expected[256];

    write_text(text);
    assert_int_equal(columns_read(path, &wish, 1, silent, &columns, &err),
                     STATUS_INVALID);
    assert_null(columns);
    snprintf(expected, sizeof expected, "%s%s", path, message);
    assert_string_equal(err.text, expected);
}

static void each_column_is_of_the_kind_that_was_wished(void **)
{
    const struct column_wish wishes[] = {
        {"c", COLUMN_IS_TEXT, true},
        {"a", COLUMN_IS_NUMBER, true},
        {"b", COLUMN_IS_EITHER, true},
        {"c", COLUMN_IS_EITHER, true},
    };
    struct columns *columns = NULL;
    struct err err = {0};

    write_text("a,b,c\n1.5,x,1\n,,2\n-3,x,\n0.1,y,1\n");
    assert_int_equal(columns_read(path, wishes, 4, silent, &columns, &err), STATUS_OK);
    assert_int_equal(columns->row_count, 4);
    assert_true(columns->items[0].is_text && columns->items[2].is_text);
    assert_false(columns->items[1].is_text || columns->items[3].is_text);
    assert_true(columns->items[1].numbers[0] == 1.5 &&
                columns->items[1].numbers[3] == 0.1);
    assert_true(isnan(columns->items[1].numbers[1]) &&
                isnan(columns->items[3].numbers[2]));
    assert_int_equal(columns->items[2].codes[0], 0);
    assert_int_equal(columns->items[2].codes[1], -1);
    assert_int_equal(columns->items[2].codes[2], 0);
    assert_int_equal(columns->items[2].codes[3], 1);
    assert_true(text_is(column_text(&columns->items[2], 3), "y"));
    assert_int_equal(column_text(&columns->items[2], 1).bytes, 0);
    assert_true(text_is(column_text(&columns->items[0], 1), "2"));
    columns_close(columns);
}

static void a_column_that_may_be_absent_is_empty_then(void **)
{
    const struct column_wish wishes[] = {
        {"a", COLUMN_IS_OPTIONAL, true},      {"z", COLUMN_IS_OPTIONAL, true},
        {"b", COLUMN_IS_EITHER, false},       {"a", COLUMN_IS_OPTIONAL_TEXT, true},
        {"y", COLUMN_IS_OPTIONAL_TEXT, true},
    };
    struct columns *columns = NULL;
    struct err err = {0};

    write_text("a,b\n1.5,2\n,x\n"); /* read twice: b turns out to be texts */
    assert_int_equal(columns_read(path, wishes, 5, silent, &columns, &err), STATUS_OK);
    assert_int_equal(columns->row_count, 2);
    assert_true(columns->items[0].numbers[0] == 1.5);
    assert_true(isnan(columns->items[0].numbers[1]));
    assert_null(columns->items[1].numbers);
    assert_true(columns->items[2].is_text);
    assert_true(text_is(column_text(&columns->items[3], 0), "1.5"));
    assert_int_equal(columns->items[3].codes[1], -1);
    assert_null(columns->items[4].codes);
    columns_close(columns);
    expect_refusal("a,b\nlate,1\n", wishes[0],
                   " line 2 column 'a': 'late' is not a number");
}

/* Two of them might be the same number. */
static void names_of_many_digits_are_texts(void **)
{
    static const struct {
        const char *table;
        bool is_text;
    } rows[] = {
        {"a\n1\n4611686018427387904\n", true},
        {"a\n1\n-1000000000000000\n", true},
        {"a\n1\n999999999999999\n", false},
        {"a\n0.5\n-7\n", false},
        {"a\n1\nx\n", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int is_name = 0; is_name < 2; is_name++) {
            const struct column_wish wish = {
                "a", is_name ? COLUMN_IS_NAME : COLUMN_IS_EITHER, false};
            struct columns *columns = NULL;
            struct err err = {0};

            write_text(rows[i].table);
            assert_int_equal(columns_read(path, &wish, 1, silent, &columns, &err),
                             STATUS_OK);
            assert_int_equal(columns->items[0].is_text,
                             rows[i].is_text && (is_name || i == 4));
            assert_int_equal(columns->row_count, 2);
            columns_close(columns);
        }
    expect_refusal("a\n1\ninf\n", (struct column_wish){"a", COLUMN_IS_NAME, false},
                   " line 3 column 'a': is not finite");
}

static void keys_tell_texts_apart(void **)
{
    const struct column_wish wishes[] = {{"a", COLUMN_IS_OPTIONAL_KEY, true},
                                         {"z", COLUMN_IS_OPTIONAL_KEY, true}};
    struct columns *columns = NULL;
    struct err err = {0};

    write_text("a,b\ndec_1,1\n,1\ndec_2,1\ndec_1,1\n");
    assert_int_equal(columns_read(path, wishes, 2, silent, &columns, &err), STATUS_OK);
    assert_true(columns->items[0].keys[0] == text_hash(text_of("dec_1")));
    assert_true(columns->items[0].keys[1] == 0);
    assert_true(columns->items[0].keys[0] != columns->items[0].keys[2]);
    assert_true(columns->items[0].keys[0] == columns->items[0].keys[3]);
    assert_null(columns->items[1].keys);
    columns_close(columns);
}

static void what_is_wrong_is_named_with_its_place(void **)
{
    const struct column_wish number = {"amount", COLUMN_IS_NUMBER, false};

    expect_refusal("a,amuont\n1,2\n", number,
                   ": no column 'amount'; the nearest is 'amuont'");
    expect_refusal("a,amount\n1,2\n1,x\n", number,
                   " line 3 column 'amount': 'x' is not a number");
    expect_refusal("a,amount\n1,2\n1,\n", number, " line 3 column 'amount': is missing");
    expect_refusal("a,amount\n1,-inf\n", number,
                   " line 2 column 'amount': is not finite");
    expect_refusal("a,amount\n1,nan\n",
                   (struct column_wish){"amount", COLUMN_IS_TEXT, false},
                   " line 2 column 'amount': is missing");
    expect_refusal("a,amount\n", number, ": has a header line and no rows");
}

static void a_nul_is_no_part_of_a_cell(void **)
{
    static const char table[] = "a,b\n1,x\n2,x\0y\n3\0,x\n";
    const struct column_wish wishes[] = {{"b", COLUMN_IS_EITHER, false},
                                         {"b", COLUMN_IS_TEXT, false},
                                         {"a", COLUMN_IS_NUMBER, false}};
    static const char *const places[] = {"line 3 column 'b'", "line 3 column 'b'",
                                         "line 4 column 'a'"};

    for (int i = 0; i < 3; i++) {
        struct columns *columns = NULL;
        struct err err = {0};
        char expected[256];

        assert_int_equal(file_write(path, table, sizeof table - 1, 0600, &err),
                         STATUS_OK);
        assert_int_equal(columns_read(path, &wishes[i], 1, silent, &columns, &err),
                         STATUS_INVALID);
        snprintf(expected, sizeof expected, "%s %s: holds a NUL", path, places[i]);
        assert_string_equal(err.text, expected);
    }
}

static void standard_input_may_turn_out_to_be_texts(void **)
{
    const struct column_wish wishes[] = {{"b", COLUMN_IS_EITHER, false},
                                         {"a", COLUMN_IS_NUMBER, false}};
    struct columns *columns = NULL;
    struct err err = {0};
    int before = dup(STDIN_FILENO), file;

    write_text("a,b\n1,2\n2,late\n");
    file = open(path, O_RDONLY);
    assert_true(file >= 0 && dup2(file, STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(columns_read("-", wishes, 2, silent, &columns, &err), STATUS_OK);
    assert_int_equal(columns->row_count, 2);
    assert_true(text_is(column_text(&columns->items[0], 0), "2"));
    assert_true(columns->items[1].numbers[1] == 2);
    columns_close(columns);

    lseek(file, 0, SEEK_SET);
    assert_int_equal(columns_read("-",
                                  &(struct column_wish){"b", COLUMN_IS_NUMBER, false}, 1,
                                  silent, &columns, &err),
                     STATUS_INVALID);
    assert_string_equal(err.text,
                        "standard input line 3 column 'b': 'late' is not a number");
    close(file);
    dup2(before, STDIN_FILENO);
    close(before);
}

static void a_place_is_a_line_while_each_row_is_one(void **)
{
    const struct column_wish wish = {"a", COLUMN_IS_NUMBER, false};
    struct columns *columns = NULL;
    struct err err = {0};
    char place[COLUMNS_PLACE_BYTES];

    write_text("a,b\n1,x\n2,y\n");
    assert_int_equal(columns_read(path, &wish, 1, silent, &columns, &err), STATUS_OK);
    assert_non_null(strstr(columns_place(columns, 1, place), " line 3"));
    columns_close(columns);
    write_text("a,b\n1,\"x\nz\"\n2,y\n");
    assert_int_equal(columns_read(path, &wish, 1, silent, &columns, &err), STATUS_OK);
    assert_non_null(strstr(columns_place(columns, 1, place), " row 2"));
    columns_close(columns);
}

static void count(void *context, double done)
{
    assert_true(done > 0 && done <= 1);
    ++*(int *)context;
}

static void many_rows_grow_and_tell(void **)
{
    const struct column_wish wish = {"a", COLUMN_IS_NUMBER, false};
    const int row_count = 200000;
    char *text = malloc((size_t)row_count * 8 + 8), *at = text;
    struct columns *columns = NULL;
    struct err err = {0};
    int told = 0;

    assert_non_null(text);
    at += sprintf(at, "a\n");
    for (int i = 0; i < row_count; i++)
        at += sprintf(at, "%d\n", i);
    write_text(text);
    free(text);
    assert_int_equal(columns_read(path, &wish, 1, (struct columns_progress){count, &told},
                                  &columns, &err),
                     STATUS_OK);
    assert_int_equal(columns->row_count, row_count);
    for (int i = 0; i < row_count; i++)
        assert_true(columns->items[0].numbers[i] == i);
    assert_int_equal(told, 3);
    columns_close(columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_column_is_of_the_kind_that_was_wished),
        cmocka_unit_test(a_column_that_may_be_absent_is_empty_then),
        cmocka_unit_test(names_of_many_digits_are_texts),
        cmocka_unit_test(keys_tell_texts_apart),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(a_nul_is_no_part_of_a_cell),
        cmocka_unit_test(standard_input_may_turn_out_to_be_texts),
        cmocka_unit_test(a_place_is_a_line_while_each_row_is_one),
        cmocka_unit_test(many_rows_grow_and_tell),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
