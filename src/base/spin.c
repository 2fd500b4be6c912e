/* SPDX-License-Identifier: BSD-2-Clause */
#include "spin.h"
#include "atom.h"

#include <sched.h>

#define SPINS 1000u

void spin_wait(const struct spin *s)
{
	for (unsigned int i = 1; atom_load32(&s->taken); i++) {
		if (i % SPINS == 0)
			sched_yield();
		else
			spin_relax();
	}
}
