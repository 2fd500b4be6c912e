/* SPDX-License-Identifier: BSD-2-Clause */
#include "rival.h"

#include <container.h>
#include <errno.h>

#define PAGE VD_PAGE_SIZE

uint64_t rival_pins(const struct rival *r)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		const struct rival_mapping *m = &r->m[i];

		if (!m->pinned)
			continue;
		for (uint64_t p = m->gpa / PAGE; p <= (m->gpa + m->len - 1) / PAGE; p++)
			pages |= (uint64_t)1 << p;
	}
	return pages;
}

size_t rival_pinned(const struct rival *r)
{
	return (size_t)__builtin_popcountll(rival_pins(r));
}

size_t rival_mappings(const struct rival *r, uint32_t dev)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(r->m); i++)
		n += r->m[i].live && r->m[i].dev == dev;
	return n;
}

uint64_t rival_mapped(const struct rival *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(r->m); i++)
		n += r->m[i].live ? r->m[i].len : 0;
	return n;
}

static int check_seg(const struct vd_seg *seg)
{
	if (seg->len == 0 || seg->prot == 0 || seg->prot > 3)
		return -EINVAL;
	if (seg->gpa.v + seg->len - 1 < seg->gpa.v)
		return -EOVERFLOW;
	return 0;
}

/* Which page of host address @at the device sees as something else. */
static bool sees_other(const struct rival *r, uint32_t dev, uint64_t at, uint64_t gpa)
{
	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		const struct rival_mapping *m = &r->m[i];

		if (!m->live || m->dev != dev)
			continue;
		for (uint64_t p = m->iova / PAGE; p <= (m->iova + m->len - 1) / PAGE; p++) {
			if (p == at / PAGE && m->gpa / PAGE + (p - m->iova / PAGE) != gpa / PAGE)
				return true;
		}
	}
	return false;
}

static int place(const struct rival *r, uint32_t dev, const struct vd_seg *seg, uint64_t mask,
		 uint64_t *iova)
{
	uint64_t first = seg->gpa.v / PAGE, last = (seg->gpa.v + seg->len - 1) / PAGE;

	for (uint64_t p = first; p <= last; p++) {
		if (r->place[p] != r->place[first] + (p - first) * PAGE)
			return -EXDEV;
	}
	*iova = r->place[first] + seg->gpa.v % PAGE;
	if (*iova + seg->len - 1 > mask)
		return -ERANGE;
	for (uint64_t p = first; p <= last; p++) {
		if (sees_other(r, dev, r->place[p], p * PAGE))
			return -EEXIST;
	}
	return 0;
}

static struct rival_mapping *enter(struct rival *r, uint32_t dev, const struct vd_seg *seg)
{
	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		if (!r->m[i].pinned) {
			r->m[i] = (struct rival_mapping){ true, true,	  dev,	    seg->gpa.v,
							  0,	seg->len, seg->prot };
			return &r->m[i];
		}
	}
	return NULL;
}

static int check_all(const struct rival *r, uint32_t dev, const struct vd_seg *segs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = check_seg(&segs[i]);

		if (err)
			return err;
	}
	if (!r->dev[dev].attached)
		return -ENODEV;
	if (r->dev[dev].state != VD_DEVICE_PERMITTED)
		return -EPERM;
	if (rival_mappings(r, dev) + n > RIVAL_MAPPINGS)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++) {
		if (segs[i].gpa.v + segs[i].len > RIVAL_PAGES * PAGE)
			return -EFAULT;
	}
	return 0;
}

int rival_map(struct rival *r, uint32_t dev, struct vd_seg *segs, size_t n, uint64_t mask)
{
	struct rival was;
	uint64_t iova[8];
	int err = check_all(r, dev, segs, n);

	if (err)
		return err;
	was = *r;
	for (size_t i = 0; i < n; i++)
		enter(r, dev, &segs[i])->live = false;
	if (rival_pinned(r) > r->budget)
		err = -EDQUOT;
	*r = was;
	for (size_t i = 0; !err && i < n; i++) {
		err = place(r, dev, &segs[i], mask, &iova[i]);
		if (!err)
			enter(r, dev, &segs[i])->iova = iova[i];
	}
	if (err) {
		*r = was;
		return err;
	}
	for (size_t i = 0; i < n; i++)
		segs[i].iova.v = iova[i];
	return 0;
}

int rival_unmap(struct rival *r, uint32_t dev, uint64_t iova, uint64_t len)
{
	if (!r->dev[dev].attached)
		return -ENODEV;
	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		struct rival_mapping *m = &r->m[i];

		if (m->live && m->dev == dev && m->iova == iova && m->len == len) {
			m->live = false;
			m->pinned = r->dev[dev].state == VD_DEVICE_STUCK;
			return 0;
		}
	}
	return -ENOENT;
}

int rival_translate(const struct rival *r, uint32_t dev, uint64_t iova, unsigned int prot,
		    uint64_t *gpa)
{
	int err = -ENOENT;

	if (!r->dev[dev].attached)
		return -ENODEV;
	if (r->dev[dev].state != VD_DEVICE_PERMITTED)
		return -EPERM;
	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		const struct rival_mapping *m = &r->m[i];

		if (!m->live || m->dev != dev || iova < m->iova || iova - m->iova >= m->len)
			continue;
		if (m->prot & prot) {
			*gpa = m->gpa + (iova - m->iova);
			return 0;
		}
		err = -EACCES;
	}
	return err;
}

bool rival_reaches(const struct rival *r, uint32_t dev, uint64_t gpa)
{
	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		const struct rival_mapping *m = &r->m[i];

		if (m->live && m->dev == dev && gpa >= m->gpa && gpa - m->gpa < m->len)
			return true;
	}
	return false;
}

void rival_drop(struct rival *r, uint32_t dev)
{
	for (size_t i = 0; i < ARRAY_LEN(r->m); i++) {
		if (r->m[i].dev == dev)
			r->m[i].live = r->m[i].pinned = false;
	}
}
