/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool.h"

#include "mem.h"
#include <assert.h>

void pool_init(struct pool *p, size_t size, size_t keep)
{
	assert(size >= sizeof(struct pool_item));
	*p = (struct pool){ .size = size, .keep = keep };
}

void pool_end(struct pool *p)
{
	while (p->free) {
		struct pool_item *item = p->free;

		p->free = item->next;
		mem_free(item);
	}
	p->nfree = 0;
}

void *pool_take(struct pool *p)
{
	struct pool_item *item = p->free;

	if (!item)
		return mem_zalloc(1, p->size);
	p->free = item->next;
	p->nfree--;
	item->next = NULL;
	return item;
}

void pool_give(struct pool *p, void *thing)
{
	struct pool_item *item = thing;

	if (p->nfree == p->keep) {
		mem_free(item);
		return;
	}
	item->next = p->free;
	p->free = item;
	p->nfree++;
}
