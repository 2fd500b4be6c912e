/* SPDX-License-Identifier: BSD-2-Clause */
/* X6: whatever fails, and at whatever step, nothing has changed. */
#include "fixture.h"
#include "mem_nth.h"

struct snapshot {
	struct vd_domain_stats stats;
	struct vd_device_info info;
	uint64_t pins[FX_PAGES];
};

static void take(struct fx *f, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	s->stats.size = sizeof(s->stats);
	s->info.size = sizeof(s->info);
	vd_domain_stats(f->d, &s->stats);
	vd_device_info(f->d, FX_DEV, &s->info);
	/* What a refusal counts. */
	s->stats.refused_budget = s->stats.refused_denied = s->stats.refused_other = 0;
	s->info.refused = 0;
	for (size_t i = 0; i < FX_PAGES; i++)
		s->pins[i] = vd_fake_pins(f->host, i);
}

static void assert_unchanged(struct fx *f, const struct snapshot *before)
{
	struct snapshot now;

	take(f, &now);
	assert_memory_equal(before, &now, sizeof(now));
}

/* Allocation 1, 2, ... fails, then pin call 1, 2, ... */
static int life(struct fx *f)
{
	struct vd_seg segs[4] = { fx_seg(0, 2), fx_seg(1, 3), fx_seg(9, 1), fx_seg(9, 1) };
	struct vd_seg was[4];
	struct snapshot before;
	int err;

	take(f, &before);
	memcpy(was, segs, sizeof(segs));
	err = vd_device_map(f->d, FX_DEV, segs, 4, UINT64_MAX);
	if (err) {
		assert_unchanged(f, &before);
		assert_memory_equal(segs, was, sizeof(segs));
		return err;
	}
	assert_int_equal(fx_pinned(f), 5);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fx_unmap(f, segs[i].iova, segs[i].len / PAGE), 0);
	return 0;
}

static const struct vd_domain_cfg fx_cfg = { .size = sizeof(fx_cfg), .granule_shift = 12 };

static void fault_sweep_of_memory(void **state)
{
	struct fx *f = *state;
	unsigned int n = 0;
	int err;

	/* The pools fill as it goes on, so each life needs less: begin with an
	 * empty domain each time. */
	do {
		fx_unmake(f);
		assert_int_equal(mem_live(), 0);
		fx_make(f, &fx_cfg);
		mem_fail(++n);
		err = life(f);
		mem_fail(0);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(fx_pinned(f), 0);
	} while (err);
	/* Four mappings, at least one node in each index. */
	assert_true(n > 4 + 2);
}

static void fault_sweep_of_pins(void **state)
{
	const int errs[] = { -ENOMEM, -EFAULT, -ENOSPC };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		vd_fake_fail(f->host, 1, errs[i]);
		assert_int_equal(life(f), errs[i]);
		assert_int_equal(life(f), 0);
		assert_int_equal(fx_pinned(f), 0);
	}
}

static void one_host_call_for_all_segments(void **state)
{
	struct fx *f = *state;
	struct vd_seg segs[VD_MAP_MAX_SEGS];
	uint64_t calls = vd_fake_calls(f->host);
	size_t done;

	for (size_t i = 0; i < VD_MAP_MAX_SEGS; i++)
		segs[i] = fx_seg(i % FX_PAGES, 1);
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, VD_MAP_MAX_SEGS, UINT64_MAX), 0);
	assert_int_equal(vd_fake_calls(f->host) - calls, 1);
	assert_int_equal(vd_device_unmap_segs(f->d, FX_DEV, segs, VD_MAP_MAX_SEGS, &done), 0);
	assert_int_equal(done, VD_MAP_MAX_SEGS);
	assert_int_equal(vd_fake_calls(f->host) - calls, 2);
	assert_int_equal(fx_pinned(f), 0);
}

static void unmap_stops_at_the_first_failure(void **state)
{
	struct fx *f = *state;
	struct vd_seg segs[3] = { fx_seg(0, 1), fx_seg(1, 1), fx_seg(2, 1) };
	size_t done = 99;

	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 3, UINT64_MAX), 0);
	segs[1].len--;
	assert_int_equal(vd_device_unmap_segs(f->d, FX_DEV, segs, 3, &done), -ENOENT);
	assert_int_equal(done, 1);
	assert_int_equal(fx_pinned(f), 2);
	assert_int_equal(vd_device_unmap_segs(f->d, FX_DEV, segs, 0, &done), -EINVAL);
	assert_int_equal(vd_device_unmap_segs(f->d, FX_DEV, segs, VD_MAP_MAX_SEGS + 1, &done),
			 -EINVAL);
	assert_int_equal(vd_device_unmap_segs(f->d, 1, segs, 3, &done), -ENODEV);
	assert_int_equal(done, 0);
}

struct place_row {
	const char *what;
	size_t page; /* that is moved */
	uint64_t at; /* to there */
	uint64_t mask;
	int err;
};

/* Of a map of pages 4 and 5 in one segment. */
static const struct place_row place_rows[] = {
	{ "contiguous", 0, 0, UINT64_MAX, 0 },
	{ "second page elsewhere", 5, VD_FAKE_BASE + 7 * PAGE, UINT64_MAX, -EXDEV },
	{ "second page below the first", 5, VD_FAKE_BASE + 3 * PAGE, UINT64_MAX, -EXDEV },
	{ "first page at the top", 4, UINT64_MAX - PAGE + 1, UINT64_MAX, -EXDEV },
	{ "mask is the last byte", 0, 0, VD_FAKE_BASE + 6 * PAGE - 1, 0 },
	{ "last byte above the mask", 0, 0, VD_FAKE_BASE + 6 * PAGE - 2, -ERANGE },
	{ "32-bit mask", 0, 0, UINT32_MAX, -ERANGE },
	{ "no mask at all", 0, 0, 0, -ERANGE },
};

static void place_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(place_rows); i++) {
		const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
		const struct place_row *r = &place_rows[i];
		struct vd_seg segs[2] = { fx_seg(4, 2), fx_seg(4, 2) };
		struct snapshot before;
		struct fx f;

		fx_make(&f, &cfg);
		take(&f, &before);
		if (r->page)
			vd_fake_place(f.host, r->page, (vd_hpa){ r->at });
		if (vd_device_map(f.d, FX_DEV, segs, 2, r->mask) != r->err)
			fail_msg("%s", r->what);
		if (r->err)
			assert_unchanged(&f, &before);
		fx_unmake(&f);
	}
}

/* X3, with a host that says that two guest pages are at one place. */
static void host_that_lies_about_places(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg = fx_seg(1, 1), two[2] = { fx_seg(2, 1), fx_seg(3, 1) };
	struct snapshot before;

	fx_map(f, 0, 1);
	vd_fake_place(f->host, 1, (vd_hpa){ VD_FAKE_BASE });
	take(f, &before);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), -EEXIST);
	seg.gpa.v += 100; /* other bytes of that page */
	seg.len = 10;
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), -EEXIST);
	/* Both in one call. */
	vd_fake_place(f->host, 3, (vd_hpa){ VD_FAKE_BASE + 2 * PAGE });
	assert_int_equal(vd_device_map(f->d, FX_DEV, two, 2, UINT64_MAX), -EEXIST);
	assert_unchanged(f, &before);
}

/* A long run that shares its middle with another place. */
static void alias_inside_a_run(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg = fx_seg(10, 8);
	vd_iova a = fx_map(f, 10, 1), b = fx_map(f, 12, 1);

	vd_fake_place(f->host, 40, (vd_hpa){ VD_FAKE_BASE + 15 * PAGE });
	fx_map(f, 40, 1);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), -EEXIST);
	seg = fx_seg(10, 5);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	assert_int_equal(fx_unmap(f, a, 1), 0);
	assert_int_equal(fx_unmap(f, b, 1), 0);
}

static void sub_page_segments(void **state)
{
	struct fx *f = *state;
	struct vd_seg segs[2] = {
		{ .gpa = { fx_gpa(2).v + 100 }, .len = 50, .prot = VD_READ },
		{ .gpa = { fx_gpa(2).v + PAGE - 1 }, .len = 2, .prot = VD_WRITE },
	};

	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 2, UINT64_MAX), 0);
	assert_int_equal(segs[0].iova.v, VD_FAKE_BASE + 2 * PAGE + 100);
	assert_int_equal(segs[1].iova.v, VD_FAKE_BASE + 3 * PAGE - 1);
	assert_int_equal(fx_pinned(f), 2);
	assert_int_equal(fx_stats(f).mapped, 52);
	assert_int_equal(vd_device_unmap(f->d, FX_DEV, segs[1].iova, 2), 0);
	assert_int_equal(fx_pinned(f), 1);
}

/* A granule of 2 MiB is pinned by any of its bytes. */
static void big_granules_are_counted_whole(void **state)
{
	const struct vd_domain_cfg cfg = {
		.size = sizeof(cfg),
		.granule_shift = 21,
		.budget = 2u << 21,
	};
	const uint64_t big = 1u << 21;
	struct vd_device_cfg dev = { sizeof(dev), 1, 1, &fx_ops, NULL };
	unsigned char *mem = aligned_alloc(big, 4 * big);
	struct vd_domain_stats st = { .size = sizeof(st) };
	struct vd_host *host;
	struct vd_domain *d;
	struct fx f = { .nquiesced = 0 };
	struct vd_seg segs[3] = {
		{ .gpa = { big - 1 }, .len = 2, .prot = RW },
		{ .gpa = { 5 }, .len = 9, .prot = RW },
		{ .gpa = { 2 * big }, .len = 1, .prot = RW },
	};

	(void)state;
	assert_non_null(mem);
	dev.opaque = &f;
	assert_int_equal(vd_host_fake_create(mem, 4 * big / PAGE, &host), 0);
	f.host = host;
	assert_int_equal(vd_domain_create(host, &cfg, &d), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 0 }, mem, 4 * big), 0);
	assert_int_equal(vd_device_attach(d, &dev), 0);
	assert_int_equal(vd_device_map(d, 1, segs, 3, UINT64_MAX), -EDQUOT);
	assert_int_equal(vd_device_map(d, 1, segs, 2, UINT64_MAX), 0);
	vd_domain_stats(d, &st);
	assert_int_equal(st.pinned, 2 * big);
	assert_int_equal(vd_fake_pinned(host), 3);
	vd_domain_destroy(d);
	vd_host_destroy(host);
	free(mem);
}

struct bound_row {
	const char *what;
	uint64_t budget;
	uint64_t most; /* mappings of all devices together */
};

static const struct bound_row bound_rows[] = {
	{ "a budget of one page", PAGE, VD_DOMAIN_SPARE_MAPPINGS + 1 },
	{ "all memory but a page", (FX_PAGES - 1) * PAGE, VD_DOMAIN_SPARE_MAPPINGS + FX_PAGES - 1 },
	{ "more than memory", 2 * FX_PAGES *PAGE, VD_DOMAIN_SPARE_MAPPINGS + FX_PAGES },
	{ "no limit", 0, VD_DOMAIN_SPARE_MAPPINGS + FX_PAGES },
};

/* Map 16 bytes of the first page until that is refused, by devices in turn. */
static uint64_t fill(struct fx *f, int *err)
{
	uint64_t n = 0;

	do {
		struct vd_seg seg = { .gpa = fx_gpa(0), .len = 16, .prot = RW };

		*err = vd_device_map(f->d, n % 2 ? FX_DEV : FX_DEV + 1, &seg, 1, UINT64_MAX);
		n += !*err;
	} while (!*err && n < 2 * VD_DOMAIN_SPARE_MAPPINGS);
	return n;
}

/* Of one page as many as of all: what they cost is bounded by the budget. */
static void mappings_of_one_page_are_bounded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bound_rows); i++) {
		const struct bound_row *r = &bound_rows[i];
		const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
		struct snapshot before;
		struct fx f;
		uint64_t n;
		int err;

		fx_make(&f, &cfg);
		assert_int_equal(fx_attach(&f, FX_DEV + 1, FX_HOST + 1), 0);
		vd_domain_set_budget(f.d, r->budget);
		n = fill(&f, &err);
		if (n != r->most || err != -ENOSPC)
			fail_msg("%s: %zu mappings, then %d", r->what, (size_t)n, err);
		take(&f, &before);
		fill(&f, &err);
		assert_unchanged(&f, &before);
		fx_unmake(&f);
	}
}

static void map_and_unmap_again(struct fx *f, uint32_t dev, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct vd_seg seg = { .gpa = fx_gpa(0), .len = 16, .prot = RW };

		assert_int_equal(vd_device_map(f->d, dev, &seg, 1, UINT64_MAX), 0);
		assert_int_equal(vd_device_unmap(f->d, dev, seg.iova, 16), 0);
	}
}

/* What a device that did not stop still holds is in no count of mappings, but
 * it is there. */
static void held_mappings_count(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg[VD_MAP_MAX_SEGS];
	size_t done;
	int err;

	assert_int_equal(fx_attach(f, FX_DEV + 1, FX_HOST + 1), 0);
	map_and_unmap_again(f, FX_DEV, 2 * VD_DOMAIN_SPARE_MAPPINGS);
	for (size_t i = 0; i < VD_MAP_MAX_SEGS; i++)
		seg[i] = (struct vd_seg){ .gpa = fx_gpa(0), .len = 16, .prot = RW };
	assert_int_equal(vd_device_map(f->d, FX_DEV, seg, VD_MAP_MAX_SEGS, UINT64_MAX), 0);
	f->quiesce_says = -EIO;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), -EIO);
	assert_int_equal(vd_device_unmap_segs(f->d, FX_DEV, seg, VD_MAP_MAX_SEGS, &done), 0);
	assert_int_equal(fx_stats(f).nmappings, 0);
	/* The other device gets what is left. */
	done = 0;
	do {
		err = vd_device_map(f->d, FX_DEV + 1, seg, 1, UINT64_MAX);
		done += !err;
	} while (!err);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(done, VD_DOMAIN_SPARE_MAPPINGS + FX_PAGES - VD_MAP_MAX_SEGS);
	f->quiesce_says = 0;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), 0);
	assert_int_equal(vd_device_map(f->d, FX_DEV + 1, seg, 1, UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(fault_sweep_of_memory),
		fx_test(fault_sweep_of_pins),
		fx_test(one_host_call_for_all_segments),
		fx_test(unmap_stops_at_the_first_failure),
		cmocka_unit_test(place_errors),
		fx_test(host_that_lies_about_places),
		fx_test(alias_inside_a_run),
		fx_test(sub_page_segments),
		cmocka_unit_test(big_granules_are_counted_whole),
		cmocka_unit_test(mappings_of_one_page_are_bounded),
		fx_test(held_mappings_count),
	};

	return run_all(tests);
}
