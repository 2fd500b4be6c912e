/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers, writers and a splitter on one adapter, to be run under a race
 * detector as well.
 *
 * Page p of each owner's memory carries its owner and its number, and entry i
 * names only pages p with p = i modulo CLASSES: so a reader that met a mixture
 * of two windows, two entries or two owners would know. A writer says which of
 * its pages may be met: alive is set before a page is mapped and cleared when
 * its unmap has returned. A reader that is inside must find alive whatever it
 * met, even if it lost its CPU meanwhile. One entry below the split stays, and
 * must be met in each burst, whatever happens above it (T2.2).
 *
 * The control is the same program with an epoch_wait() that does not wait: with
 * the argument "control" it must meet a page that is gone.
 *
 * Usage: threads-window [rounds [control]]
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <viaduct/viaduct.h>

#define PAGE	   VD_PAGE_SIZE
#define PAGES	   64u
#define CLASSES	   8u
#define ENTRIES	   1024u
#define SPLIT	   512u
#define BUS	   ((uint64_t)1 << 32)
#define W1	   1u
#define W2	   2u
#define RW	   (VD_READ | VD_WRITE)

/* The entry below the split that nobody touches. */
#define STAYS	   (SPLIT - 1)
#define STAYS_PAGE (STAYS % CLASSES)

struct tag {
	uint32_t owner, page;
};

struct world {
	struct vd_adapter *a;
	unsigned char *mem[2];
	atomic_int alive[2][PAGES]; /* how many entries may name it */
	atomic_bool stop;
	atomic_bool enough; /* of the control */
	unsigned long rounds;
	bool is_control;
	atomic_ulong hits, misses, gone;
};

static struct world w;

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads-window: %s\n", what);
		abort();
	}
}

/* What must not be, but in the control must be seen to be. */
static void check(bool ok, const char *what)
{
	must(ok || w.is_control, what);
	if (!ok) {
		w.gone++;
		w.enough = true;
	}
}

static void make_memory(uint32_t owner)
{
	const struct vd_owner_cfg none = { .size = 0 };
	struct vd_owner_cfg o = none;
	struct vd_span span = { .len = PAGES * PAGE };

	w.mem[owner] = aligned_alloc(PAGE, PAGES * PAGE);
	must(w.mem[owner], "memory");
	for (uint32_t p = 0; p < PAGES; p++)
		*(struct tag *)(void *)(w.mem[owner] + p * PAGE) = (struct tag){ owner, p };
	span.hva = w.mem[owner];
	o = (struct vd_owner_cfg){ .size = sizeof(o),
				   .id = owner,
				   .provider = VD_NO_OWNER,
				   .memory = &span,
				   .nmemory = 1 };
	must(vd_owner_add(w.a, &o) == 0, "owner");
	must(vd_adapter_attach(w.a, owner, owner) == 0, "device");
}

static int put(uint32_t owner, uint32_t window, uint64_t i, uint64_t entry)
{
	const vd_entry e = { entry };
	struct vd_put p = { .size = sizeof(p),
			    .owner = owner,
			    .window = window,
			    .bus = { BUS + i * PAGE },
			    .n = 1,
			    .entry = &e,
			    .flags = entry ? VD_PUT_FRESH : 0 };

	return vd_window_put(w.a, &p);
}

static void make_world(uint64_t nentries)
{
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg) };
	const struct vd_table_cfg t = {
		.size = sizeof(t), .format = VD_FORMAT_TCE, .page_shift = 12, .nentries = nentries
	};
	struct vd_window_cfg win = { .size = sizeof(win), .id = W1, .bus = { BUS } };

	must(vd_adapter_create(&cfg, &w.a) == 0, "adapter");
	make_memory(0);
	make_memory(1);
	must(vd_table_create(w.a, &t, &win.table) == 0, "table");
	win.len = ENTRIES;
	must(vd_window_create(w.a, &win) == 0, "window");
	w.alive[0][STAYS_PAGE]++;
	must(put(0, W1, STAYS, STAYS_PAGE * PAGE | RW) == 0, "map");
}

static unsigned int next(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

#define BURST 16u

static void meets_what_stays(struct vd_reader *r)
{
	struct vd_target t;

	must(vd_translate(r, (vd_iova){ BUS + STAYS * PAGE }, RW, &t) == 0, "what stays is gone");
	must(t.hva == w.mem[0] + STAYS_PAGE * PAGE, "what stays has moved");
}

/* One burst by device @dev; what it met. */
static void burst(struct vd_reader *r, uint32_t dev, unsigned int *seed)
{
	struct tag met[BURST];
	unsigned int n = 0;

	vd_reader_enter(r);
	for (unsigned int k = 0; k < BURST; k++) {
		uint64_t i = next(seed) % ENTRIES;
		struct vd_target t;

		if (vd_translate(r, (vd_iova){ BUS + i * PAGE }, VD_READ, &t))
			continue;
		met[n] = *(struct tag *)(void *)t.hva;
		check(met[n].owner == dev && t.owner == dev, "another owner's memory");
		check(met[n].page % CLASSES == i % CLASSES, "another entry's page");
		n++;
	}
	if (next(seed) % 16 == 0)
		sched_yield();
	for (unsigned int k = 0; k < n; k++)
		check(w.alive[dev][met[k].page] != 0, "a page that was unmapped");
	if (dev == 0)
		meets_what_stays(r);
	vd_reader_exit(r);
	w.hits += n;
	w.misses += BURST - n;
}

static void *read_all(void *arg)
{
	uint32_t dev = (uint32_t)(uintptr_t)arg;
	unsigned int seed = 7 + dev;
	struct vd_reader *r;

	must(vd_reader_create(w.a, dev, &r) == 0, "reader");
	while (!w.stop)
		burst(r, dev, &seed);
	vd_reader_destroy(r);
	return NULL;
}

/* Entries that are valid now, by one owner in one window. */
#define HELD 32u

struct set {
	uint32_t owner, window;
	uint64_t first; /* entry k stands between first + k * STEP and the next */
	uint32_t page[HELD];
	uint64_t at[HELD];
};

#define STEP (SPLIT / HELD)

static void map_one(struct set *s, unsigned int k, unsigned int *seed)
{
	s->at[k] = s->first + k * STEP + next(seed) % (STEP - 1);
	s->page[k] = (uint32_t)(s->at[k] % CLASSES) + CLASSES * (next(seed) % 8);
	w.alive[s->owner][s->page[k]]++;
	must(put(s->owner, s->window, s->at[k], s->page[k] * PAGE | RW) == 0, "map");
}

static void unmap_one(struct set *s, unsigned int k)
{
	must(put(s->owner, s->window, s->at[k], 0) == 0, "unmap");
	w.alive[s->owner][s->page[k]]--;
}

static void *write_low(void *arg)
{
	struct set s = { .owner = 0, .window = W1 };
	unsigned int seed = 99;

	(void)arg;
	for (unsigned long n = 0; n < w.rounds && !w.enough; n++) {
		if (n >= HELD)
			unmap_one(&s, n % HELD);
		map_one(&s, n % HELD, &seed);
	}
	w.stop = true;
	return NULL;
}

/* Map, and let a change of the window make it invalid. */
static void map_until(struct set *s, unsigned int *seed, int (*change)(void))
{
	for (unsigned int k = 0; k < HELD; k++)
		map_one(s, k, seed);
	for (unsigned int k = 0; k < HELD / 4; k++)
		unmap_one(s, k);
	sched_yield();
	must(change() == 0, "change");
	for (unsigned int k = HELD / 4; k < HELD; k++)
		w.alive[s->owner][s->page[k]]--;
}

static int split(void)
{
	const struct vd_split s = { sizeof(s), W1, W2, 1, VD_LIVE_REVOKE, SPLIT };

	return vd_window_split(w.a, &s);
}

static int merge(void)
{
	const struct vd_merge m = { sizeof(m), W1, W2, 0, VD_LIVE_REVOKE };

	return vd_window_merge(w.a, &m);
}

/* The upper half goes to the other provider and back; both map in it. */
static void *split_and_merge(void *arg)
{
	struct set mine = { .owner = 0, .window = W1, .first = SPLIT };
	struct set theirs = { .owner = 1, .window = W2, .first = SPLIT };
	unsigned int seed = 5;

	(void)arg;
	while (!w.stop) {
		map_until(&mine, &seed, split);
		map_until(&theirs, &seed, merge);
	}
	return NULL;
}

static void run(uint64_t nentries)
{
	void *(*const work[])(void *) = { read_all, read_all, write_low, split_and_merge };
	pthread_t t[4];

	w.stop = false;
	make_world(nentries);
	for (uintptr_t i = 0; i < 4; i++)
		must(pthread_create(&t[i], NULL, work[i], (void *)i) == 0, "thread");
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	vd_adapter_destroy(w.a);
	free(w.mem[0]);
	free(w.mem[1]);
}

int main(int argc, char **argv)
{
	w.rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 4000;
	w.is_control = argc > 2;
	run(ENTRIES);
	if (!w.is_control)
		run((uint64_t)1 << 30); /* a tree: nodes come and go under the readers */
	printf("threads-window: %lu hits, %lu misses, %lu met what was gone\n", w.hits, w.misses,
	       w.gone);
	must(w.is_control || w.hits > 1000, "hardly anything was met");
	must(!w.is_control || w.gone > 0, "the control did not see what it should");
	return 0;
}
