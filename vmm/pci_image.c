/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_image.h"

unsigned int pci_image_get16(const uint8_t *p)
{
	return p[0] | (unsigned int)p[1] << 8;
}

void pci_image_put16(uint8_t *p, unsigned int value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

uint32_t pci_image_read(const struct pci_image *c, unsigned int off,
			unsigned int width, uint32_t real)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < width && off + i < PCI_IMAGE_LEN; i++) {
		uint8_t live = c->live[off + i];
		uint8_t now = (uint8_t)(real >> (8 * i));
		uint8_t byte =
			(uint8_t)((c->byte[off + i] & ~live) | (now & live));

		value |= (uint32_t)byte << (8 * i);
	}
	return value;
}

void pci_image_write(struct pci_image *c, unsigned int off, unsigned int width,
		     uint32_t value)
{
	for (unsigned int i = 0; i < width && off + i < PCI_IMAGE_LEN; i++) {
		uint8_t kept = c->kept[off + i];
		uint8_t byte = (uint8_t)(value >> (8 * i));

		c->byte[off + i] =
			(uint8_t)((c->byte[off + i] & ~kept) | (byte & kept));
	}
}

uint16_t pci_image_command(const struct pci_image *c)
{
	return (uint16_t)pci_image_get16(c->byte + 0x04);
}
