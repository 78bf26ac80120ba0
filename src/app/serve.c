/* serve.c - redress serve: a folder's service on a socket, until a signal ends it. */
#include "app/commands.h"
#include "app/control.h"
#include "app/serve_check.h"
#include "app/settings.h"
#include "base/file.h"
#include "decide/service.h"
#include "http/server.h"
#include "json/tree.h"
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 500, /* for trouble that only a restart mends */
    DEMO_BYTES_MAX = 64 << 10,
    PATH_BYTES = 512,
    EXPIRY_WARNING_DAYS = 21,
    LOG_END_MS = 1000, /* for its reader to take what waits */
};

#define DAY_US        (INT64_C(86400) * SECOND_US)
#define TELL_EVERY_US (10 * SECOND_US)

struct run {
    const char *config; /* file, or NULL */
    const struct setting_options *options;
    struct settings settings;
    bool accepts_clock;
    struct service *service;
    struct server *server;
    struct control control;
    struct server_stats told; /* to the log */
    int64_t told_at_us;
};

/* --- settings --------------------------------------------------------------------------------- */

/* Where a demo folder says that it is served. */
static enum status listen_from_demo(struct settings *settings, struct err *err)
{
    char path[PATH_BYTES], *content;
    const char *listen;
    json_t *demo;
    size_t bytes;
    enum status rc;

    snprintf(path, sizeof path, "%s/demo.json", settings->data);
    if (file_read(path, DEMO_BYTES_MAX, &content, &bytes, NULL))
        return STATUS_OK;
    rc = json_tree_read(content, bytes, 0, &demo, NULL, err);
    free(content);
    if (rc == STATUS_EXHAUSTED)
        return rc;
    err_clear(err);
    rc = STATUS_OK;
    listen = json_string_value(json_object_get(demo, "listen"));
    if (listen)
        rc = settings_listen_from_demo(settings, listen, err);
    json_decref(demo);
    return rc ? err_wrap(err, "'%s'", path) : STATUS_OK;
}

/* The same host, and the next port, when there is one; beside a socket another one. */
static void health_beside(const char *listen, bool is_any_port, char *health,
                          size_t bytes)
{
    const char *colon = strrchr(listen, ':');
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;

    if (!colon)
        return;
    if (strncmp(listen, "unix:", 5) == 0) {
        snprintf(health, bytes, "%s.health", listen);
        return;
    }
    port = is_any_port || port == 0 || port >= 65535 ? 0 : port + 1;
    snprintf(health, bytes, "%.*s:%ld", (int)(colon - listen), listen, port);
}

/* Judged here, since nobody wrote that address: the words are about the one that somebody
 * did. */
static enum status choose_health(struct settings *settings, struct err *err)
{
    if (settings->health_listen[0])
        return STATUS_OK;
    health_beside(settings->listen, false, settings->health_listen,
                  sizeof settings->health_listen);
    if (!server_address_check(settings->health_listen, NULL))
        return STATUS_OK;
    return err_code(err, STATUS_INVALID, "invalid_address",
                    "listen '%s': no socket can have that path and '.health' behind it: "
                    "take a shorter path, or say health_listen",
                    settings->listen);
}

static enum status settings_of(const struct run *run, struct settings *settings,
                               bool *is_usage, struct err *err)
{
    enum status rc =
        settings_read(run->config, run->options, getenv, settings, is_usage, err);

    if (rc)
        return rc;
    if (!settings->listen[0])
        rc = listen_from_demo(settings, err);
    if (rc)
        return rc;
    if (!settings->listen[0])
        snprintf(settings->listen, sizeof settings->listen, "127.0.0.1:8080");
    return choose_health(settings, err);
}

/* --- start ------------------------------------------------------------------------------------ */

static void limit_keys(const struct run *run)
{
    keyring_limit(service_keyring(run->service), run->settings.rate_limit_per_s,
                  run->settings.rate_limit_burst);
}

static enum status open_service(struct run *run, struct err *err)
{
    const struct service_settings settings = {
        .folder = run->settings.data,
        .clock = &steady_clock,
        .build = version_build(),
        .reader_count = (int)run->settings.readers,
        .queue_capacity = (int)run->settings.queue,
        .has_keepers = true,
        .price_interval_ms = (int)run->settings.price_interval_ms,
        .accepts_clock = run->accepts_clock,
    };
    bool was_created = false;
    enum status rc = service_open(&settings, &run->service, &was_created, err);

    if (!rc && was_created)
        log_event(LOG_INFO, "data_folder_made", LOG_TEXT("folder", run->settings.data),
                  LOG_TEXT("file", "redress.db"));
    return rc;
}

/* What a service can do without, but hardly anybody wants to do without. */
static void tell_what_lacks(const struct run *run)
{
    struct world *world = world_acquire(service_worlds(run->service));
    char detail[PATH_BYTES + 200];

    if (keyring_is_empty(service_keyring(run->service))) {
        snprintf(detail, sizeof detail,
                 "nobody may ask yet: redress key create --data %s --name NAME --scope "
                 "decide,settle,read",
                 run->settings.data);
        log_event(LOG_WARN, "no_api_key", LOG_TEXT("detail", detail));
    }
    if (world->policy_count == 0) {
        snprintf(detail, sizeof detail,
                 "nothing can be offered yet: redress policy set ID FILE --data %s",
                 run->settings.data);
        log_event(LOG_WARN, "no_policy", LOG_TEXT("detail", detail));
    }
    world_release(world);
}

static void log_warning(const char *event, const char *detail)
{
    log_event(LOG_WARN, event, LOG_TEXT("detail", detail));
}

static enum status start_server(struct run *run, struct err *err)
{
    const struct settings *settings = &run->settings;
    char health[SETTING_TEXT_BYTES];
    struct server_settings wanted = serve_server_settings(settings);
    enum status rc = server_start(&wanted, run->service, &run->server, err);

    if (!rc || strcmp(err->code, "cannot_listen") != 0)
        return rc;
    if (!serve_may_move_health(settings))
        return serve_advise_address(rc, err);
    health_beside(settings->listen, true, health, sizeof health);
    wanted.health_listen = health;
    rc = server_start(&wanted, run->service, &run->server, err);
    if (rc)
        return serve_advise_address(rc, err);
    log_event(LOG_WARN, "health_port_taken", LOG_TEXT("wanted", settings->health_listen),
              LOG_TEXT("health_listen", server_health_address(run->server)));
    return STATUS_OK;
}

/* Where the commands of this machine find it; after a renewed certificate anew. */
static enum status tell_control(struct run *run, struct err *err)
{
    struct control *control = &run->control;

    control->pid = (long)getpid();
    snprintf(control->listen, sizeof control->listen, "%s", server_address(run->server));
    snprintf(control->tls_pin, sizeof control->tls_pin, "%s",
             server_tls_pin(run->server));
    return control_write(run->settings.data, control, err);
}

/* Let the commands of this machine in, with a key that ends with this process. It carries
 * the name they have when no service runs: an idempotency key counts in both cases, and
 * after a restart. */
static enum status offer_control(struct run *run, struct err *err)
{
    char text[KEY_TEXT_BYTES];
    struct api_key key = {0};
    enum status rc;

    keyring_make(clock_wall_us(&system_clock), &key, text);
    snprintf(key.id, sizeof key.id, KEY_ID_OWN);
    snprintf(key.scopes, sizeof key.scopes, "admin");
    snprintf(run->control.key, sizeof run->control.key, "%s%s", key.id,
             strchr(text, '.'));
    explicit_bzero(text, sizeof text);
    rc = keyring_put(service_keyring(run->service), &key, err);
    return rc ? rc : tell_control(run, err);
}

/* --- the certificate -------------------------------------------------------------------------- */

static void tell_expiry(int64_t expires_at_us)
{
    int64_t left_us = expires_at_us - clock_wall_us(&system_clock);
    char at[TIME_TEXT_BYTES];

    time_format(expires_at_us, at);
    log_event(left_us < EXPIRY_WARNING_DAYS * DAY_US ? LOG_WARN : LOG_INFO,
              "tls_certificate", LOG_TEXT("expires_at", at),
              LOG_INT("days_left", left_us / DAY_US));
}

/* At the start, where the files were just read, and with SIGHUP. */
static void renew_certificate(struct run *run)
{
    int64_t expires_at_us;
    struct err err;

    err_clear(&err);
    if (server_renew_tls(run->server, &expires_at_us, &err))
        log_event(LOG_ERROR, "tls_refused", LOG_TEXT("detail", err.text));
    if (expires_at_us == 0)
        return;
    tell_expiry(expires_at_us);
    if (strcmp(run->control.tls_pin, server_tls_pin(run->server)) != 0 &&
        tell_control(run, &err))
        log_event(LOG_ERROR, "control_not_written", LOG_TEXT("detail", err.text));
}

static enum status start(struct run *run, struct err *err)
{
    enum status rc = serve_check_settings(&run->settings, err);

    if (!rc)
        rc = serve_allow_files(&run->settings, err);
    if (!rc)
        rc = serve_try_new_folder(&run->settings, err);
    if (!rc)
        rc = open_service(run, err);
    if (rc)
        return rc;
    tell_what_lacks(run);
    serve_warn(&run->settings, log_warning);
    limit_keys(run);
    rc = start_server(run, err);
    if (!rc)
        rc = offer_control(run, err);
    if (!rc)
        renew_certificate(run);
    if (!rc)
        log_event(LOG_INFO, "server_started",
                  LOG_TEXT("listen", server_address(run->server)),
                  LOG_TEXT("health_listen", server_health_address(run->server)),
                  LOG_TEXT("data", run->settings.data),
                  LOG_TEXT("build", version_build()), LOG_INT("pid", getpid()));
    return rc;
}

/* --- run -------------------------------------------------------------------------------------- */

static void tell_ignored(const char *name)
{
    log_event(LOG_WARN, "setting_needs_restart", LOG_TEXT("setting", name));
}

/* It may have been tidied away. */
static void tell_control_again(struct run *run)
{
    struct err err;

    err_clear(&err);
    if (!control_is_ours(run->settings.data) && tell_control(run, &err))
        log_event(LOG_ERROR, "control_not_written", LOG_TEXT("detail", err.text));
}

static void reload(struct run *run)
{
    struct settings fresh;
    bool is_usage;
    struct err err;
    int count;

    err_clear(&err);
    tell_control_again(run);
    if (settings_of(run, &fresh, &is_usage, &err)) {
        log_event(LOG_ERROR, "config_refused", LOG_TEXT("detail", err.text));
        return;
    }
    count = settings_renew(&run->settings, &fresh, tell_ignored);
    log_level_set(settings_log_level(&run->settings));
    limit_keys(run);
    log_event(LOG_INFO, "config_read", LOG_INT("changed", count));
    renew_certificate(run);
}

/* Now and then, how many were turned away: of requests only the first have lines of their
 * own. */
static void tell_refused(struct run *run)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    struct server_stats stats;

    server_stats(run->server, &stats);
    if (memcmp(&stats, &run->told, sizeof stats) == 0 ||
        now_us - run->told_at_us < TELL_EVERY_US)
        return;
    log_event(LOG_WARN, "clients_refused",
              LOG_INT("failed_logins", stats.failed_login_count),
              LOG_INT("shed_logins", stats.shed_login_count),
              LOG_INT("forbidden", stats.forbidden_count),
              LOG_INT("connections", stats.refused_connection_count));
    run->told = stats;
    run->told_at_us = now_us;
}

/* Until a signal ends it, or trouble that only a restart mends. Returns the exit code. */
static int wait_for_end(struct run *run, const sigset_t *signals)
{
    static const struct timespec look_every = {.tv_nsec = LOOK_EVERY_MS * 1000000L};

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &look_every);

        tell_refused(run);
        if (signal == SIGHUP) {
            reload(run);
        } else if (signal > 0) {
            log_event(LOG_INFO, "server_stopping", LOG_TEXT("signal", strsignal(signal)));
            return EXIT_DONE;
        } else if (committer_has_failed(service_committer(run->service))) {
            log_event(LOG_ERROR, "store_failed",
                      LOG_TEXT("detail", service_trouble(run->service)));
            return EXIT_REFUSED;
        }
    }
}

/* Threads inherit the mask: it is set before the first of them starts. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(struct run *run)
{
    sigset_t signals;
    struct err err;
    enum status rc;
    int code;

    err_clear(&err);
    block_signals(&signals);
    log_level_set(settings_log_level(&run->settings));
    rc = log_start(&err);
    if (!rc)
        rc = start(run, &err);
    if (rc)
        log_flush(LOG_END_MS); /* what was told before stands before why it ends */
    code = rc ? command_failed(&err) : wait_for_end(run, &signals);
    if (run->server)
        control_remove(run->settings.data);
    explicit_bzero(&run->control, sizeof run->control);
    service_wind_up(run->service);
    server_stop(run->server, (int)run->settings.drain_ms);
    service_close(run->service);
    if (run->server)
        log_event(LOG_INFO, "server_stopped", LOG_INT("code", code));
    log_end(LOG_END_MS);
    return code;
}

int command_serve(int argc, char **argv)
{
    static struct setting_options values;
    struct run run = {.options = &values};
    bool is_check = false, is_json = false, is_usage;
    struct option_spec options[SETTING_COUNT + 5] = {
        {"config", OPTION_TEXT, &run.config, "FILE",
         "Read settings from this JSON file: {\"listen\": \"127.0.0.1:8080\", ...}, "
         "named "
         "as the options, with _ for -.",
         0, 0},
        {"check", OPTION_FLAG, &is_check, NULL,
         "Only print the settings in force, look at the folder, and try the addresses "
         "and the "
         "limit of open files.",
         0, 0},
        {"json", OPTION_FLAG, &is_json, NULL, "With --check: print JSON.", 0, 0},
        {"accept-clock", OPTION_FLAG, &run.accepts_clock, NULL,
         "Start though the clock is behind what was recorded last: once, when this clock "
         "is right. A budget's period may begin a second time.",
         0, 0},
    };
    const struct command_usage usage = {
        .synopsis = "serve [OPTIONS]",
        .summary =
            "Answer requests until SIGTERM or SIGINT, then let those under way finish. "
            "Each setting is an option, a member of the configuration file and a "
            "variable "
            "(--idle-timeout-s, idle_timeout_s, REDRESS_IDLE_TIMEOUT_S); the option "
            "wins, "
            "then the variable. SIGHUP reads the file again.",
        .options = options,
    };
    const char *positionals[1];
    struct err err;
    int code;

    setting_options_make(&values, options + 4);
    code = options_parse(&usage, argc, argv, positionals);
    if (code != OPTIONS_GO_ON)
        return code;
    if (is_json && !is_check)
        return usage_wrong(&usage, "--json needs --check");
    err_clear(&err);
    if (settings_of(&run, &run.settings, &is_usage, &err))
        return is_usage ? usage_wrong(&usage, "%s", err.text) : command_failed(&err);
    return is_check ? serve_look(&run.settings, run.accepts_clock, is_json) : serve(&run);
}
