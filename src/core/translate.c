/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look-up: a bounds check on a handful of runs, the one that was right last
 * time first; one load from the table; one bounds check on the owner's memory.
 *
 * The hint is an index into the view that was shown at enter. It needs no
 * generation: an index that fits no more is only a guess that is wrong.
 */
#include "engine.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>

struct vd_reader {
	struct epoch_slot *slot;
	const struct view_runs *runs; /* inside: what the device sees */
	const struct view_run *hint;  /* inside: one of them */
	uint64_t nhint;
	bool denied; /* inside */
	struct adevice *device;
	struct vd_adapter *a;
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
static inline uint64_t load(const struct view_run *run, uint64_t i)
{
	uint64_t word =
		run->flat ? atom_peek(&run->flat[i]) :
			    table_walk(run->top, run->levels, run->first + i);

	return format_decode((enum vd_format)run->format, word);
}

static inline int look_up(struct vd_reader *r, uint64_t bus, unsigned int prot,
			  struct vd_target *out)
{
	const struct view_run *run = r->hint;
	const struct ram_span *s;
	uint64_t in, entry, gpa, len;

	if (!is_in(run, bus)) {
		run = find_run(r, bus);
		if (!run)
			return fault(r, bus, prot, miss(r, bus));
	}
	entry = load(run, (bus - run->bus) >> run->shift);
	if ((entry & run->rights & prot) != prot || prot == 0)
		return fault(r, bus, prot,
			     entry & ENTRY_RIGHTS ? -EACCES : -ENOENT);
	len = (uint64_t)1 << run->shift;
	in = bus & (len - 1);
	gpa = (entry & ~(len - 1)) | in;
	s = ram_find(run->ram, gpa, 1);
	out->hva = s->hva + (gpa - s->gpa);
	out->len = len - in;
	out->gpa.v = gpa;
	out->owner = run->owner;
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
	int err = 0;

	l->niov = 0;
	for (size_t i = 0; !err && i < l->n; i++)
		err = translate_one(r, &l->sg[i], prot, l);
	if (err)
		l->niov = 0;
	return err;
}
