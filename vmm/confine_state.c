/* SPDX-License-Identifier: BSD-2-Clause */
#include "confine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number(const char *text, const char *field, int base)
{
	const char *line = strstr(text, field);

	return line ? strtoull(line + strlen(field), NULL, base) : 0;
}

void confine_parse(const char *text, struct confine_state *out)
{
	const char *uid = strstr(text, "\nUid:");

	*out = (struct confine_state){ .known = uid != NULL };
	/* real, effective, ... */
	if (!uid || sscanf(uid, "\nUid: %*u %u", &out->uid) != 1)
		out->known = false;
	out->capabilities =
		number(text, "\nCapPrm:", 16) | number(text, "\nCapEff:", 16);
	out->no_new_privs = number(text, "\nNoNewPrivs:", 10) == 1;
	out->seccomp = number(text, "\nSeccomp:", 10) == 2;
}
