/* SPDX-License-Identifier: BSD-2-Clause */
/* For a negative control: a mark that is claimed in two steps. */
#include <atom.h>
#include <spin.h>

static inline bool claim_in_two_steps(uint8_t *p, uint8_t was, uint8_t v)
{
	if (atom_peek8(p) != was)
		return false;
	for (int i = 0; i < 20; i++)
		spin_relax();
	atom_poke8(p, v);
	return true;
}

#define atom_swap8 claim_in_two_steps
#include <cache.c>
