/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Odd devices, one row each, over a tree of files: what doctor and run say of
 * it, and how its BARs reach the guest.
 */
#include "pciscan.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

#define MEM16K "0x00000000fe000000 0x00000000fe003fff 0x0000000000140204\n"
#define EMPTY  "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
#define ROM    "0x00000000fd000000 0x00000000fd01ffff 0x0000000000046200\n"

static int setup(void **state)
{
	static struct tree t;

	tree_make(&t);
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

struct odd {
	const char *bdf, *irq, *enable; /* NULL: no such file */
	unsigned char pin, header;
	const char *resource;
	int err;
	const char *part;	    /* of the sentence; NULL: none */
	enum pci_how how;	    /* of the first BAR that is there */
	uint64_t guest_len, direct; /* of it */
};

static const struct odd odds[] = {
	{ "0000:03:00.0", "16", "1", 1, 0, MEM16K, 0, NULL, PCI_HOW_DIRECT, 0x4000, 0x4000 },
	/* Interrupts. */
	{ "0000:03:00.0", "16", "1", 0, 0, MEM16K, -EOPNOTSUPP, "no INTx", PCI_HOW_DIRECT, 0x4000,
	  0x4000 },
	{ "0000:03:00.0", "0", "1", 1, 0, MEM16K, -EOPNOTSUPP, "routes no INTx", PCI_HOW_DIRECT,
	  0x4000, 0x4000 },
	{ "0000:03:00.0", "0", NULL, 1, 0, MEM16K, -EOPNOTSUPP, "routes no INTx", PCI_HOW_DIRECT,
	  0x4000, 0x4000 },
	{ "0000:03:00.0", "2147483648", "1", 1, 0, MEM16K, -EOPNOTSUPP, "routes no INTx",
	  PCI_HOW_DIRECT, 0x4000, 0x4000 },
	{ "0000:03:00.0", "0", "0", 1, 0, MEM16K, 0, "not routed the interrupt", PCI_HOW_DIRECT,
	  0x4000, 0x4000 },
	{ "10000:e1:00.0", "0", "0", 1, 0, MEM16K, -EOPNOTSUPP, "behind VMD", PCI_HOW_DIRECT,
	  0x4000, 0x4000 },
	{ "10000:e1:00.0", "16", "1", 1, 0, MEM16K, 0, NULL, PCI_HOW_DIRECT, 0x4000, 0x4000 },
	/* Header types: a bridge, a CardBus bridge. */
	{ "0000:03:00.0", "16", "1", 1, 1, MEM16K, -EOPNOTSUPP, "is a bridge", PCI_HOW_DIRECT,
	  0x4000, 0x4000 },
	{ "0000:03:00.0", "16", "1", 1, 2, MEM16K, -EOPNOTSUPP, "is a bridge", PCI_HOW_DIRECT,
	  0x4000, 0x4000 },
	/* BARs: 6 KiB, 12 KiB, 16 bytes, 8 bytes, inside a page. */
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000000 0x00000000fe0017ff 0x0000000000040200\n", 0, NULL, PCI_HOW_SPLIT,
	  0x2000, 0x1000 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000000 0x00000000fe002fff 0x0000000000040200\n", 0, NULL, PCI_HOW_SPLIT,
	  0x4000, 0x3000 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000000 0x00000000fe00000f 0x0000000000040200\n", 0, NULL, PCI_HOW_TRAPPED,
	  16, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000000 0x00000000fe000007 0x0000000000040200\n", 0, NULL, PCI_HOW_TRAPPED,
	  16, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000800 0x00000000fe0027ff 0x0000000000040200\n", 0, NULL, PCI_HOW_TRAPPED,
	  0x2000, 0 },
	/* I/O: usual, of 6 ports, too many. */
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x000000000000c000 0x000000000000c03f 0x0000000000040101\n", 0, NULL, PCI_HOW_TRAPPED,
	  64, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x000000000000c000 0x000000000000c005 0x0000000000040101\n", 0, NULL, PCI_HOW_TRAPPED, 8,
	  0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000000000001000 0x000000000000ffff 0x0000000000040101\n", -EOPNOTSUPP, "BAR 0",
	  PCI_HOW_UNUSABLE, 0x10000, 0 },
	/* No address: flagged, not flagged, and one of 4 GiB. */
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000000000000000 0x0000000000003fff 0x0000000020140204\n", 0, "has no address",
	  PCI_HOW_UNASSIGNED, 0, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000000000000000 0x0000000000003fff 0x0000000000140204\n", 0, "has no address",
	  PCI_HOW_UNASSIGNED, 0, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000000000000000 0x00000000ffffffff 0x0000000000140204\n", 0, "has no address",
	  PCI_HOW_UNASSIGNED, 0, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000000 0x00000000fe003fff 0x0000000020140204\n", 0, "has no address",
	  PCI_HOW_UNASSIGNED, 0, 0 },
	/* Large: 128 GiB, 512 GiB, 512 MiB of 32 bits (64 in the guest). */
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000004000000000 0x0000005fffffffff 0x000000000014220c\n", 0, NULL, PCI_HOW_DIRECT,
	  1ull << 37, 1ull << 37 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000008000000000 0x000000ffffffffff 0x000000000014220c\n", -EOPNOTSUPP, "no room",
	  PCI_HOW_UNUSABLE, 1ull << 39, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000c0000000 0x00000000dfffffff 0x0000000000040200\n", 0, NULL, PCI_HOW_DIRECT,
	  1ull << 29, 1ull << 29 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x0000000000000001 0xffffffffffffffff 0x000000000014220c\n", -EOPNOTSUPP, "no room",
	  PCI_HOW_UNUSABLE, 0, 0 },
	/* 64 bits in the last register: 32 will do, unless it is large. */
	{ "0000:03:00.0", "16", "1", 1, 0, EMPTY EMPTY EMPTY EMPTY EMPTY MEM16K, 0, NULL,
	  PCI_HOW_DIRECT, 0x4000, 0x4000 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  EMPTY EMPTY EMPTY EMPTY EMPTY
	  "0x0000004000000000 0x000000401fffffff 0x000000000014220c\n",
	  -EOPNOTSUPP, "BAR 5", PCI_HOW_UNUSABLE, 1ull << 29, 0 },
	/* Nothing, nothing but a ROM, one byte, and what is no line at all. */
	{ "0000:03:00.0", "16", "1", 1, 0, EMPTY, 0, NULL, PCI_HOW_NONE, 0, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0, EMPTY EMPTY EMPTY EMPTY EMPTY EMPTY ROM, 0, NULL,
	  PCI_HOW_NONE, 0, 0 },
	{ "0000:03:00.0", "16", "1", 1, 0,
	  "0x00000000fe000000 0x00000000fe000000 0x0000000000040200\n", 0, NULL, PCI_HOW_NONE, 0,
	  0 },
	{ "0000:03:00.0", "16", "1", 1, 0, "rubbish\n", 0, NULL, PCI_HOW_NONE, 0, 0 },
};

static void put(struct tree *t, const char *bdf, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", bdf, name);
	if (text)
		tree_file(t, path, text);
}

static const struct pci_host_bar *first_bar(const struct pci_host_dev *d)
{
	for (int i = 0; i < PCI_HOST_BARS; i++)
		if (d->bar[i].how != PCI_HOW_NONE)
			return &d->bar[i];
	return &d->bar[0];
}

static void check_odd(struct tree *t, const struct odd *o, size_t row)
{
	const struct tree_pci p = {
		.bdf = o->bdf,
		.vendor = 0x1b36,
		.device = 0x10,
		.class = 0x010802,
		.header = o->header,
		.pin = o->pin,
		.resource = o->resource,
	};
	const struct pci_host_bar *bar;
	struct pci_host_dev d;
	char why[512] = "";
	int err;

	tree_pci(t, &p);
	put(t, o->bdf, "irq", o->irq);
	put(t, o->bdf, "enable", o->enable);
	assert_int_equal(pciscan_read(&t->s, o->bdf, &d), 0);
	err = pciscan_check(&t->s, o->bdf, why, sizeof(why));
	if (err != o->err || (o->part ? !strstr(why, o->part) : why[0]))
		fail_msg("row %zu: %d, \"%s\"", row, err, why);
	if (err && !strstr(why, o->bdf))
		fail_msg("row %zu: \"%s\" does not say who", row, why);
	bar = first_bar(&d);
	if (bar->how != o->how || bar->guest_len != o->guest_len || bar->direct_len != o->direct)
		fail_msg("row %zu: %s, %#llx, %#llx", row, pci_how_name(bar->how),
			 (unsigned long long)bar->guest_len, (unsigned long long)bar->direct_len);
}

static void test_odd(void **state)
{
	for (size_t i = 0; i < sizeof(odds) / sizeof(odds[0]); i++) {
		setup(state);
		check_odd(*state, &odds[i], i);
		teardown(state);
	}
	setup(state);
}

/* Pulled or switched off; and a virtual function, whose ids read as ones. */
static void test_silent(void **state)
{
	static const struct tree_pci p = {
		.bdf = "0000:03:00.0", .vendor = 0x8086, .device = 0x10, .class = 0x020000, .pin = 1
	};
	unsigned char config[64];
	struct tree *t = *state;
	struct pci_host_dev d;
	char why[512];

	tree_pci(t, &p);
	memset(config, 0xff, sizeof(config));
	tree_bytes(t, "bus/pci/devices/0000:03:00.0/config", config, sizeof(config));
	assert_int_equal(pciscan_check(&t->s, p.bdf, why, sizeof(why)), -ENODEV);
	assert_non_null(strstr(why, "does not answer"));
	memset(config + 4, 0, sizeof(config) - 4);
	tree_bytes(t, "bus/pci/devices/0000:03:00.0/config", config, sizeof(config));
	assert_int_equal(pciscan_check(&t->s, p.bdf, why, sizeof(why)), -EOPNOTSUPP);
	assert_non_null(strstr(why, "no INTx"));
	assert_int_equal(pciscan_read(&t->s, p.bdf, &d), 0);
	assert_false(d.silent);
	tree_bytes(t, "bus/pci/devices/0000:03:00.0/config", config, 16);
	assert_int_equal(pciscan_check(&t->s, p.bdf, why, sizeof(why)), -ENODEV);
}

static void add_card(struct tree *t)
{
	static const struct tree_pci fn[] = {
		{ .bdf = "0000:03:00.0", .driver = "nvme", .pin = 1, .resource = MEM16K },
		{ .bdf = "0000:03:00.1", .driver = "e1000e", .pin = 2, .resource = MEM16K },
		{ .bdf = "0000:03:00.2", .pin = 3, .resource = MEM16K },
		{ .bdf = "0000:03:01.0", .driver = "e1000e", .pin = 1, .resource = MEM16K },
	};

	for (size_t i = 0; i < sizeof(fn) / sizeof(fn[0]); i++)
		tree_pci(t, &fn[i]);
}

static int check_set(struct tree *t, const char *a, const char *b, char why[512])
{
	const char *const names[] = { a, b };
	struct pciscan_set set;
	int err = pciscan_check_all(&t->s, names, b ? 2 : 1, &set, why, 512);

	if (!err) {
		assert_int_equal(set.n, b ? 2 : 1);
		assert_string_equal(set.bdf[0], "0000:03:00.0");
	}
	return err;
}

/* All functions of a card that somebody uses go together. */
static void test_card(void **state)
{
	struct tree *t = *state;
	char why[512], path[128];
	int fd;

	add_card(t);
	assert_int_equal(check_set(t, "03:00.0", NULL, why), -EBUSY);
	assert_non_null(strstr(why, "assign 0000:03:00.1 too"));
	assert_int_equal(check_set(t, "03:00.0", "03:00.1", why), 0);
	assert_int_equal(check_set(t, "03:00.0", "03:00.2", why), -EBUSY);
	assert_non_null(strstr(why, "0000:03:00.1"));
	assert_int_equal(check_set(t, "03:00.0", "0000:03:00.0", why), -EEXIST);
	assert_non_null(strstr(why, "named twice"));
	/* The function that nobody uses is another machine's. */
	tree_file(t, "/run/viaduct/claims/0000:03:00.2", "");
	snprintf(path, sizeof(path), "%s/run/viaduct/claims/0000:03:00.2", t->dir);
	fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(check_set(t, "03:00.0", "03:00.1", why), -EBUSY);
	assert_non_null(strstr(why, "0000:03:00.2, which another virtual machine uses"));
	close(fd);
	tree_file(t, "bus/pci/devices/0000:03:00.0/sriov_numvfs", "4\n");
	assert_int_equal(check_set(t, "03:00.0", "03:00.1", why), -EBUSY);
	assert_non_null(strstr(why, "0000:03:00.0 has 4 virtual functions"));
	tree_file(t, "bus/pci/devices/0000:03:00.0/sriov_numvfs", "0\n");
	assert_int_equal(check_set(t, "03:00.0", "03:00.1", why), 0);
	/* One that cannot be reset by itself spoils it, and is named. */
	tree_drop(t, "bus/pci/devices/0000:03:00.1/reset");
	assert_int_equal(check_set(t, "03:00.0", "03:00.1", why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "0000:03:00.1 cannot be reset on its own"));
}

static void test_too_many(void **state)
{
	const char *names[PCISCAN_SET_MAX + 1];
	struct tree *t = *state;
	struct pciscan_set set;
	char why[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		names[i] = "03:00.0";
	assert_int_equal(
		pciscan_check_all(&t->s, names, PCISCAN_SET_MAX + 1, &set, why, sizeof(why)),
		-E2BIG);
}

/* What a virtio function shows of itself: watched pages, no legacy ports. */
static void test_virtio_bars(void **state)
{
	struct pci_host_bar bar[PCI_HOST_BARS] = {
		[0] = { .start = 0xc000, .len = 64, .flags = PCI_BAR_F_IO },
		[2] = { .start = 0xfe100000, .len = 0x800, .flags = PCI_BAR_F_MEM },
		[4] = { .start = 0xfe000000, .len = 0x8000, .flags = PCI_BAR_F_MEM | PCI_BAR_F_64 },
	};
	struct virtio_caps v = {
		.is_virtio = true,
		.is_transitional = true,
		.bars = 1 << 4,
		.ncommons = 2,
		.common = { { 4, 0x1ff0, 56 }, { 4, 0x3000, 56 } },
	};

	(void)state;
	pci_plan_bars(&v, bar);
	assert_int_equal(bar[0].how, PCI_HOW_HIDDEN);
	assert_int_equal(bar[2].how, PCI_HOW_TRAPPED);
	assert_int_equal(bar[4].how, PCI_HOW_SPLIT);
	assert_int_equal(bar[4].direct_len, 0x8000);
	assert_int_equal(bar[4].trap, 0x1000);
	assert_int_equal(bar[4].trap_len, 0x3000);
	/* All of it, and beyond its end. */
	v.ncommons = 1;
	v.common[0] = (struct virtio_place){ 4, 0, 0x9000 };
	v.bars |= 1;
	pci_plan_bars(&v, bar);
	assert_int_equal(bar[0].how, PCI_HOW_TRAPPED);
	assert_int_equal(bar[4].how, PCI_HOW_TRAPPED);
	assert_int_equal(bar[4].direct_len, 0);
	v.common[0] = (struct virtio_place){ 4, 0x9000, 56 };
	pci_plan_bars(&v, bar);
	assert_int_equal(bar[4].how, PCI_HOW_DIRECT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_odd), T(test_silent), T(test_card), T(test_too_many), T(test_virtio_bars),
	};

	return cmocka_run_group_tests_name("pciplan", tests, NULL, NULL);
}
