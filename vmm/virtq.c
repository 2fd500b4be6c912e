/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtq.h"
#include "vm.h"
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <string.h>

/*
 * Both rings begin with flags and idx, 16 bits each; the available ring goes on
 * with 16-bit heads, the used ring with pairs of 32 bits (2.7.6, 2.7.8).
 */
#define RING_FLAGS   0u
#define RING_IDX     2u
#define RING_ENTRIES 4u
#define AVAIL_ENTRY  sizeof(uint16_t)
#define USED_ENTRY   sizeof(struct vring_used_elem)

void virtq_init(struct virtq *q, const struct vm *vm)
{
	*q = (struct virtq){ .vm = vm, .size = VIRTQ_SIZE_MAX };
}

/* virtq_enable() has seen that all of the rings is RAM, which stays. */
static _Atomic uint16_t *field16(const struct virtq *q, uint64_t gpa)
{
	return vm_ram(q->vm, gpa, sizeof(uint16_t));
}

static uint16_t load16(const struct virtq *q, uint64_t gpa)
{
	return atomic_load_explicit(field16(q, gpa), memory_order_relaxed);
}

static bool is_ram(const struct virtq *q, uint64_t gpa, uint64_t len,
		   uint64_t align)
{
	return gpa % align == 0 && vm_ram(q->vm, gpa, len);
}

int virtq_enable(struct virtq *q)
{
	uint64_t n = q->size;

	/* 2.7: sizes and alignments. */
	if (n == 0 || n > VIRTQ_SIZE_MAX || (n & (n - 1)) ||
	    !is_ram(q, q->desc, n * sizeof(struct vring_desc), 16) ||
	    !is_ram(q, q->avail, RING_ENTRIES + n * AVAIL_ENTRY, 2) ||
	    !is_ram(q, q->used, RING_ENTRIES + n * USED_ENTRY, 4))
		return -EINVAL;
	q->next_avail = q->next_used = 0;
	q->enabled = true;
	return 0;
}

/* One descriptor, copied once. */
static struct vring_desc load_desc(const struct virtq *q, uint16_t i)
{
	const volatile struct vring_desc *at =
		vm_ram(q->vm, q->desc + i * sizeof(*at), sizeof(*at));

	return (struct vring_desc){ at->addr, at->len, at->flags, at->next };
}

static bool is_valid(const struct virtq *q, const struct virtq_chain *c,
		     const struct vring_desc *d)
{
	bool writable = d->flags & VRING_DESC_F_WRITE;

	if (c->n == q->size || (d->flags & VRING_DESC_F_INDIRECT))
		return false;
	/* 2.7.4.2: what is writable comes last. */
	return writable || c->nread == c->n;
}

static int walk(const struct virtq *q, struct virtq_chain *c)
{
	struct vring_desc d = { .next = c->head, .flags = VRING_DESC_F_NEXT };

	c->n = c->nread = 0;
	while (d.flags & VRING_DESC_F_NEXT) {
		if (d.next >= q->size)
			return -EINVAL;
		d = load_desc(q, d.next);
		if (!is_valid(q, c, &d))
			return -EINVAL;
		c->seg[c->n++] = (struct virtq_seg){ d.addr, d.len };
		if (!(d.flags & VRING_DESC_F_WRITE))
			c->nread = c->n;
	}
	return 1;
}

int virtq_pop(struct virtq *q, struct virtq_chain *out)
{
	uint16_t idx, waiting;
	uint64_t entry;

	if (!q->enabled)
		return 0;
	/* acquire: the ring's entries and descriptors are read after it */
	idx = atomic_load_explicit(field16(q, q->avail + RING_IDX),
				   memory_order_acquire);
	waiting = (uint16_t)(idx - q->next_avail);
	if (waiting == 0)
		return 0;
	if (waiting > q->size)
		return -EINVAL;
	entry = RING_ENTRIES + q->next_avail % q->size * AVAIL_ENTRY;
	out->head = load16(q, q->avail + entry);
	q->next_avail++;
	return walk(q, out);
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	uint64_t entry = RING_ENTRIES + q->next_used % q->size * USED_ENTRY;
	volatile struct vring_used_elem *at =
		vm_ram(q->vm, q->used + entry, sizeof(*at));

	at->id = head;
	at->len = written;
	q->next_used++;
	/* release: the entry is seen before the index that announces it */
	atomic_store_explicit(field16(q, q->used + RING_IDX), q->next_used,
			      memory_order_release);
}

bool virtq_wants_interrupt(const struct virtq *q)
{
	/* 2.7.7.1: the used index is seen before the flags are read. */
	atomic_thread_fence(memory_order_seq_cst);
	return !(load16(q, q->avail + RING_FLAGS) & VRING_AVAIL_F_NO_INTERRUPT);
}

size_t virtq_read(const struct virtq *q, const struct virtq_chain *c,
		  size_t off, void *to, size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < c->nread && done < len; i++) {
		const struct virtq_seg *s = &c->seg[i];
		size_t n = len - done;
		const void *from;

		if (off >= s->len) {
			off -= s->len;
			continue;
		}
		if (n > s->len - off)
			n = s->len - off;
		from = vm_ram(q->vm, s->gpa + off, n);
		if (!from || s->gpa + off < s->gpa)
			break;
		memcpy((char *)to + done, from, n);
		done += n;
		off = 0;
	}
	return done;
}
