/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's parts that hold memory or give it back: rows of the table in
 * machine.c.
 */
#ifndef VMM_MACHINE_MEMORY_H
#define VMM_MACHINE_MEMORY_H

struct machine;

/* RAM: one mapping, one or two slots. */
int machine_ram_create(struct machine *m);
void machine_ram_destroy(struct machine *m);

/* The memory balloon. */
int machine_balloon_create(struct machine *m);
int machine_balloon_reset(struct machine *m);
void machine_balloon_destroy(struct machine *m);

/*
 * The host's budget: joined before the machine pins, left after it. Attach when
 * there is a domain, detach before it ends.
 */
int machine_share_create(struct machine *m);
void machine_share_destroy(struct machine *m);
int machine_share_attach(struct machine *m);

/* Pressure on the host. */
int machine_relief_create(struct machine *m);
void machine_relief_destroy(struct machine *m);

#endif
