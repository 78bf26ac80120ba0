/* serve_check.h - what has to be right before a service starts. Nothing is made or changed on disk. */
#ifndef REDRESS_APP_SERVE_CHECK_H
#define REDRESS_APP_SERVE_CHECK_H

#include "app/settings.h"

/* Print the settings and what would become of the folder, and see whether the addresses that were asked for
 * and enough open files can be had. Returns the code to exit with. */
int serve_look(const struct settings *settings, bool accepts_clock, bool is_json);

/* Whether the certificate and its key will do; INVALID names the file. Fine without TLS. */
enum status serve_check_tls(const struct settings *settings, struct err *err);

/* Tell what is allowed, but opens keys and money to others: plain HTTP beyond this machine, a data
 * folder that others may read or write. */
void serve_warn(const struct settings *settings,
                void (*warn)(const char *event, const char *detail));

/* Raise the limit of open files to what the settings need: a process that runs out of them can
 * neither accept nor refuse. INVALID when it cannot be raised so far. */
enum status serve_allow_files(const struct settings *settings, struct err *err);

#endif
