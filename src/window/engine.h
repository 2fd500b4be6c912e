/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the translation engine share: an adapter, its owners,
 * devices, windows. Private to src/window.
 *
 * Two locks. The change lock is held over a whole change of registers, the
 * adapter's callbacks included, so there is one change at a time. The entry
 * lock is under it and short, but for a wait for readers; whatever the change
 * lock's holder changes that others look at, it changes under both.
 */
#ifndef WINDOW_ENGINE_H
#define WINDOW_ENGINE_H

#include "fault.h"
#include "ram.h"
#include "table.h"
#include "flatview.h"
#include <epoch.h>
#include <lock.h>
#include <viaduct/adapter.h>
#include <viaduct/translate.h>
#include <viaduct/window.h>

struct owner {
	uint32_t id;
	struct owner *provider; /* itself, if it is one */
	struct ram ram;
	struct flatview view; /* of its devices, if it is a provider */
	uint32_t nclients, ndevices, nwindows;
};

/*
 * A register in use. Top windows stand by themselves; a loan lies inside its
 * lender. All positions are absolute in the table.
 */
struct window {
	uint32_t id;
	struct owner *owner, *via;
	struct window *lender;	/* NULL: a top window */
	uint32_t nloans;	/* whose lender it is */
	struct vd_table *table; /* NULL: the register is free */
	uint64_t bus, first, len;
	/* Entries that nobody reaches, because they are changing hands. */
	uint64_t hidden, nhidden;
	unsigned int rights;
};

/* Readers look at it at each enter: on lines that nobody writes to. */
struct adevice {
	unsigned char before[EPOCH_LINE];
	uint32_t id;
	uint32_t nreaders;
	bool denied;
	struct owner *owner;
	uint64_t shown; /* pointer to what its readers see, without a lock */
	unsigned char after[EPOCH_LINE];
};

struct vd_adapter {
	struct vd_adapter_ops ops;
	void *opaque;
	uint32_t nregs, flags, max_devices;
	struct epoch epoch;
	struct flatview_runs *nothing; /* what a denied device sees; owned */

	struct lock change;
	struct lock lock;	 /* the entry lock; guards all that follows */
	struct window *window;	 /* nregs of them; owned */
	struct adevice **device; /* owned */
	uint32_t ndevices, nowners;
	struct owner *owner[VD_ADAPTER_MAX_OWNERS]; /* owned */
	struct vd_table *tables;		    /* owned */
	struct table_budget budget;
	struct vd_adapter_stats count; /* only its counters are used */

	struct lock fault_lock; /* guards: */
	struct faults faults;
};

/* adapter.c */
struct adevice *adapter_device(struct vd_adapter *a, uint32_t id)
	MUST_HOLD(a->lock);

/* Its readers see what its owner shows, or nothing if it is denied. */
void adapter_show(struct vd_adapter *a, struct adevice *dev) MUST_HOLD(a->lock);

/* 0 or -EIO. */
int adapter_drain(struct vd_adapter *a, const struct vd_drain *what)
	MUST_HOLD(a->change);

/* owner.c */
struct owner *owner_find(struct vd_adapter *a, uint32_t id) MUST_HOLD(a->lock);
void owner_end(struct owner *o);

/*
 * Let the readers of @via see its windows as they are now. When this returns,
 * no reader uses what was before.
 */
void owner_publish(struct vd_adapter *a, struct owner *via)
	MUST_HOLD(a->change);

/* window.c */
struct window *window_find(struct vd_adapter *a, uint32_t id)
	MUST_HOLD(a->lock);
struct window *window_free(struct vd_adapter *a) MUST_HOLD(a->lock);
void window_clear(struct vd_adapter *a, struct window *w) MUST_HOLD(a->lock);
void window_own(struct window *w, struct owner *o);
/* Nobody reaches it any more, if it is a window of @via's devices. */
void window_hide(struct window *w, const struct owner *via);

/* Is this a run that a register of @a can hold? */
bool window_is_shape(const struct vd_adapter *a, uint64_t first, uint64_t len);

/* Would @via's devices have two windows at one bus address? @but may be NULL. */
bool window_is_taken(struct vd_adapter *a, const struct owner *via,
		     const struct window *range, const struct window *but)
	MUST_HOLD(a->lock);

/* Is a part of these entries of @w lent? */
bool window_is_lent(struct vd_adapter *a, const struct window *w,
		    uint64_t first, uint64_t len) MUST_HOLD(a->lock);

uint64_t window_bus(const struct window *w, uint64_t entry);

/* The bus addresses of @n entries, for those whose devices reach them. */
struct vd_drain window_range(const struct window *w, uint64_t first,
			     uint64_t n);
uint64_t window_last_bus(const struct window *w);
void window_info(struct vd_adapter *a, const struct window *w,
		 struct vd_window_info *out) MUST_HOLD(a->lock);

/* Tell @owner what its window is now; a @w that is gone has no length. */
void window_tell(struct vd_adapter *a, uint32_t owner,
		 const struct vd_window_info *w) MUST_HOLD(a->change);

/*
 * handover.c: entries on their way from one owner to another.
 * @to: who gets them; NULL: nobody
 */
struct handover {
	struct window *w;
	uint64_t first, len;
	struct owner *to;
};

/* All of @w, which may be NULL. */
struct handover handover_all(struct window *w, struct owner *to);

/*
 * Out of sight, with no reader and no DMA left, and what is valid in it as
 * @live says: 0, or -EBUSY, -EXDEV, -EINVAL, -EIO and all is as it was.
 */
int handover_close(struct vd_adapter *a, const struct handover *p,
		   enum vd_live live) MUST_HOLD(a->change);

/* Undo it. */
void handover_open(struct vd_adapter *a, const struct handover *p)
	MUST_HOLD(a->change);

/* It is closed: the entries are @to's now. */
void handover_commit(struct vd_adapter *a, const struct handover *p,
		     enum vd_live live) MUST_HOLD(a->lock);

/* entry.c */

/* Make entries invalid that no reader can reach, and drop their pins. */
void entry_revoke(struct vd_adapter *a, const struct handover *p)
	MUST_HOLD(a->lock);

#endif
