/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define CONTROL_OPS ((size_t)1 << 18)

/* What two threads share; each is on a line of its own by its size. */
struct pair {
	const struct bench_entrant *what;
	struct pair_churn *churn;
	uint32_t ready, done;
};

static void settle_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void unsettle(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* Both begin together. */
static void meet(struct pair *p)
{
	__atomic_fetch_add(&p->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&p->ready, __ATOMIC_ACQUIRE) < 2)
		sched_yield();
}

static int is_done(struct pair *p)
{
	return (int)__atomic_load_n(&p->done, __ATOMIC_RELAXED);
}

static void *run_churn(struct pair *p)
{
	struct pair_churn *c = p->churn;
	uint64_t i = 0;

	while (!is_done(p))
		c->step(c->opaque, i++);
	c->steps = i;
	return NULL;
}

static void *run_second(void *opaque)
{
	struct pair *p = opaque;

	settle_on(1);
	meet(p);
	if (p->churn)
		return run_churn(p);
	while (!is_done(p)) /* at least as long as the first */
		p->what->run(p->what->opaque);
	return NULL;
}

static double run(const struct bench_entrant *first, struct pair *p)
{
	pthread_t other;
	double ns;

	bench_must(pthread_create(&other, NULL, run_second, p) == 0, "thread");
	settle_on(0);
	meet(p);
	ns = first->run(first->opaque);
	__atomic_store_n(&p->done, 1, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	unsettle();
	return ns;
}

double pair_run(const struct bench_entrant *first,
		const struct bench_entrant *second)
{
	struct pair p = { .what = second };

	return run(first, &p);
}

double pair_churn(const struct bench_entrant *first, struct pair_churn *churn)
{
	struct pair p = { .churn = churn };

	return run(first, &p);
}

static uint64_t spin(uint64_t seed, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
	}
	return seed;
}

static volatile uint64_t control_sink;

double pair_control(void *unused)
{
	double a = bench_now_ns();

	(void)unused;
	control_sink = spin(88172645463325252u, CONTROL_OPS);
	return (bench_now_ns() - a) / CONTROL_OPS;
}

void pair_control_step(void *unused, uint64_t i)
{
	(void)unused;
	if (spin(i | 1, 64) == 0)
		abort(); /* cannot be: the step is for its time only */
}
