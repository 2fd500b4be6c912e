/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct doctor on made-up hosts: a good one, and one thing wrong at a time. */
#include "doctor.h"
#include "exit.h"
#include "tree.h"
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

#define ALL_CAPS "CapEff:\t000001ffffffffff\n"

static struct {
	struct tree t;
	int kvm, pagemap, io_uring;
	uint64_t memlock;
	bool own_user;
	char *out;
	size_t len;
} f;

static int fake_kvm(char *why, size_t len)
{
	if (f.kvm)
		snprintf(why, len, "there is no KVM");
	return f.kvm;
}

static int fake_pagemap(void)
{
	return f.pagemap;
}

static int fake_io_uring(void)
{
	return f.io_uring;
}

static uint64_t fake_memlock(void)
{
	return f.memlock;
}

static bool fake_own_user(void)
{
	return f.own_user;
}

static const struct doctor_probes probes = {
	fake_kvm, fake_pagemap, fake_io_uring, fake_memlock, fake_own_user,
};

static int setup(void **state)
{
	static const struct tree_pci nvme = {
		.bdf = "0000:03:00.0",
		.driver = "nvme",
		.vendor = 0x1b36,
		.device = 0x10,
		.class = 0x010802,
		.pin = 1,
		.resource = "0xfebf0000 0xfebf3fff 0x140204\n0 0 0\n0xc000 0xc03f 0x40101\n",
	};
	static const struct tree_pci bridge = {
		.bdf = "0000:00:00.0",
		.class = 0x060000,
		.vendor = 0x8086,
		.device = 1,
	};

	(void)state;
	memset(&f, 0, sizeof(f));
	f.memlock = 65536;
	f.own_user = true;
	tree_make(&f.t);
	tree_pci(&f.t, &nvme);
	tree_pci(&f.t, &bridge);
	tree_file(&f.t, "/proc/self/mountinfo", "");
	tree_file(&f.t, "/proc/self/status", "Name: x\n" ALL_CAPS);
	tree_file(&f.t, "/proc/self/cgroup", "0::/a/b\n");
	tree_file(&f.t, "/proc/cpuinfo", "vendor_id\t: x\nflags\t\t: fpu svm npt\n");
	tree_file(&f.t, "/proc/swaps",
		  "Filename Type Size Used Priority\n"
		  "/dev/zram0 partition 1048576 2048 100\n");
	tree_file(&f.t, "/proc/sys/kernel/osrelease", "6.12.0-x\n");
	tree_file(&f.t, "/proc/sys/kernel/seccomp/actions_avail",
		  "kill_process kill_thread trap errno user_notif trace log allow\n");
	tree_file(&f.t, "module/kvm_amd/parameters/nested", "1\n");
	tree_file(&f.t, "kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	tree_dir(&f.t, "module/uio_pci_generic");
	tree_dir(&f.t, "bus/pci/drivers/uio_pci_generic");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(f.out);
	tree_end(&f.t);
	return 0;
}

static int doctor(char *a, char *b)
{
	char *argv[] = { "doctor", a, b, NULL };
	int status, argc = 1 + (a != NULL) + (b != NULL);
	FILE *out;

	free(f.out);
	out = open_memstream(&f.out, &f.len);
	status = doctor_main(argc, argv, &f.t.s, &probes, out);
	fclose(out);
	return status;
}

static void shows(const char *part)
{
	if (!strstr(f.out, part))
		fail_msg("\"%s\" does not say \"%s\"", f.out, part);
}

/* Run it; check @id says @says with @part in its text or advice. */
static void expect(int status, const char *id, const char *says, const char *part)
{
	json_t *r, *c, *list;
	size_t i;

	assert_int_equal(doctor("--json", NULL), status);
	r = json_loads(f.out, 0, NULL);
	assert_non_null(r);
	assert_int_equal(json_is_true(json_object_get(r, "ready")), status == CLI_OK);
	list = json_object_get(r, "checks");
	json_array_foreach(list, i, c) {
		if (strcmp(json_string_value(json_object_get(c, "id")), id))
			continue;
		assert_string_equal(json_string_value(json_object_get(c, "says")), says);
		shows(part);
		json_decref(r);
		return;
	}
	fail_msg("no check %s", id);
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(doctor(NULL, NULL), CLI_OK);
	shows("ok   kvm           KVM makes virtual machines (SVM, nested on)\n");
	shows("ok   iommu         none, which is");
	shows("ok   swap          1024 MiB of zram, 2 MiB used\n");
	shows("ok   0000:03:00.0  1b36:0010 class 010802, driver nvme\n");
	shows("BAR 0: memory, 16384 bytes at 0xfebf0000: direct\n");
	shows("BAR 2: io, 64 bytes at 0xc000: trapped\n");
	shows("-    0000:00:00.0  8086:0001 class 060000, no driver\n");
	shows("is a bridge");
	shows("Everything that is needed is there.");
	assert_null(strstr(f.out, "warn"));
	assert_null(strstr(f.out, "\nno "));
	for (char *line = strtok(f.out, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 80);
}

static void test_json(void **state)
{
	static const char *const ids[] = {
		"kvm",	    "iommu",   "uio",	 "lockdown", "capabilities", "pagemap",
		"io_uring", "memlock", "kernel", "swap",     "hugepages",    "hugetlb",
		"lowmem",   "moving",  "ksm",	 "cgroup",
	};
	json_t *r, *d, *b;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		expect(CLI_OK, ids[i], "ok", ids[i]);
	r = json_loads(f.out, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(r, "checks")), 17);
	d = json_array_get(json_object_get(r, "devices"), 1);
	assert_string_equal(json_string_value(json_object_get(d, "host")), "0000:03:00.0");
	assert_true(json_is_true(json_object_get(d, "assignable")));
	assert_true(json_is_null(json_object_get(d, "reason")));
	b = json_array_get(json_object_get(d, "bars"), 1);
	assert_int_equal(json_integer_value(json_object_get(b, "index")), 2);
	assert_string_equal(json_string_value(json_object_get(b, "how")), "trapped");
	json_decref(r);
}

static void test_kvm(void **state)
{
	(void)state;
	tree_file(&f.t, "/proc/cpuinfo", "flags : fpu\n");
	expect(CLI_OK, "kvm", "warn", "neither VMX nor SVM");
	f.kvm = -ENOENT;
	expect(CLI_FAILED, "kvm", "no", "firmware setup");
	tree_file(&f.t, "/proc/cpuinfo", "flags : fpu hypervisor\n");
	expect(CLI_FAILED, "kvm", "no", "nested virtualisation");
	tree_file(&f.t, "/proc/cpuinfo", "flags : fpu vmx hypervisor\n");
	expect(CLI_FAILED, "kvm", "no", "modprobe kvm_intel");
	tree_file(&f.t, "/proc/cpuinfo", "flags : svm_lock svm\n");
	expect(CLI_FAILED, "kvm", "no", "modprobe kvm_amd");
	tree_file(&f.t, "/dev/kvm", "");
	expect(CLI_FAILED, "kvm", "no", "there is no KVM");
	assert_null(strstr(f.out, "modprobe kvm"));
}

static void test_iommu(void **state)
{
	(void)state;
	tree_file(&f.t, "firmware/acpi/tables/DMAR", "x");
	expect(CLI_OK, "iommu", "warn", "the kernel does not use");
	tree_dir(&f.t, "kernel/iommu_groups/0");
	tree_dir(&f.t, "kernel/iommu_groups/1");
	expect(CLI_OK, "iommu", "warn", "an IOMMU is in use (2 groups)");
	shows("VFIO");
}

static void test_uio(void **state)
{
	(void)state;
	tree_drop(&f.t, "module/uio_pci_generic");
	expect(CLI_FAILED, "uio", "no", "CONFIG_UIO_PCI_GENERIC");
	tree_file(&f.t, "/lib/modules/6.12.0-x/modules.dep", "k/uio_pci_generic.ko: k/uio.ko\n");
	expect(CLI_FAILED, "uio", "no", "run modprobe uio_pci_generic");
	assert_int_equal(doctor(NULL, NULL), CLI_FAILED);
	shows("no   uio           the module uio_pci_generic is not loaded\n"
	      "                -> run modprobe uio_pci_generic\n");
	shows("Something that is needed is missing.");
}

static void test_rights(void **state)
{
	(void)state;
	tree_file(&f.t, "/proc/self/status", "CapEff:\t0000000000000000\n");
	expect(CLI_FAILED, "capabilities", "no", "missing: CAP_SYS_ADMIN");
	expect(CLI_FAILED, "memlock", "warn", "no more than 64 KiB");
	f.memlock = UINT64_MAX;
	expect(CLI_FAILED, "memlock", "ok", "unlimited");
	tree_file(&f.t, "/proc/self/status", ALL_CAPS);
	f.pagemap = -EPERM;
	expect(CLI_FAILED, "pagemap", "no", "CAP_SYS_ADMIN");
	f.pagemap = -ENOENT;
	expect(CLI_FAILED, "pagemap", "no", "No such file");
	f.pagemap = 0;
	f.io_uring = -EPERM;
	expect(CLI_FAILED, "io_uring", "no", "seccomp");
	tree_file(&f.t, "/proc/sys/kernel/io_uring_disabled", "2\n");
	expect(CLI_FAILED, "io_uring", "no", "sysctl kernel.io_uring_disabled=0");
	f.io_uring = 0;
	tree_file(&f.t, "/proc/sys/kernel/io_uring_disabled", "1\n");
	expect(CLI_OK, "io_uring", "warn", "16384 runs");
	tree_file(&f.t, "/proc/sys/kernel/io_uring_disabled", "0\n");
	expect(CLI_OK, "io_uring", "ok", "");
	f.io_uring = -ENOMEM;
	expect(CLI_FAILED, "io_uring", "no", "RLIMIT_MEMLOCK");
	f.io_uring = 0;
	tree_file(&f.t, "kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect(CLI_FAILED, "lockdown", "no", "locked down");
	tree_file(&f.t, "kernel/security/lockdown", "[none] integrity confidentiality\n");
	expect(CLI_OK, "lockdown", "ok", "");
}

static void test_kernel(void **state)
{
	(void)state;
	tree_file(&f.t, "/proc/sys/kernel/osrelease", "6.1.0-50-amd64\n");
	expect(CLI_OK, "kernel", "ok", "pages are pinned one by one");
	tree_file(&f.t, "/proc/sys/kernel/osrelease", "6.4.0\n");
	expect(CLI_OK, "kernel", "ok", "Linux 6.4.0\"");
	tree_file(&f.t, "/proc/sys/kernel/osrelease", "odd\n");
	expect(CLI_OK, "kernel", "warn", "unknown");
}

static void test_confinement(void **state)
{
	(void)state;
	expect(CLI_OK, "confinement", "ok", "becomes user viaduct");
	f.own_user = false;
	expect(CLI_OK, "confinement", "warn", "no user viaduct");
	tree_file(&f.t, "/proc/sys/kernel/seccomp/actions_avail", "kill_thread errno allow\n");
	expect(CLI_FAILED, "confinement", "no", "CONFIG_SECCOMP_FILTER");
}

static void test_memory(void **state)
{
	(void)state;
	tree_file(&f.t, "/proc/swaps", "Filename\n");
	expect(CLI_OK, "swap", "warn", "modprobe zram");
	tree_file(&f.t, "/proc/swaps", "Filename\n/dev/zram0 p 1024 0 1\n/dev/sda2 p 1024 0 1\n");
	expect(CLI_OK, "swap", "ok", "2 MiB (some of it zram)");
	tree_file(&f.t, "kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
	expect(CLI_OK, "hugepages", "warn", "transparent huge pages: never");
	tree_drop(&f.t, "kernel/mm/transparent_hugepage/enabled");
	expect(CLI_OK, "hugepages", "warn", "transparent huge pages: unknown");
	tree_file(&f.t, "/proc/sys/vm/nr_hugepages", "512\n");
	expect(CLI_OK, "hugetlb", "warn", "512 huge pages");
	tree_file(&f.t, "/proc/sys/kernel/numa_balancing", "1\n");
	expect(CLI_OK, "moving", "ok", "(NUMA balancing)");
	tree_file(&f.t, "/proc/sys/vm/compact_unevictable_allowed", "1\n");
	expect(CLI_OK, "moving", "ok", "(compaction, NUMA balancing)");
	tree_file(&f.t, "kernel/mm/ksm/run", "1\n");
	expect(CLI_OK, "ksm", "ok", "merging is on");
}

static void test_cgroup(void **state)
{
	(void)state;
	tree_file(&f.t, "fs/cgroup/a/b/memory.max", "max\n");
	expect(CLI_OK, "cgroup", "ok", "no limit");
	tree_file(&f.t, "fs/cgroup/a/memory.max", "1073741824\n");
	expect(CLI_OK, "cgroup", "warn", "limit of 1024 MiB");
	tree_file(&f.t, "fs/cgroup/a/memory.max", "max\n");
	tree_file(&f.t, "fs/cgroup/a/b/memory.swap.max", "0\n");
	expect(CLI_OK, "cgroup", "warn", "may not swap");
	tree_file(&f.t, "/proc/self/cgroup", "9:pids:/x\n4:memory:/old\n0::/\n");
	tree_file(&f.t, "fs/cgroup/memory/old/memory.limit_in_bytes", "9223372036854771712\n");
	expect(CLI_OK, "cgroup", "ok", "no limit");
	tree_file(&f.t, "fs/cgroup/memory/old/memory.limit_in_bytes", "2097152\n");
	expect(CLI_OK, "cgroup", "warn", "limit of 2 MiB");
}

static void test_device(void **state)
{
	(void)state;
	assert_int_equal(doctor("03:00.0", NULL), CLI_OK);
	shows("ok   0000:03:00.0");
	assert_null(strstr(f.out, "0000:00:00.0"));
	assert_int_equal(doctor("00:00.0", NULL), CLI_FAILED);
	shows("is a bridge");
	shows("This device cannot be assigned.");
	tree_drop(&f.t, "bus/pci/devices/0000:03:00.0/reset");
	assert_int_equal(doctor("03:00.0", NULL), CLI_FAILED);
	shows("0000:03:00.0 cannot be reset on its own");
	shows("This device cannot be assigned.");
}

/* As run does, it looks at what is named together. */
static void test_card(void **state)
{
	static const struct tree_pci sibling = {
		.bdf = "0000:03:00.1", .driver = "ahci", .class = 0x010601, .pin = 2
	};

	(void)state;
	tree_pci(&f.t, &sibling);
	assert_int_equal(doctor("03:00.0", NULL), CLI_FAILED);
	shows("assign 0000:03:00.1");
	assert_int_equal(doctor("03:00.0", "03:00.1"), CLI_OK);
	shows("ok   0000:03:00.0");
	shows("ok   0000:03:00.1");
}

static void test_usage(void **state)
{
	int keep = dup(2);

	(void)state;
	assert_non_null(freopen("/dev/null", "w", stderr));
	assert_int_equal(doctor("04:00.0", NULL), CLI_FAILED);
	assert_int_equal(doctor("foo", NULL), CLI_USAGE);
	assert_int_equal(doctor("--foo", NULL), CLI_USAGE);
	assert_int_equal(doctor("03:00.0", "04:00.0"), CLI_FAILED);
	assert_int_equal(doctor("03:00.0", "0000:03:00.0"), CLI_USAGE);
	assert_string_equal(f.out, "");
	dup2(keep, 2);
	close(keep);
	assert_int_equal(doctor("--help", NULL), CLI_OK);
	shows("Example:\n  sudo viaduct doctor");
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_good),	T(test_json),	T(test_kvm),	     T(test_iommu),  T(test_uio),
		T(test_rights), T(test_kernel), T(test_confinement), T(test_memory), T(test_cgroup),
		T(test_device), T(test_card),	T(test_usage),
	};

	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
