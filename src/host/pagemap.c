/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An entry is 64 bits: bit 63 present, bits 0 to 54 the page frame number,
 * which reads as 0 without CAP_SYS_ADMIN (Documentation/admin-guide/mm/
 * pagemap.rst).
 *
 * Reclaim takes the page-table entries even of pinned pages of shared memory;
 * a touch brings back the same page. So: pin first, then read, and touch and
 * read again what is not present.
 *
 * A read costs 600 ns and 30 ns for each page, whatever the page: runs that
 * are less than 20 pages apart are read together with what lies between.
 */
#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRESENT	  ((uint64_t)1 << 63)
#define PFN	  (((uint64_t)1 << 55) - 1)
#define RETRIES	  64
#define GAP_PAGES 20u

void page_touch(void *hva)
{
	volatile unsigned char *byte = hva;
	unsigned char was = *byte;

	/* A compare-and-swap of equals: the processor writes, or has seen that
	 * somebody else did. Compilers drop other idle writes. */
	__atomic_compare_exchange_n(byte, &was, was, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

static int read_entries(struct pagemap *m, uintptr_t page, size_t n,
			uint64_t *entry)
{
	off_t off = (off_t)(page * sizeof(*entry));
	ssize_t want = (ssize_t)(n * sizeof(*entry));

	return pread(m->fd, entry, (size_t)want, off) == want ? 0 : -EFAULT;
}

int pagemap_open(struct pagemap *m)
{
	uintptr_t page = (uintptr_t)m / VD_PAGE_SIZE;

	m->fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (m->fd < 0)
		return errno == EACCES || errno == EPERM ? -EPERM : -ENOTSUP;
	/* Our own struct was just written, so it is present. */
	if (read_entries(m, page, 1, m->entry) != 0 ||
	    (m->entry[0] & PFN) == 0) {
		close(m->fd);
		return -EPERM;
	}
	return 0;
}

void pagemap_close(struct pagemap *m)
{
	close(m->fd);
}

static uintptr_t first_page(const struct vd_pin *pin)
{
	return (uintptr_t)pin->hva / VD_PAGE_SIZE;
}

/* The address of a page whose entry was @entry a moment ago. */
static int resolve(struct pagemap *m, uintptr_t page, uint64_t entry,
		   vd_hpa *out)
{
	int tries = 0;

	while (!(entry & PRESENT)) {
		if (tries++ == RETRIES)
			return -EFAULT;
		page_touch((void *)(page * VD_PAGE_SIZE));
		if (read_entries(m, page, 1, &entry) != 0)
			return -EFAULT;
	}
	out->v = (entry & PFN) * VD_PAGE_SIZE;
	return 0;
}

static int fill_long(struct pagemap *m, const struct vd_pin *pin)
{
	for (size_t done = 0, n; done < pin->npages; done += n) {
		uintptr_t page = first_page(pin) + done;

		n = pin->npages - done;
		if (n > PAGEMAP_BATCH)
			n = PAGEMAP_BATCH;
		if (read_entries(m, page, n, m->entry) != 0)
			return -EFAULT;
		for (size_t i = 0; i < n; i++) {
			int err = resolve(m, page + i, m->entry[i],
					  &pin->page[done + i]);

			if (err)
				return err;
		}
	}
	return 0;
}

/* How many of the first pins are worth one read, and over how many pages. */
static size_t find_group(const struct vd_pin *pin, size_t npins, size_t *len)
{
	uintptr_t start = first_page(&pin[0]);
	uintptr_t end = start + pin[0].npages;
	size_t n;

	for (n = 1; n < npins; n++) {
		uintptr_t next = first_page(&pin[n]);

		if (next < end || next - end > GAP_PAGES ||
		    next + pin[n].npages - start > PAGEMAP_BATCH)
			break;
		end = next + pin[n].npages;
	}
	*len = end - start;
	return n;
}

static int fill_group(struct pagemap *m, const struct vd_pin *pin, size_t npins,
		      size_t len)
{
	uintptr_t start = first_page(pin);

	if (len > PAGEMAP_BATCH)
		return fill_long(m, pin); /* then it is alone */
	if (read_entries(m, start, len, m->entry) != 0)
		return -EFAULT;
	for (size_t i = 0; i < npins; i++) {
		uintptr_t page = first_page(&pin[i]);

		for (size_t j = 0; j < pin[i].npages; j++, page++) {
			int err = resolve(m, page, m->entry[page - start],
					  &pin[i].page[j]);

			if (err)
				return err;
		}
	}
	return 0;
}

int pagemap_fill(struct pagemap *m, const struct vd_pin *pin, size_t npins)
{
	for (size_t i = 0, n; i < npins; i += n) {
		size_t len;
		int err;

		n = find_group(&pin[i], npins - i, &len);
		err = fill_group(m, &pin[i], n, len);
		if (err)
			return err;
	}
	return 0;
}
