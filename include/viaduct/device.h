/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices and their mappings.
 *
 * A map translates the guest's device id and guest addresses to the host's
 * device id and host addresses, pins the host pages, records (device, bus
 * address, guest address) and returns the bus address. An unmap removes the
 * record; the last mapping of a page lets its pin go. While a mapping lives
 * its pages are pinned (strict).
 *
 * A device is named by its domain and its guest id, never by a pointer: it may
 * be unplugged while another thread maps.
 */
#ifndef VIADUCT_DEVICE_H
#define VIADUCT_DEVICE_H

#include <viaduct/domain.h>
#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vd_device_ops {
	size_t size; /* sizeof(struct vd_device_ops) */
	/*
	 * Stop the device's DMA and wait until none is in flight. After 0 the
	 * device must not start DMA until its owner lets it. Called without
	 * locks, by deny, revoke, detach and destroy; may sleep; not called
	 * twice at once for a device. Anything but 0 means: not quiet.
	 */
	int (*quiesce)(void *opaque);
};

/**
 * struct vd_device_cfg - a device to attach
 * @size:     sizeof(struct vd_device_cfg)
 * @guest_id: what the guest calls it (PCI: bus << 8 | device << 3 | function)
 * @host_id:  what the host calls it (PCI: domain << 16 | bus << 8 | ...; a
 *            domain has up to 32 bits)
 * @ops:      copied
 * @opaque:   passed to @ops
 */
struct vd_device_cfg {
	size_t size;
	uint32_t guest_id;
	uint64_t host_id;
	const struct vd_device_ops *ops;
	void *opaque;
};

/**
 * vd_device_attach() - give a device to a domain; it begins permitted
 *
 * Waits while the pin table is being dropped (vd_domain_drop_pins()).
 *
 * Return: 0, -EINVAL, -EEXIST (guest id or host id taken in this domain),
 * -ENOSPC (max_devices), -ENOMEM
 */
int vd_device_attach(struct vd_domain *d, const struct vd_device_cfg *cfg);

/**
 * vd_device_detach() - take a device away: revoke all, then forget it
 *
 * Return: 0, -ENODEV, -EBUSY (being quiesced by another thread), -EIO (could
 * not be quiesced: it stays attached and denied, its pins are kept)
 */
int vd_device_detach(struct vd_domain *d, uint32_t guest_id);

/**
 * vd_device_deny() - forbid DMA and revoke what is mapped
 *
 * In this order (X4): new maps are refused with -EPERM and translations fault;
 * the device is quiesced; the mappings end and the pins drop. Denying a denied
 * device is no error.
 *
 * Return: 0, -ENODEV, -EBUSY, -EIO (denied, but its pins are kept)
 */
int vd_device_deny(struct vd_domain *d, uint32_t guest_id);

/**
 * vd_device_permit() - allow maps again
 *
 * Waits while the pin table is being dropped (vd_domain_drop_pins()).
 *
 * Return: 0, -ENODEV, -EBUSY, -EIO (an earlier deny could not quiesce the
 * device and its pins are still kept: deny again first)
 */
int vd_device_permit(struct vd_domain *d, uint32_t guest_id);

/**
 * vd_device_revoke() - end all mappings of a device (guest reset, HAL unload)
 *
 * As deny, but the device is permitted afterwards if it was before.
 *
 * Return: as vd_device_deny()
 */
int vd_device_revoke(struct vd_domain *d, uint32_t guest_id);

/**
 * vd_device_settle() - wait until no other thread is quiescing a device
 *
 * For whom -EBUSY is no answer. Must not be called by a quiesce callback.
 *
 * Return: 0, -ENODEV
 */
int vd_device_settle(struct vd_domain *d, uint32_t guest_id);

/**
 * struct vd_life - a device in one life
 * @guest_id:    which device
 * @incarnation: which of its lives (struct vd_device_info); 0: whichever it is
 *               in
 *
 * A device begins a new life when it is attached, when it is permitted after a
 * deny, and when it is revoked: it has been quiesced, and nothing is left of
 * what it had mapped. Who still acts for an earlier life (a guest's driver that
 * has not seen the deny) must not reach what belongs to the new one.
 */
struct vd_life {
	uint32_t guest_id;
	uint32_t incarnation;
};

/**
 * struct vd_seg - one run of guest memory to map
 * @gpa:  first guest address, any byte
 * @len:  bytes, not 0
 * @prot: VD_READ, VD_WRITE or both
 * @iova: out: bus address of @gpa
 */
struct vd_seg {
	vd_gpa gpa;
	uint64_t len;
	unsigned int prot;
	vd_iova iova;
};

/* A map call holds at most this many segments and pages. */
#define VD_MAP_MAX_SEGS	 256
#define VD_MAP_MAX_PAGES 4096

/**
 * vd_device_map() - let a device reach guest memory
 * @segs:  in and out
 * @nsegs: 1 .. VD_MAP_MAX_SEGS; all their pages at most VD_MAP_MAX_PAGES
 * @mask:  highest bus address that the device can use
 *
 * All or nothing: on error nothing has changed, no page stays pinned, and
 * @segs is as it was. Each segment becomes one mapping and one run on the bus.
 * The same memory may be mapped any number of times.
 *
 * Locking: takes the domain's lock. May sleep.
 *
 * Return: 0, or
 *  -EINVAL     @nsegs, a length of 0, an empty or unknown prot
 *  -EOVERFLOW  gpa + len wraps
 *  -ENODEV     no such device
 *  -EPERM      the device is denied
 *  -EBUSY      the device is being quiesced
 *  -EFAULT     part of a segment is not guest memory, or it spans two
 *              stretches of guest memory
 *  -EDQUOT     the budget does not allow it
 *  -ENOSPC     the device has max_mappings, all devices together have as many
 *              as memory and budget allow (VD_DOMAIN_SPARE_MAPPINGS), or the
 *              host's table is full
 *  -EXDEV      a segment is not contiguous on the bus
 *  -ERANGE     a bus address lies above @mask
 *  -EEXIST     the host put a segment where the device already sees other
 *              memory: a host that does not hold on to what it pins
 *  -ENOMEM     out of host memory
 */
int vd_device_map(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
		  size_t nsegs, uint64_t mask);

/**
 * vd_device_map_as() - as vd_device_map(), if the device is in that life
 *
 * Return: as vd_device_map(), or
 *  -EPERM      also: the device is in another life
 */
int vd_device_map_as(struct vd_domain *d, struct vd_life who,
		     struct vd_seg *segs, size_t nsegs, uint64_t mask);

/**
 * vd_device_unmap() - end one mapping
 * @iova, @len: exactly what a map gave; of several such mappings one ends
 *
 * Needs no memory. Works in every state of the device; while it is being
 * quiesced, or could not be, the mapping ends but its pin is kept until the
 * device is quiet.
 *
 * Return: 0, -ENODEV, -ENOENT (no such mapping: nothing changed)
 */
int vd_device_unmap(struct vd_domain *d, uint32_t guest_id, vd_iova iova,
		    uint64_t len);

/**
 * vd_device_unmap_segs() - end several mappings at once
 * @segs:  of each, @iova and @len are looked at
 * @nsegs: 1 .. VD_MAP_MAX_SEGS
 * @done:  out: how many ended; written also on error
 *
 * As vd_device_unmap() for each in order, but much cheaper: the pins end
 * together. Stops at the first that fails.
 *
 * Return: 0, -EINVAL (@nsegs), -ENODEV, -ENOENT (segment @done names no
 * mapping; those before it have ended)
 */
int vd_device_unmap_segs(struct vd_domain *d, uint32_t guest_id,
			 const struct vd_seg *segs, size_t nsegs, size_t *done);

/**
 * vd_device_unmap_as() - as vd_device_unmap_segs(), if the device is in that life
 *
 * Return: as vd_device_unmap_segs(), or
 *  -EPERM   the device is in another life: what an earlier one had mapped ended
 *           with it
 */
int vd_device_unmap_as(struct vd_domain *d, struct vd_life who,
		       const struct vd_seg *segs, size_t nsegs, size_t *done);

/**
 * vd_device_translate() - which guest memory does a bus address mean?
 * @prot: VD_READ or VD_WRITE: what the device does
 * @out:  not written on error
 *
 * What a device model or translation hardware asks. A refusal is recorded as
 * a fault (vd_domain_next_fault()). What the pin table has pinned is reached by
 * every permitted device, in either direction; it is looked for last and one by
 * one, so that this takes the longer the more is cached. The domain's lock is
 * dropped now and then meanwhile.
 *
 * Return: 0, -EINVAL (@prot), -ENODEV, -EPERM (denied), -ENOENT, -EACCES
 */
int vd_device_translate(struct vd_domain *d, uint32_t guest_id, vd_iova iova,
			unsigned int prot, vd_gpa *out);

/**
 * vd_device_reverse() - by which bus address does a device reach this byte?
 *
 * By a mapping, or else by the pin table.
 *
 * Return: 0, -ENODEV, -ENOENT
 */
int vd_device_reverse(struct vd_domain *d, uint32_t guest_id, vd_gpa gpa,
		      vd_iova *out);

struct vd_mapping {
	vd_iova iova;
	vd_gpa gpa;
	uint64_t len;
	unsigned int prot;
};

/**
 * vd_device_mappings() - list mappings by ascending bus address
 * @from: leave out this many of the first
 * @out:  room for @max; may be NULL if @max is 0
 * @n:    out: how many were written
 *
 * The domain's lock is dropped after every 256 mappings, those that are left out
 * included: what follows may see changes.
 *
 * Return: 0, -ENODEV
 */
int vd_device_mappings(struct vd_domain *d, uint32_t guest_id, size_t from,
		       struct vd_mapping *out, size_t max, size_t *n);

enum vd_device_state {
	VD_DEVICE_PERMITTED,
	VD_DEVICE_DENIED,
	VD_DEVICE_QUIESCING, /* a deny, revoke or detach is under way */
	VD_DEVICE_STUCK,     /* denied; not quiesced; pins kept */
	VD_DEVICE_STATES,
};

/** vd_device_state_name() - a stable lower-case word for @s */
const char *vd_device_state_name(enum vd_device_state s);

struct vd_device_info {
	size_t size;
	uint32_t guest_id;
	uint64_t host_id;
	enum vd_device_state state;
	uint32_t incarnation; /* not 0; no two lives in a domain share one */
	uint64_t nmappings;
	uint64_t mapped;       /* bytes */
	uint64_t maps, unmaps; /* segments, since it was attached */
	uint64_t translations;
	uint64_t refused; /* map calls that failed */
	uint64_t faults;  /* refused translations */
	uint64_t denies;  /* permitted -> denied */
};

/**
 * vd_device_info() - one device
 *
 * Return: 0, -ENODEV
 */
int vd_device_info(struct vd_domain *d, uint32_t guest_id,
		   struct vd_device_info *out);

/**
 * vd_device_next() - the device with the lowest guest id not below @guest_id
 *
 * To walk all devices while others attach and detach: begin at 0, go on at
 * out->guest_id + 1.
 *
 * Return: 0, -ENOENT (there is none)
 */
int vd_device_next(struct vd_domain *d, uint64_t guest_id,
		   struct vd_device_info *out);

#ifdef __cplusplus
}
#endif
#endif
