/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device at the other end: its configuration space, registers, memory.
 *
 * A sync of the memory table has no answer, and neither has the hand-over of
 * the interrupt. The peer works off its requests in order, so an answered
 * question behind them says that they are done.
 */
#include "remote_wire.h"

#include <checked.h>
#include <errno.h>
#include <lock.h>
#include <mem.h>
#include <sized.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <viaduct/remote.h>

#define DEFAULT_MS     5000
#define CONFIG_LEN     4096
#define REFUSED	       (~(uint64_t)0)
#define NO_DEVICE      0xffffu

#define INTERRUPT_LINE 0x3c /* a register that means nothing to a device */
#define MARK	       0xa5u
#define START_TRIES    10
#define START_MS       10

struct vd_remote {
	struct lock lock; /* guards the wire: one exchange at a time */
	struct wire wire; /* its descriptor is ours */
	int nowhere;	  /* memfd of the page at VD_REMOTE_NOWHERE */
};

static int ask(struct vd_remote *r, const struct wire_request *q, uint64_t *out)
	MUST_HOLD(r->lock)
{
	return wire_ask(&r->wire, q, out);
}

/* The peer answered with a number that cannot be: it is as lost as a mute. */
static int lose(struct vd_remote *r) MUST_HOLD(r->lock)
{
	r->wire.lost = -EPROTO;
	return -EPROTO;
}

static bool is_access(uint64_t addr, unsigned int len, unsigned int max)
{
	return len != 0 && len <= max && (len & (len - 1)) == 0 &&
	       (addr & (len - 1)) == 0;
}

/* A number of @len bytes. */
static int read_number(struct vd_remote *r, const struct wire_request *q,
		       unsigned int len, uint64_t *out) MUST_HOLD(r->lock)
{
	uint64_t val;
	int err = ask(r, q, &val);

	if (err)
		return err;
	if (len < 8 && val == REFUSED)
		return -EREMOTEIO;
	if (len < 8 && val >> (8 * len) != 0)
		return lose(r);
	*out = val;
	return 0;
}

/* An answer of yes or no. */
static int do_request(struct vd_remote *r, const struct wire_request *q)
{
	uint64_t val;
	int err;

	lock_take(&r->lock);
	err = ask(r, q, &val);
	if (!err && val == REFUSED)
		err = -EREMOTEIO;
	else if (!err && val != 0)
		err = lose(r);
	lock_drop(&r->lock);
	return err;
}

static int read_config(struct vd_remote *r, unsigned int addr, unsigned int len,
		       uint64_t *out) MUST_HOLD(r->lock)
{
	struct wire_config c = { .addr = addr, .len = (int32_t)len };
	struct wire_request q = { .cmd = WIRE_CONFIG_READ,
				  .body = &c,
				  .len = sizeof(c) };

	return read_number(r, &q, len, out);
}

int vd_remote_config_read(struct vd_remote *r, unsigned int addr,
			  unsigned int len, uint32_t *out)
{
	uint64_t val;
	int err;

	if (!is_access(addr, len, 4) || addr >= CONFIG_LEN)
		return -EINVAL;
	lock_take(&r->lock);
	err = read_config(r, addr, len, &val);
	lock_drop(&r->lock);
	if (!err)
		*out = (uint32_t)val;
	return err;
}

int vd_remote_config_write(struct vd_remote *r, unsigned int addr,
			   unsigned int len, uint32_t val)
{
	struct wire_config c = { .addr = addr,
				 .val = val,
				 .len = (int32_t)len };
	struct wire_request q = { .cmd = WIRE_CONFIG_WRITE,
				  .body = &c,
				  .len = sizeof(c) };

	if (!is_access(addr, len, 4) || addr >= CONFIG_LEN)
		return -EINVAL;
	return do_request(r, &q);
}

int vd_remote_bar_read(struct vd_remote *r, uint64_t addr, unsigned int len,
		       uint64_t *out)
{
	struct wire_bar b = { .addr = addr, .size = len, .memory = 1 };
	struct wire_request q = { .cmd = WIRE_BAR_READ,
				  .body = &b,
				  .len = sizeof(b) };
	uint64_t val;
	int err;

	if (!is_access(addr, len, 8))
		return -EINVAL;
	lock_take(&r->lock);
	err = read_number(r, &q, len, &val);
	lock_drop(&r->lock);
	if (!err)
		*out = val;
	return err;
}

int vd_remote_bar_write(struct vd_remote *r, uint64_t addr, unsigned int len,
			uint64_t val)
{
	struct wire_bar b = {
		.addr = addr, .val = val, .size = len, .memory = 1
	};
	struct wire_request q = { .cmd = WIRE_BAR_WRITE,
				  .body = &b,
				  .len = sizeof(b) };

	if (!is_access(addr, len, 8))
		return -EINVAL;
	return do_request(r, &q);
}

int vd_remote_reset(struct vd_remote *r)
{
	struct wire_request q = { .cmd = WIRE_DEVICE_RESET };
	int err;

	lock_take(&r->lock);
	err = wire_ask(&r->wire, &q, NULL);
	lock_drop(&r->lock);
	return err;
}

/* Send what has no answer, and ask something that has one behind it. */
static int send_and_wait(struct vd_remote *r, const struct wire_request *q)
	MUST_HOLD(r->lock)
{
	uint64_t vendor;
	int err = wire_send(&r->wire, q);

	return err ? err : read_config(r, 0, 2, &vendor);
}

int vd_remote_set_irq(struct vd_remote *r, int raise, int resample)
{
	int fd[2] = { raise, resample };
	struct wire_request q = { .cmd = WIRE_SET_IRQFD, .fd = fd, .nfds = 2 };
	int err;

	if (raise < 0 || resample < 0)
		return -EINVAL;
	lock_take(&r->lock);
	err = send_and_wait(r, &q);
	lock_drop(&r->lock);
	return err;
}

/* A device that maps what its file does not have would die of SIGBUS. */
static bool has_bytes(int fd, uint64_t last)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	       last < (uint64_t)st.st_size;
}

static int check_region(const struct vd_remote_region *m)
{
	uint64_t last_iova, last_off;

	if (!is_aligned(m->iova.v | m->len | m->off, VD_PAGE_SHIFT) || !m->len)
		return -EINVAL;
	if (!checked_last(m->iova.v, m->len, &last_iova) ||
	    !checked_last(m->off, m->len, &last_off))
		return -EOVERFLOW;
	return has_bytes(m->fd, last_off) ? 0 : -EINVAL;
}

static bool overlaps_one(const struct vd_remote_region *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ranges_overlap(m[i].iova.v, m[i].iova.v + (m[i].len - 1),
				   m[n].iova.v, m[n].iova.v + (m[n].len - 1)))
			return true;
	}
	return false;
}

static int check_regions(const struct vd_remote_region *m, size_t n)
{
	int err;

	if (n > VD_REMOTE_REGIONS)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++) {
		err = check_region(&m[i]);
		if (err)
			return err;
		if (overlaps_one(m, i))
			return -EEXIST;
	}
	return 0;
}

static int sync_memory(struct vd_remote *r, const struct vd_remote_region *m,
		       size_t n) MUST_HOLD(r->lock)
{
	struct wire_sync s = { .addr = { 0 } };
	int fd[VD_REMOTE_REGIONS];
	struct wire_request q = { .cmd = WIRE_SYNC_SYSMEM,
				  .body = &s,
				  .len = sizeof(s),
				  .fd = fd,
				  .nfds = n };

	for (size_t i = 0; i < n; i++) {
		s.addr[i] = m[i].iova.v;
		s.size[i] = m[i].len;
		s.off[i] = (int64_t)m[i].off;
		fd[i] = m[i].fd;
	}
	return send_and_wait(r, &q);
}

int vd_remote_set_memory(struct vd_remote *r,
			 const struct vd_remote_region *region, size_t n)
{
	struct vd_remote_region none = { .fd = r->nowhere,
					 .iova = { VD_REMOTE_NOWHERE },
					 .len = VD_PAGE_SIZE };
	int err = check_regions(region, n);

	if (err)
		return err;
	lock_take(&r->lock);
	err = sync_memory(r, n ? region : &none, n ? n : 1);
	lock_drop(&r->lock);
	return err;
}

static int open_nowhere(void)
{
	int fd = memfd_create("nowhere", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)VD_PAGE_SIZE) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * QEMU answers its socket before the reset with which its machine starts: what
 * was set up until then would be lost. So write a mark that a reset clears, and
 * leave the peer time to get on. If the mark stays the reset was before it:
 * while the peer has nothing to read it goes on starting.
 */
static int await_start(struct vd_remote *r)
{
	uint32_t mark = MARK;
	int err = vd_remote_config_write(r, INTERRUPT_LINE, 1, MARK);

	for (int i = 0; i < START_TRIES && !err && mark == MARK; i++) {
		poll(NULL, 0, i == 0 ? 0 : START_MS);
		err = vd_remote_config_read(r, INTERRUPT_LINE, 1, &mark);
	}
	if (!err && mark == MARK)
		err = vd_remote_config_write(r, INTERRUPT_LINE, 1, 0);
	return err;
}

static int shake_hands(struct vd_remote *r)
{
	uint32_t vendor;
	int err = vd_remote_config_read(r, 0, 2, &vendor);

	if (err == -EREMOTEIO || (!err && vendor == NO_DEVICE))
		return -ENODEV;
	if (!err)
		err = await_start(r);
	return err ? err : vd_remote_set_memory(r, NULL, 0);
}

int vd_remote_create(const struct vd_remote_cfg *cfg, struct vd_remote **out)
{
	struct vd_remote_cfg own;
	struct vd_remote *r;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	if (cfg->fd < 0 || cfg->timeout_ms > INT32_MAX)
		return -EINVAL;
	r = mem_zalloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->wire.fd = cfg->fd;
	r->wire.timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : DEFAULT_MS;
	lock_init(&r->lock);
	err = -ENOMEM;
	r->nowhere = open_nowhere();
	if (r->nowhere < 0)
		goto err_free;
	err = shake_hands(r);
	if (err)
		goto err_nowhere;
	*out = r;
	return 0;

err_nowhere:
	close(r->nowhere);
err_free:
	lock_end(&r->lock);
	mem_free(r);
	return err;
}

void vd_remote_destroy(struct vd_remote *r)
{
	if (!r)
		return;
	close(r->wire.fd);
	close(r->nowhere);
	lock_end(&r->lock);
	mem_free(r);
}
