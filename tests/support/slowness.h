/* slowness.h - what a limit on time means on this machine, as busy as it is.
 *
 * A limit says what something may take on the machine it was set on. Another machine, or
 * this one while its cores are shared, takes longer for anything: beside what is judged,
 * something known is measured. Counts of work are better where there are some.
 *
 * Every function stops the test when it does not work. */
#ifndef REDRESS_TESTS_SLOWNESS_H
#define REDRESS_TESTS_SLOWNESS_H

#include <stdint.h>

/* How many times as long a known piece of work takes a thread just now as it did there;
 * at least 1. Some ten milliseconds of CPU. Any thread. */
double machine_slowness(void);

/* Somebody on a port of this process who sends back what he gets, on a thread of his own:
 * how long does a connection, a byte there and a byte back take beside everything else?
 * For one caller at a time. */
struct echo; /* opaque */
struct echo *echo_open(void);
int64_t echo_us(struct echo *echo); /* of one more connection */
void echo_close(struct echo *echo);

/* What 99 of 100 echoes until now took at most. */
int64_t echo_p99_us(struct echo *echo);

#endif
