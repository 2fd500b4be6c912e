/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Results of a benchmark: a line on the terminal and an object in
 * $VIADUCT_BUILD/bench.json (an array; a program replaces its own goal's).
 *
 * Goals are ratios of two things measured in turn in the same run, because the
 * machine's own speed drifts by a third.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS 15

struct bench_result {
	const char *goal; /* "G7" */
	const char *name;
	double value, bound; /* met if value <= bound */
	const char *unit;
	const char *reference; /* what the value is a ratio to */
};

double bench_now_ns(void);

/* Of @n values, which are sorted by this. */
double bench_median(double *v, size_t n);

void bench_report(const struct bench_result *r);

/* A number that is no goal: printed only. */
void bench_note(const char *name, double value, const char *unit);

uint64_t bench_random(uint64_t *seed, uint64_t n);

#endif
