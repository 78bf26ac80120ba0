/* settings.h - what 'redress serve' can be told: one line per setting in settings.c, from
 * which come the configuration file's members, the REDRESS_ variables, the options, and
 * --help.
 *
 * In rising priority: the default, the file, the environment, the command line. */
#ifndef REDRESS_APP_SETTINGS_H
#define REDRESS_APP_SETTINGS_H

#include "app/options.h"
#include "base/log.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { SETTING_COUNT = 22, SETTING_TEXT_BYTES = 256, SETTING_READERS_MAX = 64 };

enum setting_source { FROM_DEFAULT, FROM_DEMO, FROM_FILE, FROM_ENVIRONMENT, FROM_OPTION };

struct settings {
    char data[SETTING_TEXT_BYTES], listen[SETTING_TEXT_BYTES],
        health_listen[SETTING_TEXT_BYTES]; /* the last two: empty when nobody said */
    char tls_cert[SETTING_TEXT_BYTES], tls_key[SETTING_TEXT_BYTES]; /* empty: no TLS */
    char log_level[SETTING_TEXT_BYTES];
    long threads, connections, connections_per_address, idle_timeout_s, deadline_s,
        connection_deadline_s, rate_limit_per_s, rate_limit_burst, failed_logins_per_min,
        queue, queue_wait_ms, request_memory_mb, request_memory_per_key_percent, readers,
        drain_ms, price_interval_ms;
    enum setting_source sources[SETTING_COUNT];
};

/* The values of the options on a command line, as texts; NULL where not given. */
struct setting_options {
    const char *values[SETTING_COUNT];
    char helps[SETTING_COUNT][200], names[SETTING_COUNT][32];
};

/* Fill in a table of options: one line per setting. Returns how many. */
int setting_options_make(struct setting_options *options, struct option_spec *table);

/* Put together what was said. config may be NULL. getter: getenv, or another for tests.
 * The first wrong value of an option is told apart by *is_usage. Faults of the file carry
 * pointers. */
enum status settings_read(const char *config, const struct setting_options *options,
                          char *(*getter)(const char *name), struct settings *settings,
                          bool *is_usage, struct err *err);

/* A line "name value (source)" for each, or one of that kind about something else. */
void settings_print(const struct settings *settings, FILE *out);
void settings_print_line(const char *name, const char *value, const char *source,
                         FILE *out);

/* An object of names and values, with "sources", an object of names and sources; the
 * caller's, NULL without memory. */
json_t *settings_json(const struct settings *settings);

/* Where to listen, as a demo folder says it: for want of anybody else's word. */
enum status settings_listen_from_demo(struct settings *settings, const char *listen,
                                      struct err *err);

/* Where the setting of that name came from. */
enum setting_source settings_source(const struct settings *settings, const char *name);

/* A path that may be empty; NULL then. */
static inline const char *setting_path(const char *path)
{
    return *path ? path : NULL;
}

enum log_level settings_log_level(const struct settings *settings);

/* Take over from fresh what can change in a running service; each other difference is
 * told with ignored. Returns how many were taken over. */
int settings_renew(struct settings *settings, const struct settings *fresh,
                   void (*ignored)(const char *name));

#endif
