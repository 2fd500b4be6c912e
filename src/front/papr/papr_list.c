/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * H_PUT_TCE_INDIRECT: entries from a page of guest memory.
 *
 * The page is copied first; everything is checked on the copy; then it is
 * stored, all or nothing. With a negative LIOBN the page begins with the
 * LIOBNs of several tables, and all of them get the same entries, each at the
 * bus address of the call as its own page size has it. There too all
 * is all tables: if a later one cannot be filled, those before it get back what
 * they held, from a buffer made when the platform was. Only where the host has
 * no memory even for that they are left without these entries.
 */
#include "papr_state.h"

#include <endian.h>
#include <errno.h>

/* The first @n words of the page at @gpa, in host order. */
int64_t papr_read_list(struct papr_call *c, uint64_t gpa, size_t n,
		       uint64_t *out)
{
	vd_gpa at = { gpa };

	if (!is_aligned(gpa, VD_PAGE_SHIFT) ||
	    vd_domain_check_memory(c->who->cfg.domain, at, VD_PAGE_SIZE) != 0 ||
	    vd_domain_copy_in(c->who->cfg.domain, at, out, n * 8) != 0)
		return VD_H_PARAMETER;
	for (size_t i = 0; i < n; i++)
		out[i] = be64toh(out[i]);
	return VD_H_SUCCESS;
}

/* The tables of one call and the entries that go into each. */
struct list {
	struct papr_pane *pane[VD_TCE_TABLES_MAX];
	vd_iova bus[VD_TCE_TABLES_MAX]; /* each by its own page size */
	size_t npanes, n;
	vd_entry entry[VD_TCE_LIST_MAX];
};

/* What a list of tables gets: the range is one of the table's own. */
static int64_t add_table(struct papr_call *c, uint64_t liobn, struct list *l)
	MUST_HOLD(c->p->lock)
{
	struct papr_pane **pane = &l->pane[l->npanes];
	vd_iova *bus = &l->bus[l->npanes];
	struct vd_window_info w;
	int64_t status = papr_pane_find(c, liobn, pane);

	if (status)
		return status;
	papr_pane_info(*pane, &w);
	bus->v = align_down(c->h->arg[1], w.page_shift);
	if (!papr_pane_has(&w, bus->v, l->n))
		return VD_H_PARAMETER;
	l->npanes++;
	return VD_H_SUCCESS;
}

/* Gives back to the first @ntables what they held. */
static void undo(struct papr_call *c, const struct list *l, size_t ntables)
	MUST_HOLD(c->p->lock)
{
	vd_entry old[VD_TCE_LIST_MAX], none = { 0 };
	struct papr_store s = { .n = l->n };

	while (ntables-- > 0) {
		for (size_t i = 0; i < l->n; i++)
			old[i].v = c->p->undo[ntables * l->n + i];
		s.pane = l->pane[ntables];
		s.bus = l->bus[ntables];
		s.entry = old;
		s.fill = false;
		if (papr_store_put(&s) == VD_H_SUCCESS)
			continue;
		s.entry = &none;
		s.fill = true;
		papr_store_put(&s);
		papr_store_end(c->p, &s);
	}
}

static int save(struct papr_call *c, const struct list *l, size_t table)
	MUST_HOLD(c->p->lock)
{
	const struct papr_pane *pane = l->pane[table];
	vd_entry old[VD_TCE_LIST_MAX];
	int err;

	if (l->npanes == 1)
		return 0;
	err = vd_window_get(pane->adapter, pane->owner, pane->liobn,
			    l->bus[table], old, l->n);
	for (size_t i = 0; i < l->n && !err; i++)
		c->p->undo[table * l->n + i] = old[i].v;
	return err;
}

static struct papr_store store_of(const struct list *l, size_t table)
{
	return (struct papr_store){ .pane = l->pane[table],
				    .bus = l->bus[table],
				    .n = l->n,
				    .entry = l->entry };
}

/* Before the first table changes: it may be named a second time. */
static int64_t check_tables(struct papr_call *c, const struct list *l)
	MUST_HOLD(c->p->lock)
{
	int64_t status = VD_H_SUCCESS;

	for (size_t i = 0; i < l->npanes && !status; i++) {
		const struct papr_store s = store_of(l, i);

		status = papr_store_check(c->p, &s);
	}
	return status;
}

static int64_t put_tables(struct papr_call *c, const struct list *l,
			  int64_t *pinned) MUST_HOLD(c->p->lock)
{
	for (size_t i = 0; i < l->npanes && l->n; i++) {
		struct papr_store s = store_of(l, i);
		int64_t status = papr_status(save(c, l, i));

		if (!status)
			status = papr_store_put(&s);
		if (status) {
			undo(c, l, i);
			return status;
		}
		*pinned += s.pinned;
	}
	return VD_H_SUCCESS;
}

static int64_t fill_tables(struct papr_call *c, const struct list *l)
	MUST_HOLD(c->p->lock)
{
	int64_t pinned = 0, status = check_tables(c, l);

	if (!status)
		status = put_tables(c, l, &pinned);
	if (status)
		return status;
	for (size_t i = 0; i < l->npanes; i++) {
		const struct papr_store s = store_of(l, i);

		pinned += papr_store_end(c->p, &s);
	}
	if (c->who->cfg.cmo) {
		c->h->out[0] = (uint64_t)pinned;
		c->h->nout = 1;
	}
	return VD_H_SUCCESS;
}

static int64_t put_one(struct papr_call *c, struct list *l)
	MUST_HOLD(c->p->lock)
{
	uint64_t page[VD_TCE_LIST_MAX];
	int64_t status;

	l->n = c->h->arg[3];
	if (l->n > VD_TCE_LIST_MAX)
		return VD_H_PARAMETER;
	status = add_table(c, c->h->arg[0], l);
	if (!status)
		status = papr_read_list(c, c->h->arg[2], l->n, page);
	if (status)
		return status;
	for (size_t i = 0; i < l->n; i++)
		l->entry[i] = papr_entry(page[i]);
	return fill_tables(c, l);
}

/* A table that is named twice is filled twice, which does no harm. */
static int64_t put_many(struct papr_call *c, struct list *l)
	MUST_HOLD(c->p->lock)
{
	uint64_t page[VD_TCE_LIST_MAX], ntables = 0 - c->h->arg[0];
	int64_t status;

	if (!c->p->cfg.multi_table)
		return VD_H_FUNCTION;
	l->n = c->h->arg[3];
	if (ntables > VD_TCE_TABLES_MAX || l->n > VD_TCE_LIST_MAX ||
	    l->n + ntables > VD_TCE_LIST_MAX)
		return VD_H_PARAMETER;
	status = papr_read_list(c, c->h->arg[2], l->n + ntables, page);
	for (size_t i = 0; i < ntables && !status; i++)
		status = add_table(c, page[i], l);
	if (status)
		return status;
	for (size_t i = 0; i < l->n; i++)
		l->entry[i] = papr_entry(page[ntables + i]);
	return fill_tables(c, l);
}

int64_t papr_put_list(struct papr_call *c)
{
	struct list l = { .npanes = 0 };

	if ((int64_t)c->h->arg[0] < 0)
		return put_many(c, &l);
	return put_one(c, &l);
}
