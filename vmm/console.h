/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's terminal: standard input and output on the guest's serial
 * port.
 *
 * A terminal is in raw mode while it is ours, see tty.h: from the start or, if the
 * machine was started in the background, from when it comes to the front.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include "escape.h"
#include "loop.h"
#include "serial.h"
#include <stdatomic.h>

struct console_ops {
	void (*quit)(void *ctx); /* Ctrl-A x; on the loop's thread */
};

struct console {
	const struct console_ops *ops;
	void *ctx;
	struct loop *loop;
	struct serial *serial; /* borrowed */
	struct loop_watch input;
	bool watching;
	struct loop_watch look; /* whether the terminal is ours */
	bool on_tty, greeted;
	struct escape escape;
	_Atomic bool closing; /* output does not wait any more */
};

/* Begin to read standard input. 0 or -errno. */
int console_init(struct console *c, struct loop *loop, struct serial *serial,
		 const struct console_ops *ops, void *ctx);
void console_fini(struct console *c);

/* Before this process stops itself, and after it was continued. */
void console_leave(struct console *c);
void console_enter(struct console *c);

/* The serial port's two calls: a byte out, and room for input again. */
void console_output(struct console *c, uint8_t byte);
void console_room(struct console *c);

/* A vCPU that waits for a full pipe or a stopped terminal gives up. */
void console_close_output(struct console *c, bool yes);

#endif
