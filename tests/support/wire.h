/* wire.h - bytes to a server and back, in the worst of manners: plain, over a socket of
 * this machine, or over TLS; in pieces; half-closed, closed, reset.
 *
 * A wire is for one thread. Nothing here stops the test. */
#ifndef REDRESS_TESTS_WIRE_H
#define REDRESS_TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>

struct wire; /* opaque */

/* address: "127.0.0.1:8080", "unix:/PATH". NULL when nobody listens, or the handshake
 * fails; every wait ends after timeout_ms. */
struct wire *wire_open(const char *address, bool has_tls, int timeout_ms);

/* False when the server has hung up. */
bool wire_send(struct wire *wire, const void *bytes, size_t count);

/* The same past TLS: they go as they are. */
bool wire_send_raw(struct wire *wire, const void *bytes, size_t count);

/* Until something came, at most so long. */
void wire_wait(struct wire *wire, int wait_ms);

/* Say no more, and go on listening. */
void wire_half_close(struct wire *wire);

enum wire_end { WIRE_CLOSED, WIRE_RESET, WIRE_TIMED_OUT, WIRE_FULL };

/* All that comes until the server hangs up, at most size - 1 bytes, and a NUL. */
enum wire_end wire_receive(struct wire *wire, char *text, size_t size, size_t *count);

/* With a reset, which throws away what was sent and not yet read; else in good manners.
 * NULL is fine. */
void wire_close(struct wire *wire, bool is_reset);

#endif
