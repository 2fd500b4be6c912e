/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <atom.h>
#include <barrier.h>
#include <pthread.h>
#include <sched.h>

#define ROUNDS 3000u

/* Two threads, each of which says something and looks whether the other did. */
struct scene {
	uint64_t said[2], saw[2];
	uint64_t round[2]; /* that each is in */
};

static void meet(struct scene *s, unsigned int me, uint64_t round)
{
	atom_store(&s->round[me], round);
	for (unsigned int i = 1; atom_load(&s->round[!me]) < round; i++) {
		if (i % 1000 == 0)
			sched_yield();
	}
}

/* Without a fence: the other one's barrier stands in for it. */
static void *say_and_look(void *arg)
{
	struct scene *s = arg;

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		meet(s, 0, 2 * i - 1);
		atom_poke(&s->said[0], i);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		s->saw[0] = atom_peek(&s->said[1]);
		meet(s, 0, 2 * i);
	}
	return NULL;
}

static void one_of_two_sees_the_other(void **state)
{
	struct scene s = { .said = { 0 } };
	pthread_t other;

	(void)state;
	if (!barrier_init())
		skip(); /* this kernel has no membarrier() */
	assert_int_equal(pthread_create(&other, NULL, say_and_look, &s), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		meet(&s, 1, 2 * i - 1);
		atom_poke(&s.said[1], i);
		barrier_everywhere();
		s.saw[1] = atom_peek(&s.said[0]);
		meet(&s, 1, 2 * i);
		assert_true(s.saw[0] == i || s.saw[1] == i);
	}
	pthread_join(other, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_two_sees_the_other),
	};

	return run_all(tests);
}
