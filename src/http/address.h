/* address.h - where a listener stands: "127.0.0.1:8080", "[::1]:0", "localhost:80", or
 * "unix:/run/redress/redress.sock". No other names, so that nothing depends on a name
 * server. */
#ifndef REDRESS_HTTP_ADDRESS_H
#define REDRESS_HTTP_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { ADDRESS_BYTES = 128 };

/* The family is AF_INET, AF_INET6 or AF_UNIX. INVALID quotes the text. */
enum status address_parse(const char *text, struct sockaddr_storage *address,
                          struct err *err);

/* The same as text, with that port; a local socket has none. */
void address_format(const struct sockaddr_storage *address, int port,
                    char text[static ADDRESS_BYTES]);

/* Whether both can be listened on at once. UNAVAILABLE, with the code cannot_listen, when
 * the second is the first, by whatever path, or its port on all addresses of the machine,
 * or when one lies where the other has its lock. INVALID as above. */
enum status addresses_check(const char *one, const char *other, struct err *err);

/* A socket that listens. */
struct listen_socket {
    int descriptor;           /* -1: none */
    ino_t number;             /* of the socket that it stands for */
    int port;                 /* the real one; 0 of a socket in the file system */
    char path[ADDRESS_BYTES]; /* in the file system; else empty */
    dev_t device;             /* of the file that was made */
    ino_t inode;
};

/* Bind and listen. UNAVAILABLE, with the code cannot_listen, names the address and what
 * is in the way.
 *
 * In the file system: for the user and the group, mode 0660. The socket of a process that
 * is gone is removed; UNAVAILABLE when somebody answers on it, when something else lies
 * there, or when another process holds the lock PATH.lock for more than a second. That
 * file is made, mode 0600, and stays; beside a place that is taken already it is not
 * made. */
enum status listen_socket_open(const struct sockaddr_storage *address, int backlog,
                               struct listen_socket *opened, struct err *err);

/* Whether that can be done now, without doing it; if not, in the same words. An address
 * of the internet is bound and let go, in the file system the place is looked at, and a
 * lock that is there is locked and let go. */
enum status listen_socket_try(const struct sockaddr_storage *address, struct err *err);

/* Close the descriptor, unless it is closed, or stands for something else by now: the
 * library that it was handed to may have done so. */
void listen_socket_close(struct listen_socket *opened);

/* Take the file away, unless another has come to lie there. The descriptor is left
 * alone. */
void listen_socket_remove(struct listen_socket *opened);

#endif
