/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PAPR front end: the DMA calls of a POWER guest, answered by adapters.
 *
 * A VMM that runs POWER guests keeps its hypervisor call and RTAS dispatchers
 * and hands the calls of abi/papr.h to this one. It tells beforehand which
 * partitions there are, which partitionable endpoints (PEs) and virtual
 * devices they have, and gives each PE an adapter (adapter.h) that translates
 * for its devices.
 *
 * Words: a pane is what a guest calls by a LIOBN: a window, or the part of one
 * that was lent. A partition may name its own panes only. A cookie is a pane on
 * offer to another partition.
 *
 * Threads: every function may be called from any thread at any time, but for
 * create and destroy. One lock guards all of the front end; it is held over
 * the adapters' drain and changed callbacks, which must therefore not call
 * into the front end. Devices translate without it.
 */
#ifndef VIADUCT_PAPR_H
#define VIADUCT_PAPR_H

#include <viaduct/abi/papr.h>
#include <viaduct/adapter.h>
#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VD_PAPR_MAX_PARTITIONS 64u
#define VD_PAPR_MAX_PES	       64u
#define VD_PAPR_MAX_VIOS       32u
#define VD_PAPR_MAX_PANES      256u /* but for those that were accepted */
#define VD_PAPR_MAX_GRANTS \
	64u /* that a partition has made and not taken back */
#define VD_PAPR_MAX_LENDERS  8u /* whose windows a partition fills or filled */
#define VD_PAPR_MAX_WINDOWS  8u /* that a PE can have at once */
#define VD_PAPR_GRACE_MS     2000u

/* LIOBNs of what is accepted: one for each grant that there can be. */
#define VD_PAPR_GRANT_LIOBNS (VD_PAPR_MAX_PARTITIONS * VD_PAPR_MAX_GRANTS)

/* Owners with these ids are the front end's, on every adapter. */
#define VD_PAPR_FIRST_OWNER  0xff000000u

struct vd_papr;

struct vd_papr_ops {
	size_t size; /* sizeof(struct vd_papr_ops) */
	/*
	 * The partition that lent to @partition over the virtual device
	 * @unit has failed: what it lent is taken back when VD_PAPR_GRACE_MS
	 * are over. A VMM tells the guest in the device's queue. Called with
	 * the front end's lock held: must not call into the library. NULL:
	 * nobody tells it.
	 */
	void (*owner_failed)(void *opaque, uint32_t partition, uint32_t unit);
};

/**
 * struct vd_papr_cfg - one platform
 * @size:        sizeof(struct vd_papr_cfg)
 * @grant_liobn: LIOBNs of accepted panes are from here on,
 *               VD_PAPR_GRANT_LIOBNS of them
 * @multi_table: H_PUT_TCE_INDIRECT may name many tables (the MTT option)
 * @bucket:      the bit bucket, or NULL: devices write to the page at its
 *               guest address 0 where a redirected entry has become invalid
 *               under them (docs/papr.md). Of no partition; no device may read
 *               it through the front end, and nobody else should. Borrowed;
 *               must outlive the adapters. Without one no table can have
 *               VD_LIOBN_BIT_BUCKET.
 * @ops:         copied; NULL: as if its member were
 * @opaque:      passed to @ops
 */
struct vd_papr_cfg {
	size_t size;
	uint32_t grant_liobn;
	bool multi_table;
	struct vd_domain *bucket;
	const struct vd_papr_ops *ops;
	void *opaque;
};

/**
 * vd_papr_create() - a platform without partitions
 * @cfg: copied
 * @out: owned by the caller; not written on error
 *
 * The page of the bit bucket is pinned until vd_papr_destroy(), and for as
 * long as an entry of an adapter leads there.
 *
 * Return: 0, -EINVAL, -ENOMEM, and as vd_window_put() for the bit bucket
 */
int vd_papr_create(const struct vd_papr_cfg *cfg, struct vd_papr **out);

/**
 * vd_papr_destroy() - end all panes, live entries included
 *
 * The adapters must still be there. NULL is fine.
 */
void vd_papr_destroy(struct vd_papr *p);

/**
 * struct vd_papr_partition - who calls
 * @size:         sizeof(struct vd_papr_partition)
 * @id:           any number but VD_NO_OWNER
 * @domain:       its memory and pin budget; borrowed; must outlive the platform
 * @cmo:          it runs in cooperative memory over-commitment mode: mapping
 *                calls say in R4 by how much its I/O-mapped bytes changed
 * @max_entitled: bytes that H_SET_MPP may ask for; 0 means its budget now, but
 *                not more than its memory when it asks
 * @pool:         number of its memory pool, and of its group
 * @pool_bytes:   size of that pool
 */
struct vd_papr_partition {
	size_t size;
	uint32_t id;
	struct vd_domain *domain;
	bool cmo;
	uint64_t max_entitled;
	uint16_t group, pool;
	uint64_t pool_bytes;
};

/** vd_papr_add_partition() - Return: 0, -EINVAL, -EEXIST, -ENOSPC */
int vd_papr_add_partition(struct vd_papr *p,
			  const struct vd_papr_partition *cfg);

/* A PE that is all of its bridge: any configuration address names it. */
#define VD_PAPR_WHOLE_BRIDGE UINT32_MAX

/**
 * struct vd_papr_pe - a partitionable endpoint
 * @size:        sizeof(struct vd_papr_pe)
 * @partition:   whose it is
 * @buid:        unit id of its bridge
 * @config_addr: its configuration address (register fields 0), or
 *               VD_PAPR_WHOLE_BRIDGE
 * @adapter:     translates for it; borrowed; must outlive the platform
 * @owner:       the provider on @adapter that its devices are attached to; its
 *               domain is the partition's
 * @liobn:       of its default window; windows made later have this one and
 *               those that follow, @max_windows of them
 * @base, @len:  of the default window, in bytes; pages of 4 KiB, below 4 GiB
 * @max_windows: at once, the default window included; 1 to VD_PAPR_MAX_WINDOWS
 * @slot_shift:  window number n begins at bus address n << @slot_shift, but
 *               number 0 at @base; up to 60
 * @page_sizes:  VD_DDW_* that a window may have; 0: no dynamic windows
 * @max_tces:    entries that a window may have; that many are kept for each
 * @extensions:  ibm,query-pe-dma-window may ask for six results
 */
struct vd_papr_pe {
	size_t size;
	uint32_t partition;
	uint64_t buid;
	uint32_t config_addr;
	struct vd_adapter *adapter;
	uint32_t owner;
	uint32_t liobn;
	uint64_t base, len;
	uint32_t max_windows, slot_shift;
	uint32_t page_sizes;
	bool extensions;
	uint64_t max_tces;
};

/**
 * vd_papr_add_pe() - and make its default window
 *
 * Return: 0, -EINVAL, -ENOENT (no such partition), -EEXIST (the address or a
 * LIOBN is taken), -ENOSPC, and as vd_table_create() and vd_window_create()
 */
int vd_papr_add_pe(struct vd_papr *p, const struct vd_papr_pe *cfg);

/**
 * vd_papr_adopt() - let a partition name a window that somebody else made
 * @liobn: the window's id on @adapter
 *
 * For windows that were split off, say. Its owner on @adapter must have the
 * partition's domain. vd_papr_disown() ends it; the window stays.
 *
 * Return: 0, -ENOENT (no such partition or window), -EEXIST (the LIOBN is taken,
 * or kept for a window of a PE), -ENOSPC
 */
int vd_papr_adopt(struct vd_papr *p, uint32_t partition,
		  struct vd_adapter *adapter, uint32_t liobn);

/** vd_papr_disown() - Return: 0, -ENOENT (not adopted), -EBUSY (lent) */
int vd_papr_disown(struct vd_papr *p, uint32_t liobn);

/**
 * struct vd_papr_vio - a virtual device
 * @size:      sizeof(struct vd_papr_vio)
 * @partition: whose it is
 * @unit:      its unit address
 * @partner:   unit address of its partner, which may come later
 * @liobn:     first pane: memory that it exposes, from bus address 0 on; not
 *             UINT32_MAX, which is the bit bucket's
 * @len:       of the first pane, in bytes; a multiple of 4 KiB
 * @partner_liobn: second pane: its name for the partner's first; 0: it has
 *             none
 */
struct vd_papr_vio {
	size_t size;
	uint32_t partition, unit, partner;
	uint32_t liobn, partner_liobn;
	uint64_t len;
};

/**
 * vd_papr_add_vio() - and make its first pane
 *
 * The device's model translates through vd_papr_vio_adapter(), where the
 * device's id is @unit.
 *
 * Return: 0, -EINVAL, -ENOENT (no such partition), -EEXIST, -ENOSPC, -ENOMEM
 */
int vd_papr_add_vio(struct vd_papr *p, const struct vd_papr_vio *cfg);

/** vd_papr_vio_adapter() - the adapter of all virtual devices; borrowed */
struct vd_adapter *vd_papr_vio_adapter(struct vd_papr *p);

/**
 * vd_papr_connect() - both ends of a virtual device have registered their queue
 * vd_papr_disconnect() - one end has gone (H_FREE_CRQ)
 * @unit: either end
 *
 * Redirected calls need the connection. Its end lets what was redirected lead
 * to the bit bucket, unless a table of the server's does not allow that.
 *
 * Return: 0, -ENOENT (no such device, or no partner), -EBUSY (disconnect:
 * something is redirected to a table without VD_LIOBN_BIT_BUCKET; nothing has
 * changed)
 */
int vd_papr_connect(struct vd_papr *p, uint32_t unit);
int vd_papr_disconnect(struct vd_papr *p, uint32_t unit);

/**
 * struct vd_papr_hcall - one hypervisor call
 * @token:  R3
 * @arg:    R4 to R12
 * @status: out: R3
 * @out:    out: R4 on
 * @nout:   out: how many of them the call returns; the others stay as they are
 */
struct vd_papr_hcall {
	uint64_t token;
	uint64_t arg[9];
	int64_t status;
	uint64_t out[7];
	unsigned int nout;
};

/**
 * vd_papr_hcall() - answer a call of partition @partition
 *
 * Whatever the arguments are the call ends with a status, and with one that is
 * not a success nothing has changed, but for what docs/papr.md says.
 *
 * Return: 0, -ENOENT (no such partition, or not one of these calls: @status is
 * H_Function)
 */
int vd_papr_hcall(struct vd_papr *p, uint32_t partition,
		  struct vd_papr_hcall *h);

enum vd_papr_ddw {
	VD_DDW_QUERY,  /* ibm,query-pe-dma-window */
	VD_DDW_CREATE, /* ibm,create-pe-dma-window */
	VD_DDW_REMOVE, /* ibm,remove-pe-dma-window */
	VD_DDW_RESET,  /* ibm,reset-pe-dma-windows */
	VD_DDW_CALLS,
};

/**
 * struct vd_papr_rtas - the argument buffer of an RTAS call, in host order
 * @call:    which; the VMM knows the token that it gave it
 * @nin:     number of inputs, as the guest says
 * @nout:    number of outputs, as the guest says
 * @in:      inputs; those that the guest has not given are not looked at
 * @out:     out: the first is the status; at most @nout of them are meant
 */
struct vd_papr_rtas {
	enum vd_papr_ddw call;
	uint32_t nin, nout;
	uint32_t in[8];
	uint32_t out[8];
};

/** vd_papr_rtas() - Return: 0, -ENOENT (no such partition, no such call) */
int vd_papr_rtas(struct vd_papr *p, uint32_t partition, struct vd_papr_rtas *r);

/**
 * vd_papr_reset() - a partition reboots
 *
 * What it was lent is returned, what it lent is taken back, its virtual devices
 * are disconnected whatever a table allows, its PEs have their default window
 * only, and no entry of its panes is valid. What an administrator has split off a
 * default window stays with whom it was given to.
 *
 * Return: 0, -ENOENT, -EIO (something did not come to rest and is as it was, a
 * part is lent by an administrator, or a default window's place is somebody
 * else's: call again), -ENOMEM (as -EIO), -EBUSY (it had failed, and somebody
 * still has time to return what it lent; nothing has changed: call again after
 * vd_papr_tick())
 */
int vd_papr_reset(struct vd_papr *p, uint32_t partition);

/**
 * vd_papr_fail() - a partition has died
 * @now: milliseconds of a clock that does not go back
 *
 * What it was lent is returned at once, and its virtual devices are disconnected
 * as by vd_papr_reset(). Those to whom it lent are told, and have
 * VD_PAPR_GRACE_MS before vd_papr_tick() takes it back. Until it is taken back or
 * returned the partition cannot be reset.
 *
 * Return: 0, -ENOENT, -EIO (as vd_papr_reset())
 */
int vd_papr_fail(struct vd_papr *p, uint32_t partition, uint64_t now);

/**
 * vd_papr_tick() - take back what is due
 * @now: as vd_papr_fail(); UINT64_MAX takes back all of it, as a VMM may want
 *       that cannot wait
 *
 * Return: the time of the next one, or UINT64_MAX
 */
uint64_t vd_papr_tick(struct vd_papr *p, uint64_t now);

struct vd_papr_stats {
	size_t size;
	uint64_t calls, refused; /* hypervisor calls; status below 0 */
	uint64_t rtas, rtas_refused;
	uint64_t unknown;	/* no such call */
	uint64_t redirected;	/* entries, since the start */
	uint64_t panes, grants; /* now; of grants, those that are accepted */
};

void vd_papr_stats(struct vd_papr *p, struct vd_papr_stats *out);

#ifdef __cplusplus
}
#endif
#endif
