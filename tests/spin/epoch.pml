/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * src/base/epoch: one reader, two writers, on a processor that keeps stores
 * back (TSO): the reader's announcements lie in `late` until they drain, by
 * themselves or at a fence. What writers do is seen at once: each of their
 * stores that matters is followed by a fence.
 *
 * Asserted: what a reader finds is not freed while it is inside.
 *
 * Weakened in one of three ways an assertion must fail:
 *	WEAK_ORDER	the reader looks at the mode before it announces itself
 *	WEAK_BARRIER	a slot turns without the barrier in every thread
 *	WEAK_TURN	a slot is called fenced before the barrier
 */
#ifndef BURSTS
#define BURSTS 3
#endif
#define WRITERS 2
#define THINGS	(WRITERS + 1)

mtype = { fenced, turning, plain };

mtype mode = fenced;
byte seq;			/* as writers see it */
chan late = [2] of { byte };	/* the reader's stores that they do not yet */
byte shown;			/* the thing that a reader would find */
bool freed[THINGS];
bool turn_lock;

active proctype drain()
{
	byte v;
end:
	do
	:: atomic { late?v -> seq = v }
	od
}

#define fence() empty(late)

/* The exchange is a fence as well. */
inline settle()
{
	atomic {
		empty(late);
		if
		:: mode == fenced -> mode = plain
		:: else
		fi
	}
}

inline enter()
{
#ifdef WEAK_ORDER
	saw = mode;
#endif
	own++;
	late!own;
#ifndef WEAK_ORDER
	saw = mode;
#endif
	if
	:: saw == plain
	:: else ->
		fence();
		if
		:: settle()	/* it was quiet long enough */
		:: skip
		fi
	fi
}

active proctype reader()
{
	byte own, found, i;
	mtype saw;

	for (i : 1 .. BURSTS) {
		enter();
		found = shown;
		assert(!freed[found]);
		assert(!freed[found]);	/* and still is not, later */
		own++;
		late!own
	}
}

/* The barrier in every thread: the reader's stores have drained. */
inline turn()
{
	atomic { !turn_lock -> turn_lock = true };
	if
	:: mode != fenced ->
#ifdef WEAK_TURN
		mode = fenced;
#else
		mode = turning;
#endif
#ifndef WEAK_BARRIER
		empty(late);
#endif
		atomic {
			if
			:: mode == turning -> mode = fenced
			:: else
			fi
		}
	:: else
	fi;
	turn_lock = false
}

inline wait()
{
	do
	:: mode == fenced -> break
	:: else -> turn()
	od;
	was = seq;
	if
	:: was % 2 == 0
	:: else -> seq != was
	fi
}

proctype writer(byte next)
{
	byte old, was;

	atomic { old = shown; shown = next };
	wait();
	freed[old] = true
}

init {
	atomic {
		run writer(1);
		run writer(2)
	}
}
