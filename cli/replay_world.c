/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay_world.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define OWNER	     1u
#define DEVICE	     1u
#define LOW_WINDOW   ((uint64_t)1 << 30)
#define VIO_TABLE    ((uint64_t)256 << 20)
#define GRANT_LIOBNS 0xf0000000u

static int make_domain(struct world *w)
{
	const struct vd_domain_cfg cfg = {
		.size = sizeof(cfg),
		.granule_shift = VD_PAGE_SHIFT,
	};
	int err = vd_host_fake_create(w->ram, w->ram_len / VD_PAGE_SIZE,
				      &w->host);

	if (!err)
		err = vd_domain_create(w->host, &cfg, &w->domain);
	if (!err)
		err = vd_domain_add_memory(w->domain, (vd_gpa){ 0 }, w->ram,
					   w->ram_len);
	return err;
}

static int make_papr(struct world *w)
{
	const struct vd_papr_cfg cfg = {
		.size = sizeof(cfg),
		.grant_liobn = GRANT_LIOBNS,
	};
	const struct vd_papr_partition guest = {
		.size = sizeof(guest),
		.id = WORLD_PARTITION,
		.domain = w->domain,
	};
	int err = vd_papr_create(&cfg, &w->papr);

	return err ? err : vd_papr_add_partition(w->papr, &guest);
}

int world_make(struct world *w, uint64_t ram_len)
{
	struct world_pe pe[WORLD_BRIDGES];
	int err;

	memcpy(pe, w->pe, sizeof(pe));
	memset(w, 0, sizeof(*w));
	memcpy(w->pe, pe, sizeof(pe));
	/* Only pages that a list is written to are ever touched. */
	w->ram_len = ram_len;
	w->ram = mmap(NULL, ram_len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->ram == MAP_FAILED) {
		w->ram = NULL;
		return -ENOMEM;
	}
	err = make_domain(w);
	if (!err)
		err = make_papr(w);
	if (err)
		world_end(w);
	return err;
}

void world_end(struct world *w)
{
	for (size_t i = 0; i < WORLD_BRIDGES; i++)
		vd_reader_destroy(w->reader[i]);
	for (size_t i = 0; i < w->nvios; i++)
		vd_reader_destroy(w->vio_reader[i]);
	vd_papr_destroy(w->papr);
	for (size_t i = 0; i < WORLD_BRIDGES; i++)
		vd_adapter_destroy(w->bridge[i]);
	vd_domain_destroy(w->domain);
	vd_host_destroy(w->host);
	if (w->ram)
		munmap(w->ram, w->ram_len);
}

static int add_pe(struct world *w, uint32_t n)
{
	const struct vd_papr_pe pe = {
		.size = sizeof(pe),
		.partition = WORLD_PARTITION,
		.buid = WORLD_BUID + n,
		.config_addr = VD_PAPR_WHOLE_BRIDGE,
		.adapter = w->bridge[n],
		.owner = OWNER,
		.liobn = WORLD_LIOBN + (n << 8),
		.len = LOW_WINDOW,
		.max_windows = w->pe[n].max_windows,
		.slot_shift = w->pe[n].slot_shift,
		.page_sizes = w->pe[n].page_sizes,
		.max_tces = w->pe[n].max_tces,
	};

	return vd_papr_add_pe(w->papr, &pe);
}

static int add_bridge(struct world *w, uint32_t n)
{
	const struct vd_adapter_cfg cfg = {
		.size = sizeof(cfg),
	};
	const struct vd_owner_cfg owner = {
		.size = sizeof(owner),
		.id = OWNER,
		.provider = VD_NO_OWNER,
		.domain = w->domain,
	};
	int err;

	if (w->bridge[n])
		return 0;
	err = vd_adapter_create(&cfg, &w->bridge[n]);
	if (!err)
		err = vd_owner_add(w->bridge[n], &owner);
	if (!err)
		err = vd_adapter_attach(w->bridge[n], DEVICE, OWNER);
	if (!err)
		err = vd_reader_create(w->bridge[n], DEVICE, &w->reader[n]);
	return err ? err : add_pe(w, n);
}

static bool is_bridge(uint64_t liobn)
{
	return liobn >= WORLD_LIOBN &&
	       liobn - WORLD_LIOBN < (uint64_t)WORLD_BRIDGES << 8;
}

static size_t find_vio(const struct world *w, uint64_t liobn)
{
	size_t i = 0;

	while (i < w->nvios && w->vio[i] != liobn)
		i++;
	return i;
}

static int add_vio(struct world *w, uint32_t liobn)
{
	const struct vd_papr_vio vio = {
		.size = sizeof(vio),
		.partition = WORLD_PARTITION,
		.unit = liobn,
		.liobn = liobn,
		.len = VIO_TABLE,
	};
	size_t n = find_vio(w, liobn);
	int err;

	if (n < w->nvios)
		return 0;
	err = vd_papr_add_vio(w->papr, &vio);
	if (!err)
		err = vd_reader_create(vd_papr_vio_adapter(w->papr), liobn,
				       &w->vio_reader[n]);
	if (!err)
		w->vio[w->nvios++] = liobn;
	return err;
}

int world_table(struct world *w, uint64_t liobn)
{
	if (is_bridge(liobn))
		return add_bridge(w, (uint32_t)(liobn - WORLD_LIOBN) >> 8);
	if (liobn == 0 || liobn > UINT32_MAX)
		return -EINVAL;
	return add_vio(w, (uint32_t)liobn);
}

/* Who translates by a window of @a, or nobody: there is no such window. */
static struct vd_reader *reader_of(struct vd_adapter *a, struct vd_reader *r,
				   uint32_t liobn, struct vd_window_info *info)
{
	return a && vd_window_query(a, liobn, info) == 0 ? r : NULL;
}

struct vd_reader *world_reader(struct world *w, uint64_t liobn,
			       struct vd_window_info *info)
{
	size_t n;

	if (is_bridge(liobn)) {
		n = (liobn - WORLD_LIOBN) >> 8;
		return reader_of(w->bridge[n], w->reader[n], (uint32_t)liobn,
				 info);
	}
	n = find_vio(w, liobn);
	if (n == w->nvios)
		return NULL;
	return reader_of(vd_papr_vio_adapter(w->papr), w->vio_reader[n],
			 (uint32_t)liobn, info);
}
