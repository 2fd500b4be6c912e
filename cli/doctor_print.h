/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's report for people. Not an interface: --json is. */
#ifndef CLI_DOCTOR_PRINT_H
#define CLI_DOCTOR_PRINT_H

#include <jansson.h>
#include <stdio.h>

void doctor_print(FILE *to, const json_t *report);

#endif
