/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's one system call outside of src/host: to its callers it is an
 * instruction of the processor.
 */
#include "barrier.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

bool barrier_init(void)
{
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void barrier_everywhere(void)
{
	/* It cannot fail once registered; what is unsafe must not go on. */
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0)
		abort();
}
