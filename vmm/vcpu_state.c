/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPU state, saved at birth and put back by a reset.
 *
 * KVM has no call that resets a vCPU. Instead of a list of what Linux might
 * have changed, everything that KVM can say about a fresh vCPU is taken once
 * and put back: registers, FPU, local APIC, pending events, and every MSR of
 * KVM's own list (kvmclock, asynchronous page faults and the like would go on
 * writing into the next kernel's memory otherwise).
 */
#include "vcpu_state.h"
#include "guest_cpuid.h"
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_TSC		   0x10
#define MSR_MISC_ENABLE	   0x1a0
#define MSR_MTRR_DEF_TYPE  0x2ff
#define MISC_FAST_STRING   1
#define MTRR_ON_WRITE_BACK 0xc06 /* E, FE, default type 6 */

#define CR0_PE		   1ull
#define CR0_ET		   0x10ull
#define CR0_PG		   0x80000000ull
#define CR4_PAE		   0x20ull
#define EFER_LME	   0x100ull
#define EFER_LMA	   0x400ull

#define MSRS_MAX	   512

struct vcpu_birth {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	uint32_t nmsrs;
	struct kvm_msr_entry msr[MSRS_MAX];
};

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static int set_cpuid(struct vcpu *v)
{
	const struct vm *vm = v->all->vm;
	struct cpuid_cfg cfg = { .id = v->id, .ncpus = vm->nvcpus };
	struct kvm_cpuid2 *c;
	int err;

	c = calloc(1, sizeof(*c) + CPUID_MAX * sizeof(c->entries[0]));
	if (!c)
		return -ENOMEM;
	c->nent = CPUID_MAX;
	cfg.tsc_deadline = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION,
				 KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	err = call(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, c);
	if (!err) {
		cpuid_patch(c, &cfg);
		err = call(v->fd, KVM_SET_CPUID2, c);
	}
	free(c);
	return err;
}

static int set_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
	struct {
		uint32_t nmsrs, pad;
		struct kvm_msr_entry entry;
	} m = { .nmsrs = 1, .entry = { .index = index, .data = value } };

	return ioctl(v->fd, KVM_SET_MSRS, &m) == 1 ? 0 : -EINVAL;
}

static int get_msr(struct vcpu *v, struct kvm_msr_entry *e)
{
	struct {
		uint32_t nmsrs, pad;
		struct kvm_msr_entry entry;
	} m = { .nmsrs = 1, .entry = { .index = e->index } };

	if (ioctl(v->fd, KVM_GET_MSRS, &m) != 1)
		return -EINVAL;
	e->data = m.entry.data;
	return 0;
}

/* Those of KVM's list that this CPU has; a list that is too long is an error. */
static int save_msrs(struct vcpu *v, struct vcpu_birth *b)
{
	struct kvm_msr_list *l;
	int err;

	l = calloc(1, sizeof(*l) + MSRS_MAX * sizeof(l->indices[0]));
	if (!l)
		return -ENOMEM;
	l->nmsrs = MSRS_MAX;
	err = call(v->all->vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, l);
	for (uint32_t i = 0; !err && i < l->nmsrs; i++) {
		struct kvm_msr_entry *e = &b->msr[b->nmsrs];

		e->index = l->indices[i];
		if (!get_msr(v, e))
			b->nmsrs++;
	}
	free(l);
	return err;
}

/* Some cannot be written, even with the value they have: they did not change. */
static void restore_msrs(struct vcpu *v, const struct vcpu_birth *b)
{
	for (uint32_t i = 0; i < b->nmsrs; i++) {
		if (b->msr[i].index != MSR_TSC)
			set_msr(v, b->msr[i].index, b->msr[i].data);
	}
	set_msr(v, MSR_TSC, 0); /* the same for all, which KVM looks for */
}

struct state_call {
	int cap; /* KVM has this state; 0: always */
	unsigned long get, set;
	size_t off;
};

/* In the order in which they are put back: the APIC base before the APIC. */
static const struct state_call state_calls[] = {
#define ROW(cap, name, member)                              \
	{                                                   \
		cap, KVM_GET_##name, KVM_SET_##name,        \
			offsetof(struct vcpu_birth, member) \
	}
	ROW(0, REGS, regs),
	ROW(0, SREGS, sregs),
	ROW(KVM_CAP_XCRS, XCRS, xcrs), /* a CPU without XSAVE has none */
	ROW(KVM_CAP_XSAVE, XSAVE, xsave),
	ROW(0, DEBUGREGS, debug),
	ROW(0, LAPIC, lapic),
	ROW(0, VCPU_EVENTS, events),
	ROW(0, MP_STATE, mp),
#undef ROW
};

#define NCALLS (sizeof(state_calls) / sizeof(state_calls[0]))

/* Get or set all of it. */
static int call_all(struct vcpu *v, struct vcpu_birth *b, bool set)
{
	int err = 0;

	for (size_t i = 0; i < NCALLS && !err; i++) {
		const struct state_call *c = &state_calls[i];

		if (c->cap &&
		    ioctl(v->all->vm->kvm_fd, KVM_CHECK_EXTENSION, c->cap) <= 0)
			continue;
		err = call(v->fd, set ? c->set : c->get, (uint8_t *)b + c->off);
	}
	return err;
}

int vcpu_state_init(struct vcpu *v)
{
	struct vcpu_birth *b;
	int err = set_cpuid(v);

	if (err)
		return err;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	v->birth = b;
	err = call_all(v, b, false);
	if (!err)
		err = save_msrs(v, b);
	if (err)
		vcpu_state_fini(v);
	return err;
}

void vcpu_state_fini(struct vcpu *v)
{
	free(v->birth);
	v->birth = NULL;
}

static void flat(struct kvm_segment *s, uint16_t selector, bool code)
{
	*s = (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = selector,
		.type = code ? 0xb : 0x3,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code,
		.db = !code,
	};
}

static int enter_at(struct vcpu *v, const struct boot_entry *e)
{
	struct kvm_regs r = { .rip = e->rip, .rsi = e->rsi, .rflags = 2 };
	struct kvm_sregs s = v->birth->sregs;
	int err;

	flat(&s.cs, BOOT_CS, true);
	flat(&s.ds, BOOT_DS, false);
	s.es = s.ss = s.fs = s.gs = s.ds;
	s.gdt.base = e->gdt;
	s.gdt.limit = e->gdt_limit;
	s.idt.base = s.idt.limit = 0;
	s.cr3 = e->cr3;
	s.cr4 = CR4_PAE;
	s.cr0 = CR0_PE | CR0_ET | CR0_PG;
	s.efer = EFER_LME | EFER_LMA;
	err = call(v->fd, KVM_SET_SREGS, &s);
	return err ? err : call(v->fd, KVM_SET_REGS, &r);
}

int vcpu_state_reset(struct vcpu *v, const struct boot_entry *entry)
{
	struct vcpu_birth *b = v->birth;
	int err = call_all(v, b, true);

	if (err)
		return err;
	restore_msrs(v, b);
	set_msr(v, MSR_MISC_ENABLE, MISC_FAST_STRING);
	err = set_msr(v, MSR_MTRR_DEF_TYPE, MTRR_ON_WRITE_BACK);
	if (!err && entry)
		err = enter_at(v, entry);
	return err;
}
