/* SPDX-License-Identifier: BSD-2-Clause */
/* What only trying tells, by the same steps that viaduct run takes. */
#include "confine.h"
#include "doctor.h"
#include "verb.h"
#include "vm.h"
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE	 4096u
#define PFN_MASK (((uint64_t)1 << 55) - 1)
#define PRESENT	 ((uint64_t)1 << 63)

static int probe_kvm(char *why, size_t len)
{
	const char *text = "KVM cannot be used";
	struct vm vm;
	int err = vm_create(&vm, 1, &text);

	if (err)
		snprintf(why, len, "%s", text);
	else
		vm_destroy(&vm);
	return err;
}

/* A page that is there, or NULL. */
static void *page_new(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	*p = 1;
	return p;
}

static int read_entry(const void *p, uint64_t *entry)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, entry, sizeof(*entry),
		  (off_t)((uintptr_t)p / PAGE * sizeof(*entry)));
	close(fd);
	return n == sizeof(*entry) ? 0 : -EIO;
}

static int probe_pagemap(void)
{
	void *p = page_new();
	uint64_t entry = 0;
	int err;

	if (!p)
		return -ENOMEM;
	err = read_entry(p, &entry);
	munmap(p, PAGE);
	if (err)
		return err;
	/* Without the right the page is shown as present at address 0. */
	return entry & PRESENT && entry & PFN_MASK ? 0 : -EPERM;
}

static int pin(struct io_uring *ring, void *p)
{
	struct iovec iov = { .iov_base = p, .iov_len = PAGE };
	int n = io_uring_register_buffers_sparse(ring, 1);

	if (n)
		return n;
	n = io_uring_register_buffers_update_tag(ring, 0, &iov, NULL, 1);
	return n == 1 ? 0 : n < 0 ? n : -EIO;
}

static int probe_io_uring(void)
{
	struct io_uring ring;
	void *p = page_new();
	int err;

	if (!p)
		return -ENOMEM;
	err = io_uring_queue_init(1, &ring, 0);
	if (!err) {
		err = pin(&ring, p);
		io_uring_queue_exit(&ring);
	}
	munmap(p, PAGE);
	return err;
}

static uint64_t probe_memlock(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_MEMLOCK, &r))
		return 0;
	return r.rlim_cur == RLIM_INFINITY ? UINT64_MAX : r.rlim_cur;
}

static bool probe_own_user(void)
{
	const struct passwd *p = getpwnam(CONFINE_USER);

	return p && p->pw_uid;
}

int verb_doctor(int argc, char **argv)
{
	static const struct sysfs host = { .root = "/sys" };
	static const struct doctor_probes probes = {
		.kvm = probe_kvm,
		.pagemap = probe_pagemap,
		.io_uring = probe_io_uring,
		.memlock = probe_memlock,
		.own_user = probe_own_user,
	};

	return doctor_main(argc, argv, &host, &probes, stdout);
}
