/* SPDX-License-Identifier: BSD-2-Clause */
#include "slots.h"

#include <assert.h>
#include <stdbool.h>

/* Short runs cost the user a system call each, looking on costs memory reads:
 * a few are worth it. */
#define SLOTS_TRIES 32

static bool is_used(const struct slots *s, uint32_t i)
{
	return s->used[i / 64] >> (i % 64) & 1;
}

/* The first free slot at or after @from, or SLOTS_MAX. */
static uint32_t find_free(const struct slots *s, uint32_t from)
{
	while (from < SLOTS_MAX) {
		uint64_t open = ~s->used[from / 64] >> (from % 64);

		if (open)
			return from + (uint32_t)__builtin_ctzll(open);
		from = (from / 64 + 1) * 64;
	}
	return SLOTS_MAX;
}

/* How many slots from @at, which is free, are; at most @want. */
static uint32_t run_len(const struct slots *s, uint32_t at, uint32_t want)
{
	uint32_t n = 1;

	while (n < want && at + n < SLOTS_MAX && !is_used(s, at + n))
		n++;
	return n;
}

/* The longest of a few runs from s->next on. One slot is free. */
static uint32_t find_run(const struct slots *s, uint32_t want, uint32_t *first)
{
	uint32_t at = s->next, best = 0;

	for (int tries = 0; tries < SLOTS_TRIES && best < want; tries++) {
		uint32_t n;

		at = find_free(s, at);
		if (at == SLOTS_MAX)
			at = find_free(s, 0);
		n = run_len(s, at, want);
		if (n > best) {
			best = n;
			*first = at;
		}
		at = (at + n) % SLOTS_MAX;
	}
	return best;
}

uint32_t slots_take(struct slots *s, uint32_t want, uint32_t *first)
{
	uint32_t n;

	if (s->nused == SLOTS_MAX || want == 0)
		return 0;
	n = find_run(s, want, first);
	for (uint32_t i = *first; i < *first + n; i++)
		s->used[i / 64] |= (uint64_t)1 << (i % 64);
	s->nused += n;
	s->next = (*first + n) % SLOTS_MAX;
	return n;
}

void slots_give(struct slots *s, uint32_t first, uint32_t n)
{
	assert(first + n <= SLOTS_MAX && n <= s->nused);
	for (uint32_t i = first; i < first + n; i++) {
		assert(is_used(s, i));
		s->used[i / 64] &= ~((uint64_t)1 << (i % 64));
	}
	s->nused -= n;
}
