#include "app/settings.h"

#include "base/file.h"
#include "base/pointer.h"
#include "base/text.h"
#include "http/server.h"
#include "json/tree.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 64 << 10 };

enum setting_kind {
    SETTING_TEXT,
    SETTING_PATH, /* may be empty: none */
    SETTING_INT,
    SETTING_LEVEL,
    SETTING_ADDRESS
};

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset;
    long minimum, maximum; /* of SETTING_INT */
    const char *preset;    /* empty: see the meaning */
    bool is_live;          /* SIGHUP changes it in a running service */
    const char *argument, *meaning;
};

#define AT(field) offsetof(struct settings, field)

static const struct setting table[SETTING_COUNT] = {
    {"data", SETTING_TEXT, AT(data), 0, 0, "data", false, "DIR", "The data folder"},
    {"listen", SETTING_ADDRESS, AT(listen), 0, 0, "", false, "ADDR:PORT",
     "Where to listen; port 0: any free one; or unix:/PATH. Default: what DIR/demo.json "
     "says, else 127.0.0.1:8080"},
    {"health_listen", SETTING_ADDRESS, AT(health_listen), 0, 0, "", false, "ADDR:PORT",
     "Where health answers, without TLS. Default: the port after that of listen, else "
     "any "
     "free one; unix:/PATH.health"},
    {"tls_cert", SETTING_PATH, AT(tls_cert), 0, 0, "", false, "FILE",
     "Certificate chain in PEM: HTTPS instead of HTTP. SIGHUP reads it again"},
    {"tls_key", SETTING_PATH, AT(tls_key), 0, 0, "", false, "FILE",
     "Its private key in PEM, mode 0600 or 0640"},
    {"threads", SETTING_INT, AT(threads), 0, 64, "0", false, "N",
     "Threads that read requests and score; 0: one per core"},
    {"connections", SETTING_INT, AT(connections), 1, SERVER_CONNECTION_COUNT_MAX, "1000",
     false, "N", "Connections at a time; no fewer than threads"},
    {"connections_per_address", SETTING_INT, AT(connections_per_address), 0,
     SERVER_CONNECTION_COUNT_MAX, "100", false, "N",
     "Of one address, IPv6 by /64, but not of this machine; 0: no limit"},
    {"idle_timeout_s", SETTING_INT, AT(idle_timeout_s), 1, 3600, "60", false, "S",
     "Seconds until an idle connection is closed"},
    {"deadline_s", SETTING_INT, AT(deadline_s), 1, 600, "10", false, "S",
     "Seconds for one request to arrive"},
    {"connection_deadline_s", SETTING_INT, AT(connection_deadline_s), 0, 86400, "3600",
     false, "S", "Seconds until a connection takes no further request; 0: never"},
    {"rate_limit_per_s", SETTING_INT, AT(rate_limit_per_s), 0, 1000000, "0", true, "N",
     "Requests a second of one API key; more are refused with 429; 0: no limit"},
    {"rate_limit_burst", SETTING_INT, AT(rate_limit_burst), 1, 1000000, "100", true, "N",
     "So many of them may come at once"},
    {"failed_logins_per_min", SETTING_INT, AT(failed_logins_per_min), 0, 100000, "30",
     false, "N",
     "Wrong API keys of one address that hear 401, the others 429, but not of this "
     "machine; 0: no limit"},
    {"queue", SETTING_INT, AT(queue), 1, 1000000, "10000", false, "N",
     "Requests that may wait for the disk; more are refused with 503"},
    {"queue_wait_ms", SETTING_INT, AT(queue_wait_ms), 0, 600000, "5000", false, "MS",
     "Who waited longer is refused with 503; 0: nobody"},
    {"request_memory_mb", SETTING_INT, AT(request_memory_mb), 128, 1048576, "256", false,
     "N",
     "Memory of bodies beyond 2 KB and answers beyond 48 KB, all together; more is "
     "refused with 503"},
    {"request_memory_per_key_percent", SETTING_INT, AT(request_memory_per_key_percent), 1,
     100, "50", false, "N",
     "So much of it for the requests of one API key, but room for any one request; "
     "more is refused with 429"},
    {"readers", SETTING_INT, AT(readers), 1, SETTING_READERS_MAX, "8", false, "N",
     "Read connections to the database"},
    {"log_level", SETTING_LEVEL, AT(log_level), 0, 0, "info", true, "LEVEL",
     "debug, info, warn or error"},
    {"drain_ms", SETTING_INT, AT(drain_ms), 0, 600000, "5000", true, "MS",
     "How long requests under way may take to finish at the end"},
    {"price_interval_ms", SETTING_INT, AT(price_interval_ms), 10, 3600000, "1000", false,
     "MS", "Time between solves of the shadow prices"},
};

static long *int_of(const struct settings *settings, const struct setting *setting)
{
    return (long *)((char *)settings + setting->offset);
}

static char *text_at(const struct settings *settings, const struct setting *setting)
{
    return (char *)settings + setting->offset;
}

/* --- one value -------------------------------------------------------------------------------- */

static enum status put_int(struct settings *settings, const struct setting *setting,
                           const char *text, struct err *err)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text))
        return err_set(err, STATUS_INVALID, "'%.64s' is not a whole number", text);
    if (errno || value < setting->minimum || value > setting->maximum)
        return err_set(err, STATUS_INVALID, "%.64s is not within %ld to %ld", text,
                       setting->minimum, setting->maximum);
    *int_of(settings, setting) = value;
    return STATUS_OK;
}

static enum status put_text(struct settings *settings, const struct setting *setting,
                            const char *text, struct err *err)
{
    bool is_known = setting->kind != SETTING_LEVEL;

    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        is_known = is_known || strcmp(text, level_names[i]) == 0;
    if (!is_known)
        return err_set(err, STATUS_INVALID, "'%.64s' is not debug, info, warn or error",
                       text);
    if ((!*text && setting->kind != SETTING_PATH) ||
        !text_copy(text_of(text), text_at(settings, setting), SETTING_TEXT_BYTES))
        return err_set(err, STATUS_INVALID, "must have 1 to %d bytes",
                       SETTING_TEXT_BYTES - 1);
    return setting->kind == SETTING_ADDRESS ? server_address_check(text, err) : STATUS_OK;
}

static enum status put(struct settings *settings, const struct setting *setting,
                       const char *text, enum setting_source source, struct err *err)
{
    enum status rc = setting->kind == SETTING_INT
                         ? put_int(settings, setting, text, err)
                         : put_text(settings, setting, text, err);

    if (!rc)
        settings->sources[setting - table] = source;
    return rc;
}

/* --- the places they come from ---------------------------------------------------------------- */

static void put_defaults(struct settings *settings)
{
    *settings = (struct settings){0};
    for (const struct setting *s = table; s < table + SETTING_COUNT; s++) {
        enum status rc =
            *s->preset ? put(settings, s, s->preset, FROM_DEFAULT, NULL) : STATUS_OK;

        assert(rc == STATUS_OK);
        (void)rc;
    }
}

static const struct setting *find(const char *name)
{
    for (const struct setting *s = table; s < table + SETTING_COUNT; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static enum status put_member(struct settings *settings, const char *name,
                              const json_t *value, struct err *err)
{
    const struct setting *setting = find(name);
    char pointer[POINTER_BYTES], number[32];
    const char *text = json_string_value(value);
    struct err why;

    err_clear(&why);
    pointer_member(pointer, "", text_of(name));
    if (!setting)
        return err_fault(err, pointer, "unknown_field", "there is no such setting");
    if (setting->kind == SETTING_INT && json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        text = number;
    } else if (setting->kind == SETTING_INT || !text) {
        return err_fault(err, pointer, "wrong_type", "must be a %s",
                         setting->kind == SETTING_INT ? "whole number" : "string");
    }
    if (put(settings, setting, text, FROM_FILE, &why))
        return err_fault(err, pointer, "out_of_range", "%s", why.text);
    return STATUS_OK;
}

static enum status put_file(struct settings *settings, const char *path, struct err *err)
{
    json_error_t error;
    json_t *root = NULL, *value;
    const char *name;
    char *content;
    size_t bytes;
    enum status rc = file_read(path, CONFIG_BYTES_MAX, &content, &bytes, err);

    if (rc)
        return rc;
    rc = json_tree_read(content, bytes, JSON_REJECT_DUPLICATES, &root, &error, err);
    free(content);
    if (rc == STATUS_MALFORMED)
        return err_set(err, STATUS_MALFORMED, "'%s', line %d: %s", path, error.line,
                       error.text);
    if (rc)
        return rc;
    if (!json_is_object(root))
        rc = err_set(err, STATUS_MALFORMED, "'%s' does not hold a JSON object", path);
    json_object_foreach(root, name, value)
    {
        enum status fault = put_member(settings, name, value, err);

        rc = rc ? rc : fault;
    }
    json_decref(root);
    return rc == STATUS_INVALID ? err_wrap(err, "'%s'", path) : rc;
}

static enum status put_environment(struct settings *settings,
                                   char *(*getter)(const char *name), struct err *err)
{
    enum status rc = STATUS_OK;

    for (const struct setting *s = table; s < table + SETTING_COUNT && !rc; s++) {
        char name[64] = "REDRESS_";
        const char *text;

        for (size_t i = 0; s->name[i]; i++)
            name[8 + i] = (char)toupper((unsigned char)s->name[i]);
        text = getter(name);
        if (!text || !*text)
            continue;
        rc = put(settings, s, text, FROM_ENVIRONMENT, err);
        if (rc)
            rc = err_wrap(err, "%s", name);
    }
    return rc;
}

static enum status put_options(struct settings *settings,
                               const struct setting_options *options, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < SETTING_COUNT && !rc; i++) {
        if (!options->values[i])
            continue;
        rc = put(settings, &table[i], options->values[i], FROM_OPTION, err);
        if (rc)
            rc = err_wrap(err, "--%s", options->names[i]);
    }
    return rc;
}

enum status settings_read(const char *config, const struct setting_options *options,
                          char *(*getter)(const char *name), struct settings *settings,
                          bool *is_usage, struct err *err)
{
    enum status rc = STATUS_OK;

    *is_usage = false;
    put_defaults(settings);
    if (config)
        rc = put_file(settings, config, err);
    if (!rc)
        rc = put_environment(settings, getter, err);
    if (!rc) {
        rc = put_options(settings, options, err);
        *is_usage = rc != STATUS_OK;
    }
    return rc;
}

enum status settings_listen_from_demo(struct settings *settings, const char *listen,
                                      struct err *err)
{
    return put(settings, find("listen"), listen, FROM_DEMO, err);
}

/* --- what people see -------------------------------------------------------------------------- */

int setting_options_make(struct setting_options *options, struct option_spec *specs)
{
    *options = (struct setting_options){0};
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &table[i];
        char *help = options->helps[i], *name = options->names[i];
        size_t bytes = sizeof options->helps[i];

        snprintf(name, sizeof options->names[i], "%s", s->name);
        for (char *at = name; *at; at++)
            *at = *at == '_' ? '-' : *at;
        if (s->kind == SETTING_INT)
            snprintf(help, bytes, "%s (%ld to %ld; default %s).", s->meaning, s->minimum,
                     s->maximum, s->preset);
        else if (*s->preset)
            snprintf(help, bytes, "%s (default %s).", s->meaning, s->preset);
        else
            snprintf(help, bytes, "%s.", s->meaning);
        specs[i] = (struct option_spec){
            .name = name,
            .kind = OPTION_TEXT,
            .target = &options->values[i],
            .argument = s->argument,
            .help = help,
        };
    }
    return SETTING_COUNT;
}

static const char *source_of(const struct settings *settings,
                             const struct setting *setting)
{
    static const char *const sources[] = {
        [FROM_DEFAULT] = "default", [FROM_DEMO] = "demo.json",
        [FROM_FILE] = "file",       [FROM_ENVIRONMENT] = "environment",
        [FROM_OPTION] = "option",
    };

    return sources[settings->sources[setting - table]];
}

void settings_print_line(const char *name, const char *value, const char *source,
                         FILE *out)
{
    int width = 0;

    for (const struct setting *s = table; s < table + SETTING_COUNT; s++)
        if ((int)strlen(s->name) > width)
            width = (int)strlen(s->name);
    fprintf(out, "%-*s %-24s (%s)\n", width, name, value, source);
}

void settings_print(const struct settings *settings, FILE *out)
{
    for (const struct setting *s = table; s < table + SETTING_COUNT; s++) {
        char value[SETTING_TEXT_BYTES];

        if (s->kind == SETTING_INT)
            snprintf(value, sizeof value, "%ld", *int_of(settings, s));
        else
            snprintf(value, sizeof value, "%s", text_at(settings, s));
        settings_print_line(s->name, value, source_of(settings, s), out);
    }
}

json_t *settings_json(const struct settings *settings)
{
    json_t *root = json_object(), *sources = json_object();

    for (const struct setting *s = table; s < table + SETTING_COUNT; s++) {
        json_object_set_new(root, s->name,
                            s->kind == SETTING_INT ? json_integer(*int_of(settings, s))
                                                   : json_string(text_at(settings, s)));
        json_object_set_new(sources, s->name, json_string(source_of(settings, s)));
    }
    json_object_set_new(root, "sources", sources);
    return root;
}

enum setting_source settings_source(const struct settings *settings, const char *name)
{
    const struct setting *setting = find(name);

    assert(setting);
    return settings->sources[setting - table];
}

enum log_level settings_log_level(const struct settings *settings)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcmp(settings->log_level, level_names[i]) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

/* --- again ------------------------------------------------------------------------------------ */

static bool is_same(const struct settings *a, const struct settings *b,
                    const struct setting *setting)
{
    if (setting->kind == SETTING_INT)
        return *int_of(a, setting) == *int_of(b, setting);
    return strcmp(text_at(a, setting), text_at(b, setting)) == 0;
}

int settings_renew(struct settings *settings, const struct settings *fresh,
                   void (*ignored)(const char *name))
{
    int count = 0;

    for (const struct setting *s = table; s < table + SETTING_COUNT; s++) {
        if (is_same(settings, fresh, s))
            continue;
        if (!s->is_live) {
            ignored(s->name);
            continue;
        }
        if (s->kind == SETTING_INT)
            *int_of(settings, s) = *int_of(fresh, s);
        else
            memcpy(text_at(settings, s), text_at(fresh, s), SETTING_TEXT_BYTES);
        settings->sources[s - table] = fresh->sources[s - table];
        count++;
    }
    return count;
}
