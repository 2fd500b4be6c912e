/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct ctl, but for where it looks for machines: a seam for tests. */
#ifndef CLI_CTL_H
#define CLI_CTL_H

#include <stdio.h>

/* As verb_ctl(), with @dir instead of rundir() and @out for answers. */
int ctl_main(int argc, char **argv, const char *dir, FILE *out);

#endif
