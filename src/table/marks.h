/* marks.h - where a table's commas, newlines and quotes are, 64 bytes at a time. Private
 * to table/. */
#ifndef REDRESS_TABLE_MARKS_H
#define REDRESS_TABLE_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { MARKS_BYTES = 64 };

static inline bool is_mark(char c)
{
    return c == ',' || c == '\n' || c == '"';
}

/* The plain way, which the other is tested against: bit i is for at[i]. */
static inline uint64_t marks_each(const char *at)
{
    uint64_t marks = 0;

    for (int i = 0; i < MARKS_BYTES; i++)
        marks |= (uint64_t)is_mark(at[i]) << i;
    return marks;
}

#ifdef __SSE2__
static inline uint64_t marks_of_part(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')),
                                              _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));

    return (uint64_t)_mm_movemask_epi8(found);
}
#endif

/* The same of MARKS_BYTES bytes, all of which may be read. */
static inline uint64_t marks_all(const char *at)
{
#ifdef __SSE2__
    return marks_of_part(at) | marks_of_part(at + 16) << 16 |
           marks_of_part(at + 32) << 32 | marks_of_part(at + 48) << 48;
#else
    return marks_each(at);
#endif
}

/* The same of what comes before end. */
static inline uint64_t marks_before(const char *at, const char *end)
{
    ptrdiff_t bytes = end - at;

    return marks_all(at) &
           (bytes < MARKS_BYTES ? (UINT64_C(1) << bytes) - 1 : UINT64_MAX);
}

#endif
