/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI device model in another process, over QEMU's multi-process protocol
 * ("-machine x-remote"). The device does real DMA, but only into the regions
 * that it was given: what it aims elsewhere is dropped. So the regions are its
 * translation hardware, and whoever keeps them equal to a translation table has
 * a device behind that table.
 *
 * The peer is not trusted. Each exchange has a deadline. A peer that is gone,
 * late, or says what the protocol does not allow is lost: that call and every
 * later one fail with the same error, and only vd_remote_destroy() is left.
 *
 * Threads: any function but destroy may be called from any thread; exchanges
 * take place one at a time.
 */
#ifndef VIADUCT_REMOTE_H
#define VIADUCT_REMOTE_H

#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vd_remote;

/* The protocol's most. */
#define VD_REMOTE_REGIONS 7

/*
 * The protocol cannot say "no memory": it needs one region at least. Without
 * any the device is given a page of nothing here, at the top of its bus.
 */
#define VD_REMOTE_NOWHERE (~(uint64_t)0 - 0xfff)

/**
 * struct vd_remote_cfg - a peer
 * @size:       sizeof(struct vd_remote_cfg)
 * @fd:         a connected stream socket
 * @timeout_ms: for each exchange; 0 means 5000. The peer may still be starting:
 *              the first exchange waits for it.
 */
struct vd_remote_cfg {
	size_t size;
	int fd;
	unsigned int timeout_ms;
};

/**
 * vd_remote_create() - shake hands with a device model
 * @cfg: copied; its descriptor is consumed on success and stays the caller's on
 *       failure
 * @out: not written on error
 *
 * The device begins without memory.
 *
 * Return: 0, or
 *  -EINVAL     @cfg
 *  -ENODEV     the peer has no device
 *  -ENOMEM     out of host memory or descriptors
 *  -EPIPE      the peer is gone
 *  -ETIMEDOUT  the peer did not answer in time
 *  -EPROTO     the peer said what the protocol does not allow
 */
int vd_remote_create(const struct vd_remote_cfg *cfg, struct vd_remote **out);

/** vd_remote_destroy() - hang up; the peer then ends. NULL is fine. */
void vd_remote_destroy(struct vd_remote *r);

/**
 * vd_remote_config_read() - read the device's configuration space
 * vd_remote_config_write() - write it
 * @addr: byte, a multiple of @len, below 4096
 * @len:  1, 2 or 4
 *
 * Return: 0, -EINVAL, -EREMOTEIO (the device refused it), -EPIPE, -ETIMEDOUT,
 * -EPROTO
 */
int vd_remote_config_read(struct vd_remote *r, unsigned int addr,
			  unsigned int len, uint32_t *out);
int vd_remote_config_write(struct vd_remote *r, unsigned int addr,
			   unsigned int len, uint32_t val);

/**
 * vd_remote_bar_read() - read a register
 * vd_remote_bar_write() - write one
 * @addr: bus address, as the BAR was programmed, not an offset; a multiple of
 *        @len
 * @len:  1, 2, 4 or 8
 *
 * Eight bytes of ones cannot be told from a refusal and are taken for a value.
 *
 * Return: as vd_remote_config_read()
 */
int vd_remote_bar_read(struct vd_remote *r, uint64_t addr, unsigned int len,
		       uint64_t *out);
int vd_remote_bar_write(struct vd_remote *r, uint64_t addr, unsigned int len,
			uint64_t val);

/**
 * struct vd_remote_region - memory that the device may reach
 * @fd:   a file that can be mapped shared for reading and writing (a memfd);
 *        borrowed for the call, the device holds a duplicate
 * @iova: first bus address, page aligned
 * @len:  bytes, a non-zero multiple of the page size
 * @off:  where in the file, page aligned; the file must be that long
 */
struct vd_remote_region {
	int fd;
	vd_iova iova;
	uint64_t len;
	uint64_t off;
};

/**
 * vd_remote_set_memory() - replace all that the device may reach
 * @n: at most VD_REMOTE_REGIONS; 0 takes everything away
 *
 * When this returns the new regions are in force and the old ones are not.
 * DMA that was in flight may end in either: drain the device first.
 *
 * Return: 0, or
 *  -EINVAL     a region is malformed, or its file too short
 *  -EOVERFLOW  a region wraps
 *  -EEXIST     two overlap
 *  -ENOSPC     @n
 *  -EPIPE, -ETIMEDOUT, -EPROTO  the device is lost, and its memory with it
 */
int vd_remote_set_memory(struct vd_remote *r,
			 const struct vd_remote_region *region, size_t n);

/**
 * vd_remote_set_irq() - where the device's INTx goes
 * @raise:    eventfd that the device signals; borrowed
 * @resample: eventfd that tells it to look again; borrowed
 *
 * Return: 0, -EINVAL, -EPIPE, -ETIMEDOUT, -EPROTO
 */
int vd_remote_set_irq(struct vd_remote *r, int raise, int resample);

/**
 * vd_remote_reset() - reset the device; its memory stays
 *
 * Return: 0, -EPIPE, -ETIMEDOUT, -EPROTO
 */
int vd_remote_reset(struct vd_remote *r);

#ifdef __cplusplus
}
#endif
#endif
