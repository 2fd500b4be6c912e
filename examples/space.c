/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who chooses bus addresses: a DMA layer on a window of the translation engine.
 *
 * A driver maps a buffer anywhere: a run of bus addresses is allocated, the
 * window's entries lead from there to the buffer. It unmaps the buffer: first
 * the entries become invalid, which waits for translations under way, then the
 * addresses are free for others. Each thread that maps has a cache of its own.
 *
 * Build it against an installed library:
 *	cc space.c $(pkg-config --cflags --libs viaduct)
 */
#include <viaduct/viaduct.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE	VD_PAGE_SIZE
#define RAM_LEN (64 * PAGE)
#define ENTRIES 1024u
#define BUS	((uint64_t)0xfffe0000) /* the window reaches beyond 4 GiB */
#define MSI	((uint64_t)0xfffee000) /* what is written there interrupts */
#define WINDOW	1u
#define OWNER	1u
#define DISK	7u

struct layer {
	struct vd_adapter *adapter;
	struct vd_space *space;
	struct vd_space_cache *cache; /* this thread's */
};

static void check(const char *what, int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

static void make_window(struct layer *l, unsigned char *ram)
{
	const struct vd_adapter_cfg a = { .size = sizeof(a) };
	const struct vd_table_cfg t = { .size = sizeof(t),
					.format = VD_FORMAT_NATIVE,
					.page_shift = VD_PAGE_SHIFT,
					.nentries = ENTRIES };
	struct vd_span span = { .hva = ram, .len = RAM_LEN };
	const struct vd_owner_cfg o = { .size = sizeof(o),
					.id = OWNER,
					.provider = VD_NO_OWNER,
					.memory = &span,
					.nmemory = 1 };
	struct vd_window_cfg w = { .size = sizeof(w),
				   .id = WINDOW,
				   .owner = OWNER,
				   .bus = { BUS },
				   .len = ENTRIES };

	check("adapter", vd_adapter_create(&a, &l->adapter));
	check("owner", vd_owner_add(l->adapter, &o));
	check("disk", vd_adapter_attach(l->adapter, DISK, OWNER));
	check("table", vd_table_create(l->adapter, &t, &w.table));
	check("window", vd_window_create(l->adapter, &w));
}

static void make_space(struct layer *l)
{
	const struct vd_space_cfg cfg = { .size = sizeof(cfg),
					  .base = { BUS },
					  .npages = ENTRIES,
					  .page_shift = VD_PAGE_SHIFT };

	check("space", vd_space_create(&cfg, &l->space));
	check("reserve", vd_space_reserve(l->space, (vd_iova){ MSI }, 1));
	check("cache", vd_space_cache_create(l->space, &l->cache));
}

/* Map @npages from @gpa for a device that reaches up to @mask. */
static int dma_map(struct layer *l, vd_gpa gpa, uint64_t npages, uint64_t mask,
		   vd_iova *bus)
{
	const struct vd_space_need need = { .size = sizeof(need),
					    .npages = npages,
					    .last = { mask } };
	struct vd_window_range r = { .size = sizeof(r),
				     .owner = OWNER,
				     .window = WINDOW,
				     .gpa = gpa,
				     .len = npages * PAGE,
				     .prot = VD_READ | VD_WRITE };
	int err = vd_space_alloc_within(l->cache, &need, &r.bus);

	if (err)
		return err;
	err = vd_window_map(l->adapter, &r);
	if (err)
		check("free", vd_space_free(l->cache, r.bus, npages));
	else
		*bus = r.bus;
	return err;
}

/* The order matters: freed addresses may be somebody else's at once. */
static int dma_unmap(struct layer *l, vd_iova bus, uint64_t npages)
{
	int err =
		vd_window_unmap(l->adapter, OWNER, WINDOW, bus, npages * PAGE);

	return err ? err : vd_space_free(l->cache, bus, npages);
}

/* The device's model reads a byte from its bus. */
static void read_byte(struct layer *l, vd_iova bus)
{
	struct vd_reader *r;
	struct vd_target t;
	int err;

	check("reader", vd_reader_create(l->adapter, DISK, &r));
	vd_reader_enter(r);
	err = vd_translate(r, bus, VD_READ, &t);
	if (err)
		printf("bus %#" PRIx64 ": %s\n", bus.v, strerror(-err));
	else
		printf("bus %#" PRIx64 ": %c\n", bus.v, *t.hva);
	vd_reader_exit(r);
	vd_reader_destroy(r);
}

static void one_buffer(struct layer *l)
{
	vd_iova bus, high;

	check("map", dma_map(l, (vd_gpa){ 5 * PAGE }, 3, UINT32_MAX, &bus));
	read_byte(l, bus);
	check("unmap", dma_unmap(l, bus, 3));
	read_byte(l, bus); /* no device gets there now */

	/* Below 4 GiB there are 32 pages, and one is the interrupts'. */
	if (dma_map(l, (vd_gpa){ 0 }, 20, UINT32_MAX, &bus) == 0)
		abort();
	check("map high", dma_map(l, (vd_gpa){ 0 }, 20, UINT64_MAX, &high));
	printf("20 pages at %#" PRIx64 "\n", high.v);
	check("unmap", dma_unmap(l, high, 20));
}

int main(void)
{
	unsigned char *ram = aligned_alloc(PAGE, RAM_LEN);
	struct vd_space_stats stats = { .size = sizeof(stats) };
	struct layer l;

	if (!ram)
		return 1;
	memset(ram, 'v', RAM_LEN);
	make_window(&l, ram);
	make_space(&l);
	one_buffer(&l);
	vd_space_stats(l.space, &stats);
	printf("given %" PRIu64 ", reserved %" PRIu64 " of %" PRIu64 " pages\n",
	       stats.given, stats.reserved, stats.npages);

	vd_space_cache_destroy(l.cache);
	vd_space_destroy(l.space);
	vd_adapter_destroy(l.adapter);
	free(ram);
	return stats.given != 0;
}
