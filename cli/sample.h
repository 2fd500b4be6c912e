/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What machines do: one moment of all of them, with rates since the moment
 * before. One line of a recording:
 *
 *	{"time_ms": .., "machines": [{"name": .., .., "devices": [..]}]}
 *
 * time_ms is CLOCK_REALTIME. viaduct-top(1) lists the fields. A rate is null in
 * a machine's first sample; so is what a machine does not count.
 */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include <jansson.h>
#include <stdint.h>

/*
 * One machine's part. @before is the snapshot (snapshot.h) of the sample
 * before, or NULL.
 */
json_t *sample_machine(const json_t *snapshot, const json_t *before);

/* The whole: owns @machines, an array of parts. */
json_t *sample_make(uint64_t time_ms, json_t *machines);

#endif
