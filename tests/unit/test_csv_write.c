/* test_csv_write.c - tables are read as they were written, and nothing is written by
 * halves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/store_fixture.h"

#include "table/csv.h"
#include "table/csv_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMN_COUNT = 4, ROW_COUNT = 300, FIELD_BYTES = 12, BUFFER_BYTES = 64 << 10 };

static void fields_that_need_quotes_get_them(void **state)
{
    char buffer[128];
    struct csv_writer writer;

    (void)state;
    csv_writer_init(&writer, buffer, sizeof buffer);
    csv_put_text(&writer, text_of("plain"));
    csv_put_text(&writer, text_of("a,b"));
    csv_put_text(&writer, (struct text){0});
    csv_put_text(&writer, text_of("say \"no\""));
    csv_put_int(&writer, -5);
    csv_put_time(&writer, 0);
    csv_put_end(&writer);
    assert_false(writer.is_full);
    buffer[writer.bytes] = '\0';
    assert_string_equal(buffer,
                        "plain,\"a,b\",,\"say \"\"no\"\"\",-5,1970-01-01T00:00:00Z\r\n");
}

static void what_does_not_fit_is_said(void **state)
{
    char buffer[16];

    (void)state;
    for (size_t room = 0; room < 9; room++) {
        struct csv_writer writer;

        csv_writer_init(&writer, buffer, room);
        csv_put_text(&writer, text_of("ab,c"));
        csv_put_end(&writer);
        assert_int_equal(writer.is_full, room < 8);
        assert_true(writer.bytes <= room);
    }
}

static void tables_are_read_as_they_were_written(void **state)
{
    static const char letters[] = "ab,\"\n;x ";
    static char fields[ROW_COUNT][COLUMN_COUNT][FIELD_BYTES], buffer[BUFFER_BYTES];
    char path[] = "/tmp/redress-csv-XXXXXX";
    struct csv_writer writer;
    struct csv *csv = NULL;
    struct err err = {0};
    struct rng rng;
    int fd = mkstemp(path);
    bool has_row;

    (void)state;
    rng_seed(&rng, seed_print("tables_are_read_as_they_were_written"));
    csv_writer_init(&writer, buffer, sizeof buffer);
    for (int i = 0; i < ROW_COUNT; i++) {
        for (int k = 0; k < COLUMN_COUNT; k++) {
            char *field = fields[i][k];

            field[0] =
                'f'; /* a line of empty fields is read as such, an empty line is not */
            for (size_t n = 1 + rng_below(&rng, FIELD_BYTES - 2), c = 1; c < n; c++)
                field[c] = letters[rng_below(&rng, sizeof letters - 1)];
            csv_put_text(&writer, text_of(field));
        }
        csv_put_end(&writer);
    }
    assert_false(writer.is_full);
    assert_int_equal(write(fd, buffer, writer.bytes), writer.bytes);
    close(fd);
    assert_int_equal(csv_open(path, false, &csv, &err), STATUS_OK);
    for (int i = 0; i < ROW_COUNT; i++) {
        assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
        assert_true(has_row);
        for (int k = 0; k < COLUMN_COUNT; k++)
            if (!text_is(csv_fields(csv)[k], fields[i][k]))
                fail_msg("row %d: %s came back as %.*s", i, fields[i][k],
                         TEXT_ARG(csv_fields(csv)[k]));
    }
    csv_close(csv);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_that_need_quotes_get_them),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(tables_are_read_as_they_were_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
