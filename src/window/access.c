/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device model wants: bytes to or from where a bus address leads.
 *
 * Each burst copies at most BURST bytes: whoever waits for readers, in order to
 * end an entry or to move a window, waits for one of them.
 */
#include "reader.h"

#include <checked.h>
#include <errno.h>
#include <string.h>

#define BURST ((uint64_t)64 << 10)

/* The device reads memory, or writes it. */
static void copy_piece(const struct vd_target *t, unsigned char *buf,
		       uint64_t len, unsigned int prot)
{
	if (prot == VD_READ)
		memcpy(buf, t->hva, len);
	else
		memcpy(t->hva, buf, len);
}

static int copy_burst(struct vd_reader *r, uint64_t bus, unsigned char *buf,
		      uint64_t len, unsigned int prot)
{
	struct vd_target t;
	int err = 0;

	vd_reader_enter(r);
	while (len) {
		uint64_t n;

		err = vd_translate(r, (vd_iova){ bus }, prot, &t);
		if (err)
			break;
		n = t.len < len ? t.len : len;
		copy_piece(&t, buf, n, prot);
		bus += n;
		buf += n;
		len -= n;
	}
	vd_reader_exit(r);
	return err;
}

static int copy(struct vd_reader *r, uint64_t bus, unsigned char *buf,
		uint64_t len, unsigned int prot)
{
	uint64_t last;
	int err = 0;

	if (len && !checked_last(bus, len, &last))
		return -EOVERFLOW;
	while (!err && len) {
		uint64_t n = len < BURST ? len : BURST;

		err = copy_burst(r, bus, buf, n, prot);
		bus += n;
		buf += n;
		len -= n;
	}
	return err;
}

int vd_reader_read(struct vd_reader *r, vd_iova bus, void *buf, size_t len)
{
	return copy(r, bus.v, buf, len, VD_READ);
}

int vd_reader_write(struct vd_reader *r, vd_iova bus, const void *buf,
		    size_t len)
{
	union {
		const void *from;
		unsigned char *at; /* only read */
	} b = { buf };

	return copy(r, bus.v, b.at, len, VD_WRITE);
}
