/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID leaves that cannot be the host's: identity and topology.
 *
 * Both vendors' leaves are patched, whichever CPU it is: a leaf that the
 * vendor does not define is not in KVM's list. Field positions are those of
 * Intel's SDM vol. 2 (CPUID) and AMD's APM vol. 3, appendix E.
 */
#include "guest_cpuid.h"
#include <string.h>

#define L1_ECX_VMX	    (1u << 5)
#define L1_ECX_TSC_DEADLINE (1u << 24)
#define L1_ECX_HYPERVISOR   (1u << 31)
#define L1_EDX_HTT	    (1u << 28)
#define AMD_ECX_CMP_LEGACY  (1u << 1)
#define AMD_ECX_SVM	    (1u << 2)

static unsigned int bits_for(unsigned int n)
{
	unsigned int bits = 0;

	while (1u << bits < n)
		bits++;
	return bits;
}

static void patch_basic(struct kvm_cpuid_entry2 *e, const struct cpuid_cfg *cfg)
{
	e->ebx = (e->ebx & 0xffff) | cfg->ncpus << 16 | cfg->id << 24;
	e->ecx |= L1_ECX_HYPERVISOR;
	e->ecx &= ~(L1_ECX_VMX | L1_ECX_TSC_DEADLINE);
	if (cfg->tsc_deadline)
		e->ecx |= L1_ECX_TSC_DEADLINE;
	e->edx &= ~L1_EDX_HTT;
	if (cfg->ncpus > 1)
		e->edx |= L1_EDX_HTT;
}

/* Caches: the first two levels are a core's, the others everybody's. */
static void patch_cache(struct kvm_cpuid_entry2 *e, const struct cpuid_cfg *cfg,
			bool intel)
{
	unsigned int level = e->eax >> 5 & 7, sharing = 0;

	if ((e->eax & 0x1f) == 0)
		return;
	if (level > 2)
		sharing = (1u << bits_for(cfg->ncpus)) - 1;
	e->eax = (e->eax & 0x3fff) | sharing << 14;
	if (intel)
		e->eax |= ((1u << bits_for(cfg->ncpus)) - 1) << 26;
}

static void patch_amd_size(struct kvm_cpuid_entry2 *e,
			   const struct cpuid_cfg *cfg)
{
	e->ecx = (e->ecx & ~0xf0ffu) | (cfg->ncpus - 1) |
		 bits_for(cfg->ncpus) << 12;
}

static void patch_amd_node(struct kvm_cpuid_entry2 *e,
			   const struct cpuid_cfg *cfg)
{
	e->eax = cfg->id;
	e->ebx = cfg->id; /* core; one thread per core */
	e->ecx = 0;	  /* node 0 of 1 */
}

static void patch_entry(struct kvm_cpuid_entry2 *e, const struct cpuid_cfg *cfg)
{
	switch (e->function) {
	case 1:
		patch_basic(e, cfg);
		break;
	case 4:
		patch_cache(e, cfg, true);
		break;
	case 0x80000001:
		e->ecx &= ~(AMD_ECX_SVM | AMD_ECX_CMP_LEGACY);
		if (cfg->ncpus > 1)
			e->ecx |= AMD_ECX_CMP_LEGACY;
		break;
	case 0x80000008:
		patch_amd_size(e, cfg);
		break;
	case 0x8000001d:
		patch_cache(e, cfg, false);
		break;
	case 0x8000001e:
		patch_amd_node(e, cfg);
		break;
	}
}

static bool is_topology(const struct kvm_cpuid_entry2 *e)
{
	return e->function == 0xb || e->function == 0x1f;
}

static void drop_topology(struct kvm_cpuid2 *c)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < c->nent; i++) {
		if (!is_topology(&c->entries[i]))
			c->entries[kept++] = c->entries[i];
	}
	c->nent = kept;
}

/* One level of leaf 0xb: 0 threads of a core, 1 cores of a package, 2 none. */
static void add_level(struct kvm_cpuid2 *c, unsigned int level,
		      const struct cpuid_cfg *cfg)
{
	struct kvm_cpuid_entry2 e = {
		.function = 0xb,
		.index = level,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.ecx = level,
		.edx = cfg->id,
	};

	if (level == 0) {
		e.ebx = 1;
		e.ecx |= 1u << 8;
	} else if (level == 1) {
		e.eax = bits_for(cfg->ncpus);
		e.ebx = cfg->ncpus;
		e.ecx |= 2u << 8;
	}
	if (c->nent < CPUID_MAX)
		c->entries[c->nent++] = e;
}

void cpuid_patch(struct kvm_cpuid2 *c, const struct cpuid_cfg *cfg)
{
	bool has_topology = false;

	for (unsigned int i = 0; i < c->nent; i++) {
		has_topology |= is_topology(&c->entries[i]);
		patch_entry(&c->entries[i], cfg);
	}
	if (!has_topology)
		return;
	drop_topology(c);
	for (unsigned int level = 0; level < 3; level++)
		add_level(c, level, cfg);
}
