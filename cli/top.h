/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct top, but for where it looks for machines: a seam for tests. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include <stdio.h>

/* As verb_top(), with @dir instead of rundir() and @out for the view. */
int top_main(int argc, char **argv, const char *dir, FILE *out);

#endif
