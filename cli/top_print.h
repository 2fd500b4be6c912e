/* SPDX-License-Identifier: BSD-2-Clause */
/* A sample (sample.h) as a table for people. */
#ifndef CLI_TOP_PRINT_H
#define CLI_TOP_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * @columns: cut lines to so many; 0: do not. @clear: end each line with the
 * terminal's "erase the rest".
 */
void top_print(FILE *to, const json_t *sample, unsigned int columns,
	       bool clear);

#endif
