/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine's process may still ask of the kernel while its guest runs.
 *
 * Whoever adds to the machine and needs another call adds its row here, in the
 * group that says why. A file that is read later is opened before: see
 * sysfs_keep().
 */
#include "confine_filter.h"
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ALLOW_IOCTL(request) ALLOW_IF(ioctl, ARG_IS(1, request))

static const struct confine_row vmm[] = {
	/* KVM: running, resets, interrupts, the map of memory. */
	ALLOW_IOCTL(KVM_RUN),
	ALLOW_IOCTL(KVM_IRQ_LINE),
	ALLOW_IOCTL(KVM_SIGNAL_MSI),
	ALLOW_IOCTL(KVM_IRQFD),
	ALLOW_IOCTL(KVM_SET_USER_MEMORY_REGION),
	ALLOW_IOCTL(KVM_CHECK_EXTENSION),
	ALLOW_IOCTL(KVM_GET_REGS),
	ALLOW_IOCTL(KVM_SET_REGS),
	ALLOW_IOCTL(KVM_SET_SREGS),
	ALLOW_IOCTL(KVM_GET_MSRS),
	ALLOW_IOCTL(KVM_SET_MSRS),
	ALLOW_IOCTL(KVM_SET_CPUID2),
	ALLOW_IOCTL(KVM_SET_FPU),
	ALLOW_IOCTL(KVM_SET_LAPIC),
	ALLOW_IOCTL(KVM_SET_XCRS),
	ALLOW_IOCTL(KVM_SET_XSAVE),
	ALLOW_IOCTL(KVM_SET_DEBUGREGS),
	ALLOW_IOCTL(KVM_SET_VCPU_EVENTS),
	ALLOW_IOCTL(KVM_SET_MP_STATE),
	ALLOW_IOCTL(KVM_SET_IRQCHIP),
	ALLOW_IOCTL(KVM_SET_PIT2),

	/* The terminal's settings, to put them back. Not TIOCSTI. */
	ALLOW_IOCTL(TCGETS),
	ALLOW_IOCTL(TCSETS),
	ALLOW_IOCTL(TCGETS2),
	ALLOW_IOCTL(TCSETS2),

	/* Whether it is ours now. Nobody is given it. */
	ALLOW_IOCTL(TIOCGPGRP),
	ALLOW(getpgrp),

	/* The control socket and the keeper's: open ones only. */
	ALLOW(accept4),
	ALLOW(recvfrom),
	ALLOW(sendto),
	ALLOW(shutdown),
	ALLOW_IF2(getsockopt, ARG_IS(1, SOL_SOCKET), ARG_IS(2, SO_PEERCRED)),
	ALLOW_IF(fcntl, ARG_IS(1, F_GETFL)),
	ALLOW_IF(fcntl, ARG_IS(1, F_DUPFD_CLOEXEC)),

	/* How long a guest may take to power itself off. */
	ALLOW(timerfd_settime),

	/* The host's budget. */
	ALLOW_IF(fcntl, ARG_IS(1, F_OFD_GETLK)),
	ALLOW_IF(fcntl, ARG_IS(1, F_OFD_SETLK)),

	/* What of the guest's memory is in RAM. */
	ALLOW(mincore),

	/* A device's folder in /sys: is it there, and who drives it? */
	ALLOW_BELOW(faccessat, EACCES),
	ALLOW_BELOW(faccessat2, EACCES),
	ALLOW_BELOW(readlinkat, EACCES),

	/*
	 * No file is opened, looked for or removed. An answer, not the end: the
	 * C library looks for files at times when nobody thinks of it (malloc(3)
	 * counts the CPUs in /sys when it makes an arena), and goes on without.
	 * The machine itself tries to remove its socket, which is its keeper's
	 * work.
	 */
	REFUSE(openat, EACCES),
	REFUSE(open, EACCES),
	REFUSE(access, EACCES),
	REFUSE(readlink, EACCES),
	REFUSE(unlink, EACCES),
	REFUSE(unlinkat, EACCES),
};

/*
 * A new ring for more pins. Nothing is submitted to a ring, so that no ring
 * does what this list forbids; but a ring can be made whose submissions a
 * thread of the kernel's takes, and no filter sees the flag for that.
 */
static const struct confine_row pinning[] = {
	ALLOW(io_uring_setup),
	ALLOW(io_uring_register),
	ALLOW(mlock),
	ALLOW(munlock),
};

int confine_filter_vmm(bool pins)
{
	const struct confine_list list[] = {
		confine_common,
		CONFINE_LIST(vmm),
		CONFINE_LIST(pinning),
	};

	return confine_filter(list, pins ? 3 : 2);
}
