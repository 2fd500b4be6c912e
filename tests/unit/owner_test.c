/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"
#include "mem_nth.h"

static int add(struct ex *x, uint32_t id, uint32_t provider)
{
	const struct vd_owner_cfg cfg = { .size = sizeof(cfg), .id = id, .provider = provider };

	return vd_owner_add(x->a, &cfg);
}

static void refuses(void **state)
{
	struct ex *x = *state;
	struct vd_owner_cfg cfg = { .size = 1, .id = 50, .provider = VD_NO_OWNER };

	assert_int_equal(vd_owner_add(x->a, NULL), -EINVAL);
	assert_int_equal(vd_owner_add(x->a, &cfg), -EINVAL);
	assert_int_equal(add(x, VD_NO_OWNER, VD_NO_OWNER), -EINVAL);
	assert_int_equal(add(x, EX_P1, VD_NO_OWNER), -EEXIST);
	assert_int_equal(add(x, 50, 99), -ENOENT);
	assert_int_equal(add(x, 50, EX_C), -EINVAL); /* a client of a client */
	for (uint32_t i = 3; i < VD_ADAPTER_MAX_OWNERS; i++)
		assert_int_equal(add(x, 1000 + i, VD_NO_OWNER), 0);
	assert_int_equal(add(x, 50, VD_NO_OWNER), -ENOSPC);
}

static void removes_what_owns_nothing(void **state)
{
	struct ex *x = *state;

	assert_int_equal(vd_owner_remove(x->a, 99), -ENOENT);
	assert_int_equal(vd_owner_remove(x->a, EX_P1), -EBUSY); /* all of them */
	assert_int_equal(vd_owner_remove(x->a, EX_P2), -EBUSY); /* a device */
	assert_int_equal(add(x, 50, EX_P2), 0);
	vd_reader_destroy(x->r2);
	x->r2 = NULL;
	assert_int_equal(vd_adapter_detach(x->a, EX_D2), 0);
	assert_int_equal(vd_owner_remove(x->a, EX_P2), -EBUSY); /* a client */
	assert_int_equal(vd_owner_remove(x->a, 50), 0);
	assert_int_equal(vd_owner_remove(x->a, EX_P2), 0);
	assert_int_equal(vd_owner_remove(x->a, EX_P2), -ENOENT);
}

static void without_memory(void **state)
{
	struct ex *x = *state;
	size_t live = mem_live();
	int err;

	for (unsigned int nth = 1;; nth++) {
		mem_fail(nth);
		err = add(x, 50, VD_NO_OWNER);
		mem_fail(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(mem_live(), live);
	}
	assert_int_equal(vd_owner_remove(x->a, 50), 0);
	assert_int_equal(mem_live(), live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(refuses),
		ex_test(removes_what_owns_nothing),
		ex_test(without_memory),
	};

	return run_all(tests);
}
