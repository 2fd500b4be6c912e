/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BARs: sizing, moving, decoding; and random accesses after each of which the
 * invariants hold: live BARs lie in the windows, never overlap, are reached
 * where they say, and every slot belongs to a live direct BAR.
 */
#include "pci.h"
#include "pciscan.h"
#include "unit.h"
#include "vm.h"
#include <errno.h>

#define PAGE 4096u

static uint8_t host[16 * PAGE] __attribute__((aligned(4096)));

static uint64_t trap_read(void *ctx, uint64_t off, unsigned int width)
{
	(void)width;
	return *(const uint64_t *)ctx + off;
}

static void trap_write(void *ctx, uint64_t off, unsigned int width,
		       uint64_t value)
{
	(void)ctx;
	(void)off;
	(void)width;
	(void)value;
}

static const struct region_ops trap_ops = { trap_read, trap_write };
static uint64_t tag = 0x1000;

static void init_vm(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	region_map_init(&vm->pio);
	region_map_init(&vm->mmio);
	vm->mmio64 = vm->mmio64_len = 1ull << 39;
}

static void fini_vm(struct vm *vm)
{
	region_map_fini(&vm->pio);
	region_map_fini(&vm->mmio);
}

/* 0: 16 KiB, direct but for the second page; 1: I/O 32; 2+3: 64-bit, 8 KiB, half direct; 5: 256 bytes */
static void init_bars(struct pci_bars *b, struct vm *vm)
{
	const struct region trap = { .ops = &trap_ops,
				     .ctx = &tag,
				     .cause = "bar" };

	memset(b, 0, sizeof(*b));
	b->bar[0] = (struct pci_bar){ .kind = PCI_BAR_MEM32,
				      .len = 4 * PAGE,
				      .hva = host,
				      .direct_len = 4 * PAGE,
				      .trap = PAGE,
				      .trap_len = PAGE,
				      .region = trap };
	b->bar[1] = (struct pci_bar){ .kind = PCI_BAR_IO,
				      .len = 32,
				      .region = trap };
	b->bar[2] = (struct pci_bar){ .kind = PCI_BAR_MEM64,
				      .prefetch = true,
				      .len = 2 * PAGE,
				      .hva = host + 4 * PAGE,
				      .direct_len = PAGE,
				      .region = trap };
	b->bar[5] = (struct pci_bar){ .kind = PCI_BAR_MEM32,
				      .len = 256,
				      .region = trap };
	assert_int_equal(pci_bars_init(b, vm), 0);
}

static uint32_t size_of(struct pci_bars *b, unsigned int off)
{
	pci_bars_write(b, off, 4, UINT32_MAX);
	return pci_bars_read(b, off, 4);
}

static void test_sizing(void **state)
{
	struct pci_bars b;
	struct vm vm;

	(void)state;
	init_vm(&vm);
	init_bars(&b, &vm);
	assert_int_equal(size_of(&b, 0x10), 0xffffc000);
	assert_int_equal(size_of(&b, 0x14), 0xffffffe1);
	assert_int_equal(size_of(&b, 0x18), 0xffffe00c);
	assert_int_equal(size_of(&b, 0x1c), 0xffffffff);
	assert_int_equal(size_of(&b, 0x20), 0);
	assert_int_equal(size_of(&b, 0x24), 0xffffff00);
	assert_int_equal(b.bar[2].addr, 0xffffffffffffe000);
	pci_bars_fini(&b);
	fini_vm(&vm);
}

static void test_move(void **state)
{
	struct pci_bars b;
	struct vm vm;

	(void)state;
	init_vm(&vm);
	init_bars(&b, &vm);
	pci_bars_decode(&b, 3);
	assert_int_equal(b.misplaced, 4); /* all of them at 0 */
	pci_bars_write(&b, 0x10, 4, 0xc0000000);
	assert_true(b.bar[0].live);
	assert_int_equal(vm.slot[b.bar[0].slot[0]].gpa, 0xc0000000);
	pci_bars_write(&b, 0x10, 4, 0xc0010000);
	assert_int_equal(vm.slot[b.bar[0].slot[0]].gpa, 0xc0010000);
	assert_int_equal(vm.slot[b.bar[0].slot[0]].len, PAGE);
	assert_int_equal(vm.slot[b.bar[0].slot[1]].gpa, 0xc0012000);
	assert_int_equal(vm.slot[b.bar[0].slot[1]].len, 2 * PAGE);
	assert_int_equal(region_read(&vm.mmio, 0xc0011010, 4), 0x2010);

	/* Byte by byte, as some firmware does. */
	pci_bars_write(&b, 0x25, 1, 0x12);
	pci_bars_write(&b, 0x26, 2, 0xc100);
	assert_int_equal(pci_bars_read(&b, 0x24, 4), 0xc1001200);
	assert_int_equal(pci_bars_read(&b, 0x25, 1), 0x12);
	assert_int_equal(region_read(&vm.mmio, 0xc1001204, 4), 0x1004);

	/* 64-bit: half direct; the other half traps with BAR offsets. */
	pci_bars_write(&b, 0x1c, 4, 0x80);
	pci_bars_write(&b, 0x18, 4, 0x10000);
	assert_int_equal(vm.slot[b.bar[2].slot[0]].gpa, 0x8000010000);
	assert_int_equal(vm.slot[b.bar[2].slot[0]].len, PAGE);
	assert_int_equal(region_read(&vm.mmio, 0x8000011010, 4), 0x2010);

	pci_bars_write(&b, 0x14, 4, 0x2000);
	assert_int_equal(region_read(&vm.pio, 0x2004, 1), 0x04);
	pci_bars_decode(&b, 2);
	assert_false(b.bar[1].live);
	assert_int_equal(region_read(&vm.pio, 0x2004, 1), 0xff);
	pci_bars_reset(&b);
	assert_int_equal(pci_bars_read(&b, 0x10, 4), 0);
	assert_int_equal(vm.mmio.n, 0);
	pci_bars_fini(&b);
	fini_vm(&vm);
}

/* Where a BAR must not go. */
static void test_misplaced(void **state)
{
	static const uint32_t places[] = {
		0x00000000, 0x00100000, 0xbffff000,	     0xe0000000,
		0xfec00000, 0xfee00000, 0xdffff000 + 0x1000, 0xfffff000,
	};
	struct pci_bars b;
	struct vm vm;

	(void)state;
	init_vm(&vm);
	init_bars(&b, &vm);
	pci_bars_decode(&b, 3);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pci_bars_write(&b, 0x24, 4, places[i]);
		assert_false(b.bar[5].live);
		assert_int_equal(pci_bars_read(&b, 0x24, 4), places[i]);
	}
	/* Over a direct BAR, which has no exits. */
	pci_bars_write(&b, 0x10, 4, 0xc0000000);
	pci_bars_write(&b, 0x24, 4, 0xc0001000);
	assert_false(b.bar[5].live);
	pci_bars_write(&b, 0x14, 4, 0xff0); /* I/O below the window */
	assert_false(b.bar[1].live);
	assert_true(b.misplaced > 0);
	pci_bars_fini(&b);
	fini_vm(&vm);
}

static void test_init_refuses(void **state)
{
	static const struct pci_bar bad[] = {
		{ .kind = PCI_BAR_MEM32, .len = 100 },
		{ .kind = PCI_BAR_MEM32, .len = 8 },
		{ .kind = PCI_BAR_MEM32, .len = 1ull << 32 },
		{ .kind = PCI_BAR_IO, .len = 2 },
		{ .kind = PCI_BAR_MEM32, .len = PAGE }, /* nothing behind it */
		{ .kind = PCI_BAR_MEM32,
		  .len = PAGE,
		  .hva = host,
		  .direct_len = 2 * PAGE },
		{ .kind = PCI_BAR_MEM32,
		  .len = PAGE,
		  .hva = host,
		  .direct_len = 100 },
		{ .kind = PCI_BAR_MEM32, .len = PAGE, .direct_len = PAGE },
		{ .kind = PCI_BAR_MEM32, /* traps, but to nobody */
		  .len = PAGE,
		  .hva = host,
		  .direct_len = PAGE,
		  .trap_len = PAGE },
		{ .kind = PCI_BAR_MEM32,
		  .len = 2 * PAGE,
		  .hva = host,
		  .direct_len = PAGE,
		  .trap = PAGE,
		  .trap_len = PAGE,
		  .region = { .ops = &trap_ops } },
		{ .kind = PCI_BAR_MEM32,
		  .len = PAGE,
		  .hva = host,
		  .direct_len = PAGE,
		  .trap = 16,
		  .trap_len = 16,
		  .region = { .ops = &trap_ops } },
	};
	struct pci_bars b;
	struct vm vm;

	(void)state;
	init_vm(&vm);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&b, 0, sizeof(b));
		b.bar[0] = bad[i];
		if (i < 4)
			b.bar[0].region.ops = &trap_ops;
		assert_int_equal(pci_bars_init(&b, &vm), -EINVAL);
	}
	memset(&b, 0, sizeof(b));
	b.bar[5] = (struct pci_bar){ .kind = PCI_BAR_MEM64,
				     .len = PAGE,
				     .region = { .ops = &trap_ops } };
	assert_int_equal(pci_bars_init(&b, &vm), -EINVAL);
	fini_vm(&vm);
}

static int is_in_window(const struct vm *vm, const struct pci_bar *r)
{
	if (r->kind == PCI_BAR_IO)
		return r->addr >= 0x1000 && r->addr + r->len <= 0x10000;
	return (r->addr >= VM_MMIO32 &&
		r->addr + r->len <= VM_MMIO32 + VM_MMIO32_LEN) ||
	       (r->addr >= vm->mmio64 && r->addr - vm->mmio64 < vm->mmio64_len);
}

/* One slot, before or behind what traps; how many there are. */
static unsigned int check_slot(const struct vm *vm, const struct pci_bar *r,
			       int i)
{
	uint64_t hole = r->trap_len ? r->trap : r->direct_len;
	uint64_t first = i ? hole + r->trap_len : 0;
	uint64_t end = i ? r->direct_len : hole;

	if (!r->live || first == end) {
		assert_int_equal(r->slot[i], -1);
		return 0;
	}
	assert_int_equal(vm->slot[r->slot[i]].gpa, r->addr + first);
	assert_int_equal(vm->slot[r->slot[i]].len, end - first);
	assert_ptr_equal(vm->slot[r->slot[i]].hva,
			 (const uint8_t *)r->hva + first);
	return 1;
}

static void check(const struct vm *vm, const struct pci_bars *b, int n)
{
	unsigned int slots = 0, live_slots = 0, live = 0;

	for (int i = 0; i < VM_SLOTS; i++)
		slots += vm->slot[i].len != 0;
	for (int i = 0; i < n * 6; i++) {
		const struct pci_bar *r = &b[i / 6].bar[i % 6];

		if (r->kind == PCI_BAR_NONE)
			continue;
		live_slots += check_slot(vm, r, 0) + check_slot(vm, r, 1);
		if (!r->live)
			continue;
		live++;
		assert_true(is_in_window(vm, r));
		assert_int_equal(r->region.base, r->addr);
	}
	assert_int_equal(live, vm->mmio.n + vm->pio.n);
	assert_int_equal(slots, live_slots);
}

/* Values that are often in or near the windows. */
static uint32_t random_value(uint64_t *s)
{
	static const uint32_t near[] = {
		0,	    UINT32_MAX, 0xc0000000, 0xdffff000,
		0xe0000000, 0x80,	0x7f,	    0xff,
		0x1000,	    0xffe0,	0xc0004000, 0xc0001000,
	};
	uint64_t r = next_random(s);

	if (r % 3 == 0)
		return (uint32_t)(r >> 32);
	return near[(r >> 8) % 12] + (uint32_t)(r >> 40) % 4 * PAGE;
}

static void test_random(void **state)
{
	static const unsigned int widths[] = { 1, 2, 4, 4, 4, 4, 4, 4 };
	struct pci_bars b[3];
	struct vm vm;
	uint64_t s = 42;

	(void)state;
	init_vm(&vm);
	for (int i = 0; i < 3; i++)
		init_bars(&b[i], &vm);
	for (int i = 0; i < 300000; i++) {
		uint64_t r = next_random(&s);
		struct pci_bars *one = &b[r % 3];
		unsigned int width = widths[r >> 8 & 7];
		unsigned int off =
			0x10 + (unsigned int)(r >> 16) % 24 / width * width;

		switch (r >> 24 & 15) {
		case 0:
			pci_bars_decode(one, r >> 40 & 3);
			break;
		case 1:
			pci_bars_read(one, off, width);
			break;
		default:
			pci_bars_write(one, off, width, random_value(&s));
		}
		check(&vm, b, 3);
	}
	for (int i = 0; i < 3; i++)
		pci_bars_fini(&b[i]);
	fini_vm(&vm);
}

/* As assign_bars.c does it. */
static void carry_out(const struct pci_host_bar *plan, struct pci_bar *bar)
{
	bar->len = plan->guest_len;
	bar->kind = plan->flags & PCI_BAR_F_IO ? PCI_BAR_IO :
		    plan->guest_64	       ? PCI_BAR_MEM64 :
						 PCI_BAR_MEM32;
	bar->region.ops = &trap_ops;
	bar->hva = plan->direct_len ? host : NULL;
	bar->direct_len = plan->direct_len;
	bar->trap = plan->trap;
	bar->trap_len = plan->trap_len;
}

static void random_host_bar(uint64_t *s, struct pci_host_bar *bar)
{
	uint64_t r = next_random(s);

	memset(bar, 0, sizeof(*bar));
	if (r % 3 == 0)
		return;
	bar->len = next_random(s) >> (r >> 8 & 63);
	if (r >> 16 & 1)
		bar->len &= ~(uint64_t)(PAGE - 1);
	bar->start = next_random(s) >> (r >> 24 & 63);
	if (r >> 32 & 1)
		bar->start &= ~(uint64_t)(PAGE - 1);
	bar->flags = r >> 40 & 3 ? PCI_BAR_F_MEM : PCI_BAR_F_IO;
	if (r >> 48 & 1)
		bar->flags |= PCI_BAR_F_64;
}

/* Whatever the host shows: what is planned can be carried out. */
static void test_plan(void **state)
{
	struct pci_host_bar plan[PCI_HOST_BARS];
	struct virtio_caps v = { .is_virtio = true, .ncommons = 2 };
	uint64_t s = 7;
	struct pci_bars b;
	struct vm vm;

	(void)state;
	init_vm(&vm);
	for (int i = 0; i < 200000; i++) {
		memset(&b, 0, sizeof(b));
		for (int n = 0; n < PCI_HOST_BARS; n++)
			random_host_bar(&s, &plan[n]);
		for (int n = 0; n < 2; n++)
			v.common[n] = (struct virtio_place){
				.bar = (unsigned int)(next_random(&s) % 6),
				.off = (uint32_t)next_random(&s) >> (i & 31),
				.len = 56,
			};
		pci_plan_bars(&v, plan);
		for (int n = 0; n < PCI_HOST_BARS; n++)
			if (plan[n].how == PCI_HOW_DIRECT ||
			    plan[n].how == PCI_HOW_SPLIT ||
			    plan[n].how == PCI_HOW_TRAPPED)
				carry_out(&plan[n], &b.bar[n]);
		assert_int_equal(pci_bars_init(&b, &vm), 0);
	}
	fini_vm(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizing),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_misplaced),
		cmocka_unit_test(test_init_refuses),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
