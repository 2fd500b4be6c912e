/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live entries change hands under readers, while the memory of both owners grows,
 * to be run under a race detector as well.
 *
 * Two providers have one domain. In each round it gets a page more, which whoever
 * has the upper half of the window puts at once into the entry that STAYS; then
 * the half goes to the other, as it is. A device of either may find the entry or
 * find that it has no such window, but never an entry without a page: that would
 * be an owner that has not looked at its memory, or a reader that sees an entry
 * and not yet the memory behind it. What it finds is the page that it was told,
 * and pinned.
 *
 * Usage: threads-transfer [worlds]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <viaduct/viaduct.h>

#define PAGE	VD_PAGE_SIZE
#define PAGES	60u /* stretches, of a page each */
#define ENTRIES 64u
#define HALF	32u
#define STAYS	40u
#define BUS	((uint64_t)1 << 32)
#define W1	1u
#define W2	2u
#define RW	(VD_READ | VD_WRITE)

struct world {
	struct vd_adapter *a;
	struct vd_host *host;
	struct vd_domain *d;
	unsigned char *mem;
	atomic_bool stop;
	atomic_ulong hits, misses;
};

static struct world w;

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads-transfer: %s\n", what);
		abort();
	}
}

/* Pages are not next to each other, so each is a span of its own. */
static uint64_t gpa_of(uint64_t page)
{
	return 2 * page * PAGE;
}

static void grow(uint64_t page)
{
	*(uint64_t *)(void *)(w.mem + page * PAGE) = page;
	must(vd_domain_add_memory(w.d, (vd_gpa){ gpa_of(page) }, w.mem + page * PAGE, PAGE) == 0,
	     "memory");
}

static void put(uint32_t owner, uint32_t window, uint64_t page)
{
	const vd_entry e = { gpa_of(page) | RW };
	struct vd_put p = { .size = sizeof(p),
			    .owner = owner,
			    .window = window,
			    .bus = { BUS + STAYS * PAGE },
			    .n = 1,
			    .entry = &e };

	must(vd_window_put(w.a, &p) == 0, "put");
}

static void add_provider(uint32_t id)
{
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = id, .provider = VD_NO_OWNER, .domain = w.d
	};

	must(vd_owner_add(w.a, &o) == 0, "owner");
	must(vd_adapter_attach(w.a, id, id) == 0, "device");
}

static void make_world(void)
{
	const struct vd_domain_cfg domain = { .size = sizeof(domain), .granule_shift = 12 };
	const struct vd_adapter_cfg adapter = { .size = sizeof(adapter) };
	const struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = ENTRIES };
	struct vd_window_cfg win = {
		.size = sizeof(win), .id = W1, .bus = { BUS }, .len = ENTRIES
	};

	w.mem = aligned_alloc(PAGE, PAGES * PAGE);
	must(w.mem, "memory");
	must(vd_host_fake_create(w.mem, PAGES, &w.host) == 0, "host");
	must(vd_domain_create(w.host, &domain, &w.d) == 0, "domain");
	must(vd_adapter_create(&adapter, &w.a) == 0, "adapter");
	add_provider(0);
	add_provider(1);
	must(vd_table_create(w.a, &t, &win.table) == 0, "table");
	must(vd_window_create(w.a, &win) == 0, "window");
}

static void end_world(void)
{
	vd_adapter_destroy(w.a);
	must(vd_fake_pinned(w.host) == 0, "a pin is left");
	vd_domain_destroy(w.d);
	vd_host_destroy(w.host);
	free(w.mem);
}

static void look(struct vd_reader *r)
{
	struct vd_target t;
	int err;

	vd_reader_enter(r);
	err = vd_translate(r, (vd_iova){ BUS + STAYS * PAGE }, RW, &t);
	if (!err) {
		must(gpa_of(*(uint64_t *)(void *)t.hva) == t.gpa.v, "another page's memory");
		w.hits++;
	} else {
		must(err == -ERANGE || err == -ENXIO, "an entry without its page");
		w.misses++;
	}
	vd_reader_exit(r);
}

static void *read_all(void *arg)
{
	struct vd_reader *r;

	must(vd_reader_create(w.a, (uint32_t)(uintptr_t)arg, &r) == 0, "reader");
	while (!w.stop)
		look(r);
	vd_reader_destroy(r);
	return NULL;
}

static void hand_over(bool to_other)
{
	const struct vd_split s = { sizeof(s), W1, W2, 1, VD_LIVE_TRANSFER, HALF };
	const struct vd_merge m = { sizeof(m), W1, W2, 0, VD_LIVE_TRANSFER };

	must((to_other ? vd_window_split(w.a, &s) : vd_window_merge(w.a, &m)) == 0, "transfer");
}

static void run(void)
{
	pthread_t t[2];

	w.stop = false;
	make_world();
	grow(0);
	put(0, W1, 0);
	for (uintptr_t i = 0; i < 2; i++)
		must(pthread_create(&t[i], NULL, read_all, (void *)i) == 0, "thread");
	for (uint64_t page = 1; page < PAGES; page++) {
		bool others = page % 2 == 0;

		grow(page);
		put(others, others ? W2 : W1, page);
		hand_over(!others);
	}
	w.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	end_world();
}

int main(int argc, char **argv)
{
	unsigned long worlds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;

	/* On a busy machine a whole world may pass before a reader runs. */
	for (unsigned long i = 0; i < worlds || (i < 50 * worlds && (!w.hits || !w.misses)); i++)
		run();
	printf("threads-transfer: %lu hits, %lu misses\n", w.hits, w.misses);
	must(w.hits > 0 && w.misses > 0, "hardly anything was met");
	return 0;
}
