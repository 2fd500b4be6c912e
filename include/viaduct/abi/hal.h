/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The HAL device: what the guest's HAL module and the VMM say to each other.
 *
 * This file is the wire layout and nothing else: it is included by the
 * library, by the guest module and by the tests, and it has no functions.
 *
 * The device is a PCI function with one memory BAR (BAR 0, 4 KiB) of 32-bit
 * registers and one MSI vector. All multi-byte fields are little endian. A
 * register access that is not 4 bytes wide and 4-byte aligned reads as all
 * ones, writes nothing and is counted.
 *
 * The order of things (no DMA before the HAL is in charge; docs/ARCHITECTURE.md):
 *  1. The guest reads MAGIC and VERSION and refuses a major version that it
 *     does not know; it reads FEATURES and writes the subset that it wants.
 *  2. It gives each request slot a page of its memory (SLOT, SLOT_LO, SLOT_HI).
 *  3. It writes STATUS = HELLO. From here on STATUS reads HELLO, the assigned
 *     functions appear on the bus (with VD_HAL_F_ADMIT: each when it is admitted),
 *     and the guest rescans it. A refused HELLO leaves STATUS as REFUSED.
 *  4. It writes a request into a slot's page and the slot's number to
 *     DOORBELL. When the write returns the answer stands in the same page.
 *     A slot is used by one CPU at a time; the guest sees to that.
 *  5. STATUS = OFF, a reset of the guest or of the HAL function, or the end of
 *     the VM take every assigned function away again: its bus mastering is
 *     off, it has been quiesced, no mapping is left, and every word of the pin
 *     table is 0.
 *
 * With VD_HAL_F_PINS there is a second memory BAR (BAR 2), which is the pin
 * table: memory, not registers; see below. Minor version 1 has it. Minor version 2
 * has VD_HAL_F_LIVES and the registers from PINS_AGE on, minor version 3
 * VD_HAL_F_ADMIT.
 *
 * The device stays in the order above whatever the guest writes. It copies a
 * request once, checks the copy, and answers with a status.
 */
#ifndef VIADUCT_ABI_HAL_H
#define VIADUCT_ABI_HAL_H

#ifdef __KERNEL__
#include <linux/types.h>
typedef __le32 vd_le32;
typedef __le64 vd_le64;
#else
#include <stdint.h>
typedef uint32_t vd_le32;
typedef uint64_t vd_le64;
#endif

/* PCI identity. Subsystem ids are the same numbers. */
#define VD_HAL_PCI_VENDOR	    0x1234
#define VD_HAL_PCI_DEVICE	    0x5644
#define VD_HAL_PCI_CLASS	    0x088000 /* base system peripheral, other */

#define VD_HAL_MAGIC		    0x4c484456 /* "VDHL" */
#define VD_HAL_VERSION_MAJOR	    1
#define VD_HAL_VERSION_MINOR	    3
#define VD_HAL_VERSION		    ((VD_HAL_VERSION_MAJOR << 16) | VD_HAL_VERSION_MINOR)

/* Registers in BAR 0: byte offsets. RO, WO, RW as seen by the guest. */
#define VD_HAL_REG_MAGIC	    0x00 /* RO VD_HAL_MAGIC */
#define VD_HAL_REG_VERSION	    0x04 /* RO major << 16 | minor */
#define VD_HAL_REG_FEATURES	    0x08 /* RO VD_HAL_F_* offered */
#define VD_HAL_REG_WANTED	    0x0c /* RW VD_HAL_F_* accepted; before HELLO */
#define VD_HAL_REG_STATUS	    0x10 /* RW VD_HAL_STATUS_* */
#define VD_HAL_REG_GRANULE	    0x14 /* RO log2 of bytes, see below */
#define VD_HAL_REG_NSLOTS	    0x18 /* RO slots are 0 .. NSLOTS-1 */
#define VD_HAL_REG_POOL_LO	    0x20 /* RO guest address of the pool */
#define VD_HAL_REG_POOL_HI	    0x24
#define VD_HAL_REG_POOL_LEN	    0x28 /* RO length of the pool, 4 KiB pages */
#define VD_HAL_REG_POOL_CHUNK	    0x2c /* RO log2 of bytes of a chunk */
#define VD_HAL_REG_SLOT		    0x30 /* RW slot that the next two set */
#define VD_HAL_REG_SLOT_LO	    0x34 /* WO guest address of the page, low */
#define VD_HAL_REG_SLOT_HI	    0x38 /* WO high; this write sets the slot */
#define VD_HAL_REG_DOORBELL	    0x40 /* WO slot number: run its request */
#define VD_HAL_REG_EVENTS	    0x44 /* RO VD_HAL_EV_*; a read clears them */
#define VD_HAL_REG_PINS_LEN	    0x48 /* RO words in the pin table; 0: none */
#define VD_HAL_REG_PINS_AGE	    0x4c /* RO times that the table was cleared */
#define VD_HAL_REG_BUS_BITS	    0x50 /* RO bits of the host memory's addresses */
/* RO chunks of the pool that lie below 2^bits on the bus; bits is 0 .. 63 */
#define VD_HAL_REG_POOL_BELOW(bits) (0x100 + 4 * (bits))
#define VD_HAL_BAR_LEN		    0x1000

/* Feature bits. */
#define VD_HAL_F_POOL		    (1u << 0) /* there is a pool */
#define VD_HAL_F_PINS		    (1u << 1) /* there is a pin table */
#define VD_HAL_F_SPILL		    (1u << 2) /* bounce what BUDGET refuses */

#define VD_HAL_F_LIVES		    (1u << 3) /* requests say for which life */
#define VD_HAL_F_ADMIT		    (1u << 4) /* functions wait for ADMIT; with LIVES */

#define VD_HAL_STATUS_OFF	    0
#define VD_HAL_STATUS_HELLO	    1
#define VD_HAL_STATUS_REFUSED	    2 /* bad WANTED, or no slot set */

/* Events; each comes with the MSI. */
#define VD_HAL_EV_BUS		    (1u << 0) /* functions came or went */

/*
 * The granule: guest memory that lies in one naturally aligned granule is
 * contiguous on the bus whenever it is mapped with one segment. The pool is a
 * stretch of guest memory (reserved, outside of what the guest uses as RAM)
 * made of chunks; each chunk is contiguous on the bus. It serves coherent
 * allocations and bounce buffers. The guest maps a chunk like any memory, by
 * a segment, before it lets a device use it; it may do so for several devices.
 * Chunks that follow each other may do so on the bus as well.
 *
 * BUS_BITS and POOL_BELOW say which devices can be served whose addresses are
 * shorter than the host's: as the host's memory lies at HELLO. A chunk that is
 * not mapped can be moved by the host, which is rare, and then a map is refused
 * (MASK).
 */

/*
 * A slot's page: a head and up to VD_HAL_NSEGS segments. The guest fills in
 * all but status and done; the host answers by writing those, and for MAP the
 * addr of each segment.
 */
struct vd_hal_head {
	vd_le32 op;	/* VD_HAL_OP_* */
	vd_le32 device; /* guest id: bus << 8 | device << 3 | function */
	vd_le32 count;	/* segments, 1 .. VD_HAL_NSEGS */
	vd_le32 life;	/* the device's incarnation, see DEVICES; 0 without
				 * VD_HAL_F_LIVES and for DEVICES */
	vd_le64 mask;	/* MAP: highest bus address the device can use;
				 * otherwise 0 */
	vd_le32 status; /* out: VD_HAL_S_* */
	vd_le32 done;	/* out: segments done; see the operation */
};

struct vd_hal_seg {
	vd_le64 addr; /* MAP: guest address in, bus address out.
				 * UNMAP: bus address. Any byte. */
	vd_le32 len;  /* bytes, not 0 */
	vd_le32 prot; /* MAP: VD_HAL_READ, VD_HAL_WRITE or both.
				 * UNMAP: 0 */
};

#define VD_HAL_SLOT_LEN 4096
#define VD_HAL_NSEGS \
	((VD_HAL_SLOT_LEN - 32) / 16) /* 254: heads are 32 bytes, segments 16 */

struct vd_hal_slot {
	struct vd_hal_head head;
	struct vd_hal_seg seg[VD_HAL_NSEGS];
};

#define VD_HAL_READ	       1 /* the device reads guest memory */
#define VD_HAL_WRITE	       2 /* the device writes guest memory */

/*
 * MAP: pin all segments for @device and give each one bus address. All or
 * nothing: with any status but OK nothing is mapped, done is 0 and the
 * segments are as they were. A segment is one run on the bus or the call
 * fails with DISCONTIG.
 *
 * UNMAP: end mappings, each named by exactly the bus address and length that
 * MAP gave. In order; stops at the first that fails; done says how many ended.
 *
 * PIN: as MAP, but the mapping is one in the pin table: with OK every page of
 * the segments is pinned, its word says where it is, and its count is one more
 * for each segment that touches the page. There is no record of it and no
 * UNMAP: the guest takes the counts off again. With any other status no count
 * has changed. UNSUPP unless VD_HAL_F_PINS was accepted; FAULT also for
 * memory that has no word; BUSY also if a count is too high.
 *
 * DEVICES: the functions that the HAL answers for. count is the room in
 * segments; done says how many were written. Of each, addr is the guest id
 * and prot is 1 if the device is permitted, 0 if it is denied (and not on the
 * bus); len is its incarnation (0 before minor version 2): another one than
 * before means that it was reset and nothing of it is mapped any more, so its
 * driver has to begin anew even if the guest never saw it denied. device, life
 * and mask are 0.
 *
 * With VD_HAL_F_LIVES accepted MAP, PIN and UNMAP name the incarnation that they
 * are about in life, and are answered DENIED if the device is in another one: a
 * driver that still acts for an earlier life cannot reach what belongs to this
 * one. What an earlier life had in the words of the pin table is still counted
 * there, unless the table has been cleared since (PINS_AGE), which needs every
 * device to be denied; so when PINS_AGE has changed, counts from before are gone.
 *
 * ADMIT: nothing in the guest acts any more for an earlier life of @device than
 * the one in life: whatever drove it has been parted from it. So the function
 * may come to the bus. With VD_HAL_F_ADMIT accepted a permitted function is not
 * on the bus in a life that has not been admitted: its registers read ones, it
 * does not master the bus, its interrupt is masked. Otherwise a driver that has
 * not learnt of a deny with a permit at its heels could start the device again
 * with bus addresses that are nobody's, or another's, by now. count is 1, the
 * segment and mask are 0. Twice is once. DENIED or BUSY if the device is not
 * permitted, or in another life: an event will tell. UNSUPP unless
 * VD_HAL_F_ADMIT was accepted, which is refused (STATUS) without VD_HAL_F_LIVES.
 */
#define VD_HAL_OP_MAP	       1
#define VD_HAL_OP_UNMAP	       2
#define VD_HAL_OP_DEVICES      3
#define VD_HAL_OP_PIN	       4
#define VD_HAL_OP_ADMIT	       5

#define VD_HAL_S_OK	       0
#define VD_HAL_S_UNSUPP	       1  /* no such operation */
#define VD_HAL_S_INVAL	       2  /* malformed: a reserved field, a count */
#define VD_HAL_S_NODEV	       3  /* no such device in this domain */
#define VD_HAL_S_DENIED	       4  /* the operator denied this device, or life */
#define VD_HAL_S_FAULT	       5  /* not guest memory */
#define VD_HAL_S_BUDGET	       6  /* more pages than the domain may pin */
#define VD_HAL_S_FULL	       7  /* more mappings than devices may have */
#define VD_HAL_S_DISCONTIG     8  /* a segment is not one run on the bus */
#define VD_HAL_S_MASK	       9  /* a bus address lies above the mask */
#define VD_HAL_S_NOENT	       10 /* UNMAP: no such mapping */
#define VD_HAL_S_NOMEM	       11 /* the host is out of memory */
#define VD_HAL_S_BUSY	       12 /* the device is being quiesced */

/*
 * The pin table: word i, little endian, is about the page at guest address
 * i << 12.
 *
 * PINNED: the page is pinned and PAGE says where it is on the bus, so the guest
 * may map it by adding 1 to COUNT and setting USED, in one compare-and-swap
 * that also sees PINNED. It unmaps by taking 1 off. Without PINNED, or with a
 * COUNT of VD_HAL_WORD_MOST or more, it must ask (PIN) or do without.
 *
 * The host takes PINNED away by a compare-and-swap to 0 that fails while COUNT
 * is above 0. It takes USED away from time to time; a page that nobody maps
 * until the time after is unpinned. At OFF, at a reset, and when no function is
 * permitted any more it clears words whatever their COUNT: an unmap that finds
 * PINNED or its COUNT gone does nothing.
 *
 * A word is a promise to the guest, not to the host, which keeps books of its
 * own. A mapping is one segment in one page: a longer one holds each of its
 * pages, and is one on the bus only if their PAGEs are consecutive.
 */
#define VD_HAL_WORD_COUNT      0xfffffull
#define VD_HAL_WORD_MOST       0x7ffffull
#define VD_HAL_WORD_PINNED     0x100000ull
#define VD_HAL_WORD_USED       0x200000ull
#define VD_HAL_WORD_PAGE_SHIFT 24 /* bus address >> 12; what is between is 0 */

#endif
