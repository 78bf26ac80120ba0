#include "support/disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* No file of a test grows beyond; only what is touched takes memory. */
enum {
    FILE_BYTES_MAX = 1 << 30,
    BLOCK_BYTES = 4096,
    SECTOR_BYTES = 512,
    PATH_BYTES = 4096
};

/* What a file holds for sure, and the writes after that. */
struct file {
    uint64_t inode;
    char *sure;
    uint64_t sure_bytes,
        used_bytes;   /* its size, and where its last byte ends that is not 0 */
    int64_t *pending; /* places */
    int pending_count, pending_capacity;
};

/* A change of an entry: name is made file (-1: a folder), taken away, or renamed. */
struct entry_change {
    int64_t place;
    enum disk_change change;
    int file;
    char *name, *new_name;
};

struct disk {
    const char *journal;
    int64_t journal_bytes, place;
    struct file *files;
    int file_count;
    struct entry_change *entries;
    int entry_count, sure_entry_count;
    struct disk_moment *moments;
    int moment_count;
};

/* An entry as it is after some of the changes. */
struct name {
    const char *name;
    int file;
};

const char *disk_style_name(enum disk_style style)
{
    static const char *const names[DISK_STYLE_COUNT] = {
        [DISK_ALL_KEPT] = "all kept",
        [DISK_ALL_DROPPED] = "all dropped",
        [DISK_NAMES_ONLY] = "names only",
        [DISK_IN_ORDER] = "in order",
        [DISK_BY_FILE] = "by file",
        [DISK_ANY_WRITES] = "any writes",
        [DISK_TORN] = "torn",
    };

    return names[style];
}

const char *disk_change_name(enum disk_change change)
{
    static const char *const names[] = {
        [DISK_MAKE_FILE] = "file made", [DISK_MAKE_FOLDER] = "folder made",
        [DISK_UNLINK] = "file removed", [DISK_RENAME] = "new name",
        [DISK_WRITE] = "write",         [DISK_ZERO] = "write of zeros",
        [DISK_TRUNCATE] = "new size",   [DISK_SYNC] = "sync",
    };

    return names[change];
}

static void die(const char *what)
{
    fprintf(stderr, "disk_image: %s: %s\n", what, strerror(errno));
    abort();
}

/* Room for one more. */
static void *grow(void *items, int count, int *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 64;
    items = reallocarray(items, (size_t)*capacity, item_bytes);
    if (!items)
        die("no memory");
    return items;
}

/* --- records ---------------------------------------------------------------------------------- */

static struct disk_record record_at(const struct disk *disk, int64_t place)
{
    struct disk_record record;

    memcpy(&record, disk->journal + place, sizeof record);
    if (record.magic != DISK_MAGIC)
        die("the journal is broken");
    return record;
}

static const char *record_name(const struct disk *disk, int64_t place)
{
    return disk->journal + place + sizeof(struct disk_record);
}

static const char *record_data(const struct disk *disk, int64_t place)
{
    return record_name(disk, place) + record_at(disk, place).name_bytes;
}

static int64_t record_end(const struct disk *disk, int64_t place)
{
    struct disk_record record = record_at(disk, place);

    return place + (int64_t)(sizeof record + record.name_bytes + record.data_bytes);
}

/* The newest file of that inode: inodes are used again. */
static int file_find(const struct disk *disk, uint64_t inode)
{
    int at = disk->file_count - 1;

    while (at >= 0 && disk->files[at].inode != inode)
        at--;
    if (at < 0)
        die("a file that was never made");
    return at;
}

static int file_make(struct disk *disk, uint64_t inode)
{
    struct file *file;

    disk->files = reallocarray(disk->files, (size_t)disk->file_count + 1, sizeof *file);
    if (!disk->files)
        die("no memory");
    file = &disk->files[disk->file_count];
    *file = (struct file){.inode = inode};
    file->sure = mmap(NULL, FILE_BYTES_MAX, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (file->sure == MAP_FAILED)
        die("no memory for a file");
    return disk->file_count++;
}

/* --- entries ---------------------------------------------------------------------------------- */

static int name_find(const struct name *names, int count, const char *wanted)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i].name, wanted) == 0)
            return i;
    return -1;
}

/* The entries after the first so many changes; the caller frees them. */
static struct name *names_after(const struct disk *disk, int change_count, int *count)
{
    struct name *names = calloc((size_t)change_count + 1, sizeof *names);

    if (!names)
        die("no memory");
    *count = 0;
    for (int i = 0; i < change_count; i++) {
        const struct entry_change *entry = &disk->entries[i];
        bool is_rename = entry->change == DISK_RENAME;
        int at = name_find(names, *count, entry->name);

        if (at >= 0 && (is_rename || entry->change == DISK_UNLINK))
            names[at] = names[--*count];
        if (entry->change == DISK_UNLINK)
            continue;
        at = is_rename ? name_find(names, *count, entry->new_name) : -1;
        names[at >= 0 ? at : (*count)++] =
            (struct name){is_rename ? entry->new_name : entry->name, entry->file};
    }
    return names;
}

static const char *name_of(const struct disk *disk, int file)
{
    const char *found = "";
    int count;
    struct name *names = names_after(disk, disk->entry_count, &count);

    for (int i = 0; i < count; i++)
        if (names[i].file == file)
            found = names[i].name;
    free(names);
    return found;
}

static int file_named(const struct disk *disk, const char *wanted)
{
    int count, at, file;
    struct name *names = names_after(disk, disk->entry_count, &count);

    at = name_find(names, count, wanted);
    file = at >= 0 ? names[at].file : -1;
    free(names);
    return file;
}

/* Whether it is an entry of that folder itself. */
static bool is_in(const char *name, const char *folder)
{
    const char *slash = strrchr(name, '/');
    size_t bytes = slash ? (size_t)(slash - name) : 0;

    return strlen(folder) == bytes && strncmp(name, folder, bytes) == 0;
}

static void entry_apply(struct disk *disk, int64_t place)
{
    struct disk_record record = record_at(disk, place);
    struct entry_change *entry;

    disk->entries =
        reallocarray(disk->entries, (size_t)disk->entry_count + 1, sizeof *disk->entries);
    if (!disk->entries)
        die("no memory");
    entry = &disk->entries[disk->entry_count];
    *entry = (struct entry_change){
        .place = place,
        .change = record.change,
        .file = -1,
        .name = strndup(record_name(disk, place), record.name_bytes),
        .new_name = strndup(record_data(disk, place), record.data_bytes),
    };
    if (!entry->name || !entry->new_name)
        die("no memory");
    if (record.change == DISK_MAKE_FILE)
        entry->file = file_make(disk, record.object);
    else if (record.change != DISK_MAKE_FOLDER)
        entry->file = file_named(disk, entry->name);
    disk->entry_count++;
}

/* --- time goes on ----------------------------------------------------------------------------- */

static void resize(struct file *file, uint64_t bytes)
{
    if (bytes < file->used_bytes) {
        memset(file->sure + bytes, 0, file->used_bytes - bytes);
        file->used_bytes = bytes;
    }
    file->sure_bytes = bytes;
}

static void make_sure(struct disk *disk, struct file *file, int64_t place)
{
    struct disk_record record = record_at(disk, place);
    uint64_t end = record.offset + record.length;

    if (record.change == DISK_TRUNCATE) {
        resize(file, record.length);
        return;
    }
    if (end > FILE_BYTES_MAX)
        die("a file is too large");
    if (record.change == DISK_WRITE) {
        memcpy(file->sure + record.offset, record_data(disk, place), record.data_bytes);
        if (end > file->used_bytes)
            file->used_bytes = end;
    } else if (record.offset < file->used_bytes) {
        memset(file->sure + record.offset, 0, record.length);
    }
    if (end > file->sure_bytes)
        file->sure_bytes = end;
}

static void sync_file(struct disk *disk, uint64_t inode, int64_t began_at)
{
    int number = file_find(disk, inode), kept_count = 0;
    struct file *file = &disk->files[number];

    for (int i = 0; i < file->pending_count; i++) {
        if (file->pending[i] < began_at)
            make_sure(disk, file, file->pending[i]);
        else
            file->pending[kept_count++] = file->pending[i];
    }
    file->pending_count = kept_count;
    for (int i = disk->sure_entry_count; i < disk->entry_count; i++)
        if (disk->entries[i].file == number && disk->entries[i].place < began_at)
            disk->sure_entry_count = i + 1;
}

static void sync_folder(struct disk *disk, const char *folder, int64_t began_at)
{
    for (int i = disk->sure_entry_count; i < disk->entry_count; i++) {
        const struct entry_change *entry = &disk->entries[i];

        if (entry->place < began_at &&
            (is_in(entry->name, folder) || is_in(entry->new_name, folder)))
            disk->sure_entry_count = i + 1;
    }
}

static void apply(struct disk *disk, int64_t place)
{
    struct disk_record record = record_at(disk, place);
    struct file *file;
    char *folder;

    switch ((enum disk_change)record.change) {
    case DISK_MAKE_FILE:
    case DISK_MAKE_FOLDER:
    case DISK_UNLINK:
    case DISK_RENAME:
        entry_apply(disk, place);
        break;
    case DISK_WRITE:
    case DISK_ZERO:
    case DISK_TRUNCATE:
        file = &disk->files[file_find(disk, record.object)];
        file->pending = grow(file->pending, file->pending_count, &file->pending_capacity,
                             sizeof *file->pending);
        file->pending[file->pending_count++] = place;
        break;
    case DISK_SYNC:
        folder = strndup(record_name(disk, place), record.name_bytes);
        if (record.is_folder)
            sync_folder(disk, folder, (int64_t)record.length);
        else
            sync_file(disk, record.object, (int64_t)record.length);
        free(folder);
        break;
    }
}

void disk_advance(struct disk *disk, int64_t place)
{
    while (disk->place < place && disk->place < disk->journal_bytes) {
        apply(disk, disk->place);
        disk->place = record_end(disk, disk->place);
    }
}

int disk_unsure_count(const struct disk *disk)
{
    int count = disk->entry_count - disk->sure_entry_count;

    for (int i = 0; i < disk->file_count; i++)
        count += disk->files[i].pending_count;
    return count;
}

/* --- an image --------------------------------------------------------------------------------- */

struct image {
    const struct disk *disk;
    enum disk_style style;
    struct rng *rng;
    int64_t until;   /* in order: what came later is lost */
    uint64_t chance; /* of ten that a write, or sector, is kept */
};

static void put(int fd, const char *data, uint64_t bytes, uint64_t offset)
{
    if (pwrite(fd, data, bytes, (off_t)offset) != (ssize_t)bytes)
        die("cannot write an image");
}

/* Without the blocks of zeros, which take time and room. */
static void put_sure(int fd, const struct file *file)
{
    static const char zeros[BLOCK_BYTES];

    for (uint64_t at = 0; at < file->used_bytes; at += BLOCK_BYTES) {
        uint64_t rest = file->used_bytes - at,
                 bytes = rest < BLOCK_BYTES ? rest : BLOCK_BYTES;

        if (memcmp(file->sure + at, zeros, bytes) != 0)
            put(fd, file->sure + at, bytes, at);
    }
    if (ftruncate(fd, (off_t)file->sure_bytes) != 0)
        die("cannot size an image");
}

static bool is_kept_by_chance(const struct image *image)
{
    return rng_below(image->rng, 10) < image->chance;
}

/* Writes end where sectors end, or tear there. */
static void put_pending(const struct image *image, int fd, int64_t place)
{
    static const char zeros[SECTOR_BYTES];
    struct disk_record record = record_at(image->disk, place);
    const char *data =
        record.change == DISK_WRITE ? record_data(image->disk, place) : NULL;
    uint64_t at = record.offset, end = record.offset + record.length;
    bool is_torn = image->style == DISK_TORN;
    struct stat info;

    if (record.change == DISK_TRUNCATE) {
        if (ftruncate(fd, (off_t)record.length) != 0)
            die("cannot size an image");
        return;
    }
    if (fstat(fd, &info) != 0)
        die("cannot look at an image");
    if (!is_torn && !data && at >= (uint64_t)info.st_size) {
        if (ftruncate(fd, (off_t)end) != 0)
            die("cannot size an image");
        return;
    }
    if (!is_torn && data) {
        put(fd, data, record.length, at);
        return;
    }
    while (at < end) {
        uint64_t next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;

        if (next > end)
            next = end;
        if (!is_torn || is_kept_by_chance(image))
            put(fd, data ? data + (at - record.offset) : zeros, next - at, at);
        at = next;
    }
}

static bool is_kept(const struct image *image, int64_t place, bool is_file_kept)
{
    switch (image->style) {
    case DISK_ALL_KEPT:
    case DISK_TORN:
        return true;
    case DISK_IN_ORDER:
        return place < image->until;
    case DISK_BY_FILE:
        return is_file_kept;
    case DISK_ANY_WRITES:
        return is_kept_by_chance(image);
    case DISK_ALL_DROPPED:
    case DISK_NAMES_ONLY:
    case DISK_STYLE_COUNT:
        break;
    }
    return false;
}

static void put_file(const struct image *image, const struct file *file, const char *path)
{
    bool is_file_kept = rng_below(image->rng, 2);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        die(path);
    put_sure(fd, file);
    for (int i = 0; i < file->pending_count; i++)
        if (is_kept(image, file->pending[i], is_file_kept))
            put_pending(image, fd, file->pending[i]);
    close(fd);
}

static int entries_kept(const struct image *image)
{
    const struct disk *disk = image->disk;
    int count = disk->sure_entry_count;

    switch (image->style) {
    case DISK_ALL_KEPT:
    case DISK_NAMES_ONLY:
        return disk->entry_count;
    case DISK_ALL_DROPPED:
        return count;
    case DISK_IN_ORDER:
        while (count < disk->entry_count && disk->entries[count].place < image->until)
            count++;
        return count;
    case DISK_BY_FILE:
    case DISK_ANY_WRITES:
    case DISK_TORN:
    case DISK_STYLE_COUNT:
        break;
    }
    return count + (int)rng_below(image->rng, (uint64_t)(disk->entry_count - count) + 1);
}

/* Where the first thing happened that is not sure. */
static int64_t first_unsure(const struct disk *disk)
{
    int64_t first = disk->place;

    if (disk->sure_entry_count < disk->entry_count)
        first = disk->entries[disk->sure_entry_count].place;
    for (int i = 0; i < disk->file_count; i++)
        if (disk->files[i].pending_count > 0 && disk->files[i].pending[0] < first)
            first = disk->files[i].pending[0];
    return first;
}

void disk_write(const struct disk *disk, enum disk_style style, struct rng *rng,
                const char *folder)
{
    static const uint64_t chances[] = {1, 5, 9};
    int64_t first = first_unsure(disk);
    const struct image image = {
        .disk = disk,
        .style = style,
        .rng = rng,
        .until = first + (int64_t)rng_below(rng, (uint64_t)(disk->place - first) + 1),
        .chance = chances[rng_below(rng, sizeof chances / sizeof *chances)],
    };
    int count;
    struct name *names = names_after(disk, entries_kept(&image), &count);
    char path[PATH_BYTES];

    /* In the order in which they were made: a folder comes before what is in it. */
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i].name);
        if (names[i].file < 0 && mkdir(path, 0700) != 0)
            die(path);
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i].name);
        if (names[i].file >= 0)
            put_file(&image, &disk->files[names[i].file], path);
    }
    free(names);
}

/* --- opening ---------------------------------------------------------------------------------- */

const struct disk_moment *disk_moments(const struct disk *disk, int *count)
{
    *count = disk->moment_count;
    return disk->moments;
}

static void forget(struct disk *disk)
{
    for (int i = 0; i < disk->file_count; i++) {
        munmap(disk->files[i].sure, FILE_BYTES_MAX);
        free(disk->files[i].pending);
    }
    for (int i = 0; i < disk->entry_count; i++) {
        free(disk->entries[i].name);
        free(disk->entries[i].new_name);
    }
    for (int i = 0; i < disk->moment_count; i++)
        free((char *)(uintptr_t)disk->moments[i].name);
    free(disk->files);
    free(disk->entries);
    free(disk->moments);
}

/* What the change at the place of this disk concerns; the caller frees the name. */
static struct disk_moment moment_now(const struct disk *disk)
{
    struct disk_record record = record_at(disk, disk->place);
    bool has_name = record.change < DISK_WRITE || record.is_folder;
    struct disk_moment moment = {
        .place = disk->place, .change = record.change, .offset = record.offset};

    moment.name = has_name ? strndup(record_name(disk, disk->place), record.name_bytes)
                           : strdup(name_of(disk, file_find(disk, record.object)));
    if (!moment.name)
        die("no memory");
    return moment;
}

/* One walk through the journal on a disk of its own. */
static void find_moments(struct disk *disk)
{
    struct disk scout = {.journal = disk->journal, .journal_bytes = disk->journal_bytes};
    int capacity = 0;

    while (scout.place < scout.journal_bytes) {
        disk->moments =
            grow(disk->moments, disk->moment_count, &capacity, sizeof *disk->moments);
        disk->moments[disk->moment_count++] = moment_now(&scout);
        disk_advance(&scout, record_end(&scout, scout.place));
    }
    forget(&scout);
}

struct disk *disk_open(const struct disk_recording *recording)
{
    const char *path = disk_recording_path(recording);
    struct disk *disk = calloc(1, sizeof *disk);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (!disk || fd < 0)
        die(path);
    disk->journal_bytes = disk_recording_place(recording);
    disk->journal =
        mmap(NULL, (size_t)disk->journal_bytes + 1, PROT_READ, MAP_PRIVATE, fd, 0);
    if (disk->journal == MAP_FAILED)
        die(path);
    close(fd);
    find_moments(disk);
    return disk;
}

void disk_close(struct disk *disk)
{
    if (!disk)
        return;
    forget(disk);
    munmap((void *)(uintptr_t)disk->journal, (size_t)disk->journal_bytes + 1);
    free(disk);
}
