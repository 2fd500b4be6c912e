/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PAPR platform: its partitions, and the dispatch of hypervisor calls.
 *
 * A call is a row: its token and what runs it. The registers are copied by the
 * VMM before they come here, so a call looks at arguments that nobody changes;
 * what lies in guest memory is copied by the call that wants it. A call ends
 * with a status whatever the guest said.
 */
#include "papr_state.h"

#include <errno.h>
#include <mem.h>
#include <sized.h>

/* The adapter of virtual devices keeps nothing that a burst does not. */
static int make_parts(struct vd_papr *p)
{
	const struct vd_adapter_cfg cfg = {
		.size = sizeof(cfg),
		.nregs = VD_PAPR_MAX_VIOS + 1, /* the bucket's */
		.max_devices = VD_PAPR_MAX_VIOS,
	};
	int err = vd_adapter_create(&cfg, &p->vio_adapter);

	if (!err)
		err = papr_bucket_make(p);
	if (err || !p->cfg.multi_table)
		return err;
	/* At most: tables * entries, where tables + entries is one page. */
	p->undo = mem_zalloc((size_t)VD_TCE_TABLES_MAX *
				     (VD_TCE_LIST_MAX - VD_TCE_TABLES_MAX),
			     sizeof(*p->undo));
	return p->undo ? 0 : -ENOMEM;
}

static void free_parts(struct vd_papr *p)
{
	mem_free(p->undo);
	vd_adapter_destroy(p->vio_adapter);
	mem_free(p);
}

static bool is_sane(const struct vd_papr_cfg *cfg)
{
	return cfg->grant_liobn <= UINT32_MAX - VD_PAPR_GRANT_LIOBNS &&
	       (!cfg->bucket ||
		vd_domain_check_memory(cfg->bucket, (vd_gpa){ 0 },
				       VD_PAGE_SIZE) == 0);
}

int vd_papr_create(const struct vd_papr_cfg *cfg, struct vd_papr **out)
{
	struct vd_papr_ops ops = { .size = sizeof(ops) };
	struct vd_papr_cfg own;
	struct vd_papr *p;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	if (cfg->ops)
		err = sized_read(&ops, sizeof(ops), cfg->ops);
	if (err)
		return err;
	if (!is_sane(cfg))
		return -EINVAL;
	p = mem_zalloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->cfg = *cfg;
	p->ops = ops;
	err = make_parts(p);
	if (err) {
		free_parts(p);
		return err;
	}

	/* Nothing below can fail. */
	lock_init(&p->lock);
	*out = p;
	return 0;
}

/* What does not come to rest stays on its adapter, with its pins. */
static void end_all(struct vd_papr *p) MUST_HOLD(p->lock)
{
	for (size_t i = 0; i < PAPR_MAX_GRANTS; i++) {
		if (p->grant[i].state == GRANT_ACCEPTED)
			papr_grant_give_back(p, &p->grant[i]);
	}
	for (size_t i = 0; i < PAPR_MAX_GRANTS; i++)
		p->grant[i].state = GRANT_FREE;
	for (size_t i = 0; i < VD_PAPR_MAX_PANES; i++) {
		if (p->pane[i].used && p->pane[i].adopted)
			papr_copy_end_in(p, &p->pane[i]);
	}
	for (size_t i = 0; i < VD_PAPR_MAX_PES; i++) {
		struct papr_pe *pe = &p->pe[i];

		if (pe->used && papr_pe_end(p, pe) == 0)
			vd_table_destroy(pe->cfg.adapter, pe->default_table);
	}
	for (size_t i = p->nclients; i-- > 0;)
		vd_owner_remove(p->client[i].adapter, p->client[i].id);
}

void vd_papr_destroy(struct vd_papr *p)
{
	if (!p)
		return;
	lock_take(&p->lock);
	end_all(p);
	lock_drop(&p->lock);
	lock_end(&p->lock);
	for (size_t i = 0; i < VD_PAPR_MAX_VIOS; i++)
		mem_free(p->vio[i].copy);
	free_parts(p);
}

struct papr_partition *papr_partition(struct vd_papr *p, uint32_t id)
{
	for (size_t i = 0; i < VD_PAPR_MAX_PARTITIONS; i++) {
		if (p->partition[i].used && p->partition[i].cfg.id == id)
			return &p->partition[i];
	}
	return NULL;
}

static int add_partition(struct vd_papr *p, const struct vd_papr_partition *cfg)
	MUST_HOLD(p->lock)
{
	struct papr_partition *who = p->partition;
	struct vd_domain_stats s = { .size = sizeof(s) };

	if (papr_partition(p, cfg->id))
		return -EEXIST;
	while (who < p->partition + VD_PAPR_MAX_PARTITIONS && who->used)
		who++;
	if (who == p->partition + VD_PAPR_MAX_PARTITIONS)
		return -ENOSPC;

	/* Nothing below can fail. */
	*who = (struct papr_partition){ .used = true, .cfg = *cfg };
	vd_domain_stats(cfg->domain, &s);
	who->budget = s.budget;
	who->weight = UINT8_MAX; /* LoPAR: at first the most that it may have */
	return 0;
}

int vd_papr_add_partition(struct vd_papr *p,
			  const struct vd_papr_partition *cfg)
{
	struct vd_papr_partition own;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	if (!cfg->domain || cfg->id == VD_NO_OWNER)
		return -EINVAL;
	lock_take(&p->lock);
	err = add_partition(p, cfg);
	lock_drop(&p->lock);
	return err;
}

struct row {
	uint64_t token;
	int64_t (*run)(struct papr_call *c);
};

static const struct row rows[] = {
	{ VD_H_PUT_TCE, papr_put_tce },
	{ VD_H_PUT_TCE_INDIRECT, papr_put_list },
	{ VD_H_STUFF_TCE, papr_stuff_tce },
	{ VD_H_GET_TCE, papr_get_tce },
	{ VD_H_PUT_RTCE, papr_put_rtce },
	{ VD_H_PUT_RTCE_INDIRECT, papr_put_rtce_list },
	{ VD_H_REMOVE_RTCE, papr_remove_rtce },
	{ VD_H_LIOBN_ATTRIBUTES, papr_liobn_attributes },
	{ VD_H_GRANT_LOGICAL, papr_grant },
	{ VD_H_ACCEPT_LOGICAL, papr_accept },
	{ VD_H_RETURN_LOGICAL, papr_return },
	{ VD_H_RESCIND_LOGICAL, papr_rescind },
	{ VD_H_SET_MPP, papr_set_mpp },
	{ VD_H_GET_MPP, papr_get_mpp },
};

static const struct row *find_row(uint64_t token)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].token == token)
			return &rows[i];
	}
	return NULL;
}

int vd_papr_hcall(struct vd_papr *p, uint32_t partition,
		  struct vd_papr_hcall *h)
{
	const struct row *row = find_row(h->token);
	struct papr_call c = { .p = p, .h = h };

	h->nout = 0;
	h->status = VD_H_FUNCTION;
	lock_take(&p->lock);
	c.who = papr_partition(p, partition);
	if (row && c.who) {
		h->status = row->run(&c);
		p->count.calls++;
		p->count.refused += h->status < 0;
	} else {
		p->count.unknown++;
	}
	lock_drop(&p->lock);
	return row && c.who ? 0 : -ENOENT;
}

void vd_papr_stats(struct vd_papr *p, struct vd_papr_stats *out)
{
	struct vd_papr_stats s = { .size = sizeof(s) };

	lock_take(&p->lock);
	s = p->count;
	s.panes = s.grants = 0;
	for (size_t i = 0; i < VD_PAPR_MAX_PANES; i++)
		s.panes += p->pane[i].used;
	for (size_t i = 0; i < PAPR_MAX_GRANTS; i++)
		s.grants += p->grant[i].state == GRANT_ACCEPTED;
	s.panes += s.grants;
	lock_drop(&p->lock);
	sized_write(out, &s, sizeof(s));
}
