/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody who acts while a call of the library runs: a host's back end in front
 * of another, and a share of a budget, inside whose calls at() is called. It
 * stands for another CPU of the guest, which may store into its memory and into
 * its words between any two steps of ours; here the moment is certain.
 *
 * at() runs with the domain's lock held, so all that it may do is to store.
 */
#ifndef TESTS_ADVERSARY_H
#define TESTS_ADVERSARY_H

#include <stdbool.h>
#include <viaduct/domain.h>
#include <viaduct/host.h>

/* Before and after each, so that no step of the library is without one. */
enum adversary_step { AT_PIN, AT_PINNED, AT_UNPIN, AT_UNPINNED, AT_TAKE, AT_GIVE };

struct adversary {
	struct vd_host host;  /* first; what the domain is given */
	struct vd_host *real; /* borrowed */
	void (*at)(void *opaque, enum adversary_step step);
	void *opaque;
	uint64_t lends, lent; /* by the share: bytes at most, and now */
};

static inline int adversary_pin(struct vd_host *h, struct vd_pin *pin, size_t n)
{
	struct adversary *x = (struct adversary *)(void *)h;
	int err;

	x->at(x->opaque, AT_PIN);
	err = x->real->ops->pin(x->real, pin, n);
	x->at(x->opaque, AT_PINNED);
	return err;
}

static inline void adversary_unpin(struct vd_host *h, const struct vd_pin *pin, size_t n)
{
	struct adversary *x = (struct adversary *)(void *)h;

	x->at(x->opaque, AT_UNPIN);
	x->real->ops->unpin(x->real, pin, n);
	x->at(x->opaque, AT_UNPINNED);
}

static inline void adversary_end(struct vd_host *h)
{
	(void)h;
}

static inline uint64_t adversary_take(void *opaque, uint64_t need, uint64_t want)
{
	struct adversary *x = opaque;
	uint64_t left = x->lends > x->lent ? x->lends - x->lent : 0, n;

	x->at(x->opaque, AT_TAKE);
	if (left < need)
		return 0;
	n = want < left ? want : left;
	x->lent += n;
	return n;
}

static inline void adversary_give(void *opaque, uint64_t bytes)
{
	struct adversary *x = opaque;

	x->lent -= bytes;
	x->at(x->opaque, AT_GIVE);
}

static const struct vd_share_ops adversary_share = { sizeof(adversary_share), adversary_take,
						     adversary_give };

static inline void adversary_make(struct adversary *x, struct vd_host *real,
				  void (*at)(void *opaque, enum adversary_step step), void *opaque)
{
	static const struct vd_host_ops ops = {
		.size = sizeof(ops),
		.name = "adversary",
		.pin = adversary_pin,
		.unpin = adversary_unpin,
		.destroy = adversary_end,
	};

	*x = (struct adversary){ .host = { &ops }, .real = real, .at = at, .opaque = opaque };
}

#endif
