/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"
#include "mem_nth.h"

struct cfg_row {
	const char *what;
	struct vd_domain_cfg cfg;
	int err;
};

#define CFG(...)                                                  \
	{                                                         \
		.size = sizeof(struct vd_domain_cfg), __VA_ARGS__ \
	}

static const struct cfg_row cfg_rows[] = {
	{ "size 0", { .granule_shift = 12 }, -EINVAL },
	{ "granule 13", CFG(.granule_shift = 13), -EINVAL },
	{ "no granule", CFG(.budget = 0), -EINVAL },
	{ "a budget of nothing", CFG(.granule_shift = 12, .budget = 4095), -EINVAL },
	{ "less than a huge page", CFG(.granule_shift = 21, .budget = 1 << 20), -EINVAL },
	{ "a budget of one page", CFG(.granule_shift = 12, .budget = 4096), 0 },
	{ "too many devices", CFG(.granule_shift = 12, .max_devices = 65537), -EINVAL },
	{ "counts would wrap",
	  CFG(.granule_shift = 12, .max_devices = 65536, .max_mappings = 65536), -EINVAL },
	{ "4 KiB", CFG(.granule_shift = 12), 0 },
	{ "2 MiB", CFG(.granule_shift = 21), 0 },
	{ "at the limit", CFG(.granule_shift = 12, .max_devices = 65536, .max_mappings = 65535),
	  0 },
};

static void create_errors(void **state)
{
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cfg_rows); i++) {
		struct vd_domain *d = NULL;

		if (vd_domain_create(f->host, &cfg_rows[i].cfg, &d) != cfg_rows[i].err)
			fail_msg("%s", cfg_rows[i].what);
		assert_int_equal(d == NULL, cfg_rows[i].err != 0);
		vd_domain_destroy(d);
	}
	assert_int_equal(vd_domain_create(f->host, NULL, NULL), -EINVAL);
}

static void create_fault_sweep(void **state)
{
	const struct vd_domain_cfg cfg = CFG(.granule_shift = 12);
	struct fx *f = *state;
	size_t before = mem_live();
	struct vd_domain *d;
	unsigned int n = 0;
	int err;

	do {
		d = NULL;
		mem_fail(++n);
		err = vd_domain_create(f->host, &cfg, &d);
		mem_fail(0);
		assert_true(err == 0 || (err == -ENOMEM && !d && mem_live() == before));
	} while (err);
	assert_true(n > 3);
	vd_domain_destroy(d);
	assert_int_equal(mem_live(), before);
	vd_domain_destroy(NULL);
}

static void copies(void **state)
{
	struct fx *f = *state;
	unsigned char *more = aligned_alloc(PAGE, PAGE);
	char buf[8] = "";

	assert_non_null(more);
	memset(more, 0, PAGE);
	assert_int_equal(vd_domain_add_memory(f->d, fx_gpa(FX_PAGES), more, PAGE), 0);
	/* Across two stretches. */
	assert_int_equal(vd_domain_copy_out(f->d, (vd_gpa){ fx_gpa(FX_PAGES).v - 3 }, "abcdef", 6),
			 0);
	assert_memory_equal(f->mem + FX_PAGES * PAGE - 3, "abc", 3);
	assert_memory_equal(more, "def", 3);
	assert_int_equal(vd_domain_copy_in(f->d, (vd_gpa){ fx_gpa(FX_PAGES).v - 3 }, buf, 6), 0);
	assert_memory_equal(buf, "abcdef", 6);
	assert_int_equal(vd_domain_check_memory(f->d, fx_gpa(0), (FX_PAGES + 1) * PAGE), 0);
	assert_int_equal(vd_domain_check_memory(f->d, fx_gpa(1), (FX_PAGES + 1) * PAGE), -EFAULT);
	/* The end of memory: nothing is copied. */
	assert_int_equal(vd_domain_copy_out(f->d, (vd_gpa){ fx_gpa(FX_PAGES + 1).v - 1 }, "xy", 2),
			 -EFAULT);
	assert_int_equal(more[PAGE - 1], 0);
	assert_int_equal(vd_domain_copy_in(f->d, fx_gpa(FX_PAGES + 1), buf, 1), -EFAULT);
	assert_int_equal(vd_domain_copy_in(f->d, (vd_gpa){ UINT64_MAX }, buf, 2), -EOVERFLOW);
	assert_int_equal(vd_domain_copy_in(f->d, fx_gpa(9999), buf, 0), 0);
	vd_domain_destroy(f->d);
	f->d = NULL;
	free(more);
}

static void add_memory_is_seen_and_checked(void **state)
{
	struct fx *f = *state;

	assert_int_equal(fx_stats(f).memory, FX_PAGES * PAGE);
	assert_int_equal(vd_domain_add_memory(f->d, fx_gpa(0), f->mem, PAGE), -EEXIST);
	assert_int_equal(fx_stats(f).memory, FX_PAGES * PAGE);
}

static void lower_budget_revokes_nothing(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg = fx_seg(9, 1);
	vd_iova a = fx_map(f, 0, 4);

	assert_true(fx_stats(f).budget == UINT64_MAX);
	vd_domain_set_budget(f->d, 2 * PAGE);
	assert_int_equal(fx_stats(f).budget, 2 * PAGE);
	assert_int_equal(fx_pinned(f), 4);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), -EDQUOT);
	assert_int_equal(fx_unmap(f, a, 4), 0);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	vd_domain_set_budget(f->d, 0);
	assert_true(fx_stats(f).budget == UINT64_MAX);
}

/* Domain death: quiesced first; what is not quiet keeps its pins. */
static void destroy_keeps_pins_of_a_stuck_device(void **state)
{
	struct fx *f = *state;

	assert_int_equal(fx_attach(f, 16, 0x400), 0);
	fx_map(f, 3, 2);
	f->quiesce_says = -EIO;
	vd_domain_destroy(f->d);
	f->d = NULL;
	assert_int_equal(f->nquiesced, 2);
	assert_int_equal(vd_fake_pinned(f->host), 2);
}

static void destroy_quiesces_then_unpins(void **state)
{
	struct fx *f = *state;

	fx_map(f, 3, 2);
	vd_domain_destroy(f->d);
	f->d = NULL;
	assert_int_equal(f->nquiesced, 1);
	assert_int_equal(f->pinned_at_quiesce, 2);
	assert_int_equal(vd_fake_pinned(f->host), 0);
}

/* Two domains on one host know nothing of each other. */
static void two_domains(void **state)
{
	const struct vd_domain_cfg cfg = CFG(.granule_shift = 12);
	struct fx *f = *state, g = *f;

	assert_int_equal(vd_domain_create(f->host, &cfg, &g.d), 0);
	assert_int_equal(vd_domain_add_memory(g.d, fx_gpa(0), g.mem, FX_PAGES * PAGE), 0);
	assert_int_equal(fx_attach(&g, 99, FX_HOST), 0);
	fx_map(f, 0, 1);
	assert_int_equal(fx_stats(&g).pinned, 0);
	assert_int_equal(vd_device_deny(g.d, FX_DEV), -ENODEV);
	vd_domain_destroy(g.d);
	assert_int_equal(fx_pinned(f), 1);
}

static const struct vd_domain_cfg plain = CFG(.granule_shift = 12);

/* A common budget of 10 pages. */
struct common {
	uint64_t left, lent;
	unsigned int asked;
};

static uint64_t take(void *opaque, uint64_t need, uint64_t want)
{
	struct common *c = opaque;

	c->asked++;
	assert_true(need > 0 && need <= want);
	if (c->left < need)
		return 0;
	if (want > c->left)
		want = c->left;
	c->left -= want;
	c->lent += want;
	return want;
}

static void give(void *opaque, uint64_t bytes)
{
	struct common *c = opaque;

	assert_true(bytes > 0 && bytes <= c->lent);
	c->lent -= bytes;
	c->left += bytes;
}

static const struct vd_share_ops share_ops = { sizeof(share_ops), take, give };

static void shares_a_budget(void **state)
{
	struct common c = { .left = 10 * PAGE };
	struct fx *f = *state;
	struct vd_seg seg;
	vd_iova at;

	assert_int_equal(vd_domain_share_budget(f->d, NULL, &c), -EINVAL);
	assert_int_equal(vd_domain_share_budget(f->d, &share_ops, &c), 0);
	assert_int_equal(vd_domain_share_budget(f->d, &share_ops, &c), -EBUSY);
	at = fx_map(f, 0, 4);
	assert_int_equal(fx_stats(f).lent, c.lent);
	assert_true(c.lent >= 4 * PAGE);
	seg = fx_seg(10, 7);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), -EDQUOT);
	assert_int_equal(fx_pinned(f), 4);
	assert_int_equal(c.left + c.lent, 10 * PAGE);
	fx_map(f, 10, 6); /* exactly all of it */
	assert_int_equal(c.left, 0);
	assert_int_equal(fx_unmap(f, at, 4), 0);
	vd_domain_return_share(f->d, PAGE);
	assert_int_equal(c.left, 3 * PAGE);
	vd_domain_return_share(f->d, PAGE); /* nothing more to give */
	assert_int_equal(c.left, 3 * PAGE);
	/* Its own budget holds as well, and more is not borrowed for it. */
	vd_domain_set_budget(f->d, 7 * PAGE);
	seg = fx_seg(20, 2);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), -EDQUOT);
	assert_true(c.lent <= 7 * PAGE);
	fx_map(f, 20, 1);
	fx_unmake(f);
	assert_int_equal(c.left, 10 * PAGE); /* all back */
	fx_make(f, &plain);
}

/* Pages that nobody dares to unpin stay lent for ever. */
static void stuck_pins_stay_lent(void **state)
{
	struct common c = { .left = 10 * PAGE };
	struct fx *f = *state;

	assert_int_equal(vd_domain_share_budget(f->d, &share_ops, &c), 0);
	fx_map(f, 0, 3);
	f->quiesce_says = -EIO;
	fx_unmake(f);
	assert_int_equal(c.lent, 3 * PAGE);
	fx_make(f, &plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(create_errors),
		fx_test(create_fault_sweep),
		fx_test(copies),
		fx_test(shares_a_budget),
		fx_test(stuck_pins_stay_lent),
		fx_test(add_memory_is_seen_and_checked),
		fx_test(lower_budget_revokes_nothing),
		fx_test(destroy_keeps_pins_of_a_stuck_device),
		fx_test(destroy_quiesces_then_unpins),
		fx_test(two_domains),
	};

	return run_all(tests);
}
