/* SPDX-License-Identifier: BSD-2-Clause */
#include "control.h"
#include "control_sock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LAST_WORDS_MS 200 /* for answers that a client does not take */
#define NO_FILES_MS   50  /* before the next try to accept */
#define IN_MIN	      1024

/*
 * A client is either being answered (@out) or being read from: while an answer
 * waits nothing is read, so what a client makes us hold is one request and one
 * answer.
 *
 * Each request that has come whole is carried out, whether its client waits for
 * the answer or not: one that only writes and closes is a client as well. So
 * one that is gone is read to its end, a request a turn, so that the others have
 * theirs; only its answers are thrown away. The end ends a line as a newline
 * does.
 */
struct client {
	int fd; /* -1: the place is free */
	char *in;
	size_t in_len, in_room;
	char *out;
	size_t out_len, out_sent;
	bool closing; /* close it when @out is sent */
	bool gone;    /* nobody reads our answers any more */
	bool ended;   /* it will send no more */
};

struct control {
	struct control_cfg cfg;
	struct control_sock sock;
	int stop; /* eventfd */
	pthread_t thread;
	/* Only the thread looks at these. */
	struct client client[CONTROL_CLIENTS];
	int64_t ticked; /* ms */
	bool stopping;
};

static void drop(struct client *k)
{
	close(k->fd);
	free(k->in);
	free(k->out);
	*k = (struct client){ .fd = -1 };
}

static void lose(struct client *k)
{
	k->gone = true;
	free(k->out);
	k->out = NULL;
}

/* Send what can be sent. False: drop the client. */
static bool flush(struct client *k)
{
	ssize_t n;

	while (k->out) {
		n = send(k->fd, k->out + k->out_sent, k->out_len - k->out_sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			lose(k);
			break;
		}
		k->out_sent += (size_t)n;
		if (k->out_sent == k->out_len) {
			free(k->out);
			k->out = NULL;
		}
	}
	return !k->closing;
}

/* Takes @text; NULL: there was no memory for an answer. */
static bool say(struct client *k, char *text)
{
	if (!text)
		return false;
	if (k->gone) {
		free(text);
		return !k->closing;
	}
	k->out = text;
	k->out_len = strlen(text);
	k->out_sent = 0;
	return flush(k);
}

static bool say_last(struct client *k, const char *class, const char *desc)
{
	k->closing = true;
	return say(k, control_answer_error(class, desc));
}

static bool is_blank(const char *text, size_t len)
{
	while (len && strchr(" \t\r", text[len - 1]) && text[len - 1])
		len--;
	return len == 0;
}

/* What stands before the end is a line. False: and that was all. */
static bool answer_end(struct control *c, struct client *k)
{
	size_t len = k->in_len;

	k->closing = true;
	k->in_len = 0;
	return !is_blank(k->in, len) &&
	       say(k, control_answer(&c->cfg.table, k->in, len));
}

static bool has_line(const struct client *k)
{
	return k->in_len && memchr(k->in, '\n', k->in_len);
}

/* Answer whole lines until one answer does not fit into the socket. */
static bool answer_lines(struct control *c, struct client *k)
{
	size_t done = 0;
	bool live = true;
	char *end;

	while (live && !k->out && !c->stopping && done < k->in_len &&
	       !(k->gone && done)) {
		end = memchr(k->in + done, '\n', k->in_len - done);
		if (!end)
			break;
		live = say(k, control_answer(&c->cfg.table, k->in + done,
					     (size_t)(end - k->in) - done));
		done = (size_t)(end - k->in) + 1;
	}
	memmove(k->in, k->in + done, k->in_len - done);
	k->in_len -= done;
	if (live && !k->out && !c->stopping && k->ended && !has_line(k))
		return answer_end(c, k);
	return live;
}

static bool make_room(struct client *k)
{
	size_t room = k->in_room ? 2 * k->in_room : IN_MIN;
	char *in;

	if (k->in_len < k->in_room)
		return true;
	in = realloc(k->in, room);
	if (!in)
		return false;
	k->in = in;
	k->in_room = room;
	return true;
}

static ssize_t receive(struct client *k)
{
	ssize_t n;

	do
		n = recv(k->fd, k->in + k->in_len, k->in_room - k->in_len,
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool take_input(struct control *c, struct client *k)
{
	ssize_t n;

	if (!make_room(k))
		return false;
	n = receive(k);
	if (n < 0 && errno == ECONNRESET) {
		/* It closed without having read all; what it wrote is there. */
		lose(k);
		n = receive(k);
	}
	if (n < 0)
		return errno == EAGAIN;
	k->ended = n == 0;
	k->in_len += (size_t)n;
	if (!answer_lines(c, k))
		return false;
	if (k->in_len >= CONTROL_LINE_MAX && !k->out && !k->closing)
		return say_last(k, CONTROL_BAD_REQUEST,
				"the line is longer than 65536 bytes");
	return true;
}

static void serve(struct control *c, struct client *k, short events)
{
	bool live = !(events & POLLNVAL);

	if (k->out && (events & (POLLHUP | POLLERR))) {
		lose(k); /* both ways are shut */
		events |= POLLOUT;
	}
	if (live && (events & POLLOUT)) {
		live = flush(k);
		if (live && !k->out)
			live = answer_lines(c, k);
	}
	if (live && !k->out && (events & (POLLIN | POLLHUP | POLLERR)))
		live = !c->stopping &&
		       (has_line(k) ? answer_lines(c, k) : take_input(c, k));
	if (!live)
		drop(k);
}

static void refuse(int fd)
{
	struct client k = { .fd = fd };

	say_last(&k, CONTROL_TOO_MANY, "too many clients at once");
	drop(&k);
}

static void welcome(struct control *c)
{
	int fd = accept4(c->sock.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Out of files: poll() would say the same at once for ever. */
		if (errno != EAGAIN && errno != ECONNABORTED)
			poll(NULL, 0, NO_FILES_MS);
		return;
	}
	if (!control_sock_allows(&c->sock, fd)) {
		close(fd);
		return;
	}
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *k = &c->client[i];

		if (k->fd >= 0)
			continue;
		k->fd = fd;
		if (!say(k, control_greeting(c->cfg.version)))
			drop(k);
		return;
	}
	refuse(fd);
}

static short wanted(const struct control *c, const struct client *k)
{
	if (k->out)
		return POLLOUT;
	return c->stopping ? 0 : POLLIN;
}

static void serve_once(struct control *c, int timeout)
{
	struct pollfd p[CONTROL_CLIENTS + 2] = {
		{ .fd = c->stop, .events = POLLIN },
		{ .fd = c->sock.fd, .events = POLLIN },
	};
	struct pollfd *of = p + 2;
	int n;

	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		of[i].fd = c->client[i].fd;
		of[i].events = wanted(c, &c->client[i]);
	}
	if (c->stopping)
		p[0].fd = p[1].fd = -1;
	n = poll(p, CONTROL_CLIENTS + 2, timeout);
	if (n <= 0)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (of[i].revents)
			serve(c, &c->client[i], of[i].revents);
	if (p[1].revents)
		welcome(c);
	if (p[0].revents)
		c->stopping = true;
}

static bool has_answers(const struct control *c)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (c->client[i].fd >= 0 && c->client[i].out)
			return true;
	return false;
}

static void tick(struct control *c)
{
	struct timespec t;
	int64_t now;

	if (!c->cfg.tick)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (now - c->ticked < c->cfg.tick_ms)
		return;
	c->ticked = now;
	c->cfg.tick(c->cfg.table.ctx);
}

static void *run(void *arg)
{
	struct control *c = arg;

	while (!c->stopping) {
		serve_once(c, c->cfg.tick ? c->cfg.tick_ms : -1);
		tick(c);
	}
	for (int i = 0; i < LAST_WORDS_MS / 10 && has_answers(c); i++)
		serve_once(c, 10);
	return NULL;
}

/* Signals are for the machine's other threads. */
static int start_thread(struct control *c)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static int start(struct control *c, char *why, size_t len)
{
	int err;

	c->stop = eventfd(0, EFD_CLOEXEC);
	if (c->stop < 0) {
		err = -errno;
		goto err_say;
	}
	err = start_thread(c);
	if (!err)
		return 0;
	close(c->stop);
err_say:
	snprintf(why, len, "cannot start the control server: %s",
		 strerror(-err));
	return err;
}

int control_create(const struct control_cfg *cfg, struct control **out,
		   char *why, size_t len)
{
	struct control *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	json_object_seed(0); /* from a file that later may not be opened */
	c->cfg = *cfg;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		c->client[i].fd = -1;
	err = control_sock_open(&c->sock, cfg->path, why, len);
	if (err)
		goto err_free;
	err = start(c, why, len);
	if (err)
		goto err_close;
	*out = c;
	return 0;

err_close:
	control_sock_close(&c->sock);
err_free:
	free(c);
	return err;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	eventfd_write(c->stop, 1);
	pthread_join(c->thread, NULL);
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (c->client[i].fd >= 0)
			drop(&c->client[i]);
	control_sock_close(&c->sock);
	close(c->stop);
	free(c);
}
