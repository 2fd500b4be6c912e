/* SPDX-License-Identifier: BSD-2-Clause */
/* Which huge pages become the pool, and when it is worth looking for more. */
#include "pool_pick.h"
#include "tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static size_t fill(struct pool_piece *p, const uint64_t *mib, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pool_piece){ .bus = mib[i] * MIB };
	return n;
}

#define FILL(p, ...) \
	fill(p, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

static void expect(const struct pool_piece *p, const uint64_t *mib, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i].bus / MIB, mib[i]);
}

#define EXPECT(p, ...) \
	expect(p, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

static void low_ones_first(void **state)
{
	struct pool_piece p[16];
	size_t n = FILL(p, 9000, 100, 5000, 2, 4094, 5002);

	(void)state;
	assert_int_equal(pool_count_low(p, n), 3);
	pool_pick(p, n, 3);
	EXPECT(p, 2, 100, 4094);
	/* Too few of them: the best of all, in order. */
	n = FILL(p, 9000, 100, 5000, 2, 4094, 5002);
	pool_pick(p, n, 5);
	EXPECT(p, 2, 100, 4094, 5000, 5002);
	assert_int_equal(pool_count_low(p, 5), 3);
}

/* A pair begins at a multiple of 4 MiB: 10 and 12 are none. */
static void pairs_before_single_ones(void **state)
{
	struct pool_piece p[16];
	size_t n = FILL(p, 10, 12, 2, 40, 42, 64, 20, 22, 70);

	(void)state;
	pool_pick(p, n, 4);
	EXPECT(p, 20, 22, 40, 42);
	n = FILL(p, 10, 12, 2, 40, 42, 64, 20, 22, 70);
	pool_pick(p, n, 7);
	EXPECT(p, 2, 10, 12, 20, 22, 40, 42);
	n = FILL(p, 40, 42, 2);
	pool_pick(p, n, 1);
	EXPECT(p, 2);
	pool_pick(p, 0, 0);
}

static const char zoneinfo[] = "Node 0, zone      DMA\n"
			       "  pages free     3840\n"
			       "        high     30\n"
			       "Node 0, zone    DMA32\n"
			       "  pages free     262144\n"
			       "        boost    0\n"
			       "        high     2048\n"
			       "Node 0, zone   Normal\n"
			       "  pages free     524288\n"
			       "        high     9000\n"
			       "Node 1, zone   Normal\n"
			       "  pages free     999999\n"
			       "        high     9000\n";

static void host_with_6_gib(struct tree *t)
{
	tree_file(t, "/proc/zoneinfo", zoneinfo);
	tree_file(t, "/proc/meminfo", "MemTotal: 6000000 kB\nMemAvailable: 4194304 kB\n");
	tree_file(t, "/proc/iomem",
		  "00001000-0009fbff : System RAM\n"
		  "00100000-7ffdbfff : System RAM\n"
		  "fed00000-fed003ff : HPET 0\n"
		  "100000000-17fffffff : System RAM\n"
		  "3800000000-38ffffffff : PCI Bus 0000:00\n");
}

static void what_the_host_has(void **state)
{
	struct pool_room r;
	struct tree t;

	(void)state;
	tree_make(&t);
	host_with_6_gib(&t);
	pool_look(&t.s, &r);
	assert_int_equal(r.bits, 33);
	assert_int_equal(r.nodes, 1);
	assert_int_equal(r.above, 2 * GIB);
	assert_int_equal(r.below, (262144 - 2048) * 4096ull);
	assert_int_equal(r.spare, 4 * GIB - 512 * MIB);
	/* The tightest of our groups limits it. */
	tree_file(&t, "/proc/self/cgroup", "0::/a.slice/b\n");
	tree_file(&t, "fs/cgroup/a.slice/memory.max", "1073741824\n");
	tree_file(&t, "fs/cgroup/a.slice/memory.current", "536870912\n");
	tree_file(&t, "fs/cgroup/a.slice/b/memory.max", "max\n");
	pool_look(&t.s, &r);
	assert_int_equal(r.spare, 384 * MIB);
	/* Who may not see the addresses sees zeros. */
	tree_file(&t, "/proc/iomem", "00000000-00000000 : System RAM\n");
	pool_look(&t.s, &r);
	assert_int_equal(r.bits, 64);
	tree_end(&t);
}

static void how_much_to_take(void **state)
{
	const uint64_t few = 2 * 16 * MIB + 2 * POOL_CHUNK;
	struct pool_room r = { .bits = 33, .above = 2 * GIB, .below = GIB, .spare = 3 * GIB };

	(void)state;
	assert_int_equal(pool_room(&r, 16 * MIB, false), few);
	assert_int_equal(pool_room(&r, 16 * MIB, true), 2 * GIB + few + 64 * MIB);
	r.spare = 2 * GIB; /* it cannot be spared */
	assert_int_equal(pool_room(&r, 16 * MIB, true), few);
	r.spare = 3 * GIB;
	r.below = MIB; /* there is nothing to find */
	assert_int_equal(pool_room(&r, 16 * MIB, true), few);
	r.below = GIB;
	r.bits = 32; /* all is low */
	assert_int_equal(pool_room(&r, 16 * MIB, true), few);
	r.spare = 20 * MIB;
	assert_int_equal(pool_room(&r, 16 * MIB, false), 16 * MIB);
}

/* 60 s are the most; what would take longer is not waited for. */
static void how_long_to_search(void **state)
{
	(void)state;
	assert_false(pool_is_hopeless(0, 4 * GIB, 0));
	assert_false(pool_is_hopeless(0, 4 * GIB, 4));
	assert_true(pool_is_hopeless(0, 4 * GIB, 5));
	assert_false(pool_is_hopeless(GIB, 4 * GIB, 14));
	assert_true(pool_is_hopeless(GIB, 4 * GIB, 16));
	assert_false(pool_is_hopeless(4 * GIB, 4 * GIB, 60));
	assert_true(pool_is_hopeless(4 * GIB, 4 * GIB, 61));
	assert_true(pool_is_hopeless(25 * GIB, 990 * GIB, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(low_ones_first),     cmocka_unit_test(pairs_before_single_ones),
		cmocka_unit_test(what_the_host_has),  cmocka_unit_test(how_much_to_take),
		cmocka_unit_test(how_long_to_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
