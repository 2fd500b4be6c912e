/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader, and what all ways to ask it have in common: translate.c answers one
 * look-up, scatter.c many.
 */
#ifndef WINDOW_READER_H
#define WINDOW_READER_H

#include "engine.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNLIKELY(x)   __builtin_expect(x, 0)

struct vd_reader {
	unsigned char before[EPOCH_LINE]; /* no line with another reader */
	struct epoch_slot *slot;
	struct adevice *device;
	const struct flatview_runs *runs; /* inside: what the device sees */
	const struct flatview_run *hint;  /* inside: one of them */
	uint64_t at;			  /* of the hint, behind @runs */
	struct vd_adapter *a;
	unsigned char after[EPOCH_LINE];
};

/* One look-up that takes nothing for granted; a refusal is recorded. */
int reader_look_up(struct vd_reader *r, uint64_t bus, unsigned int prot,
		   struct vd_target *out);

/* Where the word of entry @i is, or NULL: it is not there, so invalid. */
static ALWAYS_INLINE const uint64_t *entry_at(const struct flatview_run *run,
					      uint64_t i, unsigned int levels)
{
	const struct node *leaf;

	if (levels == 0)
		return &run->top[i];
	i += run->first;
	leaf = table_leaf(run->top, levels, i);
	return leaf ? &leaf->slot[i & TABLE_MASK] : NULL;
}

/*
 * Entry @i in native form. Relaxed: it stands for itself, and the run brought the
 * first span along; who looks for another calls atom_after() first.
 */
static ALWAYS_INLINE uint64_t load_as(const struct flatview_run *run,
				      uint64_t i, enum vd_format f,
				      unsigned int levels)
{
	const uint64_t *at = entry_at(run, i, levels);

	return at ? format_decode(f, atom_peek(at)) : 0;
}

static ALWAYS_INLINE bool may(const struct flatview_run *run, uint64_t entry,
			      unsigned int prot)
{
	return (prot & ~(entry & run->rights)) == 0;
}

/* The guest address of byte @in of the page that @entry names. */
static ALWAYS_INLINE uint64_t entry_gpa(uint64_t entry, uint64_t in)
{
	return (entry & ~ENTRY_RIGHTS) + in;
}

#endif
