/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "real.h"
#include <locked.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define N     16u
#define AREAS "/proc/sys/vm/max_map_count"

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
	locked_init(&l, 0, AREAS);
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
	locked_init(&l, 0, AREAS);
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
	locked_init(&l, 1, AREAS);
	assert_int_equal(locked_pin(&l, pin, 2), -ENOSPC);
	assert_int_equal(locked_pin(&l, pin, 1), 0);
	locked_end(&l); /* with a pin: stays locked, leaks nothing */
	assert_int_equal(mem_live(), 0);
	assert_int_equal(nlocked(), 1);
	real_mem_free(mem, N);
}

static uint64_t most_with(const char *text)
{
	char path[] = "/tmp/areas-XXXXXX";
	int fd = mkstemp(path);
	struct locked l;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	locked_init(&l, 0, path);
	unlink(path);
	locked_end(&l);
	return l.max_pins;
}

static void pins_are_bounded_by_areas(void **state)
{
	struct locked l;

	(void)state;
	assert_int_equal(most_with("65530\n"), 24573);
	assert_int_equal(most_with("800\n"), 300);
	assert_int_equal(most_with("2147483647\n"), 1 << 20);
	assert_int_equal(most_with(""), 24573);
	locked_init(&l, 0, "/nowhere");
	assert_int_equal(l.max_pins, 24573);
	locked_init(&l, 7, AREAS);
	assert_int_equal(l.max_pins, 7);
}

static size_t nareas(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	size_t n = 0;
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* Every other page, or all and then every other one ended: as many areas as
 * there may be are never in use. */
static void every_other_page(void **state)
{
	enum { PAGES = 2048, AREAS_MOST = 800, MOST = AREAS_MOST / 4 * 3 / 2 };
	unsigned char *mem = real_mem(PAGES, false);
	struct vd_pin pin[MOST + 1];
	size_t before = nareas();
	struct locked l;

	(void)state;
	needs_mlock();
	locked_init(&l, MOST, AREAS);
	for (size_t turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i <= MOST; i++)
			pin[i] = (struct vd_pin){ .hva = mem + i * (2 - turn) * 4096, .npages = 1 };
		for (size_t i = 0; i < MOST; i++)
			assert_int_equal(locked_pin(&l, &pin[i], 1), 0);
		assert_int_equal(locked_pin(&l, &pin[MOST], 1), -ENOSPC);
		assert_true(nareas() - before <= AREAS_MOST / 4 * 3 + 2);
		for (size_t i = 0; i < MOST; i += 2)
			locked_unpin(&l, &pin[i], 1);
		assert_true(nareas() - before <= AREAS_MOST / 4 * 3 + 2);
		assert_int_equal(nlocked(), MOST / 2);
		for (size_t i = 1; i < MOST; i += 2)
			locked_unpin(&l, &pin[i], 1);
		assert_int_equal(nlocked(), 0);
	}
	locked_end(&l);
	real_mem_free(mem, PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_nest),	    cmocka_unit_test(pins_are_bounded_by_areas),
		cmocka_unit_test(every_other_page), cmocka_unit_test(fault_sweep),
		cmocka_unit_test(limit_and_end),
	};

	return run_all(tests);
}
