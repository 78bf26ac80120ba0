/* plain.h - how far a string needs no second look, eight bytes at a time.
 *
 * Private to json/. */
#ifndef REDRESS_JSON_PLAIN_H
#define REDRESS_JSON_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* ASCII that stands for itself: no quote, backslash, control byte, nor DEL. */
static inline bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* The high bit of each byte that is zero; bits above the lowest may be false alarms. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* The high bit of the first byte of eight that is not plain, and perhaps of some after
 * it. */
static inline uint64_t special_bytes(uint64_t word)
{
    return zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\')) |
           ((word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80)) |
           ((word | (word + EACH_BYTE(1))) & EACH_BYTE(0x80));
}

/* The end of the run of plain bytes that begins at `at`. */
static inline const char *plain_end(const char *at, const char *end)
{
    const bool is_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    const char *start = at;
    uint64_t word, special;

    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, sizeof word);
        special = special_bytes(word);
        if (special && is_little)
            return at + __builtin_ctzll(special) / 8;
        if (special)
            break;
    }
    /* The rest of a longer text, with bytes before it that are plain. */
    if (is_little && at < end && at > start) {
        memcpy(&word, end - 8, sizeof word);
        special = special_bytes(word);
        return special ? end - 8 + __builtin_ctzll(special) / 8 : end;
    }
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

#endif
