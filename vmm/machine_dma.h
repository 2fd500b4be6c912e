/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's parts that have to do with DMA and with being steered: rows of
 * the table in machine.c.
 */
#ifndef VMM_MACHINE_DMA_H
#define VMM_MACHINE_DMA_H

struct machine;

/* Before threads and guest memory: check the devices, fork the keeper. */
int machine_dma_begin(struct machine *m);

/* Domain, pool, HAL device, assigned functions. */
int machine_dma_create(struct machine *m);
int machine_dma_reset(struct machine *m);
void machine_dma_destroy(struct machine *m);

/* The control socket. */
int machine_control_create(struct machine *m);
void machine_control_destroy(struct machine *m);

#endif
