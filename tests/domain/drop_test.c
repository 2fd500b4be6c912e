/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drop of the pin table lets go of the domain's lock again and again: how often,
 * and what others may do at each of these moments. A second thread makes one call
 * at the nth of them, and the dropper goes on when that call has returned or waits
 * for it. Each is tried at every moment that there is.
 */
#include "test.h"
#include <state.h>
#include <lock.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <viaduct/abi/hal.h>
#include <viaduct/viaduct.h>

void __real_lock_drop(struct lock *l);
void __wrap_lock_drop(struct lock *l);
void __real_lock_wait(struct lock *l, struct lock_event *e);
void __wrap_lock_wait(struct lock *l, struct lock_event *e);

#define PAGE  VD_PAGE_SIZE
#define PAGES 2560u /* half of them low, half of them as high as there are words */
#define HALF  (PAGES / 2)
#define PIECE (64u * 512) /* words looked at under one hold */
#define MOST  1024u	  /* pages unpinned under one */
#define WORDS (6u * PIECE)
#define HIGH  (WORDS - HALF)
#define DEV   8u
#define OTHER 9u
#define FRESH 10u

static uint64_t word[WORDS];

struct world {
	unsigned char *mem;
	struct vd_host *host;
	struct vd_domain *d;
	bool stuck[FRESH + 1]; /* does not quiesce */
	int (*meanwhile)(struct world *w);
	pthread_t thread;
	unsigned int ndrops, when; /* of the thread that drops; 0: never */
	_Atomic bool waits, done;
	int err;		     /* of meanwhile */
	struct vd_domain_stats seen; /* when it returned */
};

static struct world *here;
static _Thread_local bool is_dropper;

static struct vd_domain_stats stats(struct world *w)
{
	struct vd_domain_stats s = { .size = sizeof(s) };

	vd_domain_stats(w->d, &s);
	return s;
}

static void *act(void *arg)
{
	struct world *w = arg;

	w->err = w->meanwhile(w);
	w->seen = stats(w);
	w->done = true;
	return NULL;
}

void __wrap_lock_drop(struct lock *l) LOCK_UNCHECKED
{
	__real_lock_drop(l);
	if (!is_dropper || l != &here->d->lock || ++here->ndrops != here->when)
		return;
	assert_int_equal(pthread_create(&here->thread, NULL, act, here), 0);
	while (!here->waits && !here->done)
		sched_yield();
}

void __wrap_lock_wait(struct lock *l, struct lock_event *e) LOCK_UNCHECKED
{
	here->waits = true;
	__real_lock_wait(l, e);
}

struct vd_device_ops_arg {
	struct world *w;
	uint32_t id;
};

static struct vd_device_ops_arg args[FRESH + 1];

static int quiesce(void *opaque)
{
	const struct vd_device_ops_arg *a = opaque;

	return a->w->stuck[a->id] ? -1 : 0;
}

static int attach(struct world *w, uint32_t id)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_device_cfg cfg = { sizeof(cfg), id, id, &ops, &args[id] };

	args[id] = (struct vd_device_ops_arg){ w, id };
	return vd_device_attach(w->d, &cfg);
}

static uint64_t word_of(uint64_t i)
{
	return i < HALF ? i : HIGH + (i - HALF);
}

static int pin_some(struct world *w, uint64_t i, uint64_t n)
{
	struct vd_seg seg = { .gpa = { word_of(i) * PAGE }, .len = n * PAGE, .prot = VD_READ };

	return vd_device_pin(w->d, DEV, &seg, 1, UINT64_MAX);
}

/* All pages are cached, and held. */
static void make(struct world *w)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	memset(w, 0, sizeof(*w));
	memset(word, 0, sizeof(word));
	here = w;
	w->mem = aligned_alloc(PAGE, PAGES * PAGE);
	assert_non_null(w->mem);
	assert_int_equal(vd_host_fake_create(w->mem, PAGES, &w->host), 0);
	assert_int_equal(vd_domain_create(w->host, &cfg, &w->d), 0);
	for (uint64_t i = 0; i < PAGES; i += HALF)
		assert_int_equal(vd_domain_add_memory(w->d, (vd_gpa){ word_of(i) * PAGE },
						      w->mem + i * PAGE, HALF * PAGE),
				 0);
	assert_int_equal(vd_domain_share_pins(w->d, word, WORDS), 0);
	assert_int_equal(attach(w, DEV), 0);
	assert_int_equal(attach(w, OTHER), 0);
	assert_int_equal(pin_some(w, 0, HALF), 0);
	assert_int_equal(pin_some(w, HALF, HALF), 0);
	word[WORDS / 2] = 77; /* no record is about it */
}

static void unmake(struct world *w)
{
	memset(w->stuck, 0, sizeof(w->stuck));
	vd_domain_destroy(w->d);
	assert_int_equal(vd_fake_pinned(w->host), 0);
	vd_host_destroy(w->host);
	free(w->mem);
}

/* Run @call with @meanwhile at moment @when; false: there is no such moment. */
static bool run(struct world *w, int (*call)(struct world *w), int says,
		int (*meanwhile)(struct world *w), unsigned int when)
{
	w->meanwhile = meanwhile;
	w->when = when;
	w->ndrops = 0;
	w->waits = w->done = false;
	is_dropper = true;
	assert_int_equal(call(w), says);
	is_dropper = false;
	if (w->ndrops < when)
		return false;
	pthread_join(w->thread, NULL);
	assert_int_equal(stats(w).pinned, vd_fake_pinned(w->host) * PAGE);
	return true;
}

static void assert_clear(void)
{
	for (size_t i = 0; i < WORDS; i++)
		assert_int_equal(word[i], 0);
}

/* --- the drops ------------------------------------------------------------ */

static int drop(struct world *w)
{
	return vd_domain_drop_pins(w->d);
}

static int deny_last(struct world *w)
{
	return vd_device_deny(w->d, DEV);
}

static int settle_other(struct world *w)
{
	w->stuck[OTHER] = false;
	return vd_device_revoke(w->d, OTHER);
}

static void in_pieces(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	run(&w, drop, 0, NULL, UINT32_MAX);
	assert_true(w.ndrops >= WORDS / PIECE + PAGES / MOST);
	assert_int_equal(vd_fake_pinned(w.host), 0);
	assert_clear();

	assert_int_equal(pin_some(&w, 0, HALF), 0);
	w.stuck[OTHER] = true;
	assert_int_equal(vd_device_revoke(w.d, OTHER), -EIO);
	run(&w, drop, -EIO, NULL, UINT32_MAX);
	assert_true(w.ndrops >= WORDS / PIECE);
	assert_int_equal(vd_fake_pinned(w.host), HALF);
	assert_clear();
	run(&w, settle_other, 0, NULL, UINT32_MAX);
	assert_true(w.ndrops >= HALF / MOST);
	assert_int_equal(vd_fake_pinned(w.host), 0);

	assert_int_equal(vd_device_deny(w.d, OTHER), 0);
	run(&w, deny_last, 0, NULL, UINT32_MAX);
	assert_true(w.ndrops >= WORDS / PIECE);
	unmake(&w);
}

/* --- what others do ------------------------------------------------------- */

static int permit_other(struct world *w)
{
	return vd_device_permit(w->d, OTHER);
}

static int attach_fresh(struct world *w)
{
	return attach(w, FRESH);
}

/*
 * Who is permitted by a drop's side runs before it, and then it is none, or after
 * it: whatever it may map by its word is pinned.
 */
static void nobody_begins_meanwhile(void **state)
{
	static int (*const meanwhile[])(struct world * w) = { permit_other, attach_fresh };
	struct world w;
	bool reached = true;

	(void)state;
	for (unsigned int i = 0; i < 2 * 64 && (reached || i % 2); i++) {
		make(&w);
		assert_int_equal(vd_device_deny(w.d, OTHER), 0);
		w.seen.pins_cleared = stats(&w).pins_cleared;
		reached = run(&w, deny_last, 0, meanwhile[i % 2], 1 + i / 2);
		if (reached) {
			assert_int_equal(w.err, 0);
			assert_true(w.seen.pins_cleared == 1 || !w.waits);
			assert_int_equal(w.seen.pinned, w.seen.pins_cleared ? 0 : PAGES * PAGE);
			assert_int_equal(vd_fake_pinned(w.host) * PAGE, w.seen.pinned);
			assert_int_equal(stats(&w).pins_cleared, w.seen.pins_cleared);
		}
		unmake(&w);
	}
	assert_false(reached);
}

static int pin_both_ends(struct world *w)
{
	struct vd_seg seg[2] = {
		{ .gpa = { word_of(0) * PAGE }, .len = PAGE, .prot = VD_READ },
		{ .gpa = { word_of(PAGES - 1) * PAGE }, .len = PAGE, .prot = VD_READ }
	};

	return vd_device_pin(w->d, DEV, seg, 2, UINT64_MAX);
}

/* It is pinned after the drop, and stays so. */
static void a_pin_waits(void **state)
{
	struct world w;
	bool reached = true;

	(void)state;
	for (unsigned int when = 1; reached; when++) {
		make(&w);
		reached = run(&w, drop, 0, pin_both_ends, when);
		if (reached) {
			assert_int_equal(w.err, 0);
			assert_int_equal(vd_fake_pinned(w.host), 2);
			assert_int_equal(word[word_of(0)] & VD_HAL_WORD_COUNT, 1);
			assert_int_equal(word[word_of(PAGES - 1)] & VD_HAL_WORD_COUNT, 1);
			assert_true(w.waits == (w.ndrops > when));
		}
		unmake(&w);
	}
}

/* Whoever is refused need not wait for it. */
static int pin_denied(struct world *w)
{
	struct vd_seg seg = { .gpa = { 0 }, .len = PAGE, .prot = VD_READ };

	return vd_device_pin(w->d, OTHER, &seg, 1, UINT64_MAX);
}

static void a_refusal_does_not(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	assert_int_equal(vd_device_deny(w.d, OTHER), 0);
	assert_true(run(&w, drop, 0, pin_denied, 2));
	assert_int_equal(w.err, -EPERM);
	assert_false(w.waits);
	unmake(&w);
}

static void make_stuck(struct world *w)
{
	make(w);
	w->stuck[OTHER] = true;
	assert_int_equal(vd_device_revoke(w->d, OTHER), -EIO);
}

/* A device settles while pages are being marked: all of them go, the last too. */
static void it_settles_meanwhile(void **state)
{
	struct world w;
	bool reached = true;

	(void)state;
	for (unsigned int when = 1; reached; when++) {
		make_stuck(&w);
		reached = run(&w, drop, -EIO, settle_other, when);
		if (reached) {
			assert_int_equal(w.err, 0);
			assert_int_equal(vd_fake_pinned(w.host), 0);
		}
		unmake(&w);
	}
}

/* What is owed goes without holding up anybody. */
static void pinned_while_it_is_owed(void **state)
{
	struct world w;
	bool reached = true;

	(void)state;
	for (unsigned int when = 1; reached; when++) {
		make_stuck(&w);
		assert_int_equal(vd_domain_drop_pins(w.d), -EIO);
		reached = run(&w, settle_other, 0, pin_both_ends, when);
		if (reached) {
			assert_false(w.waits);
			assert_int_equal(w.err, 0);
			assert_int_equal(vd_fake_pinned(w.host), 2);
			assert_int_equal(word[word_of(0)] & VD_HAL_WORD_COUNT, 1);
		}
		unmake(&w);
	}
}

/* Another device gets stuck, and its HAL ends: what is left is owed for it. */
static int owe_again(struct world *w)
{
	w->stuck[DEV] = true;
	if (vd_device_revoke(w->d, DEV) != -EIO)
		return -1;
	return vd_domain_drop_pins(w->d);
}

static void owed_anew_meanwhile(void **state)
{
	struct world w;
	bool reached = true, some = false;

	(void)state;
	for (unsigned int when = 1; reached; when++) {
		make_stuck(&w);
		assert_int_equal(vd_domain_drop_pins(w.d), -EIO);
		reached = run(&w, settle_other, 0, owe_again, when);
		if (reached) {
			assert_int_equal(w.err, -EIO);
			assert_int_equal(vd_fake_pinned(w.host) * PAGE, w.seen.pinned);
			some |= w.seen.pinned > 0 && w.seen.pinned < PAGES * PAGE;
			w.stuck[DEV] = false;
			assert_int_equal(vd_device_revoke(w.d, DEV), 0);
			assert_int_equal(vd_fake_pinned(w.host), 0);
		}
		unmake(&w);
	}
	assert_true(some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(nobody_begins_meanwhile),
		cmocka_unit_test(a_pin_waits),
		cmocka_unit_test(a_refusal_does_not),
		cmocka_unit_test(it_settles_meanwhile),
		cmocka_unit_test(pinned_while_it_is_owed),
		cmocka_unit_test(owed_anew_meanwhile),
	};

	return run_all(tests);
}
