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

struct gate {
	struct lock lock;
	struct lock_event opened;
	bool open;
};

static void *open_gate(void *arg)
{
	struct gate *g = arg;

	lock_take(&g->lock);
	g->open = true;
	lock_wake_all(&g->opened);
	lock_drop(&g->lock);
	return NULL;
}

static void waits_until_woken(void **state)
{
	struct gate g = { .open = false };
	pthread_t other;

	(void)state;
	lock_init(&g.lock);
	lock_event_init(&g.opened);
	lock_take(&g.lock);
	assert_int_equal(pthread_create(&other, NULL, open_gate, &g), 0);
	while (!g.open)
		lock_wait(&g.lock, &g.opened);
	lock_drop(&g.lock);
	assert_int_equal(pthread_join(other, NULL), 0);
	lock_event_end(&g.opened);
	lock_end(&g.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_lose_no_count),
		cmocka_unit_test(waits_until_woken),
	};

	return run_all(tests);
}
