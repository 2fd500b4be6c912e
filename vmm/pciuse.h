/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host itself does with a PCI function: the disks and the network
 * interfaces below it, and who uses them.
 *
 * A disk is in use if it, one of its partitions, or anything stacked on them
 * (LVM, md, dm-crypt) is mounted, swap, or held by such a stack. A mount is
 * matched by device number and, because btrfs has numbers of its own, by name;
 * mounts are those of this process and of process 1.
 */
#ifndef VMM_PCIUSE_H
#define VMM_PCIUSE_H

#include "sysfs.h"

/*
 * Is a disk below the folder @dir in use? 1 and @who ("nvme0n1p2 is mounted
 * on /"), 0, or -errno if that cannot be found out.
 */
int pciuse_block(const struct sysfs *s, const char *dir, char *who, size_t len);

/* Is an interface below @dir up? 1 and @who ("eth0 has the default route"). */
int pciuse_net(const struct sysfs *s, const char *dir, char *who, size_t len);

#endif
