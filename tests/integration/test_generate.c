/* test_generate.c - redress generate: the same bytes for the same seed, whole files or
 * none, pipes, cases that the service takes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/sha256.h"
#include "support/case_stream.h"
#include "support/folder.h"
#include "support/process.h"
#include "support/server.h"
#include "table/columns.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 64 << 20, PATH_BYTES = 512, WORD_COUNT_MAX = 32 };

/* "generate log --output @log.csv": a word that begins with '@' is a file of the folder.
 * Returns the exit code. */
static int run(const char *command, char **output, char **messages)
{
    static char words[WORD_COUNT_MAX][PATH_BYTES];
    const char *arguments[WORD_COUNT_MAX + 1] = {0};
    char *copy = strdup(command), *rest = copy;
    int count = 0, code;

    for (char *word; (word = strsep(&rest, " "));) {
        assert_true(count < WORD_COUNT_MAX);
        snprintf(words[count], PATH_BYTES, "%s%s%s", word[0] == '@' ? group_folder() : "",
                 word[0] == '@' ? "/" : "", word + (word[0] == '@'));
        arguments[count] = words[count];
        count++;
    }
    code = program_run_messages(arguments, NULL, output, messages);
    free(copy);
    return code;
}

/* It has to work: what it printed, freed by the caller. */
static char *output_of(const char *command)
{
    char *output, *messages;
    int code = run(command, &output, &messages);

    if (code != 0)
        fail_msg("%s: exit code %d: %s", command, code, messages);
    free(messages);
    return output;
}

static char *content_of(const char *name)
{
    char *content;
    size_t bytes;
    struct err err = {0};

    if (file_read(group_path(name), FILE_BYTES_MAX, &content, &bytes, &err))
        fail_msg("%s", err.text);
    return content;
}

static int files_in_folder(void)
{
    DIR *listing = opendir(group_folder());
    int count = 0;

    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static void remove_files(void)
{
    DIR *listing = opendir(group_folder());

    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(group_path(entry->d_name)), 0);
    closedir(listing);
}

/* --- bytes ---------------------------------------------------------------------------------- */

/* Half a hash is enough to see a change. */
static void expect_hash(const char *what, const char *content, const char *expected)
{
    unsigned char hash[SHA256_BYTES];
    char text[2 * SHA256_BYTES + 1];

    sha256_of(text_of(content), hash);
    for (int i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    if (strncmp(text, expected, strlen(expected)) != 0)
        fail_msg("%s: has the hash %.32s, not %s", what, text, expected);
}

static void the_same_seed_makes_the_same_bytes_on_every_machine(void **)
{
    static const struct {
        const char *command, *output, *truth;
    } rows[] = {
        {"generate log --cases 2000 --output @a --truth @b",
         "b0324e90ba060e7e50bdc57f0c9db3da", "54e15843468abbf3c7613eca9fa836bd"},
        {"generate log --cases 2000 --seed 7 --rule severity --holdout 10 --as-of 180 "
         "--markets us-ca,gb-lnd,de-be,fr-idf,jp-13 --output @a --truth @b",
         "93fe5b27e661431028ccb2fdfc5cafbb", "00b6e9f2a4f155fdbb7857bb386c4fa8"},
        {"generate cases --cases 2000 --seed 7 --start 2026-03-01 --customers 100 --days "
         "10 "
         "--output @a --truth @b",
         "9e2dc0ef0c7cd9f4a2f3e5369c7d7877", "1dd2389c97eac0515fe8dfe1dc77ab7e"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *printed = output_of(rows[i].command);
        char *output = content_of("a"), *truth = content_of("b");

        expect_hash(rows[i].command, output, rows[i].output);
        expect_hash(rows[i].command, truth, rows[i].truth);
        free(output);
        free(truth);
        free(printed);
    }
    remove_files();
}

static void standard_output_gets_what_a_file_would(void **)
{
    char *printed = output_of("generate log --cases 3000 --seed 5"), *file, *other;

    free(output_of("generate log --cases 3000 --seed 5 --output @log.csv"));
    file = content_of("log.csv");
    assert_string_equal(printed, file);
    other = output_of("generate log --cases 3000 --seed 6");
    assert_string_not_equal(printed, other);
    free(other);
    free(file);
    free(printed);
    /* What comes beside it does not mix with it. */
    printed = output_of("generate cases --cases 50 --seed 5 --truth @truth.csv");
    assert_int_equal(printed[0], '{');
    file = content_of("truth.csv");
    assert_memory_equal(file, "case_id,is_claimer,", 19);
    free(file);
    free(printed);
    remove_files();
}

static void cases_and_truth_are_those_of_the_log(void **)
{
    char *log, *cases, *of_log, *of_cases, *row, *line;

    free(output_of("generate log --cases 200 --seed 9 --rule uniform --output @log.csv "
                   "--truth @a.csv"));
    free(output_of("generate cases --cases 200 --seed 9 --output @cases.ndjson --truth "
                   "@b.csv"));
    log = content_of("log.csv");
    cases = content_of("cases.ndjson");
    of_log = content_of("a.csv");
    of_cases = content_of("b.csv");
    assert_string_equal(of_log, of_cases);
    row = strchr(log, '\n') + 1;
    line = cases;
    for (int i = 0; i < 200; i++) {
        json_t *asked = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        char start[200];

        snprintf(start, sizeof start, "%s,%s,",
                 json_string_value(json_object_get(asked, "case_id")),
                 json_string_value(json_object_get(asked, "customer_id")));
        assert_memory_equal(row, start, strlen(start));
        json_decref(asked);
        row = strchr(row, '\n') + 1;
        line = strchr(line, '\n') + 1;
    }
    assert_true(*row == '\0' && *line == '\0');
    free(log);
    free(cases);
    free(of_log);
    free(of_cases);
    remove_files();
}

/* --- what is told --------------------------------------------------------------------------- */

static void the_worth_that_is_told_is_that_of_the_truth_file(void **)
{
    const struct column_wish wishes[] = {
        {"effect_500", COLUMN_IS_NUMBER, false},
        {"effect_1000", COLUMN_IS_NUMBER, false},
        {"effect_1500", COLUMN_IS_NUMBER, false},
        {"effect_2000", COLUMN_IS_NUMBER, false},
        {"best_credit", COLUMN_IS_NUMBER, false},
    };
    char *output =
        output_of("generate log --cases 5000 --seed 2 --as-of 200 --json --output "
                  "@log.csv --truth @truth.csv");
    json_t *report = json_loads(output, 0, NULL);
    const json_t *worth = json_object_get(report, "net_value_per_case");
    double sums[5] = {0}, oracle = 0;
    struct columns *truth;
    struct err err = {0};

    if (columns_read(group_path("truth.csv"), wishes, 5, (struct columns_progress){0},
                     &truth, &err))
        fail_msg("%s", err.text);
    assert_int_equal(truth->row_count, 5000);
    for (int64_t row = 0; row < truth->row_count; row++)
        for (int arm = 1; arm < 5; arm++) {
            double net = truth->items[arm - 1].numbers[row] - 450.0 * arm;

            sums[arm] += net;
            oracle += truth->items[4].numbers[row] == 500.0 * arm ? net : 0;
        }
    columns_close(truth);
    for (int arm = 0; arm < 5; arm++)
        assert_true(fabs(json_number_value(json_array_get(
                             json_object_get(worth, "constant"), (size_t)arm)) -
                         sums[arm] / 5000) < 1e-6);
    assert_true(
        fabs(json_number_value(json_object_get(worth, "oracle")) - oracle / 5000) < 1e-6);
    assert_int_equal(json_integer_value(json_object_get(report, "rows")), 5000);
    assert_int_equal(json_integer_value(json_object_get(report, "customers")), 3000);
    /* Of 180 days, all but the last 70 are over by day 200. */
    assert_in_range(json_integer_value(json_object_get(report, "value_known")), 3050,
                    3060);
    json_decref(report);
    free(output);
    remove_files();
}

/* --- whole or not at all -------------------------------------------------------------------- */

enum {
    WRITTEN_EARLY_BYTES = 8 << 20,
    WRITTEN_LATE_BYTES = 80 << 20,
    WAIT_COUNT_MAX = 60000, /* five minutes */
};

/* Until the process has written so much. */
static void wait_for_bytes(pid_t pid, long long bytes)
{
    char path[64], line[128];
    long long written = 0;

    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    for (int i = 0; written < bytes; i++) {
        FILE *file = fopen(path, "re");

        assert_non_null(file);
        while (fgets(line, sizeof line, file))
            (void)sscanf(line, "wchar: %lld", &written);
        fclose(file);
        assert_true(i < WAIT_COUNT_MAX);
        usleep(5000);
    }
}

static void what_is_stopped_leaves_nothing(void **)
{
    const char *log = group_path("log.csv"), *truth = group_path("truth.csv");
    pid_t child =
        program_start((const char *[]){"generate", "log", "--cases", "100000000",
                                       "--output", log, "--truth", truth, NULL});

    assert_true(child > 0);
    wait_for_bytes(child, WRITTEN_EARLY_BYTES);
    assert_int_equal(program_end(child, SIGTERM), 128 + SIGTERM);
    assert_int_equal(files_in_folder(), 0);
}

static void millions_of_rows_take_no_more_memory_than_a_few(void **)
{
    pid_t child = program_start((const char *[]){
        "generate", "log", "--cases", "1000000000", "--output", "/dev/null", NULL});
    int64_t early, late;

    assert_true(child > 0);
    wait_for_bytes(child, WRITTEN_EARLY_BYTES);
    early = process_resident_bytes(child);
    wait_for_bytes(child, WRITTEN_LATE_BYTES);
    late = process_resident_bytes(child);
    assert_int_equal(program_end(child, SIGKILL), 128 + SIGKILL);
    printf("%lld kB after %d MB, %lld kB after %d MB\n", (long long)early / 1024,
           WRITTEN_EARLY_BYTES >> 20, (long long)late / 1024, WRITTEN_LATE_BYTES >> 20);
    assert_true(early > 0 && late <= early + (256 << 10));
}

static void a_pipe_that_nobody_reads_ends_it(void **)
{
    char command[2 * PATH_BYTES], line[64] = "";
    FILE *pipe;

    snprintf(command, sizeof command,
             "timeout 120 '%s' generate log --cases 1000000000 2>/dev/null | head -c 8; "
             "printf ' %%s' \"${PIPESTATUS[0]}\"",
             program_path());
    setenv("REDRESS_PIPE", command, 1);
    fflush(NULL);
    pipe = popen("bash -c \"$REDRESS_PIPE\"", "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    pclose(pipe);
    assert_memory_equal(line, "case_id,", 8);
    /* Refused, or ended by the signal of a closed pipe; not by the timeout, 124. */
    assert_true(strcmp(line + 8, " 1") == 0 || strcmp(line + 8, " 141") == 0);
}

/* --- refusals ------------------------------------------------------------------------------- */

struct bad {
    const char *command;
    int code;
    const char *message;
};

static void what_cannot_be_made_is_refused_in_words(void **)
{
    static const struct bad rows[] = {
        {"generate", 2, "which subcommand?"},
        {"generate logs", 2, "did you mean 'generate log'?"},
        {"generate log --cases 0", 2, "--cases: 0 is not within 1 to 1000000000"},
        {"generate log --cases many", 2, "--cases: 'many' is not a whole number"},
        {"generate log --seed -1", 2, "--seed: -1 is not within"},
        {"generate log --customers 0", 2, "--customers: 0 is not within"},
        {"generate log --days 0", 2, "--days: 0 is not within 1 to 3650"},
        {"generate log --days 30 --as-of 20", 2,
         "--as-of 20 lies before the last of the 30 days"},
        {"generate log --markets us-ca,mars", 2,
         "--markets: 'mars' is none of us-ca, us-ny, us-tx, gb-lnd, de-be, fr-idf, "
         "jp-13"},
        {"generate log --markets us-ca,us-ca", 2, "--markets: 'us-ca'"},
        {"generate log --markets us-ca,,us-ny", 2, "--markets: "},
        {"generate log --rule best", 2,
         "--rule is one of careful, severity, uniform, not 'best'"},
        {"generate log --explore 101", 2, "--explore: 101 is not within 0 to 100"},
        {"generate log --holdout 100", 2, "--holdout: 100 is not within 0 to 99"},
        {"generate log --start yesterday", 2, "--start: 'yesterday' is no day"},
        {"generate log --start 2026-13-01", 2, "--start: '2026-13-01' is no day"},
        {"generate log --start 2026-01-01T00:00:00Z", 2, "is no day such as 2026-01-01"},
        {"generate log --output @same --truth @same", 2, "--output and --truth are both"},
        {"generate log --output @./same --truth @same", 2,
         "--output and --truth are both"},
        {"generate log --truth -", 2, "--output and --truth are both '-'"},
        {"generate log --json", 2, "--json and a file on standard output"},
        {"generate log --json --output @log.csv --truth -", 2,
         "--json and a file on standard output"},
        {"generate cases --rule uniform", 2, "there is no option"},
        {"generate cases --as-of 200", 2, "there is no option"},
        {"generate log log.csv", 2, "'log.csv' is one argument too many"},
        {"generate log --output @missing/log.csv", 1, "missing/log.csv: No such file"},
        {"generate log --output @log.csv --truth @missing/truth.csv", 1,
         "missing/truth.csv: No such file"},
        {"generate log --cases 5000 --output /dev/full", 1, "No space left on device"},
        {"generate log --cases 5000 --output @log.csv --truth /dev/full", 1,
         "cannot write /dev/full: No space left on device"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *output, *messages;
        int code = run(rows[i].command, &output, &messages);

        if (code != rows[i].code || !strstr(messages, rows[i].message) || *output)
            fail_msg("%s\nexit code %d, messages:\n%sexpected: %d, %s", rows[i].command,
                     code, messages, rows[i].code, rows[i].message);
        assert_int_equal(files_in_folder(), 0);
        free(output);
        free(messages);
    }
}

/* Of a pair, too: what one of them fails with leaves the other as it was. */
static void a_truth_stays_when_its_log_cannot_be_written(void **state)
{
    char *output, *messages, *content;

    (void)state;
    assert_int_equal(file_write(group_path("kept.csv"), "kept", 4, 0600, NULL), 0);
    assert_int_equal(run("generate log --cases 5000 --output /dev/full --truth @kept.csv",
                         &output, &messages),
                     1);
    assert_non_null(strstr(messages, "cannot write /dev/full"));
    content = content_of("kept.csv");
    assert_string_equal(content, "kept");
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(unlink(group_path("kept.csv")), 0);
    free(content);
    free(output);
    free(messages);
}

/* --- the service ---------------------------------------------------------------------------- */

static json_t *cases_of(const char *name, int count)
{
    char *content = content_of(name), *line = content;
    json_t *cases = json_array();

    for (int i = 0; i < count; i++) {
        json_array_append_new(cases, json_loads(line, JSON_DISABLE_EOF_CHECK, NULL));
        line = strchr(line, '\n') + 1;
    }
    free(content);
    return cases;
}

static void the_service_takes_generated_cases_one_by_one_and_together(void **)
{
    char *data = folder_temporary(), *authorization, *message;
    struct live_server server;
    json_t *cases, *reply;
    int credit_count = 0;

    assert_true(data && demo_make(data));
    authorization = demo_authorization(data, "admin");
    assert_true(live_server_start(data, NULL, &server));
    message = output_of("generate cases --cases 40 --seed 3 --output @cases.ndjson");
    cases = cases_of("cases.ndjson", 40);
    for (size_t i = 0; i < 40; i++) {
        reply = server_call(server.listen, authorization, "POST",
                            "/v1/decisions?dry_run=true",
                            json_deep_copy(json_array_get(cases, i)), 200);
        assert_string_equal(json_string_value(json_object_get(
                                json_object_get(reply, "versions"), "model")),
                            "credit_uplift@1");
        credit_count +=
            strcmp(json_string_value(json_object_get(reply, "outcome")), "credit") == 0;
        json_decref(reply);
    }
    assert_in_range(credit_count, 5, 35);
    reply = server_call(server.listen, authorization, "POST",
                        "/v1/decision-batches?dry_run=true",
                        json_pack("{s:o}", "cases", cases), 200);
    json_decref(reply);
    assert_int_equal(live_server_stop(&server), 0);
    free(message);
    free(authorization);
    folder_remove(data);
    free(data);
    remove_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_makes_the_same_bytes_on_every_machine),
        cmocka_unit_test(standard_output_gets_what_a_file_would),
        cmocka_unit_test(cases_and_truth_are_those_of_the_log),
        cmocka_unit_test(the_worth_that_is_told_is_that_of_the_truth_file),
        cmocka_unit_test(what_is_stopped_leaves_nothing),
        cmocka_unit_test(millions_of_rows_take_no_more_memory_than_a_few),
        cmocka_unit_test(a_pipe_that_nobody_reads_ends_it),
        cmocka_unit_test(what_cannot_be_made_is_refused_in_words),
        cmocka_unit_test(a_truth_stays_when_its_log_cannot_be_written),
        cmocka_unit_test(the_service_takes_generated_cases_one_by_one_and_together),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
