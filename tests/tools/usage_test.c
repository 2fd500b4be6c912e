/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"
#include "usage.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
/* needs the four above */
#include <cmocka.h>

#define MIB (1u << 20)

static const char smaps[] = "7f0000000000-7f0000200000 rw-p 00000000 00:00 0 \n"
			    "Size:               2048 kB\n"
			    "Rss:                 100 kB\n"
			    "Pss:                  99 kB\n"
			    "Swap:                 60 kB\n"
			    "SwapPss:              60 kB\n"
			    "VmFlags: rd wr\n"
			    "7f0000200000-7f0000400000 rw-p 00000000 00:00 0 \n"
			    "Rss:                   8 kB\n"
			    "Swap:                  4 kB\n"
			    "55d0c0000000-55d0c0010000 r-xp 00000000 fe:00 12  /usr/bin/a - b\n"
			    "Rss:                  16 kB\n"
			    "Swap:               1000 kB\n";

static void *at(uint64_t v)
{
	return (void *)(uintptr_t)v;
}

static void test_made_up(void **state)
{
	struct usage_area area[2] = {
		{ at(0x7f0000000000), 2 * MIB },
		{ at(0x7f0000200000), 2 * MIB },
	};
	struct usage u = { .resident = 1 };
	uint64_t swapped;
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(usage_read(&t.s, area, 2, &u), -ENOENT);
	assert_int_equal(u.resident, 1);
	tree_file(&t, "/proc/self/smaps", smaps);
	assert_int_equal(usage_read(&t.s, area, 1, &u), 0);
	assert_int_equal(u.resident, 124 * 1024);
	assert_int_equal(u.guest_resident, 100 * 1024);
	assert_int_equal(u.guest_swapped, 60 * 1024);
	assert_int_equal(usage_read(&t.s, area, 2, &u), 0);
	assert_int_equal(u.guest_resident, 108 * 1024);
	assert_int_equal(u.guest_swapped, 64 * 1024);
	assert_int_equal(usage_read(&t.s, NULL, 0, &u), 0);
	assert_int_equal(u.guest_resident, 0);
	tree_file(&t, "/proc/self/status", "Name: x\nVmSwap:\t   17 kB\nVmRSS: 1 kB\n");
	assert_int_equal(usage_swapped(&t.s, &swapped), 0);
	assert_int_equal(swapped, 17 * 1024);
	tree_file(&t, "/proc/self/status", "Name: x\n");
	assert_int_equal(usage_swapped(&t.s, &swapped), -ENOENT);
	tree_end(&t);
}

static void test_real(void **state)
{
	static const struct sysfs host = { .root = "/sys" };
	struct usage_area area = { .len = 8 * MIB };
	struct usage u;
	void *p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	madvise(p, 8 * MIB, MADV_NOHUGEPAGE);
	memset(p, 1, 3 * MIB);
	area.hva = p;
	assert_int_equal(usage_read(&host, &area, 1, &u), 0);
	assert_int_equal(u.guest_resident + u.guest_swapped, 3 * MIB);
	assert_true(u.resident > 3 * MIB);
	munmap(p, 8 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_up),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
