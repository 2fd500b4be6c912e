/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel modules of the running kernel. */
#ifndef VMM_MODULES_H
#define VMM_MODULES_H

#include "sysfs.h"

enum module_state {
	MODULE_ABSENT,	  /* this kernel does not have it */
	MODULE_AVAILABLE, /* modprobe would load it */
	MODULE_LOADED,	  /* or built in */
};

/* @name in either spelling: uio_pci_generic is uio-pci-generic. */
enum module_state module_state(const struct sysfs *s, const char *name);

#endif
