/* SPDX-License-Identifier: BSD-2-Clause */
/* The control server's socket and its lock. Private to control*.c. */
#ifndef VMM_CONTROL_SOCK_H
#define VMM_CONTROL_SOCK_H

#include <stdbool.h>
#include <stddef.h>

struct control_sock {
	char path[108]; /* as long as a socket address can be */
	int lock;	/* path.lock, locked; -1: none */
	int fd;		/* listening, non-blocking; -1: none */
};

/* See control_create(). On error nothing is left. */
int control_sock_open(struct control_sock *s, const char *path, char *why,
		      size_t len);
void control_sock_close(struct control_sock *s);

/* Is the peer root or this process's user? */
bool control_sock_allows(int fd);

#endif
