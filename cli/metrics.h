/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot as Prometheus text (exposition format 0.0.4).
 *
 * The names are an interface: they are never changed, and there may be more.
 * Base units (bytes, seconds); counters end in _total. The label vm is the
 * machine's name, device a PCI address on the host.
 */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include <jansson.h>
#include <stdio.h>

void metrics_print(FILE *to, const json_t *snapshot);

#endif
