/* SPDX-License-Identifier: BSD-2-Clause */
#include "real.h"
#include <nopin.h>

/* It says where pages are, never the zero page, and pins none. */
static void addresses_without_pins(void **state)
{
	unsigned char *mem = real_mem(8, false);
	vd_hpa page[8];
	struct vd_pin pin = { .hva = mem, .npages = 8, .page = page };
	struct vd_host *h;

	(void)state;
	real_needs_root();
	assert_int_equal(vd_host_nopin_create(&h), 0);
	assert_string_equal(h->ops->name, "nopin");
	assert_int_equal(h->ops->pin(h, &pin, 1), 0);
	assert_int_equal(real_pinned(), 0);
	for (int i = 1; i < 8; i++)
		assert_true(page[i].v != 0 && page[i].v != page[i - 1].v);
	h->ops->unpin(h, &pin, 1);
	vd_host_destroy(h);
	real_mem_free(mem, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_without_pins),
	};

	return run_all(tests);
}
