/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's DMA: who pins, the domain, the pool, the HAL device, the
 * assigned functions, and the keeper that outlives them.
 *
 * A machine without --assign has none of it but the domain, so that its status
 * reads the same, over a host that never pins (nohost.h): it needs no rights.
 *
 * Order: dma_begin() before there are threads and guest memory; dma_create()
 * when the VM has its memory slots and its bus; dma_destroy() when no vCPU
 * runs any more, before guest memory is unmapped.
 */
#ifndef VMM_DMA_H
#define VMM_DMA_H

#include "assign.h"
#include "haldev.h"
#include "keeper.h"
#include "pinall.h"
#include "pciscan.h"
#include "pincache.h"
#include "pool.h"
#include <viaduct/viaduct.h>

#define DMA_MAX_ASSIGNED PCISCAN_SET_MAX

struct dma_cfg {
	const char *const *assign; /* BDFs as the user wrote them */
	unsigned int nassign;
	enum vd_pin_method pin;
	bool pin_all; /* of guest memory, for as long as it lives */
	unsigned int granule_shift;
	uint64_t budget;		   /* bytes; 0: no limit */
	uint64_t pool_len;		   /* bytes */
	bool strict;			   /* no pin table */
	bool no_bounce;			   /* not for want of budget */
	bool keep;			   /* a keeper, also without devices */
	void (*keeper_died)(void *opaque); /* in a thread of its own */
	void *opaque;
};

struct dma {
	struct dma_cfg cfg;
	struct keeper keeper;
	bool has_keeper;
	struct pciscan_set set; /* what is to be assigned */
	struct vd_host *host;
	struct vd_domain *domain;
	struct pool pool;
	struct pinall pinall;
	struct pincache pins;
	struct haldev hal;
	struct assign *assigned[DMA_MAX_ASSIGNED];
	unsigned int nassigned;
};

/* All: 0 or -errno, and on error one sentence in @why. */
int dma_begin(struct dma *d, const struct dma_cfg *cfg, char *why, size_t len);

/*
 * How many bytes of pool vm_layout() must make room for; 0 without devices.
 */
uint64_t dma_pool_len(const struct dma *d);

int dma_create(struct dma *d, struct vm *vm, struct pci_bus *bus, char *why,
	       size_t len);

/* Guest reset; no vCPU runs. -EIO: a function could not be quiesced. */
int dma_reset(struct dma *d);

/*
 * Ends it all; functions are back with their drivers. Also after a begin or
 * create that failed, and a second time. -EIO: a function could not be quiesced, the keeper stays.
 */
int dma_destroy(struct dma *d);

/*
 * A vCPU could not reach memory that a slot names, as when a card is pulled under
 * it. True: a function is gone, and taken away from the guest, so the access may
 * be tried again: it reads ones. False: the fault has another reason, and would
 * come again for ever. @met is the vCPU's own, 0 at first. Any thread.
 */
bool dma_fault(struct dma *d, unsigned int *met);

/* Can anything of guest memory ever be pinned? */
bool dma_pins(const struct dma *d);

/*
 * The host that pins for a machine. A seam for tests: the negative control of
 * the adversarial test links another one.
 */
int dma_host_create(const struct vd_noiommu_cfg *cfg, struct vd_host **out);

#endif
