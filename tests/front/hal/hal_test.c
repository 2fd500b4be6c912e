/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and charge. */
#include "hal_fixture.h"
#include "mem_nth.h"

static void create_errors(void **state)
{
	struct hal_fx *h = *state;
	const struct vd_hal_ops none = { sizeof(none), NULL, NULL, NULL };
	const struct vd_hal_ops *ops = &none;
	struct vd_hal_cfg good = {
		.size = sizeof(good), .domain = h->fx.d, .granule_shift = 12, .nslots = 1
	};
	struct vd_hal_cfg cfg;
	struct vd_hal *out;

	assert_int_equal(vd_hal_create(NULL, &out), -EINVAL);
	cfg = good;
	assert_int_equal(vd_hal_create(&cfg, &out), -EINVAL); /* no ops */
	cfg.ops = ops;
	assert_int_equal(vd_hal_create(&cfg, &out), -EINVAL); /* empty ops */
}

/* The cfg of a HAL that can be made, and one thing wrong in it. */
struct cfg_row {
	const char *what;
	size_t off, len;
	uint64_t value;
	int err;
};

#define CFG(m, v, e)                                                                            \
	{                                                                                       \
#m "=" #v, offsetof(struct vd_hal_cfg, m), sizeof(((struct vd_hal_cfg *)0)->m), \
			(v), (e)                                                                \
	}

static const struct cfg_row cfg_rows[] = {
	CFG(size, 0, -EINVAL),
	CFG(domain, 0, -EINVAL),
	CFG(nslots, 0, -EINVAL),
	CFG(nslots, 1025, -EINVAL),
	CFG(nslots, 1024, 0),
	CFG(granule_shift, 11, -EINVAL),
	CFG(granule_shift, 21, 0),
	CFG(chunk_shift, 11, -EINVAL),
	CFG(chunk_shift, 12, 0),
	CFG(chunk_shift, 32, -EINVAL),
	CFG(chunk_shift, 20, 0),
	CFG(pool.v, 4096, -EINVAL), /* not a chunk's start */
	CFG(pool_len, 4096, -EINVAL),
	CFG(pool_len, (uint64_t)1 << 45, -EINVAL),
	CFG(pool.v, UINT64_MAX - 0xffff, -EINVAL), /* wraps */
	CFG(pool_len, 0, 0),
};

static void in_charge(void *opaque, bool yes)
{
	(void)opaque;
	(void)yes;
}

static void interrupt(void *opaque)
{
	(void)opaque;
}

static void create_checks_its_cfg(void **state)
{
	static const struct vd_hal_ops ops = { sizeof(ops), in_charge, interrupt, NULL };
	struct hal_fx *h = *state;

	for (size_t i = 0; i < ARRAY_LEN(cfg_rows); i++) {
		const struct cfg_row *r = &cfg_rows[i];
		struct vd_hal_cfg cfg = {
			.size = sizeof(cfg),
			.domain = h->fx.d,
			.ops = &ops,
			.granule_shift = 12,
			.nslots = 1,
			.pool = { 1 << 20 },
			.pool_len = 1 << 20,
			.chunk_shift = 16,
		};
		struct vd_hal *out = NULL;

		memcpy((char *)&cfg + r->off, &r->value, r->len);
		if (vd_hal_create(&cfg, &out) != r->err)
			fail_msg("%s", r->what);
		assert_int_equal(out == NULL, r->err != 0);
		vd_hal_destroy(out);
	}
}

/* A chunk of 4 GiB has no register to say so, aligned or not. */
static void create_refuses_huge_chunks(void **state)
{
	static const struct vd_hal_ops ops = { sizeof(ops), in_charge, interrupt, NULL };
	struct hal_fx *h = *state;
	struct vd_hal_cfg cfg = {
		.size = sizeof(cfg),
		.domain = h->fx.d,
		.ops = &ops,
		.granule_shift = 12,
		.nslots = 1,
		.pool = { (uint64_t)1 << 32 },
		.pool_len = (uint64_t)1 << 32,
		.chunk_shift = 32,
	};
	struct vd_hal *out = NULL;

	assert_int_equal(vd_hal_create(&cfg, &out), -EINVAL);
	cfg.chunk_shift = 31;
	assert_int_equal(vd_hal_create(&cfg, &out), 0);
	vd_hal_destroy(out);
}

static void create_fault_sweep(void **state)
{
	static const struct vd_hal_ops ops = { sizeof(ops), in_charge, interrupt, NULL };
	struct hal_fx *h = *state;
	const struct vd_hal_cfg cfg = { .size = sizeof(cfg),
					.domain = h->fx.d,
					.ops = &ops,
					.granule_shift = 12,
					.nslots = 1 };
	size_t before = mem_live();
	struct vd_hal *out = NULL;

	for (unsigned int n = 1; n <= 2; n++) {
		mem_fail(n);
		assert_int_equal(vd_hal_create(&cfg, &out), -ENOMEM);
		assert_int_equal(mem_live(), before);
	}
	mem_fail(0);
	vd_hal_destroy(NULL);
}

struct reg_row {
	uint64_t off;
	uint64_t reads; /* before HELLO, after 5 was written to it */
	bool bad_write; /* the write is counted */
};

static const struct reg_row reg_rows[] = {
	{ VD_HAL_REG_MAGIC, VD_HAL_MAGIC, true },
	{ VD_HAL_REG_VERSION, VD_HAL_VERSION, true },
	{ VD_HAL_REG_FEATURES, VD_HAL_F_POOL | VD_HAL_F_LIVES | VD_HAL_F_ADMIT, true },
	{ VD_HAL_REG_WANTED, 5, false },
	{ VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF, false },
	{ VD_HAL_REG_GRANULE, 12, true },
	{ VD_HAL_REG_NSLOTS, HAL_SLOTS, true },
	{ 0x1c, UINT64_MAX, true },
	{ VD_HAL_REG_POOL_LO, 0, true },
	{ VD_HAL_REG_POOL_HI, 2, true },
	{ VD_HAL_REG_POOL_LEN, 256, true },
	{ VD_HAL_REG_POOL_CHUNK, 16, true },
	{ VD_HAL_REG_SLOT, 5, false },
	{ VD_HAL_REG_SLOT_LO, UINT64_MAX, false },
	{ VD_HAL_REG_DOORBELL, UINT64_MAX, false },
	{ VD_HAL_REG_EVENTS, 0, true },
	{ VD_HAL_REG_PINS_LEN, 0, true },
	{ VD_HAL_REG_PINS_AGE, 0, true },
	{ VD_HAL_REG_BUS_BITS, 36, true },
	{ 0x54, UINT64_MAX, true },
	{ VD_HAL_REG_POOL_BELOW(0), 0, true },
	{ VD_HAL_REG_POOL_BELOW(32), 0, true },
	{ VD_HAL_REG_POOL_BELOW(64), UINT64_MAX, true },
	{ VD_HAL_BAR_LEN, UINT64_MAX, true },
	{ UINT64_MAX - 3, UINT64_MAX, true },
};

static void registers(void **state)
{
	struct hal_fx *h = *state;

	for (size_t i = 0; i < ARRAY_LEN(reg_rows); i++) {
		const struct reg_row *r = &reg_rows[i];
		uint64_t bad = hal_count(h).bad_access;

		vd_hal_write(h->hal, r->off, 4, 5);
		if (hal_count(h).bad_access - bad != r->bad_write)
			fail_msg("write of %#lx", (unsigned long)r->off);
		if (vd_hal_read(h->hal, r->off, 4) != r->reads)
			fail_msg("read of %#lx", (unsigned long)r->off);
	}
	assert_int_equal(hal_count(h).bad_doorbell, 1);
}

static void wrong_widths_and_alignments(void **state)
{
	static const unsigned int widths[] = { 0, 1, 2, 3, 8, 16 };
	struct hal_fx *h = *state;
	uint64_t bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		assert_true(vd_hal_read(h->hal, 0, widths[i]) == UINT64_MAX);
		vd_hal_write(h->hal, VD_HAL_REG_SLOT, widths[i], 7);
		bad += 2;
	}
	for (uint64_t off = 1; off < 4; off++) {
		assert_true(vd_hal_read(h->hal, off, 4) == UINT64_MAX);
		vd_hal_write(h->hal, VD_HAL_REG_SLOT + off, 4, 7);
		bad += 2;
	}
	assert_int_equal(hal_count(h).bad_access, bad);
	assert_int_equal(hal_get(h, VD_HAL_REG_SLOT), 0);
}

static void hello_and_off(void **state)
{
	struct hal_fx *h = *state;

	hal_hello(h);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_HELLO);
	assert_int_equal(h->nin, 1);
	assert_true(hal_count(h).in_charge);
	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO); /* twice is once */
	assert_int_equal(h->nin, 1);
	hal_put(h, VD_HAL_REG_WANTED, 1); /* too late */
	assert_int_equal(hal_get(h, VD_HAL_REG_WANTED), 0);

	fx_map(&h->fx, 0, 1);
	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_OFF);
	assert_int_equal(h->nout, 1);
	assert_int_equal(h->mapped_at_out, 1); /* hidden first, revoked then */
	assert_int_equal(h->fx.nquiesced, 1);
	assert_int_equal(fx_pinned(&h->fx), 0);
	assert_int_equal(fx_info(&h->fx, FX_DEV).state, VD_DEVICE_PERMITTED);
	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
	assert_int_equal(h->nout, 1);

	/* The slots were forgotten. */
	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_REFUSED);
	assert_int_equal(h->nin, 1);
	hal_hello(h);
	assert_int_equal(h->nin, 2);
	assert_int_equal(hal_count(h).hellos, 2);
}

static void refused_hello(void **state)
{
	struct hal_fx *h = *state;

	hal_put(h, VD_HAL_REG_STATUS, 77); /* no such status: nothing */
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_OFF);
	hal_put(h, VD_HAL_REG_WANTED, 2); /* not offered */
	hal_hello(h);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_REFUSED);
	assert_int_equal(h->nin, 0);
	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_POOL);
	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_HELLO);
}

static void bad_slot_pages(void **state)
{
	static const uint64_t bad[] = { 0, FX_GPA + 8, FX_GPA + FX_PAGES * PAGE,
					UINT64_MAX - PAGE + 1 };
	struct hal_fx *h = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		hal_put(h, VD_HAL_REG_SLOT_LO, (uint32_t)bad[i]);
		hal_put(h, VD_HAL_REG_SLOT_HI, (uint32_t)(bad[i] >> 32));
		hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
		assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_REFUSED);
	}
	hal_put(h, VD_HAL_REG_SLOT, HAL_SLOTS);
	hal_put(h, VD_HAL_REG_SLOT_HI, 0);
	assert_int_equal(hal_count(h).bad_access, 1);
}

static void doorbells_that_run_nothing(void **state)
{
	struct hal_fx *h = *state;

	hal_request(h, VD_HAL_OP_MAP, 1);
	assert_int_equal(hal_ring(h), 0xdead); /* not in charge */
	hal_hello(h);
	hal_put(h, VD_HAL_REG_DOORBELL, HAL_SLOTS);
	hal_put(h, VD_HAL_REG_DOORBELL, UINT32_MAX);
	hal_put(h, VD_HAL_REG_SLOT_LO, 1); /* slot 1 is taken away */
	hal_put(h, VD_HAL_REG_SLOT_HI, 0);
	hal_put(h, VD_HAL_REG_DOORBELL, 1);
	assert_int_equal(hal_count(h).bad_doorbell, 4);
	assert_int_equal(hal_count(h).requests, 0);
	assert_int_equal(fx_pinned(&h->fx), 0);
}

static void events(void **state)
{
	struct hal_fx *h = *state;

	vd_hal_notify(h->hal, VD_HAL_EV_BUS); /* nobody there */
	assert_int_equal(h->nirq, 0);
	hal_hello(h);
	assert_int_equal(hal_get(h, VD_HAL_REG_EVENTS), 0);
	vd_hal_notify(h->hal, VD_HAL_EV_BUS);
	assert_int_equal(h->nirq, 1);
	assert_int_equal(hal_get(h, VD_HAL_REG_EVENTS), VD_HAL_EV_BUS);
	assert_int_equal(hal_get(h, VD_HAL_REG_EVENTS), 0);
}

static void reset_with_a_stuck_device(void **state)
{
	struct hal_fx *h = *state;

	hal_hello(h);
	fx_map(&h->fx, 0, 3);
	h->fx.quiesce_says = -EIO;
	assert_int_equal(vd_hal_reset(h->hal), -EIO);
	assert_int_equal(h->nout, 1);
	assert_int_equal(fx_pinned(&h->fx), 3);
	h->fx.quiesce_says = 0;
	assert_int_equal(vd_hal_reset(h->hal), 0);
	assert_int_equal(fx_pinned(&h->fx), 0);
}

static void denied_stays_denied_over_reset(void **state)
{
	struct hal_fx *h = *state;

	hal_hello(h);
	assert_int_equal(vd_device_deny(h->fx.d, FX_DEV), 0);
	assert_int_equal(vd_hal_reset(h->hal), 0);
	assert_int_equal(fx_info(&h->fx, FX_DEV).state, VD_DEVICE_DENIED);
}

/* A guest that crashes, unloads or reboots with counts above 0 leaves none. */
static void counts_end_with_charge(void **state)
{
	struct hal_fx *h = *state;
	uint64_t *word = &h->word[FX_GPA / PAGE];

	assert_int_equal(hal_get(h, VD_HAL_REG_FEATURES),
			 VD_HAL_F_POOL | VD_HAL_F_PINS | VD_HAL_F_LIVES | VD_HAL_F_ADMIT);
	assert_int_equal(hal_get(h, VD_HAL_REG_PINS_LEN), FX_GPA / PAGE + FX_PAGES);
	for (int i = 0; i < 4; i++) {
		hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_PINS);
		hal_hello(h);
		for (int twice = 0; twice < 2; twice++) {
			hal_request(h, VD_HAL_OP_PIN, 5);
			assert_int_equal(hal_ring(h), VD_HAL_S_OK);
		}
		assert_int_equal(word[4] & VD_HAL_WORD_COUNT, 2);
		assert_int_equal(fx_pinned(&h->fx), 5);
		h->word[0] = UINT64_MAX; /* where nothing is, too */
		if (i % 2)
			hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
		else
			assert_int_equal(vd_hal_reset(h->hal), 0);
		assert_int_equal(h->fx.pinned_at_quiesce, 5);
		assert_int_equal(fx_pinned(&h->fx), 0);
		assert_int_equal(word[4], 0);
		assert_int_equal(h->word[0], 0);
	}
}

static void pool_has_a_place(void **state)
{
	struct hal_fx *h = *state;
	uint32_t below[VD_HAL_PLACES] = { [31] = 1, [32] = 3, [63] = 4 };

	vd_hal_place_pool(h->hal, below);
	assert_int_equal(hal_get(h, VD_HAL_REG_POOL_BELOW(30)), 0);
	assert_int_equal(hal_get(h, VD_HAL_REG_POOL_BELOW(31)), 1);
	assert_int_equal(hal_get(h, VD_HAL_REG_POOL_BELOW(32)), 3);
	assert_int_equal(hal_get(h, VD_HAL_REG_POOL_BELOW(63)), 4);
	vd_hal_reset(h->hal); /* it is the host's */
	assert_int_equal(hal_get(h, VD_HAL_REG_POOL_BELOW(32)), 3);
}

static void no_table_no_feature(void **state)
{
	struct hal_fx *h = *state;

	assert_int_equal(hal_get(h, VD_HAL_REG_FEATURES),
			 VD_HAL_F_POOL | VD_HAL_F_LIVES | VD_HAL_F_ADMIT);
	assert_int_equal(hal_get(h, VD_HAL_REG_PINS_LEN), 0);
	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_PINS);
	hal_hello(h);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hal_test(create_errors),
		hal_test(create_checks_its_cfg),
		hal_test(create_refuses_huge_chunks),
		hal_test(create_fault_sweep),
		hal_test(registers),
		hal_test(wrong_widths_and_alignments),
		hal_test(hello_and_off),
		hal_test(refused_hello),
		hal_test(bad_slot_pages),
		hal_test(doorbells_that_run_nothing),
		hal_test(events),
		hal_test(reset_with_a_stuck_device),
		hal_test(denied_stays_denied_over_reset),
		hal_pins_test(counts_end_with_charge),
		hal_test(no_table_no_feature),
		hal_test(pool_has_a_place),
	};

	return run_all(tests);
}
