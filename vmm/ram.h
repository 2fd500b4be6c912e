/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: host memory that is reserved lazily and backed as it is used. */
#ifndef VMM_RAM_H
#define VMM_RAM_H

#include <stdint.h>

/*
 * Map @len bytes, a multiple of the granule (shift 12 or 21), aligned to 2 MiB.
 * Private, not reserved, not inherited by fork(), not in core dumps. With a
 * 4 KiB granule huge pages are off, so that a pin costs one page; with 2 MiB
 * they are asked for. NULL and errno on failure.
 */
void *ram_map(uint64_t len, unsigned int granule_shift);
void ram_unmap(void *ram, uint64_t len);

#endif
