/* slow_disk.c - preloaded into a program, its disk is slow: every fsync and fdatasync
 * takes SLOW_DISK_MS milliseconds more (a decimal number). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int (*true_fsync)(int file), (*true_fdatasync)(int file);
static struct timespec delay;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("SLOW_DISK_MS");
    double ms = 0;
    char rest;

    true_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    true_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (!text || sscanf(text, "%lf%c", &ms, &rest) != 1 || !(ms >= 0 && ms <= 60000)) {
        fprintf(stderr, "SLOW_DISK_MS is not a number of milliseconds up to 60000\n");
        exit(2);
    }
    delay.tv_sec = (time_t)(ms / 1000);
    delay.tv_nsec = (long)((ms - (double)delay.tv_sec * 1000) * 1e6);
}

static void wait_for_disk(void)
{
    struct timespec left = delay;

    while (nanosleep(&left, &left) != 0)
        ;
}

int fsync(int file)
{
    wait_for_disk();
    return true_fsync(file);
}

int fdatasync(int file)
{
    wait_for_disk();
    return true_fdatasync(file);
}
