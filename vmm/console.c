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
 * The one file-scope variable is the terminal to restore: signal handlers and
 * atexit() have no context, and a process has one terminal.
 */
#include "console.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define CHUNK	128
#define WAIT_MS 100

static struct {
	struct termios before;
	volatile sig_atomic_t raw;
	bool hooked;
} terminal;

static const int deadly[] = {
	SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGTRAP, SIGSYS,
};

#define NDEADLY (sizeof(deadly) / sizeof(deadly[0]))

static void restore(void)
{
	if (!terminal.raw)
		return;
	terminal.raw = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static void on_deadly(int sig)
{
	restore();
	raise(sig); /* SA_RESETHAND: now it has its usual effect */
}

static void hook_signals(void)
{
	struct sigaction sa = {
		.sa_handler = on_deadly,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER),
	};

	for (size_t i = 0; i < NDEADLY; i++)
		sigaction(deadly[i], &sa, NULL);
}

static void set_raw(void)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &terminal.before))
		return;
	if (!terminal.hooked) {
		atexit(restore);
		hook_signals();
		terminal.hooked = true;
	}
	t = terminal.before;
	cfmakeraw(&t);
	t.c_oflag |= OPOST; /* our own messages want their newlines */
	terminal.raw = 1;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

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

static void on_input(void *ctx)
{
	struct console *c = ctx;
	uint8_t in[CHUNK], out[2 * CHUNK];
	size_t room = serial_room(c->serial) / 2, nout;
	ssize_t n;

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
	err = loop_add(loop, &c->input);
	if (err)
		return err;
	c->watching = true;
	if (isatty(STDIN_FILENO)) {
		set_raw();
		print_help();
	}
	return 0;
}

void console_fini(struct console *c)
{
	end_input(c);
	restore();
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
