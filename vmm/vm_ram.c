/* SPDX-License-Identifier: BSD-2-Clause */
/* Where guest RAM is in this process. Apart from vm.c, because who only reads
 * and writes guest memory needs no KVM. */
#include "vm.h"

void *vm_ram(const struct vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t low =
		vm->ram_len < VM_RAM_LOW_MAX ? vm->ram_len : VM_RAM_LOW_MAX;
	uint64_t high = vm->ram_len - low;

	if (gpa < low && len <= low - gpa)
		return vm->ram + gpa;
	if (gpa >= vm->ram_high && gpa - vm->ram_high < high &&
	    len <= high - (gpa - vm->ram_high))
		return vm->ram + low + (gpa - vm->ram_high);
	return NULL;
}
