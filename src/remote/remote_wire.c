/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote_wire.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until @fd can be read or written, as @events says, or @deadline. */
static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline - now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ETIMEDOUT;
	return n < 0 ? -EPIPE : 0;
}

/* Wait if the socket is only busy; else the peer is gone. */
static int retry(int fd, short events, int64_t deadline)
{
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN)
		return wait_for(fd, events, deadline);
	return -EPIPE;
}

/*
 * Between exchanges the peer has nothing to say. What it says all the same
 * would be taken for the answer to the next question.
 */
static int check_silent(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return -EPROTO;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return -EPIPE;
}

struct fds_room {
	_Alignas(struct cmsghdr) char buf[CMSG_SPACE(WIRE_FDS * sizeof(int))];
};

static void put_fds(struct msghdr *m, struct fds_room *room,
		    const struct wire_request *q)
{
	struct cmsghdr *c;

	if (q->nfds == 0)
		return;
	memset(room, 0, sizeof(*room));
	m->msg_control = room->buf;
	m->msg_controllen = CMSG_SPACE(q->nfds * sizeof(int));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(q->nfds * sizeof(int));
	memcpy(CMSG_DATA(c), q->fd, q->nfds * sizeof(int));
}

/* All of @buf; descriptors go with its first byte. */
static int send_all(int fd, const struct wire_request *q, struct iovec v,
		    int64_t deadline)
{
	struct fds_room room;
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n;
	int err;

	put_fds(&m, &room, q);
	while (v.iov_len > 0) {
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			err = retry(fd, POLLOUT, deadline);
			if (err)
				return err;
			continue;
		}
		m.msg_control = NULL;
		m.msg_controllen = 0;
		v.iov_base = (char *)v.iov_base + n;
		v.iov_len -= (size_t)n;
	}
	return 0;
}

/* Without room for descriptors: the kernel closes those that a peer sends. */
static int recv_all(int fd, void *buf, size_t len, int64_t deadline)
{
	char *p = buf;
	ssize_t n;
	int err;

	while (len > 0) {
		n = recv(fd, p, len, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0) {
			err = retry(fd, POLLIN, deadline);
			if (err)
				return err;
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(struct wire *w, const struct wire_request *q,
			int64_t deadline)
{
	struct {
		struct wire_header h;
		char body[sizeof(struct wire_sync)];
	} m = { .h = { .cmd = (int32_t)q->cmd, .size = q->len } };
	struct iovec v = { .iov_base = &m, .iov_len = sizeof(m.h) + q->len };
	int err;

	assert(q->len <= sizeof(m.body) && q->nfds <= WIRE_FDS);
	if (q->len)
		memcpy(m.body, q->body, q->len);
	err = check_silent(w->fd);
	return err ? err : send_all(w->fd, q, v, deadline);
}

static int recv_answer(struct wire *w, uint64_t *out, int64_t deadline)
{
	struct wire_header h;
	int err = recv_all(w->fd, &h, sizeof(h), deadline);

	if (err)
		return err;
	if (h.cmd != WIRE_RET || h.size != (out ? sizeof(*out) : 0))
		return -EPROTO;
	return out ? recv_all(w->fd, out, sizeof(*out), deadline) : 0;
}

int wire_send(struct wire *w, const struct wire_request *q)
{
	if (!w->lost)
		w->lost = send_request(w, q, now_ms() + w->timeout_ms);
	return w->lost;
}

int wire_ask(struct wire *w, const struct wire_request *q, uint64_t *out)
{
	int64_t deadline = now_ms() + w->timeout_ms;
	uint64_t val = 0;

	if (!w->lost)
		w->lost = send_request(w, q, deadline);
	if (!w->lost)
		w->lost = recv_answer(w, out ? &val : NULL, deadline);
	if (!w->lost && out)
		*out = val;
	return w->lost;
}
