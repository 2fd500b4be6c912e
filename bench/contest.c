/* SPDX-License-Identifier: BSD-2-Clause */
#include "contest.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 61 /* short ones: the machine's speed drifts meanwhile */

void bench_must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* The second time: the first brings back what the other one pushed out. */
static double run(const struct bench_entrant *e)
{
	e->run(e->opaque);
	return e->run(e->opaque);
}

double bench_alone(const struct bench_entrant *e)
{
	double ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ns[i] = run(e);
	return bench_median(ns, ROUNDS);
}

void bench_contest(const struct bench_contest *c)
{
	double ours[ROUNDS], other[ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			ours[i] = run(&c->ours);
		other[i] = run(&c->other);
		if (i % 2 == 0)
			ours[i] = run(&c->ours);
		ratio[i] = ours[i] / other[i];
	}
	if (c->goal)
		bench_report(&(struct bench_result){
			c->goal, c->name, bench_median(ratio, ROUNDS), c->bound,
			"ratio", c->reference });
	else
		bench_note(c->name, bench_median(ratio, ROUNDS), "times");
	printf("     ours %.2f ns, %s %.2f ns\n", bench_median(ours, ROUNDS),
	       c->reference, bench_median(other, ROUNDS));
}
