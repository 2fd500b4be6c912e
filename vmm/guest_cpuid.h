/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest's CPUID instruction says. */
#ifndef VMM_GUEST_CPUID_H
#define VMM_GUEST_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>

#define CPUID_MAX 256

struct cpuid_cfg {
	unsigned int id, ncpus; /* this vCPU, and how many there are */
	bool tsc_deadline;	/* KVM has that timer */
};

/*
 * Make KVM's list of supported CPUID leaves (@c, with room for CPUID_MAX) into
 * that of one vCPU: one package of @ncpus cores with one thread each, APIC id
 * equal to the vCPU's number, hypervisor bit, no nested virtualisation.
 */
void cpuid_patch(struct kvm_cpuid2 *c, const struct cpuid_cfg *cfg);

#endif
