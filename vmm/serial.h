/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A serial port.
 *
 * What the guest sends goes to ops->output at once, so the transmitter is
 * always empty. What comes for the guest waits in a queue that is longer than
 * the chip's FIFO; who feeds it asks for room first.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include "region.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_QUEUE 1024

struct serial_ops {
	void (*irq)(void *ctx, bool level);	 /* with the port's lock held */
	void (*output)(void *ctx, uint8_t byte); /* without it; may wait */
	void (*room)(void *ctx); /* the full queue is no longer full */
};

struct serial {
	const struct serial_ops *ops;
	void *ctx;
	struct region region; /* cause "serial", 8 ports */
	pthread_mutex_t lock; /* guards what follows */
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	bool level;	   /* of the interrupt line */
	bool thr_pending;  /* "transmitter empty" not yet told */
	uint8_t loop_byte; /* sent in loopback mode */
	bool has_loop_byte;
	bool overrun;
	uint8_t queue[SERIAL_QUEUE];
	size_t head, count;
};

/* @base: the first of 8 ports. The caller adds and removes @s->region. */
void serial_init(struct serial *s, uint64_t base, const struct serial_ops *ops,
		 void *ctx);
void serial_fini(struct serial *s);
void serial_reset(struct serial *s); /* what was queued is lost */

/* How many bytes serial_input() would take now; it takes no more than that. */
size_t serial_room(struct serial *s);
size_t serial_input(struct serial *s, const uint8_t *p, size_t n);

#endif
