/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of system calls, and seccomp filters made of them.
 *
 * A list is an array of rows, grouped by what they are for. A system call with
 * several rows is allowed if one of them matches.
 */
#ifndef VMM_CONFINE_FILTER_H
#define VMM_CONFINE_FILTER_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct confine_row {
	int call;
	uint32_t action; /* 0: allow */
	bool own;	 /* argument 0 must be the process's own id */
	unsigned int nargs;
	struct scmp_arg_cmp arg[2]; /* all must hold */
};

/* clang-format off */
#define ALLOW(name) { .call = SCMP_SYS(name) }
#define ALLOW_IF(name, test) \
	{ .call = SCMP_SYS(name), .nargs = 1, .arg = { test } }
#define ALLOW_IF2(name, test, test2) \
	{ .call = SCMP_SYS(name), .nargs = 2, .arg = { test, test2 } }
#define ALLOW_OWN(name) { .call = SCMP_SYS(name), .own = true }
#define REFUSE(name, errno) \
	{ .call = SCMP_SYS(name), .action = SCMP_ACT_ERRNO(errno) }
/* Below a folder that is open; not by a path from the root or from here. */
#define ALLOW_BELOW(name, errno) \
	{ .call = SCMP_SYS(name), .nargs = 1, .arg = { ARG_BELOW(0, 1u << 31) } }, \
	{ .call = SCMP_SYS(name), .action = SCMP_ACT_ERRNO(errno), .nargs = 1, \
	  .arg = { ARG_FROM(0, 1u << 31) } }

/* Tests of argument @n, of which the kernel looks at 32 bits. */
#define ARG_BITS(n, mask, value) \
	{ (n), SCMP_CMP_MASKED_EQ, (mask), (value) }
#define ARG_IS(n, value) \
	ARG_BITS(n, 0xffffffffu, (uint32_t)(value))
#define ARG_BELOW(n, value) \
	{ (n), SCMP_CMP_LT, (value), 0 }
#define ARG_FROM(n, value) \
	{ (n), SCMP_CMP_GE, (value), 0 }
#define ARG_IS_NOT(n, value) \
	{ (n), SCMP_CMP_NE, (value), 0 }
/* clang-format on */

struct confine_list {
	const struct confine_row *row;
	size_t nrows;
};

/*
 * Put a filter of all lists on every thread. Whatever has no row ends the
 * process by SIGSYS. 0 or -errno.
 */
int confine_filter(const struct confine_list *list, size_t nlists);

/* What every process of ours needs: memory, threads, time, its own end. */
extern const struct confine_list confine_common;

/* The machine's; @pins adds what pinning needs. */
int confine_filter_vmm(bool pins);

int confine_filter_keeper(void);

/* An array as a list. */
#define CONFINE_LIST(rows) \
	((struct confine_list){ (rows), sizeof(rows) / sizeof((rows)[0]) })

#endif
