/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of registered buffers holds 16,384 slots. One
 * IORING_REGISTER_BUFFERS_UPDATE call replaces any number of neighbouring
 * slots, and costs a third of what a call for each does; so the slots of a
 * batch are taken as runs. A buffer with a null base empties its slot.
 *
 * An update may stop half way: it then says how many it did, and the same call
 * for the rest says why. Before Linux 6.12 or so emptying a slot needs a little
 * kernel memory and can fail: such a slot is stale, its page stays pinned, and
 * it is tried again at every later pin or unpin.
 *
 * A kernel that is late (group.h) gets pins of up to a map's pages as groups: a
 * slot of a second table for each page, linked. Longer ones, which only whoever
 * pins all of a guest's memory makes, are buffers there as well.
 *
 * A handle is ring number << 14 | slot, and GROUP if it is one of groups.
 */
#include "ring.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>
#include <string.h>

#define SLOT_SHIFT   14
#define DEFAULT_PINS ((uint64_t)1 << 20)
#define RETRIES	     16
#define GROUP	     ((uint64_t)1 << 63)
#define GROUP_MOST   4096u /* pages of a pin: VD_MAP_MAX_PAGES */
#define STALE_TRIES  64	   /* at a time */

static int update_kernel(struct ring *r, uint32_t first,
			 const struct iovec *iov, uint32_t n)
{
	return io_uring_register_buffers_update_tag(&r->uring, first, iov, NULL,
						    n);
}

static int create_error(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE ? -ENOMEM :
								    -ENOTSUP;
}

/* What is needed of a late kernel, if this is one: 0 or -errno. */
static int open_groups(struct rings *rs, struct ring *r)
{
	int late;

	if (rs->n == 0) { /* once: it pins a page of its own for a second */
		late = group_is_needed(&r->uring);
		if (late < 0)
			return create_error(late);
		rs->late = late;
	}
	if (!rs->late)
		return 0;
	r->groups.next = mem_zalloc(SLOTS_MAX, sizeof(*r->groups.next));
	return r->groups.next ? 0 : -ENOMEM;
}

static void ring_close(struct ring *r)
{
	mem_free(r->groups.next);
	io_uring_queue_exit(&r->uring);
}

static int ring_open(struct rings *rs, struct ring *r)
{
	int err = io_uring_queue_init(1, &r->uring, 0);

	if (err)
		return create_error(err);
	err = io_uring_register_buffers_sparse(&r->uring, SLOTS_MAX);
	if (err) {
		io_uring_queue_exit(&r->uring);
		return create_error(err);
	}
	err = open_groups(rs, r);
	if (err)
		ring_close(r);
	return err;
}

static int add_ring(struct rings *rs)
{
	struct ring *r;
	int err;

	if (rs->n == rs->max)
		return -ENOSPC;
	r = mem_zalloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	err = ring_open(rs, r);
	if (err)
		goto err_free;
	if (rs->on_ring)
		err = rs->on_ring(rs->opaque, r->uring.ring_fd);
	if (err)
		goto err_close;

	/* Nothing below can fail. */
	rs->current = rs->n;
	rs->ring[rs->n++] = r;
	return 0;

err_close:
	ring_close(r);
err_free:
	mem_free(r);
	return err;
}

int rings_init(struct rings *rs, const struct vd_noiommu_cfg *cfg)
{
	int err;

	memset(rs, 0, sizeof(*rs));
	rs->max_pins = cfg->max_pins ? cfg->max_pins : DEFAULT_PINS;
	if (rs->max_pins > (uint64_t)UINT32_MAX << SLOT_SHIFT)
		return -EINVAL;
	rs->max = (uint32_t)((rs->max_pins + SLOTS_MAX - 1) / SLOTS_MAX);
	rs->on_ring = cfg->on_ring;
	rs->opaque = cfg->opaque;
	rs->update = update_kernel;
	rs->group = group_kernel;
	rs->ring = mem_zalloc(rs->max, sizeof(struct ring *));
	if (!rs->ring)
		return -ENOMEM;
	err = add_ring(rs);
	if (err)
		mem_free(rs->ring);
	return err;
}

void rings_end(struct rings *rs)
{
	for (uint32_t i = 0; i < rs->n; i++) {
		struct ring *r = rs->ring[i];

		/* One with pins stays open: see host.h. */
		if (r->slots.nused == 0 && r->groups.slots.nused == 0)
			io_uring_queue_exit(&r->uring);
		mem_free(r->groups.next);
		mem_free(r);
	}
	mem_free(rs->ring);
}

/*
 * Empty @n slots from @first. The kernel's answer to a failed update is the
 * number it did, so what is left after the last success is stale.
 */
static void empty_slots(struct rings *rs, struct ring *r, uint32_t first,
			uint32_t n)
{
	memset(rs->iov, 0, n * sizeof(rs->iov[0]));
	while (n) {
		int did = rs->update(r, first, rs->iov, n);

		if (did <= 0)
			break;
		slots_give(&r->slots, first, (uint32_t)did);
		rs->npins -= (uint32_t)did;
		first += (uint32_t)did;
		n -= (uint32_t)did;
	}
	for (; n; n--, first++) {
		r->stale[first / 64] |= (uint64_t)1 << (first % 64);
		rs->nstale++;
	}
}

/* Some of them: there may be thousands, and others wait. */
static void retry_stale_ring(struct rings *rs, struct ring *r, int *tries)
{
	for (uint32_t i = 0; i<SLOTS_MAX && * tries> 0; i++) {
		uint64_t bit = (uint64_t)1 << (i % 64);

		if (!r->stale[i / 64])
			i |= 63;
		if (!(r->stale[i / 64] & bit))
			continue;
		r->stale[i / 64] &= ~bit;
		rs->nstale--;
		--*tries;
		empty_slots(rs, r, i, 1);
	}
}

static void retry_stale(struct rings *rs)
{
	int tries = STALE_TRIES;

	for (uint32_t i = 0; rs->nstale && i < rs->n && tries > 0; i++)
		retry_stale_ring(rs, rs->ring[i], &tries);
}

static const struct slots *slots_of(const struct ring *r, bool group)
{
	return group ? &r->groups.slots : &r->slots;
}

/* A ring with a free slot of that kind, made if need be. */
static int pick_ring(struct rings *rs, bool group)
{
	for (uint32_t i = 0; i < rs->n; i++) {
		uint32_t at = (rs->current + i) % rs->n;

		if (slots_of(rs->ring[at], group)->nused < SLOTS_MAX) {
			rs->current = at;
			return 0;
		}
	}
	return add_ring(rs);
}

/* Register rs->iov. All or nothing; -ENOMEM or -EFAULT. */
static int fill_slots(struct rings *rs, struct ring *r, uint32_t first,
		      uint32_t n)
{
	uint32_t done = 0;
	int retries = 0, did;

	while (done < n) {
		did = rs->update(r, first + done, &rs->iov[done], n - done);
		if (did > 0) {
			done += (uint32_t)did;
		} else if ((did == -EINTR || did == -EAGAIN) &&
			   retries++ < RETRIES) {
			continue;
		} else {
			break;
		}
	}
	if (done == n)
		return 0;
	slots_give(&r->slots, first + done, n - done);
	rs->npins -= n - done;
	if (done)
		empty_slots(rs, r, first, done);
	return did == -ENOMEM || did == -EAGAIN || did == -EINTR ? -ENOMEM :
								   -EFAULT;
}

static void fill_iov(struct iovec *iov, const struct vd_pin *pin, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		iov[i].iov_base = pin[i].hva;
		iov[i].iov_len = pin[i].npages * VD_PAGE_SIZE;
	}
}

/* Pin some of @npins, at least one: how many, or -errno. */
static int pin_some(struct rings *rs, struct vd_pin *pin, size_t npins)
{
	uint64_t want = npins < RING_BATCH ? npins : RING_BATCH;
	uint32_t first, n;
	int err;

	if (want > rs->max_pins - rs->npins)
		want = rs->max_pins - rs->npins;
	if (want == 0)
		return -ENOSPC;
	err = pick_ring(rs, false);
	if (err)
		return err;
	n = slots_take(&rs->ring[rs->current]->slots, (uint32_t)want, &first);
	rs->npins += n;
	fill_iov(rs->iov, pin, n);
	err = fill_slots(rs, rs->ring[rs->current], first, n);
	if (err)
		return err;
	for (uint32_t i = 0; i < n; i++)
		pin[i].handle =
			(uint64_t)rs->current << SLOT_SHIFT | (first + i);
	return (int)n;
}

/* --- a late kernel ---------------------------------------------------- */

static bool is_group(const struct rings *rs, const struct vd_pin *pin)
{
	return rs->late && pin->npages <= GROUP_MOST;
}

/* One page, before those that begin at *handle; it becomes the first. */
static int pin_page(struct rings *rs, unsigned char *hva, uint64_t *handle)
{
	struct groups *g;
	uint32_t slot;
	int err;

	if (rs->npins == rs->max_pins)
		return -ENOSPC;
	err = pick_ring(rs, true);
	if (err)
		return err;
	g = &rs->ring[rs->current]->groups;
	slots_take(&g->slots, 1, &slot);
	err = rs->group(&rs->ring[rs->current]->uring, slot, hva);
	if (err) {
		slots_give(&g->slots, slot, 1);
		return err == -ENOMEM || err == -EAGAIN || err == -EINTR ?
			       -ENOMEM :
			       -EFAULT;
	}
	rs->npins++;
	g->next[slot] = *handle;
	*handle = (uint64_t)rs->current << SLOT_SHIFT | slot;
	return 0;
}

static void unpin_pages(struct rings *rs, uint64_t handle)
{
	while (handle != GROUP_NONE) {
		struct ring *r = rs->ring[handle >> SLOT_SHIFT];
		uint32_t slot = handle & (SLOTS_MAX - 1);

		handle = r->groups.next[slot];
		/* Needs no memory. If it fails all the same the page stays
		 * pinned, and its slot taken. */
		if (rs->group(&r->uring, slot, NULL) != 0)
			continue;
		slots_give(&r->groups.slots, slot, 1);
		rs->npins--;
	}
}

static int pin_group(struct rings *rs, struct vd_pin *pin)
{
	unsigned char *hva = pin->hva;
	uint64_t handle = GROUP_NONE;

	for (size_t i = pin->npages; i-- > 0;) {
		int err = pin_page(rs, hva + i * VD_PAGE_SIZE, &handle);

		if (err) {
			unpin_pages(rs, handle);
			return err;
		}
	}
	pin->handle = GROUP | handle;
	return 1;
}

/* --- both ------------------------------------------------------------- */

/* How many of the first pins are of the kind of the first. */
static size_t kind_run(const struct rings *rs, const struct vd_pin *pin,
		       size_t npins)
{
	size_t n = 1;

	while (rs->late && n < npins &&
	       is_group(rs, &pin[n]) == is_group(rs, pin))
		n++;
	return rs->late ? n : npins;
}

int rings_pin(struct rings *rs, struct vd_pin *pin, size_t npins)
{
	size_t done = 0;

	retry_stale(rs);
	while (done < npins) {
		size_t run = kind_run(rs, &pin[done], npins - done);
		int n = is_group(rs, &pin[done]) ?
				pin_group(rs, &pin[done]) :
				pin_some(rs, &pin[done], run);

		if (n < 0) {
			rings_unpin(rs, pin, done);
			return n;
		}
		done += (size_t)n;
	}
	return 0;
}

/* Ascending. Mostly they are already: slots are taken in ascending runs. */
static void sort(uint64_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		uint64_t x = v[i];
		uint32_t j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static void unpin_batch(struct rings *rs, const struct vd_pin *pin, uint32_t n)
{
	uint64_t *h = rs->handle;
	uint32_t nbuffers = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (pin[i].handle & GROUP)
			unpin_pages(rs, pin[i].handle & ~GROUP);
		else
			h[nbuffers++] = pin[i].handle;
	}
	n = nbuffers;
	sort(h, n);
	for (uint32_t i = 0, len; i < n; i += len) {
		for (len = 1; i + len < n && h[i + len] == h[i] + len &&
			      (h[i + len] >> SLOT_SHIFT) == h[i] >> SLOT_SHIFT;)
			len++;
		empty_slots(rs, rs->ring[h[i] >> SLOT_SHIFT],
			    h[i] & (SLOTS_MAX - 1), len);
	}
}

void rings_unpin(struct rings *rs, const struct vd_pin *pin, size_t npins)
{
	retry_stale(rs);
	while (npins) {
		uint32_t n = npins < RING_BATCH ? (uint32_t)npins : RING_BATCH;

		unpin_batch(rs, pin, n);
		pin += n;
		npins -= n;
	}
}
