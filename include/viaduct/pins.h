/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared pin table: mapping without leaving the guest.
 *
 * A domain may share one table with its guest: a 64-bit word per guest page,
 * word i for the page at guest address i << 12 (layout: VD_HAL_WORD_* in
 * abi/hal.h). A page is pinned by a request (vd_device_pin()) and then stays
 * pinned: it is cached. Whoever maps a cached page adds one to the count in its
 * word, whoever unmaps takes one off, by one atomic operation and without the
 * host. The host unpins what has not been used for a while, by a
 * compare-and-swap to 0 that fails while the count is above 0.
 *
 * What is pinned stands in records of the domain's own; a word is only a hint
 * which page may be let go, whatever the guest writes there. A guest that lies
 * in its words deceives its own devices, as it can without any words.
 *
 * The host does not see who maps a cached page, so a cached page counts as
 * reachable by every device of the domain that is not denied. Hence pages with
 * a count above 0 stay pinned until the guest has unmapped them or all devices
 * are denied or revoked (vd_domain_drop_pins()).
 *
 * While a device is being quiesced, or could not be, no cached page is unpinned
 * at all, as no mapping's pin is.
 *
 * Cached pages are pinned pages: they count against the budget, but a map or
 * pin that the budget does not allow first takes what nobody holds, and so do
 * vd_domain_set_budget() and vd_domain_discard().
 */
#ifndef VIADUCT_PINS_H
#define VIADUCT_PINS_H

#include <viaduct/device.h>
#include <viaduct/domain.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * vd_domain_share_pins() - give a domain its table
 * @word:   zeroed; borrowed until vd_domain_destroy(); the guest may write it
 *          at any moment
 * @nwords: how many; guest memory beyond them cannot be cached
 *
 * Return: 0, -EINVAL (NULL, not 8-byte aligned, 0 or more than 2^40 words),
 * -EEXIST (it has one), -ENOMEM
 */
int vd_domain_share_pins(struct vd_domain *d, uint64_t *word, uint64_t nwords);

/**
 * vd_domain_set_around() - pin neighbours as well
 * @shift: a page that has to be pinned brings those of its aligned 2^@shift
 *         pages that are memory and not pinned yet; 0 (none) .. 8
 *
 * As far as the budget has room and at no other page's expense; a request of more
 * than 512 pages brings none. They begin
 * unused, so those that nobody maps are let go by the second
 * vd_domain_age() from then.
 *
 * Return: 0, -EINVAL
 */
int vd_domain_set_around(struct vd_domain *d, unsigned int shift);

/**
 * vd_device_pin() - map segments by the table
 * @segs, @nsegs, @mask: as vd_device_map()
 *
 * On success all pages are pinned, the count of each is one more for every
 * segment that touches it, and @segs has the bus addresses. To unmap is the
 * guest's to do, in the words. On error no count has changed and @segs is as
 * it was; pages may have become cached.
 *
 * Return: as vd_device_map() but for -EEXIST, or
 *  -EFAULT   also: guest memory beyond the table
 *  -EBUSY    also: a count is as high as counts may be
 *  -ENOTSUP  the domain has no table
 */
int vd_device_pin(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
		  size_t nsegs, uint64_t mask);

/**
 * vd_device_pin_as() - as vd_device_pin(), if the device is in that life
 *
 * Return: as vd_device_pin(), or
 *  -EPERM    also: the device is in another life
 */
int vd_device_pin_as(struct vd_domain *d, struct vd_life who,
		     struct vd_seg *segs, size_t nsegs, uint64_t mask);

/**
 * vd_domain_reclaim() - unpin cached pages now
 * @bytes: how much is wanted; UINT64_MAX: all that nobody holds
 *
 * First those unused since the last vd_domain_age(), then others; never one
 * whose count is above 0. Stops when it has enough. Each call goes on where the
 * last one stopped.
 *
 * Return: by how many bytes what is pinned has become less
 */
uint64_t vd_domain_reclaim(struct vd_domain *d, uint64_t bytes);

/**
 * vd_domain_age() - let go what has not been used for a while
 * @now_ms: the time, by any clock that only moves on; kept for
 *          vd_domain_why_pinned()
 *
 * To be called at regular intervals. A cached page that nobody holds, and that
 * has not been mapped since the last call, is unpinned. So a page is unpinned
 * by the second call after its last use.
 *
 * Return: by how many bytes what is pinned has become less
 */
uint64_t vd_domain_age(struct vd_domain *d, uint64_t now_ms);

/**
 * vd_domain_drop_pins() - unpin every cached page, whatever its count, and
 * clear the table
 *
 * For the end of a guest's HAL: the caller sees to it that no device of the
 * domain does DMA, and that none begins, until this returns (all have been
 * denied or revoked and not started since). vd_device_deny() of the last
 * device that was not denied does it by itself.
 *
 * The domain's lock is dropped now and then meanwhile. What vd_device_pin() would
 * pin, vd_device_permit(), vd_device_attach() and another drop wait until it is
 * done; so nothing is pinned, and no device begins, in between.
 *
 * Return: 0, or -EIO if a device is stuck or being quiesced: nothing is
 * unpinned then, but the table is cleared. Those pages are unpinned as soon as
 * no device is (a vd_device_revoke(), vd_device_deny() or vd_device_detach() that
 * succeeds), and are cached again if the guest pins them before.
 */
int vd_domain_drop_pins(struct vd_domain *d);

#define VD_WHY_DEVICES 8
#define VD_WHY_AROUND  UINT32_MAX

/**
 * struct vd_why - why a page is pinned
 * @size:     sizeof(struct vd_why)
 * @pinned:   it is; with neither of the next two it is because another page of
 *            its granule is, or because of a mapping that ended while its
 *            device could not be stopped
 * @mappings: mappings by vd_device_map() that touch the page; exact, unless they
 *            change while they are counted: the lock is dropped every 256
 * @by, @nby: guest ids of the devices that have them, ascending; @nby is how
 *            many, of which at most VD_WHY_DEVICES are listed
 * @cached:   it is pinned by the table; what follows is 0 otherwise
 * @used:     mapped since the last vd_domain_age(), says the guest
 * @held:     count in its word: how many say now that they map it. The guest's
 *            word for it as well.
 * @device:   who asked last that it be pinned: guest id. Others that mapped it
 *            since then, without a request, are not known. VD_WHY_AROUND if it
 *            came as a neighbour and nobody has asked since.
 * @asked:    how many segments of requests touched it since it was pinned
 * @since_ms: now_ms of the last vd_domain_age() before it was pinned
 * @asked_ms: the same of the last request
 */
struct vd_why {
	size_t size;
	bool pinned;
	bool cached;
	bool used;
	uint32_t device;
	uint64_t mappings;
	uint32_t by[VD_WHY_DEVICES];
	uint32_t nby;
	uint64_t held;
	uint64_t asked;
	uint64_t since_ms, asked_ms;
};

/**
 * vd_domain_why_pinned() - who keeps a page from being swapped?
 * @gpa: any byte of it
 *
 * Return: 0, -EFAULT (not guest memory), -ENOENT (it is not pinned)
 */
int vd_domain_why_pinned(struct vd_domain *d, vd_gpa gpa, struct vd_why *out);

/**
 * struct vd_pins_stats - the table, a snapshot
 * @size:   sizeof(struct vd_pins_stats)
 * @cached: bytes pinned by it
 * @held:   bytes of these whose count is above 0: mapped, if the guest says
 *          the truth
 * @requests, @asked, @pinned: pin calls that succeeded, pages that they named,
 *          pages that they had to pin (neighbours included)
 * @aged, @reclaimed, @dropped: pages unpinned by vd_domain_age(), for want of
 *          budget or by vd_domain_reclaim(), and by force
 */
struct vd_pins_stats {
	size_t size;
	uint64_t nwords;
	uint64_t cached, held;
	uint64_t requests, asked, pinned;
	uint64_t aged, reclaimed, dropped;
};

/**
 * vd_domain_pins_stats() - how the table is used
 *
 * Looks at every cached page's word: its cost grows with what is pinned. The
 * domain's lock is dropped now and then meanwhile, so @held is of some moments.
 */
void vd_domain_pins_stats(struct vd_domain *d, struct vd_pins_stats *out);

#ifdef __cplusplus
}
#endif
#endif
