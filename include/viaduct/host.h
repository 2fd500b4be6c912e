/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts: who pins guest memory and says where it is.
 *
 * The engine (domain.h, device.h) decides what is pinned; a host does it. The
 * interface is struct vd_host_ops; the library brings
 *
 *  fake      memory of the process, invented addresses, faults on request: for
 *            tests and fuzzing
 *  noiommu   real pages of a host without an IOMMU: the bus address is the
 *            host-physical address. Residency, not isolation: nothing stops a
 *            device from reaching memory that was never mapped.
 *
 * A host may serve several domains. It must outlive them.
 */
#ifndef VIADUCT_HOST_H
#define VIADUCT_HOST_H

#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct vd_pin - a run of pages to pin, or pinned
 * @hva:    first byte, page aligned
 * @npages: length in pages of VD_PAGE_SIZE, not 0, at most VD_PIN_MAX_PAGES
 * @handle: out: names the pin for vd_host_ops.unpin
 * @page:   out: host address of each page; array of @npages, the caller's.
 *          Not looked at by unpin.
 */
struct vd_pin {
	void *hva;
	size_t npages;
	uint64_t handle;
	vd_hpa *page;
};

#define VD_PIN_MAX_PAGES ((size_t)1 << 18) /* 1 GiB */

struct vd_host;

struct vd_host_ops {
	size_t size; /* sizeof(struct vd_host_ops) */
	const char *name;

	/*
	 * Pin all runs or none. A page may be in several pins; it stays pinned
	 * until the last of them ends. Contents that were paged out are back
	 * when this returns. Called with the domain's lock held; may sleep.
	 * 0, -ENOMEM (nothing left to pin with), -EFAULT (@hva is not memory
	 * that can be pinned), -ENOSPC (the host's table of pins is full).
	 */
	int (*pin)(struct vd_host *h, struct vd_pin *pin, size_t npins);

	/* End pins. Cannot fail and needs no memory. As pin for locks. */
	void (*unpin)(struct vd_host *h, const struct vd_pin *pin,
		      size_t npins);

	void (*destroy)(struct vd_host *h);
};

/* Embed it and recover the whole with container_of. */
struct vd_host {
	const struct vd_host_ops *ops;
};

/** vd_host_destroy() - end a host that no domain uses any more; NULL is fine */
void vd_host_destroy(struct vd_host *h);

/* How the noiommu host pins. */
enum vd_pin_method {
	VD_PIN_IO_URING, /* real long-term pins */
	VD_PIN_MLOCK,	 /* resident, but the kernel may still move a page:
				 * the weaker promise, by choice only */
};

/**
 * struct vd_noiommu_cfg - what a noiommu host needs
 * @size:     sizeof(struct vd_noiommu_cfg)
 * @method:   how to pin
 * @max_pins: how many pins may live at once (io_uring rings are made as they
 *            are needed, 16,384 pins each); 0 means 1 << 20
 * @on_ring:  called with each ring's file descriptor when the ring is made, so
 *            that a keeper can hold a duplicate of it: pins live until the
 *            last holder lets go. Borrowed, do not close. 0 goes on; anything
 *            else is the error that the pin ends with. May be NULL.
 * @opaque:   passed to @on_ring
 *
 * With VD_PIN_MLOCK no more than three eighths of vm.max_map_count pins live at
 * once (24,573 with Linux's default), whatever @max_pins is, because each may
 * take two areas of the process's map: see -ENOSPC of vd_host_ops.pin.
 */
struct vd_noiommu_cfg {
	size_t size;
	enum vd_pin_method method;
	size_t max_pins;
	int (*on_ring)(void *opaque, int fd);
	void *opaque;
};

/**
 * vd_host_noiommu_create() - pins by io_uring, addresses by /proc/self/pagemap
 * @cfg: copied
 * @out: the new host; owned by the caller; not written on error
 *
 * The first ring is made here, so that a host that cannot pin says so at once.
 * Later ones are made while pinning: @on_ring is then called with a domain's
 * lock held and must not call into the library.
 *
 * CAP_SYS_ADMIN is looked at here and may be dropped afterwards. Each ring
 * counts its pins against RLIMIT_MEMLOCK unless CAP_IPC_LOCK was there when it
 * was made.
 *
 * When unpin returns the kernel has let go. Before Linux 6.4 it puts the end of a
 * registered buffer off by up to a second; there pages are pinned one by one, as
 * memory of provided-buffer rings, which VmPin and RLIMIT_MEMLOCK do not count
 * and @max_pins counts one by one. But for a pin of more than VD_MAP_MAX_PAGES,
 * which no map makes: that is a buffer everywhere, and ends late there. So does
 * the one page that the library tries a new host's kernel with.
 *
 * A ring that still holds pins when the host is destroyed (a device could not be
 * quiesced) is left open, so that they live until the process ends.
 *
 * Return: 0, or
 *  -ENOTSUP  io_uring (or its sparse buffer tables) is refused on this host
 *  -EPERM    /proc/self/pagemap does not show addresses: needs CAP_SYS_ADMIN
 *  -ENOMEM   out of memory, or RLIMIT_MEMLOCK
 *  other     what @on_ring returned
 */
int vd_host_noiommu_create(const struct vd_noiommu_cfg *cfg,
			   struct vd_host **out);

#ifdef __cplusplus
}
#endif
#endif
