/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"
#include "contest.h"

#include <string.h>
#include <sys/mman.h>

static void make_adapter(struct world *w)
{
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg),
					    .max_bytes = (uint64_t)16 << 30 };

	bench_must(vd_adapter_create(&cfg, &w->a) == 0, "adapter");
}

static void make_ram(struct world *w)
{
	w->ram_len = (w->shift == 12 ? WORLD_PAGES : WORLD_LARGE) << w->shift;
	w->ram = mmap(NULL, w->ram_len, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bench_must(w->ram != MAP_FAILED, "address space");
}

static void make_domain(struct world *w)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };

	bench_must(vd_host_fake_create(w->ram, w->ram_len / PAGE, &w->host) ==
			   0,
		   "host");
	bench_must(vd_domain_create(w->host, &cfg, &w->d) == 0, "domain");
	bench_must(vd_domain_add_memory(w->d, (vd_gpa){ 0 }, w->ram,
					w->ram_len) == 0,
		   "memory");
}

static void make_owner(struct world *w)
{
	const struct vd_span span = { { 0 }, w->ram, w->ram_len };
	struct vd_owner_cfg cfg = { .size = sizeof(cfg),
				    .id = WORLD_OWNER,
				    .provider = VD_NO_OWNER,
				    .domain = w->d };

	if (!w->d) {
		cfg.memory = &span;
		cfg.nmemory = 1;
	}
	bench_must(vd_owner_add(w->a, &cfg) == 0, "owner");
	cfg.id = WORLD_OTHER;
	bench_must(vd_owner_add(w->a, &cfg) == 0, "owner");
	bench_must(vd_adapter_attach(w->a, WORLD_DEV, WORLD_OWNER) == 0,
		   "device");
}

static void make_window(struct world *w, struct vd_window_cfg *cfg,
			enum vd_format format)
{
	const struct vd_table_cfg table = { .size = sizeof(table),
					    .format = format,
					    .page_shift = w->shift,
					    .nentries = cfg->len };

	bench_must(vd_table_create(w->a, &table, &cfg->table) == 0, "table");
	bench_must(vd_window_create(w->a, cfg) == 0, "window");
}

/* At bus address 0, below the other. */
static void hold_all(struct world *w)
{
	struct vd_window_cfg cfg = { .size = sizeof(cfg),
				     .id = WORLD_HELD,
				     .owner = WORLD_OWNER,
				     .len = w->ram_len >> w->shift };
	const struct vd_window_range all = {
		.size = sizeof(all),
		.owner = WORLD_OWNER,
		.window = WORLD_HELD,
		.len = w->ram_len,
		.prot = RW,
	};

	make_window(w, &cfg, VD_FORMAT_NATIVE);
	bench_must(vd_window_map(w->a, &all) == 0, "map");
}

void world_open(struct world *w, const struct world_cfg *cfg)
{
	struct vd_window_cfg window = { .size = sizeof(window),
					.id = WORLD_W,
					.owner = WORLD_OWNER,
					.bus = { WORLD_BUS },
					.len = cfg->nentries };

	*w = (struct world){ .nentries = cfg->nentries,
			     .shift = cfg->shift ? cfg->shift : 12 };
	make_ram(w);
	if (cfg->holds)
		make_domain(w);
	make_adapter(w);
	make_owner(w);
	make_window(w, &window, cfg->format);
	if (cfg->holds)
		hold_all(w);
}

void world_close(struct world *w)
{
	vd_adapter_destroy(w->a);
	if (w->d) {
		vd_domain_destroy(w->d);
		vd_host_destroy(w->host);
	}
	munmap(w->ram, w->ram_len);
}

struct vd_reader *world_reader(struct world *w)
{
	struct vd_reader *r;

	bench_must(vd_reader_create(w->a, WORLD_DEV, &r) == 0, "reader");
	return r;
}

void world_put(struct world *w, uint64_t i, vd_entry e)
{
	struct vd_put p = { .size = sizeof(p),
			    .owner = WORLD_OWNER,
			    .window = WORLD_W,
			    .bus = world_bus(w, i),
			    .n = 1,
			    .entry = &e };

	bench_must(vd_window_put(w->a, &p) == 0, "put");
}

void world_fill(struct world *w, uint64_t n, uint64_t step)
{
	for (uint64_t i = 0; i < n; i++)
		world_put(w, i * step, world_entry(w, world_page(i)));
}

void world_empty(struct world *w)
{
	bench_must(vd_window_unmap(w->a, WORLD_OWNER, WORLD_W,
				   (vd_iova){ WORLD_BUS },
				   w->nentries << w->shift) == 0,
		   "unmap");
}
