/* fault.c - preloaded into a program, the n-th call of a kind fails, once or from then
 * on, as the page says that FAULT_PLAN names (tests/support/fault_plan.h). Without the
 * variable nothing fails.
 *
 * Files are told by their path, so that sockets and what wakes threads are left alone. */
#include "../support/fault_plan.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct fault_plan *plan;

/* By system calls: malloc may already be asked for, and may not be. */
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv(FAULT_PLAN_VARIABLE);
    long fd, at;

    if (!path)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    at = syscall(SYS_mmap, NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || at == -1) {
        static const char message[] = FAULT_PLAN_VARIABLE " cannot be mapped\n";

        syscall(SYS_write, STDERR_FILENO, message, sizeof message - 1);
        _exit(127);
    }
    syscall(SYS_close, fd);
    plan = (struct fault_plan *)(uintptr_t)at;
}

static bool is_armed(enum call_kind kind)
{
    return plan && atomic_load_explicit(&plan->kind, memory_order_acquire) == (int)kind;
}

/* Count one call of the kind. */
static bool count(void)
{
    long n = atomic_fetch_add(&plan->call_count, 1) + 1;
    long nth = atomic_load(&plan->nth);

    if (n != nth && (n < nth || !atomic_load(&plan->is_lasting)))
        return false;
    atomic_fetch_add(&plan->struck_count, 1);
    return true;
}

static bool strikes(enum call_kind kind, const char *path, int error)
{
    if (!is_armed(kind) || !strstr(path, plan->path) || !count())
        return false;
    errno = error;
    return true;
}

static bool strikes_fd(enum call_kind kind, int fd, int error)
{
    char link[32], path[4096];
    ssize_t bytes;

    if (!is_armed(kind))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    bytes = readlink(link, path, sizeof path - 2);
    strcpy(path + (bytes > 0 ? bytes : 0), "$");
    return strikes(kind, path, error);
}

/* --- memory --------------------------------------------------------------------------------- */

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *at, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static bool has_no_memory(void)
{
    return is_armed(CALL_MEMORY) && strikes(CALL_MEMORY, plan->path, ENOMEM);
}

void *malloc(size_t bytes)
{
    return has_no_memory() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    return has_no_memory() ? NULL : __libc_calloc(number, bytes);
}

void *realloc(void *at, size_t bytes)
{
    return has_no_memory() ? NULL : __libc_realloc(at, bytes);
}

void *reallocarray(void *at, size_t number, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(number, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(at, all);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return has_no_memory() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **at, size_t alignment, size_t bytes)
{
    void *found = has_no_memory() ? NULL : __libc_memalign(alignment, bytes);

    if (!found)
        return ENOMEM;
    *at = found;
    return 0;
}

/* --- files ---------------------------------------------------------------------------------- */

/* What writing so many bytes comes to: all of them, half, or an error after half. */
struct writing {
    size_t bytes;
    bool fails;
};

static struct writing writing_of(int fd, size_t bytes)
{
    if (strikes_fd(CALL_WRITE, fd, EIO))
        return (struct writing){0, true};
    if (strikes_fd(CALL_FULL, fd, ENOSPC))
        return (struct writing){bytes / 2, true};
    if (bytes > 1 && strikes_fd(CALL_SHORT, fd, 0))
        return (struct writing){bytes / 2, false};
    return (struct writing){bytes, false};
}

static ssize_t written(struct writing writing, ssize_t done)
{
    if (!writing.fails)
        return done;
    errno = writing.bytes > 0 ? ENOSPC : errno;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t number)
{
    struct writing writing = writing_of(fd, number);

    if (writing.fails && writing.bytes == 0)
        return -1;
    return written(writing, syscall(SYS_write, fd, bytes, writing.bytes));
}

ssize_t pwrite64(int fd, const void *bytes, size_t number, off64_t at)
{
    struct writing writing = writing_of(fd, number);

    if (writing.fails && writing.bytes == 0)
        return -1;
    return written(writing, syscall(SYS_pwrite64, fd, bytes, writing.bytes, at));
}

ssize_t pwrite(int fd, const void *bytes, size_t number, off_t at)
{
    return pwrite64(fd, bytes, number, at);
}

ssize_t writev(int fd, const struct iovec *pieces, int number)
{
    if (strikes_fd(CALL_WRITE, fd, EIO) || strikes_fd(CALL_FULL, fd, ENOSPC))
        return -1;
    return syscall(SYS_writev, fd, pieces, number);
}

ssize_t read(int fd, void *bytes, size_t number)
{
    return strikes_fd(CALL_READ, fd, EIO) ? -1 : syscall(SYS_read, fd, bytes, number);
}

ssize_t __read_chk(int fd, void *bytes, size_t number, size_t room);
ssize_t __read_chk(int fd, void *bytes, size_t number, size_t room)
{
    if (number > room)
        abort();
    return read(fd, bytes, number);
}

ssize_t pread64(int fd, void *bytes, size_t number, off64_t at)
{
    if (strikes_fd(CALL_READ, fd, EIO))
        return -1;
    return syscall(SYS_pread64, fd, bytes, number, at);
}

ssize_t pread(int fd, void *bytes, size_t number, off_t at)
{
    return pread64(fd, bytes, number, at);
}

int fsync(int fd)
{
    return strikes_fd(CALL_SYNC, fd, EIO) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return strikes_fd(CALL_SYNC, fd, EIO) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t bytes)
{
    return strikes_fd(CALL_TRUNCATE, fd, EIO) ? -1
                                              : (int)syscall(SYS_ftruncate, fd, bytes);
}

int ftruncate(int fd, off_t bytes)
{
    return ftruncate64(fd, bytes);
}

int posix_fallocate64(int fd, off64_t at, off64_t bytes)
{
    if (strikes_fd(CALL_TRUNCATE, fd, EIO))
        return EIO;
    return syscall(SYS_fallocate, fd, 0, at, bytes) == 0 ? 0 : errno;
}

int posix_fallocate(int fd, off_t at, off_t bytes)
{
    return posix_fallocate64(fd, at, bytes);
}

void *mmap64(void *hint, size_t bytes, int protection, int flags, int fd, off64_t at)
{
    if (fd >= 0 && strikes_fd(CALL_MAP, fd, ENOMEM))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, hint, bytes, protection, flags, fd, at);
}

void *mmap(void *hint, size_t bytes, int protection, int flags, int fd, off_t at)
{
    return mmap64(hint, bytes, protection, flags, fd, at);
}

/* --- names ---------------------------------------------------------------------------------- */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    if (strikes(CALL_OPEN, path, EMFILE))
        return -1;
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

/* The mode that follows the flags, when they need one. */
#define OPEN_WITH_MODE(folder, path, flags)                                              \
    va_list rest;                                                                        \
    mode_t mode;                                                                         \
                                                                                         \
    va_start(rest, flags);                                                               \
    mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                   \
    va_end(rest);                                                                        \
    return open_at(folder, path, flags, mode)

int open(const char *path, int flags, ...)
{
    OPEN_WITH_MODE(AT_FDCWD, path, flags);
}

int open64(const char *path, int flags, ...)
{
    OPEN_WITH_MODE(AT_FDCWD, path, flags);
}

int openat(int folder, const char *path, int flags, ...)
{
    OPEN_WITH_MODE(folder, path, flags);
}

int openat64(int folder, const char *path, int flags, ...)
{
    OPEN_WITH_MODE(folder, path, flags);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

/* glibc opens by itself, not through open. */
FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*true_fopen)(const char *path, const char *mode);

    if (strikes(CALL_OPEN, path, EMFILE))
        return NULL;
    if (!true_fopen)
        true_fopen = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    return true_fopen(path, mode);
}
