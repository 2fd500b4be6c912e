/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adapters: a translation engine for one I/O adapter.
 *
 * An adapter has a file of registers, owners of windows, and devices. A
 * register points at a run of entries of a table and says at which bus address
 * the run begins: that is a window (window.h). An owner is a provider, which
 * has devices of its own, or a client that is served through a provider. A
 * device reaches the windows of its provider and of that provider's clients,
 * and no others (translate.h).
 *
 * Entries name pages of their owner's guest memory. Who pins these is the
 * owner's business: a domain (domain.h), which pins within its budget, or a
 * pair of functions, for those who want the translation alone.
 *
 * Threads: every function may be called from any thread at any time, but for
 * create and destroy of the same adapter.
 *
 * Two locks: changes of registers wait for each other (the change lock, held
 * over the adapter's callbacks), and entries have one under it (the entry lock,
 * held over an owner's callbacks).
 */
#ifndef VIADUCT_ADAPTER_H
#define VIADUCT_ADAPTER_H

#include <viaduct/domain.h>
#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VD_ADAPTER_MAX_REGS    64u
#define VD_ADAPTER_MAX_OWNERS  640u
#define VD_ADAPTER_MAX_DEVICES 1024u
#define VD_ADAPTER_MAX_READERS 1024u
#define VD_NO_OWNER	       UINT32_MAX
#define VD_EVERY_DEVICE	       UINT32_MAX

struct vd_adapter;
struct vd_owner_cfg;
struct vd_window_info;

/**
 * struct vd_drain - what has to come to rest, or to be forgotten
 * @size:   as the library knows it
 * @owner:  the provider whose devices are meant
 * @device: one of its devices, or VD_EVERY_DEVICE
 * @bus:    first bus address
 * @last:   last bus address, inclusive
 */
struct vd_drain {
	size_t size;
	uint32_t owner, device;
	vd_iova bus, last;
};

struct vd_adapter_ops {
	size_t size; /* sizeof(struct vd_adapter_ops) */
	/*
	 * Forget cached translations of the range and wait until no DMA to it
	 * is in flight. The range does not translate any more when this is
	 * called, and its pages are still pinned. Called with the change lock
	 * held: must not change registers of the same adapter; may translate,
	 * and look. Anything but 0 means not at rest, and the change is undone.
	 * NULL: nothing is in flight but what a reader does while it is inside.
	 */
	int (*drain)(void *opaque, const struct vd_drain *what);

	/*
	 * @owner's window is now @w; an @w->len of 0 means that it is gone.
	 * Called after the change, with the change lock held, in the order of
	 * the changes. NULL: nobody wants to know.
	 */
	void (*changed)(void *opaque, uint32_t owner,
			const struct vd_window_info *w);

	/*
	 * Entries of the range were valid and have changed: forget what was
	 * cached of them and wait until no DMA that has seen them is in flight.
	 * Their pages are still pinned. Called for entries that their owner
	 * writes, with the entry lock held: must not call the library for this
	 * adapter, and cannot fail. NULL: a device keeps nothing beyond a burst.
	 */
	void (*invalidate)(void *opaque, const struct vd_drain *what);
};

/* Lengths and positions of windows are powers of two, naturally aligned. */
#define VD_ADAPTER_POWERS_OF_TWO 1u

/**
 * struct vd_adapter_cfg - an adapter's limits
 * @size:        sizeof(struct vd_adapter_cfg)
 * @nregs:       registers, at most VD_ADAPTER_MAX_REGS; 0 means 16
 * @flags:       VD_ADAPTER_*
 * @max_devices: 0 means 64
 * @max_readers: 0 means 64
 * @max_bytes:   of all tables together, directories included; 0 means 1 GiB
 * @ops:         copied; NULL: as if all members were
 * @opaque:      passed to @ops
 * @owner:       who is there from the start, as by vd_owner_add(); NULL: nobody
 */
struct vd_adapter_cfg {
	size_t size;
	uint32_t nregs, flags, max_devices, max_readers;
	uint64_t max_bytes;
	const struct vd_adapter_ops *ops;
	void *opaque;
	const struct vd_owner_cfg *owner;
};

/**
 * vd_adapter_create() - make an adapter without windows
 * @cfg: copied
 * @out: owned by the caller; not written on error
 *
 * Return: 0, -EINVAL (@cfg), -ENOMEM, and as vd_owner_add() for @owner
 */
int vd_adapter_create(const struct vd_adapter_cfg *cfg,
		      struct vd_adapter **out);

/**
 * vd_adapter_destroy() - end an adapter and all that is in it
 *
 * Devices come to rest first (one drain for each provider that has any), then
 * pins drop. Where they do not, the pins of that provider's windows stay for
 * ever.
 * No reader may be left. NULL is fine.
 */
void vd_adapter_destroy(struct vd_adapter *a);

/**
 * struct vd_span - a stretch of an owner's guest memory
 * @gpa: first guest address
 * @hva: where it is in this process; must stay mapped while the owner lives
 * @len: bytes
 * All three are multiples of VD_PAGE_SIZE.
 */
struct vd_span {
	vd_gpa gpa;
	void *hva;
	uint64_t len;
};

/**
 * struct vd_owner_ops - how an owner without a domain keeps pages in memory
 * An entry of a window names one span; the same span may be held many times.
 * Called with the entry lock held: must not call into the library.
 */
struct vd_owner_ops {
	size_t size; /* sizeof(struct vd_owner_ops) */
	/* Hold all of them or none. 0, or an error that the put ends with. */
	int (*hold)(void *opaque, const struct vd_span *span, size_t n);
	/* Let go what was held. Cannot fail. */
	void (*release)(void *opaque, const struct vd_span *span, size_t n);
};

/**
 * struct vd_owner_cfg - an owner
 * @size:     sizeof(struct vd_owner_cfg)
 * @id:       any number but VD_NO_OWNER
 * @provider: VD_NO_OWNER: it is a provider; else the id of the provider that
 *            it is a client of
 * @domain:   whose memory its entries name, and who pins it; borrowed, must
 *            outlive the owner. Or NULL, and then:
 * @memory:   the memory that its entries name; copied; at most 64 spans
 * @nmemory:  how many
 * @ops:      copied, or NULL: nothing needs to be held
 * @opaque:   passed to @ops
 *
 * An owner has the memory of another if they have the same domain and it reaches
 * all that the other reaches (vd_owner_reach()), whenever either has looked at
 * it; or, without a domain, the same @ops, @opaque and @memory (by content).
 */
struct vd_owner_cfg {
	size_t size;
	uint32_t id, provider;
	struct vd_domain *domain;
	const struct vd_span *memory;
	size_t nmemory;
	const struct vd_owner_ops *ops;
	void *opaque;
};

/**
 * vd_owner_add() - let somebody own windows of this adapter
 *
 * Memory that is added to a domain later counts from then on.
 *
 * Return: 0, -EINVAL (@cfg; a client of a client), -EEXIST (the id is taken, or
 * spans overlap), -ENOENT (no such provider), -ENOSPC (too many), -ENOMEM
 */
int vd_owner_add(struct vd_adapter *a, const struct vd_owner_cfg *cfg);

/**
 * vd_owner_reach() - let entries of an owner name another domain's memory too
 * @id:    an owner with a domain of its own
 * @other: borrowed; must outlive the adapter
 * @base:  where @other's address 0 is among the owner's guest addresses: a
 *         multiple of 2^VD_IO_SHIFT_MAX bytes, not 0
 *
 * For a server that does I/O on its clients' memory. Such an entry is pinned in
 * @other, within its budget; vd_target.gpa of it has @base added. Who lets a
 * guest write entries must not let it name addresses from @base on. Only memory
 * counts that @other has now; the same call again adds what it has got since.
 *
 * Return: 0, -EINVAL, -ENOENT (no such owner), -EEXIST (the addresses are
 * taken by something else), -ENOSPC (too many stretches), -ENOMEM
 */
int vd_owner_reach(struct vd_adapter *a, uint32_t id, struct vd_domain *other,
		   uint64_t base);

/**
 * vd_owner_remove() - end an owner that owns nothing any more
 *
 * Return: 0, -ENOENT, -EBUSY (it has windows, devices or clients)
 */
int vd_owner_remove(struct vd_adapter *a, uint32_t id);

/**
 * vd_adapter_attach() - a device that does DMA for a provider
 * @device: its id on this adapter, any number but VD_EVERY_DEVICE
 * @owner:  the provider
 *
 * It is permitted from the start.
 *
 * Return: 0, -EINVAL (@device; a client has no devices), -EEXIST, -ENOENT (no
 * such owner), -ENOSPC, -ENOMEM
 */
int vd_adapter_attach(struct vd_adapter *a, uint32_t device, uint32_t owner);

/**
 * vd_adapter_detach() - take a device away; it comes to rest first
 *
 * Return: 0, -ENODEV, -EBUSY (it has readers), -EIO (not at rest: it stays)
 */
int vd_adapter_detach(struct vd_adapter *a, uint32_t device);

/**
 * vd_adapter_deny() - refuse every access of a device from now on
 * vd_adapter_permit() - let it access its windows again
 *
 * When deny returns 0, no translation of the device is in use or in flight.
 *
 * Return: 0, -ENODEV, -EIO (deny only: denied, but not at rest)
 */
int vd_adapter_deny(struct vd_adapter *a, uint32_t device);
int vd_adapter_permit(struct vd_adapter *a, uint32_t device);

/**
 * vd_adapter_next_fault() - take the oldest refused access
 *
 * As vd_domain_next_fault(); guest_id is the device's id here.
 *
 * Return: 0, -ENOENT (there is none)
 */
int vd_adapter_next_fault(struct vd_adapter *a, struct vd_fault *out);

/**
 * struct vd_adapter_stats - a snapshot
 * @size: sizeof(struct vd_adapter_stats)
 * @puts: entries written; the others speak for themselves
 */
struct vd_adapter_stats {
	size_t size;
	uint64_t nwindows, nregs, ndevices, nowners;
	uint64_t table_bytes, max_bytes; /* of all tables: now, at most */
	uint64_t puts, splits, merges, loans, refused;
	uint64_t nfaults; /* lost ones included */
};

void vd_adapter_stats(struct vd_adapter *a, struct vd_adapter_stats *out);

#ifdef __cplusplus
}
#endif
#endif
