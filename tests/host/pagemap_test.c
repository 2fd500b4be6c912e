/* SPDX-License-Identifier: BSD-2-Clause */
/* The rival reads one entry for one page. */
#include "real.h"
#include <fcntl.h>
#include <pagemap.h>
#include <unistd.h>

#define N 2048u

static struct pagemap map;

static int setup(void **state)
{
	(void)state;
	return geteuid() == 0 ? pagemap_open(&map) : 0;
}

static int teardown(void **state)
{
	(void)state;
	if (geteuid() == 0)
		pagemap_close(&map);
	return 0;
}

static uint64_t rival(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	assert_int_equal(pread(fd, &entry, 8, (off_t)((uintptr_t)at / 4096 * 8)), 8);
	close(fd);
	return (entry & (((uint64_t)1 << 55) - 1)) * 4096;
}

static void check(const struct vd_pin *pin, size_t npins)
{
	assert_int_equal(pagemap_fill(&map, pin, npins), 0);
	for (size_t i = 0; i < npins; i++) {
		for (size_t j = 0; j < pin[i].npages; j++) {
			assert_int_equal(pin[i].page[j].v, rival((char *)pin[i].hva + j * 4096));
			assert_true(pin[i].page[j].v != 0);
		}
	}
}

static void long_run(void **state)
{
	static vd_hpa page[N];
	unsigned char *mem = real_mem(N, false);
	struct vd_pin pin = { .hva = mem, .npages = N, .page = page };

	(void)state;
	real_needs_root();
	memset(mem, 1, (size_t)N * 4096);
	check(&pin, 1);
	real_mem_free(mem, N);
}

/* Near, far, backwards, the same page twice, around the limits of a group. */
static void scattered_runs(void **state)
{
	static const size_t at[] = { 0, 1, 5, 5, 26, 47, 69, 300, 299, 800, 811, 1311, 1324, 2000 };
	static const size_t len[] = { 1, 2, 1, 1, 1, 1, 1, 1, 1, 11, 500, 13, 600, 48 };
	static vd_hpa page[N];
	unsigned char *mem = real_mem(N, true);
	struct vd_pin pin[ARRAY_LEN(at)];
	size_t used = 0;

	(void)state;
	real_needs_root();
	memset(mem, 1, (size_t)N * 4096);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		pin[i] = (struct vd_pin){ .hva = mem + at[i] * 4096,
					  .npages = len[i],
					  .page = page + used };
		used += len[i];
	}
	assert_true(used <= N);
	check(pin, ARRAY_LEN(at));
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		check(&pin[i], 1);
	real_mem_free(mem, N);
}

/* What is not there is touched, and its contents stay. */
static void absent_pages_are_brought_in(void **state)
{
	vd_hpa page[8];
	unsigned char *mem = real_mem(8, false);
	struct vd_pin pin = { .hva = mem, .npages = 8, .page = page };

	(void)state;
	real_needs_root();
	mem[3 * 4096] = 77;
	check(&pin, 1);
	/* Not the zero page: all are different. */
	for (int i = 1; i < 8; i++)
		assert_true(page[i].v != page[0].v);
	assert_int_equal(mem[3 * 4096], 77);
	real_mem_free(mem, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(long_run, setup, teardown),
		cmocka_unit_test_setup_teardown(scattered_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(absent_pages_are_brought_in, setup, teardown),
	};

	return run_all(tests);
}
