/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin table.
 *
 * G8: what a map costs when the page is pinned already, over one atomic
 * addition to the same words in the same order, and over a raw pin; and what
 * map and unmap cost on average when 19 pages of 20 are pinned already. The
 * guest's half is the very code of its module.
 *
 * G9: how much is pinned one ageing period after a burst over all of memory,
 * with a set of pages in use all the time.
 *
 * Two threads on different pages against two threads that each add to a word of
 * their own. The ageing of 16 million cached pages against one plain read of
 * their words, on a host that pins nothing: it is the scan that is measured.
 */
#include "bench.h"

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <viaduct/abi/hal.h>
#include <viaduct/viaduct.h>

#define HAL_WORD	    uint64_t
#define HAL_WORD_READ(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#define HAL_WORD_SWAP(word, old, new)                                    \
	__atomic_compare_exchange_n(word, old, new, 0, __ATOMIC_SEQ_CST, \
				    __ATOMIC_RELAXED)
#include <pinword.h>

#define PAGE  VD_PAGE_SIZE
#define RAM   ((size_t)1 << 18) /* pages of the domain that really pins */
#define HOT   ((size_t)1 << 13)
#define LARGE ((size_t)1 << 24)
#define DEV   8u

static uint64_t seed = 88172645463325252u;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench pins: %s\n", what);
		exit(1);
	}
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

struct machine {
	unsigned char *ram;
	uint64_t *word;
	struct vd_host *host;
	struct vd_domain *d;
};

static void *map_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(p != MAP_FAILED, "no memory");
	return p;
}

static void make(struct machine *m, size_t npages)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, 1, &ops, NULL };

	m->word = map_memory(npages * sizeof(uint64_t));
	must(vd_domain_create(m->host, &cfg, &m->d) == 0, "domain");
	must(vd_domain_add_memory(m->d, (vd_gpa){ 0 }, m->ram, npages * PAGE) ==
		     0,
	     "memory");
	must(vd_domain_share_pins(m->d, m->word, npages) == 0, "table");
	must(vd_device_attach(m->d, &dev) == 0, "device");
}

static void unmake(struct machine *m)
{
	vd_domain_destroy(m->d);
	vd_host_destroy(m->host);
}

static void make_real(struct machine *m)
{
	const struct vd_noiommu_cfg cfg = { .size = sizeof(cfg),
					    .method = VD_PIN_IO_URING };

	m->ram = map_memory(RAM * PAGE);
	madvise(m->ram, RAM * PAGE, MADV_NOHUGEPAGE);
	memset(m->ram, 1, RAM * PAGE);
	must(vd_host_noiommu_create(&cfg, &m->host) == 0,
	     "cannot pin: needs root and io_uring");
	make(m, RAM);
}

static void ask(struct machine *m, size_t page, size_t n)
{
	struct vd_seg seg[64];

	for (size_t i = 0; i < n; i++)
		seg[i] = (struct vd_seg){ .gpa = { (page + i) * PAGE },
					  .len = PAGE,
					  .prot = VD_WRITE };
	must(vd_device_pin(m->d, DEV, seg, n, UINT64_MAX) == 0, "pin");
}

static void let_go(struct machine *m, size_t page)
{
	uint64_t *w = &m->word[page];

	must(hal_word_unmap(w, hal_word_bus(*w)), "unmap");
}

static void cache(struct machine *m, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i += 64) {
		ask(m, i, 64);
		for (size_t k = i; k < i + 64; k++)
			let_go(m, k);
	}
}

/* --- G8 --------------------------------------------------------------- */

#define OPS 200000u

static uint32_t order[OPS];

static double time_hits(struct machine *m)
{
	unsigned long long bus;
	double a = bench_now_ns();

	for (unsigned int i = 0; i < OPS; i++)
		must(hal_word_map(&m->word[order[i]], &bus), "no hit");
	return (bench_now_ns() - a) / OPS;
}

static double time_ends(struct machine *m)
{
	double a = bench_now_ns();

	for (unsigned int i = 0; i < OPS; i++)
		let_go(m, order[i]);
	return (bench_now_ns() - a) / OPS;
}

static double time_adds(uint64_t *word)
{
	double a = bench_now_ns();

	for (unsigned int i = 0; i < OPS; i++)
		__atomic_fetch_add(&word[order[i]], 1, __ATOMIC_SEQ_CST);
	return (bench_now_ns() - a) / OPS;
}

static struct io_uring ring;

/* Pin and unpin @n pages, in one call each. Ns a page. */
static void time_raw(struct machine *m, unsigned int n, double *pin,
		     double *unpin)
{
	struct iovec iov[64], none[64];
	double a, b;

	memset(none, 0, sizeof(none));
	*pin = *unpin = 0;
	for (unsigned int r = 0; r < 4096 / n; r++) {
		for (unsigned int i = 0; i < n; i++) {
			iov[i].iov_base =
				m->ram + bench_random(&seed, RAM) * PAGE;
			iov[i].iov_len = PAGE;
		}
		a = bench_now_ns();
		must(io_uring_register_buffers_update_tag(&ring, 0, iov, NULL,
							  n) == (int)n,
		     "raw pin");
		b = bench_now_ns();
		must(io_uring_register_buffers_update_tag(&ring, 0, none, NULL,
							  n) == (int)n,
		     "raw unpin");
		*pin += (b - a) / 4096;
		*unpin += (bench_now_ns() - b) / 4096;
	}
}

static void hits(struct machine *m)
{
	double to_add[BENCH_ROUNDS], to_raw[BENCH_ROUNDS], hit[BENCH_ROUNDS];
	uint64_t *plain = map_memory(HOT * sizeof(uint64_t));

	cache(m, 0, HOT);
	for (unsigned int i = 0; i < OPS; i++)
		order[i] = (uint32_t)bench_random(&seed, HOT);
	time_adds(plain);
	for (int r = 0; r < BENCH_ROUNDS; r++) {
		double pin, unpin;

		hit[r] = time_hits(m);
		time_ends(m);
		to_add[r] = hit[r] / time_adds(plain);
		time_raw(m, 64, &pin, &unpin);
		to_raw[r] = hit[r] / pin;
	}
	bench_note("map of a cached page", bench_median(hit, BENCH_ROUNDS),
		   "ns");
	bench_report(&(struct bench_result){
		"G8", "hit to one atomic add",
		bench_median(to_add, BENCH_ROUNDS), 10, "ratio",
		"atomic add, same words, same order" });
	bench_report(&(struct bench_result){
		"G8", "hit to a raw pin in a batch of 64",
		bench_median(to_raw, BENCH_ROUNDS), 1.0 / 15, "ratio",
		"io_uring register of 64 pages, a page" });
}

/*
 * 19 of 20 hit; what misses is pinned by a request of its own, and unpinned by
 * the second ageing after it. Ns a map and unmap.
 */
static double time_reuse(struct machine *m, size_t *cold)
{
	const unsigned int n = 40960;
	unsigned int misses = 0;
	double a = bench_now_ns();

	for (unsigned int i = 0; i < n; i++) {
		unsigned long long bus;
		size_t page = order[i];

		if (i % 20 == 0) {
			page = *cold;
			*cold = *cold + 1 < RAM ? *cold + 1 : HOT;
		}
		if (!hal_word_map(&m->word[page], &bus)) {
			ask(m, page, 1);
			misses++;
		}
		let_go(m, page);
	}
	vd_domain_age(m->d, 1);
	a = bench_now_ns() - a;
	must(misses <= n / 18, "more misses than cold pages");
	return a / n;
}

/* Cold pages come in order, as a file's do, so that neighbours help. */
static void reuse(struct machine *m, unsigned int around)
{
	double v[BENCH_ROUNDS], ns[BENCH_ROUNDS];
	size_t cold = HOT;
	char name[64];

	must(vd_domain_set_around(m->d, around) == 0, "around");
	time_reuse(m, &cold);
	time_reuse(m, &cold);
	for (int r = 0; r < BENCH_ROUNDS; r++) {
		double pin, unpin;

		ns[r] = time_reuse(m, &cold);
		time_raw(m, 1, &pin, &unpin);
		v[r] = ns[r] / (pin + unpin);
	}
	must(vd_domain_set_around(m->d, 0) == 0, "around");
	bench_note("map and unmap, 95 % cached", bench_median(ns, BENCH_ROUNDS),
		   "ns");
	snprintf(name, sizeof(name), "map, unmap, 95 %% cached, around %u",
		 around);
	bench_report(&(struct bench_result){
		"G8", name, bench_median(v, BENCH_ROUNDS), 0.12, "ratio",
		"raw io_uring pin + unpin of one page" });
}

/* --- two threads ------------------------------------------------------ */

struct runner {
	uint64_t *word;
	_Atomic bool *go;
	bool adds;
};

#define TURNS 400000u

static void *spin(void *arg)
{
	struct runner *r = arg;
	unsigned long long bus;

	while (!atomic_load(r->go))
		;
	for (unsigned int i = 0; i < TURNS; i++) {
		if (r->adds) {
			__atomic_fetch_add(r->word, 1, __ATOMIC_SEQ_CST);
			__atomic_fetch_sub(r->word, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		must(hal_word_map(r->word, &bus), "no hit");
		must(hal_word_unmap(r->word, bus), "unmap");
	}
	return NULL;
}

/* Ns until @n threads are done, each on a page of its own. */
static double time_threads(uint64_t *word, unsigned int n, bool adds)
{
	_Atomic bool go = false;
	struct runner r[2];
	pthread_t t[2];
	double a;

	for (unsigned int i = 0; i < n; i++) {
		r[i] = (struct runner){ &word[(size_t)i * 64], &go, adds };
		must(pthread_create(&t[i], NULL, spin, &r[i]) == 0, "thread");
	}
	a = bench_now_ns();
	atomic_store(&go, true);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return bench_now_ns() - a;
}

static double less(double a, double b)
{
	return a < b ? a : b;
}

/* The best of the rounds: whatever else runs here only slows them down. */
static double scaling_of(uint64_t *word, bool adds, double best[2])
{
	for (unsigned int n = 1; n <= 2; n++)
		best[n - 1] = less(best[n - 1], time_threads(word, n, adds));
	return 2 * best[0] / best[1];
}

static void scaling(struct machine *m)
{
	double ours[2] = { 1e18, 1e18 }, control[2] = { 1e18, 1e18 };
	uint64_t *plain = map_memory(PAGE);
	double a = 0, b = 0;

	cache(m, 0, 128);
	for (int r = 0; r < BENCH_ROUNDS * 2; r++) {
		a = scaling_of(plain, true, control);
		b = scaling_of(m->word, false, ours);
	}
	bench_note("two threads do, of one: control", a * 100, "%");
	bench_note("two threads do, of one: ours", b * 100, "%");
	bench_report(&(struct bench_result){
		"G8", "control's scaling to ours, two threads", a / b, 1 / 0.95,
		"ratio", "two threads that add to words of their own" });
}

/* --- G9 --------------------------------------------------------------- */

static double pinned_pages(struct machine *m)
{
	struct vd_domain_stats st = { .size = sizeof(st) };

	vd_domain_stats(m->d, &st);
	return (double)(st.pinned / PAGE);
}

/* All of memory has been mapped once; only the live set goes on being. */
static void overcommit(struct machine *m, unsigned int around)
{
	const size_t w = HOT;
	unsigned long long bus;
	double burst;
	char name[80];

	vd_domain_reclaim(m->d, UINT64_MAX);
	must(vd_domain_set_around(m->d, around) == 0, "around");
	cache(m, 0, RAM);
	burst = pinned_pages(m);
	for (int tick = 0; tick < 2; tick++) {
		for (size_t i = 0; i < w; i++) { /* every 16th page */
			size_t page = i * 16;

			if (!hal_word_map(&m->word[page], &bus))
				ask(m, page, 1);
			let_go(m, page);
		}
		vd_domain_age(m->d, (uint64_t)tick);
	}
	snprintf(name, sizeof(name), "pinned a period after a burst, around %u",
		 around);
	bench_note("pinned in the burst", burst, "pages");
	bench_report(&(struct bench_result){ "G9", name, pinned_pages(m),
					     1.25 * (double)w + 1024, "pages",
					     "1.25 live set + 1024" });
}

/* What neighbours save, and what they cost, on runs of 32 pages. */
static void around(struct machine *m)
{
	for (unsigned int shift = 0; shift <= 5; shift++) {
		struct vd_pins_stats s = { .size = sizeof(s) },
				     t = { .size = sizeof(t) };
		unsigned long long bus;
		char name[64];
		double a, peak;

		vd_domain_reclaim(m->d, UINT64_MAX);
		must(vd_domain_set_around(m->d, shift) == 0, "around");
		vd_domain_pins_stats(m->d, &s);
		a = bench_now_ns();
		for (size_t run = 0; run < 1024; run++) {
			size_t at = bench_random(&seed, RAM - 64);
			size_t len = 1 + bench_random(&seed, 32);

			for (size_t i = at; i < at + len; i++) {
				if (!hal_word_map(&m->word[i], &bus))
					ask(m, i, 1);
				let_go(m, i);
			}
		}
		a = bench_now_ns() - a;
		peak = pinned_pages(m);
		vd_domain_pins_stats(m->d, &t);
		snprintf(name, sizeof(name),
			 "around %u: us a run, requests, pages", shift);
		printf("     %-44s %9.1f %9.2f %9.1f\n", name, a / 1024 / 1000,
		       (double)(t.requests - s.requests) / 1024, peak / 1024);
	}
	must(vd_domain_set_around(m->d, 0) == 0, "around");
}

/* --- the scan --------------------------------------------------------- */

static int pin_nothing(struct vd_host *h, struct vd_pin *pin, size_t n)
{
	(void)h;
	for (size_t i = 0; i < n; i++) {
		pin[i].handle = 0;
		for (size_t k = 0; k < pin[i].npages; k++)
			pin[i].page[k].v =
				(uintptr_t)pin[i].hva % (PAGE << 24) + k * PAGE;
	}
	return 0;
}

static void unpin_nothing(struct vd_host *h, const struct vd_pin *pin, size_t n)
{
	(void)h;
	(void)pin;
	(void)n;
}

static void destroy_nothing(struct vd_host *h)
{
	(void)h;
}

static double time_read(const uint64_t *word)
{
	uint64_t sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < LARGE; i++)
		sum += word[i];
	a = bench_now_ns() - a;
	must(sum != 0, "nothing there");
	return a;
}

static double time_age(struct machine *m)
{
	double a = bench_now_ns();

	vd_domain_age(m->d, 1);
	return bench_now_ns() - a;
}

static double time_reclaim(struct machine *m, uint64_t bytes, uint64_t got)
{
	double a = bench_now_ns();

	must(vd_domain_reclaim(m->d, bytes) == got, "reclaim");
	return bench_now_ns() - a;
}

static void scan(void)
{
	static const struct vd_host_ops ops = {
		.size = sizeof(ops),
		.name = "nothing",
		.pin = pin_nothing,
		.unpin = unpin_nothing,
		.destroy = destroy_nothing,
	};
	struct vd_host host = { &ops };
	struct machine m = { .ram = map_memory(LARGE * PAGE), .host = &host };
	enum { ROUNDS = 5 };
	double age[ROUNDS], all[ROUNDS], few[ROUNDS];

	make(&m, LARGE);
	for (size_t i = 0; i < LARGE; i += 64)
		ask(&m, i, 64); /* and held: the scan finds nothing */
	for (int r = 0; r < ROUNDS; r++) {
		double read = time_read(m.word);

		age[r] = time_age(&m) / read;
		all[r] = time_reclaim(&m, UINT64_MAX, 0) / read;
	}
	bench_note("plain read of 16 million words", time_read(m.word) / 1e6,
		   "ms");
	bench_report(&(struct bench_result){
		"scan", "ageing 16 million words, all held",
		bench_median(age, ROUNDS), 3, "ratio", "one plain read" });
	bench_report(&(struct bench_result){
		"scan", "reclaim of 16 million words, all held",
		bench_median(all, ROUNDS), 3, "ratio", "one plain read" });
	for (size_t i = 0; i < LARGE; i++)
		let_go(&m, i);
	for (int r = 0; r < ROUNDS; r++)
		few[r] = time_reclaim(&m, 64 * PAGE, 64 * PAGE) /
			 time_read(m.word);
	bench_report(&(struct bench_result){
		"scan", "reclaim of 64 of them, none held, all used",
		bench_median(few, ROUNDS), 3, "ratio", "one plain read" });
	time_age(&m); /* none used */
	for (int r = 0; r < ROUNDS; r++)
		few[r] = time_reclaim(&m, 64 * PAGE, 64 * PAGE) /
			 time_read(m.word);
	bench_report(&(struct bench_result){
		"scan", "reclaim of 64 of them, none used",
		bench_median(few, ROUNDS), 0.01, "ratio", "one plain read" });
	bench_note("words, bytes a guest page", (double)sizeof(*m.word), "");
	unmake(&m);
}

int main(void)
{
	struct machine m;

	make_real(&m);
	must(io_uring_queue_init(1, &ring, 0) == 0, "no io_uring");
	must(io_uring_register_buffers_sparse(&ring, 16384) == 0, "no table");
	hits(&m);
	reuse(&m, 0);
	reuse(&m, 3); /* as viaduct run has it */
	scaling(&m);
	around(&m);
	overcommit(&m, 0);
	overcommit(&m, 3);
	unmake(&m);
	scan();
	return 0;
}
