/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <fault.h>

static void oldest_first(void **state)
{
	struct faults f = { .put = 0 };
	struct vd_fault in = { .size = sizeof(in), .guest_id = 1 }, out;

	(void)state;
	assert_int_equal(faults_take(&f, &out), -ENOENT);
	for (in.iova.v = 0; in.iova.v < 3; in.iova.v++)
		faults_put(&f, &in);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(faults_take(&f, &out), 0);
		assert_int_equal(out.iova.v, i);
	}
	assert_int_equal(faults_take(&f, &out), -ENOENT);
}

static void full_loses_the_oldest(void **state)
{
	struct faults f = { .put = 0 };
	struct vd_fault in = { .size = sizeof(in), .guest_id = 1 }, out;

	(void)state;
	for (in.iova.v = 0; in.iova.v < FAULT_RING + 10; in.iova.v++)
		faults_put(&f, &in);
	for (uint64_t i = 10; i < FAULT_RING + 10; i++) {
		assert_int_equal(faults_take(&f, &out), 0);
		assert_int_equal(out.iova.v, i);
	}
	assert_int_equal(faults_take(&f, &out), -ENOENT);
	assert_int_equal(f.put, FAULT_RING + 10);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(vd_fault_reason_name(VD_FAULT_UNMAPPED), "unmapped");
	assert_string_equal(vd_fault_reason_name(VD_FAULT_DIRECTION), "direction");
	assert_string_equal(vd_fault_reason_name(VD_FAULT_DENIED), "denied");
	assert_string_equal(vd_fault_reason_name(VD_FAULT_REASONS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oldest_first),
		cmocka_unit_test(full_loses_the_oldest),
		cmocka_unit_test(names),
	};

	return run_all(tests);
}
