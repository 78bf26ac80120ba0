/* serve_check.h - what has to be right before a service starts. Nothing is made or
 * changed on disk. */
#ifndef REDRESS_APP_SERVE_CHECK_H
#define REDRESS_APP_SERVE_CHECK_H

#include "app/settings.h"
#include "http/server.h"

/* Print the settings, where each comes from and what would become of the folder, and see
 * whether enough open files and the addresses can be had: in the order of a start, and in
 * its words. Returns the code to exit with. */
int serve_look(const struct settings *settings, bool accepts_clock, bool is_json);

/* Before a folder is made: whether it and the addresses can be had, so that who is
 * refused has made nothing. A folder that is there is left to whoever opens it. */
enum status serve_try_new_folder(const struct settings *settings, struct err *err);

/* Whether the settings go together, and the certificate and its key will do; INVALID
 * names what does not. */
enum status serve_check_settings(const struct settings *settings, struct err *err);

/* What a server is started with; its texts are those of the settings. */
struct server_settings serve_server_settings(const struct settings *settings);

/* Whether health may answer on any other port, since nobody asked for the one it has. */
bool serve_may_move_health(const struct settings *settings);

/* Behind an address that cannot be had, what to do. Returns rc. */
enum status serve_advise_address(enum status rc, struct err *err);

/* Tell what is allowed, but opens keys and money to others: plain HTTP beyond this
 * machine, a data folder that others may read or write. */
void serve_warn(const struct settings *settings,
                void (*warn)(const char *event, const char *detail));

/* Raise the limit of open files to what the settings need: a process that runs out of
 * them can neither accept nor refuse. INVALID when it cannot be raised so far. */
enum status serve_allow_files(const struct settings *settings, struct err *err);

#endif
