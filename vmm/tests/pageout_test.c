/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock hand on made-up memory, of which a part is in use all the time: it
 * must end up with the cold part out and leave the hot part alone.
 */
#include "pageout.h"
#include "unit.h"
#include <sys/mman.h>

#define NREGIONS 64u
#define REGION	 PAGEOUT_REGION

static struct {
	struct pageout p;
	uint8_t *base;
	uint64_t in[NREGIONS]; /* bytes in RAM */
	uint64_t pinned[NREGIONS];
	unsigned int evictions[NREGIONS];
	bool no_swap;
} f;

static uint64_t region_of(const void *hva)
{
	return (uint64_t)((const uint8_t *)hva - f.base) / REGION;
}

static uint64_t resident(void *ctx, void *hva, uint64_t len)
{
	(void)ctx;
	assert_true(f.in[region_of(hva)] <= len);
	return f.in[region_of(hva)];
}

static void evict(void *ctx, void *hva, uint64_t len)
{
	uint64_t i = region_of(hva);

	(void)ctx;
	(void)len;
	f.evictions[i]++;
	if (!f.no_swap)
		f.in[i] = f.pinned[i];
}

static const struct pageout_ops ops = { resident, evict };

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.base = (uint8_t *)(uintptr_t)REGION;
	assert_int_equal(
		pageout_create(&f.p, f.base, NREGIONS * REGION, &ops, NULL), 0);
	for (unsigned int i = 0; i < NREGIONS; i++)
		f.in[i] = REGION;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pageout_destroy(&f.p);
	return 0;
}

static bool is_hot(unsigned int i)
{
	return i % 4 == 1;
}

static void leaves_the_hot_alone(void **state)
{
	unsigned int before[NREGIONS], hot = 0, cold = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		if (round == 100)
			memcpy(before, f.evictions, sizeof(before));
		pageout_some(&f.p, 8 * REGION);
		for (unsigned int i = 0; i < NREGIONS; i++)
			if (is_hot(i))
				f.in[i] = REGION; /* used again at once */
	}
	for (unsigned int i = 0; i < NREGIONS; i++) {
		if (is_hot(i)) {
			hot += f.evictions[i] - before[i];
		} else {
			assert_int_equal(f.in[i], 0);
			cold++;
		}
	}
	assert_int_equal(cold, NREGIONS * 3 / 4);
	/* 100 turns over 16 hot regions: a naive hand would evict 1600 times. */
	assert_true(hot <= 100);
	assert_true(pageout_hot(&f.p) >= (NREGIONS / 4 - 2) * REGION);
}

/* What was hot and has cooled is found in the end. */
static void forgives(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		pageout_some(&f.p, NREGIONS * REGION);
		f.in[3] = REGION;
	}
	f.evictions[3] = 0;
	for (int round = 0; round < 70 && f.in[3]; round++)
		pageout_some(&f.p, NREGIONS * REGION);
	assert_int_equal(f.in[3], 0);
	assert_int_equal(f.evictions[3], 1);
}

static void stops_when_it_has_enough(void **state)
{
	(void)state;
	assert_int_equal(pageout_some(&f.p, 3 * REGION), 3 * REGION);
	assert_int_equal(f.evictions[2], 1);
	assert_int_equal(f.evictions[3], 0);
	assert_int_equal(pageout_some(&f.p, 1),
			 REGION); /* goes on where it was */
	assert_int_equal(f.evictions[3], 1);
	assert_int_equal(pageout_some(&f.p, 0), 0);
}

/* Without swap, or with all of it pinned: one turn, no more, and nothing hot. */
static void ends_when_nothing_goes(void **state)
{
	(void)state;
	f.no_swap = true;
	assert_int_equal(pageout_some(&f.p, UINT64_MAX), 0);
	assert_int_equal(pageout_some(&f.p, UINT64_MAX), 0);
	assert_int_equal(f.evictions[0], 2);
	assert_int_equal(pageout_hot(&f.p), 0);
	f.no_swap = false;
	f.pinned[5] = REGION;
	assert_int_equal(pageout_some(&f.p, UINT64_MAX),
			 (NREGIONS - 1) * REGION);
	pageout_some(&f.p, UINT64_MAX);
	assert_int_equal(f.p.region[5].skip, 0); /* pinned is not hot */
}

static void memory_that_is_no_multiple(void **state)
{
	struct pageout p;

	(void)state;
	assert_int_equal(pageout_create(&p, f.base, REGION + 4096, &ops, NULL),
			 0);
	f.in[1] = 4096;
	assert_int_equal(pageout_some(&p, UINT64_MAX), REGION + 4096);
	pageout_destroy(&p);
}

/* The real calls, on real memory: residency is what was touched. */
static void real_memory(void **state)
{
	uint8_t *m = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(m, MAP_FAILED);
	madvise(m, REGION, MADV_NOHUGEPAGE);
	assert_int_equal(pageout_real.resident(NULL, m, REGION), 0);
	memset(m, 1, 5 * 4096);
	assert_int_equal(pageout_real.resident(NULL, m, REGION), 5 * 4096);
	pageout_real.evict(NULL, m, REGION); /* goes only if there is swap */
	assert_int_equal(m[4096], 1);
	munmap(m, REGION);
}

#define test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(leaves_the_hot_alone),	  test(forgives),
		test(stops_when_it_has_enough),	  test(ends_when_nothing_goes),
		test(memory_that_is_no_multiple), test(real_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
