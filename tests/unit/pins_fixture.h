/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fixture's domain with a pin table, and a guest: it maps by its words if
 * it can, and asks if it cannot.
 */
#ifndef UNIT_PINS_FIXTURE_H
#define UNIT_PINS_FIXTURE_H

#include "fixture.h"
#include "guest.h"

#define PX_FIRST (FX_GPA / VD_PAGE_SIZE)
#define PX_WORDS (PX_FIRST + FX_PAGES)

struct px {
	struct fx fx;
	uint64_t word[PX_WORDS];
	unsigned int nasked; /* maps that needed the host */
};

int px_setup(void **state);
int px_teardown(void **state);
void px_make(struct px *p, const struct vd_domain_cfg *cfg);

/* Of page @i of the fixture's memory. */
uint64_t *px_word(struct px *p, uint64_t i);
uint64_t px_count(struct px *p, uint64_t i);

/* The guest: 0 or vd_device_pin()'s error; *bus: where the page is. */
int px_map(struct px *p, uint64_t i, uint64_t *bus);
bool px_unmap(struct px *p, uint64_t i, uint64_t bus);

/* Map once and unmap: the page is cached. */
void px_touch(struct px *p, uint64_t i);

struct vd_pins_stats px_stats(struct px *p);

#define px_test(t) cmocka_unit_test_setup_teardown(t, px_setup, px_teardown)

#endif
