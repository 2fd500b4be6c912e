/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Up to Linux 6.3 an update of registered buffers only queues what it takes out:
 * it is unpinned by a work item a second later, or when the table goes. So a
 * guest that maps and unmaps without a pause has a hundred times its budget
 * pinned. From 5.19 on there is a second table of memory that a ring pins,
 * that of provided-buffer rings; what is taken out of that is unpinned at once.
 * No buffer is ever provided through them, and the kernel reads such a page only
 * when one is wanted.
 *
 * A ring of 128 entries is half a page whether the kernel counts its header or
 * not, so it pins exactly the page that it begins in.
 *
 * Which kind of kernel this is, it says itself: a buffer that was registered with
 * a tag is completed when it has been unpinned.
 */
#include "group.h"

#include <errno.h>
#include <sys/mman.h>
#include <viaduct/types.h>

#define ENTRIES 128u

int group_kernel(struct io_uring *uring, uint32_t group, void *hva)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)hva,
		.ring_entries = ENTRIES,
		.bgid = (uint16_t)group,
	};

	if (!hva)
		return io_uring_unregister_buf_ring(uring, (int)group);
	return io_uring_register_buf_ring(uring, &reg, 0);
}

/* Was the buffer in slot 0 completed by the time that it was taken out? */
static int try_buffer(struct io_uring *uring, void *page)
{
	struct iovec iov = { page, VD_PAGE_SIZE }, none = { NULL, 0 };
	struct io_uring_cqe *cqe;
	__u64 tag = 1;
	int n;

	n = io_uring_register_buffers_update_tag(uring, 0, &iov, &tag, 1);
	if (n == 1)
		n = io_uring_register_buffers_update_tag(uring, 0, &none, NULL,
							 1);
	if (n != 1)
		return n < 0 ? n : -EFAULT;
	if (io_uring_peek_cqe(uring, &cqe) != 0)
		return 1;
	io_uring_cqe_seen(uring, cqe);
	return 0;
}

int group_is_needed(struct io_uring *uring)
{
	void *page = mmap(NULL, VD_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int late;

	if (page == MAP_FAILED)
		return -ENOMEM;
	late = try_buffer(uring, page);
	munmap(page, VD_PAGE_SIZE);
	return late;
}
