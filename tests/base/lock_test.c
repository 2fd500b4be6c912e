/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <lock.h>
#include <pthread.h>
#include <sched.h>

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

static void threads_lose_no_count(void **state)
{
	struct shared s = { .n = 0 };
	pthread_t other[3];

	(void)state;
	lock_init(&s.lock);
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_int_equal(pthread_create(&other[i], NULL, count, &s), 0);
	count(&s);
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_int_equal(pthread_join(other[i], NULL), 0);
	assert_int_equal(s.n, (ARRAY_LEN(other) + 1) * ROUNDS);
	lock_end(&s.lock);
}

#define QUEUE  5
#define QUEUES 200

struct queue {
	struct lock lock;
	int order[QUEUE], n;
};

struct caller {
	struct queue *q;
	int number;
	pthread_t thread;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	struct queue *q = c->q;

	lock_take(&q->lock);
	q->order[q->n++] = c->number;
	lock_drop(&q->lock);
	return NULL;
}

/* Start one, and wait until it waits for the lock, which we have. */
static void start(struct caller *c)
{
	struct lock_waiter *last = __atomic_load_n(&c->q->lock.last, __ATOMIC_ACQUIRE);

	assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
	while (__atomic_load_n(&c->q->lock.last, __ATOMIC_ACQUIRE) == last)
		sched_yield();
}

/* Who has dropped it comes after all who waited, however quick it is. */
static void each_has_its_turn_in_order(void **state)
{
	struct queue q = { .n = 0 };
	struct caller c[QUEUE];

	(void)state;
	lock_init(&q.lock);
	for (int round = 0; round < QUEUES; round++) {
		lock_take(&q.lock);
		q.n = 0;
		q.lock.last = NULL; /* nobody's: no waiter of the last round */
		for (int i = 0; i < QUEUE; i++) {
			c[i] = (struct caller){ .q = &q, .number = i };
			start(&c[i]);
		}
		assert_int_equal(q.n, 0);
		lock_drop(&q.lock);
		lock_take(&q.lock);
		assert_int_equal(q.n, QUEUE);
		for (int i = 0; i < QUEUE; i++)
			assert_int_equal(q.order[i], i);
		lock_drop(&q.lock);
		for (int i = 0; i < QUEUE; i++)
			pthread_join(c[i].thread, NULL);
	}
	lock_end(&q.lock);
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
		cmocka_unit_test(threads_lose_no_count),
		cmocka_unit_test(each_has_its_turn_in_order),
		cmocka_unit_test(waits_until_woken),
	};

	return run_all(tests);
}
