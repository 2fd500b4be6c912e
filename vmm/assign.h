/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An assigned function: a host's PCI function on the guest's bus.
 *
 * It is shown to the guest while three things hold: the HAL is in charge, the
 * operator permits it, and it is there; and, where the HAL has said that it will
 * say so, once it has parted the drivers of earlier lives from it (ADMIT). The real bus-master bit is set while,
 * beyond that, the guest has set its own. When one of the three ends the
 * function is hidden first (bus master off, BARs unmapped: to the guest, a
 * pulled card), then the engine quiesces it and drops its pins.
 *
 * Threads: show, permit, deny and the loss of the function come from different
 * threads; @lock keeps them apart. Configuration accesses are kept apart by
 * the bus, and there are none while the function is hidden.
 */
#ifndef VMM_ASSIGN_H
#define VMM_ASSIGN_H

#include "assign_bars.h"
#include "assign_config.h"
#include "assign_host.h"
#include "assign_intx.h"
#include "pci.h"
#include "virtio_guard.h"
#include <viaduct/viaduct.h>

struct keeper;

struct assign_cfg {
	const struct sysfs *sys; /* borrowed */
	struct vm *vm;
	struct pci_bus *bus;
	struct vd_domain *domain;
	struct keeper *keeper;
	const char *bdf; /* "0000:03:00.0" */
	/* The set of shown functions changed by itself; any thread. */
	void (*changed)(void *opaque);
	void *opaque;
};

struct assign {
	struct pci_func func;
	struct vm *vm;
	struct pci_bus *bus;
	struct vd_domain *domain;
	struct keeper *keeper;
	struct assign_host host;
	struct assign_bars bars;
	struct pci_image config;
	uint8_t real[PCI_IMAGE_LEN]; /* as it was when taken */
	struct assign_intx intx;
	struct virtio_guard guard; /* if it is a virtio function: */
	bool guarded;
	void (*changed)(void *opaque);
	void *opaque;

	pthread_mutex_t lock; /* guards the next seven */
	bool charge;	      /* the HAL is in charge */
	bool waits;	      /* it admits each life before that is shown */
	uint32_t admitted;    /* the last life that it did; 0: none */
	bool dead;	      /* pulled, or taken from uio by somebody else */
	bool shown;
	bool attached; /* the domain knows it: it may call us */
	const char
		*why; /* it was denied, where not the operator did; or NULL */
};

/*
 * Take the function and put it on the bus, hidden. On error nothing is left
 * and @why says in one sentence what happened to what, and what to do.
 */
int assign_create(const struct assign_cfg *cfg, struct assign **out, char *why,
		  size_t len);

/*
 * The VM is over; no vCPU runs. Hides it, ends its interrupts, detaches it. 0,
 * or -EIO: it could not be quiesced, so the domain still knows it and may call
 * it, and it is left to the keeper with its pins. Free it when the domain is
 * gone; the giving back is done by the keeper.
 */
int assign_stop(struct assign *a);
void assign_free(struct assign *a);

/* The name in the domain: its devfn on the guest's bus 0. */
uint32_t assign_guest_id(const struct assign *a);

/* The HAL came into charge, or left it. @admits: no life is shown that it has not
 * admitted. */
void assign_charge(struct assign *a, bool charge, bool admits);

/* The HAL admits @life, which is shown if it is the function's now. */
void assign_admit(struct assign *a, uint32_t life);

/*
 * As vd_device_permit() and vd_device_deny(), and what the guest sees; but they
 * wait for a reset that is under way, and a function that is lost is -ENODEV.
 */
int assign_permit(struct assign *a);
int assign_deny(struct assign *a);

/* Why it was denied by us, a clause; NULL: it was not. Stays valid. */
const char *assign_why(struct assign *a);

/*
 * Is it gone for this machine? When this says so it is off the guest's bus and
 * its BARs are nobody's, whichever thread has seen it first. Any thread.
 */
bool assign_is_lost(struct assign *a);

#endif
