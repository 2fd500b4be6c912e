/* SPDX-License-Identifier: BSD-2-Clause */
/* What the VMM and its keeper say to each other. Private to keeper*.c. */
#ifndef VMM_KEEPER_WIRE_H
#define VMM_KEEPER_WIRE_H

#include "assign_host.h"
#include <stdnoreturn.h>
#include <sys/types.h>

#define KEEPER_PATH_LEN 108 /* a socket's address has no more */

enum keeper_op {
	KEEPER_TAKE, /* bdf */
	KEEPER_RING, /* fd, in the VMM's table */
	KEEPER_LOST, /* bdf: the VMM's domain has let it go */
	KEEPER_TIDY, /* path */
	KEEPER_SEAL, /* pins; only RING, LOST and BYE from here on */
	KEEPER_BYE,
};

struct keeper_request {
	enum keeper_op op;
	int fd;
	bool pins;
	char bdf[ASSIGN_BDF_LEN];
	char path[KEEPER_PATH_LEN];
};

struct keeper_reply {
	int err;
	uint64_t id; /* TAKE: which function it is */
	char why[256];
};

/* The process: serves @sock until @vmm says goodbye or is gone. */
noreturn void keeper_main(int sock, pid_t vmm, const struct sysfs *s);

#endif
