/* SPDX-License-Identifier: BSD-2-Clause */
#include <viaduct/types.h>

uint32_t vd_version(void)
{
	return VD_VERSION;
}
