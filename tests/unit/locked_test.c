/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "real.h"
#include <locked.h>
#include <stdio.h>
#include <sys/mman.h>

#define N 16u

static size_t nlocked(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t kib = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "VmLck: %zu", &kib) != 1)
		;
	fclose(f);
	return kib / 4;
}

/* Address sanitizers turn mlock() into nothing. */
static void needs_mlock(void)
{
	unsigned char *mem = real_mem(1, false);
	bool works = mlock(mem, 4096) == 0 && nlocked() == 1;

	real_mem_free(mem, 1);
	if (!works) {
		print_message("# mlock() does nothing here\n");
		skip();
	}
}

static void locks_nest(void **state)
{
	unsigned char *mem = real_mem(N, false);
	struct vd_pin a = { .hva = mem, .npages = 4 }, b = { .hva = mem + 4096 * 2, .npages = 6 };
	struct locked l;

	(void)state;
	needs_mlock();
	locked_init(&l, 0);
	assert_int_equal(locked_pin(&l, &a, 1), 0);
	assert_int_equal(locked_pin(&l, &b, 1), 0);
	assert_int_equal(nlocked(), 8);
	locked_unpin(&l, &a, 1);
	assert_int_equal(nlocked(), 6);
	assert_int_equal(locked_pin(&l, &b, 1), 0);
	locked_unpin(&l, &b, 1);
	assert_int_equal(nlocked(), 6);
	locked_unpin(&l, &b, 1);
	assert_int_equal(nlocked(), 0);
	assert_int_equal(mem_live(), 0);
	real_mem_free(mem, N);
}

static void fault_sweep(void **state)
{
	unsigned char *mem = real_mem(N, false);
	struct vd_pin pin[2] = { { .hva = mem, .npages = 2 }, { .hva = mem + 4096, .npages = 3 } };
	unsigned int n = 0;
	struct locked l;
	int err;

	(void)state;
	needs_mlock();
	locked_init(&l, 0);
	do {
		mem_fail(++n);
		err = locked_pin(&l, pin, 2);
		mem_fail(0);
		assert_true(err == 0 || err == -ENOMEM);
		if (err)
			assert_int_equal(nlocked() + mem_live() + l.npins, 0);
	} while (err);
	assert_int_equal(n, 5); /* four pages */
	locked_unpin(&l, pin, 2);
	pin[1].hva = (void *)0x1000;
	assert_int_equal(locked_pin(&l, pin, 2), -ENOMEM);
	assert_int_equal(nlocked() + mem_live() + l.npins, 0);
	real_mem_free(mem, N);
}

static void limit_and_end(void **state)
{
	unsigned char *mem = real_mem(N, false);
	struct vd_pin pin[2] = { { .hva = mem, .npages = 1 }, { .hva = mem, .npages = 1 } };
	struct locked l;

	(void)state;
	needs_mlock();
	locked_init(&l, 1);
	assert_int_equal(locked_pin(&l, pin, 2), -ENOSPC);
	assert_int_equal(locked_pin(&l, pin, 1), 0);
	locked_end(&l); /* with a pin: stays locked, leaks nothing */
	assert_int_equal(mem_live(), 0);
	assert_int_equal(nlocked(), 1);
	real_mem_free(mem, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_nest),
		cmocka_unit_test(fault_sweep),
		cmocka_unit_test(limit_and_end),
	};

	return run_all(tests);
}
