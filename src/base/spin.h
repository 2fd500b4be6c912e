/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock for what one thread does all the time and others hardly ever: taken by
 * one exchange, dropped by one plain store. Who finds it taken spins, and gives
 * its CPU away if that takes long, for the holder may have lost its own.
 */
#ifndef BASE_SPIN_H
#define BASE_SPIN_H

#include "capability.h"
#include <stdint.h>

struct LOCK_ATTR(capability("mutex")) spin {
	uint32_t taken;
};

/* Tell the processor that this loop waits. */
static inline void spin_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* Until it looks free, which it may be no longer. */
void spin_wait(const struct spin *s);

static inline void spin_take(struct spin *s) TAKES(*s) LOCK_UNCHECKED
{
	while (__atomic_exchange_n(&s->taken, 1, __ATOMIC_ACQUIRE))
		spin_wait(s);
}

static inline void spin_drop(struct spin *s) DROPS(*s) LOCK_UNCHECKED
{
	__atomic_store_n(&s->taken, 0, __ATOMIC_RELEASE);
}

#endif
