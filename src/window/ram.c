/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a domain is looked up in the domain once and copied here: a look
 * that finds nothing asks the domain again, which may have got more.
 */
#include "ram.h"

#include <assert.h>
#include <checked.h>
#include <sized.h>
#include <errno.h>
#include <string.h>

#define SPANS 64u  /* for one call of an owner's hold or release */
#define LIST  512u /* entries with one take of the lock of counts */
#define AHEAD 8u   /* counts of a run that are fetched early */

static int check_span(const struct vd_span *s)
{
	uint64_t last;

	if (s->len == 0 || !s->hva ||
	    !is_aligned(s->gpa.v | (uintptr_t)s->hva | s->len, VD_PAGE_SHIFT) ||
	    !checked_last(s->gpa.v, s->len, &last) ||
	    !checked_last((uintptr_t)s->hva, s->len, &last))
		return -EINVAL;
	return 0;
}

static bool is_same_span(const struct ram_span *a, const struct ram_span *b)
{
	return a->gpa == b->gpa && a->len == b->len && a->hva == b->hva &&
	       a->domain == b->domain;
}

static bool has_span(const struct ram *r, const struct ram_span *s)
{
	for (uint64_t i = 0; i < r->n; i++) {
		if (is_same_span(&r->at[i], s))
			return true;
	}
	return false;
}

static int check_room(const struct ram *r, const struct ram_span *s)
{
	for (uint64_t i = 0; i < r->n; i++) {
		const struct ram_span *o = &r->at[i];

		if (ranges_overlap(o->gpa, o->gpa + o->len - 1, s->gpa,
				   s->gpa + s->len - 1))
			return -EEXIST;
	}
	return r->n == RAM_MAX ? -EINVAL : 0;
}

static int add_span(struct ram *r, const struct ram_span *s)
{
	int err = check_room(r, s);

	if (err)
		return err;
	r->at[r->n] = *s;
	atom_store(&r->n, r->n + 1);
	return 0;
}

static struct ram_span span_of(struct vd_domain *d, struct stretch *s,
			       uint64_t base)
{
	return (struct ram_span){
		.gpa = base + s->gpa,
		.len = s->last - s->gpa + 1,
		.hva = s->hva,
		.stretch = s,
		.domain = d,
		.base = base,
	};
}

/* What the domain has and we do not. */
static int catch_up(struct ram *r)
{
	struct stretch *s;
	int err;

	while ((err = granule_pin_open(r->domain, r->nown, &s)) == 0) {
		const struct ram_span span = span_of(r->domain, s, 0);

		err = add_span(r, &span);
		if (err)
			return err;
		r->nown++;
	}
	return err == -ENOENT ? 0 : err;
}

/*
 * How many stretches a domain has, all of them ready to be held. Those that are
 * reached already need no room.
 */
static int check_reach(struct ram *r, struct vd_domain *d, uint64_t base,
		       size_t *n)
{
	struct stretch *s;
	size_t more = 0;
	int err;

	for (*n = 0; (err = granule_pin_open(d, *n, &s)) == 0; ++*n) {
		const struct ram_span span = span_of(d, s, base);
		uint64_t last;

		if (!checked_add(s->last, base, &last))
			return -EINVAL;
		if (has_span(r, &span))
			continue;
		err = check_room(r, &span);
		if (err)
			return err;
		more++;
	}
	if (err != -ENOENT)
		return err;
	return r->n + more > RAM_MAX ? -ENOSPC : 0;
}

int ram_reach(struct ram *r, struct vd_domain *d, uint64_t base)
{
	struct stretch *s;
	size_t n;
	int err = check_reach(r, d, base, &n);

	if (err)
		return err == -EINVAL && r->n == RAM_MAX ? -ENOSPC : err;

	/* Nothing below can fail. */
	for (size_t i = 0; i < n && granule_pin_open(d, i, &s) == 0; i++) {
		const struct ram_span span = span_of(d, s, base);

		if (!has_span(r, &span))
			add_span(r, &span);
	}
	return 0;
}

static int set_ops(struct ram *r, const struct vd_owner_ops *ops)
{
	int err = sized_read(&r->ops, sizeof(r->ops), ops);

	if (err)
		return err;
	return r->ops.hold && r->ops.release ? 0 : -EINVAL;
}

static int add_spans(struct ram *r, const struct vd_owner_cfg *cfg)
{
	if (cfg->nmemory > RAM_MAX || (cfg->nmemory && !cfg->memory))
		return -EINVAL;
	for (size_t i = 0; i < cfg->nmemory; i++) {
		const struct vd_span *m = &cfg->memory[i];
		const struct ram_span s = { .gpa = m->gpa.v,
					    .len = m->len,
					    .hva = m->hva };
		int err = check_span(m);

		if (!err)
			err = add_span(r, &s);
		if (err)
			return err;
	}
	return 0;
}

int ram_init(struct ram *r, const struct vd_owner_cfg *cfg)
{
	int err;

	*r = (struct ram){ .domain = cfg->domain,
			   .who = cfg->ops,
			   .opaque = cfg->opaque };
	if (r->domain)
		return cfg->nmemory || cfg->ops ? -EINVAL : catch_up(r);
	err = cfg->ops ? set_ops(r, cfg->ops) : 0;
	return err ? err : add_spans(r, cfg);
}

/*
 * An owner that has never been asked for what its domain got later does not
 * have it yet. What it cannot get, because something else is there that it
 * reaches, it cannot take.
 */
bool ram_can_take(struct ram *to, const struct ram *from)
{
	if (to->domain != from->domain || to->who != from->who ||
	    to->opaque != from->opaque)
		return false;
	if (to->domain)
		(void)catch_up(to);
	else if (to->n != from->n)
		return false;
	for (uint64_t i = 0; i < from->n; i++) {
		if (!has_span(to, &from->at[i]))
			return false;
	}
	return true;
}

int ram_look(struct ram *r, uint64_t gpa, uint64_t len)
{
	int err;

	if (ram_find(r, gpa, len))
		return 0;
	err = r->domain ? catch_up(r) : 0;
	if (err)
		return err;
	return ram_find(r, gpa, len) ? 0 : -EFAULT;
}

static bool is_valid(uint64_t entry)
{
	return (entry & (VD_READ | VD_WRITE)) != 0;
}

/* The run of a page that the span has, in the domain whose memory it is. */
static struct granule_run run_in(const struct ram_span *s, uint64_t gpa,
				 uint64_t len)
{
	gpa -= s->base;
	return (struct granule_run){ s->stretch, gpa, gpa + len - 1 };
}

/* The run of a valid entry's page; returns whose memory it is. */
static struct vd_domain *run_of(const struct ram *r, uint64_t entry,
				unsigned int shift, struct granule_run *run)
{
	uint64_t gpa = align_down(entry, shift), len = (uint64_t)1 << shift;
	const struct ram_span *s = ram_find(r, gpa, len);

	assert(s);
	*run = run_in(s, gpa, len);
	return s->domain;
}

void ram_expect_one(const struct ram *r, uint64_t entry, unsigned int shift)
{
	struct granule_run run;

	if (r->domain)
		granule_pin_expect(run_of(r, entry, shift, &run), &run);
}

/* The span of the next valid entry from *@i on; NULL: there is none. */
static const struct ram_span *next_span(const struct ram *r,
					const struct ram_pages *p, size_t *i)
{
	const uint64_t len = (uint64_t)1 << p->shift;

	for (; *i < p->n; ++*i) {
		uint64_t e = ram_page(p, *i);
		const struct ram_span *s;

		if (!is_valid(e))
			continue;
		s = ram_find(r, align_down(e, p->shift), len);
		assert(s);
		return s;
	}
	return NULL;
}

/* Those from @from on, as far as they are in the span. */
static struct granule_list list_in(const struct ram_span *s,
				   const struct ram_pages *p, size_t from)
{
	size_t n = p->n - from;

	return (struct granule_list){
		.s = s->stretch,
		.start = s->gpa,
		.entry = p->entry ? p->entry + from : NULL,
		.first = p->first + from * p->step,
		.step = p->step,
		.n = n < LIST ? n : LIST,
		.shift = p->shift,
	};
}

/* A run's counts lie side by side, and come by themselves. */
void ram_expect(const struct ram *r, const struct ram_pages *p)
{
	struct ram_pages early = *p;
	const struct ram_span *s;
	size_t i = 0;

	if (!r->domain)
		return;
	if (!p->entry && p->n > AHEAD)
		early.n = AHEAD;
	while ((s = next_span(r, &early, &i))) {
		const struct granule_list l = list_in(s, &early, i);

		i += granule_pin_expect_list(s->domain, &l);
	}
}

bool ram_hold_one(struct ram *r, uint64_t entry, unsigned int shift)
{
	struct granule_run run;

	if (!r->domain)
		return !r->who;
	return granule_pin_hold_warm(run_of(r, entry, shift, &run), &run);
}

/* Those that only the domain counts. */
static void release_one(const struct ram *r, uint64_t entry, unsigned int shift,
			int64_t *pinned)
{
	struct granule_run run;

	granule_pin_release(run_of(r, entry, shift, &run), &run, pinned);
}

void ram_release_one(struct ram *r, uint64_t entry, unsigned int shift,
		     int64_t *pinned)
{
	const struct ram_pages p = { .entry = &entry, .n = 1, .shift = shift };

	if (r->domain)
		release_one(r, entry, shift, pinned);
	else
		ram_release(r, &p, pinned);
}

/* The domain's way: many with one lock, and those that need more one by one. */
static void release_held(const struct ram *r, const struct ram_pages *p,
			 size_t n, int64_t *pinned)
{
	struct ram_pages part = *p;
	const struct ram_span *s;
	size_t i = 0;

	part.n = n;
	while ((s = next_span(r, &part, &i))) {
		const struct granule_list l = list_in(s, &part, i);
		size_t done = granule_pin_release_list(s->domain, &l);

		if (done == 0)
			release_one(r, ram_page(p, i), p->shift, pinned);
		i += done ? done : 1;
	}
}

/* It was not held yet. */
static int hold_one_cold(const struct ram *r, uint64_t entry,
			 unsigned int shift, int64_t *pinned)
{
	struct granule_run run;

	return granule_pin_hold(run_of(r, entry, shift, &run), &run, pinned);
}

static int hold_held(const struct ram *r, const struct ram_pages *p,
		     int64_t *pinned)
{
	const struct ram_span *s;
	size_t i = 0;

	while ((s = next_span(r, p, &i))) {
		const struct granule_list l = list_in(s, p, i);
		size_t done = granule_pin_hold_list(s->domain, &l);
		int err = 0;

		if (done == 0)
			err = hold_one_cold(r, ram_page(p, i), p->shift,
					    pinned);
		if (err) {
			release_held(r, p, i, pinned);
			return err;
		}
		i += done ? done : 1;
	}
	return 0;
}

/* The owner's own way: spans in some calls. */
static size_t fill_spans(const struct ram *r, const struct ram_pages *p,
			 size_t *from, struct vd_span *span)
{
	uint64_t len = (uint64_t)1 << p->shift;
	size_t n = 0;

	for (; *from < p->n && n < SPANS; ++*from) {
		uint64_t e = ram_page(p, *from);
		uint64_t gpa = align_down(e, p->shift);
		const struct ram_span *s;

		if (!is_valid(e))
			continue;
		s = ram_find(r, gpa, len);
		assert(s);
		span[n++] = (struct vd_span){ { gpa },
					      s->hva + (gpa - s->gpa),
					      len };
	}
	return n;
}

static void release_spans(const struct ram *r, const struct ram_pages *p)
{
	struct vd_span span[SPANS];
	size_t from = 0, n;

	while ((n = fill_spans(r, p, &from, span)))
		r->ops.release(r->opaque, span, n);
}

static int hold_spans(const struct ram *r, const struct ram_pages *p)
{
	struct vd_span span[SPANS];
	struct ram_pages done = *p;
	size_t from = 0, n;

	for (done.n = 0; (n = fill_spans(r, p, &from, span)); done.n = from) {
		int err = r->ops.hold(r->opaque, span, n);

		if (err) {
			release_spans(r, &done);
			return err;
		}
	}
	return 0;
}

int ram_hold(struct ram *r, const struct ram_pages *p, int64_t *pinned)
{
	if (r->domain)
		return hold_held(r, p, pinned);
	return r->who ? hold_spans(r, p) : 0;
}

void ram_release(struct ram *r, const struct ram_pages *p, int64_t *pinned)
{
	if (r->domain)
		release_held(r, p, p->n, pinned);
	else if (r->who)
		release_spans(r, p);
}
