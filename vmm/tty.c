/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one file-scope variable is the mode to restore: signal handlers and
 * atexit() have no context, and a process has one terminal.
 */
#include "tty.h"
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct {
	struct termios before;
	volatile sig_atomic_t is_raw;
	bool hooked, known;
} terminal;

static const int deadly[] = {
	SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGTRAP, SIGSYS,
};

#define NDEADLY (sizeof(deadly) / sizeof(deadly[0]))

bool tty_is_ours(void)
{
	pid_t foreground = tcgetpgrp(STDIN_FILENO);

	return foreground < 0 || foreground == getpgrp();
}

/* Only calls that a signal handler may make. */
void tty_leave(void)
{
	if (!terminal.is_raw)
		return;
	terminal.is_raw = 0;
	if (tty_is_ours())
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static void on_deadly(int sig)
{
	tty_leave();
	raise(sig); /* SA_RESETHAND: now it has its usual effect */
}

static void hook(void)
{
	struct sigaction sa = {
		.sa_handler = on_deadly,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER),
	};

	atexit(tty_leave);
	for (size_t i = 0; i < NDEADLY; i++)
		sigaction(deadly[i], &sa, NULL);
}

bool tty_begin(void)
{
	if (!isatty(STDIN_FILENO))
		return false;
	if (!terminal.hooked)
		hook();
	terminal.hooked = true;
	return true;
}

static bool is_raw_mode(const struct termios *t)
{
	return !(t->c_lflag & (ICANON | ECHO));
}

bool tty_enter(void)
{
	struct termios now, raw;

	if (!tty_is_ours()) {
		terminal.is_raw = 0; /* its mode is somebody else's by now */
		return false;
	}
	if (tcgetattr(STDIN_FILENO, &now))
		return true;
	/* A shell may have left our own mode, or put it back. */
	if (!terminal.known || !is_raw_mode(&now))
		terminal.before = now;
	terminal.known = true;
	raw = now;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* our own messages want their newlines */
	terminal.is_raw = 1;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	return true;
}
