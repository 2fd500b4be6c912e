/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of a machine need of vm.h, without KVM: slots and interrupts. */
#include "vm.h"
#include <errno.h>

int vm_slot_add(struct vm *vm, uint64_t gpa, void *hva, uint64_t len)
{
	int found = -ENOSPC;

	if (len == 0 || (gpa | len | (uintptr_t)hva) % 4096)
		return -EINVAL;
	for (int i = VM_SLOTS - 1; i >= 0; i--) {
		struct vm_slot *s = &vm->slot[i];

		if (!s->len)
			found = i;
		else if (gpa < s->gpa + s->len && s->gpa < gpa + len)
			return -EEXIST;
	}
	if (found >= 0)
		vm->slot[found] = (struct vm_slot){ gpa, len, hva };
	return found;
}

void vm_slot_remove(struct vm *vm, int slot)
{
	if (slot >= 0)
		vm->slot[slot].len = 0;
}

/* vm_fd below 0 is what "KVM" says. */
int vm_irqfd(struct vm *vm, unsigned int gsi, int trigger, int resample)
{
	(void)gsi;
	(void)trigger;
	(void)resample;
	return vm->vm_fd < 0 ? vm->vm_fd : 0;
}

int vm_irqfd_remove(struct vm *vm, unsigned int gsi, int trigger)
{
	return vm_irqfd(vm, gsi, trigger, -1);
}

int vm_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)addr;
	return vm_irqfd(vm, data, -1, -1);
}
