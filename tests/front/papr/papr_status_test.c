/* SPDX-License-Identifier: BSD-2-Clause */
#include "papr_state.h"
#include "test.h"

/* Every error has a status, and only 0 is a success. */
static void test_all(void **state)
{
	(void)state;
	for (int err = 0; err < 200; err++) {
		int64_t s = papr_status(-err);
		int32_t r = (int32_t)papr_rtas_status(-err);

		assert_int_equal(s == VD_H_SUCCESS, err == 0);
		assert_int_equal(r == VD_RTAS_SUCCESS, err == 0);
		assert_true(s == 0 || s < 0);
		assert_true(r == 0 || r == VD_RTAS_HARDWARE || r == VD_RTAS_PARAMETER);
	}
	assert_int_equal(papr_status(-EDQUOT), -44);
	assert_int_equal(papr_status(-ENOMEM), -1);
	assert_int_equal(papr_status(-EFAULT), -4);
	assert_int_equal(papr_status(-EBUSY), -16);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all) };

	return run_all(tests);
}
