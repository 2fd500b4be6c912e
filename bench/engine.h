/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An adapter to measure: one provider with BENCH_PAGES pages of memory that
 * nobody touches, one device, one window on BENCH_PAGES entries.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include "refs.h"

#include <viaduct/viaduct.h>

#define BENCH_PAGES 1000000u
#define BENCH_BUS   ((uint64_t)1 << 32)
#define BENCH_OWNER 1u
#define BENCH_DEV   1u
#define BENCH_W	    1u

struct engine {
	struct vd_adapter *a;
	struct vd_table *t;
	struct vd_host *host; /* if pins are counted */
	struct vd_domain *d;
};

struct engine_cfg {
	uint64_t nentries;
	enum vd_format format;
	unsigned int shift;
	bool pins; /* the owner is a domain */
};

void engine_make(struct engine *e, const struct engine_cfg *cfg);
void engine_end(struct engine *e);

/* A window more, on a table of its own. */
void engine_window(struct engine *e, const struct engine_cfg *cfg, uint32_t id,
		   uint64_t bus);

/* One page, entry @i of window @id; the memory is page @page. */
void engine_map(struct engine *e, uint32_t id, uint64_t i, uint64_t page);
void engine_unmap(struct engine *e, uint32_t id, uint64_t i);

/* Entries 0 to @n - 1 at pages 0 to @n - 1. */
void engine_map_all(struct engine *e, uint32_t id, uint64_t n);

#endif
