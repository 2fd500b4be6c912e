/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <lock.h>

#define ROUNDS 100000

struct shared {
	struct lock lock;
	long n;
};

static void *count(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < ROUNDS; i++) {
		lock_take(&s->lock);
		s->n++;
		lock_drop(&s->lock);
	}
	return NULL;
}

static void two_threads_lose_no_count(void **state)
{
	struct shared s = { .n = 0 };
	pthread_t other;

	(void)state;
	lock_init(&s.lock);
	assert_int_equal(pthread_create(&other, NULL, count, &s), 0);
	count(&s);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(s.n, 2 * ROUNDS);
	lock_end(&s.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_lose_no_count),
	};

	return run_all(tests);
}
