/* peer.c - addresses in a table of lists; a keyed hash, so that nobody can choose one
 * list. */
#include "http/peer.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIST_COUNT = 1024,
    SWEEP_LIST_COUNT = 64,
    ADDRESS_KEY_BYTES = 16,
    NETWORK_BYTES = 8
};

struct peer {
    struct peer *next;
    unsigned char address[ADDRESS_KEY_BYTES];
    int connection_count; /* 0: it lingers until its failures are forgotten */
    _Atomic int64_t failures_forgot_ns; /* the bucket of its failed logins is full then */
};

struct peers {
    struct peer_limits limits;
    pthread_mutex_t lock;
    int linger_count;
    int swept_index; /* the list to be swept next */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    struct peer *lists[LIST_COUNT];
};

enum status peers_open(const struct peer_limits *limits, struct peers **peers,
                       struct err *err)
{
    struct peers *opened = calloc(1, sizeof *opened);

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for addresses");
    if (sodium_init() < 0) {
        free(opened);
        return err_set(err, STATUS_UNAVAILABLE,
                       "the cryptographic library did not start");
    }
    opened->limits = *limits;
    pthread_mutex_init(&opened->lock, NULL);
    crypto_shorthash_keygen(opened->hash_key);
    *peers = opened;
    return STATUS_OK;
}

void peers_close(struct peers *peers)
{
    if (!peers)
        return;
    for (int i = 0; i < LIST_COUNT; i++)
        while (peers->lists[i]) {
            struct peer *peer = peers->lists[i];

            peers->lists[i] = peer->next;
            free(peer);
        }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

/* --- addresses ---------------------------------------------------------------------------------- */

/* IPv4 as it is written in IPv6 (RFC 4291, section 2.5.5.2), whichever way it came; of
 * true IPv6 the network. False: no address of the internet. */
static bool key_of(const struct sockaddr *address, unsigned char key[ADDRESS_KEY_BYTES],
                   bool *is_loopback)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    bool is_four = true;

    memset(key, 0, ADDRESS_KEY_BYTES);
    if (address->sa_family == AF_INET) {
        key[10] = key[11] = 0xff;
        memcpy(key + 12, &four->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        is_four = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
        memcpy(key, &six->sin6_addr, is_four ? ADDRESS_KEY_BYTES : NETWORK_BYTES);
    } else {
        return false;
    }
    *is_loopback = is_four ? key[12] == 127 : IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    return true;
}

static struct peer **list_of(struct peers *peers,
                             const unsigned char key[ADDRESS_KEY_BYTES])
{
    unsigned char hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, key, ADDRESS_KEY_BYTES, peers->hash_key);
    return &peers->lists[(hash[0] | hash[1] << 8) % LIST_COUNT];
}

static bool is_forgotten(const struct peer *peer, int64_t now_us)
{
    return peer->connection_count == 0 && peer->failures_forgot_ns <= now_us * 1000;
}

/* Drop what lingers for nothing at the head of what link leads to; false: there was
 * none. */
static bool drop_forgotten(struct peers *peers, struct peer **link, int64_t now_us)
{
    struct peer *peer = *link;

    if (!is_forgotten(peer, now_us))
        return false;
    *link = peer->next;
    peers->linger_count--;
    free(peer);
    return true;
}

/* The link to the peer with that key, or to the NULL at the end; passing by, those that
 * linger for nothing are dropped. */
static struct peer **find(struct peers *peers, const unsigned char key[ADDRESS_KEY_BYTES],
                          int64_t now_us)
{
    struct peer **link = list_of(peers, key);

    while (*link && memcmp((*link)->address, key, ADDRESS_KEY_BYTES) != 0)
        if (!drop_forgotten(peers, link, now_us))
            link = &(*link)->next;
    return link;
}

/* Make room among those that linger: list after list, going round, so that addresses that
 * never come again are found; up to so many lists, so that nobody waits for long. */
static void sweep(struct peers *peers, int64_t now_us)
{
    for (int i = 0; i < SWEEP_LIST_COUNT && peers->linger_count >= LINGER_COUNT_MAX;
         i++) {
        struct peer **link = &peers->lists[peers->swept_index];

        peers->swept_index = (peers->swept_index + 1) % LIST_COUNT;
        while (*link)
            if (!drop_forgotten(peers, link, now_us))
                link = &(*link)->next;
    }
}

/* --- connections -------------------------------------------------------------------------------- */

/* Under the lock. */
static struct peer *enter(struct peers *peers, const unsigned char key[ADDRESS_KEY_BYTES],
                          int64_t now_us)
{
    int count_max = peers->limits.connection_count_max;
    struct peer **link = find(peers, key, now_us), *peer = *link;

    if (!peer) {
        peer = *link = calloc(1, sizeof *peer);
        if (!peer)
            return NULL;
        memcpy(peer->address, key, ADDRESS_KEY_BYTES);
    } else if (peer->connection_count == 0) {
        peers->linger_count--;
    } else if (count_max > 0 && peer->connection_count >= count_max) {
        return NULL;
    }
    peer->connection_count++;
    return peer;
}

bool peers_enter(struct peers *peers, const struct sockaddr *address, int64_t now_us,
                 struct peer **peer)
{
    unsigned char key[ADDRESS_KEY_BYTES];
    bool is_loopback;

    *peer = NULL;
    if (!key_of(address, key, &is_loopback) ||
        (is_loopback && peers->limits.spares_this_machine))
        return true;
    pthread_mutex_lock(&peers->lock);
    *peer = enter(peers, key, now_us);
    pthread_mutex_unlock(&peers->lock);
    return *peer;
}

void peers_leave(struct peers *peers, struct peer *peer, int64_t now_us)
{
    struct peer **link;

    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    assert(peer->connection_count > 0);
    if (--peer->connection_count > 0) {
        pthread_mutex_unlock(&peers->lock);
        return;
    }
    if (!is_forgotten(peer, now_us))
        sweep(peers, now_us);
    if (is_forgotten(peer, now_us) || peers->linger_count >= LINGER_COUNT_MAX) {
        link = find(peers, peer->address, now_us);
        assert(*link == peer);
        *link = peer->next;
        free(peer);
    } else {
        peers->linger_count++;
    }
    pthread_mutex_unlock(&peers->lock);
}

bool peers_login_failed(struct peers *peers, struct peer *peer, int64_t now_us,
                        int64_t *wait_us)
{
    *wait_us = 0;
    return !peer || rate_take(&peers->limits.failed_logins, &peer->failures_forgot_ns,
                              now_us, wait_us);
}
