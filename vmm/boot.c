/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 64-bit boot protocol.
 *
 * The kernel image is a guest's input: bzimage.c has checked its header, and
 * nothing is written to guest memory that vm_ram() has not said is there.
 */
#include "boot.h"
#include "acpi.h"
#include "bzimage.h"
#include <asm/bootparam.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOW_END	      0x9fc00ull /* where a PC's EBDA would be */
#define ISA_END	      0x100000ull
#define ENTRY_64      0x200
#define HDR_AT	      0x1f1
#define E820_RAM      1
#define E820_RESERVED 2
#define PAGE	      4096ull

#define PTE_PRESENT   1ull
#define PTE_WRITE     2ull
#define PTE_LARGE     0x80ull

struct loader {
	struct vm *vm;
	const struct boot_images *img;
	struct bzimage bz;
	uint64_t low_end; /* of RAM below 3 GiB */
	uint64_t initrd, initrd_len;
	uint64_t rsdp;
	const char *at_fault; /* file that is worked on; NULL: none */
	char *why;
	size_t why_len;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct loader *l,
							int err,
							const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	vsnprintf(l->why, l->why_len, fmt, ap);
	va_end(ap);
	len = strlen(l->why);
	if (l->at_fault)
		snprintf(l->why + len, l->why_len - len, ": %s", l->at_fault);
	return err;
}

static int read_at(int fd, void *to, uint64_t len, uint64_t from)
{
	uint8_t *p = to;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		from += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int length_of(int fd, uint64_t *len)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*len = (uint64_t)st.st_size;
	return 0;
}

static int parse_kernel(struct loader *l)
{
	uint8_t head[BZIMAGE_HEAD];
	uint64_t file_len = 0;
	size_t len = sizeof(head);
	const char *why = "";
	int err = length_of(l->img->kernel, &file_len);

	if (err)
		return refuse(l, err, "not a bzImage: not a regular file");
	if (len > file_len)
		len = (size_t)file_len;
	err = read_at(l->img->kernel, head, len, 0);
	if (err)
		return refuse(l, err, "kernel cannot be read: %s",
			      strerror(-err));
	err = bzimage_parse(head, len, file_len, &l->bz, &why);
	return err ? refuse(l, err, "%s", why) : 0;
}

static int load_kernel(struct loader *l)
{
	const struct bzimage *bz = &l->bz;
	void *to = vm_ram(l->vm, bz->load, bz->run_len);
	int err;

	if (!to || bz->load + bz->run_len > l->low_end)
		return refuse(l, -E2BIG,
			      "memory is too small: at least %llu MiB are "
			      "needed to start this kernel",
			      (unsigned long long)((bz->load + bz->run_len +
						    0xfffff) >>
						   20));
	err = read_at(l->img->kernel, to, bz->payload_len, bz->payload);
	if (err)
		return refuse(l, err, "kernel cannot be read: %s",
			      strerror(-err));
	return 0;
}

static int load_initrd(struct loader *l)
{
	uint64_t floor = l->bz.load + l->bz.run_len, top = l->low_end;
	uint64_t len = 0;
	int err;

	if (l->img->initrd < 0)
		return 0;
	err = length_of(l->img->initrd, &len);
	if (err)
		return refuse(l, err, "initrd is not a regular file");
	if (l->bz.initrd_last < top)
		top = (l->bz.initrd_last + 1) & ~(PAGE - 1);
	if (top < floor || len > top - floor || len > UINT32_MAX)
		return refuse(l, -E2BIG,
			      "memory is too small: the initrd "
			      "(%llu MiB) does not fit above the kernel",
			      (unsigned long long)((len + 0xfffff) >> 20));
	l->initrd = (top - len) & ~(PAGE - 1);
	l->initrd_len = len;
	if (l->initrd < floor)
		return refuse(l, -E2BIG,
			      "memory is too small: no room for "
			      "the initrd");
	err = read_at(l->img->initrd, vm_ram(l->vm, l->initrd, len), len, 0);
	if (err)
		return refuse(l, err, "initrd cannot be read: %s",
			      strerror(-err));
	return 0;
}

static int load_cmdline(struct loader *l)
{
	size_t len = strlen(l->img->cmdline);
	uint64_t room = LOW_END - BOOT_CMDLINE - 1;

	if (l->bz.cmdline_max < room)
		room = l->bz.cmdline_max;
	if (len > room)
		return refuse(l, -E2BIG,
			      "command line is too long: %zu bytes with what "
			      "--append adds; this kernel takes %llu",
			      len, (unsigned long long)room);
	memcpy(vm_ram(l->vm, BOOT_CMDLINE, len + 1), l->img->cmdline, len + 1);
	return 0;
}

static int load_acpi(struct loader *l)
{
	struct acpi_cfg cfg = {
		.ncpus = l->vm->nvcpus,
		.mmio64 = l->vm->mmio64,
		.mmio64_len = l->vm->mmio64_len,
	};

	l->rsdp = acpi_build(&cfg, vm_ram(l->vm, ACPI_BASE, ACPI_LEN), ACPI_LEN,
			     ACPI_BASE);
	return l->rsdp ? 0 : refuse(l, -E2BIG, "ACPI tables do not fit");
}

static void add(struct e820_range *out, unsigned int *n, uint64_t addr,
		uint64_t end, uint32_t type)
{
	if (end > addr)
		out[(*n)++] = (struct e820_range){ addr, end - addr, type };
}

unsigned int boot_e820(const struct vm *vm, struct e820_range *out)
{
	uint64_t low =
		vm->ram_len < VM_RAM_LOW_MAX ? vm->ram_len : VM_RAM_LOW_MAX;
	unsigned int n = 0;

	add(out, &n, 0, LOW_END, E820_RAM);
	add(out, &n, LOW_END, 0xa0000, E820_RESERVED);
	add(out, &n, ACPI_BASE, ACPI_BASE + ACPI_LEN, E820_RESERVED);
	add(out, &n, ISA_END, low, E820_RAM);
	add(out, &n, VM_ECAM, VM_ECAM + VM_ECAM_LEN, E820_RESERVED);
	add(out, &n, vm->ram_high, vm->ram_high + (vm->ram_len - low),
	    E820_RAM);
	add(out, &n, vm->pool, vm->pool + vm->pool_len, E820_RESERVED);
	return n;
}

static void fill_e820(const struct vm *vm, struct boot_params *bp)
{
	struct e820_range r[E820_RANGES];
	unsigned int n = boot_e820(vm, r);

	for (unsigned int i = 0; i < n; i++) {
		bp->e820_table[i].addr = r[i].addr;
		bp->e820_table[i].size = r[i].len;
		bp->e820_table[i].type = r[i].type;
	}
	bp->e820_entries = (uint8_t)n;
}

static void fill_zero_page(struct loader *l)
{
	struct boot_params bp;

	memset(&bp, 0, sizeof(bp));
	memcpy((uint8_t *)&bp + HDR_AT, l->bz.header, l->bz.header_len);
	bp.hdr.type_of_loader = 0xff; /* no number of its own */
	bp.hdr.loadflags &= (uint8_t)~CAN_USE_HEAP;
	bp.hdr.vid_mode = 0xffff; /* "normal" */
	bp.hdr.code32_start = (uint32_t)l->bz.load;
	bp.hdr.cmd_line_ptr = (uint32_t)BOOT_CMDLINE;
	bp.hdr.ramdisk_image = (uint32_t)l->initrd;
	bp.hdr.ramdisk_size = (uint32_t)l->initrd_len;
	bp.hdr.setup_data = 0;
	bp.acpi_rsdp_addr = l->rsdp;
	fill_e820(l->vm, &bp);
	memcpy(vm_ram(l->vm, BOOT_ZERO_PAGE, sizeof(bp)), &bp, sizeof(bp));
}

/* One top-level table, one below it, four of 2 MiB pages: 4 GiB. */
static void fill_page_tables(struct vm *vm)
{
	uint64_t *t = vm_ram(vm, BOOT_TABLES, 6 * PAGE);

	memset(t, 0, 6 * PAGE);
	t[0] = (BOOT_TABLES + PAGE) | PTE_PRESENT | PTE_WRITE;
	for (uint64_t i = 0; i < 4; i++)
		t[512 + i] = (BOOT_TABLES + (2 + i) * PAGE) | PTE_PRESENT |
			     PTE_WRITE;
	for (uint64_t i = 0; i < 2048; i++)
		t[1024 + i] = i << 21 | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

static void fill_gdt(struct vm *vm)
{
	static const uint64_t gdt[] = {
		0, 0, 0x00af9b000000ffff, /* 0x10: 64-bit code, read */
		0x00cf93000000ffff,	  /* 0x18: data, write */
	};

	memcpy(vm_ram(vm, BOOT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
}

static int load_files(struct loader *l)
{
	int err;

	l->at_fault = l->img->kernel_name;
	err = parse_kernel(l);
	if (!err)
		err = load_kernel(l);
	l->at_fault = l->img->initrd_name;
	if (!err)
		err = load_initrd(l);
	l->at_fault = NULL;
	return err;
}

int boot_load(struct vm *vm, const struct boot_images *img,
	      struct boot_entry *out, char *why, size_t why_len)
{
	struct loader l = {
		.vm = vm, .img = img, .why = why, .why_len = why_len
	};
	int err;

	l.low_end = vm->ram_len < VM_RAM_LOW_MAX ? vm->ram_len : VM_RAM_LOW_MAX;
	if (l.low_end < ISA_END)
		return refuse(&l, -E2BIG, "memory is too small");
	err = load_files(&l);
	if (!err)
		err = load_cmdline(&l);
	if (!err)
		err = load_acpi(&l);
	if (err)
		return err;

	/* Nothing below can fail. */
	fill_zero_page(&l);
	fill_page_tables(vm);
	fill_gdt(vm);
	*out = (struct boot_entry){
		.rip = l.bz.load + ENTRY_64,
		.rsi = BOOT_ZERO_PAGE,
		.cr3 = BOOT_TABLES,
		.gdt = BOOT_GDT,
		.gdt_limit = 31,
	};
	return 0;
}
