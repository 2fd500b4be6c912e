/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <atom.h>
#include <barrier.h>
#include <pthread.h>
#include <sched.h>

#define ROUNDS 100000u
#define LINE   64u

/*
 * Two threads, each of which says something and looks whether the other did. With
 * a barrier that does nothing both miss the other now and then.
 */
struct side {
	uint64_t said;
	unsigned char pad[LINE - sizeof(uint64_t)];
	uint64_t saw, round; /* that it is in */
	unsigned char more[LINE - 2 * sizeof(uint64_t)];
};

struct scene {
	struct side side[2];
};

static void meet(struct scene *s, unsigned int me, uint64_t round)
{
	atom_store(&s->side[me].round, round);
	for (unsigned int i = 1; atom_load(&s->side[!me].round) < round; i++) {
		if (i % 1000 == 0)
			sched_yield();
	}
}

/* Who came first hears of it later: by how much, each round tries anew. */
static void delay(uint64_t round)
{
	for (volatile unsigned int k = 0; k < round % 128; k++)
		;
}

/* Without a fence: the other one's barrier stands in for it. */
static void *say_and_look(void *arg)
{
	struct scene *s = arg;

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		meet(s, 0, 2 * i - 1);
		delay(i / 128);
		atom_poke(&s->side[0].said, i);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		s->side[0].saw = atom_peek(&s->side[1].said);
		meet(s, 0, 2 * i);
	}
	return NULL;
}

static void one_of_two_sees_the_other(void **state)
{
	static struct scene s;
	pthread_t other;

	(void)state;
	if (!barrier_init())
		skip(); /* this kernel has no membarrier() */
	assert_int_equal(pthread_create(&other, NULL, say_and_look, &s), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		meet(&s, 1, 2 * i - 1);
		delay(i);
		atom_poke(&s.side[1].said, i);
		barrier_everywhere();
		s.side[1].saw = atom_peek(&s.side[0].said);
		meet(&s, 1, 2 * i);
		assert_true(s.side[0].saw == i || s.side[1].saw == i);
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
