/* SPDX-License-Identifier: BSD-2-Clause */
/* A HAL over the fixture's domain; its slots' pages are the last of memory. */
#ifndef UNIT_HAL_FIXTURE_H
#define UNIT_HAL_FIXTURE_H

#include "fixture.h"
#include <viaduct/abi/hal.h>

#define HAL_SLOTS 2u

struct hal_fx {
	struct fx fx;
	struct vd_hal *hal;
	uint64_t *word;		      /* the pin table, if there is one */
	unsigned int nin, nout, nirq; /* in_charge(true), (false), interrupts */
	unsigned int nadmitted;
	uint32_t admitted, admitted_life; /* the last */
	size_t mapped_at_out;		  /* mappings when in_charge(false) came */
};

int hal_setup(void **state);
int hal_pins_setup(void **state); /* with a pin table */
int hal_teardown(void **state);

uint32_t hal_get(struct hal_fx *h, uint64_t reg);
void hal_put(struct hal_fx *h, uint64_t reg, uint32_t value);

/* Set all slots and say HELLO. */
void hal_hello(struct hal_fx *h);

/* The page of a slot, as the guest sees it. */
struct vd_hal_slot *hal_page(struct hal_fx *h, uint32_t slot);

/* Ring for slot 0 and give its status. */
uint32_t hal_ring(struct hal_fx *h);

/* Fill slot 0 with a request for FX_DEV. */
struct vd_hal_slot *hal_request(struct hal_fx *h, uint32_t op, uint32_t count);

struct vd_hal_stats hal_count(struct hal_fx *h);

#define hal_test(t)	 cmocka_unit_test_setup_teardown(t, hal_setup, hal_teardown)
#define hal_pins_test(t) cmocka_unit_test_setup_teardown(t, hal_pins_setup, hal_teardown)

#endif
