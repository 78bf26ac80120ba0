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

/* ASCII that stands for itself: no quote, backslash, control byte. */
static inline bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* The high bit of each byte that is zero; bits above the lowest may be false alarms. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* The end of the run of plain bytes that begins at `at`. */
static inline const char *plain_end(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        uint64_t special = zero_bytes(word ^ EACH_BYTE('"')) |
                           zero_bytes(word ^ EACH_BYTE('\\')) |
                           ((word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80)) |
                           (word & EACH_BYTE(0x80));
        if (special) {
            if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
                return at + __builtin_ctzll(special) / 8;
            break;
        }
        at += 8;
    }
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

#endif
