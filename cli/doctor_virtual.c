/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtualisation: KVM, an IOMMU or none, the driver that frees a device. */
#include "doctor.h"
#include "modules.h"
#include <stdbool.h>
#include <string.h>

struct cpu {
	bool vmx, svm, hypervisor;
};

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *p = line;

	while ((p = strstr(p, word)) != NULL) {
		if (p > line && (p[-1] == ' ' || p[-1] == '\t') &&
		    (p[len] == ' ' || p[len] == '\0'))
			return true;
		p += len;
	}
	return false;
}

static int read_flags(void *ctx, char *line)
{
	struct cpu *c = ctx;

	if (strncmp(line, "flags", 5))
		return 0;
	c->vmx = has_word(line, "vmx");
	c->svm = has_word(line, "svm");
	c->hypervisor = has_word(line, "hypervisor");
	return 1;
}

static const char *nested(const struct sysfs *s)
{
	char v[8];

	if (sysfs_read(s, "module/kvm_intel/parameters/nested", v, sizeof(v)) &&
	    sysfs_read(s, "module/kvm_amd/parameters/nested", v, sizeof(v)))
		return "";
	return v[0] == 'Y' || v[0] == '1' ? ", nested on" : ", nested off";
}

/* @why is vm_create()'s, which knows what to do about a /dev/kvm that is. */
static const char *kvm_advice(const struct doctor *d, const struct cpu *cpu)
{
	if (sysfs_exists(d->s, "/dev/kvm"))
		return NULL;
	if (cpu->vmx)
		return "run modprobe kvm_intel";
	if (cpu->svm)
		return "run modprobe kvm_amd";
	if (cpu->hypervisor)
		return "switch on nested virtualisation where this virtual "
		       "machine is run";
	return "switch on VT-x or AMD-V in the firmware setup";
}

static void check_kvm(struct doctor *d)
{
	struct cpu cpu = { .vmx = false };
	char why[256] = "";

	sysfs_lines(d->s, "/proc/cpuinfo", read_flags, &cpu);
	if (d->probes->kvm(why, sizeof(why)))
		doctor_add(d, "kvm", DOCTOR_NO, kvm_advice(d, &cpu), "%s", why);
	else if (cpu.vmx || cpu.svm)
		doctor_add(d, "kvm", DOCTOR_OK, NULL,
			   "KVM makes virtual machines (%s%s)",
			   cpu.vmx ? "VMX" : "SVM", nested(d->s));
	else
		doctor_add(d, "kvm", DOCTOR_WARN,
			   "it may be too slow or too incomplete for Linux "
			   "guests; use a host with VMX or SVM",
			   "KVM makes virtual machines, but the CPU shows "
			   "neither VMX nor SVM");
}

static int count_group(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return 0;
}

static void check_iommu(struct doctor *d)
{
	bool table = sysfs_exists(d->s, "firmware/acpi/tables/DMAR") ||
		     sysfs_exists(d->s, "firmware/acpi/tables/IVRS");
	int groups = 0;

	sysfs_each(d->s, "kernel/iommu_groups", count_group, &groups);
	if (groups)
		doctor_add(d, "iommu", DOCTOR_WARN,
			   "where isolation matters give devices away by VFIO: "
			   "viaduct's back end without an IOMMU trusts the "
			   "guest with the device's DMA, and works only where "
			   "the IOMMU does not translate (iommu=pt)",
			   "an IOMMU is in use (%d groups)", groups);
	else if (table)
		doctor_add(d, "iommu", DOCTOR_WARN,
			   "the kernel argument intel_iommu=on or amd_iommu=on "
			   "gives isolation, with VFIO; without it the guest "
			   "is trusted with the device's DMA",
			   "the firmware describes an IOMMU that the kernel "
			   "does not use");
	else
		doctor_add(d, "iommu", DOCTOR_OK, NULL,
			   "none, which is what viaduct is for: guests are "
			   "trusted with their devices' DMA");
}

static void check_uio(struct doctor *d)
{
	switch (module_state(d->s, "uio_pci_generic")) {
	case MODULE_LOADED:
		doctor_add(d, "uio", DOCTOR_OK, NULL,
			   "the module uio_pci_generic is loaded");
		break;
	case MODULE_AVAILABLE:
		doctor_add(d, "uio", DOCTOR_NO, "run modprobe uio_pci_generic",
			   "the module uio_pci_generic is not loaded");
		break;
	case MODULE_ABSENT:
		doctor_add(d, "uio", DOCTOR_NO,
			   "use a kernel built with CONFIG_UIO_PCI_GENERIC "
			   "(Debian: linux-image-amd64)",
			   "this kernel has no module uio_pci_generic");
		break;
	}
}

static void check_lockdown(struct doctor *d)
{
	char v[64];

	if (sysfs_read(d->s, "kernel/security/lockdown", v, sizeof(v)) ||
	    strstr(v, "[none]"))
		doctor_add(d, "lockdown", DOCTOR_OK, NULL,
			   "the kernel lets root reach devices");
	else
		doctor_add(d, "lockdown", DOCTOR_NO,
			   "switch Secure Boot off, or boot without lockdown=",
			   "the kernel is locked down (%s): BARs cannot be "
			   "mapped",
			   v);
}

void doctor_virtual(struct doctor *d)
{
	check_kvm(d);
	check_iommu(d);
	check_uio(d);
	check_lockdown(d);
}
