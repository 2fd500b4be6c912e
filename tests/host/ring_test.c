/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of registered buffers: first with a kernel that fails on request, then
 * with the real one. */
#include "mem_nth.h"
#include "real.h"
#include <mem.h>
#include <ring.h>

#define N 64u

/* What the double has registered, and how it shall fail. */
static bool filled[4][SLOTS_MAX];
static struct ring *ring_of[4];
static unsigned int stop_after; /* buffers that still succeed; then: */
static int fail_with;
static bool empty_fails;
static unsigned int ncalls;

static unsigned int number_of(struct ring *r)
{
	unsigned int i = 0;

	while (ring_of[i] && ring_of[i] != r)
		i++;
	ring_of[i] = r;
	return i;
}

static int update(struct ring *r, uint32_t first, const struct iovec *iov, uint32_t n)
{
	bool *table = filled[number_of(r)];
	uint32_t i;

	ncalls++;
	for (i = 0; i < n; i++) {
		bool fill = iov[i].iov_base != NULL;

		assert_true(first + i < SLOTS_MAX);
		if (!fill && empty_fails)
			break;
		if (fill && fail_with && stop_after == 0)
			break;
		if (fill && fail_with)
			stop_after--;
		assert_int_equal(table[first + i], !fill);
		table[first + i] = fill;
	}
	if (i < n && i == 0)
		return empty_fails && !iov[0].iov_base ? -ENOMEM : fail_with;
	return (int)i;
}

static size_t nfilled(void)
{
	size_t n = 0;

	for (size_t r = 0; r < ARRAY_LEN(filled); r++) {
		for (size_t i = 0; i < SLOTS_MAX; i++)
			n += filled[r][i];
	}
	return n;
}

static void make(struct rings *rs, size_t max_pins)
{
	struct vd_noiommu_cfg cfg = { .size = sizeof(cfg), .max_pins = max_pins };
	int err = rings_init(rs, &cfg);

	if (err == -ENOTSUP) {
		print_message("# io_uring is refused here\n");
		skip();
	}
	assert_int_equal(err, 0);
	memset(filled, 0, sizeof(filled));
	memset(ring_of, 0, sizeof(ring_of));
	fail_with = 0;
	empty_fails = false;
	ncalls = 0;
	rs->update = update;
}

static void fill_pins(struct vd_pin *pin, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pin[i] = (struct vd_pin){ .hva = (void *)0x1000, .npages = 1 };
}

static void a_batch_is_one_call(void **state)
{
	static struct vd_pin pin[3 * RING_BATCH];
	static struct rings rs;

	(void)state;
	make(&rs, 0);
	fill_pins(pin, 3 * RING_BATCH);
	assert_int_equal(rings_pin(&rs, pin, N), 0);
	assert_int_equal(ncalls, 1);
	rings_unpin(&rs, pin, N);
	assert_int_equal(ncalls, 2);
	assert_int_equal(rings_pin(&rs, pin, 3 * RING_BATCH), 0);
	assert_int_equal(ncalls, 5);
	rings_unpin(&rs, pin, 3 * RING_BATCH);
	assert_int_equal(ncalls, 8);
	assert_int_equal(nfilled(), 0);
	assert_int_equal(rs.npins, 0);
	rings_end(&rs);
}

struct partial_row {
	int fail_with, err;
};

static const struct partial_row partial_rows[] = {
	{ -EFAULT, -EFAULT }, { -ENOMEM, -ENOMEM }, { -EOPNOTSUPP, -EFAULT },
	{ -EAGAIN, -ENOMEM }, { -EINTR, -ENOMEM },
};

/* Whatever number of buffers the kernel did before it failed. */
static void partial_success_is_undone(void **state)
{
	static struct vd_pin pin[2 * RING_BATCH];
	static struct rings rs;

	(void)state;
	make(&rs, 0);
	fill_pins(pin, 2 * RING_BATCH);
	for (size_t r = 0; r < ARRAY_LEN(partial_rows); r++) {
		for (unsigned int k = 0; k < 2 * RING_BATCH; k += 37) {
			fail_with = partial_rows[r].fail_with;
			stop_after = k;
			assert_int_equal(rings_pin(&rs, pin, 2 * RING_BATCH), partial_rows[r].err);
			assert_int_equal(nfilled(), 0);
			assert_int_equal(rs.npins, 0);
			assert_int_equal(rs.ring[0]->slots.nused, 0);
		}
	}
	rings_end(&rs);
}

static void stale_slots_are_tried_again(void **state)
{
	static struct vd_pin pin[N];
	static struct rings rs;

	(void)state;
	make(&rs, 0);
	fill_pins(pin, N);
	assert_int_equal(rings_pin(&rs, pin, N), 0);
	empty_fails = true;
	rings_unpin(&rs, pin, N / 2);
	assert_int_equal(rs.nstale, N / 2);
	assert_int_equal(rs.npins, N);
	assert_int_equal(nfilled(), N);
	empty_fails = false;
	rings_unpin(&rs, pin + N / 2, N / 2);
	assert_int_equal(rs.nstale, 0);
	assert_int_equal(rs.npins, 0);
	assert_int_equal(nfilled(), 0);
	rings_end(&rs);
}

static void limit_is_exact(void **state)
{
	static struct vd_pin pin[RING_BATCH];
	static struct rings rs;

	(void)state;
	make(&rs, 100);
	fill_pins(pin, RING_BATCH);
	assert_int_equal(rings_pin(&rs, pin, 101), -ENOSPC);
	assert_int_equal(nfilled(), 0);
	assert_int_equal(rings_pin(&rs, pin, 100), 0);
	assert_int_equal(rings_pin(&rs, pin + 100, 1), -ENOSPC);
	rings_unpin(&rs, pin, 100);
	rings_end(&rs);
	make(&rs, 2 * SLOTS_MAX);
	assert_int_equal(rs.max, 2);
	rings_end(&rs);
	make(&rs, 2 * SLOTS_MAX + 1);
	assert_int_equal(rs.max, 3);
	rings_end(&rs);
}

/* Random pins and unpins over two rings, nothing lost, nothing twice. */
static void random_over_two_rings(void **state)
{
	static struct vd_pin pin[24000];
	static struct rings rs;
	size_t n = 0;

	(void)state;
	make(&rs, 2 * SLOTS_MAX);
	fill_pins(pin, ARRAY_LEN(pin));
	srandom(3);
	for (int round = 0; round < 2000; round++) {
		size_t k = 1 + (size_t)random() % RING_BATCH;

		if (n + k <= ARRAY_LEN(pin) && random() % 5 < 3) {
			assert_int_equal(rings_pin(&rs, pin + n, k), 0);
			n += k;
		} else {
			size_t at;

			k = k < n ? k : n;
			at = (size_t)random() % (n - k + 1);
			rings_unpin(&rs, pin + at, k);
			n -= k;
			memmove(pin + at, pin + at + k, (n - at) * sizeof(pin[0]));
		}
		assert_int_equal(rs.npins, n);
	}
	assert_int_equal(nfilled(), n);
	rings_unpin(&rs, pin, n);
	assert_int_equal(nfilled(), 0);
	rings_end(&rs);
}

/* --- a late kernel ----------------------------------------------------- */

static void *page_of[SLOTS_MAX]; /* of each group */

static size_t ngroups(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SLOTS_MAX; i++)
		n += page_of[i] != NULL;
	return n;
}

static int group(struct io_uring *uring, uint32_t slot, void *hva)
{
	(void)uring;
	assert_true(slot < SLOTS_MAX);
	if (hva && fail_with && stop_after-- == 0)
		return fail_with;
	if (!hva && empty_fails)
		return -ENOENT;
	assert_int_equal(page_of[slot] == NULL, hva != NULL);
	page_of[slot] = hva;
	return 0;
}

static void make_late(struct rings *rs, size_t max_pins)
{
	make(rs, max_pins);
	memset(page_of, 0, sizeof(page_of));
	rs->late = true;
	rs->group = group;
	if (!rs->ring[0]->groups.next)
		rs->ring[0]->groups.next = mem_zalloc(SLOTS_MAX, sizeof(uint64_t));
	assert_non_null(rs->ring[0]->groups.next);
}

static void late_kernels_get_a_group_for_each_page(void **state)
{
	struct vd_pin pin[4] = {
		{ .hva = (void *)0x10000, .npages = 1 },
		{ .hva = (void *)0x20000, .npages = 3 },
		{ .hva = (void *)0x30000, .npages = 4097 }, /* as no map is */
		{ .hva = (void *)0x50000, .npages = 4096 },
	};
	static struct rings rs;

	(void)state;
	make_late(&rs, SLOTS_MAX);
	assert_int_equal(rings_pin(&rs, pin, 4), 0);
	assert_int_equal(ngroups(), 1 + 3 + 4096);
	assert_int_equal(nfilled(), 1);
	assert_int_equal(rs.npins, 4096 + 5);
	rings_unpin(&rs, pin + 1, 2);
	assert_int_equal(ngroups(), 4097);
	assert_int_equal(nfilled(), 0);
	rings_unpin(&rs, pin + 3, 1);
	assert_int_equal(ngroups(), 1);
	for (size_t i = 0; i < SLOTS_MAX; i++)
		assert_true(!page_of[i] || page_of[i] == pin[0].hva);
	rings_unpin(&rs, pin, 1);
	assert_int_equal(rs.npins, 0);
	rings_end(&rs);
	assert_int_equal(mem_live(), 0);
}

static void late_failures_are_undone(void **state)
{
	struct vd_pin pin[3] = {
		{ .hva = (void *)0x10000, .npages = 5 },
		{ .hva = (void *)0x20000, .npages = 7 },
		{ .hva = (void *)0x30000, .npages = 2 },
	};
	static struct rings rs;

	(void)state;
	make_late(&rs, 14);
	for (size_t r = 0; r < ARRAY_LEN(partial_rows); r++) {
		for (unsigned int k = 0; k < 14; k++) {
			fail_with = partial_rows[r].fail_with;
			stop_after = k;
			assert_int_equal(rings_pin(&rs, pin, 3), partial_rows[r].err);
			assert_int_equal(ngroups() + rs.npins, 0);
			assert_int_equal(rs.ring[0]->groups.slots.nused, 0);
		}
	}
	fail_with = 0;
	pin[2].npages = 3;
	assert_int_equal(rings_pin(&rs, pin, 3), -ENOSPC);
	assert_int_equal(ngroups() + rs.npins, 0);
	pin[2].npages = 2;
	assert_int_equal(rings_pin(&rs, pin, 3), 0);
	/* What the kernel would not let go is used no more. */
	empty_fails = true;
	rings_unpin(&rs, pin, 1);
	empty_fails = false;
	rings_unpin(&rs, pin + 1, 2);
	assert_int_equal(ngroups(), 5);
	assert_int_equal(rs.npins, 5);
	assert_int_equal(rs.ring[0]->groups.slots.nused, 5);
	rings_end(&rs);
}

static int refuse(void *opaque, int fd)
{
	(void)fd;
	++*(int *)opaque;
	return -ECONNRESET;
}

static void on_ring_may_refuse(void **state)
{
	static struct rings rs;
	int n = 0;
	struct vd_noiommu_cfg cfg = { .size = sizeof(cfg), .on_ring = refuse, .opaque = &n };
	int err = rings_init(&rs, &cfg);

	(void)state;
	if (err == -ENOTSUP)
		skip();
	assert_int_equal(err, -ECONNRESET);
	assert_int_equal(n, 1);
	assert_int_equal(mem_live(), 0);
}

static void fault_sweep_of_create(void **state)
{
	static struct rings rs;
	struct vd_noiommu_cfg cfg = { .size = sizeof(cfg), .max_pins = 1 };

	(void)state;
	for (unsigned int i = 1; i <= 2; i++) {
		mem_fail(i);
		assert_int_equal(rings_init(&rs, &cfg), -ENOMEM);
		assert_int_equal(mem_live(), 0);
	}
	mem_fail(0);
	cfg.max_pins = SIZE_MAX;
	assert_int_equal(rings_init(&rs, &cfg), -EINVAL);
}

/* From here on the kernel's own answers. */

static void the_kernel_pins_and_undoes(void **state)
{
	unsigned char *mem = real_mem(N, false);
	static struct vd_pin pin[N];
	static struct rings rs;

	(void)state;
	make(&rs, 0); /* or skip */
	rings_end(&rs);
	assert_int_equal(
		rings_init(&rs, &(struct vd_noiommu_cfg){ .size = sizeof(struct vd_noiommu_cfg),
							  .max_pins = 0 }),
		0);
	for (size_t i = 0; i < N; i++)
		pin[i] = (struct vd_pin){ .hva = mem + i * 4096, .npages = 1 };
	assert_int_equal(rings_pin(&rs, pin, N), 0);
	assert_int_equal(real_pinned(), N);
	rings_unpin(&rs, pin, N);
	assert_true(real_pinned_becomes(0));
	/* One bad address in the middle. */
	pin[N / 2].hva = (void *)0x1000;
	assert_int_equal(rings_pin(&rs, pin, N), -EFAULT);
	assert_true(real_pinned_becomes(0));
	rings_end(&rs);
	real_mem_free(mem, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_is_one_call),
		cmocka_unit_test(partial_success_is_undone),
		cmocka_unit_test(stale_slots_are_tried_again),
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(random_over_two_rings),
		cmocka_unit_test(late_kernels_get_a_group_for_each_page),
		cmocka_unit_test(late_failures_are_undone),
		cmocka_unit_test(on_ring_may_refuse),
		cmocka_unit_test(fault_sweep_of_create),
		cmocka_unit_test(the_kernel_pins_and_undoes),
	};

	return run_all(tests);
}
