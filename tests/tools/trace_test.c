/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* needs the four above */
#include <cmocka.h>

static void test_lines(void **state)
{
	struct trace_line l;

	(void)state;
	assert_int_equal(trace_parse("spapr_iommu_pci_put liobn=0x80000000 ioba=0x1000 "
				     "tce=0x4546003 ret=-4\n",
				     &l),
			 0);
	assert_int_equal(l.kind, TRACE_PUT);
	assert_int_equal(l.liobn, 0x80000000);
	assert_int_equal(l.ioba, 0x1000);
	assert_int_equal(l.tce, 0x4546003);
	assert_int_equal(l.ret, -4);
	assert_int_equal(
		trace_parse("12@99.5:spapr_iommu_get liobn=0x7 ioba=0x0 ret=0 tce=0x3", &l), 0);
	assert_int_equal(l.kind, TRACE_GET);
	assert_int_equal(l.tce, 3);
	assert_int_equal(trace_parse("spapr_iommu_pci_indirect liobn=0x80000001 "
				     "ioba=0x800000000000000 tcelist=0x4990000 iobaN=0x3f "
				     "tceN=0x3f000003 ret=0\n",
				     &l),
			 0);
	assert_int_equal(l.kind, TRACE_LIST);
	assert_int_equal(l.count, 64);
	assert_int_equal(l.list, 0x4990000);
	assert_int_equal(
		trace_parse("spapr_iommu_ddw_query buid=0x800000020000000 addr=0x0, 1 windows "
			    "available, max window size=0x80000000, mask=0x107\n",
			    &l),
		0);
	assert_int_equal(l.kind, TRACE_QUERY);
	assert_int_equal(l.windows, 1);
	assert_int_equal(l.tces, 0x80000000);
	assert_int_equal(
		trace_parse("spapr_iommu_xlate liobn=0x80000000 0x30010000 -> 0x20e0000 perm=3 "
			    "mask=0xfff\n",
			    &l),
		0);
	assert_int_equal(l.kind, TRACE_XLATE);
	assert_int_equal(l.ioba, 0x30010000);
	assert_int_equal(l.gpa, 0x20e0000);
	assert_int_equal(l.prot, 3);
	assert_int_equal(l.mask, 0xfff);
}

static void test_others(void **state)
{
	static const char *const lines[] = { "",
					     "\n",
					     "# a remark",
					     "pci_cfg_read nvme 1",
					     "spapr_iommu_something x=1",
					     "spapr_iommu_putt liobn=1" };
	struct trace_line l;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(trace_parse(lines[i], &l), 0);
		assert_int_equal(l.kind, TRACE_OTHER);
	}
}

/* Every way to cut a line short, and to spoil a number in it. */
static void test_broken(void **state)
{
	static const char whole[] = "spapr_iommu_pci_stuff liobn=0x80000000 ioba=0x200000 "
				    "tcevalue=0x0 npages=512 ret=0";
	static const char *const spoiled[] = {
		"spapr_iommu_put liobn= ioba=0x1000 tce=0x3 ret=0",
		"spapr_iommu_put liobn=0x1 ioba=0x1000 tce=0xg ret=0",
		"spapr_iommu_put liobn=0x1 ioba=0x1000 tce=0x10000000000000000 ret=0",
		"spapr_iommu_put liobn=0x1 ioba= 1 tce=0x1 ret=0",
		"spapr_iommu_put liobn=0x1 ioba=+1 tce=0x1 ret=0",
		"spapr_iommu_put liobn=0x1 tce=0x1 ioba=0x1 ret=0",
		"spapr_iommu_put liobn=0x1 ioba=0x1 tce=0x1 ret=0x",
		"spapr_iommu_put liobn=0x1 ioba=0x1 tce=0x1 ret=0and",
	};
	struct trace_line l;
	char cut[sizeof(whole)];

	(void)state;
	for (size_t n = strlen("spapr_iommu_pci_stuff"); n < sizeof(whole) - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		assert_int_equal(trace_parse(cut, &l), -EINVAL);
	}
	assert_int_equal(trace_parse(whole, &l), 0);
	for (size_t i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++)
		assert_int_equal(trace_parse(spoiled[i], &l), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
