/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile device model: the input is what it answers. Each question is met
 * with the next piece: a byte says how many bytes of the input follow; at its
 * end the peer hangs up. No answer may be believed beyond its width, and what
 * failed once stays failed.
 */
#include "fuzz.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <viaduct/remote.h>

struct peer {
	int fd;
	const uint8_t *data;
	size_t len;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void *serve(void *arg)
{
	struct peer *p = arg;
	uint8_t sink[512];
	size_t n;

	while (p->len > 0 && recv(p->fd, sink, sizeof(sink), 0) > 0) {
		n = p->data[0] % 64u;
		p->data++;
		p->len--;
		n = n < p->len ? n : p->len;
		send(p->fd, p->data, n, MSG_NOSIGNAL);
		p->data += n;
		p->len -= n;
	}
	shutdown(p->fd, SHUT_RDWR);
	return NULL;
}

static bool is_lost(int err)
{
	must(err == 0 || err == -EREMOTEIO || err == -EPIPE || err == -ETIMEDOUT || err == -EPROTO);
	return err != 0 && err != -EREMOTEIO;
}

static int use(struct vd_remote *r, unsigned int i)
{
	uint64_t v8 = 0;
	uint32_t v = 0;
	int err;

	switch (i % 5) {
	case 0:
		err = vd_remote_config_read(r, 0, 2, &v);
		must(v <= 0xffff);
		return err;
	case 1:
		err = vd_remote_bar_read(r, 0x1000, 4, &v8);
		must(v8 <= UINT32_MAX);
		return err;
	case 2:
		return vd_remote_bar_write(r, 0x1000, 8, 1);
	case 3:
		return vd_remote_set_memory(r, NULL, 0);
	default:
		return vd_remote_reset(r);
	}
}

static void talk(struct vd_remote *r)
{
	int err = 0;

	for (unsigned int i = 0; i < 1000 && !is_lost(err); i++)
		err = use(r, i);
	if (is_lost(err))
		must(vd_remote_reset(r) == err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct peer p = { .data = data, .len = len };
	struct vd_remote_cfg cfg = { .size = sizeof(cfg), .timeout_ms = 2 };
	struct vd_remote *r;
	pthread_t t;
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	p.fd = fd[1];
	cfg.fd = fd[0];
	must(pthread_create(&t, NULL, serve, &p) == 0);
	if (vd_remote_create(&cfg, &r) == 0) {
		talk(r);
		vd_remote_destroy(r);
	} else {
		close(fd[0]);
	}
	pthread_join(t, NULL);
	close(fd[1]);
	return 0;
}
