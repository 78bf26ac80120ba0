/* test_peer.c - http/peer.h: who has enough connections, and who failed too often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/address.h"
#include "http/peer.h"

#include <stdio.h>

#define NOW (1000 * SECOND_US)

static struct peers *open_peers(int connection_count_max, long failures_per_min,
                                bool spares_this_machine)
{
    const struct peer_limits limits = {
        .connection_count_max = connection_count_max,
        .failed_logins = rate_of(failures_per_min, 60, failures_per_min),
        .spares_this_machine = spares_this_machine,
    };
    struct peers *peers;

    assert_int_equal(peers_open(&limits, &peers, NULL), STATUS_OK);
    return peers;
}

static bool enters_at(struct peers *peers, const char *host, int64_t now_us,
                      struct peer **peer)
{
    struct sockaddr_storage address;
    char text[ADDRESS_BYTES];

    snprintf(text, sizeof text, "%s:1", host);
    assert_int_equal(address_parse(text, &address, NULL), STATUS_OK);
    return peers_enter(peers, (const struct sockaddr *)&address, now_us, peer);
}

static bool enters(struct peers *peers, const char *host, struct peer **peer)
{
    return enters_at(peers, host, NOW, peer);
}

static void an_address_has_so_many_connections_and_no_more(void **state)
{
    struct peers *peers = open_peers(2, 0, true);
    struct peer *first, *second, *refused, *other;

    (void)state;
    assert_true(enters(peers, "203.0.113.1", &first));
    assert_true(enters(peers, "203.0.113.1", &second));
    assert_false(enters(peers, "203.0.113.1", &refused));
    assert_true(enters(peers, "203.0.113.2", &other));
    peers_leave(peers, first, NOW);
    assert_true(enters(peers, "203.0.113.1", &first));
    assert_false(enters(peers, "203.0.113.1", &refused));
    peers_leave(peers, first, NOW);
    peers_leave(peers, second, NOW);
    peers_leave(peers, other, NOW);
    peers_close(peers);
}

static void whoever_has_a_network_of_ipv6_is_one_peer(void **state)
{
    static const struct {
        const char *first, *second;
        bool are_same;
    } rows[] = {
        {"[2001:db8:1:2::1]", "[2001:db8:1:2:ffff::9]", true},
        {"[2001:db8:1:2::1]", "[2001:db8:1:3::1]", false},
        {"[::ffff:203.0.113.1]", "203.0.113.1", true},
        {"[::ffff:203.0.113.1]", "[::ffff:203.0.113.2]", false},
        {"203.0.113.1", "203.0.113.2", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peers *peers = open_peers(1, 0, true);
        struct peer *first, *second = NULL;

        assert_true(enters(peers, rows[i].first, &first));
        assert_int_equal(enters(peers, rows[i].second, &second), !rows[i].are_same);
        peers_leave(peers, first, NOW);
        peers_leave(peers, second, NOW);
        peers_close(peers);
    }
}

static void this_machine_and_its_sockets_are_spared(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "127.9.9.9", "[::1]",
                                        "[::ffff:127.0.0.1]"};
    const struct sockaddr local = {.sa_family = AF_UNIX};
    struct peers *peers = open_peers(1, 1, true), *strict = open_peers(1, 1, false);
    struct peer *peer;
    int64_t wait_us;

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        for (int turn = 0; turn < 3; turn++) {
            assert_true(enters(peers, hosts[i], &peer));
            assert_null(peer);
            assert_true(peers_login_failed(peers, peer, NOW, &wait_us));
        }
    assert_true(peers_enter(strict, &local, NOW, &peer));
    assert_null(peer);
    assert_true(enters(strict, "127.0.0.1", &peer));
    assert_false(enters(strict, "127.0.0.1", &peer));
    peers_close(peers);
    peers_close(strict);
}

static void failures_outlast_the_connection(void **state)
{
    struct peers *peers = open_peers(0, 2, true);
    struct peer *peer, *other;
    int64_t wait_us;

    (void)state;
    assert_true(enters(peers, "203.0.113.1", &peer));
    assert_true(peers_login_failed(peers, peer, NOW, &wait_us));
    assert_true(peers_login_failed(peers, peer, NOW, &wait_us));
    assert_false(peers_login_failed(peers, peer, NOW, &wait_us));
    assert_int_equal(wait_us, 30 * SECOND_US);
    peers_leave(peers, peer, NOW);
    assert_true(enters(peers, "203.0.113.1", &peer));
    assert_false(peers_login_failed(peers, peer, NOW, &wait_us));
    assert_true(enters(peers, "203.0.113.2", &other));
    assert_true(peers_login_failed(peers, other, NOW, &wait_us));
    assert_true(peers_login_failed(peers, peer, NOW + 30 * SECOND_US, &wait_us));
    peers_close(peers);
}

/* However many addresses fail and go, no more of them are kept than there is room for:
 * the oldest memory of all is of those that came first. */
static void those_that_left_are_remembered_up_to_a_limit(void **state)
{
    struct peers *peers = open_peers(0, 1, true);
    int remembered_count = 0;
    char host[32];
    int64_t wait_us;

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2 * LINGER_COUNT_MAX; i++) {
            struct peer *peer;

            snprintf(host, sizeof host, "198.18.%d.%d", i / 256, i % 256);
            assert_true(enters(peers, host, &peer));
            remembered_count += !peers_login_failed(peers, peer, NOW, &wait_us);
            peers_leave(peers, peer, NOW);
        }
    assert_int_equal(remembered_count, LINGER_COUNT_MAX);
    peers_close(peers);
}

/* Comes, has a wrong key and goes. False: it was told to wait. */
static bool fails(struct peers *peers, const char *network, int index, int64_t now_us)
{
    struct peer *peer;
    char host[32];
    int64_t wait_us;
    bool is_fine;

    snprintf(host, sizeof host, "%s.%d.%d", network, index / 256, index % 256);
    assert_true(enters_at(peers, host, now_us, &peer));
    is_fine = peers_login_failed(peers, peer, now_us, &wait_us);
    peers_leave(peers, peer, now_us);
    return is_fine;
}

static void those_that_are_forgotten_make_room_for_others(void **state)
{
    struct peers *peers = open_peers(0, 1, true);
    int64_t later_us = NOW + 61 * SECOND_US;

    (void)state;
    for (int i = 0; i < 2 * LINGER_COUNT_MAX; i++)
        assert_true(fails(peers, "198.18", i, NOW));
    for (int i = 0; i < LINGER_COUNT_MAX / 4; i++) {
        assert_true(fails(peers, "198.19", i, later_us));
        assert_false(fails(peers, "198.19", i, later_us));
    }
    for (int i = 0; i < LINGER_COUNT_MAX / 4; i++)
        assert_false(fails(peers, "198.19", i, later_us));
    peers_close(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many_connections_and_no_more),
        cmocka_unit_test(whoever_has_a_network_of_ipv6_is_one_peer),
        cmocka_unit_test(this_machine_and_its_sockets_are_spared),
        cmocka_unit_test(failures_outlast_the_connection),
        cmocka_unit_test(those_that_left_are_remembered_up_to_a_limit),
        cmocka_unit_test(those_that_are_forgotten_make_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
