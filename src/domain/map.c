/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device's driver and its hardware ask for: map, unmap, translate, and
 * the look-ups. Checks what does not need the indexes, counts refusals, and
 * leaves the work to mapping.c.
 */
#include "evict.h"

#include <checked.h>
#include <container.h>
#include <errno.h>
#include <viaduct/pins.h>

static int check_seg(const struct vd_seg *seg, uint64_t *npages)
{
	uint64_t last;

	if (seg->len == 0 || seg->prot == 0 ||
	    (seg->prot & ~(VD_READ | VD_WRITE)) != 0)
		return -EINVAL;
	if (!checked_last(seg->gpa.v, seg->len, &last))
		return -EOVERFLOW;
	*npages = units_touched(seg->gpa.v, last, VD_PAGE_SHIFT);
	return 0;
}

/* Before anything that the guest could size. */
static int check_segs(const struct vd_seg *segs, size_t nsegs)
{
	uint64_t room = VD_MAP_MAX_PAGES;

	if (!segs || nsegs == 0 || nsegs > VD_MAP_MAX_SEGS)
		return -EINVAL;
	for (size_t i = 0; i < nsegs; i++) {
		uint64_t npages;
		int err = check_seg(&segs[i], &npages);

		if (err)
			return err;
		if (npages > room)
			return -EINVAL;
		room -= npages;
	}
	return 0;
}

static int check_state(struct device *dev)
{
	static const int refusal[VD_DEVICE_STATES] = {
		[VD_DEVICE_DENIED] = -EPERM,
		[VD_DEVICE_QUIESCING] = -EBUSY,
		[VD_DEVICE_STUCK] = -EPERM,
	};

	return dev ? refusal[dev->state] : -ENODEV;
}

static void count_refusal(struct vd_domain *d, struct device *dev, int err)
	MUST_HOLD(d->lock)
{
	if (err == -EDQUOT)
		d->count.refused_budget++;
	else if (err == -EPERM)
		d->count.refused_denied++;
	else
		d->count.refused_other++;
	if (dev)
		dev->count.refused++;
}

/* Is it in the life that is asked for? */
static int check_life(const struct device *dev, struct vd_life who)
{
	return who.incarnation == 0 || who.incarnation == dev->incarnation ?
		       0 :
		       -EPERM;
}

static int check_map(struct device *dev, struct vd_life who,
		     const struct vd_seg *segs, size_t nsegs)
{
	int err = check_segs(segs, nsegs);

	if (!err)
		err = check_state(dev);
	return err ? err : check_life(dev, who);
}

/*
 * What a request asks for. @table: to be mapped by the pin table. @last: it is
 * not tried again, so a refusal counts.
 */
struct request {
	struct vd_life who;
	struct vd_seg *segs;
	size_t nsegs;
	uint64_t mask;
	bool table, last;
};

/* While the table is being dropped nothing is pinned by it. */
static int find_ready(struct vd_domain *d, const struct request *r,
		      struct device **dev) MUST_HOLD(d->lock)
{
	int err;

	do {
		*dev = device_find(d, r->who.guest_id); /* it may be gone */
		err = check_map(*dev, r->who, r->segs, r->nsegs);
	} while (!err && r->table && evict_await_drop(d));
	return err;
}

/*
 * How many of the first segments to work on under one hold of the lock: about
 * @npages, but at least one.
 */
static size_t piece_of(const struct vd_seg *segs, size_t nsegs, uint64_t npages)
{
	uint64_t room = npages << VD_PAGE_SHIFT;
	size_t n;

	for (n = 0; n < nsegs && segs[n].len <= room; n++)
		room -= segs[n].len;
	return n ? n : 1;
}

#define WARM_PAGES ((uint64_t)512) /* pinned under one hold of the lock */

static bool is_short(const struct vd_seg *segs, size_t nsegs)
{
	uint64_t len = 0;

	for (size_t i = 0; i < nsegs; i++)
		len += segs[i].len;
	return len <= WARM_PAGES << VD_PAGE_SHIFT;
}

static int warm_some(struct vd_domain *d, const struct request *r,
		     const struct vd_seg *segs, size_t n)
{
	struct device *dev;
	int err;

	lock_take(&d->lock);
	err = find_ready(d, r, &dev);
	if (!err)
		err = pin_check(d, r->segs, r->nsegs);
	if (!err)
		err = pin_warm(d, segs, n);
	lock_drop(&d->lock);
	return err;
}

/* One segment, which may be long. */
static int warm_seg(struct vd_domain *d, const struct request *r,
		    const struct vd_seg *seg)
{
	struct vd_seg part = *seg;
	uint64_t left = seg->len;
	int err = 0;

	while (left > 0 && !err) {
		part.len = WARM_PAGES << VD_PAGE_SHIFT;
		if (part.len > left)
			part.len = left;
		err = warm_some(d, r, &part, 1);
		part.gpa.v += part.len;
		left -= part.len;
	}
	return err;
}

/*
 * The kernel takes a while for many pages, and the lock is held meanwhile: those of
 * a long request are pinned before, in pieces. What goes wrong the request itself
 * will say.
 */
static void warm(struct vd_domain *d, const struct request *r)
{
	size_t n;
	int err = check_segs(r->segs, r->nsegs);

	if (err || is_short(r->segs, r->nsegs))
		return;
	for (size_t i = 0; i < r->nsegs && !err; i += n) {
		n = piece_of(&r->segs[i], r->nsegs - i, WARM_PAGES);
		err = n == 1 ? warm_seg(d, r, &r->segs[i]) :
			       warm_some(d, r, &r->segs[i], n);
	}
}

static int make(struct vd_domain *d, struct device *dev,
		const struct request *r) MUST_HOLD(d->lock)
{
	if (r->table)
		return pin_make(d, dev->guest_id, r->segs, r->nsegs, r->mask);
	return mapping_make(d, dev, r->segs, r->nsegs, r->mask);
}

static int try_make(struct vd_domain *d, const struct request *r)
{
	struct device *dev;
	bool again;
	int err;

	if (r->table)
		warm(d, r);
	lock_take(&d->lock);
	err = find_ready(d, r, &dev);
	if (!err)
		err = make(d, dev, r);
	again = err == -EDQUOT && !r->last && evict_is_partial(d);
	if (err && !again)
		count_refusal(d, dev, err);
	lock_drop(&d->lock);
	return again ? -EAGAIN : err;
}

/*
 * A request looks for room in a part of a long table only, because it holds the
 * lock meanwhile. Before it is refused for that, a whole round is made, in
 * pieces.
 */
static int make_room_and(struct vd_domain *d, struct request r)
{
	uint64_t bytes = 0;
	int err = try_make(d, &r);

	if (err != -EAGAIN)
		return err;
	for (size_t i = 0; i < r.nsegs; i++)
		bytes += r.segs[i].len + VD_PAGE_SIZE;
	vd_domain_reclaim(d, bytes);
	r.last = true;
	return try_make(d, &r);
}

int vd_device_map_as(struct vd_domain *d, struct vd_life who,
		     struct vd_seg *segs, size_t nsegs, uint64_t mask)
{
	return make_room_and(d, (struct request){ .who = who,
						  .segs = segs,
						  .nsegs = nsegs,
						  .mask = mask });
}

int vd_device_map(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
		  size_t nsegs, uint64_t mask)
{
	const struct vd_life any = { .guest_id = guest_id };

	return vd_device_map_as(d, any, segs, nsegs, mask);
}

int vd_device_pin_as(struct vd_domain *d, struct vd_life who,
		     struct vd_seg *segs, size_t nsegs, uint64_t mask)
{
	return make_room_and(d, (struct request){ .who = who,
						  .segs = segs,
						  .nsegs = nsegs,
						  .mask = mask,
						  .table = true });
}

int vd_device_pin(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
		  size_t nsegs, uint64_t mask)
{
	const struct vd_life any = { .guest_id = guest_id };

	return vd_device_pin_as(d, any, segs, nsegs, mask);
}

int vd_device_unmap_as(struct vd_domain *d, struct vd_life who,
		       const struct vd_seg *segs, size_t nsegs, size_t *done)
{
	int err = 0;

	*done = 0;
	if (!segs || nsegs == 0 || nsegs > VD_MAP_MAX_SEGS)
		return -EINVAL;
	while (!err && *done < nsegs) {
		size_t n = piece_of(&segs[*done], nsegs - *done,
				    VD_MAP_MAX_PAGES),
		       ended = 0;
		struct device *dev;

		lock_take(&d->lock);
		dev = device_find(d, who.guest_id);
		err = dev ? check_life(dev, who) : -ENODEV;
		if (!err)
			err = mapping_unmake(d, dev, &segs[*done], n, &ended);
		lock_drop(&d->lock);
		*done += ended;
	}
	return err;
}

int vd_device_unmap_segs(struct vd_domain *d, uint32_t guest_id,
			 const struct vd_seg *segs, size_t nsegs, size_t *done)
{
	const struct vd_life any = { .guest_id = guest_id };

	return vd_device_unmap_as(d, any, segs, nsegs, done);
}

int vd_device_unmap(struct vd_domain *d, uint32_t guest_id, vd_iova iova,
		    uint64_t len)
{
	const struct vd_seg seg = { .iova = iova, .len = len };
	size_t done;

	return vd_device_unmap_segs(d, guest_id, &seg, 1, &done);
}

/*
 * A search that may be long: it stops after a piece, so that others get the
 * lock in between, and goes on from where it was. What has come or gone
 * meanwhile it sees or not, as if it had begun a moment later or earlier.
 */
#define PIECE_MAPPINGS 256u
#define PIECE_PAGES    ((uint64_t)64 * PIN_BLOCK)

struct search {
	struct tree_place at; /* the last mapping that was looked at */
	bool begun, denies;   /* some do hold the byte, without the right */
	bool cached;	      /* the mappings are done */
	uint64_t page;	      /* the next of the cached ones */
};

/*
 * The mapping that lets the device do @prot at @iova. Several may hold that
 * byte, all for the same guest byte (X3), but with different rights.
 */
static int find_allowed(struct device *dev, uint64_t iova, unsigned int prot,
			struct search *s, vd_gpa *out)
{
	const struct tree_node *n =
		s->begun ? index_after(&dev->by_bus, &s->at) :
			   index_overlap(&dev->by_bus, iova, iova);

	for (unsigned int i = 0; n && n->first <= iova; i++) {
		const struct mapping *m =
			container_of(n, const struct mapping, bus);

		if (i == PIECE_MAPPINGS)
			return -EAGAIN;
		if (n->last >= iova && (m->prot & prot)) {
			out->v = m->mem.first + (iova - n->first);
			return 0;
		}
		s->denies |= n->last >= iova;
		s->at = tree_place_of(n);
		s->begun = true;
		n = index_next(&dev->by_bus, n);
	}
	return s->denies ? -EACCES : -ENOENT;
}

/*
 * A page that is cached is within reach of the device, for all that the host
 * knows. There is no index by bus address, since no device that exists asks.
 */
static int find_cached_bus(struct vd_domain *d, uint64_t iova, struct search *s,
			   vd_gpa *out) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;
	uint64_t end = s->page + PIECE_PAGES, page = s->page;

	s->cached = true;
	s->page = end;
	for (; (page = pintable_next(t, page, end)) != PIN_NOT; page++) {
		uint64_t off = iova - pintable_find(t, page)->bus;

		if (off >= VD_PAGE_SIZE)
			continue;
		out->v = (page << VD_PAGE_SHIFT) + off;
		return 0;
	}
	return end < t->nwords ? -EAGAIN : -ENOENT;
}

static void record_fault(struct vd_domain *d, struct device *dev, vd_iova iova,
			 unsigned int prot, int err) MUST_HOLD(d->lock)
{
	struct vd_fault fault = {
		.size = sizeof(fault),
		.guest_id = dev->guest_id,
		.prot = prot,
		.iova = iova,
		.reason = err == -EACCES ? VD_FAULT_DIRECTION :
			  err == -EPERM	 ? VD_FAULT_DENIED :
					   VD_FAULT_UNMAPPED,
	};

	dev->count.faults++;
	faults_put(&d->faults, &fault);
}

static int look(struct vd_domain *d, struct device *dev, uint64_t iova,
		unsigned int prot, struct search *s, vd_gpa *out)
	MUST_HOLD(d->lock)
{
	int err = -ENOENT;

	if (dev->state != VD_DEVICE_PERMITTED)
		return -EPERM;
	if (!s->cached)
		err = find_allowed(dev, iova, prot, s, out);
	return err == -ENOENT ? find_cached_bus(d, iova, s, out) : err;
}

int vd_device_translate(struct vd_domain *d, uint32_t guest_id, vd_iova iova,
			unsigned int prot, vd_gpa *out)
{
	struct search s = { .page = 0 };
	struct device *dev;
	int err;

	if (prot != VD_READ && prot != VD_WRITE)
		return -EINVAL;
	do {
		err = -ENODEV;
		lock_take(&d->lock);
		dev = device_find(d, guest_id); /* it may be gone */
		if (dev)
			err = look(d, dev, iova.v, prot, &s, out);
		if (dev && err != -EAGAIN) {
			dev->count.translations++;
			if (err)
				record_fault(d, dev, iova, prot, err);
		}
		lock_drop(&d->lock);
	} while (err == -EAGAIN);
	return err;
}

/* A cached page is within reach of every device that is permitted. */
static int find_cached(struct vd_domain *d, const struct device *dev,
		       vd_gpa gpa, vd_iova *out) MUST_HOLD(d->lock)
{
	const struct pin_record *r =
		pintable_find(&d->pins, gpa.v >> VD_PAGE_SHIFT);

	if (!r || dev->state != VD_DEVICE_PERMITTED)
		return -ENOENT;
	out->v = r->bus + gpa.v % VD_PAGE_SIZE;
	return 0;
}

int vd_device_reverse(struct vd_domain *d, uint32_t guest_id, vd_gpa gpa,
		      vd_iova *out)
{
	const struct tree_node *n;
	struct device *dev;
	int err = -ENODEV;

	lock_take(&d->lock);
	dev = device_find(d, guest_id);
	if (dev) {
		n = index_overlap(&dev->by_mem, gpa.v, gpa.v);
		err = n ? 0 : find_cached(d, dev, gpa, out);
		if (n)
			out->v = container_of(n, const struct mapping, mem)
					 ->bus.first +
				 (gpa.v - n->first);
	}
	lock_drop(&d->lock);
	return err;
}

/* A listing under way: what is left to skip and to write. */
struct listing {
	struct tree_place at;
	bool begun;
	size_t from, n, max;
	struct vd_mapping *out;
};

static void list_one(struct listing *l, const struct tree_node *n)
{
	const struct mapping *m = container_of(n, const struct mapping, bus);

	l->at = tree_place_of(n);
	l->begun = true;
	if (l->from > 0) {
		l->from--;
		return;
	}
	l->out[l->n++] = (struct vd_mapping){
		.iova = { n->first },
		.gpa = { m->mem.first },
		.len = n->last - n->first + 1,
		.prot = m->prot,
	};
}

/* Some more of it; false: that was all. */
static bool list_some(struct device *dev, struct listing *l)
{
	const struct tree_node *n = l->begun ?
					    index_after(&dev->by_bus, &l->at) :
					    index_first(&dev->by_bus);

	for (unsigned int i = 0; n && l->n < l->max; i++) {
		if (i == PIECE_MAPPINGS)
			return true;
		list_one(l, n);
		n = index_next(&dev->by_bus, n);
	}
	return false;
}

int vd_device_mappings(struct vd_domain *d, uint32_t guest_id, size_t from,
		       struct vd_mapping *out, size_t max, size_t *n)
{
	struct listing l = { .from = from, .max = max, .out = out };
	struct device *dev;
	bool more;

	do {
		lock_take(&d->lock);
		dev = device_find(d, guest_id);
		more = dev && list_some(dev, &l);
		lock_drop(&d->lock);
	} while (more);
	if (!dev)
		return -ENODEV;
	*n = l.n;
	return 0;
}
