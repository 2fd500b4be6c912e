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
 */
#include "engine.h"

#include <checked.h>
#include <errno.h>

/* Entries of one window that somebody wants to write. */
struct job {
	struct window *w;
	uint64_t first; /* in the table */
	uint64_t n;
	struct ram_pages src;
	unsigned int flags;
	bool clears; /* all invalid */
};

static bool is_hidden(const struct window *w, uint64_t first, uint64_t n)
{
	return w->nhidden &&
	       ranges_overlap(w->hidden, w->hidden + w->nhidden - 1, first,
			      first + n - 1);
}

/* Whose entries these are, and where. */
static int find_entries(struct vd_adapter *a, uint32_t owner, uint32_t window,
			uint64_t bus, struct job *j) MUST_HOLD(a->lock)
{
	struct window *w = window_find(a, window);
	uint64_t at;

	if (!w)
		return -ENOENT;
	if (w->owner->id != owner)
		return -EPERM;
	if (j->n == 0 || !is_aligned(bus, w->table->shift))
		return -EINVAL;
	at = (bus - w->bus) >> w->table->shift;
	if (bus < w->bus || at >= w->len || j->n > w->len - at)
		return -ERANGE;
	j->w = w;
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

/* All that can be said without a look at the table. */
static int check_entries(struct job *j)
{
	j->clears = true;
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

/*
 * Store one run of entries that stand side by side, source entry @i first, and
 * keep what was there.
 */
static void store_run(const struct job *j, const struct table_run *r,
		      uint64_t i, uint64_t *old)
{
	enum vd_format f = j->w->table->format;
	int more = 0;

	for (size_t k = 0; k < r->n; k++) {
		uint64_t was = format_decode(f, r->slot[k]);
		uint64_t e = j->clears ? 0 : ram_page(&j->src, i + k);

		atom_poke(&r->slot[k], format_encode(f, e));
		more += (e != 0) - (was != 0);
		if (old)
			old[k] = was;
	}
	table_count(j->w->table, j->first + i, more);
}

/* Store entries that are not only cleared; their table pages are there. */
static void store(const struct job *j, uint64_t *old)
{
	for (uint64_t i = 0; i < j->n;) {
		struct table_run r =
			table_run(j->w->table, j->first + i, j->n - i);

		store_run(j, &r, i, old ? old + i : NULL);
		i += r.n;
	}
}

static void release(const struct job *j, const uint64_t *old, size_t n,
		    int64_t *pinned)
{
	const struct ram_pages p = { .entry = old,
				     .n = n,
				     .shift = j->w->table->shift };

	ram_release(&j->w->owner->ram, &p, pinned);
}

/* Clear what is there, a leaf at a time; what is not there costs nothing. */
static void clear(struct vd_adapter *a, const struct job *j, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	struct vd_table *t = j->w->table;
	uint64_t last = j->first + j->n - 1;
	uint64_t i = table_next(t, j->first, last);
	uint64_t old[TABLE_BLOCK];

	while (i != TABLE_END) {
		struct table_run r = table_run(t, i, last - i + 1);

		store_run(j, &r, i - j->first, old);
		table_prune(t, i);
		epoch_wait(&a->epoch);
		table_bury(t);
		release(j, old, r.n, pinned);
		if (last - i < r.n)
			return;
		i = table_next(t, i + r.n, last);
	}
}

/* Entries of a list or a run of new ones, over what is there. */
static int write_entries(struct vd_adapter *a, const struct job *j,
			 int64_t *pinned) MUST_HOLD(a->lock)
{
	struct vd_table *t = j->w->table;
	bool fresh = j->flags & VD_PUT_FRESH;
	uint64_t old[VD_PUT_MAX];
	int err;

	err = table_reserve(t, j->first, j->n);
	if (!err) {
		err = ram_hold(&j->w->owner->ram, &j->src, pinned);
		if (err)
			table_unreserve(t, j->first, j->n);
	}
	if (err) {
		epoch_wait(&a->epoch);
		table_bury(t);
		return err;
	}

	/* Nothing below can fail. */
	store(j, fresh ? NULL : old);
	if (!fresh) {
		table_unreserve(t, j->first, j->n);
		epoch_wait(&a->epoch);
		table_bury(t);
		release(j, old, j->n, pinned);
	}
	return 0;
}

static int run_job(struct vd_adapter *a, struct job *j, int64_t *pinned)
	MUST_HOLD(a->lock)
{
	int err = check_entries(j);

	if (!err)
		err = check_fresh(j);
	if (err)
		return err;
	if (j->clears)
		clear(a, j, pinned);
	else
		err = write_entries(a, j, pinned);
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
	err = find_entries(a, p->owner, p->window, p->bus.v, j);
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

int vd_window_put(struct vd_adapter *a, struct vd_put *p)
{
	/* An entry is its word. */
	struct job j = { .src = { .entry = (const uint64_t *)p->entry } };

	if (p->n > VD_PUT_MAX)
		return -EINVAL;
	return put(a, p, &j);
}

int vd_window_fill(struct vd_adapter *a, struct vd_put *p)
{
	struct job j = { .src = { .first = p->entry->v } };

	if (p->n > VD_PUT_MAX && p->entry->v != 0)
		return -EINVAL;
	return put(a, p, &j);
}

int vd_window_map(struct vd_adapter *a, const struct vd_window_range *r)
{
	struct job j = { .flags = VD_PUT_FRESH };
	int64_t pinned = 0;
	uint64_t step;
	int err = -EINVAL;

	if (r->prot == 0 || (r->prot & ~(VD_READ | VD_WRITE)) != 0)
		return -EINVAL;
	lock_take(&a->lock);
	j.w = window_find(a, r->window);
	if (!j.w) {
		err = -ENOENT;
	} else if (is_aligned(r->len | r->gpa.v, j.w->table->shift)) {
		step = (uint64_t)1 << j.w->table->shift;
		j.n = r->len >> j.w->table->shift;
		j.src = (struct ram_pages){ .first = r->gpa.v | r->prot,
					    .step = step,
					    .n = j.n,
					    .shift = j.w->table->shift };
		err = find_entries(a, r->owner, r->window, r->bus.v, &j);
		if (!err)
			err = run_job(a, &j, &pinned);
	}
	if (err)
		a->count.refused++;
	lock_drop(&a->lock);
	return err;
}

int vd_window_unmap(struct vd_adapter *a, uint32_t owner, uint32_t window,
		    vd_iova bus, uint64_t len)
{
	const vd_entry none = { 0 };
	struct vd_window_info info;
	struct vd_put p = {
		.owner = owner, .window = window, .bus = bus, .entry = &none
	};

	if (vd_window_query(a, window, &info))
		return -ENOENT;
	if (!is_aligned(len, info.page_shift))
		return -EINVAL;
	p.n = len >> info.page_shift;
	return vd_window_fill(a, &p);
}

int vd_window_get(struct vd_adapter *a, uint32_t owner, uint32_t window,
		  vd_iova bus, vd_entry *out, size_t n)
{
	struct job j = { .n = n };
	int err;

	if (n > VD_PUT_MAX)
		return -EINVAL;
	lock_take(&a->lock);
	err = find_entries(a, owner, window, bus.v, &j);
	for (size_t i = 0; !err && i < n; i++) {
		const struct vd_table *t = j.w->table;

		out[i].v = format_decode(
			t->format, table_walk(t->top, t->levels, j.first + i));
	}
	lock_drop(&a->lock);
	return err;
}

void entry_revoke(struct vd_adapter *a, const struct part *p)
{
	const struct job j = {
		.w = p->w, .first = p->first, .n = p->len, .clears = true
	};
	int64_t pinned = 0;

	clear(a, &j, &pinned);
}
