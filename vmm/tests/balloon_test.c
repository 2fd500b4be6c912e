/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The balloon and its transport, driven as a guest drives them: through
 * configuration space and BAR. Memory is really given back: mincore() tells.
 */
#include "balloon.h"
#include "unit.h"
#include "virtio_driver.h"
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <sys/mman.h>
#include <time.h>
#include <viaduct/fake.h>
#include <viaduct/viaduct.h>

#define PAGE	 4096u
#define LIST	 (16 * PAGE) /* where page numbers are */
#define INFLATE	 0
#define DEFLATE	 1
#define REPORT	 4
#define REPORTS	 (1ull << VIRTIO_BALLOON_F_REPORTING)
#define INFLATED (4ull << 20) /* the pages that tests give */

static struct {
	struct driver drv;
	struct balloon b;
	struct vd_host *host;
	struct vd_domain *domain;
} f;

static int always_quiet(void *opaque)
{
	(void)opaque;
	return 0;
}

static void make_domain(void)
{
	static const struct vd_device_ops ops = { sizeof(ops), always_quiet };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), 1, 1, &ops, NULL };
	struct vm *vm = &f.drv.vm;

	assert_int_equal(
		vd_host_fake_create(vm->ram, DRIVER_RAM / PAGE, &f.host), 0);
	assert_int_equal(vd_domain_create(f.host, &cfg, &f.domain), 0);
	assert_int_equal(vd_domain_add_memory(f.domain, (vd_gpa){ 0 }, vm->ram,
					      DRIVER_RAM),
			 0);
	assert_int_equal(vd_device_attach(f.domain, &dev), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	driver_make(&f.drv);
	make_domain();
	assert_int_equal(balloon_create(&f.b, &f.drv.vm, &f.drv.bus, f.domain),
			 0);
	assert_true(driver_find(&f.drv, 1 << 3));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	balloon_destroy(&f.b);
	driver_unmake(&f.drv);
	vd_domain_destroy(f.domain);
	vd_host_destroy(f.host);
	return 0;
}

static struct balloon_stats stats(void)
{
	struct balloon_stats s;

	balloon_stats(&f.b, &s);
	return s;
}

static bool is_resident(uint64_t gpa)
{
	unsigned char vec = 0;

	assert_int_equal(mincore(f.drv.vm.ram + gpa, PAGE, &vec), 0);
	return vec & 1;
}

static void touch(uint64_t gpa, uint64_t npages)
{
	for (uint64_t i = 0; i < npages; i++)
		f.drv.vm.ram[gpa + i * PAGE] = 0x5a;
}

/* Send @n page numbers from the one of @gpa on, @step apart. */
static void send_pfns(unsigned int q, uint64_t gpa, uint32_t n, int step)
{
	uint32_t *list = (uint32_t *)(f.drv.vm.ram + LIST);

	for (uint32_t i = 0; i < n; i++)
		list[i] = (uint32_t)((int64_t)(gpa / PAGE) + step * (int)i);
	driver_send(&f.drv, q, LIST, n * 4, 0);
	assert_true(driver_wait(&f.drv, q));
}

static void offers_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(driver_cfg_read(&f.drv, 2, 2), 0x1045);
	assert_int_equal(driver_offered(&f.drv),
			 1ull << VIRTIO_F_VERSION_1 | REPORTS |
				 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
	assert_int_equal(
		driver_read(&f.drv, f.drv.common + VIRTIO_PCI_COMMON_NUMQ, 2),
		5);
	/* A field is read whole or not at all. */
	assert_int_equal(
		driver_read(&f.drv, f.drv.common + VIRTIO_PCI_COMMON_NUMQ, 4),
		0);
	assert_int_equal(driver_read(&f.drv,
				     f.drv.common + VIRTIO_PCI_COMMON_NUMQ + 1,
				     1),
			 0);
}

static void negotiates(void **state)
{
	static const struct {
		uint64_t features;
		bool fine;
	} row[] = {
		{ 0, false },
		{ REPORTS, false }, /* without VERSION_1 */
		{ 1ull << VIRTIO_F_VERSION_1, true },
		{ 1ull << VIRTIO_F_VERSION_1 | REPORTS, true },
		{ 1ull << VIRTIO_F_VERSION_1 | 1 << VIRTIO_BALLOON_F_STATS_VQ,
		  false },
		{ 1ull << VIRTIO_F_VERSION_1 |
			  1ull << VIRTIO_RING_F_INDIRECT_DESC,
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		driver_reset(&f.drv);
		assert_int_equal(!!(driver_negotiate(&f.drv, row[i].features) &
				    VIRTIO_CONFIG_S_FEATURES_OK),
				 row[i].fine);
		/* Not without having agreed. */
		driver_write(&f.drv, f.drv.common + VIRTIO_PCI_COMMON_STATUS, 1,
			     driver_status(&f.drv) | VIRTIO_CONFIG_S_DRIVER_OK);
		assert_int_equal(
			!!(driver_status(&f.drv) & VIRTIO_CONFIG_S_DRIVER_OK),
			row[i].fine);
	}
}

static void inflates_and_deflates(void **state)
{
	struct balloon_stats s;

	(void)state;
	driver_start(&f.drv, 0);
	assert_true(stats().driver);
	touch(INFLATED, 300);
	send_pfns(INFLATE, INFLATED, 256, 1);
	s = stats();
	assert_int_equal(s.inflated, 256 * PAGE);
	assert_int_equal(s.discarded, 256 * PAGE);
	assert_int_equal(s.refused_pinned + s.refused_other, 0);
	assert_false(is_resident(INFLATED));
	assert_false(is_resident(INFLATED + 255 * PAGE));
	assert_true(is_resident(INFLATED + 256 * PAGE));
	/* Downwards, as Linux hands them out, and with gaps. */
	send_pfns(INFLATE, INFLATED + 299 * PAGE, 10, -1);
	send_pfns(INFLATE, INFLATED + 260 * PAGE, 5, 2);
	assert_false(is_resident(INFLATED + 290 * PAGE));
	assert_false(is_resident(INFLATED + 262 * PAGE));
	assert_true(is_resident(INFLATED + 263 * PAGE));
	send_pfns(DEFLATE, INFLATED, 256, 1);
	s = stats();
	assert_int_equal(s.deflated, 256 * PAGE);
	assert_int_equal(f.drv.vm.ram[INFLATED], 0); /* back, and empty */
}

static void pinned_pages_stay(void **state)
{
	struct vd_seg seg = { .gpa = { INFLATED + 7 * PAGE },
			      .len = 10,
			      .prot = VD_WRITE };
	struct balloon_stats s;

	(void)state;
	driver_start(&f.drv, REPORTS);
	touch(INFLATED, 16);
	assert_int_equal(vd_device_map(f.domain, 1, &seg, 1, UINT64_MAX), 0);
	send_pfns(INFLATE, INFLATED, 16, 1);
	s = stats();
	assert_int_equal(s.discarded, 15 * PAGE);
	assert_int_equal(s.refused_pinned, PAGE);
	assert_true(is_resident(INFLATED + 7 * PAGE));
	assert_int_equal(f.drv.vm.ram[INFLATED + 7 * PAGE], 0x5a);
	driver_send(&f.drv, REPORT, INFLATED, 16 * PAGE, VRING_DESC_F_WRITE);
	assert_true(driver_wait(&f.drv, REPORT));
	assert_int_equal(stats().refused_pinned, 2 * PAGE);
	assert_true(is_resident(INFLATED + 7 * PAGE));
	assert_int_equal(vd_device_unmap(f.domain, 1, seg.iova, seg.len), 0);
	send_pfns(INFLATE, INFLATED + 7 * PAGE, 1, 1);
	assert_false(is_resident(INFLATED + 7 * PAGE));
}

static void takes_reports(void **state)
{
	(void)state;
	for (unsigned int q = 2; q <= 4;
	     q++) { /* the spec's number, Linux's numbers */
		driver_start(&f.drv, REPORTS);
		assert_true(stats().reporting);
		touch(INFLATED, 512);
		driver_send(&f.drv, q, INFLATED, 512 * PAGE,
			    VRING_DESC_F_WRITE);
		assert_true(driver_wait(&f.drv, q));
		assert_int_equal(stats().reported, (q - 1) * 512 * PAGE);
		assert_false(is_resident(INFLATED + 511 * PAGE));
	}
	/* Not agreed upon: not taken. */
	driver_start(&f.drv, 0);
	touch(INFLATED, 1);
	driver_send(&f.drv, REPORT, INFLATED, PAGE, VRING_DESC_F_WRITE);
	assert_true(driver_wait(&f.drv, REPORT));
	assert_true(is_resident(INFLATED));
}

static void what_is_no_ram_is_counted(void **state)
{
	(void)state;
	driver_start(&f.drv, REPORTS);
	send_pfns(INFLATE, DRIVER_RAM, 3, 1);
	assert_int_equal(stats().refused_other, 3 * PAGE);
	driver_send(&f.drv, REPORT, INFLATED + 1, PAGE, VRING_DESC_F_WRITE);
	assert_true(driver_wait(&f.drv, REPORT));
	driver_send(&f.drv, REPORT, UINT64_MAX - PAGE + 1, PAGE,
		    VRING_DESC_F_WRITE);
	assert_true(driver_wait(&f.drv, REPORT));
	assert_int_equal(stats().refused_other, 5 * PAGE);
	assert_int_equal(stats().discarded, 0);
	assert_int_equal(stats().broken, 0);
}

static void asks_and_is_told(void **state)
{
	uint64_t config = f.drv.config;

	(void)state;
	assert_int_equal(balloon_set(&f.b, DRIVER_RAM), -ERANGE);
	assert_int_equal(balloon_set(&f.b, 8 << 20), 0);
	driver_start(&f.drv, 0);
	assert_int_equal(driver_read(&f.drv, config, 4), (8 << 20) / PAGE);
	assert_int_equal(driver_read(&f.drv, f.drv.isr, 1), 0);
	assert_int_equal(balloon_set(&f.b, 4 << 20), 0);
	assert_int_equal(driver_read(&f.drv, f.drv.isr, 1),
			 2); /* configuration */
	assert_int_equal(driver_read(&f.drv, f.drv.isr, 1), 0); /* taken */
	assert_int_equal(driver_read(&f.drv, config, 4), (4 << 20) / PAGE);
	driver_write(&f.drv, config, 4, 77); /* not its to set */
	assert_int_equal(driver_read(&f.drv, config, 4), (4 << 20) / PAGE);
	driver_write(&f.drv, config + 4, 4, 5);
	assert_int_equal(stats().actual, 5 * PAGE);
	assert_int_equal(stats().target, 4 << 20);
	/* A queue's interrupt, unless the driver does not want it. */
	send_pfns(DEFLATE, INFLATED, 1, 1);
	while (driver_read(&f.drv, f.drv.isr, 1) != 1)
		;
	/* The driver is gone, and with it what it held. */
	driver_reset(&f.drv);
	assert_int_equal(stats().actual, 0);
	assert_false(stats().driver);
	assert_int_equal(stats().target, 4 << 20);
}

static void broken_rules_end_it(void **state)
{
	struct balloon_stats s;

	(void)state;
	driver_start(&f.drv, 0);
	f.drv.ring[INFLATE].desc[0].flags = VRING_DESC_F_INDIRECT;
	driver_send(&f.drv, INFLATE, LIST, 4, VRING_DESC_F_INDIRECT);
	for (int i = 0; i < 20000 && !stats().broken; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	s = stats();
	assert_int_equal(s.broken, 1);
	assert_false(s.driver);
	assert_true(driver_status(&f.drv) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(driver_read(&f.drv, f.drv.isr, 1) & 2, 2);
	driver_start(&f.drv, 0); /* and after a reset all is well */
	assert_int_equal(driver_status(&f.drv) & VIRTIO_CONFIG_S_NEEDS_RESET,
			 0);
	send_pfns(INFLATE, INFLATED, 1, 1);
}

static void without_bus_mastering_nothing_moves(void **state)
{
	(void)state;
	driver_start(&f.drv, 0);
	driver_cfg_write(&f.drv, 0x04, 2, 2); /* memory only */
	driver_send(&f.drv, INFLATE, LIST, 4, 0);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	assert_int_equal(f.drv.ring[INFLATE].used->idx, 0);
	driver_cfg_write(&f.drv, 0x04, 2, 6);
	assert_true(driver_wait(&f.drv, INFLATE));
}

/* 4.1.4.9: the BAR through configuration space. */
static void access_capability(void **state)
{
	unsigned int cap = f.drv.access;

	(void)state;
	assert_int_equal(balloon_set(&f.b, 3 * PAGE), 0);
	driver_cfg_write(&f.drv, cap + VIRTIO_PCI_CAP_BAR, 1, 0);
	driver_cfg_write(&f.drv, cap + VIRTIO_PCI_CAP_OFFSET, 4,
			 (uint32_t)(f.drv.config - VM_MMIO32));
	driver_cfg_write(&f.drv, cap + VIRTIO_PCI_CAP_LENGTH, 4, 4);
	assert_int_equal(driver_cfg_read(&f.drv, cap + 16, 4), 3);
	driver_cfg_write(&f.drv, cap + VIRTIO_PCI_CAP_OFFSET, 4,
			 (uint32_t)(f.drv.config - VM_MMIO32) + 4);
	driver_cfg_write(&f.drv, cap + 16, 4, 9);
	assert_int_equal(stats().actual, 9 * PAGE);
	/* Outside of the BAR, or of a width that is none: nothing there. */
	driver_cfg_write(&f.drv, cap + VIRTIO_PCI_CAP_OFFSET, 4, 0xfffffffc);
	driver_cfg_read(&f.drv, cap + 16, 4);
	driver_cfg_write(&f.drv, cap + 16, 4, 1);
	driver_cfg_write(&f.drv, cap + VIRTIO_PCI_CAP_LENGTH, 4, 0);
	driver_cfg_read(&f.drv, cap + 16, 4);
}

/* Resets from the guest's side and from the machine's while it is at work. */
static void resets_under_load(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		driver_start(&f.drv, REPORTS);
		for (unsigned int q = 0; q < 5; q++)
			driver_send(&f.drv, q, 0x100000, 32 << 20,
				    q < 2 ? 0 : VRING_DESC_F_WRITE);
		if (i % 8 == 7) {
			balloon_reset(&f.b);
			assert_int_equal(driver_cfg_read(&f.drv, 0x04, 2), 0);
			assert_true(driver_find(&f.drv, 1 << 3));
			assert_int_equal(driver_status(&f.drv), 0);
		}
	}
	driver_start(&f.drv, 0);
	send_pfns(INFLATE, INFLATED, 1, 1);
	assert_int_equal(stats().broken, 0);
}

/*
 * Any access to any register, any rings: nothing breaks, and a reset mends it.
 * The status register is left alone mostly, or all would be over at once.
 */
static void one_hostile_access(uint64_t *seed)
{
	static const unsigned int width[] = { 1, 2, 4, 8 };
	unsigned int w = width[next_random(seed) % 4];
	uint64_t bar = VM_MMIO32,
		 off = next_random(seed) % 4 * 0x1000 + next_random(seed) % 64;
	uint64_t value = next_random(seed) >> next_random(seed) % 64,
		 what = next_random(seed) % 64;
	unsigned int q = (unsigned int)(value % DRIVER_QUEUES);

	if (off == VIRTIO_PCI_COMMON_STATUS && what)
		return;
	if (what <
	    8) /* queue q begins at page 1 + q, all of it is in 256 bytes */
		f.drv.vm.ram[PAGE * (1 + q) + next_random(seed) % 256] =
			(uint8_t)(value >> 8);
	else if (what < 16)
		driver_send(&f.drv, q, value, (uint32_t)value,
			    (uint16_t)(value >> 3));
	else if (what < 20)
		driver_cfg_write(&f.drv,
				 0x40 + (unsigned int)(value % 0x60) / 4 * 4, 4,
				 (uint32_t)next_random(seed));
	else if (what < 40)
		driver_write(&f.drv, bar + off, w, value);
	else
		driver_read(&f.drv, bar + off, w);
}

static void hostile_registers(void **state)
{
	uint64_t seed = 99;
	struct balloon_stats s;

	(void)state;
#ifdef __SANITIZE_THREAD__
	print_message("# a guest that races for its own memory\n");
	skip();
#endif
	touch(0, 4096);
	for (int i = 0; i < 60000; i++) {
		if (i % 500 == 0)
			driver_start(&f.drv, REPORTS);
		if (i % 50 == 0) /* let the thread see some of it */
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
		one_hostile_access(&seed);
	}
	driver_start(&f.drv, 0);
	touch(INFLATED, 1);
	send_pfns(INFLATE, INFLATED, 1, 1);
	assert_false(is_resident(INFLATED));
	s = stats();
	assert_true(s.broken > 10); /* it was really hostile */
}

#define test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(offers_what_it_is),
		test(negotiates),
		test(inflates_and_deflates),
		test(pinned_pages_stay),
		test(takes_reports),
		test(what_is_no_ram_is_counted),
		test(asks_and_is_told),
		test(broken_rules_end_it),
		test(without_bus_mastering_nothing_moves),
		test(access_capability),
		test(resets_under_load),
		test(hostile_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
