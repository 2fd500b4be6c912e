/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"

#include <errno.h>
#include <string.h>

/* Page @i of the window is page EX_PAGES - 1 - @i of memory: nothing is in a row. */
static void map_backwards(struct ex *x, unsigned int prot)
{
	for (uint64_t i = 0; i < EX_PAGES; i++)
		assert_int_equal(ex_put(x, EX_P1, EX_W, i, ex_entry(EX_PAGES - 1 - i, prot)), 0);
}

static unsigned char *at(struct ex *x, uint64_t byte)
{
	uint64_t page = EX_PAGES - 1 - byte / PAGE;

	return x->p1.mem + page * PAGE + byte % PAGE;
}

static void reads_and_writes(void **state)
{
	static unsigned char in[EX_PAGES * PAGE], out[EX_PAGES * PAGE];
	struct ex *x = *state;
	const uint64_t first = 5, len = sizeof(in) - 11;

	map_backwards(x, RW);
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(i * 7 + i / PAGE);
	memset(x->p1.mem, 0, EX_PAGES * PAGE);
	assert_int_equal(vd_reader_write(x->r1, (vd_iova){ EX_BUS + first }, out, len), 0);
	for (uint64_t i = 0; i < len; i += 97)
		assert_int_equal(*at(x, first + i), out[i]);
	assert_int_equal(*at(x, first - 1), 0);
	assert_int_equal(*at(x, first + len), 0);
	assert_int_equal(vd_reader_read(x->r1, (vd_iova){ EX_BUS + first }, in, len), 0);
	assert_memory_equal(in, out, len);
}

static void nothing_is_little(void **state)
{
	struct ex *x = *state;
	unsigned char b = 3;

	assert_int_equal(vd_reader_read(x->r1, (vd_iova){ 0 }, &b, 0), 0);
	assert_int_equal(vd_reader_write(x->r1, (vd_iova){ UINT64_MAX }, NULL, 0), 0);
	assert_int_equal(b, 3);
}

/* Up to the page that is refused; the fault says which. */
static void stops_at_what_is_refused(void **state)
{
	struct ex *x = *state;
	unsigned char buf[4 * PAGE];
	struct vd_fault f;

	map_backwards(x, RW);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 2, ex_entry(0, VD_READ)), 0);
	memset(buf, 0xaa, sizeof(buf));
	memset(x->p1.mem, 0, EX_PAGES * PAGE);
	assert_int_equal(vd_reader_write(x->r1, ex_bus(0), buf, sizeof(buf)), -EACCES);
	assert_int_equal(*at(x, 2 * PAGE - 1), 0xaa);
	assert_int_equal(*at(x, 3 * PAGE), 0);
	f = ex_fault(x);
	assert_int_equal(f.iova.v, ex_bus(2).v);
	assert_int_equal(f.prot, VD_WRITE);
	assert_int_equal(vd_reader_read(x->r1, ex_bus(0), buf, sizeof(buf)), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 3, (vd_entry){ 0 }), 0);
	assert_int_equal(vd_reader_read(x->r1, ex_bus(0), buf, sizeof(buf)), -ENOENT);
	assert_int_equal(vd_reader_read(x->r1, (vd_iova){ UINT64_MAX }, buf, 2), -EOVERFLOW);
	assert_int_equal(vd_adapter_deny(x->a, EX_D1), 0);
	assert_int_equal(vd_reader_read(x->r1, ex_bus(0), buf, 1), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(reads_and_writes),
		ex_test(nothing_is_little),
		ex_test(stops_at_what_is_refused),
	};

	return run_all(tests);
}
