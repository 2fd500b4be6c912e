/* SPDX-License-Identifier: BSD-2-Clause */
/* Each PCI function: can it be assigned, and how would its BARs be mapped? */
#include "doctor.h"
#include "pciscan.h"
#include <inttypes.h>

/* NULL: null. */
static void say(json_t *to, const char *key, const char *text)
{
	json_object_set_new(to, key, text ? json_string(text) : json_null());
}

static void set(json_t *to, const char *key, uint64_t v)
{
	json_object_set_new(to, key, json_integer((json_int_t)v));
}

static void set_id(json_t *to, const char *key, unsigned int v, int digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%0*x", digits, v);
	say(to, key, text);
}

static json_t *bar_json(int index, const struct pci_host_bar *b)
{
	json_t *j = json_object();
	char start[24];

	snprintf(start, sizeof(start), "0x%" PRIx64, b->start);
	set(j, "index", (uint64_t)index);
	say(j, "kind", b->flags & PCI_BAR_F_IO ? "io" : "memory");
	say(j, "start", start);
	set(j, "bytes", b->len);
	set(j, "direct_bytes", b->direct_len);
	say(j, "how", pci_how_name(b->how));
	return j;
}

static json_t *bars_json(const struct pci_host_dev *p)
{
	json_t *list = json_array();

	for (int i = 0; i < PCI_HOST_BARS; i++)
		if (p->bar[i].how != PCI_HOW_NONE)
			json_array_append_new(list, bar_json(i, &p->bar[i]));
	return list;
}

static json_t *device_json(const struct pci_host_dev *p)
{
	json_t *j = json_object();

	say(j, "host", p->bdf);
	set_id(j, "vendor", p->vendor, 4);
	set_id(j, "device", p->device, 4);
	set_id(j, "class", p->class, 6);
	say(j, "driver", p->driver[0] ? p->driver : NULL);
	if (p->has_group)
		set(j, "iommu_group", p->group);
	else
		say(j, "iommu_group", NULL);
	return j;
}

static int add_device(void *ctx, const struct pci_host_dev *p)
{
	struct doctor *d = ctx;
	json_t *j = device_json(p);
	char why[512];
	int err = pciscan_check_with(d->s, p, d->set, why, sizeof(why));

	json_object_set_new(j, "assignable", json_boolean(!err));
	say(j, "reason", err ? why : NULL);
	say(j, "warning", !err && why[0] ? why : NULL);
	json_object_set_new(j, "bars", bars_json(p));
	json_array_append_new(d->devices, j);
	return err ? 1 : 0;
}

static int add_any(void *ctx, const struct pci_host_dev *p)
{
	add_device(ctx, p);
	return 0;
}

int doctor_devices(struct doctor *d, char *why, size_t len)
{
	struct pciscan_set set;
	struct pci_host_dev p;
	int err, refused = 0;

	if (!d->nnames) {
		pciscan_each(d->s, add_any, d);
		return 0;
	}
	err = pciscan_name(d->s, d->name, d->nnames, &set, why, len);
	if (err)
		return err;
	d->set = &set;
	for (size_t i = 0; i < set.n; i++)
		if (!pciscan_read(d->s, set.bdf[i], &p))
			refused |= add_device(d, &p);
	d->set = NULL;
	return refused;
}
