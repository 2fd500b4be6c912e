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

#define FAR ((uint64_t)1 << 56)

static void refuses_to_reach(void **state)
{
	struct ex *x = *state;

	assert_int_equal(vd_owner_reach(x->a, EX_P1, NULL, FAR), -EINVAL);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->c.d, 0), -EINVAL);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->c.d, FAR + PAGE), -EINVAL);
	assert_int_equal(vd_owner_reach(x->a, 99, x->c.d, FAR), -ENOENT);
	assert_int_equal(add(x, 50, VD_NO_OWNER), 0);
	assert_int_equal(vd_owner_reach(x->a, 50, x->c.d, FAR), -EINVAL); /* no domain */
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->c.d, FAR), 0);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->p2.d, FAR), -EEXIST);
	/* One stretch each, and one of its own. */
	for (uint64_t i = 2; i < 64; i++)
		assert_int_equal(vd_owner_reach(x->a, EX_P1, x->p2.d, i * (FAR >> 8)), 0);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->p2.d, 64 * (FAR >> 8)), -ENOSPC);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->c.d, FAR), 0); /* as it does */
}

/* Its entries name the other's memory, pinned there and within its budget. */
static void reaches(void **state)
{
	struct ex *x = *state;
	unsigned char *hva;
	vd_entry e = { FAR | ex_entry(3, RW).v };

	assert_int_equal(ex_put(x, EX_P1, EX_W, 0, e), -EFAULT);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->c.d, FAR), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 0, e), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 1, ex_entry(3, RW)), 0);
	assert_true(ex_access(x->r1, ex_bus(0).v, VD_WRITE, &hva) >= 0);
	assert_ptr_equal(hva, x->c.mem + 3 * PAGE);
	assert_true(ex_access(x->r1, ex_bus(1).v, VD_WRITE, &hva) >= 0);
	assert_ptr_equal(hva, x->p1.mem + 3 * PAGE);
	assert_int_equal(ex_pinned(&x->c), 1);
	assert_int_equal(ex_pinned(&x->p1), 1);
	vd_domain_set_budget(x->c.d, PAGE);
	e.v += PAGE;
	assert_int_equal(ex_put(x, EX_P1, EX_W, 2, e), -EDQUOT);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 0, (vd_entry){ 0 }), 0);
	assert_int_equal(ex_pinned(&x->c), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 2, e), 0);
	assert_int_equal(ex_pinned(&x->c), 1);
}

/* What only one of two owners of the same memory reaches is not handed over. */
static void is_not_handed_over(void **state)
{
	struct ex *x = *state;
	const struct vd_owner_cfg twin = {
		.size = sizeof(twin), .id = 50, .provider = VD_NO_OWNER, .domain = x->p1.d
	};
	struct vd_split s = { .size = sizeof(s),
			      .id = EX_W,
			      .newid = 8,
			      .owner = 50,
			      .keep = 1,
			      .live = VD_LIVE_TRANSFER };

	assert_int_equal(vd_owner_add(x->a, &twin), 0);
	assert_int_equal(vd_owner_reach(x->a, EX_P1, x->c.d, FAR), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 5, (vd_entry){ FAR | ex_entry(3, RW).v }), 0);
	assert_int_equal(vd_window_split(x->a, &s), -EXDEV);
	assert_int_equal(vd_owner_reach(x->a, 50, x->c.d, FAR), 0);
	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(ex_pinned(&x->c), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(refuses),	 ex_test(removes_what_owns_nothing),
		ex_test(without_memory), ex_test(refuses_to_reach),
		ex_test(reaches),	 ex_test(is_not_handed_over),
	};

	return run_all(tests);
}
