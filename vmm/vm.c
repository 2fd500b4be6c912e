/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM virtual machine.
 *
 * Interrupt controllers and the PIT are KVM's. Their state is taken once, right
 * after they are made, and put back by a guest reset: what KVM calls its
 * initial state is then the one source of truth.
 *
 * KVM's default routing holds: GSI n is PIC pin n (below 16) and IOAPIC pin n
 * (below 24), so the ACPI tables need no override but the SCI's.
 */
#include "vm.h"
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE	     4096ull

/* Below 4 GiB, out of the way of everything; Intel needs these pages. */
#define IDENTITY_MAP 0xfffbc000ull
#define TSS	     0xfffbd000ull

struct vm_birth {
	struct kvm_irqchip chip[3]; /* PIC master and slave, IOAPIC */
	struct kvm_pit_state2 pit;
};

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static int open_kvm(struct vm *vm, const char **why)
{
	int err;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd >= 0)
		return 0;
	err = -errno;
	*why = "/dev/kvm cannot be opened";
	if (err == -ENOENT)
		*why = "no /dev/kvm: load kvm_intel or kvm_amd, and see that "
		       "virtualisation is on in the firmware setup";
	if (err == -EACCES || err == -EPERM)
		*why = "no right to open /dev/kvm: be root or in group kvm";
	if (err == -ENODEV || err == -ENXIO)
		*why = "/dev/kvm has no driver: load kvm_intel or kvm_amd";
	return err;
}

static int check_caps(struct vm *vm, unsigned int nvcpus, const char **why)
{
	static const int wanted[] = {
		KVM_CAP_USER_MEMORY,	KVM_CAP_IRQCHIP,
		KVM_CAP_PIT2,		KVM_CAP_PIT_STATE2,
		KVM_CAP_SIGNAL_MSI,	KVM_CAP_IRQFD,
		KVM_CAP_IRQFD_RESAMPLE, KVM_CAP_IMMEDIATE_EXIT,
		KVM_CAP_SET_TSS_ADDR,	KVM_CAP_SET_IDENTITY_MAP_ADDR,
	};
	int max;

	if (ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		*why = "/dev/kvm speaks another version";
		return -ENOTSUP;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, wanted[i]) <= 0) {
			*why = "this KVM lacks something that is needed; Linux "
			       "4.12 or later has it all";
			return -ENOTSUP;
		}
	}
	max = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (max <= 0)
		max = 4; /* what the KVM API says that this means */
	if (nvcpus > (unsigned int)max) {
		*why = "more vCPUs than this KVM can have";
		return -E2BIG;
	}
	return 0;
}

static int make_chips(struct vm *vm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity = IDENTITY_MAP;
	int err;

	if (ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, TSS) < 0)
		return -errno;
	err = call(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (err)
		return err;
	err = call(vm->vm_fd, KVM_CREATE_IRQCHIP, NULL);
	if (err)
		return err;
	return call(vm->vm_fd, KVM_CREATE_PIT2, &pit);
}

/* A signal of whatever kind ends the call without a machine made. */
static int make_vm_fd(struct vm *vm)
{
	do
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->vm_fd < 0 && errno == EINTR);
	return vm->vm_fd < 0 ? -errno : 0;
}

static int take_birth(struct vm *vm)
{
	struct vm_birth *b = calloc(1, sizeof(*b));
	int err = 0;

	if (!b)
		return -ENOMEM;
	vm->birth = b;
	for (unsigned int i = 0; i < 3 && !err; i++) {
		b->chip[i].chip_id = i;
		err = call(vm->vm_fd, KVM_GET_IRQCHIP, &b->chip[i]);
	}
	return err ? err : call(vm->vm_fd, KVM_GET_PIT2, &b->pit);
}

int vm_create(struct vm *vm, unsigned int nvcpus, const char **why)
{
	int err;

	memset(vm, 0, sizeof(*vm));
	vm->vm_fd = -1;
	vm->nvcpus = nvcpus;
	region_map_init(&vm->pio);
	region_map_init(&vm->mmio);
	pthread_mutex_init(&vm->slot_lock, NULL);
	err = open_kvm(vm, why);
	if (!err)
		err = check_caps(vm, nvcpus, why);
	if (err)
		goto err_destroy;
	*why = "KVM cannot make a virtual machine";
	err = make_vm_fd(vm);
	if (!err)
		err = make_chips(vm);
	if (!err)
		err = take_birth(vm);
	if (!err)
		return 0;

err_destroy:
	vm_destroy(vm);
	return err;
}

void vm_destroy(struct vm *vm)
{
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	vm->vm_fd = vm->kvm_fd = -1;
	free(vm->birth);
	vm->birth = NULL;
	pthread_mutex_destroy(&vm->slot_lock);
	region_map_fini(&vm->pio);
	region_map_fini(&vm->mmio);
}

int vm_reset(struct vm *vm)
{
	struct kvm_irqchip chip;
	int err = 0;

	for (unsigned int i = 0; i < 3 && !err; i++) {
		chip = vm->birth->chip[i];
		err = call(vm->vm_fd, KVM_SET_IRQCHIP, &chip);
	}
	return err ? err : call(vm->vm_fd, KVM_SET_PIT2, &vm->birth->pit);
}

unsigned int vm_address_bits(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx))
		return 36;
	return eax & 0xff;
}

static int set_slot(struct vm *vm, int slot)
{
	struct kvm_userspace_memory_region r = {
		.slot = (uint32_t)slot,
		.guest_phys_addr = vm->slot[slot].gpa,
		.memory_size = vm->slot[slot].len,
		.userspace_addr = (uintptr_t)vm->slot[slot].hva,
	};

	return call(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &r);
}

/* A free slot, if the range overlaps none. */
static int find_slot(const struct vm *vm, uint64_t gpa, uint64_t len)
{
	int found = -ENOSPC;

	for (int i = 0; i < VM_SLOTS; i++) {
		const struct vm_slot *s = &vm->slot[i];

		if (s->len == 0) {
			if (found < 0)
				found = i;
			continue;
		}
		if (gpa < s->gpa + s->len && s->gpa < gpa + len)
			return -EEXIST;
	}
	return found;
}

int vm_slot_add(struct vm *vm, uint64_t gpa, void *hva, uint64_t len)
{
	int slot, err;

	if (len == 0 || (gpa | len | (uintptr_t)hva) % PAGE || gpa + len < gpa)
		return -EINVAL;
	pthread_mutex_lock(&vm->slot_lock);
	slot = find_slot(vm, gpa, len);
	if (slot >= 0) {
		vm->slot[slot] = (struct vm_slot){ gpa, len, hva };
		err = set_slot(vm, slot);
		if (err) {
			vm->slot[slot].len = 0;
			slot = err;
		}
	}
	pthread_mutex_unlock(&vm->slot_lock);
	return slot;
}

void vm_slot_remove(struct vm *vm, int slot)
{
	if (slot < 0)
		return;
	pthread_mutex_lock(&vm->slot_lock);
	vm->slot[slot].len = 0;
	set_slot(vm, slot);
	pthread_mutex_unlock(&vm->slot_lock);
}

int vm_irq_line(struct vm *vm, unsigned int gsi, bool level)
{
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	return call(vm->vm_fd, KVM_IRQ_LINE, &l);
}

int vm_irqfd(struct vm *vm, unsigned int gsi, int trigger, int resample)
{
	struct kvm_irqfd f = { .fd = (uint32_t)trigger, .gsi = gsi };

	if (resample >= 0) {
		f.flags = KVM_IRQFD_FLAG_RESAMPLE;
		f.resamplefd = (uint32_t)resample;
	}
	return call(vm->vm_fd, KVM_IRQFD, &f);
}

int vm_irqfd_remove(struct vm *vm, unsigned int gsi, int trigger)
{
	struct kvm_irqfd f = {
		.fd = (uint32_t)trigger,
		.gsi = gsi,
		.flags = KVM_IRQFD_FLAG_DEASSIGN,
	};

	return call(vm->vm_fd, KVM_IRQFD, &f);
}

int vm_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = {
		.address_lo = (uint32_t)addr,
		.address_hi = (uint32_t)(addr >> 32),
		.data = data,
	};

	return call(vm->vm_fd, KVM_SIGNAL_MSI, &msi);
}
