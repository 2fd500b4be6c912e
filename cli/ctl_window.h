/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct ctl window: from words to a command, and its answer for people. */
#ifndef CLI_CTL_WINDOW_H
#define CLI_CTL_WINDOW_H

#include <jansson.h>
#include <stdio.h>

/**
 * struct ctl_window - a request
 * @live, @id: values of the options; NULL: not given
 * @command:   out: of the control socket
 * @args:      out: its arguments; the caller's
 */
struct ctl_window {
	const char *live, *id;
	const char *command;
	json_t *args;
};

/* Read the words after "window". 0, or -1 and half a sentence in @why. */
int ctl_window_parse(struct ctl_window *w, int argc, char **argv, char *why,
		     size_t len);

void ctl_window_print(FILE *to, const json_t *j);

#endif
