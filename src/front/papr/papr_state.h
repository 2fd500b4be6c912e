/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the PAPR front end share: the platform and its parts.
 *
 * All of it is guarded by one lock, the platform's. Everything is an array of
 * fixed length, made once: no guest makes the front end allocate, but for the
 * tables of dynamic windows, whose cost the adapter limits.
 */
#ifndef FRONT_PAPR_PAPR_STATE_H
#define FRONT_PAPR_PAPR_STATE_H

#include <checked.h>
#include <container.h>
#include <lock.h>
#include <viaduct/papr.h>
#include <viaduct/window.h>

#define PAPR_MAX_CLIENTS   (VD_PAPR_MAX_PARTITIONS * VD_PAPR_MAX_LENDERS)
#define PAPR_MAX_GRANTS	   VD_PAPR_GRANT_LIOBNS
/* From here on entries name what no guest can: no guest's memory reaches so far. */
#define PAPR_FOREIGN_SHIFT 56u

struct papr_partition {
	bool used;
	struct vd_papr_partition cfg;
	uint64_t budget; /* of its domain when it was added */
	uint8_t weight;
	uint32_t next_grant; /* of its own: where the search begins */
	uint32_t nclients;   /* in which it is the client */
};

struct papr_vio;
struct papr_grant;

/* What a guest calls by a LIOBN. */
struct papr_pane {
	bool used;
	uint32_t liobn;
	uint32_t partition; /* who may name it */
	struct vd_adapter *adapter;
	uint32_t owner; /* of its entries, on the adapter */
	uint64_t attributes;
	bool physical;		  /* devices use it: it may be granted */
	struct papr_vio *vio;	  /* whose first pane it is, or NULL */
	struct papr_grant *grant; /* by which it was accepted, or NULL */
	bool adopted;
};

struct papr_window {
	struct papr_pane *pane; /* NULL: the slot is free */
	struct vd_table *table; /* its own, but for the default window */
};

struct papr_pe {
	bool used;
	struct vd_papr_pe cfg;
	struct vd_table *default_table;	     /* lives as long as the PE */
	uint64_t default_first, default_len; /* entries, when it closed last */
	struct papr_window window[VD_PAPR_MAX_WINDOWS];
	/* Of windows that have gone; somebody's register is in each. */
	struct vd_table *orphan[VD_ADAPTER_MAX_REGS];
};

enum papr_grant_state {
	GRANT_FREE,
	GRANT_OFFERED,	/* a cookie; not accepted, or returned */
	GRANT_ACCEPTED, /* the grantee has a pane */
	GRANT_RESCINDED /* kept so that who names it learns why not */
};

struct papr_grant {
	enum papr_grant_state state;
	uint64_t cookie;
	uint32_t granter, grantee;
	uint32_t unit; /* the granter's virtual device */
	struct papr_pane *from;
	uint64_t bus, len; /* bytes of @from, whose base may move */
	bool no_regrant;
	struct papr_pane *pane; /* while it is accepted: the next */
	struct papr_pane own;
	uint64_t due; /* when it is taken back by force */
	bool dying;   /* @due counts */
};

/* Where an entry was redirected to, if @pane is not NULL: its claim. */
struct papr_copy {
	struct papr_pane *pane;
	uint64_t bus;
	uint32_t owner, window; /* of the register that had it when last seen */
	bool ends; /* between papr_copy_may_end() and papr_copy_end() */
	struct papr_copy *next;	 /* of the claims with the same hash */
	struct papr_copy *first; /* with this one's number for a hash */
};

struct papr_vio {
	bool used;
	struct vd_papr_vio cfg;
	struct vd_table *table;
	struct papr_pane *pane;
	struct papr_copy *copy; /* of each entry; owned */
	bool connected;
};

/* A partition as a client of a provider on an adapter. */
struct papr_client {
	struct vd_adapter *adapter;
	uint32_t provider, partition, id;
};

struct vd_papr {
	struct vd_papr_cfg cfg;
	struct vd_papr_ops ops;
	struct vd_adapter *vio_adapter; /* owned */
	uint64_t *undo;	  /* of calls on many tables; NULL without these */
	struct lock lock; /* guards what follows */
	struct papr_partition partition[VD_PAPR_MAX_PARTITIONS];
	struct papr_pane pane[VD_PAPR_MAX_PANES];
	struct papr_pe pe[VD_PAPR_MAX_PES];
	struct papr_vio vio[VD_PAPR_MAX_VIOS];
	/* VD_PAPR_MAX_GRANTS of each partition, in the order of these. */
	struct papr_grant grant[PAPR_MAX_GRANTS];
	struct papr_client client[PAPR_MAX_CLIENTS];
	uint32_t nclients;
	uint64_t ngranted; /* makes cookies unique */
	struct vd_papr_stats count;
};

/* A hypervisor call on its way. */
struct papr_call {
	struct vd_papr *p;
	struct papr_partition *who;
	struct vd_papr_hcall *h;
};

/* What is put: entries from a list, or one entry many times. */
struct papr_store {
	struct papr_pane *pane;
	vd_iova bus;
	size_t n;
	const vd_entry *entry;
	bool fill;
	int64_t pinned; /* out */
};

/* papr_status.c */
int64_t papr_status(int err);	    /* of a hypervisor call */
uint32_t papr_rtas_status(int err); /* of an RTAS call */

/* papr.c */
struct papr_partition *papr_partition(struct vd_papr *p, uint32_t id)
	MUST_HOLD(p->lock);

/* papr_pane.c. A pane that is not the caller's does not exist for it. */
struct papr_pane *papr_pane_free(struct vd_papr *p) MUST_HOLD(p->lock);
uint32_t papr_pane_spare(struct vd_papr *p) MUST_HOLD(p->lock);
struct papr_grant *papr_grants_of(struct vd_papr *p, uint32_t partition)
	MUST_HOLD(p->lock);
bool papr_may_lend(struct vd_papr *p, struct vd_adapter *adapter,
		   uint32_t partition) MUST_HOLD(p->lock);
struct papr_pane *papr_pane_any(struct vd_papr *p, uint64_t liobn)
	MUST_HOLD(p->lock);
int64_t papr_pane_find(struct papr_call *c, uint64_t liobn,
		       struct papr_pane **out) MUST_HOLD(c->p->lock);
void papr_pane_info(const struct papr_pane *pane, struct vd_window_info *out);
bool papr_pane_has(const struct vd_window_info *w, uint64_t bus, uint64_t n);
bool papr_pane_is_granted(struct vd_papr *p, const struct papr_pane *pane)
	MUST_HOLD(p->lock);
int papr_client_id(struct vd_papr *p, const struct papr_pane *pane,
		   uint32_t partition, uint32_t *id) MUST_HOLD(p->lock);

/* papr_tce.c */
static inline vd_entry papr_entry(uint64_t tce)
{
	if ((tce & VD_TCE_PROT) == 0)
		return (vd_entry){ 0 };
	return (vd_entry){ tce & (VD_TCE_RPN | VD_TCE_PROT) };
}

int64_t papr_store_check(struct vd_papr *p, const struct papr_store *s)
	MUST_HOLD(p->lock);
int64_t papr_store_put(struct papr_store *s);
int64_t papr_store_end(struct vd_papr *p, const struct papr_store *s)
	MUST_HOLD(p->lock);
int64_t papr_put_tce(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_get_tce(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_stuff_tce(struct papr_call *c) MUST_HOLD(c->p->lock);

/* papr_list.c */
int64_t papr_read_list(struct papr_call *c, uint64_t gpa, size_t n,
		       uint64_t *out) MUST_HOLD(c->p->lock);
int64_t papr_put_list(struct papr_call *c) MUST_HOLD(c->p->lock);

/* papr_pe.c */
uint64_t papr_table_bytes(struct vd_adapter *adapter);
bool papr_pe_keeps(struct vd_papr *p, uint64_t liobn) MUST_HOLD(p->lock);
vd_iova papr_pe_bus(const struct papr_pe *pe, uint32_t slot);
int papr_pe_open(struct vd_papr *p, struct papr_pe *pe, uint32_t slot,
		 struct vd_table *table) MUST_HOLD(p->lock);
void papr_pe_bury(struct papr_pe *pe, struct vd_table *table);
int papr_pe_close(struct vd_papr *p, struct papr_pe *pe, uint32_t slot,
		  enum vd_live live) MUST_HOLD(p->lock);
int papr_pe_restore(struct vd_papr *p, struct papr_pe *pe) MUST_HOLD(p->lock);
int papr_pe_reset(struct vd_papr *p, struct papr_pe *pe) MUST_HOLD(p->lock);
int papr_pe_end(struct vd_papr *p, struct papr_pe *pe) MUST_HOLD(p->lock);

/* papr_grant.c */
int64_t papr_grant(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_accept(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_return(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_rescind(struct papr_call *c) MUST_HOLD(c->p->lock);
int papr_grant_give_back(struct vd_papr *p, struct papr_grant *g)
	MUST_HOLD(p->lock);
int papr_grant_end(struct vd_papr *p, struct papr_grant *g) MUST_HOLD(p->lock);

/* papr_vio.c */
void papr_vio_part(struct vd_papr *p, struct papr_vio *v) MUST_HOLD(p->lock);

/* papr_rtce.c */
int64_t papr_put_rtce(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_put_rtce_list(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_remove_rtce(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_liobn_attributes(struct papr_call *c) MUST_HOLD(c->p->lock);

/* papr_bucket.c */
int papr_bucket_make(struct vd_papr *p);
int papr_bucket_reach(struct vd_papr *p, const struct papr_pane *pane);
vd_entry papr_bucket_entry(const struct vd_papr *p);

/* papr_copy.c */
uint64_t papr_copy_base(struct vd_papr *p, const struct papr_partition *who);
bool papr_is_foreign(vd_entry entry);
const struct papr_copy *papr_copy_of(struct vd_papr *p, struct papr_vio *v,
				     uint64_t i) MUST_HOLD(p->lock);
void papr_copy_note(struct vd_papr *p, struct papr_vio *v, uint64_t i,
		    const struct papr_copy *at) MUST_HOLD(p->lock);
void papr_copy_forget(struct vd_papr *p, uint32_t client,
		      const struct papr_copy *at) MUST_HOLD(p->lock);
bool papr_copy_may_end(struct vd_papr *p, struct papr_vio *v, uint64_t first,
		       uint64_t n) MUST_HOLD(p->lock);
int64_t papr_copy_end(struct vd_papr *p, struct papr_vio *v, uint64_t first,
		      uint64_t n) MUST_HOLD(p->lock);
void papr_copy_end_in(struct vd_papr *p, const struct papr_pane *pane)
	MUST_HOLD(p->lock);

/* papr_mpp.c */
int64_t papr_set_mpp(struct papr_call *c) MUST_HOLD(c->p->lock);
int64_t papr_get_mpp(struct papr_call *c) MUST_HOLD(c->p->lock);

#endif
