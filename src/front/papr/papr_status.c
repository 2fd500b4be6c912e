/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine's errors are called by a guest. An address that is not the
 * caller's and one that does not exist are told alike: H_Parameter.
 */
#include "papr_state.h"

#include <errno.h>

struct row {
	int err;
	int64_t hcall;
	int32_t rtas;
};

static const struct row rows[] = {
	{ 0, VD_H_SUCCESS, VD_RTAS_SUCCESS },
	{ -EINVAL, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -ENOENT, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -ERANGE, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -EOVERFLOW, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -EFAULT, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -EACCES, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -ENODEV, VD_H_PARAMETER, VD_RTAS_PARAMETER },
	{ -EPERM, VD_H_RESOURCE, VD_RTAS_PARAMETER },
	{ -EBUSY, VD_H_RESOURCE, VD_RTAS_PARAMETER },
	{ -EEXIST, VD_H_RESOURCE, VD_RTAS_PARAMETER },
	{ -EDQUOT, VD_H_NOT_ENOUGH, VD_RTAS_HARDWARE },
};

/* The rest is the host's trouble: no memory, no register, not drained. */
int64_t papr_status(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].err == err)
			return rows[i].hcall;
	}
	return VD_H_HARDWARE;
}

uint32_t papr_rtas_status(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].err == err)
			return (uint32_t)rows[i].rtas;
	}
	return (uint32_t)VD_RTAS_HARDWARE;
}
