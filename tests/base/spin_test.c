/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <pthread.h>
#include <spin.h>

#define ROUNDS 100000

struct shared {
	struct spin lock;
	long n;
};

static void *count(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < ROUNDS; i++) {
		spin_take(&s->lock);
		s->n++;
		spin_drop(&s->lock);
	}
	return NULL;
}

static void two_threads_lose_no_count(void **state)
{
	struct shared s = { .n = 0 };
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, count, &s), 0);
	count(&s);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(s.n, 2 * ROUNDS);
}

/* Also a holder that has lost its CPU for long. */
static void waits_for_the_holder(void **state)
{
	struct shared s = { .n = 0 };
	pthread_t other;

	(void)state;
	spin_take(&s.lock);
	assert_int_equal(pthread_create(&other, NULL, count, &s), 0);
	for (int i = 0; i < 1000000; i++)
		spin_relax();
	assert_int_equal(s.n, 0);
	spin_drop(&s.lock);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(s.n, ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_lose_no_count),
		cmocka_unit_test(waits_for_the_holder),
	};

	return run_all(tests);
}
