/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor is a switch with a dead band. In the state "no part" only a rate
 * of @high or more counts, in the state "part" only one of @low or less; what
 * lies between says nothing and breaks a row of samples that agreed. The state
 * is the sample's (is there a part?), not ours, so an admin may change it at
 * any time.
 *
 * Invariants:
 *  - two changes of driver or monitor are at least the hold time apart from the
 *    change before, whoever made that;
 *  - between a split and a merge by the monitor lie @samples samples at or
 *    below @low, between a merge and a split as many at or above @high.
 */
#include <container.h>
#include <errno.h>
#include <mem.h>
#include <sized.h>
#include <viaduct/policy.h>

struct vd_policy {
	struct vd_policy_cfg cfg;
	uint32_t agreed; /* samples in a row that wanted the same */
	bool had_part;	 /* at the last sample */
	bool changed;	 /* there was a change, at: */
	uint64_t changed_ms, seen_ms;
	bool by_admin; /* an admin made the part */
	uint64_t nrecords;
	struct vd_policy_record record[VD_POLICY_RECORDS];
};

const char *vd_policy_cause_name(enum vd_policy_cause c)
{
	static const char *const name[VD_POLICY_CAUSES] = {
		[VD_POLICY_ADMIN] = "admin",
		[VD_POLICY_DRIVER] = "driver",
		[VD_POLICY_MONITOR] = "monitor",
	};

	return (unsigned int)c < VD_POLICY_CAUSES ? name[c] : "unknown";
}

const char *vd_policy_verb_name(enum vd_policy_verb v)
{
	static const char *const name[VD_POLICY_VERBS] = {
		[VD_POLICY_NOTHING] = "nothing",
		[VD_POLICY_SPLIT] = "split",
		[VD_POLICY_MERGE] = "merge",
		[VD_POLICY_LEND] = "lend",
		[VD_POLICY_TAKE_BACK] = "take-back",
	};

	return (unsigned int)v < VD_POLICY_VERBS ? name[v] : "unknown";
}

static bool is_cfg(const struct vd_policy_cfg *c)
{
	return c->samples != 0 && c->min_len != 0 && c->low < c->high &&
	       c->full <= 1000 && c->empty <= 1000;
}

int vd_policy_create(const struct vd_policy_cfg *cfg, struct vd_policy **out)
{
	struct vd_policy_cfg own;
	struct vd_policy *p;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	if (!is_cfg(cfg))
		return -EINVAL;
	p = mem_zalloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->cfg = *cfg;
	*out = p;
	return 0;
}

void vd_policy_destroy(struct vd_policy *p)
{
	mem_free(p);
}

static bool is_load(const struct vd_policy *p, const struct vd_policy_load *l)
{
	return l->now_ms >= p->seen_ms && l->len != 0 && l->live <= l->len &&
	       l->spare <= l->len - l->live && l->part_live <= l->part_len;
}

/* @part of @all in permille; long windows lose their lowest bits. */
static uint32_t permille(uint64_t part, uint64_t all)
{
	while (all >> 32) {
		all >>= 10;
		part >>= 10;
	}
	return all ? (uint32_t)(part * 1000 / all) : 0;
}

static bool is_held(const struct vd_policy *p, uint64_t now_ms)
{
	return p->changed && now_ms - p->changed_ms < p->cfg.hold_ms;
}

/* Entries that can be given: whole parts, spare ones, and something remains. */
static uint64_t room(const struct vd_policy *p, const struct vd_policy_load *l)
{
	uint64_t unit = p->cfg.min_len, most = l->spare;

	if (l->len <= unit)
		return 0;
	if (most > l->len - unit)
		most = l->len - unit;
	return most - most % unit;
}

/* As much as its share of the requests, but one unit at least. */
static uint64_t fair_part(const struct vd_policy *p,
			  const struct vd_policy_load *l)
{
	uint64_t rate = l->part_rate, all, part, share;

	if (rate > UINT64_MAX - l->rate)
		all = UINT64_MAX;
	else
		all = rate + l->rate;
	share = permille(rate, all);
	part = l->len / 1000 * share + l->len % 1000 * share / 1000;
	part -= part % p->cfg.min_len;
	return part ? part : p->cfg.min_len;
}

static bool wants_split(const struct vd_policy *p,
			const struct vd_policy_load *l)
{
	return !l->part_len && l->part_rate >= p->cfg.high &&
	       permille(l->live, l->len) < p->cfg.full && room(p, l) != 0;
}

static bool wants_merge(const struct vd_policy *p,
			const struct vd_policy_load *l)
{
	return l->part_len && !p->by_admin && l->part_rate <= p->cfg.low &&
	       permille(l->part_live, l->part_len) <= p->cfg.empty;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A row of samples that agree; one that came after a change begins anew. */
static void count_sample(struct vd_policy *p, const struct vd_policy_load *l)
{
	bool has_part = l->part_len != 0;

	if (has_part != p->had_part)
		p->agreed = 0;
	p->had_part = has_part;
	p->seen_ms = l->now_ms;
	if (!wants_split(p, l) && !wants_merge(p, l))
		p->agreed = 0;
	else if (p->agreed < p->cfg.samples)
		p->agreed++;
}

int vd_policy_watch(struct vd_policy *p, const struct vd_policy_load *l,
		    struct vd_policy_decision *out)
{
	struct vd_policy_decision d = { .size = sizeof(d),
					.cause = VD_POLICY_MONITOR };
	struct vd_policy_load own = { .size = sizeof(own) };
	int err = sized_read(&own, sizeof(own), l);

	if (err)
		return err;
	l = &own;
	if (!is_load(p, l))
		return -EINVAL;
	count_sample(p, l);
	if (p->agreed >= p->cfg.samples && !is_held(p, l->now_ms)) {
		d.verb = l->part_len ? VD_POLICY_MERGE : VD_POLICY_SPLIT;
		if (d.verb == VD_POLICY_SPLIT)
			d.keep = l->len - min_u64(fair_part(p, l), room(p, l));
	}
	sized_write(out, &d, sizeof(d));
	return 0;
}

static int ask_part(const struct vd_policy *p, const struct vd_policy_load *l,
		    uint64_t want, struct vd_policy_decision *d)
{
	uint64_t unit = p->cfg.min_len, most = room(p, l);

	if (l->part_len)
		return -EEXIST;
	if (want > most || permille(l->live, l->len) >= p->cfg.full)
		return -ENOSPC;
	/* No wrap: @most is a multiple of the unit. */
	want += (unit - want % unit) % unit;
	d->verb = VD_POLICY_SPLIT;
	d->keep = l->len - want;
	return 0;
}

static int ask_return(const struct vd_policy *p, const struct vd_policy_load *l,
		      struct vd_policy_decision *d)
{
	if (!l->part_len)
		return -ENOENT;
	if (p->by_admin)
		return -EPERM;
	d->verb = VD_POLICY_MERGE;
	return 0;
}

int vd_policy_ask(struct vd_policy *p, const struct vd_policy_load *l,
		  uint64_t want, struct vd_policy_decision *out)
{
	struct vd_policy_decision d = { .size = sizeof(d),
					.cause = VD_POLICY_DRIVER };
	struct vd_policy_load own = { .size = sizeof(own) };
	int err = sized_read(&own, sizeof(own), l);

	if (err)
		return err;
	l = &own;
	if (!is_load(p, l))
		return -EINVAL;
	p->seen_ms = l->now_ms;
	err = want ? ask_part(p, l, want, &d) : ask_return(p, l, &d);
	if (!err && is_held(p, l->now_ms))
		err = -EBUSY;
	if (!err)
		sized_write(out, &d, sizeof(d));
	return err;
}

static void learn(struct vd_policy *p, const struct vd_policy_record *r)
{
	p->agreed = 0;
	if (r->result != 0)
		return;
	p->changed = true;
	p->changed_ms = r->now_ms;
	if (r->now_ms > p->seen_ms)
		p->seen_ms = r->now_ms;
	if (r->verb == VD_POLICY_SPLIT)
		p->by_admin = r->cause == VD_POLICY_ADMIN;
	else if (r->verb == VD_POLICY_MERGE)
		p->by_admin = false;
}

int vd_policy_record(struct vd_policy *p, const struct vd_policy_record *r)
{
	struct vd_policy_record own = { .size = sizeof(own) };
	int err = sized_read(&own, sizeof(own), r);

	if (err)
		return err;
	own.seq = p->nrecords + 1;
	p->record[p->nrecords++ % VD_POLICY_RECORDS] = own;
	learn(p, &own);
	return 0;
}

int vd_policy_next(const struct vd_policy *p, uint64_t seq,
		   struct vd_policy_record *out)
{
	uint64_t n = min_u64(p->nrecords, VD_POLICY_RECORDS);
	uint64_t oldest = p->nrecords - n + 1;

	if (seq < oldest)
		seq = oldest;
	if (seq > p->nrecords)
		return -ENOENT;
	sized_write(out, &p->record[(seq - 1) % VD_POLICY_RECORDS],
		    sizeof(*out));
	return 0;
}
