/* SPDX-License-Identifier: BSD-2-Clause */
#include "stub_machine.h"

#include <errno.h>
#include <pthread.h>

static struct balloon_stats balloon;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void stub_balloon_set(const struct balloon_stats *s)
{
	pthread_mutex_lock(&lock);
	balloon = *s;
	pthread_mutex_unlock(&lock);
}

struct balloon_stats stub_balloon_get(void)
{
	struct balloon_stats s;

	pthread_mutex_lock(&lock);
	s = balloon;
	pthread_mutex_unlock(&lock);
	return s;
}

uint64_t stub_start_us(void *opaque)
{
	(void)opaque;
	return STUB_START_US;
}

int stub_balloon(void *opaque, const uint64_t *target, struct balloon_stats *out)
{
	bool fine = !target || *target <= STUB_BALLOON_LARGEST;

	(void)opaque;
	pthread_mutex_lock(&lock);
	balloon.largest = STUB_BALLOON_LARGEST;
	if (target && fine)
		balloon.target = *target;
	*out = balloon;
	pthread_mutex_unlock(&lock);
	return fine ? 0 : -ERANGE;
}

void stub_relief(void *opaque, struct relief_stats *out)
{
	(void)opaque;
	*out = (struct relief_stats){
		.on = true,
		.source = { true, false, true },
		.events = { 3, 0, 4 },
		.requests = 5,
		.paged_out = 6 << 20,
		.hot = 2 << 20,
	};
}

void stub_share(void *opaque, struct share_stats *out)
{
	(void)opaque;
	*out = (struct share_stats){ true, 96 << 20, 80 << 20, 30 << 20, 3 };
}

uint64_t stub_interrupts(void *opaque, uint32_t guest_id)
{
	(void)opaque;
	return 100 + guest_id;
}

void stub_powerdown(void *opaque, struct control_powerdown *out)
{
	(void)opaque;
	*out = (struct control_powerdown){ 30000, 29000, false };
}

const char *stub_why(void *opaque, uint32_t guest_id)
{
	(void)opaque;
	return guest_id == 16 ? "it was seen doing wrong" : NULL;
}
