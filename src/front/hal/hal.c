/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HAL device's registers and who is in charge.
 *
 * Locks, outer first:
 *	charge	 keeps HELLO, OFF and reset in order; held over in_charge()
 *	a slot's one request at a time; held while the engine works
 *	lock	 the registers and counters; nothing is called under it
 *
 * OFF and reset end charge in this order: no new request begins; in_charge()
 * hides the functions and stops their bus mastering; requests that had begun
 * end, and the slots are forgotten; every device is revoked; the pin table is
 * dropped. So nothing can be mapped after the revocation, and whoever comes into
 * charge next begins with counts of 0, whatever the last one left in them.
 */
#include "hal_slot.h"

#include <checked.h>
#include <lock.h>
#include <mem.h>
#include <sized.h>
#include <errno.h>
#include <string.h>
#include <viaduct/hal.h>
#include <viaduct/pins.h>

#define MOST_SLOTS 1024u
#define ALL_ONES   UINT64_MAX
#define REG_WIDTH  4u

struct vd_hal {
	struct vd_hal_cfg cfg;
	struct vd_hal_ops ops;
	struct hal_slot *slot; /* cfg.nslots of them; owned */
	struct lock charge;

	struct lock lock; /* guards what follows */
	uint32_t status;  /* VD_HAL_STATUS_* */
	uint32_t wanted;
	uint32_t slot_reg, slot_lo;
	uint32_t nset; /* slots that are set */
	uint32_t events;
	uint32_t below[VD_HAL_PLACES];
	struct vd_hal_stats count;
};

static bool is_pool_sane(const struct vd_hal_cfg *cfg)
{
	uint64_t last;

	if (cfg->pool_len == 0)
		return true;
	return cfg->chunk_shift >= VD_PAGE_SHIFT && cfg->chunk_shift < 32 &&
	       is_aligned(cfg->pool.v | cfg->pool_len, cfg->chunk_shift) &&
	       checked_last(cfg->pool.v, cfg->pool_len, &last) &&
	       cfg->pool_len >> VD_PAGE_SHIFT <= UINT32_MAX;
}

static bool is_sane(const struct vd_hal_cfg *cfg)
{
	return cfg->domain && cfg->granule_shift >= VD_PAGE_SHIFT &&
	       cfg->granule_shift < 32 && cfg->bus_bits <= 64 &&
	       cfg->nslots > 0 && cfg->nslots <= MOST_SLOTS &&
	       is_pool_sane(cfg);
}

int vd_hal_create(const struct vd_hal_cfg *cfg, struct vd_hal **out)
{
	struct vd_hal_cfg own;
	struct vd_hal_ops ops;
	struct vd_hal *h;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	err = sized_read(&ops, sizeof(ops), cfg->ops);
	if (err)
		return err;
	if (!is_sane(cfg) || !ops.in_charge || !ops.interrupt)
		return -EINVAL;
	h = mem_zalloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->slot = mem_zalloc(cfg->nslots, sizeof(*h->slot));
	if (!h->slot) {
		mem_free(h);
		return -ENOMEM;
	}

	/* Nothing below can fail. */
	h->cfg = *cfg;
	h->ops = ops;
	for (uint32_t i = 0; i < cfg->nslots; i++)
		lock_init(&h->slot[i].lock);
	lock_init(&h->charge);
	lock_init(&h->lock);
	*out = h;
	return 0;
}

void vd_hal_destroy(struct vd_hal *h)
{
	if (!h)
		return;
	vd_hal_reset(h);
	lock_end(&h->lock);
	lock_end(&h->charge);
	for (uint32_t i = 0; i < h->cfg.nslots; i++)
		lock_end(&h->slot[i].lock);
	mem_free(h->slot);
	mem_free(h);
}

/* Waits for the slot's request, if one runs. */
static void forget_slots(struct vd_hal *h)
{
	for (uint32_t i = 0; i < h->cfg.nslots; i++) {
		struct hal_slot *s = &h->slot[i];

		lock_take(&s->lock);
		s->set = false;
		lock_drop(&s->lock);
	}
}

/* Also when somebody else is taking the device away: then after them. */
static int revoke_one(struct vd_hal *h, uint32_t guest_id)
{
	int err;

	do {
		err = vd_device_settle(h->cfg.domain, guest_id);
		if (!err)
			err = vd_device_revoke(h->cfg.domain, guest_id);
	} while (err == -EBUSY);
	return err == -ENODEV ? 0 : err;
}

/*
 * A device that comes or goes meanwhile is the embedder's: it shows none while
 * the HAL is not in charge.
 */
static int revoke_all(struct vd_hal *h)
{
	struct vd_device_info info = { .size = sizeof(info) };
	uint64_t next = 0;
	int err = 0;

	while (vd_device_next(h->cfg.domain, next, &info) == 0) {
		if (revoke_one(h, info.guest_id) != 0)
			err = -EIO;
		next = (uint64_t)info.guest_id + 1;
	}
	return err;
}

static void clear_registers(struct vd_hal *h) MUST_HOLD(h->lock)
{
	h->status = VD_HAL_STATUS_OFF;
	h->wanted = 0;
	h->slot_reg = 0;
	h->slot_lo = 0;
	h->nset = 0;
	h->events = 0;
	h->count.in_charge = false;
	h->count.admits = false;
}

static int end_charge(struct vd_hal *h) MUST_HOLD(h->charge)
{
	bool was;
	int err;

	lock_take(&h->lock);
	was = h->count.in_charge;
	clear_registers(h);
	lock_drop(&h->lock);
	if (was)
		h->ops.in_charge(h->cfg.opaque, false);
	forget_slots(h);
	err = revoke_all(h);
	if (vd_domain_drop_pins(h->cfg.domain) != 0)
		err = -EIO;
	return err;
}

int vd_hal_reset(struct vd_hal *h)
{
	int err;

	lock_take(&h->charge);
	err = end_charge(h);
	lock_drop(&h->charge);
	return err;
}

static uint32_t offered(const struct vd_hal *h)
{
	return (h->cfg.pool_len ? VD_HAL_F_POOL : 0) |
	       (h->cfg.npins ? VD_HAL_F_PINS : 0) | VD_HAL_F_LIVES |
	       (h->ops.admit ? VD_HAL_F_ADMIT : 0) |
	       (h->cfg.spill && h->cfg.pool_len ? VD_HAL_F_SPILL : 0);
}

/* Offered, and lives with what is about them. */
static bool may_want(const struct vd_hal *h, uint32_t wanted)
{
	if (wanted & VD_HAL_F_ADMIT && !(wanted & VD_HAL_F_LIVES))
		return false;
	return !(wanted & ~offered(h));
}

static void hello(struct vd_hal *h) MUST_HOLD(h->charge)
{
	bool begins = false;

	lock_take(&h->lock);
	if (h->count.in_charge) {
		/* Twice is once. */
	} else if (!may_want(h, h->wanted) || h->nset == 0) {
		h->status = VD_HAL_STATUS_REFUSED;
	} else {
		h->status = VD_HAL_STATUS_HELLO;
		h->count.in_charge = true;
		h->count.admits = h->wanted & VD_HAL_F_ADMIT;
		h->count.hellos++;
		begins = true;
	}
	lock_drop(&h->lock);
	if (begins)
		h->ops.in_charge(h->cfg.opaque, true);
}

static void write_status(struct vd_hal *h, uint32_t value)
{
	lock_take(&h->charge);
	if (value == VD_HAL_STATUS_HELLO)
		hello(h);
	else if (value == VD_HAL_STATUS_OFF)
		end_charge(h);
	lock_drop(&h->charge);
}

static bool is_slot_page(struct vd_hal *h, vd_gpa gpa)
{
	return is_aligned(gpa.v, VD_PAGE_SHIFT) &&
	       vd_domain_check_memory(h->cfg.domain, gpa, VD_HAL_SLOT_LEN) == 0;
}

/* Gives slot SLOT its page; anything but a page of memory takes it away. */
static void write_slot(struct vd_hal *h, uint32_t high)
{
	struct hal_slot *s;
	vd_gpa gpa;
	uint32_t i;
	bool was;

	lock_take(&h->charge); /* no OFF in between */
	lock_take(&h->lock);
	i = h->slot_reg;
	gpa.v = (uint64_t)high << 32 | h->slot_lo;
	if (i >= h->cfg.nslots)
		h->count.bad_access++;
	lock_drop(&h->lock);
	if (i < h->cfg.nslots) {
		s = &h->slot[i];
		lock_take(&s->lock);
		was = s->set;
		s->gpa = gpa;
		s->set = is_slot_page(h, gpa);
		lock_take(&h->lock);
		h->nset += (uint32_t)s->set - (uint32_t)was;
		lock_drop(&h->lock);
		lock_drop(&s->lock);
	}
	lock_drop(&h->charge);
}

static bool is_in_charge(struct vd_hal *h)
{
	bool yes;

	lock_take(&h->lock);
	yes = h->count.in_charge;
	lock_drop(&h->lock);
	return yes;
}

/* WANTED does not change while the HAL is in charge. */
static uint32_t accepted(struct vd_hal *h)
{
	uint32_t wanted;

	lock_take(&h->lock);
	wanted = h->wanted;
	lock_drop(&h->lock);
	return wanted;
}

static void count_request(struct vd_hal *h, const struct hal_result *r)
{
	struct vd_hal_stats *c = &h->count;

	lock_take(&h->lock);
	c->requests++;
	c->segs += r->nsegs;
	c->status[r->status]++;
	if (r->op == VD_HAL_OP_MAP)
		c->map_requests++;
	if (r->op == VD_HAL_OP_UNMAP)
		c->unmap_requests++;
	if (r->op == VD_HAL_OP_PIN)
		c->pin_requests++;
	lock_drop(&h->lock);
}

static void count_bad_doorbell(struct vd_hal *h)
{
	lock_take(&h->lock);
	h->count.bad_doorbell++;
	lock_drop(&h->lock);
}

static bool is_admission(const struct hal_result *r)
{
	return r->op == VD_HAL_OP_ADMIT && r->status == VD_HAL_S_OK;
}

static void write_doorbell(struct vd_hal *h, uint32_t i)
{
	struct hal_result result;
	struct hal_slot *s;
	bool ran = false;

	if (i < h->cfg.nslots) {
		s = &h->slot[i];
		lock_take(&s->lock);
		/* Under the slot's lock, which end_charge() takes after it
		 * has cleared it. */
		if (s->set && is_in_charge(h)) {
			s->features = accepted(h);
			result = hal_slot_run(s, h->cfg.domain);
			ran = true;
			if (is_admission(&result))
				h->ops.admit(h->cfg.opaque, result.who.guest_id,
					     result.who.incarnation);
		}
		lock_drop(&s->lock);
	}
	if (ran)
		count_request(h, &result);
	else
		count_bad_doorbell(h);
}

/* A register that only holds what was written. */
static void write_plain(struct vd_hal *h, uint64_t off, uint32_t value)
{
	lock_take(&h->lock);
	if (off == VD_HAL_REG_WANTED && !h->count.in_charge)
		h->wanted = value;
	else if (off == VD_HAL_REG_SLOT)
		h->slot_reg = value;
	else if (off == VD_HAL_REG_SLOT_LO)
		h->slot_lo = value;
	else
		h->count.bad_access++;
	lock_drop(&h->lock);
}

static uint32_t take_events(struct vd_hal *h)
{
	uint32_t events;

	lock_take(&h->lock);
	events = h->events;
	h->events = 0;
	lock_drop(&h->lock);
	return events;
}

/* What never changes. True if @off is such a register. */
static bool read_constant(const struct vd_hal *h, uint64_t off, uint32_t *value)
{
	const struct vd_hal_cfg *cfg = &h->cfg;
	bool pool = cfg->pool_len != 0;

	switch (off) {
	case VD_HAL_REG_MAGIC:
		*value = VD_HAL_MAGIC;
		return true;
	case VD_HAL_REG_VERSION:
		*value = VD_HAL_VERSION;
		return true;
	case VD_HAL_REG_FEATURES:
		*value = offered(h);
		return true;
	case VD_HAL_REG_GRANULE:
		*value = cfg->granule_shift;
		return true;
	case VD_HAL_REG_NSLOTS:
		*value = cfg->nslots;
		return true;
	case VD_HAL_REG_POOL_LO:
		*value = pool ? (uint32_t)cfg->pool.v : 0;
		return true;
	case VD_HAL_REG_POOL_HI:
		*value = pool ? (uint32_t)(cfg->pool.v >> 32) : 0;
		return true;
	case VD_HAL_REG_POOL_LEN:
		*value = (uint32_t)(cfg->pool_len >> VD_PAGE_SHIFT);
		return true;
	case VD_HAL_REG_POOL_CHUNK:
		*value = pool ? cfg->chunk_shift : 0;
		return true;
	case VD_HAL_REG_BUS_BITS:
		*value = cfg->bus_bits ? cfg->bus_bits : 64;
		return true;
	case VD_HAL_REG_PINS_LEN:
		*value = cfg->npins;
		return true;
	default:
		return false;
	}
}

static uint32_t pins_age(struct vd_hal *h)
{
	struct vd_domain_stats stats = { .size = sizeof(stats) };

	vd_domain_stats(h->cfg.domain, &stats);
	return (uint32_t)stats.pins_cleared; /* the guest compares only */
}

void vd_hal_place_pool(struct vd_hal *h, const uint32_t below[VD_HAL_PLACES])
{
	lock_take(&h->lock);
	memcpy(h->below, below, sizeof(h->below));
	lock_drop(&h->lock);
}

static bool is_place(uint64_t off)
{
	return off >= VD_HAL_REG_POOL_BELOW(0) &&
	       off < VD_HAL_REG_POOL_BELOW(VD_HAL_PLACES);
}

static uint64_t read_state(struct vd_hal *h, uint64_t off)
{
	uint64_t value = ALL_ONES;

	lock_take(&h->lock);
	if (off == VD_HAL_REG_WANTED)
		value = h->wanted;
	else if (off == VD_HAL_REG_STATUS)
		value = h->status;
	else if (off == VD_HAL_REG_SLOT)
		value = h->slot_reg;
	else if (is_place(off))
		value = h->below[(off - VD_HAL_REG_POOL_BELOW(0)) / REG_WIDTH];
	else
		h->count.bad_access++;
	lock_drop(&h->lock);
	return value;
}

static bool is_register(struct vd_hal *h, uint64_t off, unsigned int width)
{
	if (width == REG_WIDTH && off % REG_WIDTH == 0)
		return true;
	lock_take(&h->lock);
	h->count.bad_access++;
	lock_drop(&h->lock);
	return false;
}

uint64_t vd_hal_read(struct vd_hal *h, uint64_t off, unsigned int width)
{
	uint32_t value;

	if (!is_register(h, off, width))
		return ALL_ONES;
	if (read_constant(h, off, &value))
		return value;
	if (off == VD_HAL_REG_EVENTS)
		return take_events(h);
	if (off == VD_HAL_REG_PINS_AGE)
		return pins_age(h);
	return read_state(h, off);
}

void vd_hal_write(struct vd_hal *h, uint64_t off, unsigned int width,
		  uint64_t value)
{
	uint32_t v = (uint32_t)value;

	if (!is_register(h, off, width))
		return;
	if (off == VD_HAL_REG_DOORBELL)
		write_doorbell(h, v);
	else if (off == VD_HAL_REG_STATUS)
		write_status(h, v);
	else if (off == VD_HAL_REG_SLOT_HI)
		write_slot(h, v);
	else
		write_plain(h, off, v);
}

void vd_hal_notify(struct vd_hal *h, uint32_t events)
{
	bool there;

	lock_take(&h->lock);
	there = h->count.in_charge;
	if (there)
		h->events |= events;
	lock_drop(&h->lock);
	if (there)
		h->ops.interrupt(h->cfg.opaque);
}

void vd_hal_stats(struct vd_hal *h, struct vd_hal_stats *out)
{
	struct vd_hal_stats s = { .size = sizeof(s) };

	lock_take(&h->lock);
	s = h->count;
	lock_drop(&h->lock);
	sized_write(out, &s, sizeof(s));
}
