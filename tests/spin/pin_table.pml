/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of the pin table, for one page: two CPUs of the guest and the
 * host. Transitions are named as in the code:
 *
 *	guest_map, guest_unmap		kmod/hal/pinword.h
 *	guest_lie			any value, at any moment (LIES)
 *	reserve, hold, pin, count, publish
 *					src/domain/pin.c, under the domain's lock
 *	spare, evict, unpin		src/domain/evict.c, under the domain's lock
 *	make_room			the same, in the middle of a request
 *	revoke, quiesce, drop		X4: HAL OFF, reset, deny of the last device
 *	permit				the device runs again, in its next life
 *
 * The word is {pinned, used, count}. The host's truth is `record`, which no
 * transition derives from the word; the device's reach is `reach`: how many
 * mappings live, as far as the device is concerned, until it is quiesced.
 *
 * X1, asserted in every transition that could break it and watched by a
 * monitor: while a device that runs reaches the page, the page is pinned. With
 * LIES the guest breaks it for itself only; then what is asserted is that the
 * host's books agree with its pins, that it ends, and that a drop clears all.
 *
 * What a request has seen in the host's records is there until it ends, though
 * it makes room meanwhile and the guest may store into the word: `busy`.
 *
 * What a process has seen it forgets as soon as it needs it no more, so that
 * states which differ in nothing else are one.
 *
 * WEAK_HOLD protects a page under a request by its count alone: must fail with
 * LIES.
 * WEAK_EVICT takes the compare out of the compare-and-swap: must fail.
 * WEAK_DROP unpins before the device is quiesced: must fail.
 *
 * A drop is made in pieces, the lock dropped between them: first the words, then
 * the pins. `dropping` is set meanwhile, and nobody is permitted nor anything
 * pinned. WEAK_GATE permits all the same: must fail.
 */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define CPUS 2
#define MOST 3	/* of a count */

bool w_pinned, w_used;	/* the word */
byte w_count;

bool record;		/* the host's own: the page has a pin */
bool busy;		/* and this too: a request needs it */
byte pins;		/* of the real page */
byte reach;		/* mappings that the device may be using */
bool runs = true;	/* the device does DMA */
bool hello = true;	/* the HAL is in charge: requests are run */
bool dropping;		/* a drop is under way */
byte life;		/* of the device */
bool locked;		/* the domain's lock */

#define lock()	 atomic { !locked -> locked = true }
#define unlock() locked = false

/* The lock, while no drop is under way. */
#define lock_no_drop() atomic { !locked && !dropping -> locked = true }

#ifdef LIES
#define X1 true
#else
#define X1 (!(runs && reach > 0) || pins > 0)
#endif
#define books() assert(record == (pins > 0) && pins <= 1)

/* One compare-and-swap that sees PINNED. */
inline guest_map(ok)
{
	atomic {
		if
		:: w_pinned && w_count < MOST ->
			w_count++;
			w_used = true;
			reach++;
			mine = life;
			ok = true;
			assert(X1)
		:: else -> ok = false
		fi
	}
}

inline guest_unmap()
{
	atomic {	/* its DMA is done */
		if
		:: reach > 0 && mine == life -> reach--
		:: else		/* it was quiesced */
		fi
	};
	atomic {
		if
		:: w_pinned && w_count > 0 && mine == life -> w_count--
		:: else		/* the host has ended it: nothing */
		fi;
		mine = 0
	}
}

/* A request wants room for its other pages. */
inline make_room()
{
	if
	:: atomic {
		record && !busy && w_count == 0 -> /* evict, unpin */
		w_pinned = false;
		w_used = false;
		pins--;
		record = false;
		assert(X1)
	   }
	:: skip
	fi
}

/* A request: the steps of pin_make(). */
inline host_pin(ok, had)
{
	lock_no_drop();
	ok = false;
	if
	:: !hello		/* refused */
	:: hello ->
		atomic {	/* reserve */
			if
			:: !record -> w_pinned = false; w_used = false;
				w_count = 0
			:: else
			fi
		};
		if
		:: w_count < MOST -> /* hold */
			had = record;
#ifdef WEAK_HOLD
			w_count++;
#else
			busy = true;
#endif
			make_room();
			assert(!had || record);
			if
			:: !record ->	/* pin: may fail */
				if
				:: pins++; record = true
				:: skip
				fi
			:: else
			fi;
			if
			:: record ->
#ifndef WEAK_HOLD
				w_count++;	/* count */
#endif
				atomic {	/* publish: one or */
					w_pinned = true;
					w_used = true;
					reach++; /* the request has mapped it */
					mine = life;
					assert(X1)
				};
				ok = true
			:: else ->	/* undo */
				atomic {
					w_count = 0; w_used = false;
					w_pinned = false
				}
			fi;
			atomic { busy = false; had = false }
		:: else
		fi
	fi;
	books();
	unlock()
}

proctype guest_cpu()
{
	byte n = 0, mine;
	bool ok, had;

	do
	:: n < ROUNDS ->
		n++;
		guest_map(ok);
		if
		:: !ok -> host_pin(ok, had)
		:: else
		fi;
		if
		:: atomic { ok -> ok = false }; guest_unmap() /* after its DMA */
		:: else
		fi
	:: n < ROUNDS -> n++ 		/* crashed: it leaves what it has */
	:: n == ROUNDS -> break
	od
}

#ifdef LIES
active proctype guest_lie()
{
	byte n = 0;

	do
	:: n < 3 ->
		n++;
		atomic {
			if :: w_pinned = true :: w_pinned = false fi;
			if :: w_used = true :: w_used = false fi;
			if :: w_count = 0 :: w_count = 1 :: w_count = MOST fi
		}
	:: break
	od
}
#endif

/* Look once, try once: what fails is left. */
inline host_sweep()
{
	lock();
	if
	:: record ->
		atomic {
			s_pinned = w_pinned; s_used = w_used; s_count = w_count
		};
		if
		:: s_count > 0		/* held */
		:: s_count == 0 && s_used ->
			atomic {	/* spare */
				if
				:: w_pinned == s_pinned && w_used == s_used &&
				   w_count == s_count -> w_used = false
				:: else
				fi
			}
		:: s_count == 0 && !s_used ->
			s_ok = false;
			atomic {		/* evict */
				if
#ifdef WEAK_EVICT
				:: true ->
#else
				:: w_pinned == s_pinned && w_used == s_used &&
				   w_count == s_count ->
#endif
					w_pinned = false;
					w_used = false;
					w_count = 0;
					s_ok = true
#ifndef WEAK_EVICT
				:: else
#endif
				fi
			};
			if
			:: s_ok -> /* unpin */
				atomic { pins--; record = false; assert(X1) }
			:: else
			fi
		fi
	:: else
	fi;
	books();
	atomic {
		s_pinned = false; s_used = false; s_count = 0; s_ok = false;
		unlock()
	}
}

proctype host_reclaim()
{
	bool s_pinned, s_used, s_ok;
	byte s_count, n = 0;

	do
	:: n < 3 -> n++; host_sweep()
	:: break
	od
}

inline unpin()
{
	lock();
	atomic { w_pinned = false; w_used = false; w_count = 0 };
	if
	:: record -> atomic { pins--; record = false; assert(X1) }
	:: else
	fi;
	books();
	unlock()
}

/* Begun in the hold of the lock in which it is seen that nothing runs. */
inline drop()
{
	atomic { w_pinned = false; w_used = false; w_count = 0 }; /* no lock */
	unpin();
	/* Nothing is left but what a guest that lies writes after it. */
#ifndef WEAK_GATE
	assert(!record && pins == 0);
#endif
	lock(); dropping = false; unlock()
}

/* X4: no new request; the device is quiesced; the pins go. */
proctype host_revoke()
{
	lock(); hello = false; unlock();	/* revoke */
#ifdef WEAK_DROP
	lock(); dropping = true; unlock();
	drop();
#endif
	atomic { runs = false; reach = 0 };	/* quiesce */
	lock();
	if
	:: !runs ->
		dropping = true;
		unlock();
		drop()
	:: else -> unlock()	/* permitted since */
	fi
}

/* An operator, whenever it may be: what is mapped from now on is another life's. */
proctype host_permit()
{
	!hello && !runs;
#ifdef WEAK_GATE
	lock();
#else
	lock_no_drop();
#endif
	atomic { life++; reach = 0; runs = true; hello = true };
	unlock()
}

init
{
	atomic {
		run guest_cpu();
		run guest_cpu();
		run host_reclaim()
	};
	/* OFF may come at any moment: the CPUs may be in the middle of it all. */
	run host_revoke();
	run host_permit()
}

/* In every state, not only where a transition asserts it. */
active proctype monitor()
{
	end: do
	:: atomic { !X1 -> assert(false) }
	od
}
