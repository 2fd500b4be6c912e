/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader that is inside is nearly always about to leave, so the writer spins;
 * but one that lost its CPU needs this one.
 */
#include "epoch.h"
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
	return 0;
}

void epoch_end(struct epoch *e)
{
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
			atom_store(&e->n, i + 1);
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
	uint64_t was = atom_load(&s->seq);

	if (was % 2 == 0)
		return;
	for (unsigned int i = 1; atom_load(&s->seq) == was; i++) {
		if (i % SPINS == 0)
			sched_yield();
		else
			spin_relax();
	}
}

void epoch_wait(const struct epoch *e)
{
	uint64_t n;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	n = atom_load(&e->n);
	for (uint64_t i = 0; i < n; i++)
		wait_slot(&e->slot[i]);
}
