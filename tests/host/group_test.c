/* SPDX-License-Identifier: BSD-2-Clause */
/* With the real kernel, whichever of the two kinds it is. */
#include "real.h"
#include <group.h>
#include <unistd.h>

#define N 8u

static void make(struct io_uring *u)
{
	if (io_uring_queue_init(1, u, 0) != 0 || io_uring_register_buffers_sparse(u, 4) != 0) {
		print_message("# io_uring is refused here\n");
		skip();
	}
}

static void a_group_is_one_page_at_once(void **state)
{
	unsigned char *mem = real_mem(N, false);
	struct io_uring u;
	bool swaps;

	(void)state;
	make(&u);
	memset(mem, 1, N * 4096);
	swaps = real_pageout(mem, N) == 0; /* where there is swap */
	for (uint32_t i = 0; i < N; i += 2)
		assert_int_equal(group_kernel(&u, i * 1000, mem + i * 4096), 0);
	/* Every other page cannot go. */
	assert_int_equal(real_pageout(mem, N), swaps ? N / 2 : N);
	for (uint32_t i = 0; i < N; i += 2)
		assert_int_equal(group_kernel(&u, i * 1000, NULL), 0);
	assert_int_equal(real_pageout(mem, N), swaps ? 0 : N);
	assert_int_equal(mem[0], 1);
	/* None, one that is taken, no memory. */
	assert_true(group_kernel(&u, 7, NULL) < 0);
	assert_int_equal(group_kernel(&u, 7, mem), 0);
	assert_true(group_kernel(&u, 7, mem) < 0);
	assert_int_equal(group_kernel(&u, 8, (void *)0x1000), -EFAULT);
	io_uring_queue_exit(&u);
	real_mem_free(mem, N);
}

/* What it says is what happens. */
static void late_or_not(void **state)
{
	unsigned char *mem = real_mem(1, false);
	struct iovec iov = { mem, 4096 }, none = { NULL, 0 };
	struct io_uring u;
	size_t before;
	int late;

	(void)state;
	make(&u);
	late = group_is_needed(&u);
	assert_in_range(late, 0, 1);
	assert_true(real_pinned_becomes(0));
	assert_int_equal(io_uring_register_buffers_update_tag(&u, 0, &iov, NULL, 1), 1);
	before = real_pinned();
	assert_int_equal(before, 1);
	assert_int_equal(io_uring_register_buffers_update_tag(&u, 0, &none, NULL, 1), 1);
	assert_int_equal(real_pinned(), late ? 1 : 0);
	io_uring_queue_exit(&u);
	real_mem_free(mem, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_is_one_page_at_once),
		cmocka_unit_test(late_or_not),
	};

	return run_all(tests);
}
