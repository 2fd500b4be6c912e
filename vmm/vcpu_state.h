/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers: as KVM made them, and as the boot protocol wants them. */
#ifndef VMM_VCPU_STATE_H
#define VMM_VCPU_STATE_H

#include "vcpu.h"

/* CPUID, then keep what KVM made: once per vCPU, before it runs. 0 or -errno. */
int vcpu_state_init(struct vcpu *v);
void vcpu_state_fini(struct vcpu *v);

/* Back to power on; @entry not NULL: then about to begin there. */
int vcpu_state_reset(struct vcpu *v, const struct boot_entry *entry);

#endif
