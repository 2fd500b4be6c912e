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
 * A handle is ring number << 14 | slot.
 */
#include "ring.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>
#include <string.h>

#define SLOT_SHIFT   14
#define DEFAULT_PINS ((uint64_t)1 << 20)
#define RETRIES	     16

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

static int ring_open(struct ring *r)
{
	int err = io_uring_queue_init(1, &r->uring, 0);

	if (err)
		return create_error(err);
	err = io_uring_register_buffers_sparse(&r->uring, SLOTS_MAX);
	if (err) {
		io_uring_queue_exit(&r->uring);
		return create_error(err);
	}
	return 0;
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
	err = ring_open(r);
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
	io_uring_queue_exit(&r->uring);
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
		/* One with pins stays open: see host.h. */
		if (rs->ring[i]->slots.nused == 0)
			io_uring_queue_exit(&rs->ring[i]->uring);
		mem_free(rs->ring[i]);
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

static void retry_stale_ring(struct rings *rs, struct ring *r)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		uint64_t bit = (uint64_t)1 << (i % 64);

		if (!(r->stale[i / 64] & bit))
			continue;
		r->stale[i / 64] &= ~bit;
		rs->nstale--;
		empty_slots(rs, r, i, 1);
	}
}

static void retry_stale(struct rings *rs)
{
	for (uint32_t i = 0; rs->nstale && i < rs->n; i++)
		retry_stale_ring(rs, rs->ring[i]);
}

/* A ring with a free slot, made if need be. */
static int pick_ring(struct rings *rs)
{
	for (uint32_t i = 0; i < rs->n; i++) {
		uint32_t at = (rs->current + i) % rs->n;

		if (rs->ring[at]->slots.nused < SLOTS_MAX) {
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
	err = pick_ring(rs);
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

int rings_pin(struct rings *rs, struct vd_pin *pin, size_t npins)
{
	size_t done = 0;

	retry_stale(rs);
	while (done < npins) {
		int n = pin_some(rs, &pin[done], npins - done);

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

	for (uint32_t i = 0; i < n; i++)
		h[i] = pin[i].handle;
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
