/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image of a function's configuration space that the guest sees.
 *
 * Every bit is one of three kinds: fixed, kept (the guest may change it here,
 * and only here), or live (read from the device each time). Beyond 256 bytes
 * all reads as 0, which says: no extended capabilities.
 */
#ifndef VMM_PCI_IMAGE_H
#define VMM_PCI_IMAGE_H

#include <stdint.h>

#define PCI_IMAGE_LEN	 256

#define PCI_CMD_IO	 0x0001
#define PCI_CMD_MEMORY	 0x0002
#define PCI_CMD_MASTER	 0x0004
#define PCI_CMD_INTX_OFF 0x0400

struct pci_image {
	uint8_t byte[PCI_IMAGE_LEN];
	uint8_t kept[PCI_IMAGE_LEN]; /* bits the guest may change */
	uint8_t live[PCI_IMAGE_LEN]; /* bits read from the device */
};

/*
 * @off + @width is at most 4096. @real is what the device says there now; only
 * its live bits are used.
 */
uint32_t pci_image_read(const struct pci_image *c, unsigned int off,
			unsigned int width, uint32_t real);
void pci_image_write(struct pci_image *c, unsigned int off, unsigned int width,
		     uint32_t value);

/* Little-endian fields, for whoever makes an image. */
unsigned int pci_image_get16(const uint8_t *p);
void pci_image_put16(uint8_t *p, unsigned int value);

/* The command register as the guest wrote it. */
uint16_t pci_image_command(const struct pci_image *c);

#endif
