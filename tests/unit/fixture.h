/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain on the fake host: FX_PAGES pages of guest memory at FX_GPA and one
 * device, FX_DEV.
 */
#ifndef UNIT_FIXTURE_H
#define UNIT_FIXTURE_H

#include "test.h"
#include <viaduct/viaduct.h>

#define FX_PAGES 64u
#define FX_GPA	 0x100000u
#define FX_DEV	 8u
#define FX_HOST	 0x300u
#define PAGE	 VD_PAGE_SIZE
#define RW	 (VD_READ | VD_WRITE)

struct fx {
	struct vd_host *host;
	struct vd_domain *d;
	unsigned char *mem;
	int quiesce_says;
	unsigned int nquiesced;
	size_t pinned_at_quiesce;
	void (*at_quiesce)(struct fx *f); /* may be NULL */
};

extern const struct vd_device_ops fx_ops;

void fx_make(struct fx *f, const struct vd_domain_cfg *cfg);
void fx_unmake(struct fx *f);

/* cmocka's: a fixture with the usual limits. */
int fx_setup(void **state);
int fx_teardown(void **state);

int fx_attach(struct fx *f, uint32_t guest_id, uint32_t host_id);

static inline vd_gpa fx_gpa(uint64_t page)
{
	return (vd_gpa){ FX_GPA + page * PAGE };
}

static inline struct vd_seg fx_seg(uint64_t page, uint64_t npages)
{
	return (struct vd_seg){ .gpa = fx_gpa(page), .len = npages * PAGE, .prot = RW };
}

/* Map whole pages for FX_DEV; must succeed. */
vd_iova fx_map(struct fx *f, uint64_t page, uint64_t npages);
int fx_unmap(struct fx *f, vd_iova iova, uint64_t npages);

struct vd_domain_stats fx_stats(struct fx *f);
struct vd_device_info fx_info(struct fx *f, uint32_t guest_id);

/* Pages pinned, by the engine's count and by the host's, which must agree. */
size_t fx_pinned(struct fx *f);

#define fx_test(t) cmocka_unit_test_setup_teardown(t, fx_setup, fx_teardown)

#endif
