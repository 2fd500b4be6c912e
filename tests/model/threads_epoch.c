/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader finds a thing and looks at it for a while; writers put another one in
 * its place, wait, and break the old one. No reader may see a broken thing.
 * Writers wait for the slot to be plain, so that it turns all the time.
 *
 * usage: threads_epoch WRITERS [control]
 * With "control" nobody waits (no_wait.c): a broken thing must be seen, or this
 * could not see anything. That the barrier is needed is shown by the model,
 * tests/spin/epoch.pml: on a processor the moment without it is too short.
 */
#include <epoch.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define WRITERS 2u /* at most */
#define THINGS	8u /* each writer's own */
#define CHANGES 5000u
#define TRIES	100000000u /* of the control, to see one */
#define SPINS	10000u

struct thing {
	uint64_t whole;
	unsigned char pad[EPOCH_LINE - sizeof(uint64_t)];
};

struct scene {
	struct epoch epoch;
	struct epoch_slot *slot; /* the reader's */
	struct thing thing[WRITERS][THINGS];
	uint64_t shown;
	uint32_t writers;	/* that are not yet done */
	uint32_t begun;		/* by the reader */
	uint32_t changes;	/* by each, unless a broken thing is seen */
	uint64_t broken, plain; /* what the reader saw, and bursts without a fence */
};

struct writer {
	struct scene *scene;
	struct thing *thing;
};

static void *read_things(void *opaque)
{
	struct scene *s = opaque;
	uint64_t seen = 0;

	atom_store32(&s->begun, 1);
	while (atom_load32(&s->writers)) {
		const struct thing *t;

		epoch_enter(s->slot);
		t = (const struct thing *)(uintptr_t)atom_load(&s->shown);
		for (int i = 0; i < 8; i++)
			seen += !atom_peek(&t->whole);
		atom_poke(&s->broken, seen);
		s->plain += atom_load32(&s->slot->mode) == EPOCH_PLAIN;
		epoch_exit(s->slot);
	}
	return NULL;
}

static void change(struct scene *s, struct thing *next)
{
	struct thing *old;

	atom_poke(&next->whole, 1);
	old = (struct thing *)(uintptr_t)__atomic_exchange_n(&s->shown, (uintptr_t)next,
							     __ATOMIC_ACQ_REL);
	epoch_wait(&s->epoch);
	atom_poke(&old->whole, 0);
}

static void await_plain(const struct scene *s)
{
	for (unsigned int i = 0; i < SPINS; i++) {
		if (atom_load32(&s->slot->mode) == EPOCH_PLAIN)
			return;
	}
	sched_yield();
}

/* A thing is used again when it was long replaced, by whomever. */
static void *change_things(void *opaque)
{
	const struct writer *w = opaque;
	struct scene *s = w->scene;

	for (uint32_t i = 0; i < s->changes && !atom_peek(&s->broken); i++) {
		struct thing *next = &w->thing[i % THINGS];

		await_plain(s);
		if (!atom_peek(&next->whole)) /* else it is still shown */
			change(s, next);
	}
	__atomic_fetch_sub(&s->writers, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

static int play(struct scene *s)
{
	struct writer w[WRITERS];
	pthread_t reader, t[WRITERS];
	uint32_t n = s->writers;

	if (epoch_init(&s->epoch, 1))
		return -1;
	s->slot = epoch_join(&s->epoch);
	s->thing[0][THINGS - 1].whole = 1;
	s->shown = (uintptr_t)&s->thing[0][THINGS - 1];
	pthread_create(&reader, NULL, read_things, s);
	while (!atom_load32(&s->begun))
		sched_yield();
	for (uint32_t i = 0; i < n; i++) {
		w[i] = (struct writer){ s, s->thing[i] };
		pthread_create(&t[i], NULL, change_things, &w[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	pthread_join(reader, NULL);
	epoch_leave(s->slot);
	epoch_end(&s->epoch);
	return 0;
}

int main(int argc, char **argv)
{
	static struct scene s;
	int control = argc > 2 && !strcmp(argv[2], "control");

	s.changes = control ? TRIES : CHANGES;
	s.writers = argc > 1 && !strcmp(argv[1], "2") ? 2 : 1;
	if (play(&s))
		return 1;
	printf("%llu bursts without a fence, %llu broken things seen\n",
	       (unsigned long long)s.plain, (unsigned long long)s.broken);
	if (control)
		return s.broken == 0;
	return s.broken != 0 || (s.epoch.has_barrier && s.plain == 0);
}
