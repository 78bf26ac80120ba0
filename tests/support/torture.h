/* torture.h - tests that go on for as long as one wants: a quick form in "make test", a
 * long one in "make torture", and a report of how much was tried.
 *
 * The long form is asked for by TORTURE=1; TORTURE_REPORT names a file that each count is
 * appended to, a line "program<TAB>what<TAB>count". Any thread may report. */
#ifndef REDRESS_TESTS_TORTURE_H
#define REDRESS_TESTS_TORTURE_H

#include <stdint.h>

/* How often to try: quick, or full when the long form was asked for. */
int64_t torture_count(int64_t quick, int64_t full);

/* The same where sanitizers, under which everything takes some times as long, are to try
 * less in the quick form than "make test" does. */
int64_t torture_sample(int64_t quick, int64_t sanitized, int64_t full);

/* Say how much of something was tried or checked: "kills", "answers checked after a
 * kill". Prints it, too. Say it at the end, when it held. */
void torture_report(const char *what, int64_t count);

#endif
