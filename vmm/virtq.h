/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues (virtio 1.2, 2.7), the device's side.
 *
 * The guest writes the descriptors and the available ring while we read: each
 * field is read once, checked, and only the copy is used. A chain has at most
 * as many descriptors as the queue, so one that bites its tail ends. Indirect
 * descriptors and event indexes are not offered, so a descriptor that wants
 * one is an error. What descriptors point to is not looked at here.
 *
 * Not locked: the device's owner calls one at a time.
 */
#ifndef VMM_VIRTQ_H
#define VMM_VIRTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

#define VIRTQ_SIZE_MAX 128

struct virtq {
	const struct vm *vm;
	/* What the driver has set; guest addresses. */
	uint16_t size; /* a power of two, at most VIRTQ_SIZE_MAX */
	uint64_t desc, avail, used;
	bool enabled;
	/* Ours: how far we are. */
	uint16_t next_avail, next_used;
};

struct virtq_seg {
	uint64_t gpa; /* not checked */
	uint32_t len;
};

struct virtq_chain {
	uint16_t head;
	unsigned int n;	    /* segments */
	unsigned int nread; /* the first so many are for us to read, the rest
			     * for us to write */
	struct virtq_seg seg[VIRTQ_SIZE_MAX];
};

/* As after a reset: @vm is borrowed. */
void virtq_init(struct virtq *q, const struct vm *vm);

/*
 * The driver enables it: 0, or -EINVAL (size, alignment, or a ring that is not
 * in guest RAM); then it stays disabled.
 */
int virtq_enable(struct virtq *q);

/*
 * The next chain: 1 and *out, 0 (there is none), or -EINVAL: the driver broke
 * a rule, and the queue is of no more use.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *out);

/* Give a chain back, @written bytes of it written. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);

/* Does the driver want an interrupt for what was pushed? */
bool virtq_wants_interrupt(const struct virtq *q);

/*
 * Copy from what a chain has for us to read, from byte @off of it on. Returns
 * how many bytes: fewer than @len at its end or where it leaves guest RAM.
 */
size_t virtq_read(const struct virtq *q, const struct virtq_chain *c,
		  size_t off, void *to, size_t len);

#endif
