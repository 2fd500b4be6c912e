/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one allocator. Tests link another implementation of these two functions
 * that fails the nth call; nothing else in the library may allocate.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* @n zeroed things of @size bytes, or NULL; never wraps. */
void *mem_zalloc(size_t n, size_t size);

/* NULL is fine. */
void mem_free(void *p);

#endif
