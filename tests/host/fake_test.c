/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "test.h"
#include <viaduct/fake.h>

#define BASE ((char *)0x10000000)
#define N    8u

static void create_errors(void **state)
{
	struct vd_host *h;

	(void)state;
	assert_int_equal(vd_host_fake_create(BASE + 1, N, &h), -EINVAL);
	assert_int_equal(vd_host_fake_create(BASE, 0, &h), -EINVAL);
	for (unsigned int i = 1; i <= 2; i++) {
		mem_fail(i);
		assert_int_equal(vd_host_fake_create(BASE, N, &h), -ENOMEM);
	}
	mem_fail(0);
	assert_int_equal(mem_live(), 0);
	vd_host_destroy(NULL);
}

static struct vd_pin pin(size_t page, size_t npages, vd_hpa *out)
{
	return (struct vd_pin){ .hva = BASE + page * VD_PAGE_SIZE, .npages = npages, .page = out };
}

static void pins_nest(void **state)
{
	vd_hpa page[N];
	struct vd_pin p[2] = { pin(1, 3, page), pin(2, 4, page + 3) };
	struct vd_host *h;

	(void)state;
	assert_int_equal(vd_host_fake_create(BASE, N, &h), 0);
	assert_int_equal(h->ops->pin(h, p, 2), 0);
	assert_int_equal(page[0].v, VD_FAKE_BASE + VD_PAGE_SIZE);
	assert_int_equal(page[3].v, VD_FAKE_BASE + 2 * VD_PAGE_SIZE);
	assert_int_equal(vd_fake_pins(h, 2), 2);
	assert_int_equal(vd_fake_pinned(h), 5);
	h->ops->unpin(h, p, 1);
	assert_int_equal(vd_fake_pinned(h), 4);
	h->ops->unpin(h, p + 1, 1);
	assert_int_equal(vd_fake_pinned(h), 0);
	assert_int_equal(vd_fake_calls(h), 3);
	vd_host_destroy(h);
}

static void fails_on_request_and_pins_nothing(void **state)
{
	vd_hpa page[2 * N];
	struct vd_pin p[2] = { pin(0, 1, page), pin(5, 4, page + 1) }; /* one too long */
	struct vd_host *h;

	(void)state;
	assert_int_equal(vd_host_fake_create(BASE, N, &h), 0);
	assert_int_equal(h->ops->pin(h, p, 2), -EFAULT);
	vd_fake_fail(h, 2, -ENOMEM);
	assert_int_equal(h->ops->pin(h, p, 1), 0);
	assert_int_equal(h->ops->pin(h, p, 1), -ENOMEM);
	assert_int_equal(h->ops->pin(h, p, 1), 0);
	assert_int_equal(vd_fake_pins(h, 0), 2);
	vd_host_destroy(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_errors),
		cmocka_unit_test(pins_nest),
		cmocka_unit_test(fails_on_request_and_pins_nothing),
	};

	return run_all(tests);
}
