/* log_output.c - lines on their way out: written at once, or by a thread that alone waits
 * for whoever reads them. Neither a write without waiting nor poll(2) would do: the first
 * is a property of the open file, which other programs share; and after the second a
 * terminal, or a pipe that others fill, may block all the same, as a file does on a disk
 * that hangs. */
#include "log_line.h"

#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_news, is_idle;
    struct thread thread;
    atomic_bool is_started;
    bool is_over, is_writing;
    char waiting[LOG_WAITING_BYTES_MAX];
    size_t waiting_bytes;
    int64_t lost_count; /* lines, since somebody was told */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* One write but for what takes only a part of it. */
static bool write_line(const char *text, size_t bytes)
{
    struct pollfd file = {.fd = STDERR_FILENO, .events = POLLOUT};

    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, text, bytes);

        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            (void)poll(&file, 1, -1); /* somebody else wants no waiting on this file */
        } else if (written == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* How many could not be written. */
static int64_t write_lines(const char *text, size_t bytes)
{
    const char *end = text + bytes;
    int64_t failed_count = 0;

    while (text < end) {
        const char *next = (const char *)memchr(text, '\n', (size_t)(end - text)) + 1;

        if (!write_line(text, (size_t)(next - text)))
            failed_count++;
        text = next;
    }
    return failed_count;
}

static bool tell_lost(int64_t count)
{
    const struct log_field fields[] = {LOG_INT("count", count), {0}};
    struct log_line line;

    log_line_make(&line, LOG_WARN, "log_lines_lost", fields);
    return write_line(line.text, line.bytes);
}

/* Write what waits, without the lock, and tell what was lost behind it. */
static void write_waiting(void)
{
    static char taken[LOG_WAITING_BYTES_MAX];
    size_t bytes = output.waiting_bytes;
    int64_t lost_count = output.lost_count;

    memcpy(taken, output.waiting, bytes);
    output.waiting_bytes = 0;
    output.lost_count = 0;
    output.is_writing = true;
    pthread_mutex_unlock(&output.lock);
    lost_count += write_lines(taken, bytes);
    if (lost_count > 0 && tell_lost(lost_count))
        lost_count = 0;
    pthread_mutex_lock(&output.lock);
    output.lost_count += lost_count;
    output.is_writing = false;
}

static void *log_thread(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&output.lock);
    for (;;) {
        while (output.waiting_bytes == 0 && !output.is_over) {
            pthread_cond_broadcast(&output.is_idle);
            pthread_cond_wait(&output.has_news, &output.lock);
        }
        if (output.waiting_bytes == 0)
            break;
        write_waiting();
    }
    pthread_mutex_unlock(&output.lock);
    return NULL;
}

void log_line_put(const struct log_line *line)
{
    if (!atomic_load(&output.is_started)) {
        (void)write_line(line->text, line->bytes); /* nobody could be told */
        return;
    }
    pthread_mutex_lock(&output.lock);
    if (line->bytes <= sizeof output.waiting - output.waiting_bytes) {
        memcpy(output.waiting + output.waiting_bytes, line->text, line->bytes);
        output.waiting_bytes += line->bytes;
        pthread_cond_signal(&output.has_news);
    } else {
        output.lost_count++;
    }
    pthread_mutex_unlock(&output.lock);
}

enum status log_start(struct err *err)
{
    pthread_condattr_t attributes;
    enum status rc;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&output.has_news, &attributes);
    pthread_cond_init(&output.is_idle, &attributes);
    pthread_condattr_destroy(&attributes);
    output.is_over = false;
    rc = thread_start(&output.thread, "log", log_thread, NULL, err);
    atomic_store(&output.is_started, !rc);
    return rc;
}

static struct timespec moment_after(int wait_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += wait_ms / 1000;
    at.tv_nsec += wait_ms % 1000 * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

bool log_flush(int wait_ms)
{
    struct timespec until = moment_after(wait_ms);
    bool is_idle;
    int code = 0;

    if (!atomic_load(&output.is_started))
        return true;
    pthread_mutex_lock(&output.lock);
    while ((output.waiting_bytes > 0 || output.is_writing) && code == 0)
        code = pthread_cond_timedwait(&output.is_idle, &output.lock, &until);
    is_idle = output.waiting_bytes == 0 && !output.is_writing;
    pthread_mutex_unlock(&output.lock);
    return is_idle;
}

bool log_end(int wait_ms)
{
    if (!log_flush(wait_ms))
        return false;
    if (!atomic_exchange(&output.is_started, false))
        return true;
    pthread_mutex_lock(&output.lock);
    output.is_over = true;
    pthread_cond_signal(&output.has_news);
    pthread_mutex_unlock(&output.lock);
    thread_join(&output.thread);
    pthread_cond_destroy(&output.has_news);
    pthread_cond_destroy(&output.is_idle);
    return true;
}
