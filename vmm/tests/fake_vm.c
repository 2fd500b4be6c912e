/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory slots without KVM: what bar.c and pci.c need of vm.h. */
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
