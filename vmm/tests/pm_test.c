/* SPDX-License-Identifier: BSD-2-Clause */
/* Power management and reset ports; and what CPUID says. */
#include "pm.h"
#include "guest_cpuid.h"
#include "unit.h"

struct board {
	struct region_map pio;
	struct pm pm;
	unsigned int offs, resets;
	bool sci;
};

static void on_off(void *ctx)
{
	((struct board *)ctx)->offs++;
}

static void on_reset(void *ctx)
{
	((struct board *)ctx)->resets++;
}

static void on_sci(void *ctx, bool level)
{
	((struct board *)ctx)->sci = level;
}

static const struct pm_ops ops = { on_off, on_reset, on_sci };

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	region_map_init(&b->pio);
	pm_init(&b->pm, &ops, b);
	assert_int_equal(pm_hook(&b->pm, &b->pio), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	pm_unhook(&b->pm, &b->pio);
	pm_fini(&b->pm);
	region_map_fini(&b->pio);
	free(b);
	return 0;
}

static void test_power_off(void **state)
{
	struct board *b = *state;

	region_write(&b->pio, 0x604, 2, 5 << 10); /* type, no enable */
	assert_int_equal(b->offs, 0);
	assert_int_equal(region_read(&b->pio, 0x604, 2), 5 << 10 | 1);
	region_write(&b->pio, 0x604, 2, 3 << 10 | 1 << 13); /* S3 */
	region_write(&b->pio, 0x604, 1, 0xff);
	region_write(&b->pio, 0x606, 2, 5 << 10 | 1 << 13);
	assert_int_equal(b->offs, 0);
	region_write(&b->pio, 0x604, 2, 5 << 10 | 1 << 13);
	assert_int_equal(b->offs, 1);
}

static void test_button(void **state)
{
	struct board *b = *state;

	pm_press_button(&b->pm);
	assert_false(b->sci);
	region_write(&b->pio, 0x602, 2, 0x100);
	assert_true(b->sci);
	assert_int_equal(region_read(&b->pio, 0x600, 2), 0x100);
	assert_int_equal(region_read(&b->pio, 0x600, 4), 0x01000100);
	region_write(&b->pio, 0x600, 2, 0x100);
	assert_false(b->sci);
	pm_press_button(&b->pm);
	assert_true(b->sci);
	pm_reset(&b->pm);
	assert_false(b->sci);
	assert_int_equal(region_read(&b->pio, 0x600, 4), 0);
}

static void test_reset_ports(void **state)
{
	struct board *b = *state;

	pm_reset_register.write(&b->pm, 0, 1, 2); /* hard, not yet */
	assert_int_equal(b->resets, 0);
	pm_reset_register.write(&b->pm, 0, 1, 6);
	region_write(&b->pio, 0x64, 1, 0xfe);
	region_write(&b->pio, 0x60, 1, 0xfe);
	region_write(&b->pio, 0x64, 1, 0xd1);
	assert_int_equal(b->resets, 2);
	assert_int_equal(region_read(&b->pio, 0x71, 1), 0xff);
	assert_int_equal(b->pio.unclaimed, 0);
}

static void test_timer(void **state)
{
	struct board *b = *state;
	uint64_t before, after;

	assert_int_equal(pm_ticks(0), 0);
	assert_int_equal(pm_ticks(1000000000), PM_HZ);
	assert_int_equal(pm_ticks(10ull * 86400 * 1000000000),
			 (uint32_t)(10ull * 86400 * PM_HZ));
	before = region_read(&b->pio, 0x608, 4);
	do
		after = region_read(&b->pio, 0x608, 4);
	while (after == before);
	assert_true((uint32_t)(after - before) < PM_HZ);
}

struct list {
	struct kvm_cpuid2 c;
	struct kvm_cpuid_entry2 room[CPUID_MAX];
};

static void add(struct list *l, uint32_t function, uint32_t index, uint32_t all)
{
	l->c.entries[l->c.nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.eax = all,
		.ebx = all,
		.ecx = all,
		.edx = all,
	};
}

static const struct kvm_cpuid_entry2 *find(const struct list *l, uint32_t f,
					   uint32_t index)
{
	for (uint32_t i = 0; i < l->c.nent; i++) {
		if (l->c.entries[i].function == f &&
		    l->c.entries[i].index == index)
			return &l->c.entries[i];
	}
	return NULL;
}

static void test_cpuid(void **state)
{
	struct cpuid_cfg cfg = { .id = 2, .ncpus = 3, .tsc_deadline = true };
	struct list *l = calloc(1, sizeof(*l));
	const struct kvm_cpuid_entry2 *e;

	(void)state;
	add(l, 1, 0, UINT32_MAX);
	add(l, 4, 0, 0x123); /* level 1 */
	add(l, 4, 1, 0x163); /* level 3 */
	add(l, 0xb, 0, 7);
	add(l, 0x1f, 0, 7);
	add(l, 0x80000001, 0, UINT32_MAX);
	cpuid_patch(&l->c, &cfg);

	e = find(l, 1, 0);
	assert_int_equal(e->ebx, 0x0203ffff);
	assert_false(e->ecx & 1u << 5); /* no VMX */
	assert_true(e->ecx & 1u << 31); /* a hypervisor */
	assert_true(e->edx & 1u << 28);
	assert_int_equal(find(l, 4, 0)->eax, 0x123 | 3u << 26);
	assert_int_equal(find(l, 4, 1)->eax, 0x163 | 3u << 14 | 3u << 26);
	assert_null(find(l, 0x1f, 0));
	assert_int_equal(find(l, 0xb, 0)->ecx, 0x100);
	e = find(l, 0xb, 1);
	assert_int_equal(e->eax, 2);
	assert_int_equal(e->ebx, 3);
	assert_int_equal(e->edx, 2);
	assert_false(find(l, 0x80000001, 0)->ecx & 4); /* no SVM */

	cfg = (struct cpuid_cfg){ .id = 0, .ncpus = 1 };
	cpuid_patch(&l->c, &cfg);
	assert_int_equal(find(l, 1, 0)->ebx >> 16, 1);
	assert_false(find(l, 1, 0)->edx & 1u << 28);
	assert_false(find(l, 1, 0)->ecx & 1u << 24);
	free(l);
}

int main(void)
{
#define BOARD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		BOARD(test_power_off),	      BOARD(test_button),
		BOARD(test_reset_ports),      BOARD(test_timer),
		cmocka_unit_test(test_cpuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
