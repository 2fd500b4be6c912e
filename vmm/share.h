/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's budget: what all machines that say so may pin together.
 *
 * It is a small file that they all map: the limit, and a slot for each machine
 * with what it has taken. Free is the limit less what the slots of living
 * machines have; nothing else is written down, so there is nothing that a crash
 * could leave half done. A slot lives while somebody holds the lock of its
 * byte: the machine, and its keeper, which has the machine's pins and lets go
 * of both together. The lock that guards the slots is robust: who dies with it
 * leaves them whole.
 *
 * A machine that finds too little left leaves word; the others then give back
 * what they do not need, within half a second.
 */
#ifndef VMM_SHARE_H
#define VMM_SHARE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <viaduct/domain.h>

#define SHARE_NAME  "host-budget" /* in rundir() */
#define SHARE_SLOTS 64

struct share_file;

struct share {
	bool on;
	int fd;
	struct share_file *file; /* mapped */
	unsigned int slot;
	/* While attached: */
	struct vd_domain *domain;
	int stop; /* eventfd */
	pthread_t thread;
	uint32_t heard; /* the last word that we acted on */
};

struct share_stats {
	bool on;
	uint64_t limit;
	uint64_t taken; /* by living machines, us included */
	uint64_t ours;
	unsigned int machines;
};

/*
 * Take part in the budget at @path, made if it is not there. 0, or -errno and
 * a sentence in @why: -EBUSY (the machines that run have another limit),
 * -ENOSPC (SHARE_SLOTS machines). Close leaves; zeros and twice are fine.
 *
 * A duplicate of share->fd that another process holds keeps the slot.
 */
int share_open(struct share *s, const char *path, uint64_t limit, char *why,
	       size_t len);
void share_close(struct share *s);

/* For vd_domain_share_budget(); the opaque is the struct share. */
extern const struct vd_share_ops share_ops;

/*
 * Let @domain borrow from it, and give back what it does not need, by a thread
 * of ours, until detach. 0 or -errno.
 */
int share_attach(struct share *s, struct vd_domain *domain);
void share_detach(struct share *s);

void share_stats(struct share *s, struct share_stats *out);

#endif
