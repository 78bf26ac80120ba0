/* control.h - DIR/control.json: how the commands of this machine reach the service that
 * runs on a folder. Written when it starts, removed when it ends, readable by its user
 * only. */
#ifndef REDRESS_APP_CONTROL_H
#define REDRESS_APP_CONTROL_H

#include "base/err.h"
#include "decide/keyring.h"

struct control {
    char listen[128]; /* "127.0.0.1:43121", "unix:/run/redress.sock" */
    char tls_pin[80]; /* of its public key, as libcurl pins it; empty: plain HTTP */
    char key[KEY_TEXT_BYTES]; /* lives as long as the process that made it */
    long pid;
};

enum status control_write(const char *folder, const struct control *control,
                          struct err *err);

/* The process that has, or last had, the folder. 0: unknown. */
long control_owner(const char *folder);

/* Whether what lies there is of this process. */
bool control_is_ours(const char *folder);
void control_remove(const char *folder);

/* NOT_FOUND when no service runs there, or when what lies there is of one that was
 * killed: the process that has the folder is another one. */
enum status control_read(const char *folder, struct control *control, struct err *err);

#endif
