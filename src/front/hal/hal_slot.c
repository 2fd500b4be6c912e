/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests: decode, check, call the engine, encode.
 *
 * The guest may change its page at any moment, so the page is copied once and
 * only the copy is looked at. Of the answer only what the guest may read is
 * written back: status and done, and for MAP, PIN and DEVICES the segments.
 *
 * Whatever the guest writes ends in a status. A request's cost is bounded by
 * its 254 segments and VD_MAP_MAX_PAGES.
 */
#include "hal_slot.h"

#include <container.h>
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <viaduct/pins.h>

struct errno_row {
	int err;
	uint32_t status;
};

static uint32_t status_of(int err)
{
	static const struct errno_row rows[] = {
		{ 0, VD_HAL_S_OK },
		{ -EINVAL, VD_HAL_S_INVAL },
		{ -EOVERFLOW, VD_HAL_S_FAULT },
		{ -EFAULT, VD_HAL_S_FAULT },
		{ -EEXIST, VD_HAL_S_FAULT },
		{ -ENODEV, VD_HAL_S_NODEV },
		{ -EPERM, VD_HAL_S_DENIED },
		{ -EDQUOT, VD_HAL_S_BUDGET },
		{ -ENOSPC, VD_HAL_S_FULL },
		{ -EXDEV, VD_HAL_S_DISCONTIG },
		{ -ERANGE, VD_HAL_S_MASK },
		{ -ENOENT, VD_HAL_S_NOENT },
		{ -ENOMEM, VD_HAL_S_NOMEM },
		{ -EBUSY, VD_HAL_S_BUSY },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].err == err)
			return rows[i].status;
	}
	return VD_HAL_S_NOMEM;
}

/* A request in our own words. @done: in 0, out: segments done. */
struct request {
	struct hal_slot *slot;
	struct vd_domain *domain;
	struct vd_life who;
	uint32_t count;
	uint64_t mask;
	uint32_t done;
};

typedef int map_fn(struct vd_domain *d, struct vd_life who, struct vd_seg *segs,
		   size_t nsegs, uint64_t mask);

static int map_by(struct request *r, map_fn *map)
{
	struct vd_seg *seg = r->slot->seg;
	struct vd_hal_seg *wire = r->slot->copy.seg;
	int err;

	for (uint32_t i = 0; i < r->count; i++) {
		seg[i].gpa.v = le64toh(wire[i].addr);
		seg[i].len = le32toh(wire[i].len);
		seg[i].prot = le32toh(wire[i].prot);
	}
	err = map(r->domain, r->who, seg, r->count, r->mask);
	if (err)
		return err;
	for (uint32_t i = 0; i < r->count; i++)
		wire[i].addr = htole64(seg[i].iova.v);
	r->done = r->count;
	return 0;
}

static int run_map(struct request *r)
{
	return map_by(r, vd_device_map_as);
}

static int run_pin(struct request *r)
{
	return map_by(r, vd_device_pin_as);
}

/* How many of the first segments are well formed. */
static uint32_t decode_unmap(struct request *r)
{
	struct vd_seg *seg = r->slot->seg;
	const struct vd_hal_seg *wire = r->slot->copy.seg;
	uint32_t i;

	for (i = 0; i < r->count; i++) {
		if (wire[i].prot != 0 || wire[i].len == 0)
			break;
		seg[i].iova.v = le64toh(wire[i].addr);
		seg[i].len = le32toh(wire[i].len);
	}
	return i;
}

static int run_unmap(struct request *r)
{
	uint32_t n = decode_unmap(r);
	size_t done = 0;
	int err;

	if (r->mask != 0 || n == 0)
		return -EINVAL;
	err = vd_device_unmap_as(r->domain, r->who, r->slot->seg, n, &done);
	r->done = (uint32_t)done;
	return !err && n < r->count ? -EINVAL : err;
}

static int run_devices(struct request *r)
{
	struct vd_device_info info = { .size = sizeof(info) };
	struct vd_hal_seg *wire = r->slot->copy.seg;
	uint64_t next = 0;

	if (r->who.guest_id != 0 || r->mask != 0)
		return -EINVAL;
	for (r->done = 0; r->done < r->count; r->done++) {
		if (vd_device_next(r->domain, next, &info) != 0)
			break;
		next = (uint64_t)info.guest_id + 1;
		wire[r->done] = (struct vd_hal_seg){
			.addr = htole64(info.guest_id),
			.len = htole32(info.incarnation),
			.prot = htole32(info.state == VD_DEVICE_PERMITTED),
		};
	}
	return 0;
}

/* Only the check: what it means is the embedder's (struct vd_hal_ops). */
static int run_admit(struct request *r)
{
	static const int refusal[VD_DEVICE_STATES] = {
		[VD_DEVICE_DENIED] = -EPERM,
		[VD_DEVICE_QUIESCING] = -EBUSY,
		[VD_DEVICE_STUCK] = -EPERM,
	};
	const struct vd_hal_seg *seg = r->slot->copy.seg;
	struct vd_device_info info = { .size = sizeof(info) };
	int err;

	if (r->mask != 0 || r->count != 1 || seg->addr != 0 || seg->len != 0 ||
	    seg->prot != 0)
		return -EINVAL;
	err = vd_device_info(r->domain, r->who.guest_id, &info);
	if (err)
		return err;
	if (refusal[info.state])
		return refusal[info.state];
	return info.incarnation == r->who.incarnation ? 0 : -EPERM;
}

struct request_op {
	int (*run)(struct request *r);
	bool answers_segs; /* writes segments back */
	uint32_t needs;	   /* VD_HAL_F_* that the guest has accepted, or 0 */
};

static const struct request_op request_ops[] = {
	[VD_HAL_OP_MAP] = { run_map, true, 0 },
	[VD_HAL_OP_UNMAP] = { run_unmap, false, 0 },
	[VD_HAL_OP_DEVICES] = { run_devices, true, 0 },
	[VD_HAL_OP_PIN] = { run_pin, true, VD_HAL_F_PINS },
	[VD_HAL_OP_ADMIT] = { run_admit, false, VD_HAL_F_ADMIT },
};

static const struct request_op *find_op(uint32_t op)
{
	if (op >= ARRAY_LEN(request_ops) || !request_ops[op].run)
		return NULL;
	return &request_ops[op];
}

/* Who has accepted lives names one, who has not leaves the field 0. */
static bool is_life_sane(const struct request_op *op, const struct request *r)
{
	bool named = r->who.incarnation != 0;

	if (op->run == run_devices)
		return !named;
	return named == ((r->slot->features & VD_HAL_F_LIVES) != 0);
}

static uint32_t run(struct request *r, const struct request_op *op)
{
	if (!op || op->needs & ~r->slot->features)
		return VD_HAL_S_UNSUPP;
	if (r->count == 0 || r->count > VD_HAL_NSEGS || !is_life_sane(op, r))
		return VD_HAL_S_INVAL;
	return status_of(op->run(r));
}

/* The segments first: who reads an answer looks at the status before them. */
static void answer(const struct request *r, bool segs, uint32_t status)
{
	struct vd_hal_slot *copy = &r->slot->copy;
	vd_gpa at = { r->slot->gpa.v + offsetof(struct vd_hal_slot, seg) };
	vd_gpa tail = { r->slot->gpa.v +
			offsetof(struct vd_hal_slot, head.status) };

	copy->head.status = htole32(status);
	copy->head.done = htole32(r->done);
	if (segs)
		vd_domain_copy_out(r->domain, at, copy->seg,
				   r->done * sizeof(copy->seg[0]));
	vd_domain_copy_out(r->domain, tail, &copy->head.status,
			   2 * sizeof(vd_le32));
}

struct hal_result hal_slot_run(struct hal_slot *s, struct vd_domain *d)
{
	const struct vd_hal_head *head = &s->copy.head;
	const struct request_op *op;
	struct request r = { .slot = s, .domain = d };
	uint32_t status;

	if (vd_domain_copy_in(d, s->gpa, &s->copy, sizeof(s->copy)) != 0)
		return (struct hal_result){ .status = VD_HAL_S_FAULT };
	r.who.guest_id = le32toh(head->device);
	r.who.incarnation = le32toh(head->life);
	r.count = le32toh(head->count);
	r.mask = le64toh(head->mask);
	op = find_op(le32toh(head->op));
	status = run(&r, op);
	answer(&r, op && op->answers_segs, status);
	return (struct hal_result){
		.op = op ? le32toh(head->op) : 0,
		.status = status,
		.nsegs = r.done,
		.who = r.who,
	};
}
