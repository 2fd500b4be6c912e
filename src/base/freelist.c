/* SPDX-License-Identifier: BSD-2-Clause */
#include "freelist.h"

#include "mem.h"
#include <assert.h>

void freelist_init(struct freelist *p, size_t size, size_t keep)
{
	assert(size >= sizeof(struct freelist_item));
	*p = (struct freelist){ .size = size, .keep = keep };
}

void freelist_end(struct freelist *p)
{
	while (p->free) {
		struct freelist_item *item = p->free;

		p->free = item->next;
		mem_free(item);
	}
	p->nfree = 0;
}

void *freelist_take(struct freelist *p)
{
	struct freelist_item *item = p->free;

	if (!item)
		return mem_zalloc(1, p->size);
	p->free = item->next;
	p->nfree--;
	item->next = NULL;
	return item;
}

void freelist_give(struct freelist *p, void *thing)
{
	struct freelist_item *item = thing;

	if (p->nfree == p->keep) {
		mem_free(item);
		return;
	}
	item->next = p->free;
	p->free = item;
	p->nfree++;
}
