/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes on command lines: a number and K, M, G or T (powers of 1024). */
#ifndef CLI_SIZE_H
#define CLI_SIZE_H

#include <stdint.h>

/*
 * Bytes that @text means: decimal digits, then at most one of kKmMgGtT.
 * 0, -EINVAL (anything else), -EOVERFLOW. *out is written on success only.
 */
int size_parse(const char *text, uint64_t *out);

#endif
