/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making and ending mappings.
 *
 * A map goes through these steps; each undoes itself if a later one fails:
 *	allocate the mappings
 *	resolve	 guest addresses to stretches and process addresses
 *	hold	 count the granules, compare with the budget; cached pages
 *		 that nobody holds make room
 *	enter	 the mappings in the index by guest address
 *	pin	 all segments in one call of the host
 *	place	 in the index by bus address: each segment is one run there,
 *		 below the mask, and not where the device sees other memory
 *	commit	 count the mappings; cannot fail
 *
 * Invariants:
 *  - a mapping in an index or on the held list has exactly one pin of the host
 *    and is counted once in each granule that it touches;
 *  - all mappings of a device that touch one bus page have the same distance
 *    between bus and guest address (X3);
 *  - ending a mapping needs no memory, so it cannot fail.
 */
#include "evict.h"

#include <checked.h>
#include <container.h>
#include <errno.h>

static struct mapping *from_bus(struct tree_node *n)
{
	return container_of(n, struct mapping, bus);
}

static void release_segs(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < n; i++) {
		struct mapping *m = d->scratch->mapping[i];

		pages_release(&d->pages, m->stretch, m->mem.first, m->mem.last);
	}
}

static void free_mapping(struct vd_domain *d, struct mapping *m)
	MUST_HOLD(d->lock)
{
	*m = (struct mapping){ .next = NULL }; /* as the pool wants it */
	freelist_give(&d->mappings, m);
	d->nrecords--;
}

static void free_segs(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < n; i++)
		free_mapping(d, d->scratch->mapping[i]);
}

static int alloc_segs(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < n; i++) {
		struct mapping *m = freelist_take(&d->mappings);

		if (!m) {
			free_segs(d, i);
			return -ENOMEM;
		}
		d->scratch->mapping[i] = m;
		d->nrecords++;
	}
	return 0;
}

/*
 * A mapping costs us a record and the host's kernel about 1 KiB, whether its
 * page is pinned already or not. So all devices together may have one for each
 * page that could be pinned, and a few requests' worth where that is little.
 */
static int check_records(struct vd_domain *d, struct device *dev, size_t n)
	MUST_HOLD(d->lock)
{
	uint64_t most =
		pages_most(&d->pages, d->memory.len) + VD_DOMAIN_SPARE_MAPPINGS;

	if (n > d->max_mappings - dev->count.nmappings ||
	    d->nrecords + n > most)
		return -ENOSPC;
	return 0;
}

/* The whole pages of guest memory first..last as something to pin. */
static void fill_pin(struct vd_pin *pin, const struct stretch *s,
		     uint64_t first, uint64_t last)
{
	pin->hva = stretch_hva(s, align_down(first, VD_PAGE_SHIFT));
	pin->npages = units_touched(first, last, VD_PAGE_SHIFT);
}

static int resolve_segs(struct vd_domain *d, const struct vd_seg *segs,
			size_t n) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	vd_hpa *page = x->page;

	for (size_t i = 0; i < n; i++) {
		uint64_t first = segs[i].gpa.v;
		uint64_t last = first + segs[i].len - 1;
		struct stretch *s = memory_find(&d->memory, first, last);

		if (!s)
			return -EFAULT;
		fill_pin(&x->pin[i], s, first, last);
		x->pin[i].page = page;
		page += x->pin[i].npages;
		x->mapping[i]->stretch = s;
		x->mapping[i]->prot = segs[i].prot;
		x->mapping[i]->mem.first = first;
		x->mapping[i]->mem.last = last;
	}
	return 0;
}

static int hold_segs(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	uint64_t excess;

	for (size_t i = 0; i < n; i++) {
		struct mapping *m = d->scratch->mapping[i];

		pages_hold(&d->pages, m->stretch, m->mem.first, m->mem.last);
	}
	excess = pages_excess(&d->pages);
	if (excess)
		evict_for(d, excess);
	if (!pages_over_budget(&d->pages))
		return 0;
	release_segs(d, n);
	return -EDQUOT;
}

static int check_run(const struct vd_pin *pin)
{
	uint64_t last;

	if (!checked_last(pin->page[0].v, pin->npages * VD_PAGE_SIZE, &last))
		return -EXDEV;
	for (size_t i = 1; i < pin->npages; i++) {
		if (pin->page[i].v != pin->page[0].v + i * VD_PAGE_SIZE)
			return -EXDEV;
	}
	return 0;
}

/*
 * X3: where the device already sees something it must be the same memory. An
 * honest host cannot break this, because both are pinned.
 */
static int check_alias(struct device *dev, const struct mapping *m)
{
	uint64_t first = align_down(m->bus.first, VD_PAGE_SHIFT);
	uint64_t last = m->bus.last | (VD_PAGE_SIZE - 1);

	while (first <= last) {
		struct tree_node *n = index_overlap(&dev->by_bus, first, last);
		uint64_t next;

		if (!n)
			return 0;
		if (from_bus(n)->mem.first - n->first !=
		    m->mem.first - m->bus.first)
			return -EEXIST;
		next = n->last | (VD_PAGE_SIZE - 1);
		if (next >= last)
			return 0;
		first = next + 1;
	}
	return 0;
}

/* Where the host has put a segment, if that is a place for it. */
static int place_seg(struct device *dev, struct mapping *m,
		     const struct vd_pin *pin, uint64_t mask)
{
	int err = check_run(pin);

	if (err)
		return err;
	m->bus.first = pin->page[0].v + m->mem.first % VD_PAGE_SIZE;
	m->bus.last = m->bus.first + (m->mem.last - m->mem.first);
	if (m->bus.last > mask)
		return -ERANGE;
	return check_alias(dev, m);
}

/*
 * Into the index by guest address, before the host is asked for anything:
 * nobody looks before the lock is dropped.
 */
static void leave_segs(struct vd_domain *d, struct device *dev, size_t n)
	MUST_HOLD(d->lock)
{
	while (n > 0)
		index_remove(&dev->by_mem, &d->scratch->mapping[--n]->mem);
}

static int enter_segs(struct vd_domain *d, struct device *dev, size_t n)
	MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < n; i++) {
		int err = index_insert(&dev->by_mem,
				       &d->scratch->mapping[i]->mem);

		if (err) {
			leave_segs(d, dev, i);
			return err;
		}
	}
	return 0;
}

/* Into the index by bus address one by one, so that the segments of a call are
 * checked against each other as well. */
static int place_segs(struct vd_domain *d, struct device *dev, size_t n,
		      uint64_t mask) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	size_t i;
	int err = 0;

	for (i = 0; i < n; i++) {
		err = place_seg(dev, x->mapping[i], &x->pin[i], mask);
		if (!err)
			err = index_insert(&dev->by_bus, &x->mapping[i]->bus);
		if (err)
			break;
	}
	while (err && i > 0)
		index_remove(&dev->by_bus, &x->mapping[--i]->bus);
	return err;
}

static void commit_segs(struct vd_domain *d, struct device *dev,
			struct vd_seg *segs, size_t n) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < n; i++) {
		struct mapping *m = d->scratch->mapping[i];

		m->handle = d->scratch->pin[i].handle;
		segs[i].iova.v = m->bus.first;
		dev->count.mapped += segs[i].len;
		d->count.mapped += segs[i].len;
	}
	dev->count.nmappings += n;
	dev->count.maps += n;
	d->count.nmappings += n;
	d->count.maps += n;
	if (d->count.mapped > d->count.mapped_peak)
		d->count.mapped_peak = d->count.mapped;
	pages_commit(&d->pages);
}

/* The host may have no room for what nobody holds but the pin table. */
static int pin_segs(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	int err = d->host_ops.pin(d->host, d->scratch->pin, n);

	if ((err == -ENOSPC || err == -ENOMEM) && evict_for(d, n))
		err = d->host_ops.pin(d->host, d->scratch->pin, n);
	return err;
}

int mapping_make(struct vd_domain *d, struct device *dev, struct vd_seg *segs,
		 size_t nsegs, uint64_t mask)
{
	int err;

	err = check_records(d, dev, nsegs);
	if (!err)
		err = alloc_segs(d, nsegs);
	if (err)
		return err;
	err = resolve_segs(d, segs, nsegs);
	if (err)
		goto err_free;
	err = hold_segs(d, nsegs);
	if (err)
		goto err_free;
	err = enter_segs(d, dev, nsegs);
	if (err)
		goto err_release;
	err = pin_segs(d, nsegs);
	if (err)
		goto err_leave;
	err = place_segs(d, dev, nsegs, mask);
	if (err)
		goto err_unpin;

	/* Nothing below can fail. */
	commit_segs(d, dev, segs, nsegs);
	return 0;

err_unpin:
	d->host_ops.unpin(d->host, d->scratch->pin, nsegs);
err_leave:
	leave_segs(d, dev, nsegs);
err_release:
	release_segs(d, nsegs);
err_free:
	free_segs(d, nsegs);
	return err;
}

/* Take a mapping out of sight. Its pin is untouched. */
static void leave_indexes(struct vd_domain *d, struct device *dev,
			  struct mapping *m) MUST_HOLD(d->lock)
{
	uint64_t len = m->mem.last - m->mem.first + 1;

	index_remove(&dev->by_bus, &m->bus);
	index_remove(&dev->by_mem, &m->mem);
	dev->count.mapped -= len;
	dev->count.nmappings--;
	dev->count.unmaps++;
	d->count.mapped -= len;
	d->count.nmappings--;
	d->count.unmaps++;
}

/* End the pins of the first @n mappings of the scratch, which are in no index,
 * and free them. */
static void unpin_segs(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct mapping *m = x->mapping[i];

		fill_pin(&x->pin[i], m->stretch, m->mem.first, m->mem.last);
		x->pin[i].page = NULL;
		x->pin[i].handle = m->handle;
	}
	d->host_ops.unpin(d->host, x->pin, n);
	release_segs(d, n);
	free_segs(d, n);
}

static struct mapping *find_exact(struct device *dev, const struct vd_seg *seg)
{
	struct tree_node *n;
	uint64_t last;

	if (!checked_last(seg->iova.v, seg->len, &last))
		return NULL;
	n = index_find(&dev->by_bus, seg->iova.v, last);
	return n ? from_bus(n) : NULL;
}

static bool is_quiet_enough(struct device *dev)
{
	/* The driver of a permitted device says that it is done with this
	 * buffer. Of a device that is being taken away nobody knows. */
	return dev->state == VD_DEVICE_PERMITTED ||
	       dev->state == VD_DEVICE_DENIED;
}

int mapping_unmake(struct vd_domain *d, struct device *dev,
		   const struct vd_seg *segs, size_t nsegs, size_t *done)
{
	struct mapping *m = NULL;
	size_t n;

	for (n = 0; n < nsegs; n++) {
		m = find_exact(dev, &segs[n]);
		if (!m)
			break;
		leave_indexes(d, dev, m);
		d->scratch->mapping[n] = m;
		if (!is_quiet_enough(dev)) {
			m->next = dev->held;
			dev->held = m;
		}
	}
	if (is_quiet_enough(dev))
		unpin_segs(d, n);
	*done = n;
	return n == nsegs ? 0 : -ENOENT;
}

/* One of the device's, on the held list or in its indexes; taken out. */
static struct mapping *take_any(struct vd_domain *d, struct device *dev)
	MUST_HOLD(d->lock)
{
	struct mapping *m = dev->held;
	struct tree_node *n;

	if (m) {
		dev->held = m->next;
		return m;
	}
	n = index_first(&dev->by_bus);
	if (!n)
		return NULL;
	m = from_bus(n);
	leave_indexes(d, dev, m);
	return m;
}

bool mapping_drop_some(struct vd_domain *d, struct device *dev)
{
	uint64_t npages = 0;
	size_t n = 0;

	while (n < VD_MAP_MAX_SEGS && npages < VD_MAP_MAX_PAGES) {
		struct mapping *m = take_any(d, dev);

		if (!m)
			break;
		d->scratch->mapping[n++] = m;
		npages +=
			units_touched(m->mem.first, m->mem.last, VD_PAGE_SHIFT);
	}
	unpin_segs(d, n);
	return n != 0;
}

void mapping_abandon(struct vd_domain *d, struct device *dev)
{
	struct mapping *m;

	while ((m = take_any(d, dev)))
		free_mapping(d, m);
}
