/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entitlement: how much memory a partition may have mapped for I/O. It is the
 * domain's pin budget, so that every kind of mapping counts and a page counts
 * once however often it is mapped.
 */
#include "papr_state.h"

#define MOST_WEIGHT  255u
#define NO_POOL_SIZE UINT64_MAX

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Its memory may come after the partition, so it is asked for each time. */
static uint64_t most_of(const struct papr_partition *who)
{
	struct vd_domain_stats s = { .size = sizeof(s) };

	if (who->cfg.max_entitled)
		return who->cfg.max_entitled;
	vd_domain_stats(who->cfg.domain, &s);
	return min(who->budget, s.memory);
}

/* Values beyond what the partition may have are cut to what it may. */
int64_t papr_set_mpp(struct papr_call *c)
{
	struct papr_partition *who = c->who;
	uint64_t entitled = align_down(c->h->arg[0], VD_PAGE_SHIFT);
	uint64_t weight = c->h->arg[1], most = most_of(who);
	int64_t status = VD_H_SUCCESS;

	if (entitled > most) {
		entitled = most;
		status = VD_H_CONSTRAINED;
	}
	/* A budget of 0 would be none at all. */
	if (entitled == 0) {
		entitled = VD_PAGE_SIZE;
		status = VD_H_CONSTRAINED;
	}
	if (weight > MOST_WEIGHT) {
		weight = MOST_WEIGHT;
		status = VD_H_CONSTRAINED;
	}
	vd_domain_set_budget(who->cfg.domain, entitled);
	who->weight = (uint8_t)weight;
	return status;
}

/* Bytes 2 to 7 of R7: what nobody is entitled to, in pages of 4 KiB. */
static uint64_t unallocated(const struct papr_partition *who, uint64_t entitled)
{
	uint64_t most = most_of(who);
	uint64_t pages =
		entitled < most ? (most - entitled) >> VD_PAGE_SHIFT : 0;

	return pages & (((uint64_t)1 << 48) - 1);
}

int64_t papr_get_mpp(struct papr_call *c)
{
	const struct papr_partition *who = c->who;
	struct vd_domain_stats s = { .size = sizeof(s) };
	uint64_t entitled, *out = c->h->out;

	vd_domain_stats(who->cfg.domain, &s);
	/* Without a limit it may map all that it has. */
	entitled = min(s.budget, s.memory);
	out[0] = entitled;
	out[1] = s.pinned;
	out[2] = (uint64_t)who->cfg.group << 16 | who->cfg.pool;
	out[3] = (uint64_t)who->weight << 56 |
		 (uint64_t)(MOST_WEIGHT - who->weight) << 48 |
		 unallocated(who, entitled);
	out[4] = who->cfg.pool_bytes ? who->cfg.pool_bytes : NO_POOL_SIZE;
	out[5] = 0; /* nothing is asked for on loan */
	out[6] = s.memory;
	c->h->nout = 7;
	return VD_H_SUCCESS;
}
