/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look-up: a bounds check on a handful of runs, the one that was right last
 * time first; one load from the table; one bounds check on the owner's memory.
 *
 * The hint is an index into the view that was shown at enter. It needs no
 * generation: an index that fits no more is only a guess that is wrong.
 *
 * A page that is asked for twice in a row is kept until exit. Whoever makes its
 * entry invalid waits for that exit anyhow, so within the burst the answer is as
 * good as a new look. (Keeping each page costs random look-ups a third more.)
 *
 * What runs over many entries is written once and compiled for each format and
 * for tables of one and two levels.
 */
#include "engine.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* A page that was asked for twice. */
struct last {
	uint64_t bus; /* first address; NO_PAGE, which none is: nothing kept */
	uint64_t mask;
	unsigned char *hva;
	uint64_t gpa;
	uint32_t owner, rights;
};

#define NO_PAGE 1u

struct vd_reader {
	unsigned char before[EPOCH_LINE]; /* no line with another reader */
	struct epoch_slot *slot;
	const struct view_runs *runs; /* inside: what the device sees */
	const struct view_run *hint;  /* inside: one of them */
	uint64_t nhint;
	bool denied;   /* inside */
	uint64_t seen; /* the page of the last answer */
	struct last last;
	struct adevice *device;
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

static inline void enter(struct vd_reader *r)
{
	epoch_enter(r->slot);
	r->runs = view_shown(&r->device->owner->view);
	if (r->nhint > r->runs->n)
		r->nhint = r->runs->n;
	r->hint = &r->runs->run[r->nhint];
	r->last.bus = r->seen = NO_PAGE;
	r->denied = atom_load32(&r->device->denied);
	if (r->denied) /* the run behind the last matches nothing */
		r->hint = &r->runs->run[r->runs->n];
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
	const struct view_runs *runs = r->runs;

	for (uint64_t i = 0; !r->denied && i < runs->n; i++) {
		if (is_in(&runs->run[i], bus)) {
			r->nhint = i;
			r->hint = &runs->run[i];
			return r->hint;
		}
	}
	return NULL;
}

/* Outside all runs: past the end of one, or before the first. */
static int miss(const struct vd_reader *r, uint64_t bus)
{
	if (r->denied)
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

static inline uint64_t load(const struct view_run *run, uint64_t i)
{
	return load_as(run, i, (enum vd_format)run->format, run->levels);
}

static ALWAYS_INLINE bool may(const struct view_run *run, uint64_t entry,
			      unsigned int prot)
{
	return (prot & ~(entry & run->rights)) == 0;
}

/* Where @bus leads, whose page @entry names; out->hva is there. */
static ALWAYS_INLINE void answer(struct vd_reader *r,
				 const struct view_run *run, uint64_t bus,
				 uint64_t entry, struct vd_target *out)
{
	uint64_t in = bus & run->mask;

	out->len = run->mask + 1 - in;
	out->gpa.v = (entry & ~run->mask) | in;
	out->owner = run->owner;
	if (r->seen == bus - in)
		r->last = (struct last){
			.bus = bus - in,
			.mask = run->mask,
			.hva = out->hva - in,
			.gpa = entry & ~run->mask,
			.owner = run->owner,
			.rights = (uint32_t)(entry & run->rights),
		};
	r->seen = bus - in;
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

	if (!run)
		return fault(r, bus, prot, miss(r, bus));
	entry = load(run, (bus - run->bus) >> run->shift);
	if (!may(run, entry, prot) || (entry & ENTRY_RIGHTS) == 0)
		return fault(r, bus, prot,
			     entry & ENTRY_RIGHTS ? -EACCES : -ENOENT);
	gpa = (entry & ~run->mask) | (bus & run->mask);
	s = ram_find(run->ram, gpa, 1);
	out->hva = s->hva + (gpa - s->gpa);
	answer(r, run, bus, entry, out);
	return 0;
}

/* The usual case: the same run as last time, the owner's first span. */
static ALWAYS_INLINE int look_up(struct vd_reader *r, uint64_t bus,
				 unsigned int prot, struct vd_target *out)
{
	const struct view_run *run = r->hint;
	uint64_t i = (bus - run->bus) >> run->shift;
	uint64_t entry, gpa;

	if (__builtin_expect(i >= run->n, 0))
		return look_up_slow(r, bus, prot, out);
	entry = load(run, i);
	gpa = (entry & ~run->mask) | (bus & run->mask);
	if (__builtin_expect(
		    !may(run, entry, prot) || gpa - run->gpa >= run->len, 0))
		return look_up_slow(r, bus, prot, out);
	out->hva = run->hva + (gpa - run->gpa);
	answer(r, run, bus, entry, out);
	return 0;
}

int vd_translate(struct vd_reader *r, vd_iova bus, unsigned int prot,
		 struct vd_target *out)
{
	const struct last *l = &r->last;

	if (prot == 0)
		return -EINVAL;
	if ((bus.v & ~l->mask) == l->bus && (prot & ~l->rights) == 0) {
		uint64_t in = bus.v - l->bus;

		out->hva = l->hva + in;
		out->len = l->mask + 1 - in;
		out->gpa.v = l->gpa + in;
		out->owner = l->owner;
		return 0;
	}
	return look_up(r, bus.v, prot, out);
}

int vd_translate_once(struct vd_reader *r, vd_iova bus, unsigned int prot,
		      struct vd_target *out)
{
	int err;

	if (prot == 0)
		return -EINVAL;
	enter(r);
	err = look_up(r, bus.v, prot, out);
	epoch_exit(r->slot);
	return err;
}

/* Call @fn with format and levels as constants where that pays. */
#define COMPILED(run, fn, ...)                                                 \
	((run)->levels == 0 ?                                                  \
		 ((run)->format == VD_FORMAT_TCE ?                             \
			  fn(__VA_ARGS__, VD_FORMAT_TCE, 0) :                  \
			  fn(__VA_ARGS__, (enum vd_format)(run)->format, 0)) : \
	 (run)->levels == 1 && (run)->format == VD_FORMAT_TCE ?                \
		 fn(__VA_ARGS__, VD_FORMAT_TCE, 1) :                           \
		 fn(__VA_ARGS__, (enum vd_format)(run)->format,                \
		    (run)->levels))

/*
 * How many of the @n entries from @i on go on in memory where the one before
 * them, at guest address @gpa, ends.
 */
static ALWAYS_INLINE uint64_t follow_as(const struct view_run *run, uint64_t i,
					uint64_t n, uint64_t gpa,
					unsigned int prot, enum vd_format f,
					unsigned int levels)
{
	uint64_t done;

	for (done = 0; done < n; done++) {
		uint64_t entry = load_as(run, i + done, f, levels);

		gpa += run->mask + 1;
		if ((entry & ~run->mask) != gpa || !may(run, entry, prot))
			break;
	}
	return done;
}

/* The same, but no further than the window and the owner's span go. */
static uint64_t follow(const struct view_run *run, uint64_t bus, uint64_t len,
		       uint64_t gpa, unsigned int prot)
{
	uint64_t i = ((bus - run->bus) >> run->shift) + 1;
	uint64_t n = ((len - 1) >> run->shift) + 1;
	uint64_t room;

	gpa &= ~run->mask;
	if (gpa - run->gpa >= run->len)
		return 0;
	room = ((run->gpa + run->len - gpa) >> run->shift) - 1;
	n = n < run->n - i ? n : run->n - i;
	n = n < room ? n : room;
	return COMPILED(run, follow_as, run, i, n, gpa, prot);
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

static int translate_one(struct vd_reader *r, const struct vd_sg *sg,
			 unsigned int prot, struct vd_sglist *l)
{
	uint64_t bus = sg->bus.v, left = sg->len, last;
	struct vd_target t;

	if (left == 0)
		return 0;
	if (!checked_last(bus, left, &last))
		return -EOVERFLOW;
	while (left) {
		int err = look_up(r, bus, prot, &t);

		if (err)
			return err;
		if (t.len < left)
			t.len += follow(r->hint, bus, left - t.len, t.gpa.v,
					prot)
				 << r->hint->shift;
		if (t.len > left)
			t.len = left;
		err = add_piece(l, t.hva, t.len);
		if (err)
			return err;
		bus += t.len;
		left -= t.len;
	}
	return 0;
}

int vd_translate_list(struct vd_reader *r, struct vd_sglist *l,
		      unsigned int prot)
{
	int err = prot ? 0 : -EINVAL;

	l->niov = 0;
	for (size_t i = 0; !err && i < l->n; i++)
		err = translate_one(r, &l->sg[i], prot, l);
	if (err)
		l->niov = 0;
	return err;
}

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
