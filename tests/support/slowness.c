/* slowness.c - see slowness.h. */
#include "support/slowness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STEP_COUNT = 50000,
    CELL_COUNT = 1 << 16, /* half a megabyte: more than the caches nearest to a core */
    TRY_COUNT = 9,
    ECHO_COUNT_MAX = 100000,
};

/* Of a try, in a release build on two cores of an Intel Xeon at 2.1 GHz, otherwise
 * idle. */
static const double usual_ns = 1.1e6;

/* Each step waits for the one before: a division, a branch and a cell that nobody
 * foresees. */
static double work_ns(double *cells)
{
    int64_t begun_ns = clock_thread_ns();
    uint64_t at = 1;

    for (int i = 0; i < STEP_COUNT; i++) {
        double *cell = &cells[at % CELL_COUNT];

        *cell = (*cell + 1) / ((double)(at & 1023) + 1.5);
        if (at & 64)
            at ^= 0x9e3779b97f4a7c15;
        at = at * UINT64_C(6364136223846793005) + (uint64_t)(*cell * 1024);
        at ^= at >> 29;
    }
    return (double)(clock_thread_ns() - begun_ns);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

double machine_slowness(void)
{
    double *cells = calloc(CELL_COUNT, sizeof *cells), tries[TRY_COUNT];

    if (!cells)
        return 1;
    for (int i = 0; i < TRY_COUNT; i++)
        tries[i] = work_ns(cells);
    free(cells);
    qsort(tries, TRY_COUNT, sizeof *tries, by_size);
    return fmax(1, tries[TRY_COUNT / 2] / usual_ns);
}

/* --- echoes ----------------------------------------------------------------------------------- */

struct echo {
    int listener;
    struct sockaddr_in address;
    pthread_t thread;
    double *samples; /* microseconds */
    int sample_count;
};

/* Until the listener is shut down. */
static void *echo_run(void *argument)
{
    const struct echo *echo = argument;
    int peer;

    while ((peer = accept4(echo->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        char byte;

        if (read(peer, &byte, 1) == 1)
            (void)!write(peer, &byte, 1);
        close(peer);
    }
    return NULL;
}

struct echo *echo_open(void)
{
    struct echo *echo = calloc(1, sizeof *echo);
    socklen_t bytes = sizeof echo->address;

    assert_non_null(echo);
    echo->samples = calloc(ECHO_COUNT_MAX, sizeof *echo->samples);
    assert_non_null(echo->samples);
    echo->address = (struct sockaddr_in){.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    echo->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(echo->listener, (const struct sockaddr *)&echo->address, bytes),
                     0);
    assert_int_equal(listen(echo->listener, 8), 0);
    assert_int_equal(
        getsockname(echo->listener, (struct sockaddr *)&echo->address, &bytes), 0);
    assert_int_equal(pthread_create(&echo->thread, NULL, echo_run, echo), 0);
    return echo;
}

int64_t echo_us(struct echo *echo)
{
    int64_t begun_us = clock_monotonic_us(&system_clock), took_us;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte = 'x';

    assert_true(fd >= 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&echo->address, sizeof echo->address), 0);
    assert_int_equal(write(fd, &byte, 1), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
    close(fd);
    took_us = clock_monotonic_us(&system_clock) - begun_us;
    if (echo->sample_count < ECHO_COUNT_MAX)
        echo->samples[echo->sample_count++] = (double)took_us;
    return took_us;
}

int64_t echo_p99_us(struct echo *echo)
{
    assert_true(echo->sample_count > 0);
    qsort(echo->samples, (size_t)echo->sample_count, sizeof *echo->samples, by_size);
    return (int64_t)echo->samples[(echo->sample_count - 1) * 99 / 100];
}

void echo_close(struct echo *echo)
{
    shutdown(echo->listener, SHUT_RDWR);
    pthread_join(echo->thread, NULL);
    close(echo->listener);
    free(echo->samples);
    free(echo);
}
