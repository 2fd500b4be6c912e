/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mlock does not nest, so each locked page has a count. A page is locked while
 * its count is above 0.
 *
 * A run that is locked has an area of its own in the process's map, and cuts
 * another in two; of areas a process may have vm.max_map_count. When there are
 * no more, munlock fails, and so does what the process maps for itself: a thread,
 * a large allocation. Whichever pins end, those that are left are no more runs
 * than pins and have two edges each. So the number of pins is bounded such that
 * their edges take three quarters of the areas: the process keeps the rest.
 */
#include "locked.h"

#include <container.h>
#include <mem.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#define DEFAULT_PINS  ((uint64_t)1 << 20)
#define DEFAULT_AREAS 65530u /* of Linux */

struct locked_page {
	struct tree_node node; /* first and last are the page number */
	uint64_t count;
};

static uint64_t read_areas(const char *path)
{
	FILE *f = fopen(path, "re");
	uint64_t n = 0;

	if (f) {
		if (fscanf(f, "%" SCNu64, &n) != 1)
			n = 0;
		fclose(f);
	}
	return n ? n : DEFAULT_AREAS;
}

void locked_init(struct locked *l, size_t max_pins, const char *max_map_count)
{
	uint64_t most = read_areas(max_map_count) / 4 * 3 / 2;

	*l = (struct locked){ .max_pins = max_pins ? max_pins : DEFAULT_PINS };
	if (l->max_pins > most)
		l->max_pins = most;
}

static void forget(struct locked *l, struct locked_page *p)
{
	tree_remove(&l->pages, &p->node);
	mem_free(p);
}

void locked_end(struct locked *l)
{
	while (l->pages.root)
		forget(l,
		       container_of(l->pages.root, struct locked_page, node));
}

static struct locked_page *find_page(const struct locked *l, uint64_t page)
{
	struct tree_node *n = tree_find(&l->pages, page, page);

	return n ? container_of(n, struct locked_page, node) : NULL;
}

static int hold_page(struct locked *l, uint64_t page)
{
	struct locked_page *p = find_page(l, page);

	if (!p) {
		p = mem_zalloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->node.first = page;
		p->node.last = page;
		tree_insert(&l->pages, &p->node);
	}
	p->count++;
	return 0;
}

static void release_page(struct locked *l, uint64_t page)
{
	struct locked_page *p = find_page(l, page);

	if (--p->count == 0) {
		munlock((void *)(uintptr_t)(page * VD_PAGE_SIZE), VD_PAGE_SIZE);
		forget(l, p);
	}
}

static void release_pages(struct locked *l, uint64_t page, size_t n)
{
	for (size_t i = 0; i < n; i++)
		release_page(l, page + i);
}

static int pin_one(struct locked *l, const struct vd_pin *pin)
{
	uint64_t page = (uintptr_t)pin->hva / VD_PAGE_SIZE;
	int err = 0;
	size_t n;

	for (n = 0; n < pin->npages && !err; n++) {
		err = hold_page(l, page + n);
		if (err)
			break;
	}
	if (!err && mlock(pin->hva, pin->npages * VD_PAGE_SIZE) != 0)
		err = errno == EINVAL ? -EFAULT : -ENOMEM;
	if (err)
		release_pages(l, page, n);
	return err;
}

int locked_pin(struct locked *l, struct vd_pin *pin, size_t npins)
{
	if (npins > l->max_pins - l->npins)
		return -ENOSPC;
	for (size_t i = 0; i < npins; i++) {
		int err = pin_one(l, &pin[i]);

		if (err) {
			locked_unpin(l, pin, i);
			return err;
		}
		pin[i].handle = 0;
		l->npins++;
	}
	return 0;
}

void locked_unpin(struct locked *l, const struct vd_pin *pin, size_t npins)
{
	for (size_t i = 0; i < npins; i++)
		release_pages(l, (uintptr_t)pin[i].hva / VD_PAGE_SIZE,
			      pin[i].npages);
	l->npins -= npins;
}
