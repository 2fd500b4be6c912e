/* SPDX-License-Identifier: BSD-2-Clause */
/* The control server's socket and its lock. Private to control*.c. */
#ifndef VMM_CONTROL_SOCK_H
#define VMM_CONTROL_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct control_sock {
	char path[108]; /* as long as a socket address can be */
	int lock;	/* path.lock, locked; -1: none */
	int fd;		/* listening, non-blocking; -1: none */
	uid_t owner;	/* who opened it, whoever this process is by now */
};

/* See control_create(). On error nothing is left. */
int control_sock_open(struct control_sock *s, const char *path, char *why,
		      size_t len);
void control_sock_close(struct control_sock *s);

/*
 * Remove what a process left that may not remove it itself, unless a machine
 * has it.
 */
void control_sock_remove(const char *path);

/* Is the peer of @fd root or the socket's owner? */
bool control_sock_allows(const struct control_sock *s, int fd);

#endif
