/* SPDX-License-Identifier: BSD-2-Clause */
#include "why.h"
#include <stdarg.h>
#include <stdio.h>

int why_say(char *why, size_t len, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, len, fmt, ap);
	va_end(ap);
	return err;
}
