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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_lines_of_their_own),
		cmocka_unit_test(waits_for_who_is_inside),
	};

	return run_all(tests);
}
