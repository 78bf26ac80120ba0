/* process.c - see process.h. */
#include "support/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int64_t process_resident_bytes(pid_t pid)
{
    char path[64];
    int64_t whole, resident;
    FILE *file;
    int count;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return -1;
    count = fscanf(file, "%" SCNd64 " %" SCNd64, &whole, &resident);
    fclose(file);
    return count == 2 ? resident * sysconf(_SC_PAGESIZE) : -1;
}

bool process_memory_is_told(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("SKIPPED: memory is not judged under a sanitizer\n");
    return false;
#else
    return true;
#endif
}

int process_descriptor_count(pid_t pid)
{
    char path[64];
    int count = 0;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    if (!folder)
        return -1;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* Fields 14 and 15, counted from behind the name in parentheses, which is the second
 * (proc(5)). */
int64_t process_cpu_us(pid_t pid)
{
    char path[64], line[1024] = "";
    const char *rest;
    int64_t user, system;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return -1;
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    rest = strrchr(line, ')');
    if (!rest ||
        sscanf(rest + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNd64 " %" SCNd64, &user,
               &system) != 2)
        return -1;
    return (user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}
