/* SPDX-License-Identifier: BSD-2-Clause */
/* A device model of QEMU's in a process of its own. */
#ifndef SHARED_SPAWN_H
#define SHARED_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#define SPAWN_QEMU "qemu-system-x86_64"

/* Is it installed? */
bool spawn_can(void);

/*
 * Start an NVMe controller on the raw image @disk. It ends with its socket or
 * with this process. *@fd and *@pid are the caller's; 0 or -errno.
 */
int spawn_nvme(const char *disk, int *fd, pid_t *pid);

/* Wait for it, with force if it does not end by itself. */
void spawn_reap(pid_t pid);

#endif
