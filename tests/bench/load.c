/* load.c - requests, as a rule POST, over kept-alive connections, from one thread.
 *
 * Closed loop: each connection sends its next request when the answer to the last one has
 * come. Open loop, with --rate: requests are due at even distances whatever the server
 * does, and latency counts from the moment a request was due, also when no connection was
 * free. Every request has an Idempotency-Key of its own, and ten '@' in a row within a
 * body become a number of ten digits that no other request has, so that no customer asks
 * twice. Prints one JSON object. Errors are answers outside 2xx and broken
 * connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTION_COUNT_MAX = 4096,
    BODY_COUNT_MAX = 100000,
    REQUEST_BYTES_MAX = 72 << 10,
    ANSWER_BYTES_MAX = 64 << 10,
    NUMBER_DIGITS = 10,
    WARM_UP_MS = 300,
    STATUS_MAX = 600,
};

struct settings {
    int port, connection_count, server_pid;
    double seconds, rate; /* rate 0: closed loop */
    const char *path, *key, *match;
    bool is_get;       /* without body and key */
    bool is_scattered; /* numbers, and keys with them, come in no order */
};

struct connection {
    int fd;
    int64_t sent_us;
    size_t received;
    char answer[ANSWER_BYTES_MAX + 1];
};

struct tally {
    long status[STATUS_MAX];
    long broken, matches;
    uint32_t *latency_us;
    size_t count, capacity;
};

static struct settings settings = {.connection_count = 64, .seconds = 3, .path = "/"};
static char **bodies;
static int body_count;
static uint64_t request_number; /* of the next request */
static char run_name[32];       /* keeps the keys of one run apart from all others */
static struct tally tally;
static struct connection *idle[CONNECTION_COUNT_MAX]; /* of the open loop */
static int idle_count;
static double due_us; /* when the next request of the open loop is due */

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* User and system time of another process, all its threads, or of none. */
static double cpu_seconds(int pid)
{
    char path[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    char *fields;
    FILE *file;

    if (pid <= 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    file = fopen(path, "re");
    if (!file)
        die(path);
    if (!fgets(line, sizeof line, file))
        die(path);
    fclose(file);
    fields = strrchr(line, ')'); /* the name before it may hold anything */
    if (!fields ||
        sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        die(path);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void bodies_read(const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t line_bytes = 0;
    ssize_t got;

    bodies = calloc(BODY_COUNT_MAX, sizeof *bodies);
    if (!bodies)
        die("bodies");
    if (!path) {
        bodies[body_count++] = strdup("{}");
        return;
    }
    if (!file)
        die(path);
    while (body_count < BODY_COUNT_MAX && (got = getline(&line, &line_bytes, file)) > 0) {
        if (line[got - 1] == '\n')
            line[--got] = '\0';
        if (got > 0 && got < REQUEST_BYTES_MAX - 1024)
            bodies[body_count++] = strdup(line);
    }
    free(line);
    fclose(file);
    if (body_count == 0)
        die("no bodies");
}

/* --- one connection ---------------------------------------------------------------- */

static void connection_open(struct connection *connection, int poller)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)settings.port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    const int on = 1;

    connection->received = 0;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)&address, sizeof address))
        die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event))
        die("epoll");
}

/* Ten digits that no other request has: rising ones, or all over the place, each once. */
static uint64_t number_of(uint64_t request)
{
    const uint64_t count = 10000000000U,
                   step = 6180339887U; /* without a common divisor */

    return settings.is_scattered ? (uint64_t)((__uint128_t)request * step % count)
                                 : request % count;
}

static size_t request_build(char *request)
{
    const char *body = bodies[request_number % (uint64_t)body_count];

    if (settings.is_get)
        return (size_t)snprintf(request, REQUEST_BYTES_MAX,
                                "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                                settings.path);
    size_t body_bytes = strlen(body);
    char number[NUMBER_DIGITS + 1];
    int head_bytes;
    char *at;

    snprintf(number, sizeof number, "%0*llu", NUMBER_DIGITS,
             (unsigned long long)number_of(request_number));
    head_bytes = snprintf(request, REQUEST_BYTES_MAX,
                          "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s"
                          "Content-Type: application/json\r\n"
                          "Idempotency-Key: load-%s-%s\r\nContent-Length: %zu\r\n\r\n",
                          settings.path, settings.key ? "Authorization: Bearer " : "",
                          settings.key ? settings.key : "", settings.key ? "\r\n" : "",
                          settings.is_scattered ? number : run_name,
                          settings.is_scattered ? run_name : number, body_bytes);
    at = request + head_bytes;
    memcpy(at, body, body_bytes + 1);
    while ((at = strstr(at, "@@@@@@@@@@")))
        memcpy(at, number, NUMBER_DIGITS);
    request_number++;
    return (size_t)head_bytes + body_bytes;
}

/* The socket blocks for writing: a request is smaller than its buffer. */
static void request_send(struct connection *connection)
{
    static char request[REQUEST_BYTES_MAX];
    size_t bytes = request_build(request);

    connection->sent_us = now_us();
    for (size_t sent = 0; sent < bytes;) {
        ssize_t n = send(connection->fd, request + sent, bytes - sent, MSG_NOSIGNAL);

        if (n < 0)
            return; /* the read side will see the end */
        sent += (size_t)n;
    }
}

/* Bytes of the complete answer at the front, 0 when there is more to come. */
static size_t answer_bytes(const struct connection *connection)
{
    const char *end = strstr(connection->answer, "\r\n\r\n");
    size_t body_bytes = 0;

    if (!end)
        return 0;
    for (const char *line = strstr(connection->answer, "\r\n"); line && line < end;
         line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, "content-length:", 15))
            body_bytes = strtoul(line + 17, NULL, 10);
    body_bytes += (size_t)(end + 4 - connection->answer);
    return body_bytes <= connection->received ? body_bytes : 0;
}

static void answer_count(const struct connection *connection, int64_t latency_us)
{
    int status = atoi(connection->answer + sizeof "HTTP/1.1");

    if (status > 0 && status < STATUS_MAX)
        tally.status[status]++;
    if (settings.match && strstr(connection->answer, settings.match))
        tally.matches++;
    if (tally.count == tally.capacity) {
        tally.capacity = tally.capacity ? tally.capacity * 2 : 1 << 16;
        tally.latency_us =
            realloc(tally.latency_us, tally.capacity * sizeof *tally.latency_us);
        if (!tally.latency_us)
            die("memory");
    }
    tally.latency_us[tally.count++] = (uint32_t)latency_us;
}

static void connection_next(struct connection *connection)
{
    if (settings.rate > 0)
        idle[idle_count++] = connection;
    else
        request_send(connection);
}

/* Take what has come; when the answer is complete, count it and ask again. */
static void connection_serve(struct connection *connection, int poller)
{
    ssize_t got = recv(connection->fd, connection->answer + connection->received,
                       ANSWER_BYTES_MAX - connection->received, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        tally.broken++;
        close(connection->fd);
        connection_open(connection, poller);
        connection_next(connection);
        return;
    }
    connection->received += (size_t)got;
    connection->answer[connection->received] = '\0';
    if (answer_bytes(connection) == 0)
        return;
    answer_count(connection, now_us() - connection->sent_us);
    connection->received = 0;
    if (strcasestr(connection->answer, "\nConnection: close")) {
        close(connection->fd);
        connection_open(connection, poller);
    }
    connection_next(connection);
}

/* --- a run ------------------------------------------------------------------------- */

static void send_what_is_due(void)
{
    while (settings.rate > 0 && idle_count > 0 && due_us <= (double)now_us()) {
        struct connection *connection = idle[--idle_count];

        request_send(connection);
        connection->sent_us = (int64_t)due_us;
        due_us += 1e6 / settings.rate;
    }
}

static void serve_until(int poller, int64_t end_us)
{
    struct epoll_event events[256];
    int64_t now;

    while ((now = now_us()) < end_us) {
        int64_t wait_us = end_us - now;
        struct timespec wait;
        int count;

        if (idle_count > 0 && due_us < (double)end_us)
            wait_us = due_us > (double)now ? (int64_t)due_us - now : 0;
        wait = (struct timespec){wait_us / 1000000, wait_us % 1000000 * 1000};
        count = epoll_pwait2(poller, events, 256, &wait, NULL);

        for (int i = 0; i < count; i++)
            connection_serve(events[i].data.ptr, poller);
        send_what_is_due();
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double quantile_ms(double share)
{
    if (tally.count == 0)
        return 0;
    return tally.latency_us[(size_t)(share * (double)(tally.count - 1))] / 1000.0;
}

static void report(double seconds, double cpu)
{
    long errors = tally.broken;
    const char *separator = "";

    qsort(tally.latency_us, tally.count, sizeof *tally.latency_us, by_size);
    printf("{\"requests\": %zu, \"seconds\": %.3f, \"per_second\": %.1f, \"status\": {",
           tally.count, seconds, (double)tally.count / seconds);
    for (int i = 0; i < STATUS_MAX; i++) {
        if (!tally.status[i])
            continue;
        printf("%s\"%d\": %ld", separator, i, tally.status[i]);
        separator = ", ";
        errors += i / 100 == 2 ? 0 : tally.status[i];
    }
    printf("}, \"errors\": %ld, \"broken\": %ld, ", errors, tally.broken);
    if (settings.match)
        printf("\"matches\": %ld, ", tally.matches);
    if (settings.server_pid > 0 && tally.count > 0)
        printf("\"server_cpu_us\": %.2f, ", cpu / (double)tally.count * 1e6);
    printf("\"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           quantile_ms(0.5), quantile_ms(0.9), quantile_ms(0.99), quantile_ms(1));
}

static void usage(int code)
{
    fputs(
        "usage: load --port N [--path /v1/decisions] [--key SECRET] [--connections 64]\n"
        "            [--seconds 3] [--body FILE.ndjson] [--server-pid PID]\n"
        "            [--rate N]       open loop: N requests per second, on time\n"
        "            [--match TEXT]   count the answers that contain TEXT\n"
        "            [--get]          GET, without a body\n"
        "            [--scattered]    keys and numbers in no order\n",
        code ? stderr : stdout);
    exit(code);
}

static const char *settings_read(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"path", required_argument, NULL, 'u'},
        {"key", required_argument, NULL, 'k'},
        {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},
        {"body", required_argument, NULL, 'b'},
        {"rate", required_argument, NULL, 'r'},
        {"server-pid", required_argument, NULL, 'i'},
        {"match", required_argument, NULL, 'm'},
        {"get", no_argument, NULL, 'g'},
        {"scattered", no_argument, NULL, 'x'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *body_path = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            settings.port = atoi(optarg);
            break;
        case 'u':
            settings.path = optarg;
            break;
        case 'k':
            settings.key = optarg;
            break;
        case 'c':
            settings.connection_count = atoi(optarg);
            break;
        case 's':
            settings.seconds = atof(optarg);
            break;
        case 'r':
            settings.rate = atof(optarg);
            break;
        case 'b':
            body_path = optarg;
            break;
        case 'i':
            settings.server_pid = atoi(optarg);
            break;
        case 'm':
            settings.match = optarg;
            break;
        case 'g':
            settings.is_get = true;
            break;
        case 'x':
            settings.is_scattered = true;
            break;
        default:
            usage(option == 'h' ? 0 : 2);
        }
    }
    if (settings.port <= 0 || settings.port > 65535 || settings.seconds <= 0 ||
        settings.rate < 0 || settings.connection_count < 1 ||
        settings.connection_count > CONNECTION_COUNT_MAX)
        usage(2);
    return body_path;
}

int main(int argc, char **argv)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections;
    double cpu_before, cpu_after;
    int64_t started_us, ended_us;
    struct timespec wall;

    bodies_read(settings_read(argc, argv));
    clock_gettime(CLOCK_REALTIME, &wall);
    snprintf(run_name, sizeof run_name, "%llx",
             (unsigned long long)wall.tv_sec * 1000000000U +
                 (unsigned long long)wall.tv_nsec);
    /* Runs one after the other begin where no earlier run has been. */
    request_number = (uint64_t)wall.tv_sec % 10000 * 1000000;
    connections = calloc((size_t)settings.connection_count, sizeof *connections);
    if (poller < 0 || !connections)
        die("start");
    for (int i = 0; i < settings.connection_count; i++) {
        connection_open(&connections[i], poller);
        connection_next(&connections[i]);
    }

    due_us = (double)now_us();
    serve_until(poller, now_us() + WARM_UP_MS * 1000);
    tally.count = 0;
    tally.broken = tally.matches = 0;
    memset(tally.status, 0, sizeof tally.status);
    cpu_before = cpu_seconds(settings.server_pid);
    started_us = now_us();
    serve_until(poller, started_us + (int64_t)(settings.seconds * 1e6));
    ended_us = now_us();
    cpu_after = cpu_seconds(settings.server_pid);

    report((double)(ended_us - started_us) / 1e6, cpu_after - cpu_before);
    return 0;
}
