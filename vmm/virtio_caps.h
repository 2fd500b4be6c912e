/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capabilities by which a real virtio function says where its registers
 * are (virtio 1.2, 4.1.4). They are vendor-specific PCI capabilities of one
 * layout:
 *
 *	0 id (9)  1 next  2 length  3 type  4 BAR  8 offset  12 length
 *
 * Only looks at 256 bytes of configuration space; makes no system call.
 */
#ifndef VMM_VIRTIO_CAPS_H
#define VMM_VIRTIO_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_CFG_LEN	       256
#define VIRTIO_COMMON_LEN      56 /* what virtio 1.0 has; later ones more */
#define VIRTIO_COMMONS_MAX     4  /* a function may show it in several places */

/* Types of capabilities. */
#define VIRTIO_CAP_COMMON      1
#define VIRTIO_CAP_NOTIFY      2
#define VIRTIO_CAP_ISR	       3
#define VIRTIO_CAP_WINDOW      5 /* to the BARs, through configuration space */

/* Registers of the common configuration. */
#define VIRTIO_R_DEVICE_SELECT 0
#define VIRTIO_R_DEVICE_FEAT   4
#define VIRTIO_R_DRIVER_SELECT 8
#define VIRTIO_R_DRIVER_FEAT   12
#define VIRTIO_R_STATUS	       20
#define VIRTIO_R_QUEUE_ENABLE  28

/* VIRTIO_F_ACCESS_PLATFORM is bit 33: bit 1 of the second word. */
#define VIRTIO_PLATFORM_WORD   1
#define VIRTIO_PLATFORM_BIT    0x2u

struct virtio_place {
	unsigned int bar; /* 0..5 */
	uint32_t off, len;
};

struct virtio_caps {
	bool is_virtio;	      /* by its ids, or by these capabilities */
	bool is_transitional; /* its ids allow a legacy interface in BAR 0 */
	bool too_many;	      /* more places than VIRTIO_COMMONS_MAX */
	unsigned int ncommons;
	struct virtio_place common[VIRTIO_COMMONS_MAX];
	unsigned int window; /* offset of VIRTIO_CAP_WINDOW, or 0 */
	unsigned int bars;   /* bit n: some capability names BAR n */
};

/*
 * @config is all of it, or its first @len bytes (at least 64) for those who
 * may not read more; then the capabilities are not known. The ids are the
 * kernel's: a virtual function has none in its configuration space.
 */
void virtio_caps_read(const uint8_t *config, unsigned int len, uint16_t vendor,
		      uint16_t device, struct virtio_caps *out);

/* Is the capability at @pos of type @type? 256 bytes. */
bool virtio_caps_is(const uint8_t *config, unsigned int pos, uint8_t type);

#endif
