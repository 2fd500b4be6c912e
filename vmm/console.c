/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's terminal.
 *
 * Input is read on the loop's thread, never more than the serial port can
 * take, so nothing is lost however fast it comes: while the port is full the
 * descriptor is not watched. End of file ends the watching.
 *
 * Output is written by the vCPU that sends it. It waits for a slow reader in
 * steps, so that a machine that is told to stop can stop.
 *
 * In the background of its terminal it prints and does not read. A shell that
 * brings a running job to the front does not tell it, so it looks twice a second
 * while it waits for that; an idle machine in front has no such ticks.
 */
#include "console.h"
#include "tty.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CHUNK	128
#define WAIT_MS 100
#define LOOK_MS 500 /* whether the terminal is ours again */

static void print_help(void)
{
	fputs("viaduct: Ctrl-A x ends the VM, Ctrl-A h is this help, "
	      "Ctrl-A Ctrl-A sends a Ctrl-A\n",
	      stderr);
}

static void end_input(struct console *c)
{
	if (c->watching)
		loop_remove(c->loop, &c->input);
	c->watching = false;
}

static void set_looking(struct console *c, bool yes)
{
	const struct timespec every = { .tv_nsec =
						yes ? LOOK_MS * 1000000L : 0 };
	const struct itimerspec t = { every, every };

	timerfd_settime(c->look.fd, 0, &t, NULL);
}

/* Take the terminal if it is ours, else wait until it is. */
static void take_terminal(struct console *c)
{
	bool ours = tty_enter();

	set_looking(c, !ours);
	c->input.paused = !ours;
	if (ours && !c->greeted)
		print_help();
	c->greeted |= ours;
}

static void on_look(void *ctx)
{
	struct console *c = ctx;
	uint64_t n;

	if (read(c->look.fd, &n, sizeof(n)) == sizeof(n))
		take_terminal(c);
}

static void on_input(void *ctx)
{
	struct console *c = ctx;
	uint8_t in[CHUNK], out[2 * CHUNK];
	size_t room = serial_room(c->serial) / 2, nout;
	ssize_t n;

	if (c->on_tty && !tty_is_ours()) {
		take_terminal(c);
		return;
	}
	if (room == 0) {
		c->input.paused = true;
		/* Room that came up between the two would go unnoticed. */
		if (serial_room(c->serial) >= 2)
			c->input.paused = false;
		return;
	}
	n = read(STDIN_FILENO, in, room < CHUNK ? room : CHUNK);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		end_input(c);
		return;
	}
	switch (escape_filter(&c->escape, in, (size_t)n, out, &nout)) {
	case ESCAPE_QUIT:
		c->ops->quit(c->ctx);
		break;
	case ESCAPE_HELP:
		print_help();
		break;
	case ESCAPE_NONE:
		break;
	}
	serial_input(c->serial, out, nout);
}

static int add_look(struct console *c)
{
	int err;

	c->look.fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->look.fd < 0)
		return -errno;
	c->look.ready = on_look;
	c->look.ctx = c;
	err = loop_add(c->loop, &c->look);
	if (err)
		close(c->look.fd);
	return err;
}

int console_init(struct console *c, struct loop *loop, struct serial *serial,
		 const struct console_ops *ops, void *ctx)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->ctx = ctx;
	c->loop = loop;
	c->serial = serial;
	c->input.fd = STDIN_FILENO;
	c->input.ready = on_input;
	c->input.ctx = c;
	c->look.fd = -1;
	err = loop_add(loop, &c->input);
	if (err)
		return err;
	c->watching = true;
	c->on_tty = tty_begin();
	if (c->on_tty)
		err = add_look(c);
	if (err) {
		end_input(c);
		return err;
	}
	if (c->on_tty)
		take_terminal(c);
	return 0;
}

void console_fini(struct console *c)
{
	end_input(c);
	if (!c->on_tty)
		return;
	tty_leave();
	loop_remove(c->loop, &c->look);
	close(c->look.fd);
}

void console_leave(struct console *c)
{
	if (c->on_tty)
		tty_leave();
}

void console_enter(struct console *c)
{
	if (c->on_tty)
		take_terminal(c);
}

void console_output(struct console *c, uint8_t byte)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	do {
		if (poll(&p, 1, WAIT_MS) <= 0)
			continue;
		if (write(STDOUT_FILENO, &byte, 1) == 1)
			return;
		if (errno != EINTR && errno != EAGAIN)
			return; /* nobody reads: the guest goes on */
	} while (!c->closing);
}

void console_room(struct console *c)
{
	c->input.paused = false;
	loop_wake(c->loop);
}

void console_close_output(struct console *c, bool yes)
{
	c->closing = yes;
}
