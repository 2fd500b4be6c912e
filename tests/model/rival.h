/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second engine, as naive as can be: an array of mappings, searched from end
 * to end; pinned is counted anew each time. The random test does everything to
 * both and compares.
 */
#ifndef MODEL_RIVAL_H
#define MODEL_RIVAL_H

#include <stdbool.h>
#include <viaduct/viaduct.h>

#define RIVAL_PAGES    48u
#define RIVAL_DEVICES  4u
#define RIVAL_MAPPINGS 64u /* of a device */

struct rival_mapping {
	bool live;   /* for look-ups */
	bool pinned; /* live, or kept because its device is not quiet */
	uint32_t dev;
	uint64_t gpa, iova, len;
	unsigned int prot;
};

struct rival_device {
	bool attached;
	enum vd_device_state state;
};

struct rival {
	uint64_t place[RIVAL_PAGES]; /* host address of each page */
	uint64_t budget;	     /* pages; UINT64_MAX: none */
	struct rival_device dev[RIVAL_DEVICES];
	struct rival_mapping m[RIVAL_DEVICES * RIVAL_MAPPINGS];
};

/* Each returns what the engine should return. Guest memory begins at 0. */
int rival_map(struct rival *r, uint32_t dev, struct vd_seg *segs, size_t n, uint64_t mask);
int rival_unmap(struct rival *r, uint32_t dev, uint64_t iova, uint64_t len);
int rival_translate(const struct rival *r, uint32_t dev, uint64_t iova, unsigned int prot,
		    uint64_t *gpa);
bool rival_reaches(const struct rival *r, uint32_t dev, uint64_t gpa);

/* The end of a quiesce: all pins of the device go. */
void rival_drop(struct rival *r, uint32_t dev);

/* A bit for each page that is pinned. */
uint64_t rival_pins(const struct rival *r);
size_t rival_pinned(const struct rival *r);
size_t rival_mappings(const struct rival *r, uint32_t dev);
uint64_t rival_mapped(const struct rival *r);

#endif
