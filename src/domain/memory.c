/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariant: no two stretches share a guest address or a process address; so
 * a page of the process is one page of the guest and is counted once.
 */
#include "memory.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>
#include <string.h>

void memory_init(struct memory *m, unsigned int granule_shift)
{
	memset(m, 0, sizeof(*m));
	m->granule_shift = granule_shift;
}

void memory_end(struct memory *m)
{
	for (unsigned int i = 0; i < m->n; i++) {
		mem_free(m->at[i].held);
		mem_free(m->at[i].handle);
		mem_free(m->at[i].pins);
	}
	m->n = 0;
}

static int check_args(const struct memory *m, uint64_t gpa, uint64_t hva,
		      uint64_t len)
{
	uint64_t last;

	if (len == 0 || hva == 0 ||
	    !is_aligned(gpa | hva | len, m->granule_shift))
		return -EINVAL;
	if (!checked_last(gpa, len, &last) || !checked_last(hva, len, &last))
		return -EOVERFLOW;
	return 0;
}

static int check_free(const struct memory *m, uint64_t gpa, uint64_t hva,
		      uint64_t len)
{
	for (unsigned int i = 0; i < m->n; i++) {
		const struct stretch *s = &m->at[i];
		uint64_t at = (uintptr_t)s->hva;

		if (ranges_overlap(s->gpa, s->last, gpa, gpa + len - 1) ||
		    ranges_overlap(at, at + (s->last - s->gpa), hva,
				   hva + len - 1))
			return -EEXIST;
	}
	return m->n < MEMORY_MAX ? 0 : -ENOSPC;
}

int memory_add(struct memory *m, uint64_t gpa, void *hva, uint64_t len)
{
	struct stretch *s = &m->at[m->n];
	uint32_t *pins;
	int err;

	err = check_args(m, gpa, (uintptr_t)hva, len);
	if (!err)
		err = check_free(m, gpa, (uintptr_t)hva, len);
	if (err)
		return err;
	pins = mem_zalloc(len >> m->granule_shift, sizeof(*pins));
	if (!pins)
		return -ENOMEM;

	/* Nothing below can fail. */
	*s = (struct stretch){ gpa, gpa + len - 1, hva, pins, NULL, NULL };
	m->n++;
	m->len += len;
	return 0;
}

struct stretch *memory_find(struct memory *m, uint64_t first, uint64_t last)
{
	for (unsigned int i = 0; i < m->n; i++) {
		struct stretch *s = &m->at[i];

		if (s->gpa <= first && last <= s->last)
			return s;
	}
	return NULL;
}

unsigned char *memory_piece(struct memory *m, uint64_t gpa, uint64_t len,
			    uint64_t *piece)
{
	struct stretch *s = memory_find(m, gpa, gpa);

	if (!s)
		return NULL;
	*piece = s->last - gpa < len ? s->last - gpa + 1 : len;
	return stretch_hva(s, gpa);
}
