/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translation: "bus address X from device D, write: which memory?"
 *
 * Each thread that asks has a reader, made for one device. Between enter and
 * exit what it was told stays valid: whoever invalidates an entry or moves a
 * window waits for readers that are inside. So bursts are short: translate,
 * copy, exit; never sleep inside, and never write entries. What a device keeps
 * longer than a burst is in flight; the adapter's invalidate and drain wait for
 * it.
 *
 * Readers take no lock. One that is inside sees each window as it was or as it
 * will be, never a mixture.
 *
 * A reader that has met no writer for long leaves its memory fence out, and the
 * next writer calls membarrier(2) once instead. An adapter that is made where
 * this call is refused does without; a filter of system calls that is put up
 * later must let it pass, or the process is aborted: what is unsafe does not go
 * on.
 */
#ifndef VIADUCT_TRANSLATE_H
#define VIADUCT_TRANSLATE_H

#include <sys/uio.h>
#include <viaduct/adapter.h>
#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vd_reader;

/**
 * vd_reader_create() - for one thread at a time
 * @out: owned by the caller; not written on error
 *
 * Return: 0, -ENODEV, -ENOSPC (the adapter's max_readers), -ENOMEM
 */
int vd_reader_create(struct vd_adapter *a, uint32_t device,
		     struct vd_reader **out);

/** vd_reader_destroy() - not inside; NULL is fine */
void vd_reader_destroy(struct vd_reader *r);

/**
 * vd_reader_read() - the device reads @len bytes at @bus into @buf
 * vd_reader_write() - the device writes @len bytes of @buf at @bus
 *
 * All that many a device model needs. Not inside a burst: it makes its own, of at
 * most 64 KiB, so that nobody waits for a long copy. The guest may change the memory
 * meanwhile: look at the copy only.
 *
 * Return: 0, -EOVERFLOW (@bus + @len wraps: nothing was copied), or as
 * vd_translate() for the first page that is refused: what lies before it has been
 * copied
 */
int vd_reader_read(struct vd_reader *r, vd_iova bus, void *buf, size_t len);
int vd_reader_write(struct vd_reader *r, vd_iova bus, const void *buf,
		    size_t len);

/** vd_reader_enter() - begin a burst; vd_reader_exit() - end it. Do not nest. */
void vd_reader_enter(struct vd_reader *r);
void vd_reader_exit(struct vd_reader *r);

/**
 * struct vd_target - where a bus address leads
 * @hva: in this process
 * @len: bytes from there to the end of the I/O page
 * @gpa: in guest memory of @owner
 */
struct vd_target {
	unsigned char *hva;
	uint64_t len;
	vd_gpa gpa;
	uint32_t owner;
};

/**
 * vd_translate() - one address; inside
 * vd_translate_once() - the same as a burst of its own: not inside; what it
 *                       says may be stale when it returns
 * @prot: VD_READ: the device reads memory; VD_WRITE; or both
 * @out:  not written on error
 *
 * An error is recorded in the adapter's fault ring.
 *
 * Return: 0, or
 *  -EINVAL  @prot is 0; not recorded
 *  -EPERM   the device is denied
 *  -ENXIO   no window begins at or below the address
 *  -ERANGE  past the end of the window below it
 *  -ENOENT  the entry is invalid
 *  -EACCES  the entry does not allow this direction
 */
int vd_translate(struct vd_reader *r, vd_iova bus, unsigned int prot,
		 struct vd_target *out);
int vd_translate_once(struct vd_reader *r, vd_iova bus, unsigned int prot,
		      struct vd_target *out);

/**
 * struct vd_sg - one element of a scatter list, on the bus
 */
struct vd_sg {
	vd_iova bus;
	uint64_t len;
};

/**
 * struct vd_sglist - a scatter list and where its answer goes
 * @sg:   elements; those of length 0 are skipped
 * @n:    how many
 * @iov:  out: pieces of memory in the order of the list; neighbours in memory
 *        are one piece
 * @max:  how many pieces fit
 * @niov: out: how many there are
 */
struct vd_sglist {
	const struct vd_sg *sg;
	size_t n;
	struct iovec *iov;
	size_t max;
	size_t niov;
};

/**
 * vd_translate_list() - a whole scatter list; inside
 *
 * On error @niov is 0; the first access that is refused is recorded.
 *
 * Return: 0, as vd_translate(), -EOVERFLOW (an element wraps), -ENOSPC (more
 * than @max pieces)
 */
int vd_translate_list(struct vd_reader *r, struct vd_sglist *l,
		      unsigned int prot);

/**
 * vd_translate_pages() - many addresses by themselves, such as a PRP list;
 *                        inside
 * @bus: @n addresses; each is asked for alone, up to the end of its I/O page
 * @hva: out: @n places; written up to the first that is refused
 *
 * Return: 0, as vd_translate()
 */
int vd_translate_pages(struct vd_reader *r, const vd_iova *bus, size_t n,
		       unsigned int prot, void **hva);

#ifdef __cplusplus
}
#endif
#endif
