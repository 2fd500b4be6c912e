/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look-up: a bounds check on a handful of runs, the one that was right last
 * time first; one load from the table; one bounds check on the owner's memory.
 *
 * The hint is a place in the view that was shown at enter. It needs no
 * generation: a place that fits no more is only a guess that is wrong.
 *
 * The look-up is written once and compiled for the two usual tables, native and
 * of at most one level, and for all others.
 */
#include "reader.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>

int vd_reader_create(struct vd_adapter *a, uint32_t device,
		     struct vd_reader **out)
{
	struct vd_reader *r = mem_zalloc(1, sizeof(*r));
	int err = -ENODEV;

	if (!r)
		return -ENOMEM;
	r->a = a;
	r->at = offsetof(struct flatview_runs, run);
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
	r->runs = (const struct flatview_runs *)runs;
	r->hint = (const struct flatview_run *)(runs + r->at);
}

void vd_reader_enter(struct vd_reader *r)
{
	enter(r);
}

void vd_reader_exit(struct vd_reader *r)
{
	epoch_exit(r->slot);
}

static bool is_in(const struct flatview_run *run, uint64_t bus)
{
	return (bus - run->bus) >> run->shift < run->n;
}

static const struct flatview_run *find_run(struct vd_reader *r, uint64_t bus)
{
	for (uint64_t i = 0; i < r->runs->n; i++) {
		const struct flatview_run *run = &r->runs->run[i];

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
	const struct vd_fault f = { .size = sizeof(f),
				    .guest_id = r->device->id,
				    .prot = prot,
				    .iova = { bus },
				    .reason = reason(err) };

	lock_take(&r->a->fault_lock);
	faults_put(&r->a->faults, &f);
	lock_drop(&r->a->fault_lock);
	return err;
}

/* Where @bus leads: byte @in of the page that @entry names. */
static ALWAYS_INLINE void answer(const struct flatview_run *run, uint64_t entry,
				 uint64_t in, struct vd_target *out)
{
	out->len = run->mask + 1 - in;
	out->gpa.v = entry_gpa(entry, in);
	out->owner = run->owner;
}

int reader_look_up(struct vd_reader *r, uint64_t bus, unsigned int prot,
		   struct vd_target *out)
{
	const struct flatview_run *run = find_run(r, bus);
	const struct ram_span *s;
	uint64_t entry, gpa;

	if (prot == 0)
		return -EINVAL;
	if (!run)
		return fault(r, bus, prot, miss(r, bus));
	entry = load_as(run, (bus - run->bus) >> run->shift,
			(enum vd_format)run->format, run->levels);
	if (!may(run, entry, prot) || (entry & ENTRY_RIGHTS) == 0)
		return fault(r, bus, prot,
			     entry & ENTRY_RIGHTS ? -EACCES : -ENOENT);
	gpa = entry_gpa(entry, bus & run->mask);
	atom_after(); /* the entry may be newer than what we know of spans */
	s = ram_find(run->ram, gpa, 1);
	if (UNLIKELY(!s)) /* never: a device that meets it gets nothing */
		return fault(r, bus, prot, -ENOENT);
	out->hva = s->hva + (gpa - s->gpa);
	answer(run, entry, bus & run->mask, out);
	return 0;
}

/* The usual case: the same run as last time, the owner's first span. */
static ALWAYS_INLINE int look_up_as(struct vd_reader *r, uint64_t bus,
				    unsigned int prot, struct vd_target *out,
				    enum vd_format f, unsigned int levels)
{
	const struct flatview_run *run = r->hint;
	uint64_t i = (bus - run->bus) >> run->shift;
	uint64_t entry, in, at;

	if (UNLIKELY(i >= run->n || prot == 0))
		return reader_look_up(r, bus, prot, out);
	entry = load_as(run, i, f, levels);
	in = bus & run->mask;
	at = entry_gpa(entry, in) - run->gpa;
	if (UNLIKELY(!may(run, entry, prot) || at >= run->len))
		return reader_look_up(r, bus, prot, out);
	out->hva = run->hva + at;
	answer(run, entry, in, out);
	return 0;
}

static __attribute__((noinline)) int look_up_any(struct vd_reader *r,
						 uint64_t bus,
						 unsigned int prot,
						 struct vd_target *out)
{
	const struct flatview_run *run = r->hint;

	return look_up_as(r, bus, prot, out, (enum vd_format)run->format,
			  run->levels);
}

static ALWAYS_INLINE int look_up(struct vd_reader *r, uint64_t bus,
				 unsigned int prot, struct vd_target *out)
{
	switch (r->hint->kind) {
	case VIEW_ARRAY:
		return look_up_as(r, bus, prot, out, VD_FORMAT_NATIVE, 0);
	case VIEW_TREE:
		return look_up_as(r, bus, prot, out, VD_FORMAT_NATIVE, 1);
	default:
		return look_up_any(r, bus, prot, out);
	}
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
