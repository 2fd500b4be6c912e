/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words that are read without a lock. A load that is followed by a look at what
 * it points to is an atom_load, and pairs with an atom_store; a word that stands
 * for itself is an atom_peek. Which store each load pairs with is said in
 * docs/LOCKING.md, "Without a lock": none of it may lean on a processor that
 * keeps stores in order.
 */
#ifndef BASE_ATOM_H
#define BASE_ATOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t atom_peek(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint64_t atom_load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void atom_poke(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void atom_store(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/*
 * What was stored before atom_before() is seen by whoever peeks at something that
 * was poked after it, and looks at the rest after atom_after().
 */
static inline void atom_before(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void atom_after(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* If *p is still @was it becomes @v. */
static inline bool atom_swap32(uint32_t *p, uint32_t was, uint32_t v)
{
	return __atomic_compare_exchange_n(p, &was, v, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static inline bool atom_swap8(uint8_t *p, uint8_t was, uint8_t v)
{
	return __atomic_compare_exchange_n(p, &was, v, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static inline uint8_t atom_peek8(const uint8_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void atom_poke8(uint8_t *p, uint8_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline uint32_t atom_load32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void atom_store32(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

#endif
