/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <epoch.h>
#include <pthread.h>
#include <stdatomic.h>

static void slots_are_lines_of_their_own(void **state)
{
	struct epoch e;
	struct epoch_slot *s[4];

	(void)state;
	assert_int_equal(epoch_init(&e, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		s[i] = epoch_join(&e);
		assert_non_null(s[i]);
		assert_int_equal((uintptr_t)s[i] % EPOCH_LINE, 0);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(s[i], s[k]);
	}
	assert_null(epoch_join(&e));
	epoch_leave(s[2]);
	assert_ptr_equal(epoch_join(&e), s[2]);
	epoch_end(&e);
}

struct waiter {
	struct epoch *e;
	atomic_bool done;
};

static void *wait_for_readers(void *arg)
{
	struct waiter *w = arg;

	epoch_wait(w->e);
	w->done = true;
	return NULL;
}

/* Waits for a reader that is inside, and not for one that came later. */
static void waits_for_who_is_inside(void **state)
{
	struct epoch_slot *first, *second;
	struct waiter w = { .done = false };
	struct epoch e;
	pthread_t t;

	(void)state;
	assert_int_equal(epoch_init(&e, 4), 0);
	first = epoch_join(&e);
	second = epoch_join(&e);
	epoch_wait(&e); /* nobody is inside */
	epoch_enter(first);
	w.e = &e;
	assert_int_equal(pthread_create(&t, NULL, wait_for_readers, &w), 0);
	for (int i = 0; i < 100; i++) {
		epoch_enter(second);
		epoch_exit(second);
		assert_false(w.done);
	}
	epoch_exit(first);
	pthread_join(t, NULL);
	assert_true(w.done);
	epoch_end(&e);
}

static void announce(struct epoch_slot *s, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		epoch_enter(s);
		epoch_exit(s);
	}
}

/* A reader that sees no writer leaves out its fence, until there is one. */
static void fences_only_while_there_are_writers(void **state)
{
	struct epoch_slot *s;
	struct epoch e;

	(void)state;
	assert_int_equal(epoch_init(&e, 2), 0);
	if (!e.has_barrier) {
		epoch_end(&e);
		skip(); /* this kernel has no membarrier() */
	}
	s = epoch_join(&e);
	announce(s, EPOCH_QUIET - 1);
	assert_int_equal(s->mode, EPOCH_FENCED);
	announce(s, 1);
	assert_int_equal(s->mode, EPOCH_PLAIN);
	epoch_wait(&e);
	assert_int_equal(s->mode, EPOCH_FENCED);
	announce(s, EPOCH_QUIET); /* there was a writer since the last look */
	assert_int_equal(s->mode, EPOCH_FENCED);
	announce(s, EPOCH_QUIET);
	assert_int_equal(s->mode, EPOCH_PLAIN);
	epoch_end(&e);
}

static void without_a_barrier_it_always_fences(void **state)
{
	struct epoch_slot *s;
	struct epoch e;

	(void)state;
	assert_int_equal(epoch_init(&e, 2), 0);
	e.has_barrier = false;
	s = epoch_join(&e);
	announce(s, 3 * EPOCH_QUIET);
	assert_int_equal(s->mode, EPOCH_FENCED);
	epoch_end(&e);
}

/* A slot that changes hands keeps its mode: a writer may be turning it. */
static void a_slot_keeps_its_mode(void **state)
{
	struct epoch_slot *s;
	struct epoch e;

	(void)state;
	assert_int_equal(epoch_init(&e, 1), 0);
	s = epoch_join(&e);
	s->mode = EPOCH_TURNING;
	epoch_leave(s);
	assert_ptr_equal(epoch_join(&e), s);
	assert_int_equal(s->mode, EPOCH_TURNING);
	announce(s, 2 * EPOCH_QUIET); /* only a writer ends a turn */
	assert_int_equal(s->mode, EPOCH_TURNING);
	epoch_wait(&e);
	assert_int_equal(s->mode, EPOCH_FENCED);
	epoch_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_lines_of_their_own),
		cmocka_unit_test(waits_for_who_is_inside),
		cmocka_unit_test(fences_only_while_there_are_writers),
		cmocka_unit_test(without_a_barrier_it_always_fences),
		cmocka_unit_test(a_slot_keeps_its_mode),
	};

	return run_all(tests);
}
