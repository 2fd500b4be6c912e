/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile virtio driver. The input is guest RAM with rings anywhere in it,
 * and where they are: whatever it holds, popping ends, stays in RAM and never
 * yields a chain that breaks its promises.
 *
 * Input: size, three addresses (16 bits each), then RAM from its first byte on.
 */
#include "fuzz.h"
#include "virtq.h"
#include "vm.h"
#include <stdlib.h>
#include <string.h>

#define RAM (16u << 10)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static uint16_t word(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void check(const struct virtq *q, const struct virtq_chain *c)
{
	uint8_t copy[512];
	uint64_t total = 0;
	size_t n;

	must(c->n > 0 && c->n <= q->size && c->nread <= c->n && c->head < q->size);
	for (unsigned int i = 0; i < c->nread; i++)
		total += c->seg[i].len;
	n = virtq_read(q, c, 0, copy, sizeof(copy));
	must(n <= sizeof(copy) && n <= total);
	must(virtq_read(q, c, total, copy, sizeof(copy)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Exactly RAM bytes, so that a step out of them is seen. */
	uint8_t *ram = aligned_alloc(4096, RAM);
	struct vm vm = { .ram = ram, .ram_len = RAM, .ram_high = 4ull << 30 };
	struct virtq_chain c;
	struct virtq q;
	unsigned int n = 0;

	if (len < 8 || !ram) {
		free(ram);
		return 0;
	}
	memset(ram, 0, RAM);
	memcpy(ram, data + 8, len - 8 < RAM ? len - 8 : RAM);
	virtq_init(&q, &vm);
	q.size = word(data);
	q.desc = word(data + 2);
	q.avail = word(data + 4);
	q.used = word(data + 6);
	/* What is pushed may change the rings under us: they may overlap. */
	if (!virtq_enable(&q)) {
		for (; n < 300 && virtq_pop(&q, &c) == 1; n++) {
			check(&q, &c);
			virtq_push(&q, c.head, n);
			virtq_wants_interrupt(&q);
		}
	}
	free(ram);
	return 0;
}
