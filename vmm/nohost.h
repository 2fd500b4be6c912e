/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host of a machine without devices: nobody asks it for a pin, so it needs
 * no right to make one. A pin that is asked for all the same fails.
 */
#ifndef VMM_NOHOST_H
#define VMM_NOHOST_H

#include <viaduct/host.h>

/* There is one and it has no state; vd_host_destroy() may be called on it. */
struct vd_host *nohost(void);

#endif
