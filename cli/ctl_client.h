/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of a machine's control socket (docs/control.md). */
#ifndef CLI_CTL_CLIENT_H
#define CLI_CTL_CLIENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct ctl_client {
	FILE *in;
	int fd;
	const char *path; /* borrowed */
};

/*
 * Which socket? @socket, or that of @name in @dir, or the only one in @dir
 * where a machine answers. On failure an enum cli_exit, and @why says it in
 * one sentence: CLI_USAGE (an impossible name, or there are several machines:
 * it lists them), CLI_UNREACHABLE (there is none).
 */
int ctl_find(const char *dir, const char *name, const char *socket, char *path,
	     size_t len, char *why, size_t whylen);

/*
 * Call @fn for each machine in @dir, by name, until it does not return 0; that
 * is returned. -errno if @dir cannot be read; that it is not there means that
 * there is no machine.
 */
int ctl_each(const char *dir,
	     int (*fn)(void *ctx, const char *name, const char *path),
	     void *ctx);

/*
 * Connect and read the greeting. CLI_OK, or CLI_UNREACHABLE or CLI_FAILED (it
 * speaks another protocol) and a sentence.
 */
int ctl_open(struct ctl_client *c, const char *path, char *why, size_t len);
void ctl_close(struct ctl_client *c);

/*
 * Execute @command with @args, which is consumed; NULL: none. CLI_OK and
 * *@result (owned by the caller), or CLI_FAILED (the machine refused),
 * CLI_NO_WINDOWS or CLI_UNREACHABLE (it went away), and a sentence.
 */
int ctl_ask(struct ctl_client *c, const char *command, json_t *args,
	    json_t **result, char *why, size_t len);

#endif
