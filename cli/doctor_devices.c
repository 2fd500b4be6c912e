// SPDX-License-Identifier: BSD-2-Clause
/* Each PCI function: can it be assigned, and how would its BARs be mapped? */
#include "doctor.h"
#include "pciscan.h"
#include <errno.h>
#include <inttypes.h>

static json_t *address(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	return json_string(text);
}

static json_t *id(unsigned int v, int digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%0*x", digits, v);
	return json_string(text);
}

static json_t *bars_json(const struct pci_host_dev *p)
{
	json_t *list = json_array();

	for (int i = 0; i < PCI_HOST_BARS; i++) {
		const struct pci_host_bar *b = &p->bar[i];

		if (b->how == PCI_HOW_NONE)
			continue;
		json_array_append_new(list, json_pack(
			"{s:i,s:s,s:o,s:I,s:I,s:s}",
			"index", i,
			"kind", b->flags & PCI_BAR_F_IO ? "io" : "memory",
			"start", address(b->start),
			"bytes", (json_int_t)b->len,
			"direct_bytes", (json_int_t)b->direct_len,
			"how", pci_how_name(b->how)));
	}
	return list;
}

static int add_device(void *ctx, const struct pci_host_dev *p)
{
	struct doctor *d = ctx;
	char why[512];
	int err = pciscan_check_device(d->s, p, why, sizeof(why));
	json_t *group = p->has_group ? json_integer(p->group) : json_null();

	json_array_append_new(d->devices, json_pack(
		"{s:s,s:o,s:o,s:o,s:s?,s:o,s:b,s:s?,s:s?,s:o}",
		"host", p->bdf,
		"vendor", id(p->vendor, 4),
		"device", id(p->device, 4),
		"class", id(p->class, 6),
		"driver", p->driver[0] ? p->driver : NULL,
		"iommu_group", group,
		"assignable", !err,
		"reason", err ? why : NULL,
		"warning", !err && why[0] ? why : NULL,
		"bars", bars_json(p)));
	return err ? 1 : 0;
}

static int add_any(void *ctx, const struct pci_host_dev *p)
{
	add_device(ctx, p);
	return 0;
}

int doctor_devices(struct doctor *d, char *why, size_t len)
{
	struct pci_host_dev p;
	int err;

	if (!d->bdf) {
		pciscan_each(d->s, add_any, d);
		return 0;
	}
	err = pciscan_read(d->s, d->bdf, &p);
	if (!err)
		return add_device(d, &p);
	if (err == -EINVAL)
		snprintf(why, len, "%s is no PCI address; they look like "
			 "0000:03:00.0", d->bdf);
	else
		snprintf(why, len, "there is no PCI device %s; lspci -D lists "
			 "them", d->bdf);
	return err == -EINVAL ? err : -ENODEV;
}
