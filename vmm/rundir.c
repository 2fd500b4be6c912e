/* SPDX-License-Identifier: BSD-2-Clause */
#include "rundir.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int rundir(char *path, size_t len)
{
	/* Not what the caller of a program with more rights says. */
	const char *own = secure_getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(path, len, RUNDIR_ROOT);
	else if (own && own[0] == '/')
		n = snprintf(path, len, "%s/viaduct", own);
	else
		n = snprintf(path, len, "/run/user/%u/viaduct", geteuid());
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}
