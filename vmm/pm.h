/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power management ports (as the FADT says) and a PC's odd ports.
 *
 *	0x600 PM1 status and enable, 0x604 PM1 control, 0x608 PM timer
 *	0xcf9 reset register (pci.h routes it here), 0x64 "pulse reset"
 *	0x60, 0x70, 0x71, 0x80.. nothing is there, and nobody minds
 */
#ifndef VMM_PM_H
#define VMM_PM_H

#include "region.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PM_BASE 0x600ull
#define PM_LEN	12
#define PM_SCI	9 /* GSI */
#define PM_HZ	3579545u

struct pm_ops {
	/* The guest has asked for it; on a vCPU's thread, without locks. */
	void (*power_off)(void *ctx);
	void (*reset)(void *ctx);
	void (*sci)(void *ctx, bool level); /* with the lock held */
};

#define PM_LEGACY 3

struct pm {
	const struct pm_ops *ops;
	void *ctx;
	struct region region;		 /* cause "power" */
	struct region legacy[PM_LEGACY]; /* cause "legacy" */
	pthread_mutex_t lock;		 /* guards the next */
	uint16_t status, enable, control;
};

/* What goes behind port 0xcf9; its context is the struct pm. */
extern const struct region_ops pm_reset_register;

void pm_init(struct pm *pm, const struct pm_ops *ops, void *ctx);
void pm_fini(struct pm *pm);
void pm_reset(struct pm *pm);

int pm_hook(struct pm *pm, struct region_map *pio); /* 0 or -errno */
void pm_unhook(struct pm *pm, struct region_map *pio);

/* The power button: a guest that listens shuts down in good order. */
void pm_press_button(struct pm *pm);

/* Has the guest asked to be told of the power button? */
bool pm_listens(struct pm *pm);

/* The PM timer's count at a time of CLOCK_MONOTONIC: 32 bits. */
uint32_t pm_ticks(uint64_t ns);

#endif
