/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking a function from its driver and giving it back.
 *
 * A taken function is claimed: /run/viaduct/claims/BDF is locked by whoever
 * took it (the keeper) for as long as that process lives, and says which
 * driver to give it back to. A claim file that nobody locks is left over from
 * a keeper that was killed; the next take inherits its driver's name.
 */
#ifndef VMM_ASSIGN_TAKE_H
#define VMM_ASSIGN_TAKE_H

#include "assign_host.h"
#include <stddef.h>

#define ASSIGN_CLAIMS "/run/viaduct/claims"

struct assign_claim {
	char bdf[ASSIGN_BDF_LEN];
	char driver[64]; /* give back to; "" if it had none */
	int lock;	 /* the claim file, locked; -1: no claim */
};

/*
 * Claim @bdf, take it from its driver and bind uio_pci_generic. On error all
 * is as before and @why says in one sentence what happened and what to do.
 * -EBUSY (claimed by another), -ENOENT (no such device), -ENODEV (no module
 * uio_pci_generic), or another -errno.
 */
int assign_take(struct assign_claim *c, const char *bdf, char *why, size_t len);

/* Back to its driver; the claim ends. The function must be quiet. */
void assign_give(struct assign_claim *c);

#endif
