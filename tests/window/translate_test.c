/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"

/* Asked for twice, then made invalid: the third time it is not there. */
static void a_page_kept_dies_with_its_burst(void **state)
{
	struct ex *x = *state;
	struct vd_target t;
	unsigned char *hva;

	assert_int_equal(ex_put(x, EX_P1, EX_W, 4, ex_entry(6, VD_READ)), 0);
	vd_reader_enter(x->r1);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(vd_translate(x->r1, (vd_iova){ ex_bus(4).v + i }, VD_READ, &t), 0);
		assert_ptr_equal(t.hva, x->p1.mem + 6 * PAGE + i);
		assert_int_equal(t.len, PAGE - i);
		assert_int_equal(t.gpa.v, EX_GPA + 6 * PAGE + i);
		assert_int_equal(t.owner, EX_P1);
	}
	assert_int_equal(vd_translate(x->r1, ex_bus(4), VD_WRITE, &t), -EACCES);
	assert_int_equal(vd_translate(x->r1, ex_bus(4), RW, &t), -EACCES);
	assert_int_equal(vd_translate(x->r1, ex_bus(4), 0, &t), -EINVAL);
	vd_reader_exit(x->r1);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 4, (vd_entry){ 0 }), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(4).v, VD_READ, &hva), -ENOENT);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 4, ex_entry(7, VD_READ)), 0);
	assert_int_equal(vd_translate_once(x->r1, ex_bus(4), VD_READ, &t), 0);
	assert_ptr_equal(t.hva, x->p1.mem + 7 * PAGE);
	assert_int_equal(vd_translate_once(x->r1, ex_bus(4), 0, &t), -EINVAL);
}

/* Each refusal has its own error and its own reason in the ring. */
static void reasons(void **state)
{
	struct ex *x = *state;
	const struct {
		uint64_t bus;
		unsigned int prot;
		int err;
		enum vd_fault_reason reason;
	} rows[] = {
		{ EX_BUS - 1, VD_READ, -ENXIO, VD_FAULT_NO_WINDOW },
		{ 0, VD_READ, -ENXIO, VD_FAULT_NO_WINDOW },
		{ EX_BUS + EX_LEN * PAGE, VD_READ, -ERANGE, VD_FAULT_EXTENT },
		{ UINT64_MAX, VD_WRITE, -ERANGE, VD_FAULT_EXTENT },
		{ EX_BUS + PAGE, VD_READ, -ENOENT, VD_FAULT_UNMAPPED },
		{ EX_BUS + 7, VD_READ, -EACCES, VD_FAULT_DIRECTION },
		{ EX_BUS + 7, RW, -EACCES, VD_FAULT_DIRECTION },
	};
	struct vd_fault f = { .size = sizeof(f) };
	unsigned char *hva;

	assert_int_equal(ex_put(x, EX_P1, EX_W, 0, ex_entry(6, VD_WRITE)), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(ex_access(x->r1, rows[i].bus, rows[i].prot, &hva), rows[i].err);
		f = ex_fault(x);
		assert_int_equal(f.guest_id, EX_D1);
		assert_int_equal(f.iova.v, rows[i].bus);
		assert_int_equal(f.prot, rows[i].prot);
		assert_int_equal(f.reason, rows[i].reason);
	}
	assert_int_equal(vd_adapter_next_fault(x->a, &f), -ENOENT);
}

/* A window of each shape, its first and last page, one call and many. */
static void shapes(void **state)
{
	static const struct {
		unsigned int shift;
		uint64_t n;
	} shape[] = {
		{ 12, 100 },  { 12, 70000 },   { 12, (uint64_t)1 << 30 }, { 12, (uint64_t)1 << 40 },
		{ 16, 1000 }, { 16, 1u << 20 }
	};
	struct ex *x = *state;

	for (uint32_t i = 0; i < ARRAY_LEN(shape) * VD_FORMATS; i++) {
		unsigned int shift = shape[i / VD_FORMATS].shift;
		uint64_t last = shape[i / VD_FORMATS].n - 1;
		const struct vd_table_cfg tcfg = { .size = sizeof(tcfg),
						   .format = i % VD_FORMATS,
						   .page_shift = shift,
						   .nentries = last + 1 };
		struct vd_window_cfg w = {
			.size = sizeof(w), .id = 80, .owner = EX_P1, .len = last + 1
		};
		struct vd_window_range r = { sizeof(r), EX_P1, 80, VD_READ, { 0 }, { EX_GPA }, 0 };
		vd_iova bus[2];
		void *hva[2];

		w.bus.v = (uint64_t)1 << 60;
		r.len = (uint64_t)1 << shift;
		assert_int_equal(vd_table_create(x->a, &tcfg, &w.table), 0);
		assert_int_equal(vd_window_create(x->a, &w), 0);
		bus[0] = r.bus = w.bus;
		assert_int_equal(vd_window_map(x->a, &r), 0);
		bus[1].v = r.bus.v = w.bus.v + (last << shift);
		assert_int_equal(vd_window_map(x->a, &r), 0);
		bus[1].v += r.len - 1;
		vd_reader_enter(x->r1);
		assert_int_equal(vd_translate_pages(x->r1, bus, 2, VD_READ, hva), 0);
		assert_ptr_equal(hva[0], x->p1.mem);
		assert_ptr_equal(hva[1], x->p1.mem + r.len - 1);
		assert_int_equal(vd_translate_pages(x->r1, bus, 2, VD_WRITE, hva), -EACCES);
		assert_int_equal(vd_translate_pages(x->r1, bus, 2, 0, hva), -EINVAL);
		vd_reader_exit(x->r1);
		assert_int_equal(vd_window_destroy(x->a, 80, VD_LIVE_REVOKE), 0);
		assert_int_equal(vd_table_destroy(x->a, w.table), 0);
	}
	assert_int_equal(ex_pinned(&x->p1), 0);
}

static void readers(void **state)
{
	struct ex *x = *state;
	struct vd_reader *r[64];
	size_t n = 0;

	assert_int_equal(vd_reader_create(x->a, 999, &r[0]), -ENODEV);
	while (vd_reader_create(x->a, EX_D1, &r[n]) == 0)
		n++;
	assert_int_equal(n, 62);
	assert_int_equal(vd_reader_create(x->a, EX_D1, &r[n]), -ENOSPC);
	while (n > 0)
		vd_reader_destroy(r[--n]);
	vd_reader_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(a_page_kept_dies_with_its_burst),
		ex_test(reasons),
		ex_test(shapes),
		ex_test(readers),
	};

	return run_all(tests);
}
