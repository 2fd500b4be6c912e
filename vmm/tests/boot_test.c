/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel images, friendly and hostile, and what is put into guest memory. No
 * KVM: a struct vm with RAM is enough.
 */
#include "boot.h"
#include "acpi.h"
#include "bzimage.h"
#include "ram.h"
#include "unit.h"
#include <asm/bootparam.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB	 (1ull << 20)
#define FILE_LEN 8192

static struct setup_header *header_of(uint8_t *file)
{
	return (struct setup_header *)(void *)(file + 0x1f1);
}

static void make_image(uint8_t file[FILE_LEN])
{
	struct setup_header *h = header_of(file);

	memset(file, 0x90, FILE_LEN);
	memset(file, 0, 1024);
	h->setup_sects = 1;
	h->boot_flag = 0xaa55;
	file[0x200] = 0xeb;
	file[0x201] = 0x6a;
	h->header = 0x53726448;
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->initrd_addr_max = 0x7fffffff;
	h->cmdline_size = 100;
	h->pref_address = 0x1000000;
	h->init_size = 0x200000;
	h->kernel_alignment = 0x200000;
}

static int parse(uint8_t *file, uint64_t file_len, struct bzimage *out)
{
	const char *why = NULL;
	size_t len = file_len < BZIMAGE_HEAD ? (size_t)file_len : BZIMAGE_HEAD;
	int err = bzimage_parse(file, len, file_len, out, &why);

	assert_true(err ? why && *why : !why);
	return err;
}

static void test_good(void **state)
{
	uint8_t file[FILE_LEN];
	struct bzimage b;

	(void)state;
	make_image(file);
	assert_int_equal(parse(file, FILE_LEN, &b), 0);
	assert_int_equal(b.payload, 1024);
	assert_int_equal(b.payload_len, FILE_LEN - 1024);
	assert_int_equal(b.load, 0x1000000);
	assert_int_equal(b.run_len, 0x200000);
	assert_int_equal(b.header_len, 0x202 + 0x6a - 0x1f1);
	header_of(file)->setup_sects = 0; /* means 4 */
	assert_int_equal(parse(file, FILE_LEN, &b), 0);
	assert_int_equal(b.payload, 5 * 512);
}

struct damage {
	unsigned int off, len;
	uint64_t value;
	int want;
};

static void test_hostile(void **state)
{
	static const struct damage rows[] = {
		{ 0x1fe, 2, 0, -ENOEXEC },	    /* boot flag */
		{ 0x202, 4, 0x53726449, -ENOEXEC }, /* magic */
		{ 0x206, 2, 0x020b, -ENOEXEC },	    /* too old */
		{ 0x236, 2, 2, -ENOEXEC },	    /* 32-bit */
		{ 0x211, 1, 0, -ENOEXEC },	    /* zImage */
		{ 0x260, 4, 0, -EINVAL },	    /* init_size */
		{ 0x258, 8, 0, -EINVAL },
		{ 0x258, 8, 0x7000, -EINVAL }, /* over our tables */
		{ 0x258, 8, 0x1000001, -EINVAL },
		{ 0x258, 8, UINT64_MAX - 4095, -EINVAL },
		{ 0x258, 8, UINT64_MAX - 0xfffff, -EINVAL },
		{ 0x1f1, 1, 15, -EINVAL }, /* payload at the end */
		{ 0x1f1, 1, 255, -EINVAL },
		{ 0x201, 1, 0xff, 0 }, /* header too long */
		{ 0x201, 1, 0, 0 },
		{ 0x260, 4, 1, 0 },	     /* less than the file */
		{ 0x260, 4, UINT32_MAX, 0 }, /* fits nowhere: later */
	};
	uint8_t file[FILE_LEN];
	struct bzimage b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_image(file);
		memcpy(file + rows[i].off, &rows[i].value, rows[i].len);
		assert_int_equal(parse(file, FILE_LEN, &b), rows[i].want);
		if (!rows[i].want) {
			assert_true(b.header_len <= sizeof(b.header));
			assert_true(b.run_len >= b.payload_len);
		}
	}
	make_image(file);
	for (uint64_t len = 0; len < FILE_LEN; len += len < 1100 ? 1 : 511) {
		int err = parse(file, len, &b);

		assert_true(len <= 1024 + 512 ? err < 0 : err == 0);
	}
}

/* Whatever stands in the header: no wrap, nothing beyond the file. */
static void test_random_headers(void **state)
{
	uint8_t file[FILE_LEN];
	struct bzimage b;
	uint64_t s = 11;
	unsigned int good = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		make_image(file);
		for (int j = 0; j < 3; j++) {
			uint64_t x = next_random(&s);

			file[0x1f1 + x % 0x80] = (uint8_t)(x >> 32);
		}
		if (parse(file, FILE_LEN, &b))
			continue;
		good++;
		assert_true(b.payload + b.payload_len == FILE_LEN);
		assert_true(b.load + b.run_len > b.load);
		assert_true(b.load >= MIB);
		assert_true(b.header_len <= sizeof(b.header));
	}
	assert_true(good > 1000);
}

static int file_with(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

static void make_vm(struct vm *vm, uint64_t len)
{
	memset(vm, 0, sizeof(*vm));
	vm->nvcpus = 3;
	assert_int_equal(vm_layout(vm, 46, len, 0), 0);
	vm->ram = ram_map(len, 12);
	assert_non_null(vm->ram);
}

static void test_load(void **state)
{
	static const char initrd[5000] = "initrd";
	uint8_t file[FILE_LEN];
	struct boot_images img = { .cmdline = "console=ttyS0",
				   .kernel_name = "the-kernel",
				   .initrd_name = "the-initrd" };
	struct boot_params *bp;
	struct boot_entry e;
	struct vm vm;
	char why[200];

	(void)state;
	make_image(file);
	make_vm(&vm, 64 * MIB);
	img.kernel = file_with(file, sizeof(file));
	img.initrd = file_with(initrd, sizeof(initrd));
	assert_int_equal(boot_load(&vm, &img, &e, why, sizeof(why)), 0);
	assert_int_equal(e.rip, 0x1000200);
	bp = vm_ram(&vm, e.rsi, sizeof(*bp));
	assert_memory_equal(vm_ram(&vm, bp->hdr.cmd_line_ptr, 14),
			    "console=ttyS0", 14);
	assert_int_equal(bp->hdr.ramdisk_size, sizeof(initrd));
	assert_int_equal(bp->hdr.ramdisk_image, 64 * MIB - 8192);
	assert_memory_equal(vm_ram(&vm, bp->hdr.ramdisk_image, 7), initrd, 7);
	assert_memory_equal(vm_ram(&vm, 0x1000000, FILE_LEN - 1024),
			    file + 1024, FILE_LEN - 1024);
	assert_memory_equal(vm_ram(&vm, bp->acpi_rsdp_addr, 8), "RSD PTR ", 8);
	assert_int_equal(bp->sentinel, 0);

	/* What does not fit is refused in words. */
	assert_int_equal(ftruncate(img.initrd, 48 << 20), 0);
	assert_int_equal(boot_load(&vm, &img, &e, why, sizeof(why)), -E2BIG);
	assert_string_equal(why,
			    "memory is too small: the initrd (48 MiB) does "
			    "not fit above the kernel: the-initrd");
	close(img.initrd);
	img.initrd = -1;
	header_of(file)->init_size = 60 << 20;
	close(img.kernel);
	img.kernel = file_with(file, sizeof(file));
	assert_int_equal(boot_load(&vm, &img, &e, why, sizeof(why)), -E2BIG);
	assert_string_equal(why, "memory is too small: at least 76 MiB are "
				 "needed to start this kernel: the-kernel");
	close(img.kernel);
	ram_unmap(vm.ram, vm.ram_len);
}

static void test_cmdline_length(void **state)
{
	char cmdline[102];
	uint8_t file[FILE_LEN];
	struct boot_images img = { .cmdline = cmdline,
				   .initrd = -1,
				   .kernel_name = "the-kernel" };
	struct boot_entry e;
	struct vm vm;
	char why[200];

	(void)state;
	make_image(file);
	make_vm(&vm, 64 * MIB);
	img.kernel = file_with(file, sizeof(file));
	memset(cmdline, 'a', sizeof(cmdline));
	cmdline[101] = 0;
	assert_int_equal(boot_load(&vm, &img, &e, why, sizeof(why)), -E2BIG);
	assert_string_equal(why,
			    "command line is too long: 101 bytes with what "
			    "--append adds; this kernel takes 100");
	cmdline[100] = 0;
	assert_int_equal(boot_load(&vm, &img, &e, why, sizeof(why)), 0);
	close(img.kernel);
	ram_unmap(vm.ram, vm.ram_len);
}

/* The map covers RAM exactly, ascending, and nothing twice. */
static void test_e820(void **state)
{
	static const uint64_t sizes[] = {
		64, 1024, 3072, 3073, 4096, 20480, 600 << 10, 6 << 20,
	};
	struct e820_range r[E820_RANGES];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct vm vm = { .ram_len = 0 };
		uint64_t ram = 0;
		unsigned int n;

		if (vm_layout(&vm, 46, sizes[i] * MIB, 64 * MIB))
			fail();
		n = boot_e820(&vm, r);
		for (unsigned int j = 0; j < n; j++) {
			ram += r[j].type == 1 ? r[j].len : 0;
			if (j)
				assert_true(r[j].addr >=
					    r[j - 1].addr + r[j - 1].len);
		}
		assert_int_equal(ram, sizes[i] * MIB - (MIB - 0x9fc00));
		assert_int_equal(r[n - 1].addr, vm.pool);
		assert_int_equal(vm.pool % (1 << 30), 0);
	}
}

#define GIB (1ull << 30)
#define TIB (1ull << 40)

/* Nothing overlaps, all is addressable, and what fits is placed. */
static void check_layout(unsigned int bits, uint64_t ram, uint64_t pool)
{
	uint64_t space = 1ull << (bits < 46 ? bits : 46);
	struct vm vm = { .ram_len = 0 };
	struct e820_range r[E820_RANGES];
	unsigned int n;

	assert_int_equal(vm_layout(&vm, bits, ram, pool), 0);
	assert_int_equal(vm.ram_len, ram);
	assert_true(vm.mmio64 + vm.mmio64_len <= space);
	assert_true(vm.mmio64_len >= 8 * GIB);
	assert_true(vm.mmio64_len / 2 >= ram / 512); /* the pin table's BAR */
	assert_int_equal(vm.mmio64 % vm.mmio64_len, 0);
	assert_true(vm.pool % GIB == 0 && vm.pool >= 4 * GIB);
	assert_true(vm.pool + vm.pool_len <= vm.mmio64);
	n = boot_e820(&vm, r);
	for (unsigned int i = 0; i < n; i++) {
		assert_true(r[i].addr + r[i].len <= vm.mmio64);
		if (i)
			assert_true(r[i].addr >= r[i - 1].addr + r[i - 1].len);
	}
}

static void test_layout(void **state)
{
	static const struct {
		unsigned int bits;
		uint64_t ram, mmio64; /* 0: refused */
	} rows[] = {
		{ 36, GIB, 32 * GIB },	      { 36, 30 * GIB, 32 * GIB },
		{ 36, 40 * GIB, 48 * GIB }, /* the last quarter */
		{ 36, 50 * GIB, 56 * GIB },   { 36, 57 * GIB, 0 },
		{ 39, 200 * GIB, 256 * GIB }, { 40, GIB, 512 * GIB },
		{ 46, GIB, 512 * GIB }, /* usual machines lie low */
		{ 52, GIB, 512 * GIB },	      { 40, 510 * GIB, 512 * GIB },
		{ 40, 600 * GIB, 768 * GIB }, { 40, 894 * GIB, 896 * GIB },
		{ 40, 900 * GIB, 0 },	      { 40, 6 * TIB, 0 },
		{ 42, 600 * GIB, TIB },	      { 46, 600 * GIB, TIB },
		{ 46, 6 * TIB, 8 * TIB },     { 43, 6 * TIB, 7 * TIB },
		{ 42, 6 * TIB, 0 },	      { 46, 8 * TIB - GIB, 16 * TIB },
		{ 46, 8 * TIB, 0 }, /* more than KVM's slot takes */
		{ 52, 600 * TIB, 0 },	      { 52, UINT64_MAX - 4095, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm vm = { .ram_len = 0 };
		int err = vm_layout(&vm, rows[i].bits, rows[i].ram, 8 * MIB);

		if (err != (rows[i].mmio64 ? 0 : -E2BIG))
			fail_msg("row %zu: %d", i, err);
		if (!err && vm.mmio64 != rows[i].mmio64)
			fail_msg("row %zu: %#llx", i,
				 (unsigned long long)vm.mmio64);
	}
	for (unsigned int bits = 36; bits <= 57; bits++) {
		uint64_t most = vm_ram_most(bits, 8 * MIB);

		for (uint64_t ram = 64 * MIB; ram < most; ram = ram * 3 / 2)
			check_layout(bits, ram & ~4095ull, 8 * MIB);
		check_layout(bits, most, 8 * MIB);
		check_layout(bits, vm_ram_most(bits, 9 * GIB), 9 * GIB);
	}
}

static void test_ram(void **state)
{
	struct vm vm = { .ram_len = 0 };

	(void)state;
	assert_int_equal(vm_layout(&vm, 46, 4096 * MIB, 0), 0);
	vm.ram = ram_map(vm.ram_len, 12); /* never touched */
	assert_non_null(vm.ram);
	assert_ptr_equal(vm_ram(&vm, 0, 1), vm.ram);
	assert_non_null(vm_ram(&vm, VM_RAM_LOW_MAX - 1, 1));
	assert_null(vm_ram(&vm, VM_RAM_LOW_MAX - 1, 2));
	assert_null(vm_ram(&vm, VM_RAM_LOW_MAX, 1));
	assert_null(vm_ram(&vm, 0, UINT64_MAX));
	assert_null(vm_ram(&vm, 1, UINT64_MAX));
	assert_ptr_equal(vm_ram(&vm, 4096 * MIB, 1), vm.ram + VM_RAM_LOW_MAX);
	assert_non_null(vm_ram(&vm, 5120 * MIB - 1, 1));
	assert_null(vm_ram(&vm, 5120 * MIB - 1, 2));
	assert_null(vm_ram(&vm, UINT64_MAX, 1));
	ram_unmap(vm.ram, vm.ram_len);
	assert_int_equal(vm_layout(&vm, 46, 1ull << 45, 0), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_random_headers),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_cmdline_length),
		cmocka_unit_test(test_e820),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
