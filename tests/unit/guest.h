/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest in a test: the very lines that the guest's module runs, on a table in
 * this process.
 */
#ifndef UNIT_GUEST_H
#define UNIT_GUEST_H

#include <stdint.h>
#include <viaduct/abi/hal.h>

#define HAL_WORD	    uint64_t
#define HAL_WORD_READ(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#define HAL_WORD_SWAP(word, old, new) \
	__atomic_compare_exchange_n(word, old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#include <pinword.h>

#endif
