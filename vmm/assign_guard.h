/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An assigned virtio function under guard (virtio_guard.h): its trapped BARs go
 * by the guard, and what the guard stops is denied like by an operator, who can
 * permit it again.
 */
#ifndef VMM_ASSIGN_GUARD_H
#define VMM_ASSIGN_GUARD_H

struct assign;
struct virtio_caps;

/* After the BARs were opened; of other functions it does nothing. */
void assign_guard_open(struct assign *a, const struct virtio_caps *caps);
void assign_guard_close(struct assign *a);

#endif
