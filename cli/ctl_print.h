/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of a machine for people to read. Not an interface: --json is. */
#ifndef CLI_CTL_PRINT_H
#define CLI_CTL_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void ctl_print_status(FILE *to, const json_t *j);
void ctl_print_state(FILE *to, const json_t *device);
void ctl_print_devices(FILE *to, const json_t *j);
void ctl_print_counters(FILE *to, const json_t *j);
void ctl_print_faults(FILE *to, const json_t *j);

/* A list of answers of "mappings", one per device. */
void ctl_print_mappings(FILE *to, const json_t *j, bool count);
void ctl_print_balloon(FILE *to, const json_t *j);
void ctl_print_budget(FILE *to, const json_t *j);
void ctl_print_why(FILE *to, const json_t *j);
void ctl_print_pressure(FILE *to, const json_t *j);

void ctl_print_powerdown(FILE *to, const json_t *j);

#endif
