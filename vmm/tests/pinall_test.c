/* SPDX-License-Identifier: BSD-2-Clause */
/* All of guest memory, against a host that counts and one that runs out. */
#include "unit.h"
#include <errno.h>
#include <pinall.h>
#include <viaduct/types.h>

static struct {
	size_t npages, fail_at, calls;
} count;

static int pin(struct vd_host *h, struct vd_pin *p, size_t npins)
{
	(void)h;
	if (count.calls++ == count.fail_at)
		return -ENOSPC;
	for (size_t i = 0; i < npins; i++) {
		assert_in_range(p[i].npages, 1, VD_PIN_MAX_PAGES);
		p[i].page[p[i].npages - 1].v = 1; /* there is room for all */
		count.npages += p[i].npages;
	}
	return 0;
}

static void unpin(struct vd_host *h, const struct vd_pin *p, size_t npins)
{
	(void)h;
	for (size_t i = 0; i < npins; i++)
		count.npages -= p[i].npages;
}

static const struct vd_host_ops ops = {
	.size = sizeof(ops), .name = "count", .pin = pin, .unpin = unpin
};
static struct vd_host host = { &ops };
static uint8_t *const ram = (uint8_t *)((uint64_t)1 << 40); /* never touched */

static void test_all(void **state)
{
	const uint64_t len = ((uint64_t)2 << 30) + (4 << 20);
	struct pinall p;
	char why[200] = "";

	(void)state;
	count.calls = count.npages = 0;
	count.fail_at = SIZE_MAX;
	if (pinall_create(&p, &host, ram, len, why, sizeof(why)) == -ENOMEM) {
		print_message("# %s\n", why);
		skip(); /* less than that is free here */
	}
	assert_int_equal(count.npages, len / VD_PAGE_SIZE);
	assert_int_equal(count.calls, 3);
	pinall_destroy(&p);
	assert_int_equal(count.npages, 0);
	pinall_destroy(&p); /* and nothing more */
}

static void test_failure(void **state)
{
	struct pinall p;
	char why[200] = "";

	(void)state;
	count.calls = count.npages = 0;
	count.fail_at = 1;
	assert_int_equal(pinall_create(&p, &host, ram, (uint64_t)2 << 30, why,
				       sizeof(why)),
			 -ENOSPC);
	assert_non_null(strstr(why, "cannot pin all of guest memory"));
	assert_int_equal(count.npages, 0);
}

static void test_no_room(void **state)
{
	struct pinall p;
	char why[200] = "";

	(void)state;
	count.calls = 0;
	assert_int_equal(pinall_create(&p, &host, ram, (uint64_t)1 << 50, why,
				       sizeof(why)),
			 -ENOMEM);
	assert_non_null(strstr(why, "--pin all needs all 1073741824 MiB"));
	assert_int_equal(count.calls, 0);
}

static void test_meminfo(void **state)
{
	(void)state;
	assert_int_equal(
		pinall_available("MemTotal: 5 kB\nMemAvailable:    2048 kB\n"),
		2 << 20);
	assert_int_equal(pinall_available("MemTotal: 5 kB\n"), 0);
	assert_int_equal(pinall_available(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_meminfo),
	};

	return cmocka_run_group_tests_name("pinall", tests, NULL, NULL);
}
