/* SPDX-License-Identifier: BSD-2-Clause */
/* One exchange, and every way in which a peer can spoil it. */
#include "peer.h"
#include "test.h"

#include <fcntl.h>
#include <remote_wire.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON 50 /* ms */

static const uint64_t body = 0x1122334455667788;

static struct wire_request request(void)
{
	return (struct wire_request){ .cmd = WIRE_BAR_READ, .body = &body, .len = sizeof(body) };
}

static void an_exchange(void **state)
{
	struct peer p;
	struct wire_request q = request();
	struct wire w;
	uint64_t val = 0;

	(void)state;
	peer_start(&p);
	w = (struct wire){ .fd = p.ours, .timeout_ms = 5000 };
	assert_int_equal(wire_ask(&w, &q, &val), 0);
	assert_int_equal(val, 0x1b36);
	assert_int_equal(p.seen[0].cmd, 5);
	assert_int_equal(p.seen[0].size, 8);
	assert_memory_equal(p.seen[0].body, &body, 8);
	assert_int_equal(p.seen[0].nfds, 0);
	close(p.ours);
	peer_stop(&p);
}

struct mood_row {
	enum peer_mood mood;
	int err;
};

static const struct mood_row mood_rows[] = {
	{ PEER_MUTE, -ETIMEDOUT },   { PEER_DIES, -EPIPE },
	{ PEER_SHORT, -EPIPE },	     { PEER_STALLS, -ETIMEDOUT },
	{ PEER_WRONG_CMD, -EPROTO }, { PEER_WRONG_SIZE, -EPROTO },
	{ PEER_BARE, -EPROTO },	     { PEER_GARBAGE, -EPROTO },
	{ PEER_DRIBBLES, 0 },	     { PEER_FDS, 0 },
};

/* What a peer does wrong has a name, is kept, and nothing is written. */
static void moods(void **state)
{
	struct peer p;
	struct wire_request q = request();
	struct wire w;
	uint64_t val;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mood_rows); i++) {
		const struct mood_row *r = &mood_rows[i];

		peer_start(&p);
		peer_turn(&p, r->mood, 0);
		w = (struct wire){ .fd = p.ours, .timeout_ms = r->err == -ETIMEDOUT ? SOON : 5000 };
		val = 42;
		assert_int_equal(wire_ask(&w, &q, &val), r->err);
		assert_int_equal(val, r->err ? 42 : 0x1b36);
		peer_turn(&p, PEER_GOOD, 0);
		assert_int_equal(wire_ask(&w, &q, &val), r->err);
		assert_int_equal(wire_send(&w, &q), r->err);
		close(p.ours);
		peer_stop(&p);
	}
}

/* A second answer would be taken for that of the next question. */
static void an_answer_too_many(void **state)
{
	struct peer p;
	struct wire_request q = request();
	struct wire w;
	uint64_t val;

	(void)state;
	peer_start(&p);
	peer_turn(&p, PEER_TWICE, 0);
	w = (struct wire){ .fd = p.ours, .timeout_ms = 5000 };
	assert_int_equal(wire_ask(&w, &q, &val), 0);
	while (recv(p.ours, &(char){ 0 }, 1, MSG_PEEK) != 1)
		;
	assert_int_equal(wire_ask(&w, &q, &val), -EPROTO);
	close(p.ours);
	peer_stop(&p);
}

/* A peer that does not read must not hold a sender for ever. */
static void a_full_socket(void **state)
{
	static const uint8_t bytes[192];
	struct wire_request q = { .cmd = WIRE_SYNC_SYSMEM, .body = bytes, .len = sizeof(bytes) };
	struct wire w = { .timeout_ms = SOON };
	int fd[2], small = 1, err = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	w.fd = fd[0];
	for (int i = 0; i < 10000 && !err; i++)
		err = wire_send(&w, &q);
	assert_int_equal(err, -ETIMEDOUT);
	close(fd[0]);
	close(fd[1]);
}

static int nopen(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Descriptors that a peer sends are not ours to keep. */
static void no_descriptors_in(void **state)
{
	struct peer p;
	struct wire_request q = request();
	struct wire w;
	uint64_t val;
	int before;

	(void)state;
	peer_start(&p);
	peer_turn(&p, PEER_FDS, 0);
	w = (struct wire){ .fd = p.ours, .timeout_ms = 5000 };
	before = nopen();
	for (int i = 0; i < 20; i++)
		assert_int_equal(wire_ask(&w, &q, &val), 0);
	assert_int_equal(nopen(), before);
	close(p.ours);
	peer_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange),	      cmocka_unit_test(moods),
		cmocka_unit_test(an_answer_too_many), cmocka_unit_test(a_full_socket),
		cmocka_unit_test(no_descriptors_in),
	};

	return run_all(tests);
}
