/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An assigned function: a host's PCI function on the guest's bus.
 *
 * It is shown to the guest while three things hold: the HAL is in charge, the
 * operator permits it, and it is there. The real bus-master bit is set while,
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
#include <viaduct/viaduct.h>

struct keeper;

struct assign_cfg {
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
	struct assign_host host;
	struct assign_bars bars;
	struct pci_image config;
	uint8_t real[PCI_IMAGE_LEN]; /* as it was when taken */
	struct assign_intx intx;
	void (*changed)(void *opaque);
	void *opaque;

	pthread_mutex_t lock; /* guards the next three */
	bool charge;	      /* the HAL is in charge */
	bool dead;	      /* pulled */
	bool shown;
};

/*
 * Take the function and put it on the bus, hidden. On error nothing is left
 * and @why says in one sentence what happened to what, and what to do.
 */
int assign_create(const struct assign_cfg *cfg, struct assign **out, char *why,
		  size_t len);

/*
 * The VM is over; no vCPU runs. Hides it and closes everything; the domain's
 * detach is done here, the giving back by the keeper. 0, or -EIO: it could not
 * be quiesced and is left to the keeper with its pins.
 */
int assign_destroy(struct assign *a);

/* The name in the domain: its devfn on the guest's bus 0. */
uint32_t assign_guest_id(const struct assign *a);

/* The HAL came into charge, or left it. */
void assign_charge(struct assign *a, bool charge);

/* As vd_device_permit() and vd_device_deny(), and what the guest sees. */
int assign_permit(struct assign *a);
int assign_deny(struct assign *a);

/* Has it been pulled? Then this takes it off the bus; true once. */
bool assign_check(struct assign *a);

#endif
