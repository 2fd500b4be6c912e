// SPDX-License-Identifier: BSD-2-Clause
#include "machine_memory.h"
#include "machine.h"
#include <string.h>

int machine_balloon_create(struct machine *m)
{
	int err = balloon_create(&m->balloon, &m->vm, &m->pci, m->dma.domain);

	return err ? machine_fail(m, err, "no balloon device: %s",
				  strerror(-err)) :
		     0;
}

int machine_balloon_reset(struct machine *m)
{
	balloon_reset(&m->balloon);
	return 0;
}

void machine_balloon_destroy(struct machine *m)
{
	balloon_destroy(&m->balloon);
}

int machine_relief_create(struct machine *m)
{
	int err;

	if (m->cfg.no_relief)
		return 0;
	err = relief_create(&m->relief, m->dma.domain, m->vm.ram,
			    m->vm.ram_len);
	return err ? machine_fail(m, err, "no watch for memory pressure: %s",
				  strerror(-err)) :
		     0;
}

void machine_relief_destroy(struct machine *m)
{
	relief_destroy(&m->relief);
}
