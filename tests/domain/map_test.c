/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

struct map_row {
	const char *what;
	struct vd_seg seg;
	int err;
};

#define SEG(g, l, p)               \
	{                          \
		{ (g) }, (l), (p), \
		{                  \
			0          \
		}                  \
	}

static const struct map_row map_rows[] = {
	{ "length 0", SEG(FX_GPA, 0, RW), -EINVAL },
	{ "no right", SEG(FX_GPA, 1, 0), -EINVAL },
	{ "unknown right", SEG(FX_GPA, 1, 4 | VD_READ), -EINVAL },
	{ "wraps", SEG(UINT64_MAX, 2, RW), -EOVERFLOW },
	{ "2^62 bytes", SEG(FX_GPA, (uint64_t)1 << 62, RW), -EINVAL },
	{ "all there is", SEG(0, UINT64_MAX, RW), -EINVAL },
	{ "more pages than a call holds", SEG(FX_GPA, VD_MAP_MAX_PAGES *PAGE + 1, RW), -EINVAL },
	{ "below memory", SEG(0, 1, RW), -EFAULT },
	{ "begins below memory", SEG(FX_GPA - 1, 2, RW), -EFAULT },
	{ "ends above memory", SEG(FX_GPA + FX_PAGES * PAGE - 1, 2, RW), -EFAULT },
	{ "last byte there is", SEG(UINT64_MAX, 1, RW), -EFAULT },
	{ "first byte of memory", SEG(FX_GPA, 1, VD_READ), 0 },
	{ "last byte of memory", SEG(FX_GPA + FX_PAGES * PAGE - 1, 1, VD_WRITE), 0 },
	{ "all of memory", SEG(FX_GPA, FX_PAGES *PAGE, RW), 0 },
};

static void map_errors(void **state)
{
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(map_rows); i++) {
		const struct map_row *r = &map_rows[i];
		/* A good one before and after it. */
		struct vd_seg segs[3] = { fx_seg(0, 1), r->seg, fx_seg(1, 1) };
		uint64_t refused = fx_info(f, FX_DEV).refused;
		size_t done;

		if (vd_device_map(f->d, FX_DEV, segs, 3, UINT64_MAX) != r->err)
			fail_msg("%s", r->what);
		assert_int_equal(fx_info(f, FX_DEV).refused - refused, r->err != 0);
		if (!r->err)
			assert_int_equal(vd_device_unmap_segs(f->d, FX_DEV, segs, 3, &done), 0);
		assert_int_equal(fx_pinned(f), 0);
	}
}

static void limits_of_a_call(void **state)
{
	struct fx *f = *state;
	struct vd_seg segs[VD_MAP_MAX_SEGS + 1];

	for (size_t i = 0; i <= VD_MAP_MAX_SEGS; i++)
		segs[i] = fx_seg(0, 17); /* 256 * 17 > 4096 */
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(vd_device_map(f->d, FX_DEV, NULL, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, VD_MAP_MAX_SEGS + 1, UINT64_MAX),
			 -EINVAL);
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, VD_MAP_MAX_SEGS, UINT64_MAX), -EINVAL);
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 240, UINT64_MAX), 0);
	assert_int_equal(fx_stats(f).refused_other, 4);
}

static void rights_of_several_mappings_add_up(void **state)
{
	struct fx *f = *state;
	struct vd_seg segs[2] = { fx_seg(0, 4), fx_seg(2, 1) };
	vd_iova in;
	vd_gpa gpa;

	segs[0].prot = VD_READ;
	segs[1].prot = VD_WRITE;
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 2, UINT64_MAX), 0);
	in.v = segs[1].iova.v + 5;
	assert_int_equal(vd_device_translate(f->d, FX_DEV, in, VD_READ, &gpa), 0);
	assert_int_equal(gpa.v, fx_gpa(2).v + 5);
	assert_int_equal(vd_device_translate(f->d, FX_DEV, in, VD_WRITE, &gpa), 0);
	in.v = segs[0].iova.v;
	assert_int_equal(vd_device_translate(f->d, FX_DEV, in, VD_WRITE, &gpa), -EACCES);
	assert_int_equal(vd_device_translate(f->d, FX_DEV, in, RW, &gpa), -EINVAL);
	assert_int_equal(vd_device_translate(f->d, FX_DEV, in, 0, &gpa), -EINVAL);
}

static void list_in_pages(void **state)
{
	struct fx *f = *state;
	struct vd_mapping m[4];
	size_t n = 99;

	for (uint64_t i = 0; i < 10; i++)
		fx_map(f, 9 - i, 1);
	for (size_t from = 0; from < 12; from += 4) {
		assert_int_equal(vd_device_mappings(f->d, FX_DEV, from, m, 4, &n), 0);
		assert_int_equal(n, from < 8 ? 4 : 2);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(m[i].iova.v, VD_FAKE_BASE + (from + i) * PAGE);
			assert_int_equal(m[i].gpa.v, fx_gpa(from + i).v);
			assert_int_equal(m[i].len, PAGE);
			assert_int_equal(m[i].prot, RW);
		}
	}
	assert_int_equal(vd_device_mappings(f->d, FX_DEV, 99, m, 4, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(vd_device_mappings(f->d, FX_DEV, 0, NULL, 0, &n), 0);
	assert_int_equal(n, 0);
}

static void unmap_wants_exactly_what_was_mapped(void **state)
{
	struct fx *f = *state;
	vd_iova a = fx_map(f, 0, 4);

	assert_int_equal(fx_unmap(f, a, 3), -ENOENT);
	assert_int_equal(fx_unmap(f, (vd_iova){ a.v + PAGE }, 3), -ENOENT);
	assert_int_equal(vd_device_unmap(f->d, FX_DEV, a, 0), -ENOENT);
	assert_int_equal(vd_device_unmap(f->d, FX_DEV, a, UINT64_MAX), -ENOENT);
	assert_int_equal(fx_pinned(f), 4);
	assert_int_equal(fx_unmap(f, a, 4), 0);
}

static void peaks(void **state)
{
	struct fx *f = *state;
	vd_iova a = fx_map(f, 0, 4), b = fx_map(f, 0, 8);

	assert_int_equal(fx_unmap(f, a, 4), 0);
	assert_int_equal(fx_unmap(f, b, 8), 0);
	assert_int_equal(fx_stats(f).pinned, 0);
	assert_int_equal(fx_stats(f).pinned_peak, 8 * PAGE);
	assert_int_equal(fx_stats(f).mapped, 0);
	assert_int_equal(fx_stats(f).mapped_peak, 12 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(map_errors),
		fx_test(limits_of_a_call),
		fx_test(rights_of_several_mappings_add_up),
		fx_test(list_in_pages),
		fx_test(unmap_wants_exactly_what_was_mapped),
		fx_test(peaks),
	};

	return run_all(tests);
}
