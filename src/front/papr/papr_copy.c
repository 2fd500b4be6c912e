/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Redirected entries: a client's page in a server's table.
 *
 * The server's owner reaches the client's memory at an address that no guest
 * can name, so a copy is an entry like any other: pinned in the client's
 * domain, where the page is pinned anyhow, so that nobody's count changes.
 *
 * Each entry of the client knows one place where it was copied to: its claim.
 * The server may overwrite its own table whenever it likes, and windows come and
 * go; so a claim counts only while what stands there is still the copy.
 *
 * That is told by the content, and two entries of a client that name the same
 * page have the same. So no two claims of a client are for one place: who puts a
 * copy there forgets what was claimed before. A table finds its claims by their
 * place: they are chained by a hash of it, with as many chains as there are
 * entries, whose heads the entries hold. To redirect or remove a copy costs a
 * walk of one chain in each virtual device of the client.
 *
 * An administrator's split or merge takes copies along to another register. A
 * claim is then looked for in all of them, and finds its copy there.
 *
 * When a client changes an entry its copy ends after the entry has changed: it
 * leads to the bit bucket then (papr_bucket.c). The copy has a pin of its own, so
 * the old page stays as long as it is reached.
 */
#include "papr_state.h"

#include <errno.h>

/* Where the memory of @who is for servers. Never 0. */
uint64_t papr_copy_base(struct vd_papr *p, const struct papr_partition *who)
{
	return (uint64_t)(who - p->partition + 1) << PAPR_FOREIGN_SHIFT;
}

/* Is this an entry that only we can have put there? */
bool papr_is_foreign(vd_entry entry)
{
	return entry.v >> PAPR_FOREIGN_SHIFT != 0;
}

static int read_copy(const struct papr_copy *c, vd_entry *out)
{
	const vd_iova at = { c->bus };

	return vd_window_get(c->pane->adapter, c->owner, c->window, at, out, 1);
}

/* Is @want where it was seen, or in the register that has got that part since? */
static bool locate(struct papr_copy *c, vd_entry want)
{
	struct papr_copy try = *c;
	struct vd_window_info w = { .size = sizeof(w) };
	vd_entry there;

	if (read_copy(c, &there) == 0)
		return there.v == want.v;
	for (uint32_t i = 0; i < VD_ADAPTER_MAX_REGS; i++) {
		if (vd_window_show(c->pane->adapter, i, &w) != 0)
			continue;
		try.owner = w.owner;
		try.window = w.id;
		if (read_copy(&try, &there) == 0 && there.v == want.v) {
			*c = try;
			return true;
		}
	}
	return false;
}

/* The copy of entry @i, or NULL. */
const struct papr_copy *papr_copy_of(struct vd_papr *p, struct papr_vio *v,
				     uint64_t i)
{
	const struct papr_partition *who = papr_partition(p, v->cfg.partition);
	const vd_iova at = { i << VD_PAGE_SHIFT };
	struct papr_copy *c = &v->copy[i];
	vd_entry e;

	if (!c->pane || !c->pane->used ||
	    vd_window_get(v->pane->adapter, v->pane->owner, v->pane->liobn, at,
			  &e, 1) != 0)
		return NULL;
	e.v |= papr_copy_base(p, who);
	return locate(c, e) ? c : NULL;
}

/* Not by pane: windows that are split and merged take their places along. */
static bool is_same_place(const struct papr_copy *a, const struct papr_copy *b)
{
	return a->bus == b->bus && a->pane->adapter == b->pane->adapter &&
	       a->pane->owner == b->pane->owner;
}

/*
 * The head of the chain of claims that may be for @bus. Where the claims are in
 * this process no guest knows, so it cannot tell which places meet in a chain.
 */
static struct papr_copy **chain_of(const struct papr_vio *v, uint64_t bus)
{
	uint64_t n = v->cfg.len >> VD_PAGE_SHIFT;
	uint64_t x = (bus >> VD_PAGE_SHIFT) ^ (uintptr_t)v->copy >> 12;

	x *= 0x9e3779b97f4a7c15;
	return &v->copy[(x >> 32) % n].first;
}

static void unclaim(const struct papr_vio *v, struct papr_copy *c)
{
	struct papr_copy **at;

	if (!c->pane)
		return;
	at = chain_of(v, c->bus);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->pane = NULL;
}

/* Whatever @client has claimed at @at is a copy no longer. */
void papr_copy_forget(struct vd_papr *p, uint32_t client,
		      const struct papr_copy *at)
{
	for (struct papr_vio *v = p->vio; v < p->vio + VD_PAPR_MAX_VIOS; v++) {
		struct papr_copy *c, *next;

		if (!v->used || v->cfg.partition != client)
			continue;
		for (c = *chain_of(v, at->bus); c; c = next) {
			next = c->next;
			if (is_same_place(c, at))
				unclaim(v, c);
		}
	}
}

/* The copy of entry @i is at @at from now on, and nobody else's is. */
void papr_copy_note(struct vd_papr *p, struct papr_vio *v, uint64_t i,
		    const struct papr_copy *at)
{
	struct papr_copy *c = &v->copy[i], **head = chain_of(v, at->bus);

	papr_copy_forget(p, v->cfg.partition, at);
	unclaim(v, c);
	c->pane = at->pane;
	c->bus = at->bus;
	c->owner = at->pane->owner;
	c->window = at->pane->liobn;
	c->next = *head;
	*head = c;
}

/*
 * May the client change these entries? LoPAR: Bit Bucket Allowed. Notes which of
 * them have a copy now, which cannot be told any more when they have changed.
 */
bool papr_copy_may_end(struct vd_papr *p, struct papr_vio *v, uint64_t first,
		       uint64_t n)
{
	bool may = true;

	for (uint64_t i = first; i < first + n; i++) {
		const struct papr_copy *c = papr_copy_of(p, v, i);

		v->copy[i].ends = c != NULL;
		if (c && !(c->pane->attributes & VD_LIOBN_BIT_BUCKET))
			may = false;
	}
	return may;
}

/* What it leaves: an entry that leads to the bucket, or an invalid one. */
static int64_t end_copy(const struct papr_copy *c, vd_entry leave)
{
	const vd_entry none = { 0 };
	struct vd_put put = {
		.size = sizeof(put),
		.owner = c->owner,
		.window = c->window,
		.bus = { c->bus },
		.n = 1,
		.entry = &leave,
	};

	if (vd_window_fill(c->pane->adapter, &put) == 0)
		return put.pinned;
	/* If this fails its window is going away, and the entry with it. */
	put.entry = &none;
	return vd_window_fill(c->pane->adapter, &put) == 0 ? put.pinned : 0;
}

/* Has nothing else been put there since it was noted that it ends? */
static bool is_still_there(const struct papr_copy *c)
{
	vd_entry there;

	return c->pane && c->ends && read_copy(c, &there) == 0 &&
	       papr_is_foreign(there);
}

/* After papr_copy_may_end(). By how much the client's pins have changed. */
int64_t papr_copy_end(struct vd_papr *p, struct papr_vio *v, uint64_t first,
		      uint64_t n)
{
	const vd_entry leave = papr_bucket_entry(p);
	int64_t pinned = 0;

	for (uint64_t i = first; i < first + n; i++) {
		if (is_still_there(&v->copy[i]))
			pinned += end_copy(&v->copy[i], leave);
		unclaim(v, &v->copy[i]);
	}
	return pinned;
}

/* End all copies in a pane of a server, which will be ours no longer. */
void papr_copy_end_in(struct vd_papr *p, const struct papr_pane *pane)
{
	const vd_entry none = { 0 };

	for (size_t k = 0; k < VD_PAPR_MAX_VIOS; k++) {
		struct papr_vio *v = &p->vio[k];
		uint64_t n = v->used ? v->cfg.len >> VD_PAGE_SHIFT : 0;

		for (uint64_t i = 0; i < n; i++) {
			if (v->copy[i].pane != pane)
				continue;
			if (papr_copy_of(p, v, i))
				end_copy(&v->copy[i], none);
			unclaim(v, &v->copy[i]);
		}
	}
}
