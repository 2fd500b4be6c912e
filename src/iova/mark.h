/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was given out: a byte a page, of which the one of a run's first page
 * says how long it is. So a free is checked by one look, whoever asks for it.
 *
 *	0		no run begins here
 *	1 to 32		a run of so many pages, from a magazine
 *	0x40 + n	a run of n pages, 1 to 31, from the map
 *	0x60 + n	the same, reserved
 *	0x40, 0x60	the same, and longer: its length is in the next bytes
 *	0x80 + d	inside a run: seven bits of its length
 *
 * The byte of a run from a magazine is the lock of the race of two frees:
 * who changes it to 0 has freed the run. That change (atom_swap8()) releases what
 * the freer did before, and whoever gets the run next got it through a lock that
 * the freer took after it; so the next mark may be a plain store, which reaches
 * the next freer with the address that it frees. All others change under the space's
 * lock. A run has room for its length, for it has 32 pages or more if that does
 * not fit into the first byte.
 */
#ifndef IOVA_MARK_H
#define IOVA_MARK_H

#include <stdint.h>

#define MARK_DIRECT   0x40u
#define MARK_RESERVED 0x60u

void mark_put(uint8_t *at, uint8_t kind, uint64_t npages);
void mark_clear(uint8_t *at);

/* The length of the run that begins here, or 0. @kind: out, 0: a magazine's */
uint64_t mark_get(const uint8_t *at, uint8_t *kind);

#endif
