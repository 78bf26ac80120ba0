/* report.c - the bounded JSON writer, emptied again and again. */
#include "app/report.h"

#include "base/output.h"
#include "json/write.h"

#include <stdlib.h>

enum { BUFFER_BYTES = 1 << 16, TEXT_BYTES_MAX = 4096 /* escaped, six times as many */ };

struct report {
    struct json_writer writer;
    struct output *output;
    char buffer[BUFFER_BYTES];
};

enum status report_open(struct report **report, struct err *err)
{
    return report_open_file("-", report, err);
}

enum status report_open_file(const char *path, struct report **report, struct err *err)
{
    struct report *opened = malloc(sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a report");
    json_writer_init(&opened->writer, opened->buffer, sizeof opened->buffer);
    rc = output_open(path, &opened->output, err);
    if (rc)
        free(opened);
    else
        *report = opened;
    return rc;
}

enum status report_finish(struct report *report, struct err *err)
{
    struct output *output = report->output;

    output_put(output, report->buffer, report->writer.bytes);
    output_string(output, "\n");
    free(report);
    return output_finish(output, err);
}

void report_abandon(struct report *report)
{
    if (!report)
        return;
    output_abandon(report->output);
    free(report);
}

/* Room for any value that may come, and its key. */
static struct json_writer *begin(struct report *report, const char *key)
{
    struct json_writer *writer = &report->writer;

    if (writer->bytes > BUFFER_BYTES / 4) {
        output_put(report->output, report->buffer, writer->bytes);
        writer->bytes = 0;
    }
    if (key)
        json_put_key(writer, key);
    return writer;
}

void report_object(struct report *report, const char *key)
{
    json_put_object(begin(report, key));
}

void report_object_end(struct report *report)
{
    json_put_object_end(begin(report, NULL));
}

void report_array(struct report *report, const char *key)
{
    json_put_array(begin(report, key));
}

void report_array_end(struct report *report)
{
    json_put_array_end(begin(report, NULL));
}

void report_key(struct report *report, struct text key)
{
    json_put_key_text(begin(report, NULL), text_clip(key, TEXT_BYTES_MAX));
}

void report_number(struct report *report, const char *key, double value)
{
    json_put_double(begin(report, key), value);
}

void report_count(struct report *report, const char *key, int64_t value)
{
    json_put_int(begin(report, key), value);
}

void report_bool(struct report *report, const char *key, bool value)
{
    json_put_bool(begin(report, key), value);
}

void report_string(struct report *report, const char *key, const char *value)
{
    report_text(report, key, text_of(value));
}

void report_text(struct report *report, const char *key, struct text value)
{
    json_put_text(begin(report, key), text_clip(value, TEXT_BYTES_MAX));
}

void report_null(struct report *report, const char *key)
{
    json_put_null(begin(report, key));
}

void report_pair(struct report *report, const char *key, double a, double b)
{
    struct json_writer *writer = begin(report, key);

    json_put_array(writer);
    json_put_double(writer, a);
    json_put_double(writer, b);
    json_put_array_end(writer);
}
