/* test_manual.c - the manual page knows every command and every option that --help
 * knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/server.h"
#include "support/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BYTES = 64, PAGE_BYTES_MAX = 1 << 20 };

/* The manual page as text; each entry of a list begins with ENTRY, where the line break
 * was. */
static const char ENTRY = '\001';
static char *page;

/* "\fB\-\-json" becomes "--json". */
static char *plain_put(char *to, const char *from, const char *end)
{
    for (; from < end; from++) {
        if (from[0] == '\\' && from[1] == 'f')
            from += 2;
        else if (*from != '\\' && *from != '"')
            *to++ = *from;
    }
    return to;
}

static int read_page(void **state)
{
    char *source, *to;
    bool is_entry = false;
    size_t bytes;

    (void)state;
    if (file_read("docs/redress.1", PAGE_BYTES_MAX, &source, &bytes, NULL))
        return -1;
    to = page = calloc(1, bytes + 1);
    for (const char *line = source, *end; *line; line = *end ? end + 1 : end) {
        const char *text = line;

        end = line + strcspn(line, "\n");
        if (*line == '.')
            text += strcspn(line, " \n") + (line[strcspn(line, " \n")] == ' ');
        *to++ = is_entry ? ENTRY : ' ';
        to = plain_put(to, text, end);
        is_entry = strncmp(line, ".TP\n", 4) == 0;
    }
    free(source);
    return 0;
}

static int forget_page(void **state)
{
    (void)state;
    free(page);
    return 0;
}

/* What the page says of "budget set", up to the next command; freed by the caller, NULL
 * when it does not know it. */
static char *entry_find(const char *command)
{
    char start[2 * WORD_BYTES + 16],
        next[] = {ENTRY, 'r', 'e', 'd', 'r', 'e', 's', 's', 0};
    size_t bytes =
        (size_t)snprintf(start, sizeof start, "%c%s %s", ENTRY, "redress", command);

    for (const char *at = page; (at = strstr(at, start)); at++) {
        const char *end = strstr(at + 1, next);

        if (at[bytes] == ' ' || at[bytes] == ENTRY)
            return copy_of(at, end ? (size_t)(end - at) : strlen(at));
    }
    return NULL;
}

static bool has_option(const char *text, const char *option)
{
    size_t bytes = strlen(option);

    for (const char *at = text; (at = strstr(at, option)); at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz-", at[bytes]) || !at[bytes])
            return true;
    return false;
}

/* The word at the start of each line of a help that is indented by two. */
static bool next_word(const char **help, char word[static WORD_BYTES])
{
    for (const char *at = *help; (at = strstr(at, "\n  ")); at++) {
        size_t bytes = strspn(at + 3, "abcdefghijklmnopqrstuvwxyz-");

        if (bytes == 0 || bytes >= WORD_BYTES)
            continue;
        memcpy(word, at + 3, bytes);
        word[bytes] = '\0';
        *help = at + 3;
        return true;
    }
    return false;
}

static char *help_of(const char *first, const char *second)
{
    const char *words[] = {first, second, "--help", NULL};
    char *help = NULL;

    if (!second)
        words[1] = "--help", words[2] = NULL;
    assert_int_equal(
        program_run(first ? words : (const char *[]){"--help", NULL}, NULL, &help), 0);
    return help;
}

static void expect_options(const char *command, const char *help)
{
    static const char *const common[] = {"--help", "--json",     "--data",
                                         "--url",  "--key-file", "--ca"};
    char *entry = entry_find(command), word[WORD_BYTES];

    if (!entry)
        fail_msg("docs/redress.1 has no entry 'redress %s'", command);
    while (next_word(&help, word)) {
        bool is_said = has_option(entry, word);

        for (size_t i = 0; i < sizeof common / sizeof *common; i++)
            is_said = is_said || strcmp(common[i], word) == 0;
        if (!is_said)
            fail_msg("docs/redress.1 does not tell of %s at 'redress %s'", word, command);
    }
    free(entry);
}

static void the_manual_page_has_every_command_and_option(void **state)
{
    char *list = help_of(NULL, NULL), first[WORD_BYTES], second[WORD_BYTES];
    const char *rest = list;
    int count = 0;

    (void)state;
    while (next_word(&rest, first)) {
        char *help = help_of(first, NULL), command[2 * WORD_BYTES];
        const char *more = help;

        if (!strstr(help, "SUBCOMMAND")) {
            expect_options(first, help);
            count++;
        }
        while (strstr(help, "SUBCOMMAND") && next_word(&more, second)) {
            char *inner = help_of(first, second);

            snprintf(command, sizeof command, "%s %s", first, second);
            expect_options(command, inner);
            free(inner);
            count++;
        }
        free(help);
    }
    free(list);
    printf("%d commands\n", count);
    assert_true(count > 30);
}

static void the_common_options_are_told_once(void **state)
{
    static const char *const options[] = {"--help", "--json", "--data", "--url",
                                          "--key-file"};

    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char entry[32];

        snprintf(entry, sizeof entry, "%c%s", ENTRY, options[i]);
        assert_true(has_option(page, entry));
    }
}

/* What a line such as .BR "redress " [-x \fIFILE\fR] prints: its parts follow each other
 * without the blanks between them. */
static void parts_put(char *to, const char *from, const char *end)
{
    bool is_quoted = false;

    for (const char *next; from < end; from = next) {
        next = from + (from[0] == '\\' && from[1] == 'f' ? 3 : 1);
        if (*from == '"')
            is_quoted = !is_quoted;
        else if (*from != ' ' || is_quoted)
            to = plain_put(to, from, next);
    }
    *to = 0;
}

static void an_option_and_its_value_stand_apart(void **state)
{
    static const char values[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                      names[] = "abcdefghijklmnopqrstuvwxyz-";
    char *source, text[512];
    size_t bytes;

    (void)state;
    assert_int_equal(file_read("docs/redress.1", PAGE_BYTES_MAX, &source, &bytes, NULL),
                     STATUS_OK);
    for (char *line = strtok(source, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] != '.' || !line[1] || !strchr("BIR", line[1]) ||
            !strchr("BIR", line[2]) || line[3] != ' ' || strlen(line) >= sizeof text)
            continue;
        parts_put(text, line + 4, line + strlen(line));
        for (const char *at = text; (at = strstr(at, "--")); at += 2) {
            size_t end = strspn(at, names);

            if (at[end] && strchr(values, at[end]))
                fail_msg("docs/redress.1: %s", text);
        }
    }
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_page_has_every_command_and_option),
        cmocka_unit_test(the_common_options_are_told_once),
        cmocka_unit_test(an_option_and_its_value_stand_apart),
    };

    return cmocka_run_group_tests(tests, read_page, forget_page);
}
