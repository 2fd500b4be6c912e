/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine.h"

#include <viaduct/fake.h>

/* Nothing is ever read or written there. */
#define MEMORY	   ((void *)((uintptr_t)1 << 40))
#define MEMORY_LEN ((uint64_t)1 << 40)

static int drain(void *opaque, const struct vd_drain *what)
{
	(void)opaque;
	(void)what;
	return 0;
}

static void changed(void *opaque, uint32_t owner,
		    const struct vd_window_info *w)
{
	(void)opaque;
	(void)owner;
	(void)w;
}

static void add_domain(struct engine *e, struct vd_owner_cfg *owner)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };

	must(vd_host_fake_create(MEMORY, BENCH_PAGES, &e->host) == 0, "host");
	must(vd_domain_create(e->host, &cfg, &e->d) == 0, "domain");
	must(vd_domain_add_memory(e->d, (vd_gpa){ 0 }, MEMORY,
				  BENCH_PAGES * VD_PAGE_SIZE) == 0,
	     "memory");
	owner->domain = e->d;
}

void engine_make(struct engine *e, const struct engine_cfg *cfg)
{
	static const struct vd_adapter_ops ops = { drain, changed };
	const struct vd_adapter_cfg acfg = { .size = sizeof(acfg),
					     .max_bytes = (uint64_t)16 << 30,
					     .ops = &ops };
	const struct vd_span span = { { 0 }, MEMORY, MEMORY_LEN };
	struct vd_owner_cfg owner = { .size = sizeof(owner),
				      .id = BENCH_OWNER,
				      .provider = VD_NO_OWNER };

	*e = (struct engine){ .a = NULL };
	must(vd_adapter_create(&acfg, &e->a) == 0, "adapter");
	if (cfg->pins) {
		add_domain(e, &owner);
	} else {
		owner.memory = &span;
		owner.nmemory = 1;
	}
	must(vd_owner_add(e->a, &owner) == 0, "owner");
	must(vd_adapter_attach(e->a, BENCH_DEV, BENCH_OWNER) == 0, "device");
	engine_window(e, cfg, BENCH_W, BENCH_BUS);
}

void engine_window(struct engine *e, const struct engine_cfg *cfg, uint32_t id,
		   uint64_t bus)
{
	const struct vd_table_cfg table = { .size = sizeof(table),
					    .format = cfg->format,
					    .page_shift = cfg->shift,
					    .nentries = cfg->nentries };
	struct vd_window_cfg w = { .size = sizeof(w),
				   .id = id,
				   .owner = BENCH_OWNER,
				   .bus = { bus },
				   .len = cfg->nentries };

	must(vd_table_create(e->a, &table, &w.table) == 0, "table");
	must(vd_window_create(e->a, &w) == 0, "window");
	e->t = w.table;
}

void engine_end(struct engine *e)
{
	vd_adapter_destroy(e->a);
	vd_domain_destroy(e->d);
	vd_host_destroy(e->host);
}

static uint64_t base_of(uint32_t id)
{
	return id * BENCH_BUS;
}

void engine_map(struct engine *e, uint32_t id, uint64_t i, uint64_t page)
{
	const vd_entry entry = { page << 12 | VD_READ | VD_WRITE };
	struct vd_put p = { .owner = BENCH_OWNER,
			    .window = id,
			    .bus = { base_of(id) + (i << 12) },
			    .n = 1,
			    .entry = &entry,
			    .flags = VD_PUT_FRESH };

	must(vd_window_put(e->a, &p) == 0, "map");
}

void engine_unmap(struct engine *e, uint32_t id, uint64_t i)
{
	const vd_entry none = { 0 };
	struct vd_put p = { .owner = BENCH_OWNER,
			    .window = id,
			    .bus = { base_of(id) + (i << 12) },
			    .n = 1,
			    .entry = &none };

	must(vd_window_put(e->a, &p) == 0, "unmap");
}

void engine_map_all(struct engine *e, uint32_t id, uint64_t n)
{
	const struct vd_window_range r = { .owner = BENCH_OWNER,
					   .window = id,
					   .bus = { base_of(id) },
					   .len = n << 12,
					   .prot = VD_READ | VD_WRITE };

	must(vd_window_map(e->a, &r) == 0, "map all");
}
