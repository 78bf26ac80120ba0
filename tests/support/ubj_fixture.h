/* ubj_fixture.h - JSON as UBJ, written in every way that UBJ allows. */
#ifndef REDRESS_TESTS_UBJ_FIXTURE_H
#define REDRESS_TESTS_UBJ_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

/* The same values: widths of integers and lengths, counts, and types of arrays are drawn
 * by seed; reals become float32 or, in arrays, sometimes double. The caller frees it. */
char *ubj_of(const char *json, uint64_t seed, size_t *bytes);

#endif
