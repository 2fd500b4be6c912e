/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: up to 64 stretches, each contiguous in guest addresses and in
 * this process. They are added and never removed, so a pointer to one stays
 * good until the domain ends. The domain's lock guards all but the contents.
 */
#ifndef DOMAIN_MEMORY_H
#define DOMAIN_MEMORY_H

#include <stdint.h>

#define MEMORY_MAX 64u

struct stretch {
	uint64_t gpa, last; /* inclusive */
	unsigned char *hva; /* borrowed */
	uint32_t *pins;	    /* pages.h: of each granule; owned */
	uint32_t *held;	    /* held.h: the same; owned; NULL: not yet */
	uint64_t *handle;   /* held.h: of the host's pins; owned */
};

struct memory {
	struct stretch at[MEMORY_MAX];
	unsigned int n;
	unsigned int granule_shift;
	uint64_t len; /* of all together */
};

void memory_init(struct memory *m, unsigned int granule_shift);
void memory_end(struct memory *m);

/* As vd_domain_add_memory(). */
int memory_add(struct memory *m, uint64_t gpa, void *hva, uint64_t len);

/* The stretch that holds all of first..last, or NULL. */
struct stretch *memory_find(struct memory *m, uint64_t first, uint64_t last);

/*
 * The piece of memory that begins at @gpa and is at most @len bytes long:
 * where it is and how long, or NULL if @gpa is not guest memory.
 */
unsigned char *memory_piece(struct memory *m, uint64_t gpa, uint64_t len,
			    uint64_t *piece);

static inline unsigned char *stretch_hva(const struct stretch *s, uint64_t gpa)
{
	return s->hva + (gpa - s->gpa);
}

#endif
