/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that a recording was made on: QEMU's pseries.
 *
 * Its guest memory begins at 0. Each PCI host bridge is one PE: number n has
 * unit id WORLD_BUID + n, the LIOBNs from WORLD_LIOBN + 256 n on, a default
 * window of 1 GiB at bus address 0, and more windows as its struct world_pe says.
 * All other LIOBNs are virtual devices, with tables for 256 MiB.
 */
#ifndef CLI_REPLAY_WORLD_H
#define CLI_REPLAY_WORLD_H

#include <viaduct/viaduct.h>

#define WORLD_PARTITION	 1u
#define WORLD_BUID	 0x800000020000000u
#define WORLD_LIOBN	 0x80000000u
#define WORLD_BRIDGES	 32u
#define WORLD_MEMORY_MAX ((uint64_t)64 << 30)

/* What a bridge offers: members of struct vd_papr_pe. */
struct world_pe {
	uint32_t page_sizes, max_windows, slot_shift;
	uint64_t max_tces;
};

struct world {
	struct world_pe pe[WORLD_BRIDGES]; /* the caller's to fill in */
	unsigned char *ram;
	uint64_t ram_len;
	struct vd_host *host;
	struct vd_domain *domain;
	struct vd_papr *papr;
	struct vd_adapter *bridge[WORLD_BRIDGES];
	struct vd_reader *reader[WORLD_BRIDGES];
	/* Virtual devices: unit address and LIOBN are one number. */
	uint32_t vio[VD_PAPR_MAX_VIOS];
	struct vd_reader *vio_reader[VD_PAPR_MAX_VIOS];
	size_t nvios;
};

/* With @ram_len bytes of memory; w->pe stands already. 0, -ENOMEM */
int world_make(struct world *w, uint64_t ram_len);
void world_end(struct world *w);

/* A window came to be: its bridge or its virtual device, if it is the first. */
int world_table(struct world *w, uint64_t liobn);

/* Who translates for @liobn, which a device uses; NULL: nobody. */
struct vd_reader *world_reader(struct world *w, uint64_t liobn,
			       struct vd_window_info *info);

#endif
