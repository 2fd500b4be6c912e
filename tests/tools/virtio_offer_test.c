/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * X8 before a function is taken: which are virtio, what they offer, and which
 * are refused for what they are.
 */
#include "virtio_offer.h"
#include "pcideny.h"
#include "pciscan.h"
#include "tree.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* needs the four above */
#include <cmocka.h>

#define BDF    "0000:03:00.0"
#define DEV    "bus/pci/devices/" BDF
#define COMMON 0x1100 /* where in BAR 4 */
#define CAP_AT 0x40
#define WINDOW 0x90

static const char bars[] = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			   "0x00000000fe000000 0x00000000fe003fff 0x000000000014220c\n";

static void put_cap(uint8_t *config, unsigned int at, uint8_t type, uint32_t off, uint32_t len)
{
	uint8_t *cap = config + at;

	cap[0] = 9;
	cap[1] = (uint8_t)(at + 0x18);
	cap[2] = type == VIRTIO_CAP_NOTIFY || type == VIRTIO_CAP_WINDOW ? 20 : 16;
	cap[3] = type;
	cap[4] = 4;
	memcpy(cap + 8, &off, 4);
	memcpy(cap + 12, &len, 4);
}

/* As modern devices are; the window only on request. */
static void make_config(uint8_t config[256], bool window)
{
	memset(config, 0, 256);
	config[0x04] = 2; /* decodes memory */
	config[0x06] = 0x10;
	config[0x08] = 1;
	config[0x34] = CAP_AT;
	config[0x3d] = 1;
	put_cap(config, CAP_AT, VIRTIO_CAP_COMMON, COMMON, 0x38);
	put_cap(config, CAP_AT + 0x18, VIRTIO_CAP_NOTIFY, 0x3000, 0x1000);
	put_cap(config, CAP_AT + 0x30, VIRTIO_CAP_ISR, 0x2000, 1);
	if (window)
		put_cap(config, CAP_AT + 0x48, VIRTIO_CAP_WINDOW, 0, 0);
	else
		config[CAP_AT + 0x31] = 0;
	config[CAP_AT + 0x49] = 0;
}

static int setup(void **state)
{
	static const struct tree_pci disk = {
		.bdf = BDF,
		.vendor = 0x1af4,
		.device = 0x1042,
		.class = 0x010000,
		.pin = 1,
		.resource = bars,
	};
	static struct tree t;
	uint8_t config[256], regs[0x4000] = { 0 };

	tree_make(&t);
	tree_pci(&t, &disk);
	make_config(config, false);
	tree_bytes(&t, DEV "/config", config, sizeof(config));
	regs[COMMON + VIRTIO_R_DEVICE_FEAT] = VIRTIO_PLATFORM_BIT;
	tree_bytes(&t, DEV "/resource4", regs, sizeof(regs));
	tree_file(&t, "/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	tree_dir(&t, "bus/pci/drivers/uio_pci_generic");
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	tree_end(*state);
	return 0;
}

static int check(struct tree *t)
{
	struct pci_host_dev d;

	assert_int_equal(pciscan_read(&t->s, BDF, &d), 0);
	return virtio_offer_check(&t->s, &d);
}

static void refused(struct tree *t, const char *part)
{
	char why[512];

	assert_int_equal(pciscan_check(&t->s, BDF, why, sizeof(why)), -EOPNOTSUPP);
	if (!strstr(why, part) || !strstr(why, "iommu_platform=on"))
		fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static void test_caps(void **state)
{
	struct virtio_caps c;
	uint8_t config[256];

	(void)state;
	make_config(config, true);
	virtio_caps_read(config, 256, 0x1af4, 0x1042, &c);
	assert_true(c.is_virtio && !c.is_transitional && !c.too_many);
	assert_int_equal(c.ncommons, 1);
	assert_int_equal(c.common[0].bar, 4);
	assert_int_equal(c.common[0].off, COMMON);
	assert_int_equal(c.window, CAP_AT + 0x48);
	assert_int_equal(c.bars, 1 << 4);
	/* Another vendor's, known by its capabilities. */
	virtio_caps_read(config, 256, 0x1234, 0x5678, &c);
	assert_true(c.is_virtio);
	config[CAP_AT + 0x30 + 3] = 4;
	virtio_caps_read(config, 256, 0x1234, 0x5678, &c);
	assert_false(c.is_virtio);
	/* By its ids, when no more may be read. */
	virtio_caps_read(config, 64, 0x1af4, 0x1000, &c);
	assert_true(c.is_virtio && c.ncommons == 0);
	virtio_caps_read(config, 64, 0x1af4, 0x1110, &c); /* ivshmem */
	assert_false(c.is_virtio);
	config[8] = 0;
	virtio_caps_read(config, 64, 0x1af4, 0x1001, &c);
	assert_true(c.is_transitional);
}

/* Lists and lengths that are not right end somewhere, and name nothing. */
static void test_odd_caps(void **state)
{
	struct virtio_caps c;
	uint8_t config[256];

	(void)state;
	make_config(config, true);
	config[CAP_AT + 1] = CAP_AT; /* a loop, of one place 48 times */
	virtio_caps_read(config, 256, 0x1af4, 0x1042, &c);
	assert_true(c.too_many);
	make_config(config, true);
	config[0x34] = 0xf4;
	memset(config + 0xf4, 9, 12);
	virtio_caps_read(config, 256, 0x1af4, 0x1042, &c);
	assert_int_equal(c.ncommons, 0);
	make_config(config, true);
	config[CAP_AT + 4] = 6;
	virtio_caps_read(config, 256, 0x1af4, 0x1042, &c);
	assert_int_equal(c.ncommons, 0);
	make_config(config, true);
	memset(config + CAP_AT + 8, 0xff, 4); /* wraps */
	virtio_caps_read(config, 256, 0x1af4, 0x1042, &c);
	assert_int_equal(c.ncommons, 0);
	/* Too short or too long: Linux uses it all the same, so we know it. */
	for (unsigned int i = 0; i < 2; i++) {
		make_config(config, false);
		config[CAP_AT + 2] = i ? 0xff : 0;
		virtio_caps_read(config, 256, 0x1af4, 0x1042, &c);
		assert_int_equal(c.ncommons, 1);
		assert_int_equal(c.common[0].off, COMMON);
		virtio_caps_read(config, 256, 0x1234, 0x5678, &c);
		assert_false(c.is_virtio);
	}
}

static void test_bar(void **state)
{
	struct tree *t = *state;
	uint8_t regs[0x4000] = { 0 }, config[256];
	char why[512];

	assert_int_equal(check(t), 1);
	assert_int_equal(pciscan_check(&t->s, BDF, why, sizeof(why)), 0);
	tree_bytes(t, DEV "/resource4", regs, sizeof(regs));
	assert_int_equal(check(t), 0);
	refused(t, "without VIRTIO_F_ACCESS_PLATFORM");
	memset(regs, 0xff, sizeof(regs));
	tree_bytes(t, DEV "/resource4", regs, sizeof(regs));
	assert_int_equal(check(t), 1); /* it did take the question */
	make_config(config, false);
	config[4] = 0; /* decodes nothing */
	tree_bytes(t, DEV "/config", config, sizeof(config));
	assert_int_equal(check(t), -ENXIO);
	refused(t, "cannot find out");
	tree_bytes(t, DEV "/config", config, 64);
	assert_int_equal(check(t), -EACCES);
	refused(t, "run as root");
}

/* Legacy only: no capabilities, so no bit 33. */
static void test_legacy(void **state)
{
	struct tree *t = *state;
	uint8_t config[256];

	make_config(config, false);
	config[0x06] = 0;
	tree_bytes(t, DEV "/config", config, sizeof(config));
	assert_int_equal(check(t), 0);
}

static void test_driver(void **state)
{
	char bits[66] = "0000000000000000000000000000000000000000000000000000000000000000\n";
	struct tree *t = *state;
	uint8_t config[256];

	make_config(config, false);
	tree_bytes(t, DEV "/config", config, 64); /* not even root is needed */
	tree_file(t, DEV "/virtio12/features", bits);
	assert_int_equal(check(t), -EACCES); /* nobody has agreed on anything */
	tree_dir(t, DEV "/virtio12/driver");
	assert_int_equal(check(t), 0); /* the driver would have taken it */
	bits[33] = '1';
	tree_file(t, DEV "/virtio12/features", bits);
	assert_int_equal(check(t), 1);
}

struct fake {
	uint32_t select, word[2];
	int disturb; /* so many times somebody else asks in between */
	bool gone;
};

static int fake_read(void *ctx, unsigned int reg, uint32_t *value)
{
	struct fake *f = ctx;

	if (f->gone)
		*value = UINT32_MAX;
	else if (reg == VIRTIO_R_DEVICE_SELECT)
		*value = f->select;
	else
		*value = f->select < 2 ? f->word[f->select] : 0;
	if (reg == VIRTIO_R_DEVICE_FEAT && f->disturb) {
		f->disturb--;
		f->select = 0;
	}
	return 0;
}

static int fake_write(void *ctx, unsigned int reg, uint32_t value)
{
	struct fake *f = ctx;

	assert_int_equal(reg, VIRTIO_R_DEVICE_SELECT);
	f->select = value;
	return 0;
}

static void test_ask(void **state)
{
	static const struct {
		struct fake f;
		int says;
	} rows[] = {
		{ { .word = { 0, 3 } }, 1 },
		{ { .word = { ~0u, 1 } }, 0 },
		{ { .word = { 2, 0 } }, 0 },
		{ { .word = { 0, ~0u } }, 1 }, /* all bits, but it answers */
		{ { .word = { 0, 3 }, .disturb = 2 }, 1 },
		{ { .word = { 0, 3 }, .disturb = 99 }, -EBUSY },
		{ { .gone = true }, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake f = rows[i].f;
		const struct virtio_io io = { fake_read, fake_write, &f };

		assert_int_equal(virtio_offer_ask(&io), rows[i].says);
	}
}

static void test_deny(void **state)
{
	static const struct {
		struct pci_host_dev d;
		const char *part; /* NULL: not refused for its kind */
	} rows[] = {
		{ { .vendor = 0x15ad, .device = 0x0740, .class = 0x088000 }, "VMCI" },
		{ { .vendor = 0x15ad, .device = 0x07b0, .class = 0x020000 }, NULL },
		{ { .vendor = 0x80ee, .device = 0xcafe, .class = 0x088000 }, "VirtualBox" },
		{ { .vendor = 0x5853, .device = 0x0001, .class = 0xff8000 }, "Xen" },
		{ { .vendor = 0x1d0f, .device = 0xe4c1, .class = 0x088000 }, "Nitro" },
		{ { .vendor = 0x1d0f, .device = 0xec20, .class = 0x020000 }, NULL },
		{ { .vendor = 0x1022, .device = 0x1486, .class = 0x108000 }, "secure processor" },
		{ { .vendor = 0x8086, .device = 0x9a0b, .class = 0x010400 }, "VMD" },
		{ { .vendor = 0x8086, .device = 0x0953, .class = 0x010802 }, NULL },
		{ { .vendor = 0x104c, .device = 0x8023, .class = 0x0c0010 }, "FireWire" },
		{ { .vendor = 0x104c, .device = 0x8241, .class = 0x0c0330 }, NULL },
		{ { .vendor = 0x1022, .device = 0x1481, .class = 0x080600 }, "IOMMU" },
		{ { .vendor = 0x8086, .device = 0x0412, .class = 0x030000, .dev = 2 }, "firmware" },
		{ { .vendor = 0x8086, .device = 0x56a0, .class = 0x030000, .bus = 3 }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *clause = pcideny_find(&rows[i].d);

		assert_int_equal(!clause, !rows[i].part);
		if (clause)
			assert_non_null(strstr(clause, rows[i].part));
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_caps),	T(test_odd_caps), T(test_bar),	T(test_legacy),
		T(test_driver), T(test_ask),	  T(test_deny),
	};

	return cmocka_run_group_tests_name("virtio_offer", tests, NULL, NULL);
}
