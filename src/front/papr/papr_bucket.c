/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bit bucket: a page that devices may write and that nobody reads.
 *
 * When a redirected entry ends under a server that did not ask for it, its
 * adapter may still be at work. So the entry is not made invalid but leads to
 * the bucket: what the adapter writes is dropped, and a read is a fault. That
 * lasts until the server overwrites or removes the entry.
 *
 * The page is of no partition. Servers reach it as they reach their clients'
 * memory, at an address that no guest can name; and whatever entry names it is
 * made here, with the right to write only. So one page does for all, and nothing
 * that goes in ever comes out.
 *
 * A window of our own keeps the page pinned. So an entry needs nothing to lead
 * there, which cannot fail where the copy stood; and nobody's count of mapped
 * bytes has the page in it.
 */
#include "papr_state.h"

#define OWNER (VD_PAPR_FIRST_OWNER + PAPR_MAX_CLIENTS + VD_PAPR_MAX_VIOS)
#define LIOBN UINT32_MAX
#define BASE  ((uint64_t)(VD_PAPR_MAX_PARTITIONS + 1) << PAPR_FOREIGN_SHIFT)

static int make_owner(struct vd_papr *p)
{
	const struct vd_owner_cfg cfg = {
		.size = sizeof(cfg),
		.id = OWNER,
		.provider = VD_NO_OWNER,
		.domain = p->cfg.bucket,
	};

	return vd_owner_add(p->vio_adapter, &cfg);
}

/* No device is this owner's, so nothing is reached by it. */
static int make_window(struct vd_papr *p)
{
	const struct vd_table_cfg t = {
		.size = sizeof(t),
		.format = VD_FORMAT_TCE,
		.page_shift = VD_PAGE_SHIFT,
		.nentries = 1,
	};
	struct vd_window_cfg w = {
		.size = sizeof(w),
		.id = LIOBN,
		.owner = OWNER,
		.len = 1,
	};
	int err = vd_table_create(p->vio_adapter, &t, &w.table);

	return err ? err : vd_window_create(p->vio_adapter, &w);
}

static int pin(struct vd_papr *p)
{
	const vd_entry entry = { VD_WRITE };
	struct vd_put put = {
		.size = sizeof(put),
		.owner = OWNER,
		.window = LIOBN,
		.n = 1,
		.entry = &entry,
	};

	return vd_window_put(p->vio_adapter, &put);
}

/* What it makes goes with the adapter of virtual devices. */
int papr_bucket_make(struct vd_papr *p)
{
	int err;

	if (!p->cfg.bucket)
		return 0;
	err = make_owner(p);
	if (!err)
		err = make_window(p);
	return err ? err : pin(p);
}

/* Entries of @pane may lead to the bucket. Again does no harm. */
int papr_bucket_reach(struct vd_papr *p, const struct papr_pane *pane)
{
	if (!p->cfg.bucket)
		return 0;
	return vd_owner_reach(pane->adapter, pane->owner, p->cfg.bucket, BASE);
}

/* One that leads to the bucket; invalid, if there is none. */
vd_entry papr_bucket_entry(const struct vd_papr *p)
{
	return (vd_entry){ p->cfg.bucket ? BASE | VD_WRITE : 0 };
}
