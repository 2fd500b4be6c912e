/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A space against its obvious rival: an array that says for each page whose it
 * is, looked through page by page. Random operations through three caches that
 * come and go; after each, what it returned, who holds which page and what the
 * statistics say must agree. An -ENOSPC is believed only if the rival finds no
 * run either, so nothing may hide in a cache. In the end all comes together to
 * one run again.
 *
 * Usage: space-model [rounds [seed [pages]]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/viaduct.h>

#define MAX    8192u
#define CACHES 3u
#define PAGE   VD_PAGE_SIZE

enum whose { FREE, GIVEN, RESERVED };

struct page {
	enum whose whose;
	uint64_t npages; /* that were asked for, if a run begins here */
	uint64_t takes;
};

struct world {
	struct vd_space *s;
	struct vd_space_cache *c[CACHES];
	struct page page[MAX];
	uint64_t npages, base, seed, bad_frees, refused;
	uint64_t given, reserved;
	unsigned int pressure; /* percent of allocations among the operations */
	uint64_t round, nallocs, nrefused, nhostile;
};

static struct world w;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "space-model: round %llu: %s\n", (unsigned long long)w.round, what);
	abort();
}

static uint64_t next(uint64_t n)
{
	w.seed ^= w.seed << 13;
	w.seed ^= w.seed >> 7;
	w.seed ^= w.seed << 17;
	return (w.seed >> 11) % n;
}

static vd_iova bus(uint64_t page)
{
	return (vd_iova){ w.base + page * PAGE };
}

/* Are these the space's, and nobody's? */
static bool is_free(uint64_t first, uint64_t n)
{
	if (first >= w.npages || n > w.npages - first)
		return false;
	for (uint64_t i = first; i < first + n; i++)
		if (w.page[i].whose != FREE)
			return false;
	return true;
}

static bool fits(const struct vd_space_need *need, uint64_t first)
{
	uint64_t at = bus(first).v;

	return at % ((uint64_t)1 << need->align_shift) == 0 &&
	       at + need->npages * PAGE - 1 <= need->last.v && is_free(first, need->npages);
}

static bool exists(const struct vd_space_need *need)
{
	for (uint64_t i = 0; i < w.npages && need->npages <= w.npages; i++)
		if (fits(need, i))
			return true;
	return false;
}

static uint64_t longest_free(void)
{
	uint64_t longest = 0, n = 0;

	for (uint64_t i = 0; i < w.npages; i++) {
		n = w.page[i].whose == FREE ? n + 1 : 0;
		longest = n > longest ? n : longest;
	}
	return longest;
}

static void own(uint64_t first, enum whose whose, uint64_t npages, uint64_t takes)
{
	for (uint64_t i = first; i < first + takes; i++)
		w.page[i] = (struct page){ .whose = whose };
	w.page[first].npages = npages;
	w.page[first].takes = takes;
}

static void disown(uint64_t first)
{
	memset(&w.page[first], 0, w.page[first].takes * sizeof(w.page[0]));
}

static struct vd_space_stats check(void)
{
	struct vd_space_stats st = { .size = sizeof(st) };

	vd_space_stats(w.s, &st);
	must(st.npages == w.npages, "npages");
	must(st.given + st.reserved + st.cached + st.free == w.npages, "the sum");
	must(st.reserved == w.reserved, "reserved");
	must(st.bad_frees == w.bad_frees, "bad frees");
	must(st.refused == w.refused, "refused");
	must(st.longest <= st.free, "longest");
	return st;
}

static void is_unchanged(void)
{
	must(check().given == w.given, "a refused call changed what is given");
}

static uint64_t round_up(uint64_t n)
{
	uint64_t r = 1;

	while (r < n)
		r *= 2;
	return r;
}

/* How many pages it took, only the statistics know. */
static void was_given(const struct vd_space_need *need, vd_iova at)
{
	uint64_t first = (at.v - w.base) / PAGE, takes = check().given - w.given;

	must(at.v >= w.base && at.v % PAGE == 0, "outside");
	must(fits(need, first), "not free, or not what was asked for");
	must(takes == need->npages ||
		     (need->npages <= VD_SPACE_SHORT && takes == round_up(need->npages)),
	     "takes too much");
	must(is_free(first, takes), "takes what is not free");
	own(first, GIVEN, need->npages, takes);
	w.given += takes;
	w.nallocs++;
}

static uint64_t some_len(void)
{
	switch (next(8)) {
	case 0:
		return 1 + next(w.npages);
	case 1:
		return 1 + next(100);
	case 2:
		return 1 + next(32);
	default:
		return 1 + next(8);
	}
}

static void alloc(void)
{
	struct vd_space_need need = { sizeof(need), some_len(), 0, { UINT64_MAX } };
	struct vd_space_cache *c = w.c[next(CACHES)];
	vd_iova at = { 0 };
	int err;

	if (next(4)) {
		err = vd_space_alloc(c, need.npages, &at);
	} else {
		need.align_shift = (unsigned int)next(26);
		if (next(2))
			need.last.v = w.base + next(w.npages * PAGE);
		err = vd_space_alloc_within(c, &need, &at);
	}
	if (!err) {
		was_given(&need, at);
		return;
	}
	must(err == -ENOSPC, "an allocation's error");
	must(!exists(&need), "refused, though there is one");
	w.refused++;
	w.nrefused++;
	is_unchanged();
}

/* What a free of exactly this must say. */
static int verdict(vd_iova at, uint64_t npages, enum whose whose)
{
	const struct page *p;

	if (at.v < w.base || at.v - w.base >= w.npages * PAGE)
		return -ERANGE;
	if (at.v % PAGE)
		return -EINVAL;
	p = &w.page[(at.v - w.base) / PAGE];
	if (p->whose != whose || !p->takes)
		return -ENOENT;
	return p->npages == npages ? 0 : -EINVAL;
}

static void free_run(vd_iova at, uint64_t npages)
{
	int is = verdict(at, npages, GIVEN);
	int err = vd_space_free(w.c[next(CACHES)], at, npages);

	must(err == is, "a free's error");
	if (err) {
		w.bad_frees++;
		is_unchanged();
		return;
	}
	w.given -= w.page[(at.v - w.base) / PAGE].takes;
	disown((at.v - w.base) / PAGE);
	must(check().given == w.given, "given, after a free");
}

/* The next page from a random one at which a run of this kind begins. */
static bool some_run(enum whose whose, uint64_t *first)
{
	uint64_t from = next(w.npages);

	for (uint64_t i = 0; i < w.npages; i++) {
		*first = (from + i) % w.npages;
		if (w.page[*first].whose == whose && w.page[*first].takes)
			return true;
	}
	return false;
}

static void free_some(void)
{
	uint64_t first;

	if (some_run(GIVEN, &first))
		free_run(bus(first), w.page[first].npages);
}

static void free_hostile(void)
{
	uint64_t first = next(w.npages + 4), n = next(4) ? 1 + next(40) : next(1u << 20);

	w.nhostile++;
	if (next(2))
		some_run(next(2) ? GIVEN : RESERVED, &first);
	if (next(2) && first < w.npages && w.page[first].npages)
		n = w.page[first].npages + next(3) * 256 - next(2);
	free_run((vd_iova){ bus(first).v + (next(8) == 0) * next(PAGE) -
			    (next(16) == 0) * 2 * PAGE },
		 n);
}

static void reserve(void)
{
	uint64_t first = next(w.npages), n = some_len() / 2 + 1;
	int is = n > w.npages - first ? -ERANGE : is_free(first, n) ? 0 : -EEXIST;

	must(vd_space_reserve(w.s, bus(first), n) == is, "a reserve's error");
	if (!is) {
		own(first, RESERVED, n, n);
		w.reserved += n;
	}
	is_unchanged();
}

static void unreserve(void)
{
	uint64_t first = next(w.npages), n;
	int is;

	if (next(8))
		some_run(RESERVED, &first);
	n = next(8) ? w.page[first].npages : next(100);
	is = verdict(bus(first), n, RESERVED);
	must(vd_space_unreserve(w.s, bus(first), n) == is, "an unreserve's error");
	if (!is) {
		w.reserved -= n;
		disown(first);
	}
	is_unchanged();
}

static void new_cache(void)
{
	struct vd_space_cache **c = &w.c[next(CACHES)];

	vd_space_cache_destroy(*c);
	must(vd_space_cache_create(w.s, c) == 0, "cache");
	is_unchanged();
}

/* With no cache nothing is cached but in the depot: a hopeless wish empties it. */
static void look_at_the_map(void)
{
	vd_iova at;

	if (!is_free(0, w.npages)) {
		must(vd_space_alloc(w.c[0], w.npages, &at) == -ENOSPC, "all of it");
		w.refused++;
	}
	if (check().cached == 0)
		must(check().longest == longest_free(), "the longest free run");
}

static void step(void)
{
	uint64_t what = next(100);

	if (w.round % 5000 == 0)
		w.pressure = (unsigned int)(30 + next(50));
	if (w.round % 1000 == 0)
		look_at_the_map();
	if (what < w.pressure)
		alloc();
	else if (what < 90)
		free_some();
	else if (what < 96)
		free_hostile();
	else if (what < 98)
		unreserve();
	else if (next(4))
		new_cache();
	else
		reserve();
}

static void open_world(void)
{
	struct vd_space_cfg cfg = { .size = sizeof(cfg), .npages = w.npages, .page_shift = 12 };

	w.base = next(2) ? next((uint64_t)1 << 40) * PAGE : next(100) << 30;
	cfg.base.v = w.base;
	must(vd_space_create(&cfg, &w.s) == 0, "space");
	for (size_t i = 0; i < CACHES; i++)
		must(vd_space_cache_create(w.s, &w.c[i]) == 0, "cache");
}

static void all_comes_together(void)
{
	uint64_t first;
	vd_iova at;

	while (some_run(RESERVED, &first)) {
		must(vd_space_unreserve(w.s, bus(first), w.page[first].npages) == 0, "unreserve");
		w.reserved -= w.page[first].npages;
		disown(first);
	}
	while (some_run(GIVEN, &first))
		free_run(bus(first), w.page[first].npages);
	must(vd_space_alloc(w.c[0], w.npages, &at) == 0 && at.v == w.base, "not one run");
	must(vd_space_free(w.c[1], at, w.npages) == 0, "free of all");
	must(check().longest == w.npages, "longest of all");
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000;

	w.seed = 88172645463325252u ^ (argc > 2 ? strtoull(argv[2], NULL, 0) << 20 : 0);
	w.npages = argc > 3 ? strtoull(argv[3], NULL, 0) : 1000;
	must(w.npages && w.npages <= MAX, "pages");
	open_world();
	for (w.round = 0; w.round < rounds; w.round++)
		step();
	all_comes_together();
	for (size_t i = 0; i < CACHES; i++)
		vd_space_cache_destroy(w.c[i]);
	vd_space_destroy(w.s);
	printf("space-model: %llu operations: %llu runs given, %llu refused, %llu hostile frees\n",
	       (unsigned long long)rounds, (unsigned long long)w.nallocs,
	       (unsigned long long)w.nrefused, (unsigned long long)w.nhostile);
	must(rounds < 10000 || (w.nallocs && w.nrefused && w.nhostile), "hardly anything was done");
	return 0;
}
