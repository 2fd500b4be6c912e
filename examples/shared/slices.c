/* SPDX-License-Identifier: BSD-2-Clause */
#include "slices.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NOWHERE VD_REMOTE_NOWHERE

static bool is_same(const struct regions *a, const struct regions *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->run[i].fd != b->run[i].fd ||
		    a->run[i].iova.v != b->run[i].iova.v ||
		    a->run[i].len != b->run[i].len ||
		    a->run[i].off != b->run[i].off)
			return false;
	return a->n == b->n;
}

static bool is_within(const struct vd_remote_region *m)
{
	return m->iova.v < SLICE_LEN && m->len <= SLICE_LEN - m->iova.v;
}

static void place(struct slices *all, uint64_t base, const struct regions *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!is_within(&r->run[i]))
			continue;
		all->region[all->n] = r->run[i];
		all->region[all->n++].iova.v += base;
	}
}

void slices_begin(struct slices *all, const struct vd_remote_region *control)
{
	all->region[0] = *control;
	all->n = 1;
}

int slices_add(struct slices *all, unsigned int number, size_t room,
	       const struct regions *written, const struct regions *read,
	       struct slice *out)
{
	uint64_t base = (2 * (uint64_t)number - 1) * SLICE_LEN;
	bool same = is_same(written, read);

	*out = (struct slice){ .written = 0 };
	if (written->n + (same ? 0 : read->n) > room)
		return -ENOSPC;
	*out = (struct slice){ base, same ? base : base + SLICE_LEN };
	place(all, out->written, written);
	if (!same)
		place(all, out->read, read);
	return 0;
}

uint64_t slice_address(const struct slice *s, unsigned int prot, uint64_t bus)
{
	uint64_t base = prot == VD_WRITE ? s->written : s->read;

	return base && bus < SLICE_LEN ? base + bus : NOWHERE;
}

const struct vd_remote_region *slices_find(const struct slices *all,
					   uint64_t address)
{
	for (size_t i = 0; i < all->n; i++)
		if (address - all->region[i].iova.v < all->region[i].len)
			return &all->region[i];
	return NULL;
}
