#include "support/fault_plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char variable_value[4096];

struct fault_plan *fault_plan_make(const char *folder)
{
    struct fault_plan *plan = MAP_FAILED;
    int fd;

    snprintf(variable_value, sizeof variable_value, "%s/fault.plan", folder);
    fd = open(variable_value, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && ftruncate(fd, sizeof *plan) == 0)
        plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (plan == MAP_FAILED)
        perror(variable_value);
    if (fd >= 0)
        close(fd);
    return plan == MAP_FAILED ? NULL : plan;
}

void fault_plan_preload(bool is_preloaded)
{
    if (is_preloaded) {
        setenv(FAULT_PLAN_VARIABLE, variable_value, 1);
        setenv("LD_PRELOAD", PRELOAD_FOLDER "/fault.so", 1);
    } else {
        unsetenv("LD_PRELOAD");
        unsetenv(FAULT_PLAN_VARIABLE);
    }
}

void fault_plan_arm(struct fault_plan *plan, enum call_kind kind, long nth,
                    bool is_lasting, const char *path)
{
    fault_plan_disarm(plan);
    snprintf(plan->path, sizeof plan->path, "%s", path);
    atomic_store(&plan->nth, nth);
    atomic_store(&plan->is_lasting, is_lasting);
    atomic_store(&plan->call_count, 0);
    atomic_store(&plan->struck_count, 0);
    atomic_store(&plan->kind, (int)kind);
}

long fault_plan_disarm(struct fault_plan *plan)
{
    atomic_store(&plan->kind, CALL_NONE);
    return atomic_load(&plan->struck_count);
}

const char *call_kind_name(enum call_kind kind)
{
    static const char *const names[] = {
        [CALL_NONE] = "none",         [CALL_MEMORY] = "malloc",
        [CALL_WRITE] = "write",       [CALL_FULL] = "write, disk full",
        [CALL_SHORT] = "short write", [CALL_SYNC] = "fsync",
        [CALL_READ] = "read",         [CALL_OPEN] = "open",
        [CALL_TRUNCATE] = "truncate", [CALL_MAP] = "mmap",
    };

    return names[kind];
}
