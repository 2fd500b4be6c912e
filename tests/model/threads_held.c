/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two adapters with windows on one domain, four threads that write entries for
 * a handful of pages: each page goes from unpinned to pinned and back all the
 * time, from all sides. To be run under a race detector as well.
 *
 * X1: while a thread's entry names a page the host has it pinned; at the end
 * nothing is. The host refuses now and then, and the budget is one page short.
 *
 * Usage: threads-held [rounds]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <viaduct/viaduct.h>

#define PAGE	VD_PAGE_SIZE
#define PAGES	6u
#define THREADS 4u
#define BASE	((unsigned char *)0x40000000)
#define RW	(VD_READ | VD_WRITE)

static struct world {
	struct vd_host host;
	struct vd_domain *d;
	struct vd_adapter *a[2];
	atomic_int pins[PAGES];
	atomic_uint calls;
	atomic_ulong held, refused;
	unsigned long rounds;
} w;

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads-held: %s\n", what);
		abort();
	}
}

static size_t index_of(const struct vd_pin *p)
{
	return (size_t)((unsigned char *)p->hva - BASE) / PAGE;
}

static int pin(struct vd_host *h, struct vd_pin *p, size_t n)
{
	(void)h;
	if (atomic_fetch_add(&w.calls, 1) % 50 == 49)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++) {
		must(p[i].npages == 1, "a page each");
		must(atomic_fetch_add(&w.pins[index_of(&p[i])], 1) == 0, "pinned twice");
		p[i].handle = index_of(&p[i]) + 1000;
		p[i].page[0].v = (uintptr_t)p[i].hva;
	}
	return 0;
}

static void unpin(struct vd_host *h, const struct vd_pin *p, size_t n)
{
	(void)h;
	for (size_t i = 0; i < n; i++) {
		must(p[i].handle == index_of(&p[i]) + 1000, "another page's handle");
		must(atomic_fetch_sub(&w.pins[index_of(&p[i])], 1) == 1, "not pinned once");
	}
}

static void destroy(struct vd_host *h)
{
	(void)h;
}

static void make_adapter(struct vd_adapter **a)
{
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg) };
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 1, .provider = VD_NO_OWNER, .domain = w.d
	};
	const struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = 1024 };
	struct vd_window_cfg win = { .size = sizeof(win), .id = 1, .owner = 1, .len = 1024 };

	must(vd_adapter_create(&cfg, a) == 0, "adapter");
	must(vd_owner_add(*a, &o) == 0, "owner");
	must(vd_table_create(*a, &t, &win.table) == 0, "table");
	must(vd_window_create(*a, &win) == 0, "window");
}

static void make_world(void)
{
	static const struct vd_host_ops ops = { sizeof(ops), "counting", pin, unpin, destroy };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12,
					   .budget = (PAGES - 1) * PAGE };

	w.host.ops = &ops;
	must(vd_domain_create(&w.host, &cfg, &w.d) == 0, "domain");
	must(vd_domain_add_memory(w.d, (vd_gpa){ 0 }, BASE, PAGES * PAGE) == 0, "memory");
	make_adapter(&w.a[0]);
	make_adapter(&w.a[1]);
}

/* Some entries of the thread's own, each for some page. */
#define OWN 3u

static int put(unsigned int thread, const vd_entry *e, struct vd_put *p)
{
	*p = (struct vd_put){ .size = sizeof(struct vd_put),
			      .owner = 1,
			      .window = 1,
			      .bus = { (uint64_t)thread * 16 * PAGE },
			      .n = OWN,
			      .entry = e };
	return vd_window_put(w.a[thread % 2], p);
}

static void *work(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg, seed = thread + 1;
	const vd_entry none[OWN] = { { 0 } };
	struct vd_put p;

	for (unsigned long n = 0; n < w.rounds; n++) {
		vd_entry e[OWN];

		for (unsigned int i = 0; i < OWN; i++) {
			seed = seed * 1103515245 + 12345;
			e[i].v = (seed >> 16) % PAGES * PAGE | RW;
		}
		if (put(thread, e, &p)) {
			w.refused++;
			continue; /* what was there before is there still */
		}
		for (unsigned int i = 0; i < OWN; i++)
			must(w.pins[e[i].v / PAGE] == 1, "an entry without a pin");
		w.held += OWN;
		if (seed >> 20 & 1)
			must(put(thread, none, &p) == 0, "clear");
	}
	must(put(thread, none, &p) == 0, "clear");
	return NULL;
}

int main(int argc, char **argv)
{
	struct vd_domain_stats s = { .size = sizeof(s) };
	pthread_t t[THREADS];

	w.rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000;
	make_world();
	for (uintptr_t i = 0; i < THREADS; i++)
		must(pthread_create(&t[i], NULL, work, (void *)i) == 0, "thread");
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	vd_domain_stats(w.d, &s);
	must(s.pinned == 0 && s.pinned_peak <= (PAGES - 1) * PAGE, "the domain's count");
	for (unsigned int i = 0; i < PAGES; i++)
		must(w.pins[i] == 0, "a pin is left");
	vd_adapter_destroy(w.a[0]);
	vd_adapter_destroy(w.a[1]);
	vd_domain_destroy(w.d);
	printf("threads-held: %lu held, %lu refused\n", w.held, w.refused);
	must(w.held > 0 && w.refused > 0, "not both happened");
	return 0;
}
