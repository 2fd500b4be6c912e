/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PAPR: what a POWER guest and its hypervisor say to each other about DMA.
 *
 * The numbers are those of the Linux on Power Architecture Reference (LoPAR).
 * A hypervisor call has its token in R3, arguments from R4 on, and returns a
 * status in R3 and values from R4 on. An RTAS call has a token that the
 * platform chooses, and 32-bit arguments and results. Bits are numbered as
 * everywhere else in this tree, bit 0 the lowest; LoPAR counts from the top.
 */
#ifndef VIADUCT_ABI_PAPR_H
#define VIADUCT_ABI_PAPR_H

/* Hypervisor calls. */
#define VD_H_GET_TCE		0x1c
#define VD_H_PUT_TCE		0x20
#define VD_H_PUT_RTCE		0x10c
#define VD_H_STUFF_TCE		0x138
#define VD_H_PUT_TCE_INDIRECT	0x13c
#define VD_H_PUT_RTCE_INDIRECT	0x140
#define VD_H_GRANT_LOGICAL	0x1c4
#define VD_H_RESCIND_LOGICAL	0x1c8
#define VD_H_ACCEPT_LOGICAL	0x1cc
#define VD_H_RETURN_LOGICAL	0x1d0
#define VD_H_LIOBN_ATTRIBUTES	0x240
#define VD_H_REMOVE_RTCE	0x24c
#define VD_H_SET_MPP		0x2d0
#define VD_H_GET_MPP		0x2d4

/* What they return in R3. */
#define VD_H_SUCCESS		0
#define VD_H_BUSY		1
#define VD_H_CLOSED		2
#define VD_H_CONSTRAINED	4
#define VD_H_PARTIAL		5
#define VD_H_LONG_BUSY_1_MS	9900
#define VD_H_HARDWARE		(-1)
#define VD_H_FUNCTION		(-2)
#define VD_H_PARAMETER		(-4)
#define VD_H_NO_MEM		(-9)
#define VD_H_PERMISSION		(-11)
#define VD_H_R_PARM		(-15)
#define VD_H_RESOURCE		(-16)
#define VD_H_NOT_ENOUGH		(-44) /* H_NOT_ENOUGH_RESOURCES */
#define VD_H_RESCINDED		(-46)
#define VD_H_P2			(-55)
#define VD_H_P4			(-57)
#define VD_H_IN_USE		(-77)

/* A translation control entry: a page address and what a device may do. */
#define VD_TCE_READ		0x1 /* the device may read memory */
#define VD_TCE_WRITE		0x2 /* the device may write memory */
#define VD_TCE_PROT		0x3 /* neither: page fault */
#define VD_TCE_RPN		0xfffffffffffff000

/* A list of entries, big endian, fills at most one page of 4 KiB. */
#define VD_TCE_LIST_MAX		512
#define VD_TCE_TABLES_MAX	128 /* of H_PUT_TCE_INDIRECT, many tables */

/* H_GRANT_LOGICAL flags: what is granted and what the grantee may not do. */
#define VD_GRANT_TYPE		0x00000f0000000000
#define VD_GRANT_DMA_PANE	0x0000050000000000
#define VD_GRANT_NO_READ	0x0000800000000000
#define VD_GRANT_NO_WRITE	0x0000400000000000
#define VD_GRANT_NO_REGRANT	0x0000200000000000
#define VD_GRANT_RESERVED	0x0000100000000000

/* H_RESCIND_LOGICAL flags. */
#define VD_RESCIND_CODE		0x0000ff0000000000
#define VD_RESCIND_FORCED	0x0000010000000000

/* H_LIOBN_ATTRIBUTES. */
#define VD_LIOBN_BIT_BUCKET	0x1

/* RTAS: results of the dynamic DMA window calls. */
#define VD_RTAS_SUCCESS		0
#define VD_RTAS_HARDWARE	(-1)
#define VD_RTAS_BUSY		(-2)
#define VD_RTAS_PARAMETER	(-3)

/* RTAS: page sizes of ibm,query-pe-dma-window. */
#define VD_DDW_4K		0x001
#define VD_DDW_64K		0x002
#define VD_DDW_16M		0x004
#define VD_DDW_32M		0x008
#define VD_DDW_64M		0x010
#define VD_DDW_128M		0x020
#define VD_DDW_256M		0x040
#define VD_DDW_16G		0x080
#define VD_DDW_2M		0x100 /* later than LoPAR 2.9; Linux knows it */

#endif
