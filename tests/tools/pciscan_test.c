/* SPDX-License-Identifier: BSD-2-Clause */
#include "modules.h"
#include "pciscan.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

#define NVME   "0000:03:00.0"
#define DEV    "bus/pci/devices/" NVME
#define DISK   DEV "/nvme/nvme0/nvme0n1"
#define MOUNTS "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

static const char plain_bars[] = "0x00000000febf0000 0x00000000febf3fff 0x0000000000140204\n"
				 "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
static const char all_bars[] = "0x00000000febf0000 0x00000000febf3fff 0x0000000000140204\n"
			       "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			       "0x00000000febf4100 0x00000000febf5fff 0x0000000000040200\n"
			       "0x000000000000c000 0x000000000000c03f 0x0000000000040101\n"
			       "0x00000000febf6000 0x00000000febf77ff 0x0000000000040200\n"
			       "0x0000000000000000 0x0000000000000fff 0x0000000020040200\n"
			       "0x00000000febf8000 0x00000000febf8fff 0x0000000000046200\n";

static void add_disk(struct tree *t, const char *path, const char *number)
{
	char attr[256];

	snprintf(attr, sizeof(attr), "%s/dev", path);
	tree_file(t, attr, number);
	snprintf(attr, sizeof(attr), "%s/subsystem", path);
	tree_link(t, attr, "../../class/block");
}

static int setup(void **state)
{
	static const struct tree_pci nvme = {
		.bdf = NVME,
		.driver = "nvme",
		.vendor = 0x1b36,
		.device = 0x10,
		.class = 0x010802,
		.pin = 1,
		.resource = plain_bars,
	};
	static struct tree t;

	tree_make(&t);
	tree_pci(&t, &nvme);
	tree_file(&t, "/proc/self/mountinfo", MOUNTS);
	tree_file(&t, "/proc/swaps", "Filename Type Size Used Priority\n");
	tree_dir(&t, "bus/pci/drivers/uio_pci_generic");
	add_disk(&t, DISK, "259:0\n");
	add_disk(&t, DISK "/nvme0n1p1", "259:1\n");
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	tree_end(*state);
	return 0;
}

static void test_bdf(void **state)
{
	static const struct {
		const char *text, *bdf;
	} rows[] = {
		{ "0000:03:00.0", "0000:03:00.0" },
		{ "03:1f.7", "0000:03:1f.7" },
		{ "3:0.0", "0000:03:00.0" },
		{ "10000:E1:00.0", "10000:e1:00.0" },
		{ "03:20.0", NULL },
		{ "03:00.8", NULL },
		{ "03:00", NULL },
		{ "03:00.0x", NULL },
		{ "", NULL },
		{ "nvme0", NULL },
		{ "-3:00.0", NULL },
		{ " 03:00.0", NULL },
		{ "0000:03:00.0/..", NULL },
		{ "../03:00.0", NULL },
		{ "0000:003:00.0", NULL },
		{ "0000:03:00.0\n", NULL },
		{ "10000000:03:00.0", NULL },
		{ "::.", NULL },
	};
	char bdf[PCI_BDF_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = pci_bdf_parse(rows[i].text, bdf);

		assert_int_equal(err, rows[i].bdf ? 0 : -EINVAL);
		if (rows[i].bdf)
			assert_string_equal(bdf, rows[i].bdf);
	}
}

static void test_read(void **state)
{
	static const struct {
		enum pci_how how;
		uint64_t start, len, direct_len;
	} rows[PCI_HOST_BARS] = {
		{ PCI_HOW_DIRECT, 0xfebf0000, 0x4000, 0x4000 },
		{ PCI_HOW_NONE, 0, 0, 0 },
		{ PCI_HOW_TRAPPED, 0xfebf4100, 0x1f00, 0 },
		{ PCI_HOW_TRAPPED, 0xc000, 0x40, 0 },
		{ PCI_HOW_SPLIT, 0xfebf6000, 0x1800, 0x1000 },
		{ PCI_HOW_UNASSIGNED, 0, 0x1000, 0 },
	};
	struct tree *t = *state;
	struct pci_host_dev d;

	tree_file(t, DEV "/resource", all_bars);
	assert_int_equal(pciscan_read(&t->s, "3:0.0", &d), 0);
	assert_string_equal(d.bdf, NVME);
	assert_int_equal(d.bus, 3);
	assert_int_equal(d.vendor, 0x1b36);
	assert_int_equal(d.device, 0x10);
	assert_int_equal(d.class, 0x010802);
	assert_int_equal(d.pin, 1);
	assert_string_equal(d.driver, "nvme");
	assert_false(d.has_group);
	assert_false(d.multifunction);
	assert_true(d.can_reset);
	for (int i = 0; i < PCI_HOST_BARS; i++) {
		assert_int_equal(d.bar[i].how, rows[i].how);
		assert_int_equal(d.bar[i].start, rows[i].start);
		assert_int_equal(d.bar[i].len, rows[i].len);
		assert_int_equal(d.bar[i].direct_len, rows[i].direct_len);
	}
	assert_int_equal(pciscan_read(&t->s, "4:0.0", &d), -ENODEV);
	assert_int_equal(pciscan_read(&t->s, "x", &d), -EINVAL);
}

static int join(void *ctx, const struct pci_host_dev *d)
{
	strcat(strcat(ctx, d->bdf), ",");
	return 0;
}

static void test_each(void **state)
{
	static const struct tree_pci other = { .bdf = "0000:00:01.0" };
	struct tree *t = *state;
	char names[64] = "";

	tree_pci(t, &other);
	assert_int_equal(pciscan_each(&t->s, join, names), 0);
	assert_string_equal(names, "0000:00:01.0," NVME ",");
}

/* @part: what the sentence must hold; NULL: no sentence. */
static void expect(struct tree *t, const char *bdf, int err, const char *part)
{
	char why[256] = "x";

	assert_int_equal(pciscan_check(&t->s, bdf, why, sizeof(why)), err);
	if (!part)
		assert_string_equal(why, "");
	else if (!strstr(why, part))
		fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static void test_check_fine(void **state)
{
	expect(*state, NVME, 0, NULL);
	expect(*state, "03:00.0", 0, NULL);
	expect(*state, "04:00.0", -ENODEV, "there is no PCI device 04:00.0");
	expect(*state, "foo", -EINVAL, "foo is no PCI address");
}

static void test_check_device(void **state)
{
	static const struct tree_pci bridge = {
		.bdf = "0000:00:01.0",
		.class = 0x060400,
		.header = 1,
		.pin = 1,
	};
	static const struct tree_pci no_pin = {
		.bdf = "0000:05:00.0",
		.class = 0x020000,
	};
	static const struct tree_pci sibling = {
		.bdf = "0000:03:00.1",
		.driver = "ahci",
		.pin = 1,
	};
	struct tree *t = *state;

	tree_pci(t, &bridge);
	expect(t, "00:01.0", -EOPNOTSUPP, "is a bridge");
	tree_pci(t, &no_pin);
	expect(t, "05:00.0", -EOPNOTSUPP, "no INTx");
	tree_pci(t, &sibling);
	expect(t, NVME, -EBUSY, "shares its card with 0000:03:00.1");
	tree_drop(t, "bus/pci/devices/0000:03:00.1/driver");
	expect(t, NVME, 0, NULL);
	tree_file(t, DEV "/resource", all_bars);
	expect(t, NVME, 0, "has no address");
	tree_drop(t, DEV "/reset");
	expect(t, NVME, -EOPNOTSUPP, "cannot be reset on its own");
}

/* Function 8 of a card whose bus has ARI looks like another device. */
static void test_check_ari(void **state)
{
	static const struct tree_pci eighth = {
		.bdf = "0000:03:01.0",
		.driver = "ahci",
		.pin = 1,
	};
	static const struct tree_pci last = {
		.bdf = "0000:03:1f.7",
		.driver = "ahci",
		.pin = 1,
	};
	static const char *const both[] = { NVME, "03:1f.7" };
	struct tree *t = *state;
	struct pciscan_set set;
	char why[256];

	tree_pci(t, &eighth);
	expect(t, NVME, 0, NULL);
	tree_file(t, DEV "/ari_enabled", "0\n");
	expect(t, NVME, 0, NULL);
	tree_file(t, DEV "/ari_enabled", "1\n");
	expect(t, NVME, -EBUSY, "shares its card with 0000:03:01.0");
	tree_drop(t, "bus/pci/devices/0000:03:01.0/driver");
	expect(t, NVME, 0, NULL);
	tree_pci(t, &last);
	tree_file(t, "bus/pci/devices/0000:03:1f.7/ari_enabled", "1\n");
	expect(t, NVME, -EBUSY, "assign 0000:03:1f.7 too");
	expect(t, "03:1f.7", -EBUSY, "shares its card with " NVME);
	assert_int_equal(pciscan_check_all(&t->s, both, 2, &set, why, sizeof(why)), 0);
}

/* What cannot be read is not taken for empty. */
static void test_check_unreadable(void **state)
{
	struct tree *t = *state;

	tree_drop(t, DEV "/resource");
	expect(t, NVME, -EOPNOTSUPP, "cannot find out the BARs of " NVME);
	tree_dir(t, DEV "/resource"); /* opens, and gives an error when read */
	expect(t, NVME, -EOPNOTSUPP, "cannot find out the BARs of " NVME);
	tree_drop(t, DEV "/resource");
	tree_file(t, DEV "/resource", "");
	expect(t, NVME, 0, NULL);
	tree_drop(t, "/proc/self/mountinfo");
	tree_dir(t, "/proc/self/mountinfo");
	expect(t, NVME, -EBUSY, "cannot find out whether the host uses a disk");
}

/* 255 is a number like others once the function has been enabled. */
static void test_check_irq(void **state)
{
	struct tree *t = *state;

	tree_file(t, DEV "/irq", "255\n");
	tree_file(t, DEV "/enable", "1\n");
	expect(t, NVME, 0, NULL);
	tree_file(t, DEV "/enable", "0\n");
	expect(t, NVME, 0, "has not routed the interrupt");
	tree_file(t, DEV "/irq", "0\n");
	expect(t, NVME, 0, "has not routed the interrupt");
	tree_file(t, DEV "/enable", "1\n");
	expect(t, NVME, -EOPNOTSUPP, "routes no INTx");
}

static void test_check_iommu(void **state)
{
	struct tree *t = *state;

	tree_link(t, DEV "/iommu_group", "../../../../kernel/iommu_groups/7");
	tree_file(t, "kernel/iommu_groups/7/name", "vfio-noiommu\n");
	tree_file(t, "kernel/iommu_groups/7/type", "unknown\n");
	expect(t, NVME, 0, NULL);
	tree_drop(t, "kernel/iommu_groups/7/name");
	tree_drop(t, DEV "/iommu_group");

	tree_file(t, "kernel/iommu_groups/7/type", "DMA-FQ\n");
	tree_link(t, DEV "/iommu_group", "../../../../kernel/iommu_groups/7");
	expect(t, NVME, -EOPNOTSUPP, "translates its DMA");
	tree_file(t, "kernel/iommu_groups/7/type", "identity\n");
	expect(t, NVME, 0, NULL);
}

static void test_check_module(void **state)
{
	struct tree *t = *state;

	tree_drop(t, "bus/pci/drivers/uio_pci_generic");
	expect(t, NVME, -ENOPKG, "this kernel has no module");
	tree_file(t, "/proc/sys/kernel/osrelease", "6.1.0-x\n");
	tree_file(t, "/lib/modules/6.1.0-x/modules.dep",
		  "kernel/drivers/uio/uio.ko:\n"
		  "kernel/drivers/uio/uio_pci_generic.ko.xz: kernel/drivers/uio/uio.ko\n");
	expect(t, NVME, -ENOPKG, "run modprobe uio_pci_generic");
	assert_int_equal(module_state(&t->s, "uio-pci-generic"), MODULE_AVAILABLE);
	assert_int_equal(module_state(&t->s, "uio_pci"), MODULE_ABSENT);
	tree_file(t, "/lib/modules/6.1.0-x/modules.builtin", "kernel/drivers/block/zram.ko\n");
	assert_int_equal(module_state(&t->s, "zram"), MODULE_LOADED);
	tree_dir(t, "module/uio_pci_generic");
	assert_int_equal(module_state(&t->s, "uio-pci-generic"), MODULE_LOADED);
}

static void test_check_claim(void **state)
{
	struct tree *t = *state;
	char path[128];
	int fd;

	tree_file(t, "/run/viaduct/claims/" NVME, "nvme");
	expect(t, NVME, 0, NULL); /* left over: nobody holds it */
	snprintf(path, sizeof(path), "%s/run/viaduct/claims/" NVME, t->dir);
	fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	expect(t, NVME, -EBUSY, "another virtual machine");
	close(fd);
	expect(t, NVME, 0, NULL);
}

static void test_check_disk(void **state)
{
	static const struct {
		const char *path, *text, *said;
	} rows[] = {
		{ "/proc/self/mountinfo", MOUNTS "30 22 259:0 / /mnt rw - xfs /dev/x rw\n",
		  "nvme0n1 is mounted on /mnt" },
		{ "/proc/self/mountinfo", MOUNTS "30 22 259:1 / /a rw a:1 b:2 - xfs /dev/x rw\n",
		  "nvme0n1p1 is mounted on /a" },
		{ "/proc/self/mountinfo", MOUNTS "30 22 0:33 / /b rw - btrfs /dev/nvme0n1p1 rw\n",
		  "nvme0n1p1 is mounted on /b" },
		{ "/proc/self/mountinfo", "short\n- -\n\n30 22 259:10 / /c rw - xfs /dev/x rw\n",
		  NULL },
		{ "/proc/1/mountinfo", "30 22 259:1 / /d rw - xfs /dev/x rw\n", "mounted on /d" },
		{ "/proc/swaps", "Filename Type\n/dev/nvme0n1p1 partition 1 0 -2\n",
		  "nvme0n1p1 is used for swap" },
		{ "/proc/swaps", "Filename Type\n/dev/nvme0n1p11 partition 1 0 -2\n", NULL },
		{ "fs/btrfs/uuid/devices/nvme0n1", "", "part of a mounted btrfs" },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tree_file(t, rows[i].path, rows[i].text);
		expect(t, NVME, rows[i].said ? -EBUSY : 0, rows[i].said);
		tree_file(t, rows[i].path, "");
	}
}

static void test_check_unknown(void **state)
{
	struct tree *t = *state;

	tree_drop(t, "/proc/self/mountinfo");
	expect(t, NVME, -EBUSY, "cannot find out");
}

static void test_check_stack(void **state)
{
	struct tree *t = *state;

	add_disk(t, "class/block/dm-1", "253:1\n");
	tree_file(t, "class/block/dm-1/dm/name", "vg-root\n");
	add_disk(t, "class/block/dm-0", "253:0\n");
	tree_link(t, "class/block/dm-0/holders/dm-1", "../../dm-1");
	tree_link(t, DISK "/nvme0n1p1/holders/dm-0", "../../../dm-0");
	expect(t, NVME, -EBUSY, "dm-0 is held by dm-1");
	tree_file(t, "/proc/self/mountinfo", MOUNTS "9 1 253:1 / /srv rw - ext4 /dev/dm-1 rw\n");
	expect(t, NVME, -EBUSY, "dm-1 is mounted on /srv");
	tree_file(t, "/proc/self/mountinfo",
		  MOUNTS "9 1 0:9 / /srv rw - btrfs /dev/mapper/vg-root rw\n");
	expect(t, NVME, -EBUSY, "dm-1 is mounted on /srv");
	/* A loop that cannot be must not hang us. */
	tree_file(t, "/proc/self/mountinfo", MOUNTS);
	tree_link(t, "class/block/dm-1/holders/dm-0", "../../dm-0");
	expect(t, NVME, -EBUSY, "cannot find out");
}

static void test_check_multipath(void **state)
{
	struct tree *t = *state;

	tree_link(t, DEV "/nvme/nvme0/nvme0c0n1/subsystem", "../../class/block");
	add_disk(t, "devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "259:5\n");
	add_disk(t, "devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p7", "259:6\n");
	tree_link(t, "class/block/nvme0n1",
		  "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
	expect(t, NVME, 0, NULL);
	tree_file(t, "/proc/self/mountinfo", MOUNTS "9 1 259:6 / /srv rw - ext4 /dev/x rw\n");
	expect(t, NVME, -EBUSY, "nvme0n1p7 is mounted on /srv");
}

static void test_check_net(void **state)
{
	struct tree *t = *state;

	tree_link(t, DEV "/net/eth0/subsystem", "../../class/net");
	tree_link(t, DEV "/net/eth1/subsystem", "../../class/net");
	tree_file(t, DEV "/net/eth0/flags", "0x1002\n");
	tree_file(t, DEV "/net/eth1/flags", "0x1002\n");
	expect(t, NVME, 0, NULL);
	tree_file(t, DEV "/net/eth0/flags", "0x1003\n");
	expect(t, NVME, 0, "eth0 is up");
	tree_file(t, "/proc/net/route",
		  "Iface Destination Gateway Flags RefCnt Use Metric Mask\n"
		  "eth0 0002000A 00000000 0001 0 0 100 00FFFFFF 0 0 0\n"
		  "eth1 00000000 0202000A 0003 0 0 100 00000000 0 0 0\n");
	expect(t, NVME, 0, "eth1 has the default route");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bdf),	       T(test_read),	     T(test_each),
		T(test_check_fine),    T(test_check_device), T(test_check_iommu),
		T(test_check_module),  T(test_check_claim),  T(test_check_disk),
		T(test_check_unknown), T(test_check_stack),  T(test_check_multipath),
		T(test_check_net),     T(test_check_ari),    T(test_check_unreadable),
		T(test_check_irq),
	};

	return cmocka_run_group_tests_name("pciscan", tests, NULL, NULL);
}
