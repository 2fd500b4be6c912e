/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G13: for how long the library holds a lock, whatever it is asked.
 *
 * Each take and drop of a lock passes by here (--wrap), so what is measured is
 * the hold itself, from the take of the outermost lock to its drop, in processor
 * time of the thread: that it was preempted does not count. What does count,
 * because no clock tells it apart, is what an emulated machine loses to the
 * machine below it. So each request is made again and again, the longest hold of
 * each time is kept, and reported is the median of the times: the longest hold
 * that this request takes, not the worst moment of this machine. The worst moment
 * is noted beside it.
 *
 * The requests are the largest there are, over a domain that is full: of 1 GiB,
 * all cached. The host is the fake one, so that what is ours is seen. The kernel pins
 * under the same lock, 4096 pages at most for one request: the last rows have real
 * pins.
 */
#include "bench.h"
#include "contest.h"

#include <errno.h>
#include <lock.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <viaduct/abi/hal.h>
#include <viaduct/fake.h>
#include <viaduct/host.h>
#include <viaduct/pins.h>
#include <viaduct/viaduct.h>

void __real_lock_take(struct lock *l);
void __wrap_lock_take(struct lock *l);
void __real_lock_drop(struct lock *l);
void __wrap_lock_drop(struct lock *l);

#define NPAGES (1u << 18)
#define DEV    1u
#define BASE   ((void *)0x10000000)
#define RW     (VD_READ | VD_WRITE)
#define TIMES  21u

static struct vd_domain *domain;
static uint64_t word[NPAGES];

static unsigned int depth; /* of locks: there is one thread */
static double since, longest;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void __wrap_lock_take(struct lock *l) LOCK_UNCHECKED
{
	__real_lock_take(l);
	if (depth++ == 0)
		since = cpu_ns();
}

void __wrap_lock_drop(struct lock *l) LOCK_UNCHECKED
{
	if (--depth == 0) {
		double held = cpu_ns() - since;

		if (held > longest)
			longest = held;
	}
	__real_lock_drop(l);
}

static int quiet(void *opaque)
{
	(void)opaque;
	return 0;
}

static struct vd_seg pages(uint64_t at, uint64_t n)
{
	return (struct vd_seg){ .gpa = { at * VD_PAGE_SIZE },
				.len = n * VD_PAGE_SIZE,
				.prot = RW };
}

static void make(struct vd_host *host, void *base, uint64_t npages)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiet };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, DEV, &ops, NULL };

	bench_must(vd_domain_create(host, &cfg, &domain) == 0, "domain");
	bench_must(vd_domain_add_memory(domain, (vd_gpa){ 0 }, base,
					npages * VD_PAGE_SIZE) == 0,
		   "memory");
	bench_must(vd_domain_share_pins(domain, word, npages) == 0, "table");
	bench_must(vd_device_attach(domain, &dev) == 0, "attach");
}

static void make_fake(void)
{
	struct vd_host *host;

	bench_must(vd_host_fake_create(BASE, NPAGES, &host) == 0, "host");
	make(host, BASE, NPAGES);
}

/* As much as one request may pin, of small pages. */
static void make_real(void)
{
	const struct vd_noiommu_cfg cfg = { .size = sizeof(cfg),
					    .method = VD_PIN_IO_URING };
	const size_t len = VD_MAP_MAX_PAGES * VD_PAGE_SIZE;
	struct vd_host *host;
	void *ram = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bench_must(ram != MAP_FAILED, "memory");
	madvise(ram, len, MADV_NOHUGEPAGE);
	memset(ram, 1, len);
	bench_must(vd_host_noiommu_create(&cfg, &host) == 0,
		   "cannot pin: needs root and io_uring");
	memset(word, 0, sizeof(word));
	make(host, ram, VD_MAP_MAX_PAGES);
}

/* --- what is asked ---------------------------------------------------- */

static struct vd_seg seg[VD_MAP_MAX_SEGS];
static size_t nsegs;

/* As many pages as a request may have, as far as @nsegs of @run pages go. */
static void choose(uint64_t run)
{
	nsegs = 0;
	while (nsegs < VD_MAP_MAX_SEGS &&
	       (nsegs + 1) * run <= VD_MAP_MAX_PAGES) {
		seg[nsegs] = pages(nsegs * run, run);
		nsegs++;
	}
}

static void map(void)
{
	bench_must(vd_device_map(domain, DEV, seg, nsegs, UINT64_MAX) == 0,
		   "map");
}

static void unmap(void)
{
	size_t done;

	bench_must(vd_device_unmap_segs(domain, DEV, seg, nsegs, &done) == 0,
		   "unmap");
}

static void pin(void)
{
	bench_must(vd_device_pin(domain, DEV, seg, nsegs, UINT64_MAX) == 0,
		   "pin");
}

/* The guest's own store: it is done with what it had mapped. */
static void done_with(void)
{
	for (uint64_t i = 0; i < NPAGES; i++)
		word[i] &= ~(uint64_t)VD_HAL_WORD_COUNT;
}

static void drop(void)
{
	bench_must(vd_domain_drop_pins(domain) == 0, "drop");
}

static void cache_all(void)
{
	for (uint64_t at = 0; at < NPAGES; at += VD_MAP_MAX_PAGES) {
		struct vd_seg all = pages(at, VD_MAP_MAX_PAGES);

		bench_must(vd_device_pin(domain, DEV, &all, 1, UINT64_MAX) == 0,
			   "pin");
	}
	done_with();
}

static void hold_all(void)
{
	cache_all();
	for (uint64_t i = 0; i < NPAGES; i++)
		word[i]++;
}

/* The first half is cached, and that is the budget; a request for others. */
static void fill(void)
{
	const uint64_t half = NPAGES / 2;

	drop();
	vd_domain_set_budget(domain, half * VD_PAGE_SIZE);
	for (uint64_t at = 0; at < half; at += VD_MAP_MAX_PAGES) {
		struct vd_seg all = pages(at, VD_MAP_MAX_PAGES);

		bench_must(vd_device_pin(domain, DEV, &all, 1, UINT64_MAX) == 0,
			   "pin");
	}
	seg[0] = pages(half, VD_MAP_MAX_PAGES);
	nsegs = 1;
}

static void fill_and_let_go(void)
{
	fill();
	done_with();
}

static void be_refused(void)
{
	bench_must(vd_device_pin(domain, DEV, seg, 1, UINT64_MAX) == -EDQUOT,
		   "a refusal");
}

static void let_go(void)
{
	vd_domain_set_budget(domain, 0);
	done_with();
}

static void age(void)
{
	vd_domain_age(domain, 1);
}

static void reclaim(void)
{
	vd_domain_reclaim(domain, (uint64_t)NPAGES * VD_PAGE_SIZE);
}

static void cache_cold(void)
{
	cache_all();
	for (uint64_t i = 0; i < NPAGES; i++)
		word[i] &= ~(uint64_t)VD_HAL_WORD_USED;
}

static int give(void *opaque, void *hva, uint64_t len)
{
	(void)opaque;
	(void)hva;
	(void)len;
	return 0;
}

static void discard(void)
{
	struct vd_discard how = { .size = sizeof(how), .give = give };

	bench_must(vd_domain_discard(domain, (vd_gpa){ 0 },
				     (uint64_t)NPAGES * VD_PAGE_SIZE,
				     &how) == 0,
		   "discard");
}

static void revoke(void)
{
	bench_must(vd_device_revoke(domain, DEV) == 0, "revoke");
}

struct request {
	const char *name;
	void (*before)(void), (*call)(void), (*after)(void);
};

/* @run: pages of a segment, or 0 */
static void measure(const struct request *r, uint64_t run)
{
	double took[TIMES], worst = 0;
	char name[80];

	for (unsigned int i = 0; i < TIMES; i++) {
		if (r->before)
			r->before();
		longest = 0;
		r->call();
		took[i] = longest / 1e6;
		if (took[i] > worst)
			worst = took[i];
		if (r->after)
			r->after();
	}
	if (run)
		snprintf(name, sizeof(name), "hold: %s, segments of %u",
			 r->name, (unsigned int)run);
	else
		snprintf(name, sizeof(name), "hold: %s", r->name);
	bench_report(&(struct bench_result){ .goal = "G13",
					     .name = name,
					     .value = bench_median(took, TIMES),
					     .bound = 1,
					     .unit = "ms",
					     .reference = "processor time" });
	bench_note("  its worst moment", worst * 1000, "us");
}

static void largest_requests(uint64_t run)
{
	static const struct request all[] = {
		{ "map", NULL, map, unmap },
		{ "unmap", map, unmap, NULL },
		{ "pin, nothing cached", drop, pin, NULL },
		{ "pin, all cached", NULL, pin, done_with },
		{ "revoke", map, revoke, NULL },
	};

	choose(run);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		measure(&all[i], run);
}

static void whole_table(void)
{
	static const struct request all[] = {
		{ "age, all used", cache_all, age, NULL },
		{ "age, all held", hold_all, age, done_with },
		{ "age, none used", cache_cold, age, NULL },
		{ "pin, the budget spent", fill_and_let_go, pin, let_go },
		{ "pin, all of it held", fill, be_refused, let_go },
		{ "reclaim", cache_all, reclaim, NULL },
		{ "discard", cache_all, discard, NULL },
		{ "drop", cache_all, drop, NULL },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		measure(&all[i], 0);
}

/* The pages are no run on the bus: it is refused, and by then all is pinned. */
static void pin_scattered(void)
{
	int err = vd_device_pin(domain, DEV, seg, nsegs, UINT64_MAX);

	bench_must(err == 0 || err == -EXDEV, "pin");
}

static void real_pins(void)
{
	static const struct request all[] = {
		{ "pin of 4096, by the kernel", drop, pin_scattered, NULL },
		{ "drop of 4096, by the kernel", pin_scattered, drop, NULL },
	};

	make_real();
	choose(VD_MAP_MAX_PAGES);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		measure(&all[i], 0);
}

int main(void)
{
	make_fake();
	largest_requests(16);
	largest_requests(VD_MAP_MAX_PAGES);
	whole_table();
	real_pins();
	return 0;
}
