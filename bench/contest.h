/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A goal that is a ratio: two things, measured in turn in each round, and the
 * median of the rounds' ratios.
 *
 * Which of the two comes first changes from round to round, so what the first
 * does to the caches counts for both.
 */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include "bench.h"

/* One measurement: ns for each operation. */
struct bench_entrant {
	double (*run)(void *opaque);
	void *opaque;
};

struct bench_contest {
	const char *goal, *name;
	double bound; /* of ours / reference */
	const char *reference;
	struct bench_entrant ours, other;
};

/* Times @c, reports it and prints both sides' ns; without a goal, prints only. */
void bench_contest(const struct bench_contest *c);

/* The same, without a goal: the median of ours alone. */
double bench_alone(const struct bench_entrant *e);

/* Ends the program if not @ok. */
void bench_must(int ok, const char *what);

#endif
