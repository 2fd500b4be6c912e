/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine's DMA side says when a step of its making fails, and that nothing
 * of it is left. On a host that this file stands in for; functions are assigned in
 * assign_test.c, and all of it together in the lab.
 */
#include "dma.h"
#include "unit.h"
#include "vm.h"
#include <errno.h>
#include <unistd.h>
#include <viaduct/fake.h>

#define MIB ((uint64_t)1 << 20)
#define LEN (2 * MIB)

static _Alignas(4096) uint8_t ram[LEN];
static char why[300];
static int host_says;
static unsigned int nhosts;

/* The one that pins for the machines of this file. */
int dma_host_create(const struct vd_noiommu_cfg *cfg, struct vd_host **out)
{
	assert_int_equal(cfg->size, sizeof(*cfg));
	nhosts++;
	return host_says ? host_says :
			   vd_host_fake_create(ram, LEN / 4096, out);
}

static struct vm vm_of(void)
{
	return (struct vm){ .ram = ram,
			    .ram_len = LEN,
			    .ram_high = 1ull << 32 };
}

/* Begin and make; whatever comes of it, it ends, twice. */
static int make(const struct dma_cfg *cfg, struct vm *vm)
{
	struct dma d;
	int err;

	memset(why, 0, sizeof(why));
	err = dma_begin(&d, cfg, why, sizeof(why));
	if (!err)
		err = dma_create(&d, vm, NULL, why, sizeof(why));
	if (!err) {
		assert_int_equal(vd_domain_check_memory(d.domain, (vd_gpa){ 0 },
							vm->ram_len),
				 0);
		assert_int_equal(dma_reset(&d), 0);
	}
	assert_int_equal(dma_destroy(&d), 0);
	assert_null(d.domain);
	assert_null(d.host);
	assert_int_equal(dma_destroy(&d), 0);
	return err;
}

/* Nothing is ever pinned: no host that can, and no right to be one. */
static void test_without_devices(void **state)
{
	const struct dma_cfg cfg = { .granule_shift = 12 };
	struct vm vm = vm_of();
	struct dma d = { .cfg = cfg };

	(void)state;
	nhosts = 0;
	assert_int_equal(make(&cfg, &vm), 0);
	assert_int_equal(nhosts, 0);
	assert_false(dma_pins(&d));
	assert_int_equal(dma_pool_len(&d), 0);
}

static void test_pool_is_whole_chunks(void **state)
{
	struct dma d = { .cfg = { .nassign = 1, .pool_len = POOL_CHUNK + 1 } };

	(void)state;
	assert_int_equal(dma_pool_len(&d), 2 * POOL_CHUNK);
	assert_true(dma_pins(&d));
}

static void test_pin_all(void **state)
{
	const struct dma_cfg cfg = { .granule_shift = 12, .pin_all = true };
	struct vm vm = vm_of();

	(void)state;
	nhosts = 0;
	assert_int_equal(make(&cfg, &vm), 0);
	assert_int_equal(nhosts, 1);
}

static void test_host_refuses(void **state)
{
	static const struct {
		int err;
		const char *says;
	} rows[] = {
		{ -ENOTSUP, "kernel.io_uring_disabled" },
		{ -EPERM, "CAP_SYS_ADMIN" },
		{ -ENOMEM, "cannot set up pinning: Cannot allocate memory" },
	};
	const struct dma_cfg cfg = { .granule_shift = 12, .pin_all = true };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm vm = vm_of();

		host_says = rows[i].err;
		assert_int_equal(make(&cfg, &vm), rows[i].err);
		assert_non_null(strstr(why, rows[i].says));
	}
	host_says = 0;
}

static void test_memory_refused(void **state)
{
	static const struct dma_cfg rows[] = {
		{ .granule_shift = 13 },	      /* no such granule */
		{ .granule_shift = 12, .budget = 1 }, /* less than one */
		{ .granule_shift = 21, .budget = 4096 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm vm = vm_of();

		assert_int_equal(make(&rows[i], &vm), -EINVAL);
		assert_non_null(strstr(why, "cannot describe guest memory"));
	}
}

static void test_device_refused(void **state)
{
	const char *const none[] = { "ffff:ff:1f.7" };
	const struct dma_cfg cfg = { .granule_shift = 12,
				     .assign = none,
				     .nassign = 1 };
	struct vm vm = vm_of();

	(void)state;
	assert_true(make(&cfg, &vm) < 0);
	assert_non_null(strstr(why, geteuid() ? "--assign needs root" :
						"ffff:ff:1f.7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_devices),
		cmocka_unit_test(test_pool_is_whole_chunks),
		cmocka_unit_test(test_pin_all),
		cmocka_unit_test(test_host_refuses),
		cmocka_unit_test(test_memory_refused),
		cmocka_unit_test(test_device_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
