/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the devices of a provider see: runs of bus addresses, each with the
 * entries that translate it. Made anew at each change of a window, beside the
 * one that readers use, and then shown in its place.
 */
#ifndef WINDOW_FLATVIEW_H
#define WINDOW_FLATVIEW_H

#include "ram.h"
#include "table.h"

struct window;

/* Tables for which a look-up is compiled: native, without levels or with one. */
enum view_kind { VIEW_OTHER, VIEW_ARRAY, VIEW_TREE };

/*
 * No two runs of a view share a bus address. The first span of the owner's
 * memory is here as well, so that a look-up finds it all in two lines.
 */
struct flatview_run {
	uint64_t bus;  /* first address */
	uint64_t n;    /* pages; 0: matches nothing */
	uint64_t mask; /* of the address inside a page */
	const uint64_t
		*top; /* of the table; its entry, if there are no levels */
	uint64_t gpa, len;
	unsigned char *hva;
	uint8_t format, shift, levels, rights;
	uint32_t owner;
	uint8_t kind;	/* enum view_kind */
	uint64_t first; /* entry in the table; 0, if there are no levels */
	const struct ram *ram;
};

/*
 * All have the same room. Runs from @n on match nothing, and there is always
 * one: a guess which run it will be may be any place in any of them.
 */
struct flatview_runs {
	uint64_t n;
	uint64_t max;
	bool denied; /* of a device that may see nothing */
	struct flatview_run run[];
};

struct flatview {
	uint64_t shown; /* which of the two, as a pointer for readers */
	struct flatview_runs *runs[2];
};

/* Room for the runs of @nregs registers, or NULL. */
struct flatview_runs *flatview_runs_new(uint32_t nregs);

/* 0 or -ENOMEM. */
int flatview_init(struct flatview *v, uint32_t nregs);
void flatview_end(struct flatview *v);

static inline const struct flatview_runs *flatview_shown(
	const struct flatview *v)
{
	return (const struct flatview_runs *)(uintptr_t)atom_load(&v->shown);
}

/* The copy that no reader uses; show it. */
struct flatview_runs *flatview_other(struct flatview *v);
void flatview_show(struct flatview *v, struct flatview_runs *r);

/* Add what is to be seen of a window, loans in it included. */
void flatview_add(struct flatview_runs *r, const struct window *all, uint32_t n,
		  const struct window *w);

#endif
