/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A full memory barrier in every thread of the process at once, made by the
 * kernel: membarrier(2), Linux 4.14. A few microseconds for who calls it, and
 * nothing at all for the others as long as nobody does.
 */
#ifndef BASE_BARRIER_H
#define BASE_BARRIER_H

#include <stdbool.h>

/* Once before the first barrier_everywhere(); false: this kernel has none. */
bool barrier_init(void);

/* Every thread has passed a full barrier between call and return. */
void barrier_everywhere(void);

#endif
