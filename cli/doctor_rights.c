/* SPDX-License-Identifier: BSD-2-Clause */
/* Rights, and the two things that they are for: pins and addresses. */
#include "confine.h"
#include "doctor.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>

#define MEMLOCK_WISH ((uint64_t)1 << 30)

static bool has_cap(const struct doctor *d, int cap)
{
	return d->caps >> cap & 1;
}

static void check_caps(struct doctor *d)
{
	static const struct {
		int cap;
		const char *name;
	} wanted[] = {
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
		{ CAP_SYS_RAWIO, "CAP_SYS_RAWIO" },
		{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE" },
		{ CAP_IPC_LOCK, "CAP_IPC_LOCK" },
		{ CAP_SETUID, "CAP_SETUID" },
		{ CAP_SETGID, "CAP_SETGID" },
		{ CAP_SYS_CHROOT, "CAP_SYS_CHROOT" },
	};
	char missing[128] = "";
	size_t used;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (has_cap(d, wanted[i].cap))
			continue;
		used = strlen(missing);
		snprintf(missing + used, sizeof(missing) - used, " %s",
			 wanted[i].name);
	}
	if (missing[0])
		doctor_add(d, "capabilities", DOCTOR_NO, "run it as root",
			   "missing:%s", missing);
	else
		doctor_add(d, "capabilities", DOCTOR_OK, NULL,
			   "all that assigning a device needs");
}

static void check_pagemap(struct doctor *d)
{
	int err = d->probes->pagemap();

	if (!err)
		doctor_add(d, "pagemap", DOCTOR_OK, NULL,
			   "physical addresses can be read");
	else if (err == -EPERM)
		doctor_add(d, "pagemap", DOCTOR_NO,
			   "run it as root: this needs CAP_SYS_ADMIN",
			   "/proc/self/pagemap does not show addresses");
	else
		doctor_add(d, "pagemap", DOCTOR_NO,
			   "use a kernel built with CONFIG_PROC_PAGE_MONITOR",
			   "/proc/self/pagemap cannot be read: %s",
			   strerror(-err));
}

static uint64_t ring_limit(const struct doctor *d)
{
	uint64_t disabled = 0;

	sysfs_read_u64(d->s, "/proc/sys/kernel/io_uring_disabled", &disabled);
	return disabled;
}

static const char *why_refused(const struct doctor *d)
{
	if (ring_limit(d))
		return "run sysctl kernel.io_uring_disabled=0, or accept the "
		       "weaker promise of viaduct run --pin=mlock";
	return "use Linux 5.19 or later, allow io_uring in the seccomp filter "
	       "of this container, or accept the weaker promise of viaduct "
	       "run --pin=mlock";
}

static void check_io_uring(struct doctor *d)
{
	int err = d->probes->io_uring();

	/* Later rings are made when the machine is root no more. */
	if (!err && ring_limit(d))
		doctor_add(d, "io_uring", DOCTOR_WARN,
			   "run sysctl kernel.io_uring_disabled=0",
			   "only root may make rings, so a machine has one: "
			   "16384 runs of pages can be pinned at once");
	else if (!err)
		doctor_add(d, "io_uring", DOCTOR_OK, NULL,
			   "pages can be pinned for long");
	else if (err == -ENOMEM)
		doctor_add(d, "io_uring", DOCTOR_NO,
			   "raise the limit (ulimit -l), or run it as root",
			   "io_uring may not pin even one page "
			   "(RLIMIT_MEMLOCK)");
	else
		doctor_add(d, "io_uring", DOCTOR_NO, why_refused(d),
			   "io_uring does not pin pages here: %s",
			   strerror(-err));
}

static void check_memlock(struct doctor *d)
{
	uint64_t limit = d->probes->memlock();

	if (has_cap(d, CAP_IPC_LOCK))
		doctor_add(d, "memlock", DOCTOR_OK, NULL,
			   "no limit: CAP_IPC_LOCK is held");
	else if (limit >= MEMLOCK_WISH)
		doctor_add(d, "memlock", DOCTOR_OK, NULL,
			   "RLIMIT_MEMLOCK is %s",
			   limit == UINT64_MAX ? "unlimited" : "1 GiB or more");
	else
		doctor_add(d, "memlock", DOCTOR_WARN,
			   "raise it (ulimit -l), or run it as root",
			   "no more than %" PRIu64 " KiB can be pinned "
			   "(RLIMIT_MEMLOCK)",
			   limit / 1024);
}

/* Before 6.4 io_uring put the end of a buffer off: see viaduct/host.h. */
static void check_kernel(struct doctor *d)
{
	unsigned int major, minor;
	char release[128];

	if (sysfs_read(d->s, "/proc/sys/kernel/osrelease", release,
		       sizeof(release)) ||
	    sscanf(release, "%u.%u", &major, &minor) != 2)
		doctor_add(d, "kernel", DOCTOR_WARN, NULL,
			   "the kernel's version is unknown");
	else if (major < 6 || (major == 6 && minor < 4))
		doctor_add(d, "kernel", DOCTOR_OK, NULL,
			   "Linux %s; before 6.4 pages are pinned one by one, "
			   "which takes longer",
			   release);
	else
		doctor_add(d, "kernel", DOCTOR_OK, NULL, "Linux %s", release);
}

/* What a machine puts on itself before its guest runs. */
static void check_confinement(struct doctor *d)
{
	char actions[256];

	if (sysfs_read(d->s, "/proc/sys/kernel/seccomp/actions_avail", actions,
		       sizeof(actions)) ||
	    !strstr(actions, "trap"))
		doctor_add(d, "confinement", DOCTOR_NO,
			   "use a kernel built with CONFIG_SECCOMP_FILTER",
			   "this kernel cannot filter system calls, and no "
			   "machine runs without");
	else if (!d->probes->own_user())
		doctor_add(
			d, "confinement", DOCTOR_WARN,
			"make the user: systemd-sysusers viaduct.conf",
			"a machine that root starts becomes nobody, as other "
			"programs may: there is no user " CONFINE_USER);
	else
		doctor_add(d, "confinement", DOCTOR_OK, NULL,
			   "a machine's process gives up root (it becomes "
			   "user " CONFINE_USER ") and all capabilities, and "
			   "its system calls are listed (seccomp)");
}

void doctor_rights(struct doctor *d)
{
	check_caps(d);
	check_pagemap(d);
	check_io_uring(d);
	check_memlock(d);
	check_confinement(d);
	check_kernel(d);
}
