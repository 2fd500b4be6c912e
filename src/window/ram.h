/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An owner's guest memory as readers see it: spans are added and never taken
 * away, so a reader needs no lock. Who adds one holds the entry lock.
 */
#ifndef WINDOW_RAM_H
#define WINDOW_RAM_H

#include "granule_pin.h"
#include <atom.h>
#include <stddef.h>
#include <viaduct/adapter.h>

#define RAM_MAX 64u

struct ram_span {
	uint64_t gpa, len;
	unsigned char *hva;	  /* borrowed */
	struct stretch *stretch;  /* of @domain; NULL without one */
	struct vd_domain *domain; /* borrowed; the owner's, or one it reaches */
	uint64_t base;		  /* @gpa of that domain's address 0 */
};

struct ram {
	uint64_t n;
	struct ram_span at[RAM_MAX];
	uint64_t nown;			/* how many are @domain's */
	struct vd_domain *domain;	/* borrowed; or NULL, and then */
	const struct vd_owner_ops *who; /* the caller's: only compared */
	struct vd_owner_ops ops;	/* without members, if it is NULL */
	void *opaque;
};

/* 0, -EINVAL, -EEXIST, -ENOMEM. */
int ram_init(struct ram *r, const struct vd_owner_cfg *cfg);

/* Memory that @d has now as well, its address 0 at @base; what is reached already
 * stays. As vd_owner_reach(). */
int ram_reach(struct ram *r, struct vd_domain *d, uint64_t base);

/*
 * Do all entries that @from may have mean the same for @to, which looks at what
 * its domain has got since? So they can change hands as they are.
 */
bool ram_can_take(struct ram *to, const struct ram *from);

/* Is all of @gpa .. @gpa + @len - 1 in the span? */
static inline bool ram_span_has(const struct ram_span *s, uint64_t gpa,
				uint64_t len)
{
	return gpa - s->gpa < s->len && len <= s->len - (gpa - s->gpa);
}

/* The span that has all of it, or NULL. A valid entry's page has one: what is
 * put is looked up first, and what changes hands can be taken. */
static inline const struct ram_span *ram_find(const struct ram *r, uint64_t gpa,
					      uint64_t len)
{
	uint64_t n = atom_load(&r->n); /* pairs with add_span() */

	for (uint64_t i = 0; i < n; i++) {
		if (ram_span_has(&r->at[i], gpa, len))
			return &r->at[i];
	}
	return NULL;
}

/* The same, after a look at what the domain has got since. Or an error. */
int ram_look(struct ram *r, uint64_t gpa, uint64_t len);

/* Entries of a list, or a run of them. */
struct ram_pages {
	const uint64_t *entry; /* NULL: @first, and what follows it */
	uint64_t first, step;
	size_t n;
	unsigned int shift;
};

static inline uint64_t ram_page(const struct ram_pages *p, size_t i)
{
	return p->entry ? p->entry[i] : p->first + i * p->step;
}

/* Does anybody want to know which pages entries name? */
static inline bool ram_counts(const struct ram *r)
{
	return r->domain || r->who;
}

/*
 * Keep the pages of valid entries in memory, all or none; let them go again.
 * Invalid entries are skipped. *pinned changes by what the domain has pinned
 * more, or less.
 */
int ram_hold(struct ram *r, const struct ram_pages *p, int64_t *pinned);
void ram_release(struct ram *r, const struct ram_pages *p, int64_t *pinned);

/*
 * The same for one valid entry. It is only held if something else holds its page
 * already, so that nothing more is pinned; else false, and ram_hold() does it.
 */
bool ram_hold_one(struct ram *r, uint64_t entry, unsigned int shift);
void ram_release_one(struct ram *r, uint64_t entry, unsigned int shift,
		     int64_t *pinned);

/* The first of them will be held or released soon; or one valid entry's page. */
void ram_expect(const struct ram *r, const struct ram_pages *p);
void ram_expect_one(const struct ram *r, uint64_t entry, unsigned int shift);

#endif
