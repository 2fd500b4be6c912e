/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A window is seen as what lies between its loans, and the loans, which may
 * have loans of their own. Each loan takes a register and adds at most two
 * runs, as does a hidden part; so twice as many runs as registers, and two,
 * are enough.
 */
#include "engine.h"

#include <mem.h>
#include <errno.h>

struct flatview_runs *flatview_runs_new(uint32_t nregs)
{
	uint64_t max = 2 * (uint64_t)nregs + 3;
	struct flatview_runs *r;

	r = mem_zalloc(1, sizeof(*r) + max * sizeof(struct flatview_run));
	if (r)
		r->max = max;
	return r;
}

int flatview_init(struct flatview *v, uint32_t nregs)
{
	for (size_t i = 0; i < 2; i++) {
		v->runs[i] = flatview_runs_new(nregs);
		if (!v->runs[i]) {
			flatview_end(v);
			return -ENOMEM;
		}
	}
	flatview_show(v, v->runs[0]);
	return 0;
}

void flatview_end(struct flatview *v)
{
	mem_free(v->runs[0]);
	mem_free(v->runs[1]);
}

struct flatview_runs *flatview_other(struct flatview *v)
{
	return v->runs[flatview_shown(v) == v->runs[0]];
}

void flatview_show(struct flatview *v, struct flatview_runs *r)
{
	for (uint64_t i = r->n; i < r->max; i++)
		r->run[i] = (struct flatview_run){ .n = 0 };
	atom_store(&v->shown, (uintptr_t)r); /* pairs with flatview_shown() */
}

static uint8_t kind_of(const struct vd_table *t)
{
	if (t->format != VD_FORMAT_NATIVE || t->levels > 1)
		return VIEW_OTHER;
	return t->levels ? VIEW_TREE : VIEW_ARRAY;
}

static void add_run(struct flatview_runs *r, const struct window *w,
		    uint64_t first, uint64_t end)
{
	const struct vd_table *t = w->table;
	const struct ram *ram = &w->owner->ram;
	struct flatview_run *run = &r->run[r->n];

	if (first == end)
		return;
	*run = (struct flatview_run){
		.bus = window_bus(w, first),
		.n = end - first,
		.mask = ((uint64_t)1 << t->shift) - 1,
		.top = t->levels ? t->top : t->top + first,
		.format = (uint8_t)t->format,
		.shift = (uint8_t)t->shift,
		.levels = (uint8_t)t->levels,
		.rights = (uint8_t)w->rights,
		.kind = kind_of(t),
		.owner = w->owner->id,
		.first = t->levels ? first : 0,
		.ram = ram,
	};
	if (ram->n) {
		run->gpa = ram->at[0].gpa;
		run->len = ram->at[0].len;
		run->hva = ram->at[0].hva;
	}
	r->n++;
}

/* The first loan of @w from entry @at on, or NULL. */
static const struct window *next_loan(const struct window *all, uint32_t n,
				      const struct window *w, uint64_t at)
{
	const struct window *best = NULL;

	for (uint32_t i = 0; i < n; i++) {
		const struct window *l = &all[i];

		if (l->table && l->lender == w && l->first >= at &&
		    (!best || l->first < best->first))
			best = l;
	}
	return best;
}

/* What is to be seen between two loans: all but the hidden part. */
static void add_gap(struct flatview_runs *r, const struct window *w,
		    uint64_t first, uint64_t end)
{
	uint64_t hidden = w->hidden, after = w->hidden + w->nhidden;

	if (w->nhidden == 0 || after <= first || end <= hidden) {
		add_run(r, w, first, end);
		return;
	}
	if (first < hidden)
		add_run(r, w, first, hidden);
	if (after < end)
		add_run(r, w, after, end);
}

void flatview_add(struct flatview_runs *r, const struct window *all, uint32_t n,
		  const struct window *w)
{
	uint64_t at = w->first;
	const struct window *l;

	while ((l = next_loan(all, n, w, at))) {
		add_gap(r, w, at, l->first);
		flatview_add(r, all, n, l);
		at = l->first + l->len;
	}
	add_gap(r, w, at, w->first + w->len);
}
