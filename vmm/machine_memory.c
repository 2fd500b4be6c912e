/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine_memory.h"
#include "machine.h"
#include "ram.h"
#include "rundir.h"
#include <stdio.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* RAM: one mapping, one or two slots. */

static int check_memory(struct machine *m)
{
	uint64_t len = m->cfg.memory, granule = 1ull << m->cfg.granule_shift;
	unsigned int bits = vm_address_bits();

	if (len < MACHINE_MEMORY_MIN)
		return machine_fail(m, -EINVAL,
				    "memory is too small: %llu "
				    "bytes; give at least 64M",
				    (unsigned long long)len);
	if (len % granule)
		return machine_fail(m, -EINVAL,
				    "memory is not a multiple of "
				    "the granule: %llu; round it to %s",
				    (unsigned long long)len,
				    granule > 4096 ? "2M" : "4K");
	if (vm_layout(&m->vm, bits, len, m->cfg.pool))
		return machine_fail(
			m, -E2BIG,
			"memory is too large: %llu MiB and a pool "
			"of %llu MiB; this CPU addresses %u bits, "
			"which is enough for %llu MiB besides it",
			(unsigned long long)(len >> 20),
			(unsigned long long)(m->cfg.pool >> 20), bits,
			(unsigned long long)vm_ram_most(bits, m->cfg.pool) >>
				20);
	return 0;
}

void machine_ram_destroy(struct machine *m)
{
	vm_slot_remove(&m->vm, m->ram_slot[1]);
	vm_slot_remove(&m->vm, m->ram_slot[0]);
	ram_unmap(m->vm.ram, m->vm.ram_len);
	m->vm.ram = NULL;
}

static int add_ram(struct machine *m)
{
	struct vm *vm = &m->vm;
	uint64_t low =
		vm->ram_len < VM_RAM_LOW_MAX ? vm->ram_len : VM_RAM_LOW_MAX;

	m->ram_slot[0] = m->ram_slot[1] = -1;
	m->ram_slot[0] = vm_slot_add(vm, 0, vm->ram, low);
	if (m->ram_slot[0] < 0)
		return m->ram_slot[0];
	if (vm->ram_len > low)
		m->ram_slot[1] = vm_slot_add(vm, vm->ram_high, vm->ram + low,
					     vm->ram_len - low);
	return m->ram_slot[1] < -1 ? m->ram_slot[1] : 0;
}

int machine_ram_create(struct machine *m)
{
	int err = check_memory(m);

	if (err)
		return err;
	m->vm.ram = ram_map(m->vm.ram_len, m->cfg.granule_shift);
	if (!m->vm.ram)
		return machine_fail(m, -errno,
				    "guest memory of %llu MiB cannot be "
				    "mapped: %s; see ulimit -v and sysctl "
				    "vm.overcommit_memory",
				    (unsigned long long)(m->vm.ram_len >> 20),
				    strerror(errno));
	err = add_ram(m);
	if (err) {
		machine_ram_destroy(m);
		return machine_fail(m, err,
				    "KVM does not take the guest's "
				    "memory: %s",
				    strerror(-err));
	}
	return 0;
}

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
