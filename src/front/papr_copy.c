// SPDX-License-Identifier: BSD-2-Clause
/*
 * Redirected entries: a client's page in a server's table.
 *
 * A clone is a run of the server's entries that is lent to the client, so that
 * the entries name the client's memory and are pinned in its domain, where the
 * page is pinned anyhow: nobody's count changes. For each entry the clone knows
 * which entry of the client's table it came from, and a bit in that table says
 * that it has a clone. So at most one clone exists of each entry.
 *
 * Ending an entry needs no memory. The run's register is given back with its
 * last entry.
 */
#include "papr_state.h"

/* The clone that holds this address of the server's pane, or NULL. */
struct papr_clone *papr_clone_at(struct vd_papr *p,
				 const struct papr_pane *pane, uint64_t bus)
{
	for (size_t i = 0; i < PAPR_MAX_CLONES; i++) {
		struct papr_clone *k = &p->clone[i];

		if (k->used && k->pane == pane && bus >= k->bus.v &&
		    (bus - k->bus.v) >> k->page_shift < k->n)
			return k;
	}
	return NULL;
}

static bool is_cloned(const struct papr_vio *v, uint64_t i)
{
	return (v->cloned[i / 64] >> i % 64 & 1) != 0;
}

static bool is_any_cloned(const struct papr_vio *v, uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++) {
		if (is_cloned(v, i))
			return true;
	}
	return false;
}

/* Does @k hold a copy of one of the client's entries [@first, @first + @n)? */
static bool holds(const struct papr_clone *k, uint32_t i, uint64_t first,
		  uint64_t n)
{
	return k->from[i] != CLONE_NONE && k->from[i] >= first &&
	       k->from[i] - first < n;
}

static bool holds_any(const struct papr_clone *k, uint64_t first, uint64_t n)
{
	for (uint32_t i = 0; i < k->n; i++) {
		if (holds(k, i, first, n))
			return true;
	}
	return false;
}

/* May the client change these entries? LoPAR: Bit Bucket Allowed. */
bool papr_clone_may_end(struct vd_papr *p, const struct papr_vio *v,
			uint64_t first, uint64_t n)
{
	if (!is_any_cloned(v, first, n))
		return true;
	for (size_t i = 0; i < PAPR_MAX_CLONES; i++) {
		const struct papr_clone *k = &p->clone[i];

		if (k->used && k->vio == v && holds_any(k, first, n) &&
		    !(k->pane->attributes & VD_LIOBN_BIT_BUCKET))
			return false;
	}
	return true;
}

/*
 * Make entry @i of a clone invalid; @pinned: added to. The register goes with
 * the last one. If its part does not come to rest the clone stays, empty.
 */
int papr_clone_clear(struct papr_clone *k, uint64_t i, int64_t *pinned)
{
	const vd_entry none = { 0 };
	struct vd_put put = {
		.owner = k->owner,
		.window = k->id,
		.bus = { k->bus.v + (i << k->page_shift) },
		.n = 1,
		.entry = &none,
	};
	int err;

	if (k->from[i] != CLONE_NONE) {
		err = vd_window_fill(k->pane->adapter, &put);
		if (err)
			return err;
		*pinned += put.pinned;
		k->vio->cloned[k->from[i] / 64] &=
			~((uint64_t)1 << k->from[i] % 64);
		k->from[i] = CLONE_NONE;
		k->live--;
	}
	if (k->live > 0)
		return 0;
	err = vd_window_take_back(k->pane->adapter, k->id, VD_LIVE_REVOKE);
	k->used = err != 0;
	return err;
}

/* End the copies of these entries. By how much the client's pins changed. */
int64_t papr_clone_end(struct vd_papr *p, const struct papr_vio *v,
		       uint64_t first, uint64_t n)
{
	int64_t pinned = 0;

	if (!is_any_cloned(v, first, n))
		return 0;
	for (size_t i = 0; i < PAPR_MAX_CLONES; i++) {
		struct papr_clone *k = &p->clone[i];

		for (uint32_t j = 0; k->used && k->vio == v && j < k->n; j++) {
			if (holds(k, j, first, n))
				papr_clone_clear(k, j, &pinned);
		}
	}
	return pinned;
}

/* End all clones in a server's pane. 0, or what the last that stayed said. */
int papr_clone_end_all(struct vd_papr *p, const struct papr_pane *pane)
{
	int64_t pinned = 0;
	int err = 0, e;

	for (size_t i = 0; i < PAPR_MAX_CLONES; i++) {
		struct papr_clone *k = &p->clone[i];

		for (uint32_t j = 0; k->used && k->pane == pane && j < k->n;
		     j++) {
			e = papr_clone_clear(k, j, &pinned);
			err = e ? e : err;
		}
	}
	return err;
}

bool papr_clone_is_in(struct vd_papr *p, const struct papr_pane *pane)
{
	for (size_t i = 0; i < PAPR_MAX_CLONES; i++) {
		if (p->clone[i].used && p->clone[i].pane == pane)
			return true;
	}
	return false;
}
