/* store_fault_vfs.c - a disk and a memory below SQLite that fail when told to. */
#include "store_fault_vfs.h"

#include <assert.h>
#include <signal.h>
#include <sqlite3.h>
#include <stddef.h>

static struct {
    enum fault_kind kind;
    long left;
    bool is_lasting, has_struck;
} plan;

void fault_arm(enum fault_kind kind, long nth, bool is_lasting)
{
    plan.kind = kind;
    plan.left = nth;
    plan.is_lasting = is_lasting;
    plan.has_struck = false;
}

bool fault_disarm(void)
{
    plan.kind = FAULT_NONE;
    return plan.has_struck;
}

static bool strikes(enum fault_kind kind)
{
    if (plan.kind != kind)
        return false;
    if (--plan.left == 0 || (plan.left < 0 && plan.is_lasting))
        return plan.has_struck = true;
    return false;
}

/* --- files ---------------------------------------------------------------------------------- */

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *disk, faulty;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct fault_file *)(void *)file)->real;
}

#define PASS(name, parameters, ...)                                                      \
    static int fault_##name parameters                                                   \
    {                                                                                    \
        return real_of(file)->pMethods->name(real_of(file) __VA_OPT__(, ) __VA_ARGS__);  \
    }

PASS(xClose, (sqlite3_file * file))
PASS(xFileSize, (sqlite3_file * file, sqlite3_int64 *bytes), bytes)
PASS(xLock, (sqlite3_file * file, int level), level)
PASS(xUnlock, (sqlite3_file * file, int level), level)
PASS(xCheckReservedLock, (sqlite3_file * file, int *is_reserved), is_reserved)
PASS(xFileControl, (sqlite3_file * file, int operation, void *argument), operation,
     argument)
PASS(xSectorSize, (sqlite3_file * file))
PASS(xDeviceCharacteristics, (sqlite3_file * file))
PASS(xShmMap, (sqlite3_file * file, int page, int bytes, int extend, void volatile **at),
     page, bytes, extend, at)
PASS(xShmLock, (sqlite3_file * file, int offset, int n, int flags), offset, n, flags)
PASS(xShmUnmap, (sqlite3_file * file, int is_last), is_last)

static void fault_xShmBarrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int fault_xRead(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    if (strikes(FAULT_READ))
        return SQLITE_IOERR_READ;
    return real_of(file)->pMethods->xRead(real_of(file), bytes, n, at);
}

static int fault_xWrite(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    if (strikes(FAULT_WRITE))
        return SQLITE_IOERR_WRITE;
    if (strikes(FAULT_KILL)) {
        (void)real_of(file)->pMethods->xWrite(real_of(file), bytes, n, at);
        raise(SIGKILL);
    }
    if (strikes(FAULT_FULL)) {
        (void)real_of(file)->pMethods->xWrite(real_of(file), bytes, n / 2, at);
        return SQLITE_FULL;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, n, at);
}

static int fault_xTruncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    if (strikes(FAULT_TRUNCATE))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(file)->pMethods->xTruncate(real_of(file), bytes);
}

static int fault_xSync(sqlite3_file *file, int flags)
{
    if (strikes(FAULT_SYNC))
        return SQLITE_IOERR_FSYNC;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_xClose,
    .xRead = fault_xRead,
    .xWrite = fault_xWrite,
    .xTruncate = fault_xTruncate,
    .xSync = fault_xSync,
    .xFileSize = fault_xFileSize,
    .xLock = fault_xLock,
    .xUnlock = fault_xUnlock,
    .xCheckReservedLock = fault_xCheckReservedLock,
    .xFileControl = fault_xFileControl,
    .xSectorSize = fault_xSectorSize,
    .xDeviceCharacteristics = fault_xDeviceCharacteristics,
    .xShmMap = fault_xShmMap,
    .xShmLock = fault_xShmLock,
    .xShmBarrier = fault_xShmBarrier,
    .xShmUnmap = fault_xShmUnmap,
};

static int fault_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
                      int *flags_out)
{
    struct fault_file *fault = (struct fault_file *)(void *)file;
    int code;

    (void)self;
    fault->base.pMethods = NULL;
    fault->real = (sqlite3_file *)(void *)(fault + 1);
    code = disk->xOpen(disk, name, fault->real, flags, flags_out);
    if (code == SQLITE_OK)
        fault->base.pMethods = &fault_methods;
    return code;
}

/* --- memory --------------------------------------------------------------------------------- */

static sqlite3_mem_methods memory;

static void *fault_malloc(int bytes)
{
    return strikes(FAULT_MEMORY) ? NULL : memory.xMalloc(bytes);
}

static void *fault_realloc(void *at, int bytes)
{
    return strikes(FAULT_MEMORY) ? NULL : memory.xRealloc(at, bytes);
}

void fault_install(void)
{
    sqlite3_mem_methods methods;
    int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);

    assert(code == SQLITE_OK);
    methods = memory;
    methods.xMalloc = fault_malloc;
    methods.xRealloc = fault_realloc;
    code = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    assert(code == SQLITE_OK);
    disk = sqlite3_vfs_find(NULL);
    assert(disk);
    faulty = *disk;
    faulty.pNext = NULL;
    faulty.zName = "faulty";
    faulty.szOsFile = (int)sizeof(struct fault_file) + disk->szOsFile;
    faulty.xOpen = fault_open;
    code = sqlite3_vfs_register(&faulty, 1);
    assert(code == SQLITE_OK);
}
