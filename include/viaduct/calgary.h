/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calgary: the registers of an adapter as IBM's x86 translation hardware has
 * them.
 *
 * A Calgary bridge has one table address register (TAR): where the table is,
 * its length as a code for 8 Ki entries times a power of two, and a valid bit.
 * The table lies at a multiple of its own size, its entries are big-endian TCEs
 * of 4 KiB pages, and bus address 0 is its first entry. A window that the
 * register can say is shown here as the register's value, so that a driver or a
 * model of the hardware sees the same windows as everybody else.
 */
#ifndef VIADUCT_CALGARY_H
#define VIADUCT_CALGARY_H

#include <viaduct/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VD_CALGARY_TAR_VALID 0x0000000000000008u
#define VD_CALGARY_TAR_CODE  0x0000000000000007u
#define VD_CALGARY_TAR_TABLE 0x0000ffffffff8000u
#define VD_CALGARY_MIN_LEN   8192u /* entries, with code 0 */

/**
 * vd_calgary_tar() - read a register of an adapter as a TAR
 * @slot: which register
 * @out:  out: its value; 0 if it is disabled
 *
 * The bus address is not in the value: on a bridge it is 0, and whoever gives a
 * second window to a second bridge moves it there.
 *
 * Return: 0, -EINVAL (no such register), -ERANGE (the window cannot be said: its
 * length is no size code's, its table is not at a multiple of its size, or its
 * entries are no TCEs of 4 KiB pages)
 */
int vd_calgary_tar(struct vd_adapter *a, uint32_t slot, uint64_t *out);

/**
 * vd_calgary_decode() - what a TAR says
 * @table: out: address of the table
 * @len:   out: length in entries
 *
 * Return: 0, -ENOENT (it is not valid), -EINVAL (bits outside of the fields, or
 * a table that is not at a multiple of its size)
 */
int vd_calgary_decode(uint64_t tar, uint64_t *table, uint64_t *len);

#ifdef __cplusplus
}
#endif
#endif
