/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer of the remote protocol that does what it is told: a thread on the
 * other end of a socketpair. It reads requests by its own idea of the layout
 * (bytes, not the structs of the code under test), notes them, and answers.
 */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_mood {
	PEER_GOOD,
	PEER_MUTE,	 /* reads, never answers */
	PEER_DEAF,	 /* does not even read */
	PEER_DIES,	 /* hangs up when asked */
	PEER_SHORT,	 /* half a header, then hangs up */
	PEER_STALLS,	 /* a header, then nothing */
	PEER_WRONG_CMD,	 /* answers with a question */
	PEER_WRONG_SIZE, /* says that its answer is long */
	PEER_GARBAGE,	 /* 24 bytes of anything */
	PEER_TWICE,	 /* answers twice */
	PEER_REFUSES,	 /* all ones */
	PEER_WIDE,	 /* a number wider than what was asked for */
	PEER_DRIBBLES,	 /* good, a byte at a time */
	PEER_FDS,	 /* good, with a descriptor beside it */
	PEER_BARE,	 /* without a number, where one is due */
};

#define PEER_LOG 32

struct peer_seen {
	int32_t cmd;
	uint64_t size;
	uint8_t body[192];
	int nfds;
};

struct peer {
	int fd;	  /* its end */
	int ours; /* the other; the test's */
	pthread_t thread;
	atomic_int mood;
	atomic_int after; /* so many good answers first */
	uint64_t value;	  /* what reads answer */
	struct peer_seen seen[PEER_LOG];
	atomic_int nseen;
};

void peer_start(struct peer *p);
/* After @n more good answers be in @mood. */
void peer_turn(struct peer *p, enum peer_mood mood, int n);
/* Call when our end is closed. */
void peer_stop(struct peer *p);

#endif
