/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why something failed, in one sentence for whoever started it: what happened,
 * to what, and what to do.
 */
#ifndef VMM_WHY_H
#define VMM_WHY_H

#include <stddef.h>

/* Write it to @why, of @len bytes. Return: @err */
__attribute__((format(printf, 4, 5))) int why_say(char *why, size_t len,
						  int err, const char *fmt,
						  ...);

#endif
