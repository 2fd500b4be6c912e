/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host of files that does what a kernel does when an attribute is written:
 * drivers bind and let go, a reset resets. One function, at MADE_BDF, with
 *	BAR 0  256 bytes of memory, which trap
 *	BAR 1  8 KiB of memory, direct
 *	BAR 2  32 ports
 * and its uio node as a FIFO: 4 bytes are an interrupt, 1 byte is the end of it.
 *
 * It may sleep (power/control is "auto"); each driver that lets go of it forbids
 * that, as many do.
 *
 * A write can be made to fail, or to be the moment of something else: see @at.
 */
#ifndef VMM_TESTS_MADE_HOST_H
#define VMM_TESTS_MADE_HOST_H

#include "tree.h"
#include <stdbool.h>
#include <stdint.h>

#define MADE_BDF     "0000:03:00.0"
#define MADE_DEVICE  "bus/pci/devices/" MADE_BDF
#define MADE_CONTROL MADE_DEVICE "/power/control"
#define MADE_UIO     "uio_pci_generic"

struct made_host {
	struct tree t;
	unsigned int stores;  /* writes of attributes so far */
	unsigned int fail_at; /* the n-th fails with -EIO; 0: none */
	unsigned int at;      /* before the n-th @event is called; 0: never */
	void (*event)(struct made_host *h);
	unsigned int resets; /* that went well */
	unsigned int pulled; /* cards that were */
	bool deaf;	     /* resets fail */
};

/* @driver NULL: none has it. Drivers: nvme, vfio-pci, uio_pci_generic. */
void made_host_make(struct made_host *h, const char *driver);
void made_host_remove(struct made_host *h);

/* Plug a card into the empty slot; the host's nvme takes it if @driver says so. */
void made_host_plug(struct made_host *h, const char *driver);
/* Pull the one that is there; who has its files open sees it go. */
void made_host_pull(struct made_host *h);

/* As an administrator would; 0 or -errno. */
int made_host_write(struct made_host *h, const char *path, const char *value);

/* End the test if it is not so. "" for none. */
void made_host_expect(struct made_host *h, const char *driver,
		      const char *override, unsigned int command);

unsigned int made_host_command(struct made_host *h);
void made_host_set_command(struct made_host *h, unsigned int command);

/* End the test if power/control does not say @control. */
void made_host_expect_control(struct made_host *h, const char *control);

/* Files in the folder of claims. */
unsigned int made_host_claims(struct made_host *h);

#endif
