/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of a Linux x86 kernel image (Documentation/arch/x86/boot.rst). */
#ifndef VMM_BZIMAGE_H
#define VMM_BZIMAGE_H

#include <stddef.h>
#include <stdint.h>

/* As much of the file as the parser wants to see; less is fine. */
#define BZIMAGE_HEAD 0x300

struct bzimage {
	uint8_t header[0x290 - 0x1f1]; /* for the zero page, at 0x1f1 */
	size_t header_len;	       /* how much of it is the image's */
	uint64_t payload;	       /* file offset of the 64-bit code */
	uint64_t payload_len;
	uint64_t load;	      /* guest address it wants to be at */
	uint64_t run_len;     /* memory that it needs from there */
	uint64_t cmdline_max; /* without the final 0 */
	uint64_t initrd_last; /* highest address of an initrd */
};

/*
 * Check the first @len bytes of a file that has @file_len. 0 and *out, or
 * -ENOEXEC or -EINVAL and *why in words; *out is written on success only.
 * Nothing in the file is trusted: every number in *out has been checked
 * against the file's length, and load + run_len does not wrap.
 */
int bzimage_parse(const uint8_t *head, size_t len, uint64_t file_len,
		  struct bzimage *out, const char **why);

#endif
