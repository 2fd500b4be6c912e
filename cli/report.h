/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording as one page of HTML that needs nothing else. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "recording.h"
#include <stdio.h>

/* 0 or -ENOMEM. */
int report_print(FILE *to, const struct recording *r, const char *title);

/* As verb_report(), with @out instead of standard output: for tests. */
int report_main(int argc, char **argv, FILE *out);

#endif
