/* id.c - ULIDs that rise strictly: 48 bits of milliseconds, 80 bits of chance. */
#include "base/id.h"

#include <assert.h>
#include <pthread.h>
#include <sys/random.h>

enum { TIME_DIGITS = 10 }; /* of a ULID; 16 of chance follow */

#define MILLISECONDS_MAX ((INT64_C(1) << 48) - 1)

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned __int128 last; /* the ULID given out last */

/* The top bit of chance is left free, so that counting up never runs into the time. */
static unsigned __int128 chance(void)
{
    unsigned char bytes[10];
    unsigned __int128 value = 0;
    ssize_t got = getrandom(bytes, sizeof bytes, 0);

    assert(got == sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        value = value << 8 | bytes[i];
    return value & ~((unsigned __int128)1 << 79);
}

static unsigned __int128 next_ulid(int64_t now_us)
{
    int64_t ms = now_us < 0 ? 0 : now_us / 1000;
    unsigned __int128 ulid;

    assert(ms <= MILLISECONDS_MAX);
    pthread_mutex_lock(&lock);
    if ((unsigned __int128)ms > last >> 80)
        last = (unsigned __int128)ms << 80 | chance();
    else
        last++;
    ulid = last;
    pthread_mutex_unlock(&lock);
    return ulid;
}

/* The prefix, and the last so many digits of a number. */
static void write_id(const char *prefix, unsigned __int128 number, size_t digit_count,
                     char id[static ID_BYTES])
{
    size_t prefix_bytes = strlen(prefix);

    assert(prefix_bytes + digit_count < ID_BYTES);
    memcpy(id, prefix, prefix_bytes);
    for (size_t i = prefix_bytes + digit_count; i > prefix_bytes; i--) {
        id[i - 1] = digits[(unsigned)number & 31];
        number >>= 5;
    }
    id[prefix_bytes + digit_count] = 0;
}

void id_make(const char *prefix, int64_t now_us, char id[static ID_BYTES])
{
    write_id(prefix, next_ulid(now_us), ULID_DIGITS, id);
}

void id_floor(const char *prefix, int64_t now_us, char id[static ID_BYTES])
{
    int64_t ms = now_us < 0 ? 0 : now_us / 1000;

    write_id(prefix, (unsigned __int128)(ms < MILLISECONDS_MAX ? ms : MILLISECONDS_MAX),
             TIME_DIGITS, id);
}

bool id_is(struct text text, const char *prefix)
{
    size_t prefix_bytes = strlen(prefix);

    if (text.bytes != prefix_bytes + ULID_DIGITS ||
        memcmp(text.at, prefix, prefix_bytes) != 0)
        return false;
    for (size_t i = prefix_bytes; i < text.bytes; i++)
        if (text.at[i] == 0 || !strchr(digits, text.at[i]))
            return false;
    return text.at[prefix_bytes] <= '7'; /* 26 digits hold 130 bits, a ULID 128 */
}
