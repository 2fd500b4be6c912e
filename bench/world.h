/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the benchmarks of the translation engine measure: an adapter, an owner,
 * a device, one table and a window over all of it.
 *
 * Page i of the window leads to guest page world_page(i), which is anywhere, or
 * to page i. The guest's memory is address space without memory: nothing here
 * looks into it.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <viaduct/viaduct.h>

#define PAGE	    VD_PAGE_SIZE
#define RW	    (VD_READ | VD_WRITE)
#define WORLD_PAGES ((uint64_t)1 << 20) /* of guest memory, if of 4 KiB */
#define WORLD_LARGE ((uint64_t)1 << 6)	/* if larger */
#define WORLD_BUS   ((uint64_t)1 << 40)
#define WORLD_W	    7u /* the window */
#define WORLD_OWNER 1u
#define WORLD_DEV   2u
#define WORLD_OTHER 3u	/* another provider, with the same memory */
#define WORLD_HELD  5u	/* the window that holds each page once already */
#define WORLD_BURST 64u /* translations between an enter and its exit */

struct world_cfg {
	uint64_t nentries;
	enum vd_format format;
	unsigned int shift; /* 0: 12 */
	int holds; /* a domain counts pages; something has each already */
};

struct world {
	struct vd_adapter *a;
	struct vd_host *host;
	struct vd_domain *d;
	unsigned char *ram;
	uint64_t ram_len, nentries;
	unsigned int shift;
};

void world_open(struct world *w, const struct world_cfg *cfg);
void world_close(struct world *w);
struct vd_reader *world_reader(struct world *w);

/* An address on the bus, a page of it after the other. */
static inline vd_iova world_bus(const struct world *w, uint64_t i)
{
	return (vd_iova){ WORLD_BUS + (i << w->shift) };
}

/* Every guest page once, in no order; @i below WORLD_PAGES. */
static inline uint64_t world_page(uint64_t i)
{
	return i * 0x9e375 % WORLD_PAGES;
}

static inline vd_entry world_entry(const struct world *w, uint64_t page)
{
	return (vd_entry){ page << w->shift | RW };
}

/* Map the first @n pages of the window, every @step'th. */
void world_fill(struct world *w, uint64_t n, uint64_t step);
void world_empty(struct world *w);

/* Write or clear one entry. */
void world_put(struct world *w, uint64_t i, vd_entry e);

#endif
