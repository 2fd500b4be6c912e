/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * viaduct_hal: the guest half of Viaduct's DMA.
 *
 * Words (the wire layout has its own, in viaduct/abi/hal.h):
 *   HAL        the PCI function 1234:5644 and this driver's state for it
 *   function   an assigned PCI function: its DMA goes through the HAL
 *   run        consecutive pages of one chunk of the pool
 *   gone       a function that left the bus while something of it still lives
 *
 * Life of the parts:
 *   struct hal      from probe until the last function has let go (kref)
 *   struct hal_dev  from BUS_NOTIFY_ADD_DEVICE until the function has left the
 *                   bus and its last mapping and allocation have ended
 *
 * Locks, outer to inner:
 *   pci_rescan_remove   the kernel's; taken only by work on hal_wq
 *   hal->lock           (mutex) the set of functions, the list of hal_devs
 *   pool->lock          (spinlock, interrupts off) chunks
 *   slot->lock          (raw spinlock, interrupts off) one request slot
 * pool->lock is never held across a request.
 */
#ifndef VIADUCT_HAL_H
#define VIADUCT_HAL_H

#include <linux/atomic.h>
#include <linux/dma-direction.h>
#include <linux/dma-map-ops.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <viaduct/abi/hal.h>

/* The device did not answer: it is off, gone, or wrote no status. */
#define HAL_S_SILENT (VD_HAL_S_BUSY + 1)
/* A page is not pinned: the host must be asked. Never counted. */
#define HAL_S_MISS   (VD_HAL_S_BUSY + 2)

/*
 * Counters, one sysfs file each, per function and in total. The refused_*
 * ones stand in the order of VD_HAL_S_*.
 */
#define HAL_COUNTERS(X)                                               \
	X(MAPS, maps)	    /* transactions mapped */                 \
	X(UNMAPS, unmaps)   /* transactions unmapped */               \
	X(SEGS, segs)	    /* segments mapped directly */            \
	X(PAGES, pages)	    /* pages that these touch */              \
	X(HITS, hits)	    /* of the segments, without request */    \
	X(LUCKY, lucky)	    /* direct across a granule */             \
	X(BOUNCED, bounced) /* segments bounced */                    \
	X(BOUNCED_BYTES, bounced_bytes)                               \
	X(SPILLED, spilled)	/* transactions bounced for budget */ \
	X(COHERENT, coherent)	/* coherent allocations */            \
	X(FAILED, failed)	/* errors given to the driver */      \
	X(POOL_FULL, pool_full) /* no room in the pool */             \
	X(STRAY, stray)		/* unmaps of what is not there */     \
	X(MISFIT, misfit)	/* unmaps of another length */        \
	X(REQUESTS, requests)	/* doorbells rung */                  \
	X(REFUSED_UNSUPP, refused_unsupp)                             \
	X(REFUSED_INVAL, refused_inval)                               \
	X(REFUSED_NODEV, refused_nodev)                               \
	X(REFUSED_DENIED, refused_denied)                             \
	X(REFUSED_FAULT, refused_fault)                               \
	X(REFUSED_BUDGET, refused_budget)                             \
	X(REFUSED_FULL, refused_full)                                 \
	X(REFUSED_DISCONTIG, refused_discontig)                       \
	X(REFUSED_MASK, refused_mask)                                 \
	X(REFUSED_NOENT, refused_noent)                               \
	X(REFUSED_NOMEM, refused_nomem)                               \
	X(REFUSED_BUSY, refused_busy)                                 \
	X(REFUSED_SILENT, refused_silent)

/* Values of this moment, in the same folders. */
#define HAL_GAUGES(X)                                              \
	X(LIVE, live)		    /* mappings and allocations */ \
	X(POOL_USED, pool_used)	    /* bytes in use */             \
	X(POOL_MAPPED, pool_mapped) /* bytes of mapped chunks */

#define HAL_ENUM(upper, lower) HAL_N_##upper,
enum hal_counter { HAL_COUNTERS(HAL_ENUM) HAL_NCOUNTERS };
enum hal_gauge { HAL_GAUGES(HAL_ENUM) HAL_NGAUGES };

struct hal_stats {
	atomic64_t n[HAL_NCOUNTERS];
};

struct hal;
struct hal_dev;

/* --- pool.c ---------------------------------------------------------- */

enum hal_kind { HAL_COHERENT, HAL_BOUNCE, HAL_NKINDS };

struct hal_chunk {
	/* guarded by pool->lock; hal_pool_find() reads bus without */
	enum hal_kind kind; /* of the first run in it */
	dma_addr_t bus;	    /* if nusers is not 0 */
	u32 nusers;	    /* functions that have it mapped */
	u32 used;	    /* pages, by all */
	unsigned long *map; /* a bit per page: taken */
};

/* A page of the pool; in a run it is written by who has the run. */
struct hal_cell {
	struct hal_dev *owner; /* NULL: it is free */
	enum hal_kind kind;
	u32 first; /* page of the pool where the run starts */
	/* In a bounced run's first page: */
	phys_addr_t phys; /* the original */
	u32 len;
	u32 nsegs; /* of the list that it begins; 0: it begins none */
};

struct hal_pool {
	spinlock_t lock;
	void *vaddr; /* NULL: there is no pool */
	phys_addr_t phys;
	u32 shift; /* log2 of a chunk's bytes */
	u32 nchunks;
	u32 ncoherent; /* pages of coherent memory */
	struct hal_chunk *chunk;
	struct hal_cell *cell;	/* one per page */
	struct list_head users; /* functions */
	struct delayed_work reap;
	u32 below[64]; /* chunks below 2^i, says the host; see main.c */
};

/* What an allocation asks for. */
struct hal_want {
	enum hal_kind kind;
	u32 npages;
	u64 mask;     /* highest usable bus address */
	u64 align;    /* these bits of the bus page number ... */
	u64 page;     /* ... equal those of this one */
	u64 boundary; /* mask: the run lies within one such stretch */
};

struct hal_run {
	u32 first; /* page of the pool */
	dma_addr_t bus;
};

int hal_pool_init(struct hal *hal);
void hal_pool_fini(struct hal *hal);
void hal_pool_join(struct hal_dev *hd);
void hal_pool_leave(struct hal_dev *hd);
int hal_pool_alloc(struct hal_dev *hd, const struct hal_want *want,
		   struct hal_run *run);
void hal_pool_free(struct hal_dev *hd, u32 first, u32 npages);
bool hal_pool_shrink(struct hal *hal);
void hal_pool_usage(const struct hal_dev *hd, u64 *used, u64 *mapped);
u64 hal_pool_pinned(struct hal *hal);
long hal_pool_find(struct hal_dev *hd, dma_addr_t bus);

/* --- call.c ---------------------------------------------------------- */

struct hal_slot {
	raw_spinlock_t lock;
	struct vd_hal_slot *page; /* guarded by lock; NULL: HAL is off */
};

/* One request under construction; interrupts are off while it is open. */
struct hal_call {
	struct hal *hal;
	struct hal_stats *stats;
	struct hal_slot *slot;
	unsigned long flags;
	u32 count;
};

int hal_calls_start(struct hal *hal);
void hal_calls_stop(struct hal *hal);
bool hal_call_open(struct hal_call *c, struct hal *hal, struct hal_dev *hd,
		   u32 op, u64 mask);
void hal_call_add(struct hal_call *c, u64 addr, u32 len, u32 prot);
u32 hal_call_ring(struct hal_call *c, u32 *done);
void hal_call_close(struct hal_call *c);
u32 hal_map_one(struct hal_dev *hd, phys_addr_t phys, u32 len, u32 prot,
		u64 mask, dma_addr_t *bus);
void hal_unmap_one(struct hal_dev *hd, dma_addr_t bus, u32 len);
int hal_errno(u32 status);

/* --- bounce.c -------------------------------------------------------- */

int hal_bounce_map(struct hal_dev *hd, struct scatterlist *sg,
		   enum dma_data_direction dir, unsigned long attrs);
void hal_bounce_number(struct hal_dev *hd, dma_addr_t bus, u32 nsegs);
u32 hal_bounce_count(struct hal_dev *hd, dma_addr_t bus);
void hal_bounce_unmap(struct hal_dev *hd, dma_addr_t bus, u32 len,
		      enum dma_data_direction dir, unsigned long attrs);
bool hal_is_bounced(struct hal_dev *hd, dma_addr_t bus);
void hal_bounce_sync(struct hal_dev *hd, dma_addr_t bus, size_t len,
		     bool to_device);

/* --- pins.c ---------------------------------------------------------- */

struct hal_pins {
	u64 *word; /* the pin table; NULL: there is none */
	u64 nwords;
	struct xarray page_at; /* by bus page: number of the guest page */
	u64 *bus; /* by guest page: its bus page in page_at + 1, or 0 */
};

bool hal_pins_init(struct hal *hal);
void hal_pins_fini(struct hal *hal);
u32 hal_pins_map(struct hal_dev *hd, struct scatterlist *sgl, u32 nents,
		 u64 mask);
u32 hal_pins_accept(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
		    u32 nsegs);
u32 hal_pins_unmap(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
		   u32 nsegs);
u32 hal_pins_count(const struct hal_dev *hd, dma_addr_t bus);
void hal_pins_put_rest(struct hal_dev *hd, dma_addr_t bus, u32 len);

/* --- ledger.c -------------------------------------------------------- */

struct hal_shelf;

/* Of a mapping: bytes, and segments of the list that it begins (or 0). */
struct hal_extent {
	u32 len;
	u32 nsegs;
};

int hal_ledger_init(struct hal *hal);
void hal_ledger_fini(struct hal *hal);
bool hal_ledger_enter(struct hal_dev *hd, dma_addr_t bus,
		      const struct hal_extent *x);
bool hal_ledger_take(struct hal_dev *hd, dma_addr_t bus, struct hal_extent *x);
u32 hal_ledger_enter_list(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
			  u32 nsegs);
u32 hal_ledger_take_list(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
			 u32 nsegs);
void hal_ledger_settle(struct hal_dev *hd, dma_addr_t bus);
void hal_ledger_close(struct hal_dev *hd);

/* --- ops.c ----------------------------------------------------------- */

extern const struct dma_map_ops hal_ops;

/* --- device.c -------------------------------------------------------- */

/* A bet that the host may refuse; see ops.c. */
struct hal_luck {
	u32 losses; /* in a row */
	u32 skipped;
};

/* Until then no chunk is expected at or below this bus address. */
struct hal_narrow {
	unsigned long until; /* jiffies; 0: never was */
	u64 mask;
};

struct hal_dev {
	struct dma_map_ops ops; /* what the device points at, see hal_dev_of */
	struct hal *hal;	/* a reference */
	struct pci_dev *pdev;	/* a reference */
	u32 rid;		/* guest id */
	u32 life;		/* incarnation, from DEVICES */
	u32 pins_age;		/* of the table when it was attached */
	bool parted; /* the table was cleared since: its counts are gone */
	struct hal_use *use; /* of the chunks of the pool, see pool.c */
	struct list_head pool_link;
	struct list_head link; /* hal->devs or hal->gone, under hal->lock */
	struct kobject kobj;   /* owns this memory */
	bool shown;	       /* kobj is in sysfs, under hal->lock */
	u32 sweep;	       /* last sweep that had it, under hal->lock */
	struct hal_stats stats;
	atomic_long_t live; /* mappings and allocations */
	atomic_t nbounced;  /* of these, bounced segments */
	/* Hints, racy by design: a wrong one costs a request, no more. */
	struct hal_luck across; /* a segment that crosses a granule */
	struct hal_luck reach;	/* memory above a narrow mask */
	struct hal_narrow narrow[HAL_NKINDS]; /* the pool is above a mask */
};

struct hal_member {
	u16 rid;
	bool permitted;
	u32 life;
};

int hal_devices_refresh(struct hal *hal);
int hal_devices_check(struct hal *hal);
void hal_devices_drop_lost(struct hal *hal);
void hal_devices_admit(struct hal *hal);
void hal_devices_drop_all(struct hal *hal);
void hal_devices_unbind(struct hal *hal);
bool hal_devices_bury(struct hal *hal);
void hal_devices_finish(struct hal *hal);
void hal_devices_hide(struct hal *hal);
int hal_devices_notify(struct notifier_block *nb, unsigned long action,
		       void *data);
void hal_dev_free(struct hal_dev *hd);

/* --- main.c ---------------------------------------------------------- */

struct hal {
	struct kref ref;
	struct pci_dev *pdev; /* a reference */
	void __iomem *regs;   /* until remove() returns */
	u32 granule;	      /* log2 of bytes */
	u32 nslots;
	struct hal_slot *slot;
	struct hal_pool pool;
	struct hal_pins pins;
	struct hal_shelf *shelf; /* see ledger.c */
	u32 bus_bits; /* of an address of the host's memory; 0: not said */
	bool lives;   /* requests say for which life of a function */
	bool admits;  /* functions wait until we admit them */
	bool spills;  /* the operator lets us bounce what BUDGET refuses */
	struct hal_stats stats;	 /* own, and of functions that ended */
	atomic_long_t in_flight; /* transactions mapped now */
	bool leaving;		 /* remove() has begun */
	bool hello;		 /* the device shook hands */
	bool checked;		 /* bus_work's: nothing came before us */

	struct mutex lock; /* guards what follows */
	u32 sweeps;
	u32 nmembers;
	u32 pins_age; /* of the table, as last read */
	struct hal_member member[VD_HAL_NSEGS];
	struct list_head devs;	   /* on the bus */
	struct list_head gone;	   /* off the bus, still alive */
	struct kobject *functions; /* sysfs folder */

	struct notifier_block bus_nb;
	struct notifier_block panic_nb;
	struct work_struct bus_work;
	struct work_struct leave_work;
};

void hal_put(struct hal *hal);

static inline struct hal *hal_get(struct hal *hal)
{
	kref_get(&hal->ref);
	return hal;
}

/*
 * The ops that a device points at are its own copy, so they lead to its state
 * without a look-up, also from a child device that inherited them.
 */
static inline struct hal_dev *hal_dev_of(struct device *dev)
{
	return container_of((struct dma_map_ops *)get_dma_ops(dev),
			    struct hal_dev, ops);
}

static inline void hal_count(struct hal_stats *s, enum hal_counter which, u64 n)
{
	atomic64_add(n, &s->n[which]);
}

/* --- sysfs.c --------------------------------------------------------- */

extern const struct attribute_group *hal_groups[];
extern const struct kobj_type hal_dev_ktype;

#endif
