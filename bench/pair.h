/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads at once, each on a processor of its own. The control is a loop in
 * registers: what it loses when a second one runs is the machine's fault (two
 * processors may share a core, or be somebody else's for a while), and is taken
 * out of what others lose.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "contest.h"

/* Runs both at once; ns for each operation of the first. */
double pair_run(const struct bench_entrant *first,
		const struct bench_entrant *second);

/*
 * Runs @first while @churn is called again and again beside it, and counts
 * these calls.
 */
struct pair_churn {
	void (*step)(void *opaque, uint64_t i);
	void *opaque;
	uint64_t steps; /* out */
};

double pair_churn(const struct bench_entrant *first, struct pair_churn *churn);

/* The control. */
double pair_control(void *unused);
void pair_control_step(void *unused, uint64_t i);

#endif
