/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many look-ups in one call: scatter lists, and addresses by themselves. Both
 * go as far as one run and its owner's first span answer; what stops them is
 * looked up alone, or refused, and then they go on.
 *
 * What runs over many entries is written once and compiled for each format and
 * for tables without levels and with one.
 */
#include "reader.h"

#include <checked.h>
#include <errno.h>

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

/* So many entries are read at a time; each is read once. */
#define BATCH 64u

/* What they say in common: bits that are set in all of them. */
struct words {
	uint64_t word[BATCH]; /* in native form */
	uint64_t common;
	size_t n;
};

/*
 * The answer so far. The last piece grows while what comes next begins where it
 * ends.
 */
struct pieces {
	struct iovec *next, *limit;
	uintptr_t end; /* of the last piece; 0: there is none */
};

struct walk {
	const struct flatview_run *run;
	const struct vd_sglist *l;
	size_t i;      /* element */
	uint64_t done; /* bytes of it */
	struct pieces p;
	struct words x;
	unsigned int prot;
};

static ALWAYS_INLINE bool grow(struct pieces *p, uintptr_t at, uint64_t len)
{
	if (at == p->end) {
		p->next[-1].iov_len += len;
	} else {
		if (p->next == p->limit)
			return false;
		*p->next++ = (struct iovec){
			(void *)at, len /* what the iovec's user sees */
		};
	}
	p->end = at + len;
	return true;
}

/* How many of the words allow the access, from the first on. */
static ALWAYS_INLINE size_t allowed(const struct walk *w)
{
	size_t k = 0;

	if (may(w->run, w->x.common, w->prot))
		return w->x.n;
	while (k < w->x.n && may(w->run, w->x.word[k], w->prot))
		k++;
	return k;
}

/* Is the element in one page of the run, if it is in the run? */
static ALWAYS_INLINE bool is_short(const struct flatview_run *run,
				   const struct vd_sg *sg)
{
	return sg->len - 1 <= run->mask - (sg->bus.v & run->mask);
}

/* Read the entries of elements that are in one page each. */
static ALWAYS_INLINE void read_short(struct walk *w, enum vd_format f,
				     unsigned int levels)
{
	const struct flatview_run *run = w->run;
	const struct vd_sg *sg = &w->l->sg[w->i];
	uint64_t common = ENTRY_RIGHTS;
	size_t n = w->l->n - w->i, k;

	if (n > BATCH)
		n = BATCH;
	for (k = 0; k < n; k++) {
		uint64_t i = (sg[k].bus.v - run->bus) >> run->shift;

		if (!is_short(run, &sg[k]) || i >= run->n)
			break;
		w->x.word[k] = load_as(run, i, f, levels);
		common &= w->x.word[k];
	}
	w->x.common = common;
	w->x.n = k;
}

/* What they name; false: stopped. */
static bool add_short(struct walk *w)
{
	const struct flatview_run run = *w->run; /* not to be loaded again */
	const struct vd_sg *sg = &w->l->sg[w->i];
	size_t n = allowed(w), k;
	struct pieces p = w->p;

	for (k = 0; k < n; k++) {
		uint64_t at = entry_gpa(w->x.word[k], sg[k].bus.v & run.mask) -
			      run.gpa;

		if (at >= run.len ||
		    !grow(&p, (uintptr_t)run.hva + at, sg[k].len))
			break;
	}
	w->p = p;
	w->i += k;
	return k == w->x.n && k > 0;
}

/* Read entries of an element from page @i of the run on, at most @n. */
static ALWAYS_INLINE void read_long(struct walk *w, uint64_t i, uint64_t n,
				    enum vd_format f, unsigned int levels)
{
	const struct flatview_run *run = w->run;
	uint64_t common = ENTRY_RIGHTS;
	const uint64_t *row;

	w->x.n = 0;
	w->x.common = common;
	w->x.word[0] = 0;
	if (i >= run->n)
		return;
	if (n > run->n - i)
		n = run->n - i;
	if (n > BATCH)
		n = BATCH;
	row = table_row(run->top, levels, run->first + i, &n);
	if (!row)
		return;
	for (size_t k = 0; k < n; k++) {
		w->x.word[k] = format_decode(f, atom_peek(&row[k]));
		common &= w->x.word[k];
	}
	w->x.common = common;
	w->x.n = n;
}

/* Whole pages that they name, from word @k on; returns the first that stops. */
static ALWAYS_INLINE size_t add_whole(const struct walk *w, size_t k, size_t n,
				      struct pieces *to)
{
	const uint64_t gpa = w->run->gpa, len = w->run->len;
	const uint64_t page = w->run->mask + 1;
	const uintptr_t hva = (uintptr_t)w->run->hva;
	struct pieces p = *to;

	for (; k < n; k++) {
		uint64_t at = entry_gpa(w->x.word[k], 0) - gpa;

		if (at >= len || !grow(&p, hva + at, page))
			break;
	}
	*to = p;
	return k;
}

/*
 * What they name, @left bytes at most, from byte @in of the first page: all
 * pages but the first as if they were whole, and then the end is cut off the
 * last. False: stopped.
 */
static bool add_long(struct walk *w, uint64_t in, uint64_t left)
{
	const struct flatview_run *run = w->run;
	uint64_t at = entry_gpa(w->x.word[0], in) - run->gpa;
	uint64_t went, page = run->mask + 1;
	size_t n = allowed(w), k;

	if (n == 0 || at >= run->len ||
	    !grow(&w->p, (uintptr_t)run->hva + at, page - in))
		return false;
	k = add_whole(w, 1, n, &w->p);
	went = k * page - in;
	if (went > left) {
		w->p.next[-1].iov_len -= went - left;
		w->p.end -= went - left;
		went = left;
	}
	w->done += went;
	return k == w->x.n;
}

/* One element of more than one page, from where it is; false: stopped. */
static ALWAYS_INLINE bool walk_long(struct walk *w, enum vd_format f,
				    unsigned int levels)
{
	const struct flatview_run *run = w->run;
	const struct vd_sg *sg = &w->l->sg[w->i];

	if (sg->len - 1 > UINT64_MAX - sg->bus.v)
		return sg->len == 0;
	while (w->done < sg->len) {
		uint64_t bus = sg->bus.v + w->done, in = bus & run->mask;
		uint64_t left = sg->len - w->done;

		read_long(w, (bus - run->bus) >> run->shift,
			  ((in + (left - 1)) >> run->shift) + 1, f, levels);
		if (!add_long(w, in, left))
			return false;
	}
	return true;
}

/* As far as it goes; true: all of it. */
static ALWAYS_INLINE bool walk_as(struct walk *w, enum vd_format f,
				  unsigned int levels)
{
	while (w->i < w->l->n) {
		if (w->done == 0 && is_short(w->run, &w->l->sg[w->i])) {
			read_short(w, f, levels);
			if (!add_short(w))
				return false;
			continue;
		}
		if (!walk_long(w, f, levels))
			return false;
		w->i++;
		w->done = 0;
	}
	return true;
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
	err = reader_look_up(r, sg->bus.v + w->done, w->prot, &t);
	if (err)
		return err;
	if (t.len > sg->len - w->done)
		t.len = sg->len - w->done;
	w->done += t.len;
	return grow(&w->p, (uintptr_t)t.hva, t.len) ? 0 : -ENOSPC;
}

int vd_translate_list(struct vd_reader *r, struct vd_sglist *l,
		      unsigned int prot)
{
	int err = prot ? 0 : -EINVAL;
	struct walk w;

	w.l = l;
	w.p = (struct pieces){ l->iov, l->iov + l->max, 0 };
	w.i = 0;
	w.done = 0;
	w.prot = prot;
	while (!err) {
		w.run = r->hint;
		if (COMPILED(w.run, walk_as, &w))
			break;
		err = step_over(r, &w);
	}
	l->niov = err ? 0 : (size_t)(w.p.next - l->iov);
	return err;
}

/* Where the entries are; as many as are there. */
static ALWAYS_INLINE size_t find_as(const struct flatview_run *run,
				    const vd_iova *bus, size_t n,
				    const uint64_t **at, unsigned int levels)
{
	size_t k;

	for (k = 0; k < n; k++) {
		uint64_t i = (bus[k].v - run->bus) >> run->shift;

		if (i >= run->n)
			break;
		at[k] = entry_at(run, i, levels);
		if (!at[k])
			break;
		__builtin_prefetch(at[k]);
	}
	return k;
}

/* As many of the addresses as the run and the owner's first span answer. */
static ALWAYS_INLINE size_t pages_as(const struct flatview_run *v,
				     const vd_iova *bus, size_t n,
				     unsigned int prot, void **hva,
				     enum vd_format f, unsigned int levels)
{
	const struct flatview_run run = *v; /* not to be loaded again */
	const uint64_t *word[BATCH];
	size_t k;

	n = find_as(&run, bus, n, word, levels);
	for (k = 0; k < n; k++) {
		uint64_t entry = format_decode(f, atom_peek(word[k]));
		uint64_t at = entry_gpa(entry, bus[k].v & run.mask) - run.gpa;

		if (!may(&run, entry, prot) || at >= run.len)
			break;
		hva[k] = run.hva + at;
	}
	return k;
}

int vd_translate_pages(struct vd_reader *r, const vd_iova *bus, size_t n,
		       unsigned int prot, void **hva)
{
	size_t done = 0;

	if (prot == 0)
		return -EINVAL;
	while (done < n) {
		size_t some = n - done < BATCH ? n - done : BATCH;
		size_t went = COMPILED(r->hint, pages_as, r->hint, bus + done,
				       some, prot, hva + done);
		struct vd_target t;
		int err;

		done += went;
		if (went == some)
			continue;
		err = reader_look_up(r, bus[done].v, prot, &t);
		if (err)
			return err;
		hva[done++] = t.hva;
	}
	return 0;
}
