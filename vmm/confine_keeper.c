/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a keeper may still ask of the kernel when its devices are taken. It
 * resets them and gives them back by writing to files of /sys, fetches rings
 * from its machine, and removes the machine's socket and claims.
 */
#include "confine_filter.h"
#include <fcntl.h>

static const struct confine_row keeper[] = {
	/* What the machine says. */
	ALLOW(recvfrom),
	ALLOW(sendto),
	ALLOW(shutdown),

	/* Its rings: the kernel asks for CAP_SYS_PTRACE. */
	ALLOW(pidfd_getfd),

	/* Devices and drivers in /sys; claims and sockets in /run. */
	ALLOW(open),
	ALLOW(openat),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(stat),
	ALLOW(lstat),
	ALLOW(newfstatat),
	ALLOW(getdents64),
	ALLOW(unlink),
	ALLOW(unlinkat),
	ALLOW(flock),
	ALLOW(ftruncate),
	ALLOW_IF(fcntl, ARG_IS(1, F_GETFL)),
};

int confine_filter_keeper(void)
{
	const struct confine_list list[] = { confine_common,
					     CONFINE_LIST(keeper) };

	return confine_filter(list, 2);
}
