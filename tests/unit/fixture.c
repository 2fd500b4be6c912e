/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

static int quiesce(void *opaque)
{
	struct fx *f = opaque;

	f->nquiesced++;
	f->pinned_at_quiesce = vd_fake_pinned(f->host);
	if (f->at_quiesce)
		f->at_quiesce(f);
	return f->quiesce_says;
}

const struct vd_device_ops fx_ops = { sizeof(fx_ops), quiesce };

int fx_attach(struct fx *f, uint32_t guest_id, uint32_t host_id)
{
	struct vd_device_cfg cfg = {
		.size = sizeof(cfg),
		.guest_id = guest_id,
		.host_id = host_id,
		.ops = &fx_ops,
		.opaque = f,
	};

	return vd_device_attach(f->d, &cfg);
}

void fx_make(struct fx *f, const struct vd_domain_cfg *cfg)
{
	memset(f, 0, sizeof(*f));
	f->mem = aligned_alloc(PAGE, FX_PAGES * PAGE);
	assert_non_null(f->mem);
	memset(f->mem, 0, FX_PAGES * PAGE);
	assert_int_equal(vd_host_fake_create(f->mem, FX_PAGES, &f->host), 0);
	assert_int_equal(vd_domain_create(f->host, cfg, &f->d), 0);
	assert_int_equal(vd_domain_add_memory(f->d, fx_gpa(0), f->mem, FX_PAGES * PAGE), 0);
	assert_int_equal(fx_attach(f, FX_DEV, FX_HOST), 0);
}

void fx_unmake(struct fx *f)
{
	vd_domain_destroy(f->d);
	vd_host_destroy(f->host);
	free(f->mem);
}

int fx_setup(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct fx *f = malloc(sizeof(*f));

	assert_non_null(f);
	fx_make(f, &cfg);
	*state = f;
	return 0;
}

int fx_teardown(void **state)
{
	fx_unmake(*state);
	free(*state);
	return 0;
}

vd_iova fx_map(struct fx *f, uint64_t page, uint64_t npages)
{
	struct vd_seg seg = fx_seg(page, npages);

	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	return seg.iova;
}

int fx_unmap(struct fx *f, vd_iova iova, uint64_t npages)
{
	return vd_device_unmap(f->d, FX_DEV, iova, npages * PAGE);
}

struct vd_domain_stats fx_stats(struct fx *f)
{
	struct vd_domain_stats s = { .size = sizeof(s) };

	vd_domain_stats(f->d, &s);
	return s;
}

struct vd_device_info fx_info(struct fx *f, uint32_t guest_id)
{
	struct vd_device_info info = { .size = sizeof(info) };

	assert_int_equal(vd_device_info(f->d, guest_id, &info), 0);
	return info;
}

size_t fx_pinned(struct fx *f)
{
	size_t n = vd_fake_pinned(f->host);

	assert_int_equal(fx_stats(f).pinned, n * PAGE);
	return n;
}
