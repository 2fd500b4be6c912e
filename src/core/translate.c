/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look-up: a bounds check on a handful of runs, the one that was right last
 * time first; one load from the table; one bounds check on the owner's memory.
 *
 * The hint is a place in the view that was shown at enter. It needs no
 * generation: a place that fits no more is only a guess that is wrong.
 *
 * What runs over many entries is written once and compiled for each format and
 * for tables of one and two levels.
 */
#include "engine.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNLIKELY(x)   __builtin_expect(x, 0)

struct vd_reader {
	unsigned char before[EPOCH_LINE]; /* no line with another reader */
	struct epoch_slot *slot;
	struct adevice *device;
	const struct view_runs *runs; /* inside: what the device sees */
	const struct view_run *hint;  /* inside: one of them */
	uint64_t at;		      /* of the hint, behind @runs */
	struct vd_adapter *a;
	unsigned char after[EPOCH_LINE];
};

int vd_reader_create(struct vd_adapter *a, uint32_t device,
		     struct vd_reader **out)
{
	struct vd_reader *r = mem_zalloc(1, sizeof(*r));
	int err = -ENODEV;

	if (!r)
		return -ENOMEM;
	r->a = a;
	r->at = offsetof(struct view_runs, run);
	lock_take(&a->lock);
	r->device = adapter_device(a, device);
	if (r->device) {
		r->slot = epoch_join(&a->epoch);
		err = r->slot ? 0 : -ENOSPC;
	}
	if (!err)
		r->device->nreaders++;
	lock_drop(&a->lock);
	if (err)
		mem_free(r);
	else
		*out = r;
	return err;
}

void vd_reader_destroy(struct vd_reader *r)
{
	if (!r)
		return;
	lock_take(&r->a->lock);
	r->device->nreaders--;
	epoch_leave(r->slot);
	lock_drop(&r->a->lock);
	mem_free(r);
}

static ALWAYS_INLINE void enter(struct vd_reader *r)
{
	uintptr_t runs;

	epoch_enter(r->slot);
	runs = (uintptr_t)atom_load(&r->device->shown);
	r->runs = (const struct view_runs *)runs;
	r->hint = (const struct view_run *)(runs + r->at);
}

void vd_reader_enter(struct vd_reader *r)
{
	enter(r);
}

void vd_reader_exit(struct vd_reader *r)
{
	epoch_exit(r->slot);
}

static bool is_in(const struct view_run *run, uint64_t bus)
{
	return (bus - run->bus) >> run->shift < run->n;
}

static const struct view_run *find_run(struct vd_reader *r, uint64_t bus)
{
	for (uint64_t i = 0; i < r->runs->n; i++) {
		const struct view_run *run = &r->runs->run[i];

		if (!is_in(run, bus))
			continue;
		r->hint = run;
		r->at = (uint64_t)((uintptr_t)run - (uintptr_t)r->runs);
		return run;
	}
	return NULL;
}

/* Outside all runs: past the end of one, or before the first. */
static int miss(const struct vd_reader *r, uint64_t bus)
{
	if (r->runs->denied)
		return -EPERM;
	for (uint64_t i = 0; i < r->runs->n; i++) {
		if (r->runs->run[i].bus <= bus)
			return -ERANGE;
	}
	return -ENXIO;
}

static enum vd_fault_reason reason(int err)
{
	switch (err) {
	case -EPERM:
		return VD_FAULT_DENIED;
	case -ENXIO:
		return VD_FAULT_NO_WINDOW;
	case -ERANGE:
		return VD_FAULT_EXTENT;
	case -EACCES:
		return VD_FAULT_DIRECTION;
	default:
		return VD_FAULT_UNMAPPED;
	}
}

static int fault(struct vd_reader *r, uint64_t bus, unsigned int prot, int err)
{
	const struct vd_fault f = { .guest_id = r->device->id,
				    .prot = prot,
				    .iova = { bus },
				    .reason = reason(err) };

	lock_take(&r->a->fault_lock);
	faults_put(&r->a->faults, &f);
	lock_drop(&r->a->fault_lock);
	return err;
}

/* The entry for page @i of @run, in native form. */
static ALWAYS_INLINE uint64_t load_as(const struct view_run *run, uint64_t i,
				      enum vd_format f, unsigned int levels)
{
	uint64_t word = levels ? table_walk(run->top, levels, run->first + i) :
				 atom_peek(&run->top[i]);

	return format_decode(f, word);
}

static ALWAYS_INLINE uint64_t load(const struct view_run *run, uint64_t i)
{
	enum vd_format f = (enum vd_format)run->format;

	if (run->plain)
		return load_as(run, i, VD_FORMAT_NATIVE, 0);
	if (run->levels == 1)
		return load_as(run, i, f, 1);
	return load_as(run, i, f, run->levels);
}

static ALWAYS_INLINE bool may(const struct view_run *run, uint64_t entry,
			      unsigned int prot)
{
	return (prot & ~(entry & run->rights)) == 0;
}

/* Where @bus leads, whose page @entry names; out->hva is there. */
static ALWAYS_INLINE void answer(const struct view_run *run, uint64_t bus,
				 uint64_t gpa, struct vd_target *out)
{
	out->len = (run->mask & ~bus) + 1;
	out->gpa.v = gpa;
	out->owner = run->owner;
}

/* When a guess of look_up() is wrong. */
static __attribute__((noinline)) int look_up_slow(struct vd_reader *r,
						  uint64_t bus,
						  unsigned int prot,
						  struct vd_target *out)
{
	const struct view_run *run = find_run(r, bus);
	const struct ram_span *s;
	uint64_t entry, gpa;

	if (prot == 0)
		return -EINVAL;
	if (!run)
		return fault(r, bus, prot, miss(r, bus));
	entry = load(run, (bus - run->bus) >> run->shift);
	if (!may(run, entry, prot) || (entry & ENTRY_RIGHTS) == 0)
		return fault(r, bus, prot,
			     entry & ENTRY_RIGHTS ? -EACCES : -ENOENT);
	gpa = (entry & ~run->mask) | (bus & run->mask);
	s = ram_find(run->ram, gpa, 1);
	out->hva = s->hva + (gpa - s->gpa);
	answer(run, bus, gpa, out);
	return 0;
}

/* The usual case: the same run as last time, the owner's first span. */
static ALWAYS_INLINE int look_up(struct vd_reader *r, uint64_t bus,
				 unsigned int prot, struct vd_target *out)
{
	const struct view_run *run = r->hint;
	uint64_t i = (bus - run->bus) >> run->shift;
	uint64_t entry, gpa, at;

	if (UNLIKELY(i >= run->n || prot == 0))
		return look_up_slow(r, bus, prot, out);
	entry = load(run, i);
	gpa = entry ^ ((entry ^ bus) & run->mask);
	at = gpa - run->gpa;
	if (UNLIKELY(!may(run, entry, prot) || at >= run->len))
		return look_up_slow(r, bus, prot, out);
	out->hva = run->hva + at;
	answer(run, bus, gpa, out);
	return 0;
}

int vd_translate(struct vd_reader *r, vd_iova bus, unsigned int prot,
		 struct vd_target *out)
{
	return look_up(r, bus.v, prot, out);
}

int vd_translate_once(struct vd_reader *r, vd_iova bus, unsigned int prot,
		      struct vd_target *out)
{
	int err;

	enter(r);
	err = look_up(r, bus.v, prot, out);
	epoch_exit(r->slot);
	return err;
}

/* Add a piece of memory to the answer, or lengthen the last one. */
static int add_piece(struct vd_sglist *l, unsigned char *hva, uint64_t len)
{
	struct iovec *last = l->niov ? &l->iov[l->niov - 1] : NULL;

	if (last && (unsigned char *)last->iov_base + last->iov_len == hva) {
		last->iov_len += len;
		return 0;
	}
	if (l->niov == l->max)
		return -ENOSPC;
	l->iov[l->niov++] = (struct iovec){ hva, len };
	return 0;
}

/*
 * A scatter list on its way through one run and the owner's first span. The
 * piece that grows is not yet in the list.
 */
struct walk {
	const struct view_run *run;
	struct vd_sglist *l;
	size_t i;      /* element */
	uint64_t done; /* bytes of it */
	size_t niov;   /* the piece that grows included */
	uintptr_t at;  /* of that piece */
	uint64_t len;  /* 0: there is none */
	unsigned int prot;
	enum vd_format format;
};

static ALWAYS_INLINE void close_piece(struct walk *w)
{
	if (w->len)
		w->l->iov[w->niov - 1] = (struct iovec){
			(void *)w->at, w->len /* what the iovec's user sees */
		};
}

static ALWAYS_INLINE bool grow(struct walk *w, uintptr_t at, uint64_t len)
{
	if (w->at + w->len != at || w->len == 0) {
		if (w->niov == w->l->max)
			return false;
		close_piece(w);
		w->niov++;
		w->at = at;
		w->len = 0;
	}
	w->len += len;
	return true;
}

/* @n entries side by side, from byte @in of the first page; false: stopped. */
static ALWAYS_INLINE bool walk_row(struct walk *w, const uint64_t *row,
				   uint64_t n, uint64_t in, uint64_t end)
{
	const struct view_run *run = w->run;

	for (uint64_t k = 0; k < n; k++, in = 0) {
		uint64_t entry = format_decode(w->format, atom_peek(&row[k]));
		uint64_t at = ((entry & ~run->mask) | in) - run->gpa;
		uint64_t len = run->mask + 1 - in;

		if (len > end - w->done)
			len = end - w->done;
		if (!may(run, entry, w->prot) || at >= run->len ||
		    !grow(w, (uintptr_t)run->hva + at, len))
			return false;
		w->done += len;
	}
	return true;
}

/* An element that is in one page; false: it is not, or stopped. */
static ALWAYS_INLINE bool walk_small(struct walk *w, const struct vd_sg *sg)
{
	const struct view_run *run = w->run;
	uint64_t in = sg->bus.v & run->mask;
	uint64_t i = (sg->bus.v - run->bus) >> run->shift;
	uint64_t entry, at;

	if (sg->len - 1 > run->mask - in || w->done || i >= run->n)
		return false;
	entry = load_as(run, i, w->format, run->levels);
	at = ((entry & ~run->mask) | in) - run->gpa;
	return may(run, entry, w->prot) && at < run->len &&
	       grow(w, (uintptr_t)run->hva + at, sg->len);
}

/* One element, from where it is; false: stopped. */
static ALWAYS_INLINE bool walk_element(struct walk *w, const struct vd_sg *sg)
{
	const struct view_run *run = w->run;
	const uint64_t *row;

	if (sg->len - 1 > UINT64_MAX - sg->bus.v)
		return sg->len == 0;
	while (w->done < sg->len) {
		uint64_t bus = sg->bus.v + w->done, in = bus & run->mask;
		uint64_t i = (bus - run->bus) >> run->shift;
		uint64_t n = ((in + (sg->len - w->done - 1)) >> run->shift) + 1;

		if (i >= run->n)
			return false;
		if (n > run->n - i)
			n = run->n - i;
		row = table_row(run->top, run->levels, run->first + i, &n);
		if (!row || !walk_row(w, row, n, in, sg->len))
			return false;
	}
	return true;
}

static ALWAYS_INLINE void walk_as(struct walk *to, enum vd_format f)
{
	struct walk w = *to;

	w.format = f;
	while (w.i < w.l->n && (walk_small(&w, &w.l->sg[w.i]) ||
				walk_element(&w, &w.l->sg[w.i]))) {
		w.i++;
		w.done = 0;
	}
	close_piece(&w);
	w.l->niov = w.niov;
	to->i = w.i;
	to->done = w.done;
}

/* As far as it goes without a look elsewhere. */
static void walk(const struct vd_reader *r, struct walk *w)
{
	const struct vd_sglist *l = w->l;

	w->run = r->hint;
	w->niov = l->niov;
	w->len = 0;
	if (l->niov) {
		w->at = (uintptr_t)l->iov[l->niov - 1].iov_base;
		w->len = l->iov[l->niov - 1].iov_len;
	}
	switch (w->run->format) {
	case VD_FORMAT_TCE:
		walk_as(w, VD_FORMAT_TCE);
		break;
	case VD_FORMAT_IOTSB:
		walk_as(w, VD_FORMAT_IOTSB);
		break;
	default:
		walk_as(w, VD_FORMAT_NATIVE);
	}
}

/* The page where the walk stopped, by itself. */
static int step_over(struct vd_reader *r, struct walk *w)
{
	const struct vd_sg *sg = &w->l->sg[w->i];
	struct vd_target t;
	uint64_t last;
	int err;

	if (!checked_last(sg->bus.v, sg->len, &last))
		return -EOVERFLOW;
	err = look_up_slow(r, sg->bus.v + w->done, w->prot, &t);
	if (err)
		return err;
	if (t.len > sg->len - w->done)
		t.len = sg->len - w->done;
	w->done += t.len;
	return add_piece(w->l, t.hva, t.len);
}

int vd_translate_list(struct vd_reader *r, struct vd_sglist *l,
		      unsigned int prot)
{
	struct walk w = { .l = l, .prot = prot };
	int err = prot ? 0 : -EINVAL;

	l->niov = 0;
	while (!err) {
		walk(r, &w);
		if (w.i == l->n)
			return 0;
		err = step_over(r, &w);
	}
	l->niov = 0;
	return err;
}

/* Call @fn with format and levels as constants where that pays. */
#define BY_LEVELS(run, f, fn, ...)                    \
	((run)->levels == 0 ? fn(__VA_ARGS__, f, 0) : \
	 (run)->levels == 1 ? fn(__VA_ARGS__, f, 1) : \
			      fn(__VA_ARGS__, f, (run)->levels))
#define COMPILED(run, fn, ...)                                      \
	((run)->format == VD_FORMAT_TCE ?                           \
		 BY_LEVELS(run, VD_FORMAT_TCE, fn, __VA_ARGS__) :   \
	 (run)->format == VD_FORMAT_IOTSB ?                         \
		 BY_LEVELS(run, VD_FORMAT_IOTSB, fn, __VA_ARGS__) : \
		 BY_LEVELS(run, VD_FORMAT_NATIVE, fn, __VA_ARGS__))

/* As many of the addresses as the run and the owner's first span answer. */
static ALWAYS_INLINE size_t pages_as(const struct view_run *v,
				     const vd_iova *bus, size_t n,
				     unsigned int prot, void **hva,
				     enum vd_format f, unsigned int levels)
{
	const struct view_run run = *v; /* not to be loaded again */
	size_t done;

	for (done = 0; done < n; done++) {
		uint64_t at = bus[done].v;
		uint64_t i = (at - run.bus) >> run.shift;
		uint64_t entry, in;

		if (i >= run.n)
			break;
		entry = load_as(&run, i, f, levels);
		in = ((entry & ~run.mask) | (at & run.mask)) - run.gpa;
		if (!may(&run, entry, prot) || in >= run.len)
			break;
		hva[done] = run.hva + in;
	}
	return done;
}

int vd_translate_pages(struct vd_reader *r, const vd_iova *bus, size_t n,
		       unsigned int prot, void **hva)
{
	size_t done = 0;

	if (prot == 0)
		return -EINVAL;
	while (done < n) {
		struct vd_target t;
		int err;

		done += COMPILED(r->hint, pages_as, r->hint, bus + done,
				 n - done, prot, hva + done);
		if (done == n)
			break;
		err = look_up_slow(r, bus[done].v, prot, &t);
		if (err)
			return err;
		hva[done++] = t.hva;
	}
	return 0;
}
