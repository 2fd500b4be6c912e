/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bzImage headers. The file is one boot sector, setup_sects sectors of 16-bit
 * setup code, then the protected-mode payload. The header that matters begins
 * at 0x1f1; the byte at 0x201 says how far beyond 0x202 it goes.
 */
#include "bzimage.h"
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#define HDR_AT	   0x1f1
#define SECTOR	   512u
#define MAGIC	   0x53726448u /* "HdrS" */
#define BOOT_FLAG  0xaa55
#define VERSION_64 0x020c /* the first with xloadflags */
#define ENTRY_64   0x200

static int refuse(const char **why, int err, const char *what)
{
	*why = what;
	return err;
}

static int check(const struct setup_header *h, const char **why)
{
	if (h->boot_flag != BOOT_FLAG || h->header != MAGIC)
		return refuse(why, -ENOEXEC, "not a bzImage");
	if (h->version < VERSION_64)
		return refuse(why, -ENOEXEC,
			      "kernel is too old: it speaks no "
			      "boot protocol 2.12 (Linux 3.8 or later does)");
	if (!(h->xloadflags & XLF_KERNEL_64))
		return refuse(why, -ENOEXEC, "not a 64-bit kernel");
	if (!(h->loadflags & LOADED_HIGH))
		return refuse(why, -ENOEXEC, "not a bzImage: loads low");
	if (h->init_size == 0 || h->pref_address < 0x100000 ||
	    h->pref_address % 4096 ||
	    h->pref_address + h->init_size < h->pref_address)
		return refuse(why, -EINVAL,
			      "bad bzImage: impossible load address");
	return 0;
}

int bzimage_parse(const uint8_t *head, size_t len, uint64_t file_len,
		  struct bzimage *out, const char **why)
{
	struct setup_header h;
	struct bzimage b = { 0 };
	unsigned int sects;
	int err;

	if (len > file_len || len < HDR_AT + sizeof(h))
		return refuse(why, -ENOEXEC, "not a bzImage: too short");
	memcpy(&h, head + HDR_AT, sizeof(h));
	err = check(&h, why);
	if (err)
		return err;
	sects = h.setup_sects ? h.setup_sects : 4; /* as the protocol says */
	b.payload = (sects + 1) * SECTOR;
	if (b.payload >= file_len || file_len - b.payload <= ENTRY_64)
		return refuse(why, -EINVAL, "bad bzImage: cut short");
	b.payload_len = file_len - b.payload;
	b.load = h.pref_address;
	b.run_len = h.init_size;
	if (b.run_len < b.payload_len)
		b.run_len = b.payload_len;
	if (b.load + b.run_len < b.load)
		return refuse(why, -EINVAL,
			      "bad bzImage: impossible load address");
	b.cmdline_max = h.cmdline_size;
	b.initrd_last = h.initrd_addr_max;

	/* The header ends where its jump goes, but never beyond what we hold. */
	b.header_len = (size_t)(0x202 + head[0x201] - HDR_AT);
	if (b.header_len > sizeof(b.header))
		b.header_len = sizeof(b.header);
	if (b.header_len > len - HDR_AT)
		b.header_len = len - HDR_AT;
	memcpy(b.header, head + HDR_AT, b.header_len);
	*out = b;
	return 0;
}
