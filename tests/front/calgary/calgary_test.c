/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers are those of the hardware's Linux driver. */
#include "papr_fixture.h"
#include <viaduct/calgary.h>

#define TABLE 0x12800000u /* where the host has put it */
#define ALL   (1u << 20)  /* entries of code 7 */

static struct vd_table *make_table(struct pf *f, enum vd_format format, unsigned int shift)
{
	const struct vd_table_cfg t = { .size = sizeof(t),
					.format = format,
					.page_shift = shift,
					.nentries = ALL,
					.at = TABLE };
	struct vd_table *table;

	assert_int_equal(vd_table_create(f->a, &t, &table), 0);
	return table;
}

static int window(struct pf *f, struct vd_table *t, uint64_t first, uint64_t len)
{
	const struct vd_window_cfg w = { .size = sizeof(w),
					 .id = 9,
					 .owner = PE_OWNER,
					 .bus = { HIGH },
					 .table = t,
					 .first = first,
					 .len = len };

	return vd_window_create(f->a, &w);
}

/* The TAR of window 9. */
static int tar(struct pf *f, uint64_t *out)
{
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(vd_window_query(f->a, 9, &w), 0);
	return vd_calgary_tar(f->a, w.slot, out);
}

static void test_codes(void **state)
{
	struct pf *f = *state;
	struct vd_table *t = make_table(f, VD_FORMAT_TCE, 12);
	uint64_t v, table, len;

	for (uint64_t code = 0; code < 8; code++) {
		assert_int_equal(window(f, t, 0, 8192u << code), 0);
		assert_int_equal(tar(f, &v), 0);
		assert_int_equal(v, TABLE | 8 | code);
		assert_int_equal(vd_calgary_decode(v, &table, &len), 0);
		assert_int_equal(table, TABLE);
		assert_int_equal(len, 8192u << code);
		assert_int_equal(vd_window_destroy(f->a, 9, VD_LIVE_REFUSE), 0);
	}
}

/* A split is seen: the register keeps its table and says a shorter length. */
static void test_split(void **state)
{
	const struct vd_split s = { .size = sizeof(s),
				    .id = 9,
				    .newid = 10,
				    .owner = PE_OWNER,
				    .keep = ALL / 2,
				    .live = VD_LIVE_REFUSE };
	const struct vd_merge m = {
		.size = sizeof(m), .keep = 9, .clear = 10, .owner = PE_OWNER, .live = VD_LIVE_REFUSE
	};
	struct pf *f = *state;
	struct vd_window_info w = { .size = sizeof(w) };
	uint64_t before, v;

	assert_int_equal(window(f, make_table(f, VD_FORMAT_TCE, 12), 0, ALL), 0);
	assert_int_equal(tar(f, &before), 0);
	assert_int_equal(before & 7, 7);
	assert_int_equal(vd_window_split(f->a, &s), 0);
	assert_int_equal(tar(f, &v), 0);
	assert_int_equal(v, TABLE | 8 | 6);
	assert_int_equal(vd_window_query(f->a, 10, &w), 0);
	assert_int_equal(vd_calgary_tar(f->a, w.slot, &v), 0);
	assert_int_equal(v, (TABLE + ALL / 2 * 8) | 8 | 6);
	assert_int_equal(vd_window_merge(f->a, &m), 0);
	assert_int_equal(vd_calgary_tar(f->a, w.slot, &v), 0);
	assert_int_equal(v, 0); /* cleared: disabled */
	assert_int_equal(tar(f, &v), 0);
	assert_int_equal(v, before);
	assert_int_equal(vd_window_destroy(f->a, 9, VD_LIVE_REFUSE), 0);
}

static void test_cannot_be_said(void **state)
{
	static const struct {
		enum vd_format format;
		unsigned int shift;
		uint64_t first, len;
	} rows[] = {
		{ VD_FORMAT_TCE, 12, 0, 8191 },	    { VD_FORMAT_TCE, 12, 0, 4096 },
		{ VD_FORMAT_TCE, 12, 0, 3 * 8192 }, { VD_FORMAT_TCE, 12, 1, 8192 },
		{ VD_FORMAT_TCE, 12, 8192, 16384 }, { VD_FORMAT_TCE, 16, 0, 8192 },
		{ VD_FORMAT_NATIVE, 12, 0, 8192 },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vd_table *t = make_table(f, rows[i].format, rows[i].shift);
		uint64_t v = 77;

		assert_int_equal(window(f, t, rows[i].first, rows[i].len), 0);
		assert_int_equal(tar(f, &v), -ERANGE);
		assert_int_equal(v, 77);
		assert_int_equal(vd_window_destroy(f->a, 9, VD_LIVE_REFUSE), 0);
		assert_int_equal(vd_table_destroy(f->a, t), 0);
	}
}

static void test_decode(void **state)
{
	uint64_t table = 5, len = 6, v;
	struct pf *f = *state;

	assert_int_equal(vd_calgary_decode(0, &table, &len), -ENOENT);
	assert_int_equal(vd_calgary_decode(TABLE | 7, &table, &len), -ENOENT);
	assert_int_equal(vd_calgary_decode(TABLE | 8 | 0x10, &table, &len), -EINVAL);
	assert_int_equal(vd_calgary_decode(1ull << 48 | 8, &table, &len), -EINVAL);
	assert_int_equal(vd_calgary_decode(0x8000 | 8, &table, &len), -EINVAL);
	assert_int_equal(vd_calgary_decode(0x10000 | 8 | 1, &table, &len), -EINVAL);
	assert_int_equal(table, 5);
	assert_int_equal(len, 6);
	assert_int_equal(vd_calgary_decode(0x20000 | 8 | 1, &table, &len), 0);
	assert_int_equal(vd_calgary_tar(f->a, 999, &v), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_codes),
		pf_test(test_split),
		pf_test(test_cannot_be_said),
		pf_test(test_decode),
	};

	return run_all(tests);
}
