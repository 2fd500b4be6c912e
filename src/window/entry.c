/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing and reading entries. A write goes through these steps; each undoes
 * itself if a later one fails:
 *	check	 whose window, which entries, which bits, whose memory
 *	reserve	 the table's pages
 *	hold	 the memory that the new entries name
 *	store	 cannot fail
 *	wait	 for readers that may have seen the old ones
 *	release	 the memory that the old ones named
 * All under the entry lock, so a window cannot leave in between.
 *
 * A reader that sees a new entry must find its page, maybe in a span that the
 * owner has just got: atom_before() is before each store of valid entries, and pairs
 * with atom_after() in reader_look_up(). Old entries end by epoch_wait().
 */
#include "engine.h"

#include <checked.h>
#include <sized.h>
#include <errno.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Entries of one window that somebody wants to write. */
struct job {
	struct window *w;
	uint64_t first; /* in the table */
	uint64_t n;
	struct ram_pages src;
	unsigned int flags;
	bool clears;  /* all invalid */
	bool fills;   /* all valid */
	bool drained; /* a drain was here */
};

static bool is_hidden(const struct window *w, uint64_t first, uint64_t n)
{
	return w->nhidden &&
	       ranges_overlap(w->hidden, w->hidden + w->nhidden - 1, first,
			      first + n - 1);
}

static int find_window(struct vd_adapter *a, uint32_t owner, uint32_t window,
		       struct job *j) MUST_HOLD(a->lock)
{
	j->w = window_find(a, window);
	if (!j->w)
		return -ENOENT;
	return j->w->owner->id == owner ? 0 : -EPERM;
}

/* Which entries of the window, and are they the owner's to write? */
static int find_entries(struct vd_adapter *a, uint64_t bus, struct job *j)
	MUST_HOLD(a->lock)
{
	struct window *w = j->w;
	uint64_t at;

	if (j->n == 0 || !is_aligned(bus, w->table->shift))
		return -EINVAL;
	at = (bus - w->bus) >> w->table->shift;
	if (bus < w->bus || at >= w->len || j->n > w->len - at)
		return -ERANGE;
	j->first = w->first + at;
	if (window_is_lent(a, w, j->first, j->n))
		return -EPERM;
	return is_hidden(w, j->first, j->n) ? -EBUSY : 0;
}

static int check_entry(const struct job *j, uint64_t e)
{
	struct ram *ram = &j->w->owner->ram;
	uint64_t len = (uint64_t)1 << j->w->table->shift;

	if ((e & ENTRY_RIGHTS) == 0)
		return e == 0 ? 0 : -EINVAL;
	if ((e & (len - 1) & ~ENTRY_RIGHTS) != 0)
		return -EINVAL;
	if ((e & ENTRY_RIGHTS & ~(uint64_t)j->w->rights) != 0)
		return -EACCES;
	if (e > format_last(j->w->table->format))
		return -EFAULT;
	e &= ~ENTRY_RIGHTS;
	return ram_find(ram, e, len) ? 0 : ram_look(ram, e, len);
}

/*
 * A list as most are: all valid, nothing wrong, all in the owner's first span.
 * No branch for each entry, so that many are looked at together.
 */
static bool is_usual_list(const struct job *j)
{
	const struct vd_table *t = j->w->table;
	const struct ram_span *s = &j->w->owner->ram.at[0];
	const uint64_t page = (uint64_t)1 << t->shift, *e = j->src.entry;
	const uint64_t bad = ~(uint64_t)j->w->rights & (page - 1);
	uint64_t any = 0, rights = ENTRY_RIGHTS, lowest = UINT64_MAX;
	uint64_t highest = 0;

	if (atom_load(&j->w->owner->ram.n) == 0 || s->len < page ||
	    s->gpa + (s->len - 1) > format_last(t->format))
		return false;
	for (size_t i = 0; i < j->src.n; i++) {
		any |= e[i];
		rights &= e[i] | e[i] >> 1; /* bit 0: has one of the two */
		lowest = e[i] < lowest ? e[i] : lowest;
		highest = e[i] > highest ? e[i] : highest;
	}
	return (any & bad) == 0 && (rights & 1) && lowest >= s->gpa &&
	       highest - s->gpa <= s->len - page + ENTRY_RIGHTS;
}

/* A run of pages as most are: all of it in one span. */
static bool is_usual_run(const struct job *j)
{
	const struct ram_pages *p = &j->src;
	const struct ram_span *s;
	uint64_t first = p->first & ~ENTRY_RIGHTS;

	if (p->step == 0 || check_entry(j, p->first) != 0)
		return false;
	s = ram_find(&j->w->owner->ram, first, p->step);
	return s &&
	       (p->n - 1) << p->shift <= s->gpa + (s->len - p->step) - first &&
	       first + ((p->n - 1) << p->shift) <
		       format_last(j->w->table->format) - p->step;
}

/* All that can be said without a look at the table. */
static int check_entries(struct job *j)
{
	j->fills = j->src.entry ? is_usual_list(j) : is_usual_run(j);
	j->clears = !j->fills;
	if (j->fills)
		return 0;
	for (size_t i = 0; i < j->src.n; i++) {
		uint64_t e = ram_page(&j->src, i);
		int err = check_entry(j, e);

		if (err)
			return err;
		if (e)
			j->clears = false;
		if (j->src.step == 0 && !j->src.entry)
			break; /* all the same */
	}
	return 0;
}

static int check_fresh(const struct job *j)
{
	if (!(j->flags & VD_PUT_FRESH))
		return 0;
	return table_is_live(j->w->table, j->first, j->n) ? -EEXIST : 0;
}

/* Store the entries of a run, whatever was there. */
static ALWAYS_INLINE void store_as(const struct table_run *r,
				   const struct ram_pages *src,
				   enum vd_format f)
{
	const uint64_t *list = src->entry;
	uint64_t e = src->first;

	for (size_t k = 0; k < r->n; k++) {
		if (list)
			e = list[k];
		atom_poke(&r->slot[k], format_encode(f, e));
		e += src->step;
	}
}

/*
 * The same; keep what was there in @old, if that is wanted. Returns how many
 * were valid.
 */
static ALWAYS_INLINE uint64_t swap_as(const struct table_run *r,
				      const struct ram_pages *src,
				      uint64_t *old, enum vd_format f)
{
	const uint64_t *list = src->entry;
	uint64_t e = src->first, nold = 0;

	for (size_t k = 0; k < r->n; k++) {
		uint64_t was = r->slot[k];

		if (list)
			e = list[k];
		atom_poke(&r->slot[k], format_encode(f, e));
		nold += was != 0;
		if (old)
			old[k] = format_decode(f, was);
		e += src->step;
	}
	return nold;
}

/* Call @fn with the format as a constant. */
#define BY_FORMAT(f, fn, ...)                                        \
	((f) == VD_FORMAT_TCE	? fn(__VA_ARGS__, VD_FORMAT_TCE) :   \
	 (f) == VD_FORMAT_IOTSB ? fn(__VA_ARGS__, VD_FORMAT_IOTSB) : \
				  fn(__VA_ARGS__, VD_FORMAT_NATIVE))

/* Most of the time nobody wants the old ones, and then a block that is full or
 * empty need not be looked at. Returns how many were valid. */
static uint64_t swap_run(const struct table_run *r, const struct ram_pages *src,
			 uint64_t *old, enum vd_format f)
{
	uint64_t nold = *r->used ? r->n : 0;

	if (old)
		return BY_FORMAT(f, swap_as, r, src, old);
	if (*r->used % TABLE_BLOCK != 0)
		return BY_FORMAT(f, swap_as, r, src, NULL);
	BY_FORMAT(f, store_as, r, src);
	return nold;
}

/* How many of @n new entries from @i on are valid. */
static uint64_t count_new(const struct job *j, uint64_t i, uint64_t n)
{
	uint64_t valid = 0;

	if (j->clears || j->fills)
		return j->fills ? n : 0;
	for (uint64_t k = i; k < i + n; k++)
		valid += ram_page(&j->src, k) != 0;
	return valid;
}

static uint64_t store_run(const struct job *j, const struct table_run *r,
			  uint64_t i, uint64_t *old)
{
	struct ram_pages src = { .n = 0 };
	uint64_t nold;

	if (!j->clears) {
		src = j->src;
		src.first += i * src.step;
		if (src.entry)
			src.entry += i;
	}
	nold = swap_run(r, &src, old, j->w->table->format);
	table_count(j->w->table, r,
		    (int64_t)count_new(j, i, r->n) - (int64_t)nold);
	return nold;
}

/*
 * Store entries that are not only cleared; their table pages are there. Returns
 * how many were valid.
 */
static uint64_t store(const struct job *j, uint64_t *old)
{
	uint64_t nold = 0;

	atom_before();
	for (uint64_t i = 0; i < j->n;) {
		struct table_run r =
			table_run(j->w->table, j->first + i, j->n - i);

		nold += store_run(j, &r, i, old ? old + i : NULL);
		i += r.n;
	}
	return nold;
}

/*
 * Entries that were valid are not what they were. Wait for the readers that may
 * have seen them, and for what a device keeps of them.
 */
static void wait_for_readers(struct vd_adapter *a, const struct job *j,
			     uint64_t first, uint64_t n) MUST_HOLD(a->lock)
{
	epoch_wait(&a->epoch);
	if (a->ops.invalidate && !j->drained) {
		const struct vd_drain what = window_range(j->w, first, n);

		a->ops.invalidate(a->opaque, &what);
	}
}

/* Readers may be in nodes that are dead. */
static void bury(struct vd_adapter *a, struct vd_table *t) MUST_HOLD(a->lock)
{
	if (!t->dead)
		return;
	epoch_wait(&a->epoch);
	table_bury(t);
}

/* What was there from @first on is gone; when nobody uses it, so are its pages. */
static void release(struct vd_adapter *a, const struct job *j, uint64_t first,
		    const struct ram_pages *old, uint64_t nold, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	struct ram *ram = &j->w->owner->ram;

	if (nold == 0) {
		bury(a, j->w->table);
		return;
	}
	if (old->entry)
		ram_expect(ram, old);
	wait_for_readers(a, j, first, old->n);
	table_bury(j->w->table);
	if (old->entry)
		ram_release(ram, old, pinned);
}

/* Clear what is there, a leaf at a time; what is not there costs nothing. */
static void clear(struct vd_adapter *a, const struct job *j, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	struct vd_table *t = j->w->table;
	uint64_t last = j->first + j->n - 1;
	uint64_t i = table_next(t, j->first, last);
	uint64_t word[TABLE_BLOCK];
	struct ram_pages old = {
		.entry = ram_counts(&j->w->owner->ram) ? word : NULL,
		.shift = t->shift,
	};

	while (i != TABLE_END) {
		struct table_run r = table_run(t, i, last - i + 1);
		uint64_t nold =
			store_run(j, &r, i - j->first, old.entry ? word : NULL);

		if (*r.used == 0)
			table_prune(t, i);
		old.n = r.n;
		release(a, j, i, &old, nold, pinned);
		if (last - i < r.n)
			return;
		i = table_next(t, i + r.n, last);
	}
}

/* Room for new entries and a hold on what they name; or neither. */
static int prepare(struct vd_adapter *a, const struct job *j, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	struct vd_table *t = j->w->table;
	int err = table_reserve(t, j->first, j->n);

	if (!err) {
		err = ram_hold(&j->w->owner->ram, &j->src, pinned);
		if (err)
			table_unreserve(t, j->first, j->n);
	}
	if (err)
		bury(a, t);
	return err;
}

/* Entries of a list or a run of new ones, over what is there. */
static int write_entries(struct vd_adapter *a, const struct job *j,
			 int64_t *pinned) MUST_HOLD(a->lock)
{
	bool fresh = j->flags & VD_PUT_FRESH;
	bool counts = ram_counts(&j->w->owner->ram);
	uint64_t word[VD_PUT_MAX], *keep = fresh || !counts ? NULL : word;
	const struct ram_pages old = { .entry = keep,
				       .n = j->n,
				       .shift = j->w->table->shift };
	uint64_t nold;
	int err = prepare(a, j, pinned);

	if (err)
		return err;

	/* Nothing below can fail. */
	nold = store(j, keep);
	if (!j->fills)
		table_unreserve(j->w->table, j->first, j->n);
	release(a, j, j->first, &old, nold, pinned);
	return 0;
}

static int change_any(struct vd_adapter *a, struct job *j, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	int err;

	if (!j->clears)
		ram_expect(&j->w->owner->ram, &j->src);
	err = check_fresh(j);
	if (err)
		return err;
	if (!j->clears)
		return write_entries(a, j, pinned);
	clear(a, j, pinned);
	return 0;
}

/* A valid entry of a leaf that stays when it is gone becomes invalid. */
static void clear_one(struct vd_adapter *a, const struct job *j,
		      const struct table_run *r, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	struct vd_table *t = j->w->table;
	struct ram *ram = &j->w->owner->ram;
	uint64_t was = format_decode(t->format, *r->slot);

	atom_poke(r->slot, 0);
	table_count(t, r, -1);
	ram_expect_one(ram, was, t->shift);
	wait_for_readers(a, j, j->first, 1);
	ram_release_one(ram, was, t->shift, pinned);
}

/*
 * Most calls are about one entry that becomes valid or invalid, in a leaf that
 * is there and stays, and of a page that something else holds: no loop is needed
 * then, and nothing can fail. False: it is not so, and nothing was done.
 */
static bool change_one(struct vd_adapter *a, const struct job *j,
		       int64_t *pinned) MUST_HOLD(a->lock)
{
	struct vd_table *t = j->w->table;
	struct table_run r = table_run(t, j->first, 1);
	uint64_t e = ram_page(&j->src, 0);

	if (!r.slot || (e != 0) == (*r.slot != 0))
		return false;
	if (e == 0) {
		if (*r.used == 1 || (j->flags & VD_PUT_FRESH))
			return false;
		clear_one(a, j, &r, pinned);
		return true;
	}
	if (!ram_hold_one(&j->w->owner->ram, e, t->shift))
		return false;
	atom_before();
	atom_poke(r.slot, format_encode(t->format, e));
	table_count(t, &r, 1);
	return true;
}

static int run_job(struct vd_adapter *a, struct job *j, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	int err = check_entries(j);

	if (!err && !(j->n == 1 && change_one(a, j, pinned)))
		err = change_any(a, j, pinned);
	if (!err)
		a->count.puts += j->n;
	return err;
}

static int put(struct vd_adapter *a, struct vd_put *p, struct job *j)
{
	int64_t pinned = 0;
	int err;

	if ((p->flags & ~VD_PUT_FRESH) != 0)
		return -EINVAL;
	j->n = p->n;
	j->flags = p->flags;
	j->src.n = p->n;
	lock_take(&a->lock);
	err = find_window(a, p->owner, p->window, j);
	if (!err)
		err = find_entries(a, p->bus.v, j);
	if (!err) {
		j->src.shift = j->w->table->shift;
		err = run_job(a, j, &pinned);
	}
	if (err)
		a->count.refused++;
	lock_drop(&a->lock);
	if (!err)
		p->pinned = pinned;
	return err;
}

static int put_list(struct vd_adapter *a, struct vd_put *p)
{
	/* An entry is its word. */
	struct job j = { .src = { .entry = (const uint64_t *)p->entry } };

	if (p->n > VD_PUT_MAX)
		return -EINVAL;
	return put(a, p, &j);
}

static int put_one(struct vd_adapter *a, struct vd_put *p)
{
	struct job j = { .src = { .first = p->entry->v } };

	if (p->n > VD_PUT_MAX && p->entry->v != 0)
		return -EINVAL;
	return put(a, p, &j);
}

/* For a caller who is older or newer than the library. */
static int put_sized(struct vd_adapter *a, struct vd_put *p,
		     int (*run)(struct vd_adapter *a, struct vd_put *p))
{
	struct vd_put own;
	int err = sized_read(&own, sizeof(own), p);

	if (!err)
		err = run(a, &own);
	if (!err)
		p->pinned = own.pinned;
	return err;
}

/* Most callers are of the library's age: theirs is used where it is. */
int vd_window_put(struct vd_adapter *a, struct vd_put *p)
{
	return p->size == sizeof(*p) ? put_list(a, p) :
				       put_sized(a, p, put_list);
}

int vd_window_fill(struct vd_adapter *a, struct vd_put *p)
{
	return p->size == sizeof(*p) ? put_one(a, p) : put_sized(a, p, put_one);
}

/* A run of pages, each @step pages after the one before. */
static int set_run(const struct vd_window_range *r, uint64_t step,
		   struct job *j)
{
	unsigned int shift = j->w->table->shift;

	if (!is_aligned(r->len | r->gpa.v, shift))
		return -EINVAL;
	j->n = r->len >> shift;
	j->src = (struct ram_pages){ .first = r->gpa.v | r->prot,
				     .step = step << shift,
				     .n = j->n,
				     .shift = shift };
	return 0;
}

/* New entries for them. */
static int change_run(struct vd_adapter *a, const struct vd_window_range *r,
		      uint64_t step, struct job *j)
{
	int64_t pinned = 0;
	int err;

	lock_take(&a->lock);
	err = find_window(a, r->owner, r->window, j);
	if (!err)
		err = set_run(r, step, j);
	if (!err)
		err = find_entries(a, r->bus.v, j);
	if (!err)
		err = run_job(a, j, &pinned);
	if (err)
		a->count.refused++;
	lock_drop(&a->lock);
	return err;
}

int vd_window_map(struct vd_adapter *a, const struct vd_window_range *r)
{
	struct job j = { .flags = VD_PUT_FRESH };
	struct vd_window_range own;
	int err = sized_read(&own, sizeof(own), r);

	if (err)
		return err;
	r = &own;
	if (r->prot == 0 || (r->prot & ~(VD_READ | VD_WRITE)) != 0)
		return -EINVAL;
	return change_run(a, r, 1, &j);
}

int vd_window_unmap(struct vd_adapter *a, uint32_t owner, uint32_t window,
		    vd_iova bus, uint64_t len)
{
	const struct vd_window_range r = { .size = sizeof(r),
					   .owner = owner,
					   .window = window,
					   .bus = bus,
					   .len = len };
	struct job j = { .flags = 0 };

	return change_run(a, &r, 0, &j);
}

int vd_window_get(struct vd_adapter *a, uint32_t owner, uint32_t window,
		  vd_iova bus, vd_entry *out, size_t n)
{
	struct job j = { .n = n };
	int err;

	if (n > VD_PUT_MAX)
		return -EINVAL;
	lock_take(&a->lock);
	err = find_window(a, owner, window, &j);
	if (!err)
		err = find_entries(a, bus.v, &j);
	for (size_t i = 0; !err && i < n; i++) {
		const struct vd_table *t = j.w->table;

		out[i].v = format_decode(
			t->format, table_walk(t->top, t->levels, j.first + i));
	}
	lock_drop(&a->lock);
	return err;
}

void entry_revoke(struct vd_adapter *a, const struct handover *p)
{
	const struct job j = {
		.w = p->w,
		.first = p->first,
		.n = p->len,
		.clears = true,
		.drained = true,
	};
	int64_t pinned = 0;

	clear(a, &j, &pinned);
}
