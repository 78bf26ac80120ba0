/* client_carrier.h - the two ways a request can go; private to the client. */
#ifndef REDRESS_APP_CLIENT_CARRIER_H
#define REDRESS_APP_CLIENT_CARRIER_H

#include "app/client.h"

/* Over HTTP: url "http://HOST:PORT", "https://...", without a slash at its end, or
 * "unix:/PATH"; key "key_<id>.<secret>". */
struct wire_settings {
    const char *url, *key;
    long process;        /* that answers there; 0: unknown */
    bool is_own_machine; /* round any proxy */
    const char *ca_file; /* https: trust these certificates; NULL: those of the machine */
    const char *pin; /* https: trust this public key, and no name or authority; or NULL */
};
struct wire; /* opaque */
enum status wire_open(const struct wire_settings *settings, struct wire **wire,
                      struct err *err);
void wire_close(struct wire *wire); /* NULL is fine */
enum status wire_call(struct wire *wire, const struct client_request *request,
                      struct client_reply *reply, struct err *err);

/* Inside this process: the folder is ours until local_close. */
struct local; /* opaque */
enum status local_open(const char *folder, struct local **local, bool *was_created,
                       struct err *err);
void local_close(struct local *local); /* NULL is fine */
enum status local_call(struct local *local, const struct client_request *request,
                       struct client_reply *reply, struct err *err);

/* Append text percent-encoded; false when it does not fit. */
bool percent_encode(const char *text, char *buffer, size_t buffer_bytes, size_t *used);

#endif
