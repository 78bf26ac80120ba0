/* address.c - texts of addresses, and sockets that listen there. */
#include "http/address.h"

#include "base/file.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SOCKET_MODE = 0660,
    LOCK_STEP_US = 10000,  /* between attempts to lock the place, */
    LOCK_STEP_COUNT = 100, /* for a second */
    PATH_BYTES_MAX = 107   /* of a socket; the words about it say so */
};

static const char unix_scheme[] = "unix:", lock_ending[] = ".lock";

/* --- addresses ------------------------------------------------------------------------------ */

static bool parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;

    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = htons((in_port_t)value);
    return value <= 65535;
}

static bool parse_host(const char *host, struct sockaddr_storage *address, in_port_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    size_t bytes = strlen(host);
    char inner[ADDRESS_BYTES];

    memset(address, 0, sizeof *address);
    if (bytes > 2 && bytes < sizeof inner && host[0] == '[' && host[bytes - 1] == ']') {
        memcpy(inner, host + 1, bytes - 2);
        inner[bytes - 2] = 0;
        six->sin6_family = AF_INET6;
        six->sin6_port = port;
        return inet_pton(AF_INET6, inner, &six->sin6_addr) == 1;
    }
    four->sin_family = AF_INET;
    four->sin_port = port;
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &four->sin_addr) == 1;
}

/* An absolute path that fits; a folder of the process would be a different one after a
 * restart. NULL: fine, else what is wrong. */
static const char *parse_path(const char *path, struct sockaddr_storage *address)
{
    struct sockaddr_un *local = (struct sockaddr_un *)address;

    static_assert(sizeof local->sun_path == PATH_BYTES_MAX + 1);
    memset(address, 0, sizeof *address);
    local->sun_family = AF_UNIX;
    if (path[0] != '/')
        return "behind 'unix:' stands an absolute path, which begins with '/'";
    if (path[strlen(path) - 1] == '/')
        return "the path is that of a folder: add the name of the socket";
    if (!text_copy(text_of(path), local->sun_path, sizeof local->sun_path))
        return "the path of a socket has 107 bytes at most";
    return NULL;
}

/* The last colon stands before the port. NULL: fine, else what is wrong. */
static const char *parse_internet(const char *text, struct sockaddr_storage *address)
{
    const char *colon = strrchr(text, ':');
    char host[ADDRESS_BYTES];
    in_port_t port;

    if (!colon)
        return "behind the host stands ':' and a port";
    if (!parse_port(colon + 1, &port))
        return "the port is a number from 0 to 65535";
    if (!text_copy((struct text){text, (size_t)(colon - text)}, host, sizeof host))
        return "the host is too long";
    if (parse_host(host, address, port))
        return NULL;
    return strchr(host, ':')
               ? "an address of IPv6 stands in brackets, such as [::1]:8080"
               : "the host is an address in digits or 'localhost': other names "
                 "are not resolved";
}

enum status address_parse(const char *text, struct sockaddr_storage *address,
                          struct err *err)
{
    bool is_local = strncmp(text, unix_scheme, sizeof unix_scheme - 1) == 0;
    const char *fault = is_local ? parse_path(text + sizeof unix_scheme - 1, address)
                                 : parse_internet(text, address);

    if (!fault)
        return STATUS_OK;
    return err_code(err, STATUS_INVALID, "invalid_address",
                    "'%s' is not an address to listen on, such as 127.0.0.1:8080, "
                    "[::1]:8080 or unix:/run/redress/redress.sock: %s",
                    text, fault);
}

void address_format(const struct sockaddr_storage *address, int port,
                    char text[static ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_UNIX) {
        snprintf(text, ADDRESS_BYTES, "%s%s", unix_scheme,
                 ((const struct sockaddr_un *)address)->sun_path);
    } else if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host,
                  sizeof host);
        snprintf(text, ADDRESS_BYTES, "[%s]:%d", host, port);
    } else {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host,
                  sizeof host);
        snprintf(text, ADDRESS_BYTES, "%s:%d", host, port);
    }
}

/* --- sockets in the file system --------------------------------------------------------------- */

static enum status refuse(const char *path, const char *why, struct err *err)
{
    return err_code(err, STATUS_UNAVAILABLE, "cannot_listen",
                    "cannot listen on unix:%s: %s", path, why);
}

/* Who may not ask does not know, and leaves it alone. */
static enum status refuse_unasked(const char *path, const struct stat *there,
                                  struct err *err)
{
    return err_code(
        err, STATUS_UNAVAILABLE, "cannot_listen",
        "cannot listen on %s%s: a socket of user %ju lies there, mode %04o, and "
        "user %ju may not ask whether anybody listens. Remove it if nobody does, "
        "or run the service as that user",
        unix_scheme, path, (uintmax_t)there->st_uid, (unsigned)(there->st_mode & 07777),
        (uintmax_t)geteuid());
}

/* OK: nobody listens there. */
static enum status ask_there(const struct sockaddr_un *address, const struct stat *there,
                             struct err *err)
{
    int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), reason;

    if (caller < 0)
        return refuse(address->sun_path, strerror(errno), err);
    reason = connect(caller, (const struct sockaddr *)address, sizeof *address) == 0
                 ? 0
                 : errno;
    close(caller);
    if (reason == ECONNREFUSED || reason == ENOENT)
        return STATUS_OK;
    if (reason == EACCES || reason == EPERM)
        return refuse_unasked(address->sun_path, there, err);
    return refuse(address->sun_path, "another process listens there", err);
}

/* What lies there may be taken away, if it *is_there. */
static enum status judge_place(const struct sockaddr_un *address, bool *is_there,
                               struct err *err)
{
    struct stat there;

    *is_there = lstat(address->sun_path, &there) == 0;
    if (!*is_there)
        return errno == ENOENT ? STATUS_OK
                               : refuse(address->sun_path, strerror(errno), err);
    if (!S_ISSOCK(there.st_mode))
        return refuse(address->sun_path, "something that is no socket lies there", err);
    return ask_there(address, &there, err);
}

/* Take away what a process left that is gone. */
static enum status clear_place(const struct sockaddr_un *address, struct err *err)
{
    bool is_there;
    enum status rc = judge_place(address, &is_there, err);

    if (!rc && is_there && unlink(address->sun_path) != 0)
        rc = refuse(address->sun_path, strerror(errno), err);
    return rc;
}

/* Nobody can connect before it listens, and by then the mode is right. */
static enum status bind_there(const struct sockaddr_un *address, int backlog,
                              struct listen_socket *opened, struct err *err)
{
    struct stat made, bound;

    opened->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (opened->descriptor >= 0 &&
        bind(opened->descriptor, (const struct sockaddr *)address, sizeof *address) ==
            0 &&
        chmod(address->sun_path, SOCKET_MODE) == 0 &&
        lstat(address->sun_path, &made) == 0 && fstat(opened->descriptor, &bound) == 0 &&
        listen(opened->descriptor, backlog) == 0) {
        opened->number = bound.st_ino;
        opened->device = made.st_dev;
        opened->inode = made.st_ino;
        snprintf(opened->path, sizeof opened->path, "%s", address->sun_path);
        return STATUS_OK;
    }
    enum status rc = refuse(address->sun_path, strerror(errno), err);
    if (opened->descriptor >= 0)
        close(opened->descriptor);
    opened->descriptor = -1;
    return rc;
}

static void name_lock(const char *path, char beside[static ADDRESS_BYTES])
{
    snprintf(beside, ADDRESS_BYTES, "%s%s", path, lock_ending);
}

/* For the file of the lock that cannot be had. */
static enum status refuse_file(const char *path, int reason, struct err *err)
{
    char beside[ADDRESS_BYTES];

    name_lock(path, beside);
    return err_code(err, STATUS_UNAVAILABLE, "cannot_listen",
                    "cannot listen on %s%s: '%s': %s", unix_scheme, path, beside,
                    strerror(reason));
}

/* Whoever starts waits for another that starts, and for nobody longer than a second. */
static enum status hold(const char *path, int file, struct err *err)
{
    char beside[ADDRESS_BYTES];

    for (int i = 0; i < LOCK_STEP_COUNT; i++) {
        if (flock(file, LOCK_EX | LOCK_NB) == 0)
            return STATUS_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        usleep(LOCK_STEP_US);
    }
    name_lock(path, beside);
    return err_code(err, STATUS_UNAVAILABLE, "cannot_listen",
                    "cannot listen on %s%s: cannot lock '%s': %s", unix_scheme, path,
                    beside,
                    errno == EWOULDBLOCK ? "another process holds it" : strerror(errno));
}

/* A file of its own is locked, for as long as it takes to bind. It stays: a file that is
 * taken away while somebody waits for it locks nothing. */
static enum status lock_place(const char *path, int *lock, struct err *err)
{
    char beside[ADDRESS_BYTES];
    enum status rc;

    name_lock(path, beside);
    *lock = open(beside, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (*lock < 0)
        return refuse_file(path, errno, err);
    rc = hold(path, *lock, err);
    if (rc) {
        close(*lock);
        *lock = -1;
    }
    return rc;
}

/* Whether lock_place would lock it: a file that is there, but for a folder, or one that
 * could be made. */
static enum status try_lock(const char *path, bool may_be_made, int reason,
                            struct err *err)
{
    char beside[ADDRESS_BYTES];
    struct stat there;
    enum status rc;
    int file;

    name_lock(path, beside);
    file = open(beside, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return may_be_made ? STATUS_OK : refuse_file(path, reason, err);
    if (file < 0)
        return refuse_file(path, errno, err);
    rc = fstat(file, &there) == 0 && S_ISDIR(there.st_mode)
             ? refuse_file(path, EISDIR, err)
             : hold(path, file, err);
    close(file);
    return rc;
}

/* In the order and the words of open_there. */
static enum status try_there(const struct sockaddr_un *local, struct err *err)
{
    const char *path = local->sun_path;
    char folder[PATH_MAX];
    bool is_there, is_open;
    int reason;
    enum status rc = judge_place(local, &is_there, err);

    if (rc)
        return rc;
    file_parent(path, folder);
    is_open = faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
    reason = is_open ? 0 : errno;
    rc = try_lock(path, is_open, reason, err);
    if (!rc && !is_open)
        rc = refuse(path, strerror(reason), err);
    return rc;
}

/* Locked meanwhile: of two that start at once, none takes the other's socket for one that
 * was left. Nothing is locked, and no file made for it, beside what is not to be had
 * anyway. */
static enum status open_there(const struct sockaddr_un *local, int backlog,
                              struct listen_socket *opened, struct err *err)
{
    bool is_there;
    int lock = -1;
    enum status rc = judge_place(local, &is_there, err);

    if (!rc)
        rc = lock_place(local->sun_path, &lock, err);
    if (rc)
        return rc;
    rc = clear_place(local, err);
    if (!rc)
        rc = bind_there(local, backlog, opened, err);
    close(lock);
    return rc;
}

/* --- sockets of the internet ------------------------------------------------------------------ */

static int port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)address)->sin6_port
                     : ((const struct sockaddr_in *)address)->sin_port);
}

/* A port whose last connections are not forgotten yet can be had; an address of IPv6
 * means nothing else. */
static bool bind_port(int descriptor, const struct sockaddr_storage *address)
{
    static const int yes = 1;
    bool is_six = address->ss_family == AF_INET6;

    return setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
           (!is_six ||
            setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0) &&
           bind(descriptor, (const struct sockaddr *)address,
                is_six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)) == 0;
}

/* backlog 0: only bind. */
static enum status open_port(const struct sockaddr_storage *address, int backlog,
                             struct listen_socket *opened, struct err *err)
{
    struct sockaddr_storage bound = {0};
    socklen_t bound_bytes = sizeof bound;
    struct stat made;
    char text[ADDRESS_BYTES];

    opened->descriptor =
        socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (opened->descriptor >= 0 && bind_port(opened->descriptor, address) &&
        (backlog == 0 || listen(opened->descriptor, backlog) == 0) &&
        getsockname(opened->descriptor, (struct sockaddr *)&bound, &bound_bytes) == 0 &&
        fstat(opened->descriptor, &made) == 0) {
        opened->number = made.st_ino;
        opened->port = port_of(&bound);
        return STATUS_OK;
    }
    const char *why = strerror(errno);

    if (opened->descriptor >= 0)
        close(opened->descriptor);
    opened->descriptor = -1;
    address_format(address, port_of(address), text);
    return err_code(err, STATUS_UNAVAILABLE, "cannot_listen", "cannot listen on %s: %s",
                    text, why);
}

/* --- two of them ------------------------------------------------------------------------------ */

static bool is_any(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? IN6_IS_ADDR_UNSPECIFIED(
                     &((const struct sockaddr_in6 *)address)->sin6_addr)
               : ((const struct sockaddr_in *)address)->sin_addr.s_addr == INADDR_ANY;
}

/* As the system has it while somebody listens; an address of IPv6 means nothing else
 * here. Port 0 is any that is free. */
static bool is_same_port(const struct sockaddr_storage *one,
                         const struct sockaddr_storage *other)
{
    if (port_of(one) != port_of(other) || port_of(one) == 0)
        return false;
    if (is_any(one) || is_any(other))
        return true;
    if (one->ss_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)one)->sin6_addr,
                                  &((const struct sockaddr_in6 *)other)->sin6_addr);
    return ((const struct sockaddr_in *)one)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)other)->sin_addr.s_addr;
}

static bool is_same_folder(const char *one, const char *other)
{
    char folder[PATH_MAX];
    struct stat first, second;

    file_parent(one, folder);
    if (stat(folder, &first) != 0)
        return false;
    file_parent(other, folder);
    return stat(folder, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Whether a file is the socket, or its lock. */
static bool is_of_socket(const char *file, const char *socket)
{
    size_t bytes = strlen(socket);

    return strncmp(file, socket, bytes) == 0 &&
           (!file[bytes] || strcmp(file + bytes, lock_ending) == 0);
}

static bool is_same_place(const struct sockaddr_un *one, const struct sockaddr_un *other)
{
    const char *first = strrchr(one->sun_path, '/');
    const char *second = strrchr(other->sun_path, '/');

    return (is_of_socket(first, second) || is_of_socket(second, first)) &&
           is_same_folder(one->sun_path, other->sun_path);
}

enum status addresses_check(const char *one, const char *other, struct err *err)
{
    struct sockaddr_storage first, second;
    enum status rc = address_parse(one, &first, err);
    bool is_same;

    if (!rc)
        rc = address_parse(other, &second, err);
    if (rc || first.ss_family != second.ss_family)
        return rc;
    is_same = first.ss_family == AF_UNIX
                  ? is_same_place((const struct sockaddr_un *)&first,
                                  (const struct sockaddr_un *)&second)
                  : is_same_port(&first, &second);
    if (!is_same)
        return STATUS_OK;
    return err_code(err, STATUS_UNAVAILABLE, "cannot_listen",
                    "cannot listen on %s: %s takes the same place", other, one);
}

/* --- either ----------------------------------------------------------------------------------- */

enum status listen_socket_open(const struct sockaddr_storage *address, int backlog,
                               struct listen_socket *opened, struct err *err)
{
    *opened = (struct listen_socket){.descriptor = -1};
    return address->ss_family == AF_UNIX
               ? open_there((const struct sockaddr_un *)address, backlog, opened, err)
               : open_port(address, backlog, opened, err);
}

enum status listen_socket_try(const struct sockaddr_storage *address, struct err *err)
{
    struct listen_socket opened = {.descriptor = -1};
    enum status rc;

    if (address->ss_family == AF_UNIX)
        return try_there((const struct sockaddr_un *)address, err);
    rc = open_port(address, 0, &opened, err);
    if (!rc)
        close(opened.descriptor);
    return rc;
}

void listen_socket_close(struct listen_socket *opened)
{
    struct stat found;

    if (opened->descriptor >= 0 && fstat(opened->descriptor, &found) == 0 &&
        S_ISSOCK(found.st_mode) && found.st_ino == opened->number)
        close(opened->descriptor);
    opened->descriptor = -1;
}

void listen_socket_remove(struct listen_socket *opened)
{
    struct stat there;

    if (opened->path[0] && lstat(opened->path, &there) == 0 &&
        there.st_dev == opened->device && there.st_ino == opened->inode)
        unlink(opened->path);
    opened->path[0] = 0;
}
