/* test_csv.c - tables: quoting, missing values, and where a line is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table/csv.h"

#include "base/file.h"
#include "table/marks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/redress-csv-XXXXXX";

static int make_path(void **)
{
    int file = mkstemp(path);

    return file < 0 ? -1 : close(file);
}

static int remove_path(void **)
{
    return unlink(path);
}

static enum status open_text(const char *text, size_t bytes, bool has_header,
                             struct csv **csv, struct err *err)
{
    err_clear(err);
    assert_int_equal(file_write(path, text, bytes, 0600, err), STATUS_OK);
    return csv_open(path, has_header, csv, err);
}

static void expect_field(const struct csv *csv, int column, const char *text)
{
    if (!text_is(csv_text(csv, column), text))
        fail_msg("'%.*s' is not '%s'", TEXT_ARG(csv_text(csv, column)), text);
}

static void quotes_commas_and_newlines_stand_in_quoted_fields(void **)
{
    const char *text =
        "\xef\xbb\xbfname,\"a \"\"b\"\"\"\r\n\"x,y\",\"line\nline\"\r\n,\n";
    struct csv *csv = NULL;
    struct err err;
    bool has_row;

    assert_int_equal(open_text(text, strlen(text), true, &csv, &err), STATUS_OK);
    assert_int_equal(csv_column_count(csv), 2);
    assert_string_equal(csv_column_name(csv, 0), "name");
    assert_string_equal(csv_column_name(csv, 1), "a \"b\"");
    assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
    assert_true(has_row);
    expect_field(csv, 0, "x,y");
    expect_field(csv, 1, "line\nline");
    assert_int_equal(csv_line(csv), 2);
    assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
    expect_field(csv, 0, "");
    assert_int_equal(csv_line(csv), 4);
    assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
    assert_false(has_row);
    assert_true(csv_progress(csv) == 1);
    csv_close(csv);
}

static void marks_are_found_as_one_by_one(void **)
{
    static const char letters[] = ",\n\"-.0\xac\x8a\xa2";
    char bytes[MARKS_BYTES];
    unsigned number = 1;

    for (int round = 0; round < 1000; round++) {
        uint64_t each;

        for (int i = 0; i < MARKS_BYTES; i++) {
            number = number * 1103515245 + 12345;
            bytes[i] = letters[(number >> 16) % (sizeof letters - 1)];
        }
        each = marks_each(bytes);
        assert_true(marks_all(bytes) == each);
        for (int end = 0; end <= MARKS_BYTES; end++) {
            uint64_t behind = end < MARKS_BYTES ? each >> end << end : 0;

            assert_true(marks_before(bytes, bytes + end) == (each ^ behind));
        }
    }
}

static void numbers_are_exact_and_missing_ones_are_nan(void **)
{
    static const struct {
        const char *text;
        double number;
    } fields[] = {
        {"0", 0},
        {"-0", 0},
        {"12.5", 12.5},
        {"1e3", 1000},
        {" 7 ", 7},
        {"+3", 3},
        {".5", 0.5},
        {"5.", 5},
        {"0.1", 0.1},
        {"1e-320", 1e-320},
        {"123456789012345", 123456789012345},
        {"0.30000000000000004", 0.30000000000000004},
        {"-2.5e-1", -0.25},
        {"inf", INFINITY},
        {"-inf", -INFINITY},
        {"", NAN},
        {"nan", NAN},
        {"NaN", NAN},
        {"NA", NAN},
        {"null", NAN},
        {"N/A", NAN},
        {" n/a ", NAN},
        {"None", NAN},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct csv *csv = NULL;
        struct err err;
        bool has_row;
        double number;
        char text[64];

        snprintf(text, sizeof text, "%s,1\n", fields[i].text);
        assert_int_equal(open_text(text, strlen(text), false, &csv, &err), STATUS_OK);
        assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
        assert_int_equal(csv_number(csv, 0, &number, &err), STATUS_OK);
        if (!(number == fields[i].number || (isnan(number) && isnan(fields[i].number))))
            fail_msg("'%s' is %g", fields[i].text, number);
        csv_close(csv);
    }
}

static void what_is_not_a_number_is_named_with_its_place(void **)
{
    static const char *const fields[] = {"x", "1x", "0x10", "1e999", "1,000",
                                         "-", ".",  "1e",   "--1"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct csv *csv = NULL;
        struct err err;
        bool has_row;
        double number;
        char text[64];

        snprintf(text, sizeof text, "a,b\n1,\"%s\"\n", fields[i]);
        assert_int_equal(open_text(text, strlen(text), true, &csv, &err), STATUS_OK);
        assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
        assert_int_equal(csv_number(csv, 1, &number, &err), STATUS_INVALID);
        assert_non_null(strstr(err.text, "line 2 column 'b'"));
        csv_close(csv);
    }
}

static void ragged_and_unquoted_rows_are_refused_with_their_line(void **)
{
    static const struct {
        const char *text, *message;
    } tables[] = {
        {"a,b\n1,2\n3\n", "line 3: has 1 columns, not 2"},
        {"a,b\n1,2\n3,4,5\n", "line 3: has 3 columns, not 2"},
        {"a,b\n1,\"2\n", "line 2: a quote does not end"},
        {"a,b\n1,2\"x\"\n", "line 2 column 2: a quote"},
        {"a,b\n\"1\"x,2\n", "line 2 column 1: a quote"},
    };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct csv *csv = NULL;
        struct err err;
        bool has_row = true;
        enum status rc =
            open_text(tables[i].text, strlen(tables[i].text), true, &csv, &err);

        while (!rc && has_row)
            rc = csv_next(csv, &has_row, &err);
        assert_int_equal(rc, STATUS_MALFORMED);
        if (!strstr(err.text, tables[i].message))
            fail_msg("'%s' does not say '%s'", err.text, tables[i].message);
        csv_close(csv);
    }
}

static void a_column_that_is_not_there_names_the_nearest(void **)
{
    const char *text = "tenure,orders\n";
    struct csv *csv = NULL;
    struct err err;
    int column;

    assert_int_equal(open_text(text, strlen(text), true, &csv, &err), STATUS_OK);
    assert_int_equal(csv_column_find(csv, "orders", &column, &err), STATUS_OK);
    assert_int_equal(column, 1);
    assert_int_equal(csv_column_find(csv, "order", &column, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "nearest is 'orders'"));
    assert_int_equal(csv_column_find(csv, "rating", &column, &err), STATUS_INVALID);
    assert_null(strstr(err.text, "nearest"));
    csv_close(csv);
    assert_int_equal(open_text("", 0, true, &csv, &err), STATUS_MALFORMED);
    assert_int_equal(csv_open("/nowhere/x.csv", true, &csv, &err), STATUS_NOT_FOUND);
}

static void a_name_that_two_columns_have_is_no_place_to_look(void **)
{
    const char *text = "x,y,x\n1,2,3\n";
    struct csv *csv = NULL;
    struct err err;
    int column;

    assert_int_equal(open_text(text, strlen(text), true, &csv, &err), STATUS_OK);
    assert_int_equal(csv_column_find(csv, "y", &column, &err), STATUS_OK);
    assert_int_equal(csv_column_find(csv, "x", &column, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "columns 1 and 3 are both 'x'"));
    csv_close(csv);
}

static void tables_larger_than_the_buffer_come_row_by_row(void **)
{
    enum { ROWS = 20000, FIELD_BYTES = 100000 };
    size_t bytes = 0, capacity = ROWS * 16 + 2 * FIELD_BYTES;
    char *text = malloc(capacity);
    struct csv *csv = NULL;
    struct err err;
    bool has_row = true;
    double number;
    long count = 0;

    assert_non_null(text);
    for (int i = 0; i < ROWS; i++)
        bytes += (size_t)snprintf(text + bytes, capacity - bytes, "%d,%d.25\n", i, i);
    text[bytes++] = '7';
    text[bytes++] = ',';
    memset(text + bytes, '1', FIELD_BYTES); /* longer than the buffer, and no newline */
    bytes += FIELD_BYTES;
    assert_int_equal(open_text(text, bytes, false, &csv, &err), STATUS_OK);
    while (csv_next(csv, &has_row, &err) == STATUS_OK && has_row && count < ROWS) {
        assert_int_equal(csv_number(csv, 1, &number, &err), STATUS_OK);
        assert_true(number == (double)count + 0.25);
        count++;
    }
    assert_int_equal(count, ROWS);
    assert_int_equal(csv_text(csv, 1).bytes, FIELD_BYTES);
    csv_close(csv);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_commas_and_newlines_stand_in_quoted_fields),
        cmocka_unit_test(marks_are_found_as_one_by_one),
        cmocka_unit_test(numbers_are_exact_and_missing_ones_are_nan),
        cmocka_unit_test(what_is_not_a_number_is_named_with_its_place),
        cmocka_unit_test(ragged_and_unquoted_rows_are_refused_with_their_line),
        cmocka_unit_test(a_column_that_is_not_there_names_the_nearest),
        cmocka_unit_test(a_name_that_two_columns_have_is_no_place_to_look),
        cmocka_unit_test(tables_larger_than_the_buffer_come_row_by_row),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
