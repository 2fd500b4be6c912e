/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin table of a machine on the library's fake host: as many words as its
 * memory has pages and holes, a BAR that is a power of two, pins that age by
 * themselves, and each step of its making that can fail.
 */
#include "pincache.h"
#include "unit.h"
#include "vm.h"
#include <errno.h>
#include <time.h>
#include <viaduct/fake.h>
#include <viaduct/viaduct.h>

#define PAGE 4096u
#define RAM  (3u << 20)
#define GIB  ((uint64_t)1 << 30)

static _Alignas(4096) uint8_t ram[RAM];

struct bench {
	struct vd_host *host;
	struct vd_domain *d;
	struct pincache c;
};

static int always_quiet(void *opaque)
{
	(void)opaque;
	return 0;
}

static void make(struct bench *b)
{
	static const struct vd_device_ops ops = { sizeof(ops), always_quiet };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), 1, 1, &ops, NULL };

	memset(b, 0, sizeof(*b));
	assert_int_equal(vd_host_fake_create(ram, RAM / PAGE, &b->host), 0);
	assert_int_equal(vd_domain_create(b->host, &cfg, &b->d), 0);
	assert_int_equal(vd_domain_add_memory(b->d, (vd_gpa){ 0 }, ram, RAM),
			 0);
	assert_int_equal(vd_device_attach(b->d, &dev), 0);
}

static void end(struct bench *b)
{
	pincache_destroy(&b->c);
	vd_domain_destroy(b->d);
	pincache_free(&b->c);
	vd_host_destroy(b->host);
}

/* One word per page below the hole, in it, and above it. */
static void test_size(void **state)
{
	static const struct {
		uint64_t len, high, nwords, bar;
	} rows[] = {
		{ PAGE, 4 * GIB, 1, PAGE },
		{ RAM, 4 * GIB, RAM / PAGE, 2 * PAGE },
		{ VM_RAM_LOW_MAX, 4 * GIB, VM_RAM_LOW_MAX / PAGE, 0 },
		{ VM_RAM_LOW_MAX + PAGE, 4 * GIB, 4 * GIB / PAGE + 1, 0 },
		{ VM_RAM_LOW_MAX + GIB, 8 * GIB, 9 * GIB / PAGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm vm = { .ram_len = rows[i].len,
				 .ram_high = rows[i].high };
		struct bench b;

		make(&b);
		assert_int_equal(pincache_create(&b.c, &vm, b.d), 0);
		assert_int_equal(b.c.nwords, rows[i].nwords);
		assert_int_equal(b.c.len & (b.c.len - 1), 0);
		assert_true(b.c.len >= b.c.nwords * sizeof(uint64_t));
		assert_true(b.c.len == PAGE ||
			    b.c.len / 2 < b.c.nwords * sizeof(uint64_t));
		if (rows[i].bar)
			assert_int_equal(b.c.len, rows[i].bar);
		assert_int_equal(b.c.word[b.c.nwords - 1], 0);
		end(&b);
	}
}

static uint64_t cached(struct bench *b)
{
	struct vd_domain_stats s = { .size = sizeof(s) };

	vd_domain_stats(b->d, &s);
	return s.cached;
}

static void pin(struct bench *b, uint64_t page)
{
	struct vd_seg seg = { .gpa = { page * PAGE },
			      .len = PAGE,
			      .prot = VD_READ };

	assert_int_equal(vd_device_pin(b->d, 1, &seg, 1, UINT64_MAX), 0);
}

/* What is pinned brings its neighbours, and goes when nobody maps it. */
static void test_ages(void **state)
{
	const struct timespec nap = { .tv_nsec = 50 * 1000000 };
	struct vm vm = { .ram_len = RAM, .ram_high = 4 * GIB };
	struct bench b;
	int tries = 20 * 60; /* a minute */

	(void)state;
	make(&b);
	assert_int_equal(pincache_create(&b.c, &vm, b.d), 0);
	pin(&b, 9); /* held: as long as it is, it stays */
	pin(&b, 100);
	assert_int_equal(cached(&b), 16 * PAGE);
	b.c.word[100]--; /* as a guest puts it */
	while (cached(&b) > PAGE && tries--)
		nanosleep(&nap, NULL);
	assert_int_equal(cached(&b), PAGE);
	end(&b);
}

/* The domain's answer is ours; what has been made goes by the usual pair. */
static void test_refused(void **state)
{
	struct vm vm = { .ram_len = RAM, .ram_high = 4 * GIB };
	struct bench b;
	struct pincache second;

	(void)state;
	make(&b);
	assert_int_equal(pincache_create(&b.c, &vm, b.d), 0);
	assert_true(pincache_create(&second, &vm, b.d) < 0);
	assert_null(second.domain);
	pincache_destroy(&second);
	pincache_free(&second);
	assert_null(second.word);
	pin(&b, 1); /* the first is whole */
	end(&b);
}

static void test_no_address_space(void **state)
{
	struct vm vm = { .ram_len = (uint64_t)1 << 60, .ram_high = 4 * GIB };
	struct bench b;

	(void)state;
	make(&b);
	assert_int_equal(pincache_create(&b.c, &vm, b.d), -ENOMEM);
	assert_null(b.c.word);
	end(&b);
}

/* None was made: both are fine, and twice. */
static void test_none(void **state)
{
	struct pincache c = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		pincache_destroy(&c);
		pincache_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_address_space),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
