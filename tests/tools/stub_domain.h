/* SPDX-License-Identifier: BSD-2-Clause */
/* A domain that says what the test told it to: the calls that verbs make. */
#ifndef TESTS_TOOLS_STUB_DOMAIN_H
#define TESTS_TOOLS_STUB_DOMAIN_H

#include <pthread.h>
#include <viaduct/viaduct.h>

#define STUB_MAPPINGS 3000

struct vd_domain {
	bool around;	      /* what is pinned came as a neighbour */
	pthread_mutex_t lock; /* guards the rest while a server runs */
	struct vd_domain_stats stats;
	struct vd_device_info dev[3];
	size_t ndevs;
	size_t nmappings; /* of each device, at most STUB_MAPPINGS */
	struct vd_fault fault[4];
	size_t nfaults, taken;
};

struct vd_hal {
	struct vd_hal_stats stats;
};

/* Change something of @d while a server may be looking. */
#define STUB_SET(d, change)                       \
	do {                                      \
		pthread_mutex_lock(&(d)->lock);   \
		(d)->change;                      \
		pthread_mutex_unlock(&(d)->lock); \
	} while (0)

/* Two devices, 0000:03:00.0 as guest id 8 and 10001:04:00.1 as 16. */
void stub_domain_init(struct vd_domain *d, struct vd_hal *h);

#endif
