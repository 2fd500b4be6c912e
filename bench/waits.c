/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G13: how long others wait beside a guest that sends the worst requests.
 *
 * A hostile vCPU maps, unmaps, pins and drops, without a pause, what costs most to
 * check: as many pages as a request may have, in segments of every size, where each
 * page is mapped already and one mapping is long. Beside it run what the control
 * socket asks, the thread that ages the pin table, and another vCPU with an
 * honest request; of each the longest wait is kept, by the clock. How long the
 * lock itself is held is measured in holds.c.
 *
 * A wait by the clock is also the machine's: who holds the lock may be preempted,
 * and then all wait. So beside them runs a thread that takes no lock and computes
 * for a fifth of a millisecond, again and again; by how much the longest of its
 * times is longer is noted. On a machine that is busy with other things it is
 * as long as the waits, and then they say nothing about locks.
 *
 * The host is the fake one: what the kernel takes to pin is G7's.
 */
#include "bench.h"
#include "contest.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>
#include <viaduct/fake.h>
#include <viaduct/pins.h>
#include <viaduct/viaduct.h>

#define NPAGES	16384u
#define MAPPED	4096u /* pages that are mapped one by one */
#define SECONDS 4
#define HOSTILE 1u
#define HONEST	2u
#define BASE	((void *)0x10000000)
#define RW	(VD_READ | VD_WRITE)

static struct vd_domain *domain;
static uint64_t word[NPAGES];
static bool over; /* atomically */

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_RELAXED);
}

static void longer(double *worst, double ns)
{
	if (ns > *worst)
		*worst = ns;
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

static void attach(uint32_t id)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiet };
	const struct vd_device_cfg cfg = {
		.size = sizeof(cfg), .guest_id = id, .host_id = id, .ops = &ops
	};

	bench_must(vd_device_attach(domain, &cfg) == 0, "attach");
}

static void make(void)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	struct vd_host *host;
	struct vd_seg seg;

	bench_must(vd_host_fake_create(BASE, NPAGES, &host) == 0, "host");
	bench_must(vd_domain_create(host, &cfg, &domain) == 0, "domain");
	bench_must(vd_domain_add_memory(domain, (vd_gpa){ 0 }, BASE,
					NPAGES * VD_PAGE_SIZE) == 0,
		   "memory");
	bench_must(vd_domain_share_pins(domain, word, NPAGES) == 0, "table");
	attach(HOSTILE);
	attach(HONEST);
	for (uint64_t i = 0; i < MAPPED; i++) {
		seg = pages(i, 1);
		bench_must(vd_device_map(domain, HOSTILE, &seg, 1,
					 UINT64_MAX) == 0,
			   "map");
	}
	seg = pages(2 * MAPPED, MAPPED);
	bench_must(vd_device_map(domain, HOSTILE, &seg, 1, UINT64_MAX) == 0,
		   "a long mapping");
}

/* One request each way, in segments of @run pages. */
static void attack(uint64_t run)
{
	struct vd_seg seg[VD_MAP_MAX_SEGS];
	size_t n = 0, done;

	for (uint64_t at = 0; at + run <= MAPPED && n < 254; at += run)
		seg[n++] = pages(at, run);
	bench_must(vd_device_map(domain, HOSTILE, seg, n, UINT64_MAX) == 0,
		   "map");
	vd_device_unmap_segs(domain, HOSTILE, seg, n, &done);
	bench_must(vd_device_pin(domain, HOSTILE, seg, n, UINT64_MAX) == 0,
		   "pin");
	bench_must(vd_domain_drop_pins(domain) == 0, "drop");
}

static void *be_hostile(void *arg)
{
	static const uint64_t runs[] = { 1, 16, 64, 512, 4096 };

	(void)arg;
	for (unsigned int i = 0; !is_over(); i++)
		attack(runs[i % (sizeof(runs) / sizeof(runs[0]))]);
	return NULL;
}

static void ask(void)
{
	struct vd_domain_stats st = { .size = sizeof(st) };

	vd_domain_stats(domain, &st);
}

static void age(void)
{
	vd_domain_age(domain, 1);
}

static void map_one(void)
{
	struct vd_seg seg = pages(NPAGES - 1, 1);

	if (vd_device_map(domain, HONEST, &seg, 1, UINT64_MAX) == 0)
		vd_device_unmap(domain, HONEST, seg.iova, seg.len);
}

static void compute(void)
{
	static volatile uint64_t sum;

	for (uint64_t i = 0; i < 100000; i++)
		sum += i;
}

struct waiter {
	const char *name;
	void (*call)(void);
	double best, worst;
	pthread_t thread;
};

static void *wait_often(void *arg)
{
	struct waiter *w = arg;

	while (!is_over()) {
		double t = bench_now_ns();

		w->call();
		t = bench_now_ns() - t;
		longer(&w->worst, t);
		if (w->best == 0 || t < w->best)
			w->best = t;
		usleep(1000);
	}
	return NULL;
}

static void report(const char *name, double ns, double bound)
{
	const struct bench_result r = {
		.goal = "G13",
		.name = name,
		.value = ns / 1e6,
		.bound = bound,
		.unit = "ms",
		.reference = "the clock",
	};

	bench_report(&r);
}

int main(void)
{
	struct waiter w[] = {
		{ .name = "longest wait of ctl", .call = ask },
		{ .name = "longest wait of ageing", .call = age },
		{ .name = "longest wait of another vCPU", .call = map_one },
		{ .name = NULL, .call = compute },
	};
	const size_t n = sizeof(w) / sizeof(w[0]);
	pthread_t hostile;

	make();
	bench_must(pthread_create(&hostile, NULL, be_hostile, NULL) == 0,
		   "thread");
	for (size_t i = 0; i < n; i++)
		bench_must(pthread_create(&w[i].thread, NULL, wait_often,
					  &w[i]) == 0,
			   "thread");
	sleep(SECONDS);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(hostile, NULL);
	for (size_t i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].name)
			report(w[i].name, w[i].worst, 5);
		else
			bench_note("longest pause of who takes no lock",
				   (w[i].worst - w[i].best) / 1000, "us");
	}
	return 0;
}
