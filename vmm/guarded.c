/* SPDX-License-Identifier: BSD-2-Clause */
#include "guarded.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

/* Of the access that this thread is making; NULL between accesses. */
static _Thread_local sigjmp_buf *volatile guard;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next */
static struct sigaction before;

static void on_bus_error(int sig)
{
	if (guard)
		siglongjmp(*guard, 1);
	/* Not ours: back to the access, under the former handler. */
	sigaction(sig, &before, NULL);
}

/* NODEFER: who jumps out of the handler must not leave the signal blocked. */
int guarded_init(void)
{
	struct sigaction sa = { .sa_handler = on_bus_error,
				.sa_flags = SA_NODEFER };
	struct sigaction old;
	int err = 0;

	sigemptyset(&sa.sa_mask);
	pthread_mutex_lock(&lock);
	if (sigaction(SIGBUS, &sa, &old))
		err = -errno;
	else if (old.sa_handler != on_bus_error)
		before = old;
	pthread_mutex_unlock(&lock);
	return err;
}

static uint64_t load(const volatile void *p, unsigned int width)
{
	switch (width) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

static void store(volatile void *p, unsigned int width, uint64_t value)
{
	switch (width) {
	case 1:
		*(volatile uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)p = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)p = value;
		break;
	}
}

bool guarded_load(const volatile void *p, unsigned int width, uint64_t *value)
{
	sigjmp_buf place;
	uint64_t v;

	if (sigsetjmp(place, 0)) {
		guard = NULL;
		return false;
	}
	guard = &place;
	v = load(p, width);
	guard = NULL;
	*value = v;
	return true;
}

bool guarded_store(volatile void *p, unsigned int width, uint64_t value)
{
	sigjmp_buf place;

	if (sigsetjmp(place, 0)) {
		guard = NULL;
		return false;
	}
	guard = &place;
	store(p, width, value);
	guard = NULL;
	return true;
}
