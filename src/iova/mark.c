/* SPDX-License-Identifier: BSD-2-Clause */
#include "mark.h"

#include <atom.h>

#define KIND   0x60u
#define SHORT  0x1fu
#define DIGIT  0x80u
#define BITS   7u
#define DIGITS 5u

void mark_put(uint8_t *at, uint8_t kind, uint64_t npages)
{
	if (npages <= SHORT) {
		atom_poke8(at, (uint8_t)(kind | npages));
		return;
	}
	for (unsigned int i = 1; i <= DIGITS; i++, npages >>= BITS)
		atom_poke8(&at[i], (uint8_t)(DIGIT | npages));
	atom_poke8(at, kind);
}

void mark_clear(uint8_t *at)
{
	uint8_t was = atom_peek8(at);

	atom_poke8(at, 0);
	for (unsigned int i = 1; (was & SHORT) == 0 && i <= DIGITS; i++)
		atom_poke8(&at[i], 0);
}

static uint64_t long_length(const uint8_t *at)
{
	uint64_t npages = 0;

	for (unsigned int i = DIGITS; i; i--)
		npages = npages << BITS | (atom_peek8(&at[i]) & ~DIGIT);
	return npages;
}

uint64_t mark_get(const uint8_t *at, uint8_t *kind)
{
	uint8_t mark = atom_peek8(at);

	*kind = 0;
	if (mark & DIGIT)
		return 0;
	if (mark <= SHORT + 1)
		return mark;
	*kind = mark & KIND;
	return mark & SHORT ? mark & SHORT : long_length(at);
}
