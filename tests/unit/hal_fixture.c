/* SPDX-License-Identifier: BSD-2-Clause */
#include "hal_fixture.h"

static void in_charge(void *opaque, bool yes)
{
	struct hal_fx *h = opaque;

	if (yes) {
		h->nin++;
		return;
	}
	h->nout++;
	h->mapped_at_out = fx_stats(&h->fx).nmappings;
}

static void interrupt(void *opaque)
{
	struct hal_fx *h = opaque;

	h->nirq++;
}

static void admit(void *opaque, uint32_t guest_id, uint32_t life)
{
	struct hal_fx *h = opaque;

	h->nadmitted++;
	h->admitted = guest_id;
	h->admitted_life = life;
}

static const struct vd_hal_ops ops = { sizeof(ops), in_charge, interrupt, admit };

static struct hal_fx *make(uint32_t npins)
{
	const struct vd_domain_cfg domain = { .size = sizeof(domain), .granule_shift = 12 };
	struct hal_fx *h = calloc(1, sizeof(*h));
	struct vd_hal_cfg cfg = {
		.size = sizeof(cfg),
		.ops = &ops,
		.opaque = h,
		.granule_shift = 12,
		.nslots = HAL_SLOTS,
		.pool = { (uint64_t)1 << 33 },
		.pool_len = 1 << 20,
		.chunk_shift = 16,
		.npins = npins,
		.bus_bits = 36,
	};

	assert_non_null(h);
	fx_make(&h->fx, &domain);
	cfg.domain = h->fx.d;
	if (npins) {
		h->word = calloc(npins, sizeof(*h->word));
		assert_non_null(h->word);
		assert_int_equal(vd_domain_share_pins(h->fx.d, h->word, npins), 0);
	}
	assert_int_equal(vd_hal_create(&cfg, &h->hal), 0);
	return h;
}

int hal_setup(void **state)
{
	*state = make(0);
	return 0;
}

int hal_pins_setup(void **state)
{
	*state = make(FX_GPA / PAGE + FX_PAGES);
	return 0;
}

int hal_teardown(void **state)
{
	struct hal_fx *h = *state;

	vd_hal_destroy(h->hal);
	fx_unmake(&h->fx);
	free(h->word);
	free(h);
	return 0;
}

uint32_t hal_get(struct hal_fx *h, uint64_t reg)
{
	return (uint32_t)vd_hal_read(h->hal, reg, 4);
}

void hal_put(struct hal_fx *h, uint64_t reg, uint32_t value)
{
	vd_hal_write(h->hal, reg, 4, value);
}

void hal_hello(struct hal_fx *h)
{
	for (uint32_t i = 0; i < HAL_SLOTS; i++) {
		hal_put(h, VD_HAL_REG_SLOT, i);
		hal_put(h, VD_HAL_REG_SLOT_LO, (uint32_t)fx_gpa(FX_PAGES - 1 - i).v);
		hal_put(h, VD_HAL_REG_SLOT_HI, 0);
	}
	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
}

struct vd_hal_slot *hal_page(struct hal_fx *h, uint32_t slot)
{
	return (struct vd_hal_slot *)(void *)(h->fx.mem + (FX_PAGES - 1 - slot) * PAGE);
}

uint32_t hal_ring(struct hal_fx *h)
{
	hal_page(h, 0)->head.status = 0xdead;
	hal_put(h, VD_HAL_REG_DOORBELL, 0);
	return hal_page(h, 0)->head.status;
}

struct vd_hal_slot *hal_request(struct hal_fx *h, uint32_t op, uint32_t count)
{
	struct vd_hal_slot *p = hal_page(h, 0);

	memset(p, 0, sizeof(*p));
	p->head.op = op;
	p->head.device = op == VD_HAL_OP_DEVICES ? 0 : FX_DEV;
	p->head.count = count;
	if (op == VD_HAL_OP_MAP || op == VD_HAL_OP_PIN)
		p->head.mask = UINT64_MAX;
	for (uint32_t i = 0; i < count && i < VD_HAL_NSEGS; i++)
		p->seg[i] = (struct vd_hal_seg){ fx_gpa(i).v, VD_PAGE_SIZE, RW };
	return p;
}

struct vd_hal_stats hal_count(struct hal_fx *h)
{
	struct vd_hal_stats s = { .size = sizeof(s) };

	vd_hal_stats(h->hal, &s);
	return s;
}
