/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G1 to G4 and the scatter lists of G6: what "which memory?" costs, against a
 * radix walk that checks nothing and against GLib's tree. Each line is the
 * median over the rounds of a ratio of two things measured in one round.
 *
 * Independent: the addresses are known beforehand, so that look-ups overlap.
 * Dependent: each address needs the last answer. A burst is 64 look-ups.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOKUPS 262144u
#define SLOW	4096u /* look-ups in a tree */
#define BURST	64u
#define ROUNDS	BENCH_ROUNDS

static struct engine engine;
static struct radix radix;
static struct gtree gtree;
static struct vd_reader *reader[2];
static uint32_t where[LOOKUPS];	  /* pages */
static volatile uint64_t no_bits; /* always 0; the compiler does not know */
static uint64_t seed = 88172645463325252u;

static void choose(uint32_t n)
{
	for (size_t i = 0; i < LOOKUPS; i++)
		where[i] = (uint32_t)bench_random(&seed, n);
}

static uint64_t bus_of(uint32_t page)
{
	return BENCH_BUS + ((uint64_t)page << 12);
}

static double radix_stream(bool dependent)
{
	uint64_t mask = dependent ? no_bits : 0, last = 0;
	double begin = bench_now_ns();

	if (dependent) {
		for (size_t i = 0; i < LOOKUPS; i++)
			last = radix_get(&radix,
					 where[i] + (uint32_t)(last & mask));
	} else {
		for (size_t i = 0; i < LOOKUPS; i++)
			last += radix_get(&radix, where[i]);
	}
	use(last);
	return (bench_now_ns() - begin) / LOOKUPS;
}

static double our_stream(unsigned int thread, bool dependent)
{
	struct vd_reader *r = reader[thread];
	uint64_t mask = dependent ? no_bits : 0, last = 0;
	struct vd_target t = { .hva = NULL };
	double begin = bench_now_ns();
	int err = 0;

	for (size_t i = 0; i < LOOKUPS; i += BURST) {
		vd_reader_enter(r);
		for (size_t k = i; k < i + BURST; k++) {
			uint64_t bus = bus_of(where[k]);

			if (dependent)
				bus += (uintptr_t)t.hva & mask;
			err |= vd_translate(r, (vd_iova){ bus }, VD_WRITE, &t);
			last += (uintptr_t)t.hva;
		}
		vd_reader_exit(r);
	}
	use(last);
	must(err == 0, "translate");
	return (bench_now_ns() - begin) / LOOKUPS;
}

/* A burst is one call here. */
static double our_pages(void)
{
	static vd_iova bus[LOOKUPS];
	void *hva[BURST];
	uint64_t last = 0;
	double begin;
	int err = 0;

	for (size_t i = 0; i < LOOKUPS; i++)
		bus[i].v = bus_of(where[i]);
	begin = bench_now_ns();
	for (size_t i = 0; i < LOOKUPS; i += BURST) {
		vd_reader_enter(reader[0]);
		err |= vd_translate_pages(reader[0], &bus[i], BURST, VD_WRITE,
					  hva);
		for (size_t k = 0; k < BURST; k++)
			last += (uintptr_t)hva[k];
		vd_reader_exit(reader[0]);
	}
	use(last);
	must(err == 0, "translate");
	return (bench_now_ns() - begin) / LOOKUPS;
}

static double our_lone(void)
{
	struct vd_target t;
	uint64_t last = 0;
	double begin = bench_now_ns();

	for (size_t i = 0; i < LOOKUPS; i++) {
		must(vd_translate_once(reader[0], (vd_iova){ bus_of(where[i]) },
				       VD_READ, &t) == 0,
		     "translate");
		last += (uintptr_t)t.hva;
	}
	use(last);
	return (bench_now_ns() - begin) / LOOKUPS;
}

static double gtree_stream(bool dependent)
{
	uint64_t mask = dependent ? no_bits : 0, last = 0;
	double begin = bench_now_ns();

	for (size_t i = 0; i < SLOW; i++) {
		uint64_t bus = (uint64_t)where[i] << 12;

		if (dependent)
			bus += last & mask;
		last += gtree_get(&gtree, bus);
	}
	use(last);
	return (bench_now_ns() - begin) / SLOW;
}

static void fill_gtree(uint32_t n)
{
	uint32_t *order = malloc(n * sizeof(*order));

	must(order, "no memory");
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)bench_random(&seed, i + 1);

		order[i] = order[k];
		order[k] = i;
	}
	gtree_init(&gtree);
	for (uint32_t i = 0; i < n; i++)
		gtree_add(&gtree, order[i], i);
	free(order);
}

static void set_up(uint32_t n)
{
	const struct engine_cfg cfg = { .nentries = n,
					.format = VD_FORMAT_TCE,
					.shift = 12 };

	engine_make(&engine, &cfg);
	engine_map_all(&engine, BENCH_W, n);
	for (unsigned int i = 0; i < 2; i++)
		must(vd_reader_create(engine.a, BENCH_DEV, &reader[i]) == 0,
		     "reader");
	radix = (struct radix){ .bytes = 0 };
	for (uint32_t i = 0; i < n; i++)
		radix_set(&radix, i, (uint64_t)i << 12);
	choose(n);
}

static void tear_down(void)
{
	vd_reader_destroy(reader[0]);
	vd_reader_destroy(reader[1]);
	engine_end(&engine);
	radix_end(&radix);
}

static void report(const char *goal, const char *name, double *ratio,
		   double bound, const char *reference)
{
	bench_report(&(struct bench_result){ goal, name,
					     bench_median(ratio, ROUNDS), bound,
					     "ratio", reference });
}

static double radix_in(void)
{
	return radix_stream(false);
}

static double radix_dep(void)
{
	return radix_stream(true);
}

static double our_in(void)
{
	return our_stream(0, false);
}

static double our_dep(void)
{
	return our_stream(0, true);
}

/* The second time: what was measured before does not matter. */
static double warm(double (*stream)(void))
{
	stream();
	return stream();
}

static void g1_million(void)
{
	double in[ROUNDS], dep[ROUNDS], lone[ROUNDS], gin[ROUNDS], gdep[ROUNDS];
	double ns[ROUNDS], nsdep[ROUNDS], pages[ROUNDS], radix_ns[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		double r, rd;

		choose(BENCH_PAGES);
		r = warm(radix_in);
		ns[i] = warm(our_in);
		in[i] = ns[i] / r;
		radix_ns[i] = r;
		pages[i] = warm(our_pages) / r;
		lone[i] = our_lone() / r;
		rd = warm(radix_dep);
		nsdep[i] = warm(our_dep);
		dep[i] = nsdep[i] / rd;
		gin[i] = ns[i] / gtree_stream(false);
		gdep[i] = nsdep[i] / gtree_stream(true);
	}
	report("G1", "1e6, a burst in one call, independent", pages, 1.3,
	       "radix");
	report("G1", "1e6, a call each, independent", in, 1.3, "radix");
	report("G1", "1e6, a call each, dependent", dep, 1.3, "radix");
	report("G1", "1e6, lone call", lone, 1.8, "radix");
	report("G1", "1e6, dependent, of GTree", gdep, 1 / 25.0, "GTree");
	report("G1", "1e6, independent, of GTree", gin, 1 / 200.0, "GTree");
	bench_note("radix, independent", bench_median(radix_ns, ROUNDS), "ns");
	bench_note("translate, independent", bench_median(ns, ROUNDS), "ns");
	bench_note("translate, dependent", bench_median(nsdep, ROUNDS), "ns");
}

static void g1_small(const char *name)
{
	double ratio[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++)
		ratio[i] = our_stream(0, false) / ref_l1_load();
	report("G1", name, ratio, 3, "L1 load");
}

static void g2(void)
{
	double ratio[ROUNDS];

	for (size_t i = 0; i < LOOKUPS; i++)
		where[i] = 77;
	for (unsigned int i = 0; i < ROUNDS; i++)
		ratio[i] = our_stream(0, false) / ref_l1_load();
	report("G2", "the same page again", ratio, 2, "L1 load");
}

#define ALU_STEPS 300000u

static double alu_half(unsigned int thread, void *opaque)
{
	(void)thread;
	(void)opaque;
	return ref_alu(ALU_STEPS);
}

static double our_half(unsigned int thread, void *opaque)
{
	double ns = 0;

	(void)opaque;
	for (unsigned int i = 0; i < 8; i++)
		ns += our_stream(thread, false);
	return ns / 8;
}

/* How much longer a step takes when two threads do it, against a loop that
 * shares nothing at all. */
static void g3(const char *name)
{
	double ratio[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		double ctl = ref_pair(alu_half, NULL) / ref_alu(ALU_STEPS);
		double ours = ref_pair(our_half, NULL) / our_half(0, NULL);

		ratio[i] = ours / ctl;
	}
	report("G3", name, ratio, 1 / 0.95, "control loop on 2 threads");
}

static uint64_t churn_seed = 1234567;

/* Page 0 to BENCH_PAGES / 2 stay; the others come and go. */
static uint32_t churn_page(void)
{
	return BENCH_PAGES / 2 +
	       (uint32_t)bench_random(&churn_seed, BENCH_PAGES / 2);
}

static void churn_ours(void *opaque)
{
	uint32_t page = churn_page();

	(void)opaque;
	engine_unmap(&engine, BENCH_W, page);
	engine_map(&engine, BENCH_W, page, page);
}

static void churn_radix(void *opaque)
{
	uint32_t page = churn_page();

	(void)opaque;
	__atomic_exchange_n(radix_leaf(&radix, page), 0, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(radix_leaf(&radix, page), (uint64_t)page << 12,
			    __ATOMIC_SEQ_CST);
}

static void churn_gtree(void *opaque)
{
	uint32_t page = churn_page();

	(void)opaque;
	gtree_remove(&gtree, page);
	gtree_add(&gtree, page, page);
}

static double gtree_locked(void)
{
	uint64_t last = 0;
	double begin = bench_now_ns();

	for (size_t i = 0; i < SLOW; i++)
		last += gtree_get_locked(&gtree, (uint64_t)where[i] << 12);
	use(last);
	return (bench_now_ns() - begin) / SLOW;
}

#define BATCHES (LOOKUPS / BURST)

static double batch_ns[BATCHES];

/* The time of each burst by itself. */
static void time_bursts(void)
{
	struct vd_target t;
	uint64_t last = 0;

	for (size_t b = 0; b < BATCHES; b++) {
		double begin = bench_now_ns();

		vd_reader_enter(reader[0]);
		for (size_t k = b * BURST; k < (b + 1) * BURST; k++) {
			vd_translate(reader[0], (vd_iova){ bus_of(where[k]) },
				     VD_READ, &t);
			last += (uintptr_t)t.hva;
		}
		vd_reader_exit(reader[0]);
		batch_ns[b] = bench_now_ns() - begin;
	}
	use(last);
}

static void g4(void)
{
	double ratio[ROUNDS], tree[ROUNDS], p99[ROUNDS], slowest[ROUNDS];
	struct other o;

	choose(BENCH_PAGES / 2);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		double base, ours, median;

		other_start(&o, churn_radix, NULL);
		base = radix_stream(false);
		other_stop(&o);
		other_start(&o, churn_ours, NULL);
		ours = our_stream(0, false);
		time_bursts();
		other_stop(&o);
		median = bench_median(batch_ns, BATCHES); /* sorts */
		p99[i] = batch_ns[BATCHES * 99 / 100] / median;
		slowest[i] = batch_ns[BATCHES * 995 / 1000] / median;
		other_start(&o, churn_gtree, NULL);
		tree[i] = ours / gtree_locked();
		other_stop(&o);
		ratio[i] = ours / base;
	}
	report("G4", "1e6, other thread maps and unmaps", ratio, 1.4,
	       "radix, other thread exchanges");
	report("G4", "p99 of a burst", p99, 3, "its median");
	report("G4", "median of the slowest 1 % of bursts", slowest, 10,
	       "the median");
	report("G4", "of GTree with its mutex", tree, 1 / 100.0,
	       "GTree + mutex");
}

#define LISTS 4096u
#define PAGES 16u

static double radix_lists(void)
{
	uint64_t last = 0;
	double begin = bench_now_ns();

	for (size_t i = 0; i < LISTS; i++) {
		for (uint32_t k = 0; k < PAGES; k++)
			last += radix_get(&radix, where[i] + k);
	}
	use(last);
	return (bench_now_ns() - begin) / LISTS;
}

static double gtree_lists(void)
{
	uint64_t last = 0;
	double begin = bench_now_ns();

	for (size_t i = 0; i < SLOW / PAGES; i++) {
		for (uint32_t k = 0; k < PAGES; k++)
			last += gtree_get(&gtree, (uint64_t)(where[i] + k)
							  << 12);
	}
	use(last);
	return (bench_now_ns() - begin) / (SLOW / PAGES);
}

static double our_lists(void)
{
	struct iovec iov[PAGES];
	struct vd_sg sg = { .len = PAGES << 12 };
	struct vd_sglist l = { .sg = &sg, .n = 1, .iov = iov, .max = PAGES };
	double begin = bench_now_ns();
	int err = 0;

	for (size_t i = 0; i < LISTS; i++) {
		sg.bus.v = bus_of(where[i]);
		vd_reader_enter(reader[0]);
		err |= vd_translate_list(reader[0], &l, VD_READ);
		vd_reader_exit(reader[0]);
		use((uintptr_t)iov[0].iov_base);
	}
	must(err == 0 && l.niov == 1, "list");
	return (bench_now_ns() - begin) / LISTS;
}

static void g6(void)
{
	double ratio[ROUNDS], tree[ROUNDS], ns[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		choose(BENCH_PAGES - PAGES);
		ratio[i] = radix_lists();
		ns[i] = our_lists();
		ratio[i] = ns[i] / ratio[i];
		tree[i] = ns[i] / gtree_lists();
	}
	report("G6", "1e6, 64 KiB of 16 pages, merged", ratio, 2,
	       "16 radix walks");
	report("G6", "1e6, 64 KiB, of GTree", tree, 1 / 40.0,
	       "16 GTree look-ups");
	bench_note("64 KiB of 16 pages", bench_median(ns, ROUNDS), "ns");
}

int main(void)
{
	static const struct {
		uint32_t n;
		const char *g1, *g3;
	} small[] = {
		{ 100, "1e2, independent", "1e2, on 2 threads" },
		{ 10000, "1e4, independent", "1e4, on 2 threads" },
	};

	for (size_t i = 0; i < 2; i++) {
		set_up(small[i].n);
		g1_small(small[i].g1);
		if (i == 0)
			g2();
		choose(small[i].n);
		g3(small[i].g3);
		tear_down();
	}
	set_up(BENCH_PAGES);
	fill_gtree(BENCH_PAGES);
	g1_million();
	g3("1e6, on 2 threads");
	g4();
	g6();
	gtree_end(&gtree);
	tear_down();
	return 0;
}
