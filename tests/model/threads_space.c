/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads on one space, to be run under a race detector as well.
 *
 * First they allocate and free, each by itself. An array says who owns each
 * page; a thread claims the pages of what it was given by an exchange, and finds
 * each of them nobody's. The space is small, so magazines are taken back all the
 * time; long runs, reserved ones and statistics come in between. Some runs go
 * from hand to hand through boxes and are freed by another thread.
 *
 * Then they race: all free the same pages at the same time, and each page must
 * have been freed once. In the end all comes together to one run again.
 *
 * The control is the same program in which the mark of a run is looked at and
 * then changed, in two steps: with the argument "control" it must see a page
 * freed twice.
 *
 * Usage: threads-space [rounds [control]]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <viaduct/viaduct.h>

#define PAGES	1500u
#define THREADS 4u
#define HELD	64u
#define BOXES	8u
#define PAGE	VD_PAGE_SIZE
#define BASE	((uint64_t)1 << 35)

struct run {
	uint64_t page, npages;
};

struct world {
	struct vd_space *s;
	atomic_uint owner[PAGES];
	atomic_ulong box[BOXES]; /* a run on its way: page, length */
	pthread_barrier_t begin;
	atomic_ulong freed; /* of a race's pages */
	unsigned long rounds;
	bool is_control;
	atomic_ulong given, refused, handed, wrong;
};

static struct world w;

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads-space: %s\n", what);
		abort();
	}
}

static unsigned int next(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static void claim(const struct run *r, unsigned int who)
{
	for (uint64_t i = r->page; i < r->page + r->npages; i++)
		must(atomic_exchange(&w.owner[i], who) == 0, "a page has two owners");
}

static void disclaim(const struct run *r, unsigned int who)
{
	for (uint64_t i = r->page; i < r->page + r->npages; i++)
		must(atomic_exchange(&w.owner[i], 0) == who, "a page was another's");
}

struct thread {
	struct vd_space_cache *c;
	unsigned int who, seed;
	struct run held[HELD];
};

static int free_run(struct thread *t, const struct run *r)
{
	return vd_space_free(t->c, (vd_iova){ BASE + r->page * PAGE }, r->npages);
}

static void give_back(struct thread *t, struct run *r)
{
	disclaim(r, t->who);
	must(free_run(t, r) == 0, "a free was refused");
	r->npages = 0;
}

static uint64_t some_len(struct thread *t)
{
	unsigned int what = next(&t->seed) % 64;

	return what == 0 ? 1 + next(&t->seed) % 300 :
	       what < 8	 ? 1 + next(&t->seed) % 40 :
			   1 + next(&t->seed) % 4;
}

static void take(struct thread *t, struct run *r)
{
	const struct vd_space_need need = { sizeof(need),
					    some_len(t),
					    next(&t->seed) % 8 ? 0 : 12 + next(&t->seed) % 7,
					    { UINT64_MAX } };
	vd_iova at;
	int err = vd_space_alloc_within(t->c, &need, &at);

	if (err) {
		must(err == -ENOSPC, "an allocation's error");
		w.refused++;
		return;
	}
	must(at.v >= BASE && at.v % ((uint64_t)1 << need.align_shift) == 0, "where it is");
	*r = (struct run){ (at.v - BASE) / PAGE, need.npages };
	must(r->page + r->npages <= PAGES, "outside");
	claim(r, t->who);
	w.given++;
}

/* Runs in boxes are nobody's pages, but given out. */
static unsigned long pack(const struct run *r)
{
	return r->page << 16 | r->npages;
}

static void swap_box(struct thread *t, struct run *r)
{
	unsigned long was;

	disclaim(r, t->who);
	was = atomic_exchange(&w.box[next(&t->seed) % BOXES], pack(r));
	*r = (struct run){ was >> 16, was & 0xffff };
	if (r->npages) {
		claim(r, t->who);
		w.handed++;
	}
}

static void look(struct thread *t)
{
	const vd_iova at = { BASE + next(&t->seed) % PAGES * PAGE };
	struct vd_space_stats st = { .size = sizeof(st) };
	int err;

	vd_space_stats(w.s, &st);
	must(st.npages == PAGES && st.free <= PAGES && st.longest <= st.free, "statistics");
	err = vd_space_reserve(w.s, at, 2);
	must(err == 0 || err == -EEXIST || err == -ERANGE, "a reserve's error");
	if (err == 0) {
		const struct run r = { (at.v - BASE) / PAGE, 2 };

		claim(&r, t->who);
		disclaim(&r, t->who);
		must(vd_space_unreserve(w.s, at, 2) == 0, "unreserve");
	}
}

static void *churn(void *arg)
{
	struct thread t = { .who = (unsigned int)(uintptr_t)arg };

	t.seed = t.who * 99;
	must(vd_space_cache_create(w.s, &t.c) == 0, "cache");
	for (unsigned long i = 0; i < w.rounds; i++) {
		struct run *r = &t.held[next(&t.seed) % HELD];
		unsigned int what = next(&t.seed) % 256;

		if (!r->npages)
			take(&t, r);
		else if (what < 64)
			swap_box(&t, r);
		else
			give_back(&t, r);
		if (what == 255)
			look(&t);
	}
	for (size_t i = 0; i < HELD; i++)
		if (t.held[i].npages)
			give_back(&t, &t.held[i]);
	vd_space_cache_destroy(t.c);
	return NULL;
}

static void *race(void *arg)
{
	struct thread t = { .who = (unsigned int)(uintptr_t)arg };
	unsigned long freed = 0;

	must(vd_space_cache_create(w.s, &t.c) == 0, "cache");
	pthread_barrier_wait(&w.begin);
	for (uint64_t i = 0; i < PAGES; i++) {
		const struct run r = { i, 1 };

		freed += free_run(&t, &r) == 0;
	}
	w.freed += freed;
	vd_space_cache_destroy(t.c);
	return NULL;
}

static void run_threads(void *(*work)(void *))
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		must(pthread_create(&t[i], NULL, work, (void *)(i + 1)) == 0, "thread");
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void one_race(void)
{
	struct vd_space_cache *c;
	vd_iova at;

	w.freed = 0;
	must(vd_space_cache_create(w.s, &c) == 0, "cache");
	for (size_t i = 0; i < PAGES; i++)
		must(vd_space_alloc(c, 1, &at) == 0, "not all of it");
	vd_space_cache_destroy(c);
	run_threads(race);
	must(w.freed >= PAGES, "a page was not freed");
	must(w.freed == PAGES || w.is_control, "a page was freed twice");
	w.wrong += w.freed > PAGES;
}

static void open_boxes(void)
{
	struct thread t = { .who = 0 };

	must(vd_space_cache_create(w.s, &t.c) == 0, "cache");
	for (size_t i = 0; i < BOXES; i++) {
		const struct run r = { w.box[i] >> 16, w.box[i] & 0xffff };

		if (r.npages)
			must(free_run(&t, &r) == 0, "a free of what was in a box");
	}
	vd_space_cache_destroy(t.c);
}

static void all_comes_together(void)
{
	struct vd_space_stats st = { .size = sizeof(st) };

	vd_space_stats(w.s, &st);
	must(st.given == 0 && st.reserved == 0, "something was lost");
	must(st.free + st.cached == PAGES, "pages are missing");
}

static void make_space(void)
{
	const struct vd_space_cfg cfg = {
		.size = sizeof(cfg), .base = { BASE }, .npages = PAGES, .page_shift = 12
	};

	must(vd_space_create(&cfg, &w.s) == 0, "space");
}

int main(int argc, char **argv)
{
	unsigned int races = 0;

	w.rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 500000;
	w.is_control = argc > 2;
	pthread_barrier_init(&w.begin, NULL, THREADS);
	make_space();
	if (!w.is_control) {
		run_threads(churn);
		open_boxes();
		all_comes_together();
	}
	while (races++ < (w.is_control ? w.rounds : 20) && !w.wrong)
		one_race();
	if (!w.is_control)
		all_comes_together();
	vd_space_destroy(w.s);
	pthread_barrier_destroy(&w.begin);
	printf("threads-space: %lu given, %lu refused, %lu handed over, %u races, %lu wrong\n",
	       w.given, w.refused, w.handed, races - 1, w.wrong);
	must(w.is_control || (w.given > w.rounds / 10 && w.refused && w.handed),
	     "hardly anything was done");
	must(!w.is_control || w.wrong, "the control did not see what it should");
	return 0;
}
