/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking a function from its driver and giving it back.
 *
 * What is given back is what was taken: this function (hostdev.h), as it was
 * found (claim.h). Driver, driver_override, the command register and whether it
 * may sleep (power/control, which drivers set as they come and go) are put back
 * by us. The rest finds its way by itself: the kernel counts who has enabled a
 * device, keeps it awake (D0) while uio_pci_generic has it and lets it sleep
 * again as power/control says. The guest's own power states never reach it
 * (assign_config.c).
 *
 * Others may act while it is ours. What they have changed is theirs:
 *
 *	driven by  driver_override   done at the end
 *	us         ours              command, override, driver, sleep as found
 *	us         another's         command, sleep; then who is named there drives it
 *	us         none              command, sleep; the driver found drives it
 *	nobody     ours, none        as in the first row
 *	nobody     another's         nothing
 *	another    ours              override as found, nothing else
 *	another    any               nothing
 *	(it is gone)                 nothing, whoever is at its address now
 *
 * A keeper may be killed between any two steps. The record is whole by then and
 * says how all was found; who takes the function next believes it as far as
 * nobody else has acted since.
 */
#ifndef VMM_ASSIGN_TAKE_H
#define VMM_ASSIGN_TAKE_H

#include "claim.h"
#include <stddef.h>

struct assign_claim {
	struct hostdev dev;
	struct claim claim;
	struct claim_found found;
};

/*
 * Claim @bdf, take it from its driver and bind uio_pci_generic. On error all
 * is as before and @why says in one sentence what happened and what to do.
 * -EBUSY (claimed by another), -ENOENT (no such device), -ENODEV (no module
 * uio_pci_generic), or another -errno.
 */
int assign_take(struct assign_claim *c, const struct sysfs *s, const char *bdf,
		char *why, size_t len);

/* Back as it was found; the claim ends. The function must be quiet. */
void assign_give(struct assign_claim *c);

/*
 * After the death of the keeper that had taken @bdf: quiesce it and give it
 * back. 0, -EBUSY (somebody has it), -ENOENT (no record, or not of what is there
 * now: nothing to do), -EIO (it does not stop its DMA and stays), or -errno.
 */
int assign_mend(const struct sysfs *s, const char *bdf);

/* The same of all claims that nobody holds. */
void assign_mend_all(const struct sysfs *s);

#endif
