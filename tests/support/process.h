/* process.h - what a process takes up, as /proc tells. -1 when it is gone. */
#ifndef REDRESS_TESTS_PROCESS_H
#define REDRESS_TESTS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int64_t process_resident_bytes(pid_t pid);

/* Whether that says what the program needs: a sanitizer keeps what was freed. If not,
 * says so. */
bool process_memory_is_told(void);

int process_descriptor_count(pid_t pid);
int64_t process_cpu_us(pid_t pid); /* user and system time of all its threads */

#endif
