/* SPDX-License-Identifier: BSD-2-Clause */
#include "pcideny.h"
#include "pciscan.h"
#include <stdbool.h>
#include <stddef.h>

#define ANY 0xffffffffu

struct row {
	uint16_t vendor; /* 0: any */
	uint16_t device; /* with a vendor; 0: any */
	uint32_t class;	 /* ANY: not looked at */
	uint32_t mask;	 /* of the class */
	bool root;	 /* only on bus 0: what is part of the chipset */
	const char *clause;
};

/* What is said of several. */
static const char vmd[] =
	"it puts other devices behind itself whose DMA the guest does not map; "
	"turn VMD off in the firmware's setup and assign those devices";
static const char psp[] =
	"the drivers of AMD's secure processor give it physical addresses past "
	"the DMA API; leave it to the host";
static const char firewire[] =
	"any peer on a FireWire bus can address all of memory (physical DMA); "
	"leave it to the host";
static const char iommu[] =
	"it is an IOMMU, which is this host's; leave it to the host";
static const char igd[] =
	"integrated graphics use memory that the firmware has set aside, at "
	"addresses of the host; use a graphics card";

static const struct row rows[] = {
	/* Paravirtual devices: their drivers hand over guest-physical pages. */
	{ 0x15ad, 0x0740, ANY, 0, false,
	  "the driver of VMware's VMCI gives it physical page numbers past the "
	  "DMA API; leave it to the host" },
	{ 0x80ee, 0xcafe, ANY, 0, false,
	  "the driver of VirtualBox's guest device gives it physical addresses "
	  "past the DMA API; leave it to the host" },
	{ 0x5853, 0, ANY, 0, false,
	  "it is Xen's platform device, whose drivers share pages by number, "
	  "past the DMA API; leave it to the host" },
	{ 0x1d0f, 0xe4c1, ANY, 0, false,
	  "the driver of Nitro Enclaves gives it physical addresses past the "
	  "DMA API; leave it to the host" },
	/* Real ones that do. */
	{ 0x1022, 0x1456, ANY, 0, false, psp },
	{ 0x1022, 0x1486, ANY, 0, false, psp },
	{ 0x1022, 0x15df, ANY, 0, false, psp },
	{ 0x1022, 0x14ca, ANY, 0, false, psp },
	{ 0x1022, 0x15c7, ANY, 0, false, psp },
	{ 0x1022, 0x1649, ANY, 0, false, psp },
	{ 0x1022, 0x1134, ANY, 0, false, psp },
	{ 0x1022, 0x17e0, ANY, 0, false, psp },
	{ 0x1022, 0x156e, ANY, 0, false, psp },
	{ 0x1022, 0x17d8, ANY, 0, false, psp },
	{ 0x1022, 0x115a, ANY, 0, false, psp },
	/* Devices behind devices. */
	{ 0x8086, 0x201d, ANY, 0, false, vmd },
	{ 0x8086, 0x28c0, ANY, 0, false, vmd },
	{ 0x8086, 0x467f, ANY, 0, false, vmd },
	{ 0x8086, 0x4c3d, ANY, 0, false, vmd },
	{ 0x8086, 0xa77f, ANY, 0, false, vmd },
	{ 0x8086, 0x7d0b, ANY, 0, false, vmd },
	{ 0x8086, 0xad0b, ANY, 0, false, vmd },
	{ 0x8086, 0x9a0b, ANY, 0, false, vmd },
	{ 0x8086, 0xb60b, ANY, 0, false, vmd },
	{ 0x8086, 0xb06f, ANY, 0, false, vmd },
	{ 0x8086, 0xb07f, ANY, 0, false, vmd },
	/* By class. Bridges, and with them AGP and NTB, go before this table. */
	{ 0, 0, 0x0c0000, 0xffff00, false, firewire },
	{ 0, 0, 0x080600, 0xffff00, false, iommu },
	/* Not Intel's cards, which stand behind a port. */
	{ 0x8086, 0, 0x030000, 0xff0000, true, igd },
};

static bool is_row(const struct row *r, const struct pci_host_dev *d)
{
	if (r->vendor && r->vendor != d->vendor)
		return false;
	if (r->device && r->device != d->device)
		return false;
	if (r->root && d->bus != 0)
		return false;
	return r->class == ANY || (d->class & r->mask) == r->class;
}

const char *pcideny_find(const struct pci_host_dev *d)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_row(&rows[i], d))
			return rows[i].clause;
	return NULL;
}
