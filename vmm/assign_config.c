/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_config.h"
#include "virtio_caps.h"
#include <stdbool.h>
#include <string.h>

#define COMMAND	     0x04
#define STATUS	     0x06
#define CACHE_LINE   0x0c
#define LATENCY	     0x0d
#define HEADER_TYPE  0x0e
#define BIST	     0x0f
#define BARS	     0x10
#define BARS_END     0x28
#define CARDBUS	     0x28
#define ROM	     0x30
#define CAPS	     0x34
#define INT_LINE     0x3c
#define INT_PIN	     0x3d
#define HEADER_LEN   0x40

#define COMMAND_KEPT 0x0547 /* I/O, memory, master, parity, SERR, INTx */
#define STATUS_INTX  0x08
#define STATUS_CAPS  0x10
#define STATUS_FIXED 0x06e0 /* 66 MHz, fast back-to-back, DEVSEL */

#define CAP_PM	     0x01
#define CAP_VENDOR   0x09
#define CAP_EXP	     0x10

static void header(struct pci_image *c, const uint8_t *real)
{
	memcpy(c->byte, real, HEADER_LEN);
	pci_image_put16(c->byte + COMMAND, 0);
	pci_image_put16(c->kept + COMMAND, COMMAND_KEPT);
	pci_image_put16(c->byte + STATUS,
			pci_image_get16(real + STATUS) & STATUS_FIXED);
	c->live[STATUS] = STATUS_INTX;
	c->kept[CACHE_LINE] = 0xff;
	c->kept[LATENCY] = 0xff;
	c->byte[HEADER_TYPE] = 0; /* alone in its slot here */
	c->byte[BIST] = 0;
	memset(c->byte + BARS, 0, BARS_END - BARS); /* struct pci_bars */
	memset(c->byte + CARDBUS, 0, 4);
	memset(c->byte + ROM, 0, 4);
	c->byte[CAPS] = 0;
	c->kept[INT_LINE] = 0xff;
	c->byte[INT_PIN] = real[INT_PIN] ? 1 : 0; /* INTA in its own slot */
}

/*
 * Power states are kept in the image: the real function stays in D0, and a
 * state change resets nothing (bit 3 of PMCSR says so). No PME.
 */
static void cap_pm(struct pci_image *c, unsigned int pos)
{
	pci_image_put16(c->byte + pos + 2,
			pci_image_get16(c->byte + pos + 2) & 0x0007);
	pci_image_put16(c->byte + pos + 4, 0x0008);
	c->kept[pos + 4] = 0x03;
	c->byte[pos + 6] = c->byte[pos + 7] = 0;
}

static void cap_exp(struct pci_image *c, unsigned int pos, unsigned int len)
{
	uint8_t *p = c->byte + pos;

	/* Device type: root-complex integrated endpoint; no slot. */
	pci_image_put16(p + 2, (pci_image_get16(p + 2) & 0x000f) | 0x9 << 4);
	p[7] &= 0xef; /* no function-level reset for the guest */
	pci_image_put16(c->kept + pos + 8, 0x7fff);
	pci_image_put16(p + 8, pci_image_get16(p + 8) & 0x7fff);
	pci_image_put16(p + 0x0a, 0);
	/* Links belong to ports, and this kind of endpoint has none. */
	memset(p + 0x0c, 0, len - 0x0c);
}

static unsigned int cap_len(const uint8_t *real, unsigned int pos)
{
	switch (real[pos]) {
	case CAP_PM:
		return 8;
	case CAP_VENDOR:
		return real[pos + 2];
	case CAP_EXP:
		return (real[pos + 2] & 0xf) >= 2 ? 0x3c : 0x14;
	}
	return 0; /* not shown */
}

/* Virtio's way to its BARs past them: no write of it would arrive. */
static bool is_window(const uint8_t *real, unsigned int pos)
{
	struct virtio_caps v;

	virtio_caps_read(real, PCI_IMAGE_LEN, (uint16_t)pci_image_get16(real),
			 (uint16_t)pci_image_get16(real + 2), &v);
	return v.is_virtio && virtio_caps_is(real, pos, VIRTIO_CAP_WINDOW);
}

/* Show the capability at @pos, if it is one that is shown. */
static bool show_cap(struct pci_image *c, const uint8_t *real, unsigned int pos)
{
	unsigned int len = is_window(real, pos) ? 0 : cap_len(real, pos);

	if (len < 4 || pos + len > PCI_IMAGE_LEN)
		return false;
	memcpy(c->byte + pos, real + pos, len);
	if (real[pos] == CAP_PM)
		cap_pm(c, pos);
	else if (real[pos] == CAP_EXP)
		cap_exp(c, pos, len);
	return true;
}

void assign_config_init(struct pci_image *c, const uint8_t real[PCI_IMAGE_LEN])
{
	unsigned int link = CAPS, pos = real[CAPS] & 0xfc;

	memset(c, 0, sizeof(*c));
	header(c, real);
	if (!(real[STATUS] & STATUS_CAPS))
		return;
	/* 48 capabilities fill the space; a list that loops ends here too. */
	for (int n = 0; n < 48 && pos >= HEADER_LEN; n++) {
		if (show_cap(c, real, pos)) {
			c->byte[link] = (uint8_t)pos;
			link = pos + 1;
			c->byte[link] = 0;
			c->byte[STATUS] |= STATUS_CAPS;
		}
		pos = real[pos + 1] & 0xfc;
	}
}
