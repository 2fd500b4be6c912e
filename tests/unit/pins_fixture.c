/* SPDX-License-Identifier: BSD-2-Clause */
#include "pins_fixture.h"

void px_make(struct px *p, const struct vd_domain_cfg *cfg)
{
	memset(p, 0, sizeof(*p));
	fx_make(&p->fx, cfg);
	assert_int_equal(vd_domain_share_pins(p->fx.d, p->word, PX_WORDS), 0);
}

int px_setup(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct px *p = malloc(sizeof(*p));

	assert_non_null(p);
	px_make(p, &cfg);
	*state = p;
	return 0;
}

int px_teardown(void **state)
{
	struct px *p = *state;

	fx_unmake(&p->fx);
	free(p);
	return 0;
}

uint64_t *px_word(struct px *p, uint64_t i)
{
	return &p->word[PX_FIRST + i];
}

uint64_t px_count(struct px *p, uint64_t i)
{
	return *px_word(p, i) & VD_HAL_WORD_COUNT;
}

int px_map(struct px *p, uint64_t i, uint64_t *bus)
{
	struct vd_seg seg = fx_seg(i, 1);
	unsigned long long at;
	int err;

	if (hal_word_map(px_word(p, i), &at)) {
		*bus = at;
		return 0;
	}
	p->nasked++;
	err = vd_device_pin(p->fx.d, FX_DEV, &seg, 1, UINT64_MAX);
	if (!err)
		*bus = seg.iova.v;
	return err;
}

bool px_unmap(struct px *p, uint64_t i, uint64_t bus)
{
	return hal_word_unmap(px_word(p, i), bus);
}

void px_touch(struct px *p, uint64_t i)
{
	uint64_t bus;

	assert_int_equal(px_map(p, i, &bus), 0);
	assert_true(px_unmap(p, i, bus));
}

struct vd_pins_stats px_stats(struct px *p)
{
	struct vd_pins_stats s = { .size = sizeof(s) };

	vd_domain_pins_stats(p->fx.d, &s);
	return s;
}
