/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal on standard input: whose it is, and its mode.
 *
 * A terminal belongs to one process group at a time, the foreground; a shell
 * gives it away and takes it back. While it is ours it is in raw mode, and it is
 * cooked again on every way out: tty_leave(), exit(), and the signals that kill
 * (a handler restores, then lets the signal do its work). While it is somebody
 * else's its mode is left alone. SIGKILL and SIGSTOP cannot be caught: a shell
 * sets its own mode then, and `reset` mends the rest.
 *
 * One thread calls these, with SIGTTOU and SIGTTIN blocked in all: a machine does
 * not stop because it prints or is typed at in the background.
 */
#ifndef VMM_TTY_H
#define VMM_TTY_H

#include <stdbool.h>

/*
 * Is there one? Then what restores it is in place from here on: handlers are set
 * before the process is confined, whenever the terminal becomes ours.
 */
bool tty_begin(void);

/* May we read it and set its mode? Also if it is no controlling terminal of
 * ours, so that nobody gives it to us. */
bool tty_is_ours(void);

/*
 * Raw mode, if it is ours; also again, after we have been stopped: whatever mode
 * it has now is what it gets back. False: it is not ours.
 */
bool tty_enter(void);

/* Back to what it was, if it is ours. */
void tty_leave(void);

#endif
