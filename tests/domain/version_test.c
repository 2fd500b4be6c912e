/* SPDX-License-Identifier: BSD-2-Clause */
/* Header, library and package say the same version. */
#include "test.h"
#include <viaduct/types.h>

#include <stdio.h>

static void versions_agree(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(vd_version(), VD_VERSION);
	snprintf(text, sizeof(text), "%d.%d.%d", VD_VERSION_MAJOR, VD_VERSION_MINOR,
		 VD_VERSION_PATCH);
	assert_string_equal(text, PROJECT_VERSION);
}

static void versions_are_in_order(void **state)
{
	(void)state;
	assert_true(VD_VERSION_OF(0, 1, 0) < VD_VERSION_OF(0, 1, 255));
	assert_true(VD_VERSION_OF(0, 255, 255) < VD_VERSION_OF(1, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_agree),
		cmocka_unit_test(versions_are_in_order),
	};

	return run_all(tests);
}
