/* server.h - the real program for integration tests: a demo folder, a server on a free
 * port, killed or stopped, and commands with their output.
 *
 * The program is build/VARIANT/redress of the variant the test was built in; REDRESS_BIN
 * overrides it. Children die with the test. Failures print why on stderr. */
#ifndef REDRESS_TESTS_SERVER_H
#define REDRESS_TESTS_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* Where the program is; not for two threads at once. */
const char *program_path(void);

/* Run "redress ARGUMENTS..." to its end: the last argument is followed by NULL. input may
 * be NULL; *output, when asked for, is what it wrote to stdout, freed by the caller.
 * Returns its exit code, 128 + the signal that ended it, or -1 when it could not run. */
int program_run(const char *const *arguments, const char *input, char **output);

/* The same with what it wrote to stderr; both texts are freed by the caller. */
int program_run_messages(const char *const *arguments, const char *input, char **output,
                         char **messages);

/* Start "redress ARGUMENTS..." and do not wait; what it says is thrown away. -1 when it
 * could not run. program_end: kill it with signal, unless that is 0, and wait; as
 * program_run returns. */
pid_t program_start(const char *const *arguments);
int program_end(pid_t child, int signal);

/* program_start for a test that reads what it says, or does not; messages stays the
 * caller's. */
pid_t program_start_saying(const char *const *arguments, int messages);

/* "redress demo --data folder". */
bool demo_make(const char *folder);

/* The secret of a role ("support", "ops", "science", "audit", "admin") from
 * folder/demo.json as the value of an Authorization header: "Bearer key_...". The caller
 * frees it. NULL when there is none. */
char *demo_authorization(const char *folder, const char *role);

/* The sample case of folder/demo.json; the caller owns it. NULL when there is none. */
json_t *demo_case(const char *folder);

struct live_server {
    pid_t pid;               /* 0: not running */
    char listen[120];        /* "127.0.0.1:43121" */
    char health_listen[120]; /* empty: health answers on listen */
};

/* "redress serve --data folder EXTRA... --listen 127.0.0.1:0", the last unless extra has
 * one, and wait until /readyz says 200. extra ends with NULL, or is NULL. stderr is
 * appended to folder/serve.log, whose end is printed when the server does not come up. */
bool live_server_start(const char *folder, const char *const *extra,
                       struct live_server *server);

/* The same for a server that need not come up: 0 when it is ready, else how it ended, as
 * live_server_stop tells it. Nothing is printed. */
int live_server_try(const char *folder, const char *const *extra,
                    struct live_server *server);

/* Whether it has ended by itself, or does so within wait_ms; then *code is how, as
 * live_server_stop tells it. */
bool live_server_ended(struct live_server *server, int wait_ms, int *code);

/* kill -9, and wait until it is gone. */
void live_server_kill(struct live_server *server);

/* SIGTERM, and wait at most 30 s. Its exit code, 128 + signal, or -1 when it had to be
 * killed. */
int live_server_stop(struct live_server *server);

#endif
