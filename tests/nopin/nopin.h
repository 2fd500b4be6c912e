/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TEST ONLY, not part of libviaduct: a host that says where pages are and does
 * not pin them. Devices then corrupt memory that was handed to somebody else.
 * It is the negative control that shows that the tests of pinning can fail.
 */
#ifndef HOST_NOPIN_H
#define HOST_NOPIN_H

#include <viaduct/host.h>

/* 0, -ENOMEM, -ENOTSUP, -EPERM: as vd_host_noiommu_create(). */
int vd_host_nopin_create(struct vd_host **out);

#endif
