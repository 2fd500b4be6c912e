/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to split a window: decisions, and the record of them.
 *
 * A policy looks after one window and one owner that may get a part of it.
 * Three things can ask for a change, and each change is recorded with its
 * cause and the numbers that led to it:
 *
 *  admin    somebody who may. Not decided here, only recorded. What an admin
 *           split stays split until an admin merges it.
 *  driver   the owner asks for a part or gives it back; granted if there is
 *           room and the last change is not too fresh
 *  monitor  samples of table pressure and request rate
 *
 * The monitor cannot flap: it splits at a rate that is higher than the one at
 * which it merges, wants several samples in a row to agree, and lets no two
 * changes of its own be closer than the hold time to the change before.
 *
 * Everything here is a pure function of what it is told: no clock, no system
 * call, no window is touched. Threads: one at a time for one policy.
 */
#ifndef VIADUCT_POLICY_H
#define VIADUCT_POLICY_H

#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vd_policy;

#define VD_POLICY_RECORDS 32 /* kept; then the oldest is lost */

enum vd_policy_cause {
	VD_POLICY_ADMIN,
	VD_POLICY_DRIVER,
	VD_POLICY_MONITOR,
	VD_POLICY_CAUSES,
};

enum vd_policy_verb {
	VD_POLICY_NOTHING,
	VD_POLICY_SPLIT,
	VD_POLICY_MERGE,
	VD_POLICY_LEND,
	VD_POLICY_TAKE_BACK,
	VD_POLICY_VERBS,
};

/** vd_policy_cause_name() - a stable lower-case word */
const char *vd_policy_cause_name(enum vd_policy_cause c);
/** vd_policy_verb_name() - a stable lower-case word */
const char *vd_policy_verb_name(enum vd_policy_verb v);

/**
 * struct vd_policy_cfg - thresholds
 * @size:    sizeof(struct vd_policy_cfg)
 * @hold_ms: least time from one change to the next of driver or monitor
 * @samples: that must agree in a row before the monitor acts; not 0
 * @high:    requests a second at which the owner should have a part
 * @low:     requests a second at which it needs it no more; less than @high
 * @full:    permille of valid entries at which the window has nothing to give
 * @empty:   permille of valid entries up to which a part counts as unused
 * @min_len: entries; every part is a multiple of it, and so is what remains;
 *           not 0
 */
struct vd_policy_cfg {
	size_t size;
	uint64_t hold_ms;
	uint32_t samples;
	uint64_t high, low;
	uint32_t full, empty;
	uint64_t min_len;
};

/**
 * struct vd_policy_load - a sample
 * @size:       sizeof(struct vd_policy_load)
 * @now_ms:     time, never backwards
 * @len:        entries of the window
 * @live:       valid ones of them
 * @spare:      entries at its end of which none is valid
 * @rate:       its owner's requests a second
 * @part_len:   entries of the part; 0: there is none
 * @part_live:  valid ones of them
 * @part_rate:  requests a second of the part's owner, or of who would get it
 */
struct vd_policy_load {
	size_t size;
	uint64_t now_ms;
	uint64_t len, live, spare, rate;
	uint64_t part_len, part_live, part_rate;
};

/**
 * struct vd_policy_decision - what to do now
 * @size:  sizeof(struct vd_policy_decision)
 * @verb:  nothing, split or merge
 * @cause: who wanted it
 * @keep:  split: entries that the window keeps; the part is all behind them
 */
struct vd_policy_decision {
	size_t size;
	enum vd_policy_verb verb;
	enum vd_policy_cause cause;
	uint64_t keep;
};

/**
 * struct vd_policy_record - a change that was tried
 * @size:     sizeof(struct vd_policy_record)
 * @seq:      1, 2, ...; filled in by the policy
 * @now_ms:   when
 * @cause:    who wanted it
 * @verb:     what
 * @window:   handle of the window
 * @part:     handle of the other: made by a split or a loan, or gone
 * @len:      entries that moved
 * @pressure: permille of valid entries of the window, before
 * @rate:     requests a second of the part's owner, before
 * @result:   0, or the error that the change ended with
 */
struct vd_policy_record {
	size_t size;
	uint64_t seq, now_ms;
	enum vd_policy_cause cause;
	enum vd_policy_verb verb;
	uint32_t window, part;
	uint64_t len, rate;
	uint32_t pressure;
	int result;
};

/**
 * vd_policy_create() - begin to look after a window
 * @cfg: copied
 * @out: owned by the caller; not written on error
 *
 * Return: 0, -EINVAL (@cfg), -ENOMEM
 */
int vd_policy_create(const struct vd_policy_cfg *cfg, struct vd_policy **out);

/** vd_policy_destroy() - NULL is fine */
void vd_policy_destroy(struct vd_policy *p);

/**
 * vd_policy_watch() - the monitor: look at a sample
 * @out: what to do; not written on error
 *
 * Return: 0, -EINVAL (a sample that cannot be: nothing is learnt from it)
 */
int vd_policy_watch(struct vd_policy *p, const struct vd_policy_load *l,
		    struct vd_policy_decision *out);

/**
 * vd_policy_ask() - an owner's driver asks
 * @want: entries, rounded up to whole parts; 0: it gives its part back
 * @out:  a split or a merge; not written on error
 *
 * Return: 0, or
 *  -EINVAL  @l cannot be
 *  -EEXIST  it has a part already
 *  -ENOENT  it has none to give back
 *  -ENOSPC  there is no room for it
 *  -EPERM   the part was an admin's gift: an admin takes it back
 *  -EBUSY   the last change is too fresh
 */
int vd_policy_ask(struct vd_policy *p, const struct vd_policy_load *l,
		  uint64_t want, struct vd_policy_decision *out);

/**
 * vd_policy_record() - what came of a change, whoever wanted it
 * @r: copied; its seq is not looked at
 *
 * A change that succeeded begins a new hold time. Each that is made must be
 * recorded, or the next decision rests on the wrong past.
 *
 * Return: 0, -EINVAL (@r: its size)
 */
int vd_policy_record(struct vd_policy *p, const struct vd_policy_record *r);

/**
 * vd_policy_next() - the oldest change that is remembered, from @seq on
 *
 * To walk all of them: begin at 0, go on at out->seq + 1.
 *
 * Return: 0, -ENOENT (there is none)
 */
int vd_policy_next(const struct vd_policy *p, uint64_t seq,
		   struct vd_policy_record *out);

#ifdef __cplusplus
}
#endif
#endif
