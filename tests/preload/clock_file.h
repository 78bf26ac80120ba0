/* clock_file.h - what the preloaded clocks share: the true clock, a number in a file by
 * which a test sets the wall clock, and the calls that follow clock_gettime. Included
 * once by each. */
#ifndef REDRESS_TESTS_CLOCK_FILE_H
#define REDRESS_TESTS_CLOCK_FILE_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*true_clock)(clockid_t id, struct timespec *now);
static const _Atomic int64_t *set_us; /* what is in the file */

/* Once; other libraries ask for the time before anything else of this one runs. The
 * environment's variable names a file of eight bytes. */
static void clock_file_open(const char *variable)
{
    const char *path = getenv(variable);
    int file;
    void *at;

    if (set_us)
        return;
    true_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    at = file < 0 ? MAP_FAILED
                  : mmap(NULL, sizeof *set_us, PROT_READ, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) {
        fprintf(stderr, "%s does not name a file of eight bytes\n", variable);
        exit(2);
    }
    close(file);
    set_us = at;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec wall;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &wall);
    *now = (struct timeval){wall.tv_sec, wall.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    if (now)
        *now = wall.tv_sec;
    return wall.tv_sec;
}

#endif
