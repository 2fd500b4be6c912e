/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done about pressure, asked for as the pressure thread would: cached
 * pins that nobody holds go, those that are held stay, and only then is memory
 * paged out (how, pageout_test says).
 */
#include "relief.h"
#include "unit.h"
#include <sys/mman.h>
#include <viaduct/fake.h>
#include <viaduct/viaduct.h>

#define PAGE 4096u
#define RAM  (4u << 20)
#define HELD 3u /* this page is in use */

static struct {
	struct relief r;
	struct vd_host *host;
	struct vd_domain *d;
	uint8_t *ram;
	uint64_t word[RAM / PAGE];
} f;

static int always_quiet(void *opaque)
{
	(void)opaque;
	return 0;
}

static void make_domain(void)
{
	static const struct vd_device_ops ops = { sizeof(ops), always_quiet };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), 1, 1, &ops, NULL };

	assert_int_equal(vd_host_fake_create(f.ram, RAM / PAGE, &f.host), 0);
	assert_int_equal(vd_domain_create(f.host, &cfg, &f.d), 0);
	assert_int_equal(vd_domain_add_memory(f.d, (vd_gpa){ 0 }, f.ram, RAM),
			 0);
	assert_int_equal(vd_device_attach(f.d, &dev), 0);
	assert_int_equal(vd_domain_share_pins(f.d, f.word, RAM / PAGE), 0);
}

/* Pin all pages by the table; all but one are put back, as a guest does. */
static void fill_cache(void)
{
	for (uint64_t i = 0; i < RAM / PAGE; i++) {
		struct vd_seg seg = { .gpa = { i * PAGE },
				      .len = PAGE,
				      .prot = VD_READ };

		assert_int_equal(vd_device_pin(f.d, 1, &seg, 1, UINT64_MAX), 0);
		if (i != HELD)
			f.word[i]--;
	}
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f.ram, MAP_FAILED);
	make_domain();
	assert_int_equal(relief_create(&f.r, f.d, f.ram, RAM), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	relief_destroy(&f.r);
	relief_destroy(&f.r); /* twice is fine */
	vd_domain_destroy(f.d);
	vd_host_destroy(f.host);
	munmap(f.ram, RAM);
	return 0;
}

static void press(unsigned int level)
{
	f.r.pressure.ops->relieve(f.r.pressure.opaque, level);
}

static uint64_t pinned(void)
{
	struct vd_domain_stats s = { .size = sizeof(s) };

	vd_domain_stats(f.d, &s);
	return s.pinned;
}

static void shrinks_the_cache(void **state)
{
	struct relief_stats s;
	uint64_t before;

	(void)state;
	fill_cache();
	assert_int_equal(pinned(), RAM);
	press(1); /* a 32nd */
	relief_stats(&f.r, &s);
	assert_true(s.on);
	assert_true(s.unpinned >= RAM / 32 && s.unpinned < RAM / 4);
	assert_int_equal(pinned(), RAM - s.unpinned);
	before = s.unpinned;
	press(4); /* it lasts: a quarter */
	relief_stats(&f.r, &s);
	assert_true(s.unpinned - before >= RAM / 4);
	for (int i = 0; i < 20; i++)
		press(9);
	assert_int_equal(pinned(), PAGE); /* what is in use stays */
	assert_true(f.word[HELD] & 1);
}

/* When it is over the cache grows again with use. */
static void grows_again(void **state)
{
	(void)state;
	fill_cache();
	for (int i = 0; i < 20; i++)
		press(9);
	f.r.pressure.ops->calm(f.r.pressure.opaque);
	f.word[HELD]--;
	fill_cache();
	assert_int_equal(pinned(), RAM);
}

#define test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(shrinks_the_cache),
		test(grows_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
