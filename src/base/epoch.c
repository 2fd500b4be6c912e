/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader that is inside is nearly always about to leave, so the writer spins;
 * but one that lost its CPU needs this one.
 */
#include "epoch.h"
#include "barrier.h"
#include "mem.h"
#include "spin.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>

#define SPINS 1000u

int epoch_init(struct epoch *e, size_t max)
{
	uintptr_t at;

	*e = (struct epoch){ .max = max };
	e->mem = mem_zalloc(max + 1, sizeof(struct epoch_slot));
	if (!e->mem)
		return -ENOMEM;
	at = (uintptr_t)e->mem + EPOCH_LINE - 1;
	e->slot = (struct epoch_slot *)(at - at % EPOCH_LINE);
	for (size_t i = 0; i < max; i++)
		e->slot[i].epoch = e;
	e->has_barrier = barrier_init();
	lock_init(&e->turn);
	return 0;
}

void epoch_end(struct epoch *e)
{
	lock_end(&e->turn);
	mem_free(e->mem);
}

struct epoch_slot *epoch_join(struct epoch *e)
{
	for (uint64_t i = 0; i < e->max; i++) {
		struct epoch_slot *s = &e->slot[i];

		if (s->used)
			continue;
		s->used = 1;
		if (i >= e->n)
			atom_store(&e->n, i + 1); /* epoch_wait()'s load */
		return s;
	}
	return NULL;
}

void epoch_leave(struct epoch_slot *s)
{
	assert(s->seq % 2 == 0);
	s->used = 0;
}

static void wait_slot(const struct epoch_slot *s)
{
	uint64_t was = atom_load(&s->seq); /* pairs with epoch_exit() */

	if (was % 2 == 0)
		return;
	for (unsigned int i = 1; atom_load(&s->seq) == was; i++) {
		if (i % SPINS == 0)
			sched_yield();
		else
			spin_relax();
	}
}

void epoch_relax(struct epoch_slot *s)
{
	uint64_t waits = atom_peek(&s->epoch->waits);
	uint32_t fenced = EPOCH_FENCED;

	s->quiet = 0;
	if (s->epoch->has_barrier && waits == s->waits)
		__atomic_compare_exchange_n(&s->mode, &fenced, EPOCH_PLAIN,
					    false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	s->waits = waits;
}

static bool is_fenced(const struct epoch_slot *s)
{
	return atom_load32(&s->mode) == EPOCH_FENCED;
}

/* Whoever is not fenced turns; another writer may have seen to it already. */
static bool begin_turn(struct epoch *e, uint64_t n) MUST_HOLD(e->turn)
{
	bool any = false;

	for (uint64_t i = 0; i < n; i++) {
		if (is_fenced(&e->slot[i]))
			continue;
		atom_store32(&e->slot[i].mode, EPOCH_TURNING);
		any = true;
	}
	return any;
}

static void end_turn(struct epoch *e, uint64_t n) MUST_HOLD(e->turn)
{
	for (uint64_t i = 0; i < n; i++) {
		if (atom_load32(&e->slot[i].mode) == EPOCH_TURNING)
			atom_store32(&e->slot[i].mode, EPOCH_FENCED);
	}
}

static void turn(struct epoch *e, uint64_t n)
{
	lock_take(&e->turn);
	if (begin_turn(e, n)) {
		barrier_everywhere();
		end_turn(e, n);
	}
	lock_drop(&e->turn);
}

void epoch_wait(struct epoch *e)
{
	uint64_t n;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	n = atom_load(&e->n);
	/* Two writers may count as one: readers only ask whether it moved. */
	atom_poke(&e->waits, atom_peek(&e->waits) + 1);
	for (uint64_t i = 0; i < n; i++) {
		while (!is_fenced(&e->slot[i]))
			turn(e, n);
		wait_slot(&e->slot[i]);
	}
}
