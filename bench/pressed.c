/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G9 where there is swap: a program for the lab's host, run by bench/pressed.
 *
 * A domain of 1 GiB with 32 MiB in use by a device. All of it is paged out: what
 * stays, with the pin table and with everything pinned; do pages in use stay
 * where they were, though the host compacts meanwhile? Then, in turn in each
 * round: letting cold cached pages go and paging them out, over raw
 * MADV_PAGEOUT; and mapping pages that are swapped out, over touching them and
 * pinning them raw.
 *
 * Prints "row VALUE BOUND REFERENCE|NAME" for each.
 */
#include "bench.h"

#include <fcntl.h>
#include <liburing.h>
#include <pageout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/viaduct.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGE	VD_PAGE_SIZE
#define RAM	((size_t)1 << 18) /* pages: 1 GiB */
#define IN_USE	((size_t)1 << 13) /* 32 MiB */
#define PART	((size_t)1 << 12) /* 16 MiB: what a round works on */
#define BATCH	64u
#define DEV	8u
#define ROUNDS	5
#define SWAPPED ((uint64_t)1 << 62)
#define PFN	(((uint64_t)1 << 55) - 1)

static unsigned char *ram;
static uint64_t *word;
static struct vd_host *host;
static struct vd_domain *domain;
static struct io_uring ring;
static int pagemap;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench pressed: %s\n", what);
		exit(1);
	}
}

static void row(double value, double bound, const char *reference,
		const char *name)
{
	printf("row %.4f %.4f %s|%s\n", value, bound, reference, name);
	fflush(stdout);
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

static void *map_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "no memory");
	return p;
}

static void set_up(void)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_noiommu_cfg host_cfg = { .size = sizeof(host_cfg),
						 .method = VD_PIN_IO_URING };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, 1, &ops, NULL };

	ram = map_memory(RAM * PAGE);
	word = map_memory(RAM * sizeof(*word));
	madvise(ram, RAM * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < RAM; i++)
		memcpy(ram + i * PAGE, &i, sizeof(i));
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	must(pagemap >= 0, "no pagemap");
	must(io_uring_queue_init(1, &ring, 0) == 0, "no io_uring");
	must(io_uring_register_buffers_sparse(&ring, 16384) == 0, "no table");
	must(vd_host_noiommu_create(&host_cfg, &host) == 0, "cannot pin");
	must(vd_domain_create(host, &cfg, &domain) == 0, "domain");
	must(vd_domain_add_memory(domain, (vd_gpa){ 0 }, ram, RAM * PAGE) == 0,
	     "memory");
	must(vd_device_attach(domain, &dev) == 0, "device");
	must(vd_domain_share_pins(domain, word, RAM) == 0, "pin table");
}

/* The kernel may put the end of a pin off by a second. */
static void settle(void)
{
	const struct timespec t = { 2, 0 };

	nanosleep(&t, NULL);
}

static uint64_t entry(size_t page)
{
	uint64_t e = 0;

	must(pread(pagemap, &e, 8,
		   (off_t)(((uintptr_t)ram / PAGE + page) * 8)) == 8,
	     "pagemap");
	return e;
}

/* Map pages by the table, as a guest's request does. */
static void hold(size_t first, size_t n, uint64_t *bus)
{
	for (size_t i = 0; i < n; i += BATCH) {
		struct vd_seg segs[BATCH];

		for (size_t j = 0; j < BATCH; j++)
			segs[j] = (struct vd_seg){
				.gpa = { (first + i + j) * PAGE },
				.len = PAGE,
				.prot = VD_READ | VD_WRITE,
			};
		must(vd_device_pin(domain, DEV, segs, BATCH, UINT64_MAX) == 0,
		     "pin");
		for (size_t j = 0; bus && j < BATCH; j++)
			bus[i + j] = segs[j].iova.v;
	}
}

static void let_go(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		__atomic_fetch_sub(&word[i], 1, __ATOMIC_SEQ_CST);
}

/* The share of all pages that is still in RAM. */
static double page_all_out(void)
{
	size_t left = 0;

	madvise(ram, RAM * PAGE, MADV_PAGEOUT);
	for (size_t i = 0; i < RAM; i++)
		left += !(entry(i) & SWAPPED);
	return (double)left / (double)RAM;
}

static void compact(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY);

	must(fd >= 0 && write(fd, "1", 1) == 1, "cannot compact");
	close(fd);
}

static void overcommit(void)
{
	static uint64_t bus[IN_USE];
	size_t moved = 0, wrong = 0;

	hold(0, IN_USE, bus);
	row(page_all_out(), 0.05, "1 GiB, 32 MiB in use",
	    "G9 share of guest RAM that cannot be paged out");
	compact();
	for (size_t i = 0; i < IN_USE; i++) {
		size_t is;

		memcpy(&is, ram + i * PAGE, sizeof(is));
		wrong += is != i;
		moved += (entry(i) & PFN) * PAGE != bus[i];
	}
	row((double)moved, 0, "8192 pages in use",
	    "G9 pinned pages that moved");
	row((double)wrong, 0, "8192 pages in use", "G9 pages with other data");
	let_go(0, IN_USE);
	vd_domain_reclaim(domain, UINT64_MAX);
}

/* The control: what assignment does elsewhere. */
static void all_pinned(void)
{
	vd_hpa *page = calloc(RAM, sizeof(*page));
	struct vd_pin pin = { .hva = ram, .npages = RAM, .page = page };

	must(page && host->ops->pin(host, &pin, 1) == 0, "pin all");
	printf("note with all of it pinned stays %.4f\n", page_all_out());
	host->ops->unpin(host, &pin, 1);
	free(page);
	settle();
}

static void touch(size_t first)
{
	for (size_t i = first; i < first + PART; i++)
		ram[i * PAGE + 8]++;
}

static double time_raw_pageout(size_t first)
{
	double a;

	touch(first);
	a = bench_now_ns();
	madvise(ram + first * PAGE, PART * PAGE, MADV_PAGEOUT);
	return bench_now_ns() - a;
}

/* Cached pages that nobody holds: unpin them, then out with them. */
static double time_reclaim(size_t first)
{
	struct pageout p;
	double a, t;

	hold(first, PART, NULL);
	let_go(first, PART);
	touch(first);
	must(pageout_create(&p, ram + first * PAGE, PART * PAGE, &pageout_real,
			    NULL) == 0,
	     "memory");
	a = bench_now_ns();
	vd_domain_reclaim(domain, UINT64_MAX);
	t = bench_now_ns() - a;
	settle();
	a = bench_now_ns();
	pageout_some(&p, PART * PAGE);
	t += bench_now_ns() - a;
	pageout_destroy(&p);
	return t;
}

static void out(size_t first)
{
	settle();
	madvise(ram + first * PAGE, PART * PAGE, MADV_PAGEOUT);
	must((entry(first) & SWAPPED) != 0,
	     "nothing is swapped out: no swap here?");
}

static double time_raw_in(size_t first)
{
	static const struct iovec none[BATCH];
	struct iovec iov[BATCH];
	double a;

	out(first);
	a = bench_now_ns();
	touch(first);
	for (size_t i = 0; i < PART; i += BATCH) {
		for (size_t j = 0; j < BATCH; j++)
			iov[j] = (struct iovec){ ram + (first + i + j) * PAGE,
						 PAGE };
		must(io_uring_register_buffers_update_tag(
			     &ring, (unsigned int)i, iov, NULL, BATCH) ==
			     (int)BATCH,
		     "raw pin");
	}
	a = bench_now_ns() - a;
	for (size_t i = 0; i < PART; i += BATCH)
		io_uring_register_buffers_update_tag(&ring, (unsigned int)i,
						     none, NULL, BATCH);
	return a;
}

static double time_in(size_t first)
{
	double a;

	out(first);
	a = bench_now_ns();
	hold(first, PART, NULL);
	a = bench_now_ns() - a;
	let_go(first, PART);
	vd_domain_reclaim(domain, UINT64_MAX);
	return a;
}

static void costs(void)
{
	double away[ROUNDS], in[ROUNDS];

	time_reclaim(0); /* warm */
	for (int i = 0; i < ROUNDS; i++) {
		double ours = time_reclaim(0);

		away[i] = ours / time_raw_pageout(PART);
		ours = time_in(0);
		in[i] = ours / time_raw_in(PART);
	}
	row(bench_median(away, ROUNDS), 1.1, "raw MADV_PAGEOUT",
	    "G9 reclaim of cold cached pages");
	row(bench_median(in, ROUNDS), 1.2, "raw refault + raw pin",
	    "G9 fault-in and pin");
}

int main(void)
{
	set_up();
	overcommit();
	all_pinned();
	costs();
	vd_domain_destroy(domain);
	vd_host_destroy(host);
	return 0;
}
