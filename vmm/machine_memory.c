/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine_memory.h"
#include "machine.h"
#include "rundir.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int machine_balloon_create(struct machine *m)
{
	int err;

	/* What is pinned from the start cannot be given back. */
	if (m->cfg.pin_all)
		return 0;
	err = balloon_create(&m->balloon, &m->vm, &m->pci, m->dma.domain);
	return err ? machine_fail(m, err, "no balloon device: %s",
				  strerror(-err)) :
		     0;
}

int machine_balloon_reset(struct machine *m)
{
	if (m->balloon.vm)
		balloon_reset(&m->balloon);
	return 0;
}

void machine_balloon_destroy(struct machine *m)
{
	if (m->balloon.vm)
		balloon_destroy(&m->balloon);
}

int machine_share_create(struct machine *m)
{
	char dir[RUNDIR_LEN], path[RUNDIR_LEN + sizeof(SHARE_NAME) + 1];
	int err;

	if (!m->cfg.host_budget)
		return 0;
	err = rundir(dir, sizeof(dir));
	if (err)
		return machine_fail(m, err,
				    "the path of the runtime folder is too "
				    "long for a shared budget");
	mkdir(dir, 0755); /* share_open() tells if this was in vain */
	snprintf(path, sizeof(path), "%s/" SHARE_NAME, dir);
	return share_open(&m->share, path, m->cfg.host_budget, m->why,
			  sizeof(m->why));
}

void machine_share_destroy(struct machine *m)
{
	share_close(&m->share);
}

/* The keeper holds it as well: while there may be pins they are counted. */
int machine_share_attach(struct machine *m)
{
	int err = share_attach(&m->share, m->dma.domain);

	if (!err && m->share.on && m->dma.has_keeper)
		err = keeper_ring(&m->dma.keeper, m->share.fd);
	if (!err)
		return 0;
	share_detach(&m->share);
	return machine_fail(m, err, "cannot share the host's budget: %s",
			    strerror(-err));
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
