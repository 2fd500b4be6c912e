/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts lie close together, because they are looked up in no order; handles,
 * which only a pin needs, lie apart.
 *
 * Granules that are held already are held once more under the lock of the
 * counts, which is taken once for many of them: an atomic step for each would
 * cost several times as much as all else. A cold one is pinned under the
 * domain's lock, with up to BATCH others in one call of the host; meanwhile its
 * count is HELD_BUSY, which sends everybody else to that lock as well.
 *
 * A page of a window may be much larger than a granule. It is held and released
 * in pieces, so that nobody waits for all of it; who fails half way lets go of the
 * pieces before. Two that do so at once may both find no room for the rest.
 *
 * Invariant: a count above 0 has exactly one pin of the host and is counted
 * once in the granule's pin count, whoever else holds it there.
 */
#include "state.h"
#include "evict.h"
#include "granule_pin.h"

#include <assert.h>
#include <checked.h>
#include <mem.h>
#include <errno.h>

#define HELD_BUSY     UINT32_MAX
#define HELD_MOST     (UINT32_MAX - 1)
#define BATCH	      64u
#define COUNTS	      ((uint64_t)1 << 16) /* under one take of their lock */
#define PIECE	      256u /* granules under one take of the domain's lock */
#define RIGHTS	      ((uint64_t)(VD_READ | VD_WRITE))

#define ALWAYS_INLINE inline __attribute__((always_inline))

static int open_stretch(struct stretch *s, unsigned int granule_shift)
{
	size_t n = (s->last - s->gpa + 1) >> granule_shift;

	if (!s->handle)
		s->handle = mem_zalloc(n, sizeof(*s->handle));
	if (s->handle && !s->held)
		s->held = mem_zalloc(n, sizeof(*s->held));
	return s->held ? 0 : -ENOMEM;
}

int granule_pin_open(struct vd_domain *d, size_t i, struct stretch **out)
{
	int err = -ENOENT;

	lock_take(&d->lock);
	if (i < d->memory.n) {
		err = open_stretch(&d->memory.at[i], d->memory.granule_shift);
		if (!err)
			*out = &d->memory.at[i];
	}
	lock_drop(&d->lock);
	return err;
}

static bool is_warm(uint32_t count)
{
	return count != 0 && count < HELD_MOST;
}

/* One hold more; the first is begun. Returns what the count was. */
static uint32_t begin_hold(struct vd_domain *d, uint32_t *h) MUST_HOLD(d->lock)
{
	uint32_t was;

	lock_take(&d->held_lock);
	was = *h;
	if (is_warm(was))
		*h = was + 1;
	else if (was == 0)
		*h = HELD_BUSY;
	lock_drop(&d->held_lock);
	return was;
}

/* One hold less; the end of the last is begun. Returns what the count was. */
static uint32_t begin_release(struct vd_domain *d, uint32_t *h)
	MUST_HOLD(d->lock)
{
	uint32_t was;

	lock_take(&d->held_lock);
	was = *h;
	assert(was != 0 && was != HELD_BUSY);
	*h = was == 1 ? HELD_BUSY : was - 1;
	lock_drop(&d->held_lock);
	return was;
}

/* What was begun is done. */
static void set_count(struct vd_domain *d, uint32_t *h, uint32_t count)
	MUST_HOLD(d->lock)
{
	lock_take(&d->held_lock);
	*h = count;
	lock_drop(&d->held_lock);
}

/* Granules by number, in their stretch. */
struct granules {
	struct stretch *s;
	uint64_t first, last;
};

static struct granules granules_of(struct vd_domain *d,
				   const struct granule_run *r)
{
	unsigned int shift = d->memory.granule_shift;

	return (struct granules){ r->s, (r->first - r->s->gpa) >> shift,
				  (r->last - r->s->gpa) >> shift };
}

static uint64_t granule_gpa(struct vd_domain *d, const struct granules *p,
			    uint64_t i)
{
	return p->s->gpa + (i << d->memory.granule_shift);
}

static void fill_pin(struct vd_domain *d, const struct granules *p, uint64_t i,
		     struct vd_pin *pin)
{
	pin->hva = stretch_hva(p->s, granule_gpa(d, p, i));
	pin->npages = (size_t)1 << (d->memory.granule_shift - VD_PAGE_SHIFT);
}

static void count_granule(struct vd_domain *d, const struct granules *p,
			  uint64_t i, bool more) MUST_HOLD(d->lock)
{
	uint64_t gpa = granule_gpa(d, p, i);

	if (more)
		pages_hold(&d->pages, p->s, gpa, gpa);
	else
		pages_release(&d->pages, p->s, gpa, gpa);
}

/* The last hold of a granule goes, unless another came meanwhile. */
static void let_go(struct vd_domain *d, const struct granules *p, uint64_t i)
	MUST_HOLD(d->lock)
{
	uint32_t *h = &p->s->held[i];
	struct vd_pin pin = { .handle = p->s->handle[i] };

	if (begin_release(d, h) > 1)
		return;
	fill_pin(d, p, i, &pin);
	d->host_ops.unpin(d->host, &pin, 1);
	count_granule(d, p, i, false);
	set_count(d, h, 0);
}

/* One batch of cold granules among first..last; *next: where to go on. */
struct batch {
	uint64_t cold[BATCH];
	size_t n;
};

/* What nobody holds but the pin table goes before a hold is refused. */
static int make_room(struct vd_domain *d) MUST_HOLD(d->lock)
{
	uint64_t excess = pages_excess(&d->pages);

	if (excess)
		evict_for(d, excess);
	return pages_over_budget(&d->pages) ? -EDQUOT : 0;
}

static int gather(struct vd_domain *d, const struct granules *p, uint64_t *next,
		  struct batch *b) MUST_HOLD(d->lock)
{
	size_t room =
		VD_MAP_MAX_PAGES >> (d->memory.granule_shift - VD_PAGE_SHIFT);

	if (room > BATCH)
		room = BATCH;
	for (b->n = 0; *next <= p->last && b->n < room; ++*next) {
		uint32_t was = begin_hold(d, &p->s->held[*next]);

		if (was >= HELD_MOST)
			return -ENOSPC;
		if (was != 0)
			continue;
		count_granule(d, p, *next, true);
		b->cold[b->n++] = *next;
	}
	return make_room(d);
}

static int pin_batch(struct vd_domain *d, const struct granules *p,
		     const struct batch *b) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	vd_hpa *page = x->page;
	int err;

	if (b->n == 0)
		return 0;
	for (size_t i = 0; i < b->n; i++) {
		fill_pin(d, p, b->cold[i], &x->pin[i]);
		x->pin[i].page = page;
		page += x->pin[i].npages;
	}
	err = d->host_ops.pin(d->host, x->pin, b->n);
	if ((err == -ENOSPC || err == -ENOMEM) && evict_for(d, b->n))
		err = d->host_ops.pin(d->host, x->pin, b->n);
	if (err)
		return err;
	for (size_t i = 0; i < b->n; i++) {
		p->s->handle[b->cold[i]] = x->pin[i].handle;
		set_count(d, &p->s->held[b->cold[i]], 1);
	}
	return 0;
}

static void undo_batch(struct vd_domain *d, const struct granules *p,
		       const struct batch *b) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < b->n; i++) {
		count_granule(d, p, b->cold[i], false);
		set_count(d, &p->s->held[b->cold[i]], 0);
	}
}

/* Those of first..next-1 are held, but for the batch that failed. */
static void undo_granules(struct vd_domain *d, const struct granules *p,
			  uint64_t next, const struct batch *b)
	MUST_HOLD(d->lock)
{
	size_t cold = 0;

	for (uint64_t i = p->first; i < next; i++) {
		if (cold < b->n && b->cold[cold] == i)
			cold++;
		else
			let_go(d, p, i);
	}
	undo_batch(d, p, b);
}

static int hold_cold(struct vd_domain *d, const struct granules *p)
	MUST_HOLD(d->lock)
{
	uint64_t next = p->first;
	struct batch b;
	int err = 0;

	while (!err && next <= p->last) {
		err = gather(d, p, &next, &b);
		if (!err)
			err = pin_batch(d, p, &b);
	}
	if (err)
		undo_granules(d, p, next, &b);
	else
		pages_commit(&d->pages);
	return err;
}

/* @n counts once more, if they are few and none is cold; else nothing. */
static ALWAYS_INLINE bool hold_counts(uint32_t *held, uint64_t n)
{
	if (n > COUNTS)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (!is_warm(held[i])) {
			while (i-- > 0)
				held[i]--;
			return false;
		}
		held[i]++;
	}
	return true;
}

/* @n counts once less, if they are few and all held by others; else nothing. */
static ALWAYS_INLINE bool release_counts(uint32_t *held, uint64_t n)
{
	if (n > COUNTS)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (held[i] < 2) {
			while (i-- > 0)
				held[i]++;
			return false;
		}
		held[i]--;
	}
	return true;
}

static ALWAYS_INLINE bool expect_counts(uint32_t *held, uint64_t n)
{
	(void)n; /* what follows the first is fetched with it */
	__builtin_prefetch(held, 1);
	return true;
}

/*
 * Call @fn with the counts of each page, until it does not want them. Pages may be
 * large: no more than COUNTS, or one page.
 */
static ALWAYS_INLINE size_t walk_any(const struct granule_list *l,
				     unsigned int shift,
				     bool (*fn)(uint32_t *held, uint64_t n))
{
	const uint64_t last = ((uint64_t)1 << l->shift) - 1;
	const uint64_t end = l->s->last - l->s->gpa;
	uint64_t e = l->first, ncounts = 0;
	size_t k;

	for (k = 0; k < l->n && ncounts < COUNTS; k++, e += l->step) {
		uint64_t at, i, n;

		if (l->entry)
			e = l->entry[k];
		if ((e & RIGHTS) == 0)
			continue;
		at = (e & ~last) - l->start;
		if (at > end || last > end - at)
			break;
		i = at >> shift;
		n = ((at + last) >> shift) - i + 1;
		if (!fn(&l->s->held[i], n))
			break;
		ncounts += n;
	}
	return k;
}

/*
 * The same for a list as most are: each page has one count, whatever its entry
 * has below the page. The list and the counts are of different types, so a store
 * to one does not make the other be loaded again.
 */
static ALWAYS_INLINE size_t walk_usual(const struct granule_list *l,
				       unsigned int shift,
				       bool (*fn)(uint32_t *held, uint64_t n))
{
	const uint64_t end = l->s->last - l->s->gpa, start = l->start;
	const uint64_t *entry = l->entry;
	const size_t n = l->n;
	uint32_t *held = l->s->held;
	size_t k;

	for (k = 0; k < n; k++) {
		uint64_t at = entry[k] - start;

		if ((entry[k] & RIGHTS) == 0)
			continue;
		if (at > end || !fn(&held[at >> shift], 1))
			break;
	}
	return k;
}

static ALWAYS_INLINE size_t walk(const struct granule_list *l,
				 unsigned int shift,
				 bool (*fn)(uint32_t *held, uint64_t n))
{
	if (l->entry && l->shift <= shift && is_aligned(l->start, l->shift))
		return walk_usual(l, shift, fn);
	return walk_any(l, shift, fn);
}

size_t granule_pin_expect_list(const struct vd_domain *d,
			       const struct granule_list *l)
{
	return walk(l, d->memory.granule_shift, expect_counts);
}

size_t granule_pin_hold_list(struct vd_domain *d, const struct granule_list *l)
{
	size_t n;

	lock_take(&d->held_lock);
	n = walk(l, d->memory.granule_shift, hold_counts);
	lock_drop(&d->held_lock);
	return n;
}

size_t granule_pin_release_list(struct vd_domain *d,
				const struct granule_list *l)
{
	size_t n;

	lock_take(&d->held_lock);
	n = walk(l, d->memory.granule_shift, release_counts);
	lock_drop(&d->held_lock);
	return n;
}

void granule_pin_expect(const struct vd_domain *d, const struct granule_run *r)
{
	uint64_t i = (r->first - r->s->gpa) >> d->memory.granule_shift;

	__builtin_prefetch(&r->s->held[i], 1);
}

static bool hold_warm(struct vd_domain *d, const struct granules *p)
{
	bool done;

	lock_take(&d->held_lock);
	done = hold_counts(&p->s->held[p->first], p->last - p->first + 1);
	lock_drop(&d->held_lock);
	return done;
}

static bool release_warm(struct vd_domain *d, const struct granules *p)
{
	bool done;

	lock_take(&d->held_lock);
	done = release_counts(&p->s->held[p->first], p->last - p->first + 1);
	lock_drop(&d->held_lock);
	return done;
}

bool granule_pin_hold_warm(struct vd_domain *d, const struct granule_run *r)
{
	const struct granules p = granules_of(d, r);

	granule_pin_expect(d, r);
	return hold_warm(d, &p);
}

/* As much of a part from @first on as is pinned under one take of the lock. */
static struct granules piece_of(const struct vd_domain *d,
				const struct granules *p, uint64_t first)
{
	uint64_t n =
		VD_MAP_MAX_PAGES >> (d->memory.granule_shift - VD_PAGE_SHIFT);

	if (n > PIECE)
		n = PIECE;
	return (struct granules){ p->s, first,
				  p->last - first < n ? p->last :
							first + n - 1 };
}

static int hold_piece(struct vd_domain *d, const struct granules *p,
		      int64_t *pinned)
{
	uint64_t before;
	int err;

	if (hold_warm(d, p))
		return 0;
	lock_take(&d->lock);
	before = d->pages.npinned;
	err = hold_cold(d, p);
	*pinned += (int64_t)pages_bytes(&d->pages, d->pages.npinned - before);
	lock_drop(&d->lock);
	return err;
}

static void release_piece(struct vd_domain *d, const struct granules *p,
			  int64_t *pinned)
{
	uint64_t before;

	if (release_warm(d, p))
		return;
	lock_take(&d->lock);
	before = d->pages.npinned;
	for (uint64_t i = p->first; i <= p->last; i++)
		let_go(d, p, i);
	*pinned -= (int64_t)pages_bytes(&d->pages, before - d->pages.npinned);
	lock_drop(&d->lock);
}

/* Granules @from..@end-1 of a part. */
static void release_some(struct vd_domain *d, const struct granules *p,
			 uint64_t from, uint64_t end, int64_t *pinned)
{
	const struct granules some = { p->s, from, end - 1 };

	while (from < end) {
		const struct granules piece = piece_of(d, &some, from);

		release_piece(d, &piece, pinned);
		from = piece.last + 1;
	}
}

int granule_pin_hold(struct vd_domain *d, const struct granule_run *r,
		     int64_t *pinned)
{
	const struct granules p = granules_of(d, r);
	uint64_t at = p.first;

	while (at <= p.last) {
		const struct granules piece = piece_of(d, &p, at);
		int err = hold_piece(d, &piece, pinned);

		if (err) {
			release_some(d, &p, p.first, at, pinned);
			return err;
		}
		at = piece.last + 1;
	}
	return 0;
}

void granule_pin_release(struct vd_domain *d, const struct granule_run *r,
			 int64_t *pinned)
{
	const struct granules p = granules_of(d, r);

	release_some(d, &p, p.first, p.last + 1, pinned);
}
