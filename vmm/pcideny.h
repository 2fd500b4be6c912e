/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kinds of functions that are not assigned whatever their state, because they
 * reach memory at addresses that did not come from a map (X8). A table; each
 * row says which, why, and what to do instead. docs/THREATS.md says what it
 * cannot catch.
 */
#ifndef VMM_PCIDENY_H
#define VMM_PCIDENY_H

struct pci_host_dev;

/* A clause for "X cannot be assigned: CLAUSE", or NULL: no row matches. */
const char *pcideny_find(const struct pci_host_dev *d);

#endif
