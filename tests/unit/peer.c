/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"
#include "test.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RET		1
#define REQ_SYNC	0
#define REQ_CONFIG_READ 3
#define REQ_BAR_READ	5
#define REQ_IRQ		6
#define REQ_RESET	7

struct answer {
	uint8_t bytes[24];
};

static struct answer make(int32_t cmd, uint64_t size, uint64_t value)
{
	struct answer a = { { 0 } };

	memcpy(a.bytes, &cmd, 4);
	memcpy(a.bytes + 8, &size, 8);
	memcpy(a.bytes + 16, &value, 8);
	return a;
}

static void put(struct peer *p, const void *buf, size_t len)
{
	send(p->fd, buf, len, MSG_NOSIGNAL);
}

static void put_answer(struct peer *p, int32_t cmd, uint64_t size, uint64_t value)
{
	struct answer a = make(cmd, size, value);

	put(p, a.bytes, sizeof(a.bytes));
}

static void put_bare(struct peer *p)
{
	struct answer a = make(RET, 0, 0);

	put(p, a.bytes, 16);
}

static void dribble(struct peer *p, uint64_t value)
{
	struct answer a = make(RET, 8, value);

	for (size_t i = 0; i < sizeof(a.bytes); i++) {
		put(p, a.bytes + i, 1);
		poll(NULL, 0, 1);
	}
}

static void put_with_fd(struct peer *p, uint64_t value)
{
	struct answer a = make(RET, 8, value);
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { a.bytes, sizeof(a.bytes) };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &p->fd, sizeof(int));
	sendmsg(p->fd, &m, MSG_NOSIGNAL);
}

static void hang_up(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
}

static void answer(struct peer *p, enum peer_mood mood, uint64_t value)
{
	static const uint8_t noise[24] = { 0xde, 0xad, 0xbe, 0xef, 0x01, 0xff, 0x80, 0x7f };
	struct answer a = make(RET, 8, value);

	switch (mood) {
	case PEER_MUTE:
	case PEER_DEAF:
		return;
	case PEER_DIES:
		hang_up(p);
		return;
	case PEER_SHORT:
		put(p, a.bytes, 7);
		hang_up(p);
		return;
	case PEER_STALLS:
		put(p, a.bytes, 16);
		return;
	case PEER_WRONG_CMD:
		put_answer(p, 3, 8, value);
		return;
	case PEER_WRONG_SIZE:
		put_answer(p, RET, (uint64_t)1 << 40, value);
		return;
	case PEER_GARBAGE:
		put(p, noise, sizeof(noise));
		return;
	case PEER_TWICE:
		put(p, a.bytes, sizeof(a.bytes));
		put(p, a.bytes, sizeof(a.bytes));
		return;
	case PEER_REFUSES:
		put_answer(p, RET, 8, UINT64_MAX);
		return;
	case PEER_WIDE:
		put_answer(p, RET, 8, (uint64_t)1 << 40);
		return;
	case PEER_DRIBBLES:
		dribble(p, value);
		return;
	case PEER_FDS:
		put_with_fd(p, value);
		return;
	case PEER_GOOD:
		put(p, a.bytes, sizeof(a.bytes));
		return;
	case PEER_BARE:
		put_bare(p);
		return;
	}
}

static int count_fds(struct msghdr *m)
{
	int n = 0, fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		for (size_t at = 0; CMSG_LEN(at) < c->cmsg_len; at += sizeof(int), n++) {
			memcpy(&fd, CMSG_DATA(c) + at, sizeof(int));
			close(fd);
		}
	}
	return n;
}

/* The header with descriptors, then the body. False: the other end is gone. */
static bool next_request(struct peer *p, struct peer_seen *s)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(16 * sizeof(int))];
	uint8_t head[16];
	struct iovec v = { head, sizeof(head) };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)
	};

	if (recvmsg(p->fd, &m, MSG_WAITALL) != sizeof(head))
		return false;
	s->nfds = count_fds(&m);
	memcpy(&s->cmd, head, 4);
	memcpy(&s->size, head + 8, 8);
	if (s->size > sizeof(s->body))
		return false;
	return s->size == 0 ||
	       recv(p->fd, s->body, (size_t)s->size, MSG_WAITALL) == (ssize_t)s->size;
}

static enum peer_mood mood_now(struct peer *p)
{
	if (atomic_load(&p->after) == 0)
		return (enum peer_mood)atomic_load(&p->mood);
	atomic_fetch_sub(&p->after, 1);
	return PEER_GOOD;
}

/* Reads are answered with the value, a reset without one, all else with 0. */
static void react(struct peer *p, const struct peer_seen *s)
{
	enum peer_mood mood = mood_now(p);
	uint64_t value = p->value;

	if (s->cmd == REQ_CONFIG_READ && s->body[8] == 1)
		value &= 0xff;
	if (mood == PEER_GOOD && s->cmd == REQ_RESET)
		put_bare(p);
	else
		answer(p, mood, s->cmd == REQ_CONFIG_READ || s->cmd == REQ_BAR_READ ? value : 0);
}

static void *serve(void *arg)
{
	struct peer *p = arg;
	struct peer_seen s;

	while (next_request(p, &s)) {
		p->seen[p->nseen % PEER_LOG] = s;
		atomic_fetch_add(&p->nseen, 1);
		if (s.cmd != REQ_SYNC && s.cmd != REQ_IRQ)
			react(p, &s);
		while (atomic_load(&p->mood) == PEER_DEAF && atomic_load(&p->after) == 0)
			poll(NULL, 0, 1);
	}
	return NULL;
}

void peer_start(struct peer *p)
{
	int fd[2];

	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p->ours = fd[0];
	p->fd = fd[1];
	p->value = 0x1b36;
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

void peer_turn(struct peer *p, enum peer_mood mood, int n)
{
	atomic_store(&p->after, n);
	atomic_store(&p->mood, (int)mood);
}

void peer_stop(struct peer *p)
{
	peer_turn(p, PEER_GOOD, 0);
	hang_up(p);
	pthread_join(p->thread, NULL);
	close(p->fd);
}
