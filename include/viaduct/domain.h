/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domains: one VM's guest memory, devices, mappings and pin budget.
 *
 * Threads: every function may be called from any thread at any time, but for
 * create and destroy of the same domain. One lock per domain guards all of it;
 * pinning is serialised by the kernel anyhow (two threads pin no faster than
 * one). Of the callbacks only quiesce runs without it; the others say so.
 */
#ifndef VIADUCT_DOMAIN_H
#define VIADUCT_DOMAIN_H

#include <viaduct/host.h>
#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vd_domain;

/*
 * Mappings cost host memory, in this process and in the kernel, even of a page
 * that is pinned already. So all devices of a domain together may have one for
 * each page of 4 KiB that the budget and the guest's memory allow to be pinned,
 * and so many besides. One that has ended but whose pin is kept, because its
 * device could not be quiesced, counts.
 */
#define VD_DOMAIN_SPARE_MAPPINGS 1024u

/**
 * struct vd_domain_cfg - limits of a domain
 * @size:          sizeof(struct vd_domain_cfg)
 * @granule_shift: log2 of the granule in bytes: 12 or 21. Pins are counted in
 *                 granules, because pinning a part of a huge page pins all.
 * @budget:        bytes that may be pinned at once; rounded down to granules;
 *                 0 means no limit; less than a granule is refused
 * @max_devices:   0 means 64
 * @max_mappings:  mappings that one device may have at once; 0 means 1 << 20.
 *                 All together: VD_DOMAIN_SPARE_MAPPINGS.
 */
struct vd_domain_cfg {
	size_t size;
	unsigned int granule_shift;
	uint64_t budget;
	uint32_t max_devices;
	uint32_t max_mappings;
};

/**
 * struct vd_domain_stats - a snapshot
 * All in bytes but for the counts. *_peak is the highest value since the
 * domain was made. @mapped counts each mapping's bytes, so it can exceed
 * @pinned only where pages are mapped more than once, and be less than
 * @pinned because pages are pinned whole. @cached is pinned by the pin table
 * (pins.h), whose mappings are in no count here.
 */
struct vd_domain_stats {
	size_t size;
	uint64_t memory;
	uint64_t budget; /* UINT64_MAX: no limit */
	uint64_t pinned, pinned_peak;
	uint64_t lent; /* by the share: vd_domain_share_budget() */
	uint64_t mapped, mapped_peak;
	uint64_t cached;
	uint64_t nmappings;
	uint64_t ndevices;
	uint64_t maps, unmaps; /* segments, since the start */
	uint64_t refused_budget, refused_denied, refused_other;
	uint64_t nfaults;      /* recorded, lost ones included */
	uint64_t pins_cleared; /* times that the pin table was cleared */
};

/**
 * vd_domain_create() - make an empty domain
 * @host: borrowed; must outlive the domain
 * @cfg:  copied
 * @out:  the domain, owned by the caller; not written on error
 *
 * Return: 0, -EINVAL (@cfg: size, granule or a limit), -ENOMEM
 */
int vd_domain_create(struct vd_host *host, const struct vd_domain_cfg *cfg,
		     struct vd_domain **out);

/**
 * vd_domain_destroy() - end a domain
 *
 * Detaches what is still attached, each device quiesced before its pins drop.
 * Pins of a device that cannot be quiesced are never dropped: they go when the
 * process and every keeper of its rings is gone. NULL is fine. No other call
 * on @d may run.
 */
void vd_domain_destroy(struct vd_domain *d);

/**
 * vd_domain_add_memory() - tell where a stretch of guest memory lies
 * @gpa: first guest address, granule aligned
 * @hva: where it is in this process, granule aligned; borrowed, and must stay
 *       mapped until vd_domain_destroy()
 * @len: bytes, a non-zero multiple of the granule
 *
 * Return: 0, -EINVAL, -EOVERFLOW, -EEXIST (overlaps earlier memory, by guest
 * or by process address), -ENOSPC (more than 64 stretches), -ENOMEM
 */
int vd_domain_add_memory(struct vd_domain *d, vd_gpa gpa, void *hva,
			 uint64_t len);

/**
 * vd_domain_check_memory() - is all of this guest memory?
 *
 * Memory is never taken away, so a yes stays good.
 *
 * Return: 0, -EOVERFLOW, -EFAULT
 */
int vd_domain_check_memory(struct vd_domain *d, vd_gpa gpa, uint64_t len);

/**
 * vd_domain_copy_in() - read guest memory
 * vd_domain_copy_out() - write guest memory
 *
 * The guest may change the memory meanwhile: look at the copy only.
 *
 * Return: 0, -EOVERFLOW, -EFAULT (nothing was copied)
 */
int vd_domain_copy_in(struct vd_domain *d, vd_gpa gpa, void *to, size_t len);
int vd_domain_copy_out(struct vd_domain *d, vd_gpa gpa, const void *from,
		       size_t len);

/**
 * struct vd_discard - how to give up memory, and what came of it
 * @size:   sizeof(struct vd_discard)
 * @give:   takes the memory at @hva out of the process, so that it reads as
 *          zeros from now on (MADV_DONTNEED). Called with the domain's lock
 *          held: it must not call into the library. 0 goes on.
 * @opaque: passed to @give
 * @given:  out: bytes that @give took
 * @pinned: out: bytes that were refused because they have a pin
 */
struct vd_discard {
	size_t size;
	int (*give)(void *opaque, void *hva, uint64_t len);
	void *opaque;
	uint64_t given, pinned;
};

/**
 * vd_domain_discard() - give up guest memory that no device can reach
 * @gpa: first guest address, page aligned
 * @len: bytes, a non-zero multiple of the page size
 * @how: in and out
 *
 * What a balloon or a free page report asks for. Memory with a pin is left as
 * it is and counted: DMA under way never meets a new page. No map comes
 * between the look at the pins and @give. A granule of 2 MiB is pinned as a
 * whole, but parts of one without a pin may be given.
 *
 * Locking: takes the domain's lock, and drops it every 2 MiB.
 *
 * Return: 0, or
 *  -EINVAL     @len is 0, or something is not page aligned
 *  -EOVERFLOW  @gpa + @len wraps
 *  -EFAULT     part of it is not guest memory: nothing was given
 *  other       what @give returned; @given and @pinned say how far it came
 */
int vd_domain_discard(struct vd_domain *d, vd_gpa gpa, uint64_t len,
		      struct vd_discard *how);

/**
 * vd_domain_set_budget() - change the limit; 0 means none, and less than a
 * granule that nothing more is pinned
 *
 * A budget below what is pinned now revokes nothing: it unpins what is only
 * cached and held by nobody, and refuses what is new. Takes the domain's lock and
 * drops it every 1,024 pages or so.
 */
void vd_domain_set_budget(struct vd_domain *d, uint64_t bytes);

/**
 * struct vd_share_ops - a budget that several domains have in common
 *
 * Each domain borrows from it before it pins, and has its own budget besides.
 * Called with the domain's lock held: they must not call into the library nor
 * wait for long.
 */
struct vd_share_ops {
	size_t size; /* sizeof(struct vd_share_ops) */
	/*
	 * Lend @want bytes, or less but at least @need; 0: there is not so
	 * much. Both are whole granules, and so is the answer.
	 */
	uint64_t (*take)(void *opaque, uint64_t need, uint64_t want);
	/* @bytes that were lent come back. Cannot fail. */
	void (*give)(void *opaque, uint64_t bytes);
};

/**
 * vd_domain_share_budget() - borrow what is pinned from a common budget
 * @ops:    copied
 * @opaque: passed to @ops
 *
 * vd_domain_destroy() gives back what is lent, but for the pins of a device that
 * could not be stopped.
 *
 * A pin that the share does not lend for is refused as one over the domain's
 * own budget is, after cached pages that nobody holds have been let go.
 *
 * Return: 0, -EINVAL (@ops), -EBUSY (it has a share, or something is pinned)
 */
int vd_domain_share_budget(struct vd_domain *d, const struct vd_share_ops *ops,
			   void *opaque);

/**
 * vd_domain_return_share() - give back what is lent and not pinned
 * @slack: bytes to keep for the next pins
 */
void vd_domain_return_share(struct vd_domain *d, uint64_t slack);

void vd_domain_stats(struct vd_domain *d, struct vd_domain_stats *out);

/* Why a device access or a request was refused. */
enum vd_fault_reason {
	VD_FAULT_UNMAPPED,  /* no mapping holds this bus address */
	VD_FAULT_DIRECTION, /* the mapping does not allow it */
	VD_FAULT_DENIED,    /* the device is denied */
	VD_FAULT_EXTENT,    /* past the end of a window */
	VD_FAULT_NO_WINDOW, /* no window begins at or below it */
	VD_FAULT_REASONS,
};

/** vd_fault_reason_name() - a stable lower-case word for @r */
const char *vd_fault_reason_name(enum vd_fault_reason r);

struct vd_fault {
	size_t size;
	uint32_t guest_id;
	uint32_t prot; /* VD_READ or VD_WRITE: what was tried */
	enum vd_fault_reason reason;
	vd_iova iova;
};

/**
 * vd_domain_next_fault() - take the oldest recorded fault
 *
 * The ring holds 256; when it is full the oldest is lost (and was counted).
 *
 * Return: 0, -ENOENT (there is none)
 */
int vd_domain_next_fault(struct vd_domain *d, struct vd_fault *out);

#ifdef __cplusplus
}
#endif
#endif
