/* pack.c - texts in fewer bytes: pieces that they have in common, as numbers. */
#include "store/pack.h"

#include "store/store.h"

#include <assert.h>
#include <endian.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

/* In the order of their numbers, which are on disks: new ones go at the end, none is
 * changed. The first ones take one byte, the others two. Each begins with one of , { } "
 * and has eight bytes at least. */
static const char *const pieces[] = {
    ",\"propensity\":0,\"allowed\":true},{\"amount\":",
    ",\"effect\":",
    ",\"cost\":",
    ",\"net_value\":-",
    ",\"net_value\":",
    ",\"propensity\":0,\"allowed\":true}],\"budgets\":[{\"id\":\"",
    ",\"propensity\":1,\"allowed\":true},{\"amount\":",
    ",\"propensity\":",
    ",\"allowed\":true},{\"amount\":",
    ",\"allowed\":false,\"blockers\":[{\"code\":\"",
    "\",\"detail\":\"",
    "\"}]},{\"amount\":",
    "{\"id\":\"dec_",
    "\",\"object\":\"decision\",\"created_at\":\"",
    "\",\"mode\":\"live\",\"outcome\":\"",
    "\",\"status\":\"held\",\"amount\":",
    "\",\"hold_expires_at\":\"",
    "\",\"reasons\":[{\"code\":\"",
    "\",\"direction\":\"for\",\"contribution\":",
    ",\"text\":\"",
    "\"}],\"options\":[{\"amount\":",
    "\",\"shadow_price\":",
    ",\"remaining\":",
    "\",\"build\":\"redress ",
    "\",\"status\":\"none\",\"amount\":",
    ",\"entitled_amount\":0,\"currency\":\"",
    ",\"entitled_amount\":",
    ",\"currency\":\"",
    "\",\"hold_expires_at\":null,\"reasons\":[{\"code\":\"",
    "\",\"direction\":\"against\",\"contribution\":",
    "\"},{\"code\":\"",
    "\"}]}],\"budgets\":[{\"id\":\"",
    ",\"allowed\":true}],\"budgets\":[{\"id\":\"",
    "},{\"id\":\"",
    "}],\"propensity\":",
    ",\"explored\":false,\"experiment\":null,\"versions\":{\"model\":\"",
    ",\"explored\":true,\"experiment\":null,\"versions\":{\"model\":\"",
    "\",\"model_sha256\":\"",
    "\",\"policy\":\"",
    "\",\"prices\":\"prc_",
    "\"},\"case_id\":\"",
    "\",\"customer_id\":\"",
    "\",\"order_id\":\"",
    "\",\"issue\":\"",
    "\",\"request_id\":\"req_",
    "{\"now_us\":",
    ",\"build\":\"redress ",
    "\",\"policy_id\":\"",
    "\",\"policy_revision\":",
    ",\"model_name\":\"",
    "\",\"model_version\":",
    ",\"windows\":[],\"order_amount\":0,\"has_duplicate\":false,\"prices\":\"prc_",
    ",\"windows\":[{\"seconds\":",
    "},{\"seconds\":",
    ",\"count\":",
    ",\"amount\":",
    "}],\"order_amount\":",
    ",\"has_duplicate\":false,\"prices\":\"prc_",
    "\",\"budgets\":[{\"id\":\"",
    "}],\"case\":{\"case_id\":\"",
    "\",\"currency\":\"",
    "\",\"order_amount\":",
    ",\"order_amount\":",
    ",\"issue\":\"",
    "\",\"market\":\"",
    "\",\"segment\":\"",
    "\",\"channel\":\"",
    "\",\"features\":{\"",
    "},\"order_id\":\"",
    "\",\"requested_amount\":",
    ",\"requested_amount\":",
    "\",\"occurred_at\":\"",
    ",\"draw\":",
    "\",\"metadata\":{\"",
    "},\"metadata\":{\"",
};

/* Bytes of a packed text. The others below SPACE, but for blanks, are pieces: JSON has
 * none of them. */
enum { MARK = 1, LITERAL, LONG_CODE, SPACE = 0x20 };

static const unsigned char short_codes[] = {
    0x04, 0x05, 0x06, 0x07, 0x08, 0x0b, 0x0c, 0x0e, 0x0f, 0x10, 0x11, 0x12,
    0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e,
};

enum {
    PIECE_COUNT = sizeof pieces / sizeof *pieces,
    SHORT_COUNT = sizeof short_codes,
    LONG_COUNT_MAX = 0x7f - SPACE,
    START_BYTES = sizeof(uint64_t),
    SLOT_BITS = 10,
    SLOT_COUNT = 1 << SLOT_BITS,
};

static_assert(PIECE_COUNT <= SHORT_COUNT + LONG_COUNT_MAX);

/* A program of before, put back on a folder, would take a piece that it does not know for
 * damage; a newer schema it refuses by its number. So the list grows with a migration
 * only, be it an empty one: raise both numbers here. */
static_assert(PIECE_COUNT == 75 && STORE_SCHEMA_VERSION >= 6);

enum class { PLAIN, STARTS_PIECE, CONTROL };

/* Made once of the list. */
static struct {
    unsigned char class[256];
    unsigned char piece_of[SPACE]; /* 1 + piece by its short code */
    unsigned char first[SLOT_COUNT],
        next[PIECE_COUNT]; /* 1 + piece; longer ones come first */
    size_t bytes[PIECE_COUNT];
    uint64_t start[PIECE_COUNT]; /* first bytes */
} made;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static unsigned slot_of(uint64_t start)
{
    return (unsigned)(start * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS));
}

static void add_piece(int piece)
{
    unsigned char *link = &made.first[slot_of(made.start[piece])];

    while (*link && made.bytes[*link - 1] >= made.bytes[piece])
        link = &made.next[*link - 1];
    made.next[piece] = *link;
    *link = (unsigned char)(piece + 1);
}

static void make(void)
{
    for (int byte = 0; byte < SPACE; byte++)
        made.class[byte] = CONTROL;
    made.class['\t'] = made.class['\n'] = made.class['\r'] = PLAIN;
    made.class[','] = made.class['{'] = made.class['}'] = made.class['"'] = STARTS_PIECE;
    for (int i = 0; i < PIECE_COUNT; i++) {
        made.bytes[i] = strlen(pieces[i]);
        assert(made.bytes[i] >= START_BYTES);
        made.start[i] = word_at(pieces[i]);
        assert(made.class[(unsigned char)pieces[i][0]] == STARTS_PIECE);
        add_piece(i);
    }
    for (int i = 0; i < SHORT_COUNT; i++)
        made.piece_of[short_codes[i]] = (unsigned char)(i + 1);
}

/* The longest piece that the text goes on with, or -1. */
static int piece_at(const char *at, size_t bytes)
{
    uint64_t start;

    if (bytes < START_BYTES)
        return -1;
    start = word_at(at);
    for (int i = made.first[slot_of(start)]; i > 0; i = made.next[i - 1])
        if (made.start[i - 1] == start && made.bytes[i - 1] <= bytes &&
            memcmp(at, pieces[i - 1], made.bytes[i - 1]) == 0)
            return i - 1;
    return -1;
}

typedef unsigned char lanes __attribute__((vector_size(16)));

/* How many bytes from here on are plain, sixteen at a time. */
static size_t plain_bytes(const char *at, size_t bytes)
{
    size_t count = 0;

    for (; bytes - count >= sizeof(lanes); count += sizeof(lanes)) {
        uint64_t words[2];
        lanes read, found;

        memcpy(&read, at + count, sizeof read);
        found = (lanes)(read == '"') | (lanes)(read == ',') | (lanes)(read == '{') |
                (lanes)(read == '}') | (lanes)(read < SPACE);
        memcpy(words, &found, sizeof words);
        if (words[0])
            return count + (size_t)__builtin_ctzll(le64toh(words[0])) / 8;
        if (words[1])
            return count + 8 + (size_t)__builtin_ctzll(le64toh(words[1])) / 8;
    }
    while (count < bytes && made.class[(unsigned char)at[count]] == PLAIN)
        count++;
    return count;
}

static char *put_piece(char *to, int piece)
{
    if (piece < SHORT_COUNT) {
        *to++ = (char)short_codes[piece];
        return to;
    }
    *to++ = LONG_CODE;
    *to++ = (char)(SPACE + piece - SHORT_COUNT);
    return to;
}

/* As they are; the first one may be a control byte. */
static char *put_bytes(char *to, const char *at, size_t bytes)
{
    if (made.class[(unsigned char)*at] == CONTROL)
        *to++ = LITERAL;
    memcpy(to, at, bytes);
    return to + bytes;
}

struct text pack(struct text text, char *room)
{
    const char *at = text.at, *end = at + text.bytes;
    char *to = room;

    pthread_once(&once, make);
    *to++ = MARK;
    while (at < end) {
        size_t rest = (size_t)(end - at), bytes;
        int piece = piece_at(at, rest);

        if (piece >= 0) {
            to = put_piece(to, piece);
            at += made.bytes[piece];
            continue;
        }
        bytes = 1 + plain_bytes(at + 1, rest - 1);
        to = put_bytes(to, at, bytes);
        at += bytes;
    }
    if ((size_t)(to - room) < text.bytes || (text.bytes > 0 && text.at[0] == MARK))
        return (struct text){room, (size_t)(to - room)};
    return text;
}

/* One step through a packed text: the piece or the one byte that stands at *at. False
 * when nothing that was packed can be there. */
static bool step(const char **at, const char *end, const char **piece, size_t *bytes)
{
    unsigned char byte = (unsigned char)*(*at)++;
    int number = byte < SPACE ? made.piece_of[byte] : 0;

    if (byte == LONG_CODE && *at < end)
        number = SHORT_COUNT + 1 + (unsigned char)*(*at)++ - SPACE;
    if (number > 0 && number <= PIECE_COUNT) {
        *piece = pieces[number - 1];
        *bytes = made.bytes[number - 1];
        return true;
    }
    if (byte == LITERAL && *at < end)
        (*at)++;
    else if (made.class[byte] == CONTROL)
        return false;
    *piece = *at - 1;
    *bytes = 1;
    return true;
}

static bool is_packed(struct text text)
{
    return text.bytes > 0 && text.at[0] == MARK;
}

bool unpacked_bytes(struct text packed, size_t *bytes)
{
    const char *at = packed.at, *end, *piece;
    size_t piece_bytes;

    *bytes = packed.bytes;
    if (!is_packed(packed))
        return true;
    pthread_once(&once, make);
    *bytes = 0;
    end = at + packed.bytes; /* not of no text, which is nowhere */
    for (at++; at < end; *bytes += piece_bytes)
        if (!step(&at, end, &piece, &piece_bytes))
            return false;
    return true;
}

void unpack(struct text packed, char *text)
{
    const char *at = packed.at, *end, *piece;
    size_t piece_bytes;

    if (!is_packed(packed)) {
        if (packed.bytes)
            memcpy(text, packed.at, packed.bytes);
        return;
    }
    end = at + packed.bytes;
    for (at++; at < end && step(&at, end, &piece, &piece_bytes); text += piece_bytes)
        memcpy(text, piece, piece_bytes);
}
