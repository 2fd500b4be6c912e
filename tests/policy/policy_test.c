/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to split. What the monitor did is judged by a witness that only knows
 * the samples and the answers, never by the thresholds' own arithmetic.
 */
#include "mem_nth.h"
#include "test.h"

#include <viaduct/policy.h>

#define HOLD 1000
#define HIGH 100
#define LOW  20
#define RUN  3
#define UNIT 16
#define LEN  1024
#define STEP 100 /* ms between samples */

static const struct vd_policy_cfg cfg = {
	.size = sizeof(cfg),
	.hold_ms = HOLD,
	.samples = RUN,
	.high = HIGH,
	.low = LOW,
	.full = 800,
	.empty = 100,
	.min_len = UNIT,
};

/* A window and its part, moved as the policy says, and what happened to it. */
struct world {
	struct vd_policy *p;
	struct vd_policy_load l;
	int changes, splits, merges;
	uint64_t last_ms;      /* of the last change */
	int low_run, high_run; /* samples in a row, as the witness counts */
};

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->l = (struct vd_policy_load){
		.size = sizeof(struct vd_policy_load), .len = LEN, .spare = LEN, .rate = HIGH
	};
	assert_int_equal(vd_policy_create(&cfg, &w->p), 0);
}

static void end(struct world *w)
{
	vd_policy_destroy(w->p);
}

static void note(struct world *w, enum vd_policy_cause cause, enum vd_policy_verb verb, int result)
{
	struct vd_policy_record r = { .size = sizeof(r),
				      .now_ms = w->l.now_ms,
				      .cause = cause,
				      .verb = verb,
				      .rate = w->l.part_rate,
				      .result = result };

	vd_policy_record(w->p, &r);
}

/* The first @max that are remembered; returns how many there are. */
static size_t read_records(const struct vd_policy *p, struct vd_policy_record *out, size_t max)
{
	struct vd_policy_record r = { .size = sizeof(r) };
	size_t n = 0;

	for (uint64_t seq = 0; vd_policy_next(p, seq, &r) == 0; seq = r.seq + 1)
		if (n++ < max)
			out[n - 1] = r;
	return n;
}

static void change(struct world *w, const struct vd_policy_decision *d)
{
	if (d->verb == VD_POLICY_SPLIT) {
		assert_int_equal(w->l.part_len, 0);
		assert_in_range(d->keep, UNIT, w->l.len - UNIT);
		assert_int_equal(d->keep % UNIT, 0);
		assert_true(w->l.len - d->keep <= w->l.spare);
		w->l.part_len = w->l.len - d->keep;
		w->l.spare -= w->l.part_len;
		w->l.len = d->keep;
		w->splits++;
	} else {
		assert_int_equal(d->verb, VD_POLICY_MERGE);
		assert_int_not_equal(w->l.part_len, 0);
		w->l.len += w->l.part_len;
		w->l.spare += w->l.part_len;
		w->l.part_len = 0;
		w->merges++;
	}
	w->changes++;
	w->last_ms = w->l.now_ms;
	w->low_run = w->high_run = 0;
	note(w, d->cause, d->verb, 0);
}

/* One sample at @rate; the witness looks on. */
static enum vd_policy_verb sample(struct world *w, uint64_t rate)
{
	struct vd_policy_decision d = { .size = sizeof(d) };

	w->l.now_ms += STEP;
	w->l.part_rate = rate;
	w->low_run = rate <= LOW ? w->low_run + 1 : 0;
	w->high_run = rate >= HIGH ? w->high_run + 1 : 0;
	assert_int_equal(vd_policy_watch(w->p, &w->l, &d), 0);
	if (d.verb == VD_POLICY_NOTHING)
		return d.verb;
	assert_int_equal(d.cause, VD_POLICY_MONITOR);
	assert_true(w->changes == 0 || w->l.now_ms - w->last_ms >= HOLD);
	assert_true((d.verb == VD_POLICY_SPLIT ? w->high_run : w->low_run) >= RUN);
	change(w, &d);
	return d.verb;
}

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* T2.8: a threshold splits, and later merges, without anybody's word. */
static void t2_8_monitor(void **state)
{
	struct vd_policy_record r[VD_POLICY_RECORDS];
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < RUN - 1; i++)
		assert_int_equal(sample(&w, HIGH), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, HIGH), VD_POLICY_SPLIT);
	assert_int_equal(w.l.part_len, LEN / 2); /* equal rates */
	while (w.l.now_ms < w.last_ms + HOLD - STEP)
		assert_int_equal(sample(&w, 0), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, 0), VD_POLICY_MERGE);
	assert_int_equal(w.l.len, LEN);
	assert_int_equal(read_records(w.p, r, VD_POLICY_RECORDS), 2);
	assert_int_equal(r[0].cause, VD_POLICY_MONITOR);
	assert_int_equal(r[0].verb, VD_POLICY_SPLIT);
	assert_int_equal(r[0].rate, HIGH);
	assert_int_equal(r[1].verb, VD_POLICY_MERGE);
	assert_string_equal(vd_policy_cause_name(r[1].cause), "monitor");
	end(&w);
}

/* Its share of the requests, in whole units, of a window of any length. */
static void fair_parts(void **state)
{
	const struct {
		uint64_t len, rate, part_rate, part;
	} rows[] = {
		{ 256, HIGH, HIGH, 128 },
		{ 256, HIGH, 3 * HIGH, 192 },
		{ 2000, HIGH, HIGH, 992 },
		{ 64, 1000 * HIGH, HIGH, UNIT },
		{ (uint64_t)1 << 62, HIGH, HIGH, (uint64_t)1 << 61 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;

		begin(&w);
		w.l.len = w.l.spare = rows[i].len;
		w.l.rate = rows[i].rate;
		for (int k = 0; k < RUN; k++)
			sample(&w, rows[i].part_rate);
		assert_in_range(w.l.part_len, rows[i].part - rows[i].part / 64, rows[i].part);
		assert_int_equal(w.l.part_len % UNIT, 0);
		end(&w);
	}
}

/* T2.8: a driver's request. */
static void t2_8_driver(void **state)
{
	struct vd_policy_decision d = { .size = sizeof(d) };
	struct world w;

	(void)state;
	begin(&w);
	w.l.now_ms = 5;
	assert_int_equal(vd_policy_ask(w.p, &w.l, 0, &d), -ENOENT);
	assert_int_equal(vd_policy_ask(w.p, &w.l, LEN, &d), -ENOSPC);
	assert_int_equal(vd_policy_ask(w.p, &w.l, UINT64_MAX, &d), -ENOSPC);
	assert_int_equal(vd_policy_ask(w.p, &w.l, UNIT + 1, &d), 0);
	assert_int_equal(d.cause, VD_POLICY_DRIVER);
	assert_int_equal(d.keep, LEN - 2 * UNIT);
	change(&w, &d);
	assert_int_equal(vd_policy_ask(w.p, &w.l, UNIT, &d), -EEXIST);
	w.l.now_ms += HOLD - 1;
	assert_int_equal(vd_policy_ask(w.p, &w.l, 0, &d), -EBUSY);
	w.l.now_ms += 1;
	assert_int_equal(vd_policy_ask(w.p, &w.l, 0, &d), 0);
	assert_int_equal(d.verb, VD_POLICY_MERGE);
	change(&w, &d);
	assert_int_equal(w.l.len, LEN);
	end(&w);
}

/* T2.8: an admin's split is nobody else's to undo. */
static void t2_8_admin(void **state)
{
	struct vd_policy_decision d = { .size = sizeof(d),
					.verb = VD_POLICY_SPLIT,
					.cause = VD_POLICY_ADMIN,
					.keep = LEN / 2 };
	struct vd_policy_record r[2];
	struct world w;

	(void)state;
	begin(&w);
	change(&w, &d);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(sample(&w, 0), VD_POLICY_NOTHING);
	assert_int_equal(vd_policy_ask(w.p, &w.l, 0, &d), -EPERM);
	d = (struct vd_policy_decision){ .size = sizeof(struct vd_policy_decision),
					 .verb = VD_POLICY_MERGE,
					 .cause = VD_POLICY_ADMIN };
	change(&w, &d);
	assert_int_equal(read_records(w.p, r, 2), 2);
	assert_int_equal(r[0].cause, VD_POLICY_ADMIN);
	assert_int_equal(r[1].cause, VD_POLICY_ADMIN);
	/* The hold counts from an admin's change as well. */
	for (int i = 1; i < HOLD / STEP; i++)
		assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_SPLIT);
	end(&w);
}

/* Noise between the thresholds, from either state, for ever: not one change. */
static void noise_in_the_band(void **state)
{
	uint64_t s = 88172645463325252u;
	struct world w;

	(void)state;
	begin(&w);
	for (int round = 0; round < 2; round++) {
		int before = w.changes;

		for (int i = 0; i < 200000; i++)
			sample(&w, LOW + 1 + rnd(&s) % (HIGH - LOW - 1));
		assert_int_equal(w.changes, before);
		while (round == 0 && sample(&w, HIGH) == VD_POLICY_NOTHING)
			;
	}
	end(&w);
}

/* A random walk over all rates; the witness in sample() judges each change. */
static void random_walk(void **state)
{
	uint64_t s = 2463534242u, rate = LOW;
	struct world w;

	(void)state;
	for (uint64_t stride = 1; stride <= 64; stride *= 4) {
		begin(&w);
		for (int i = 0; i < 200000; i++) {
			if (rnd(&s) & 1)
				rate = rate + stride < 2 * HIGH ? rate + stride : 2 * HIGH;
			else
				rate = rate > stride ? rate - stride : 0;
			w.l.live = rnd(&s) % 64;
			w.l.spare = w.l.len - w.l.live;
			sample(&w, rate);
		}
		assert_true(w.splits > 0 && w.merges > 0); /* it did look at something */
		assert_true(w.splits - w.merges <= 1 && w.merges <= w.splits);
		end(&w);
	}
}

/* The control: with a band of nothing and no hold the same noise flaps. */
static void without_hysteresis_it_flaps(void **state)
{
	struct vd_policy_cfg bare = cfg;
	uint64_t s = 2463534242u;
	struct world w;
	int verbs = 0;

	(void)state;
	bare.hold_ms = 0;
	bare.samples = 1;
	bare.low = HIGH - 1;
	memset(&w, 0, sizeof(w));
	w.l = (struct vd_policy_load){
		.size = sizeof(struct vd_policy_load), .len = LEN, .spare = LEN, .rate = HIGH
	};
	assert_int_equal(vd_policy_create(&bare, &w.p), 0);
	for (int i = 0; i < 1000; i++) {
		struct vd_policy_decision d = { .size = sizeof(d) };

		w.l.now_ms += STEP;
		w.l.part_rate = HIGH - 2 + rnd(&s) % 4;
		assert_int_equal(vd_policy_watch(w.p, &w.l, &d), 0);
		if (d.verb != VD_POLICY_NOTHING)
			change(&w, &d);
		verbs += d.verb != VD_POLICY_NOTHING;
	}
	assert_true(verbs > 100);
	end(&w);
}

/* Peaks that are too short, and a square wave as fast as the samples. */
static void short_peaks(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < 10000; i++)
		sample(&w, i % RUN == 0 ? 0 : 10 * HIGH);
	assert_int_equal(w.changes, 0);
	end(&w);
}

/* A full table gives nothing, a used part is not taken. */
static void pressure(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.l.live = LEN * 8 / 10 + 1;
	w.l.spare = LEN - w.l.live;
	for (int i = 0; i < 100; i++)
		assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_NOTHING);
	w.l.live = 1;
	w.l.spare = UNIT - 1; /* one valid entry near its end */
	for (int i = 0; i < 100; i++)
		assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_NOTHING);
	w.l.spare = 2 * UNIT + 1;
	assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, 10 * HIGH), VD_POLICY_SPLIT);
	assert_int_equal(w.l.part_len, 2 * UNIT);
	w.l.part_live = UNIT;
	for (int i = 0; i < 100; i++)
		assert_int_equal(sample(&w, 0), VD_POLICY_NOTHING);
	w.l.part_live = 0;
	for (int i = 0; i < RUN - 1; i++)
		assert_int_equal(sample(&w, 0), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, 0), VD_POLICY_MERGE);
	end(&w);
}

/* What failed is recorded, and begins no hold. */
static void failures(void **state)
{
	struct vd_policy_record r[1];
	struct vd_policy_decision d = { .size = sizeof(d) };
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < RUN; i++) {
		w.l.now_ms += STEP;
		w.l.part_rate = HIGH;
		assert_int_equal(vd_policy_watch(w.p, &w.l, &d), 0);
	}
	assert_int_equal(d.verb, VD_POLICY_SPLIT);
	note(&w, d.cause, d.verb, -ENOSPC);
	assert_int_equal(read_records(w.p, r, 1), 1);
	assert_int_equal(r[0].result, -ENOSPC);
	assert_int_equal(vd_policy_ask(w.p, &w.l, 1, &d), 0);
	end(&w);
}

static void records(void **state)
{
	struct vd_policy_record r[VD_POLICY_RECORDS + 1];
	struct world w;

	(void)state;
	begin(&w);
	for (uint64_t i = 1; i <= VD_POLICY_RECORDS + 5; i++)
		note(&w, VD_POLICY_ADMIN, VD_POLICY_LEND, 0);
	assert_int_equal(read_records(w.p, r, ARRAY_LEN(r)), VD_POLICY_RECORDS);
	for (size_t i = 0; i < VD_POLICY_RECORDS; i++)
		assert_int_equal(r[i].seq, i + 6);
	assert_int_equal(vd_policy_next(w.p, VD_POLICY_RECORDS + 6, &r[0]), -ENOENT);
	end(&w);
}

static const struct vd_policy_load bad_loads[] = {
	{ .len = 0 },
	{ .len = 4, .live = 5 },
	{ .len = 4, .live = 2, .spare = 3 },
	{ .len = 4, .part_live = 1 },
	{ .len = 4, .now_ms = 9 }, /* backwards */
};

static void bad_samples(void **state)
{
	struct vd_policy_load first = { .size = sizeof(first), .len = 4, .now_ms = 10 };
	struct vd_policy_decision d = { .size = sizeof(d), .keep = 42 };
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(vd_policy_watch(w.p, &first, &d), 0);
	d.keep = 42;
	for (size_t i = 0; i < ARRAY_LEN(bad_loads); i++) {
		struct vd_policy_load l = bad_loads[i];

		l.size = sizeof(l);
		l.now_ms = l.now_ms ? l.now_ms : 10;
		assert_int_equal(vd_policy_watch(w.p, &l, &d), -EINVAL);
		assert_int_equal(vd_policy_ask(w.p, &l, 1, &d), -EINVAL);
	}
	first.size = 0;
	assert_int_equal(vd_policy_watch(w.p, &first, &d), -EINVAL);
	assert_int_equal(vd_policy_ask(w.p, &first, 1, &d), -EINVAL);
	assert_int_equal(d.keep, 42);
	end(&w);
}

/* Numbers at their ends: nothing wraps. */
static void extremes(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.l.len = UINT64_MAX;
	w.l.spare = UINT64_MAX;
	w.l.rate = UINT64_MAX;
	assert_int_equal(sample(&w, UINT64_MAX), VD_POLICY_NOTHING);
	assert_int_equal(sample(&w, UINT64_MAX), VD_POLICY_NOTHING);
	w.l.len = (uint64_t)1 << 52;
	w.l.spare = w.l.len;
	assert_int_equal(sample(&w, UINT64_MAX), VD_POLICY_SPLIT);
	end(&w);
}

static void bad_cfgs(void **state)
{
	struct vd_policy *p = NULL;
	struct vd_policy_cfg c[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		c[i] = cfg;
	c[0].size = 0;
	c[1].samples = 0;
	c[2].low = c[2].high;
	c[3].min_len = 0;
	c[4].full = 1001;
	c[5].empty = 1001;
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		assert_int_equal(vd_policy_create(&c[i], &p), -EINVAL);
	mem_fail(1);
	assert_int_equal(vd_policy_create(&cfg, &p), -ENOMEM);
	mem_fail(0);
	assert_null(p);
	vd_policy_destroy(NULL);
	assert_string_equal(vd_policy_verb_name(VD_POLICY_TAKE_BACK), "take-back");
	assert_string_equal(vd_policy_verb_name(VD_POLICY_VERBS), "unknown");
	assert_string_equal(vd_policy_cause_name(VD_POLICY_CAUSES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t2_8_monitor),
		cmocka_unit_test(fair_parts),
		cmocka_unit_test(t2_8_driver),
		cmocka_unit_test(t2_8_admin),
		cmocka_unit_test(noise_in_the_band),
		cmocka_unit_test(random_walk),
		cmocka_unit_test(without_hysteresis_it_flaps),
		cmocka_unit_test(short_peaks),
		cmocka_unit_test(pressure),
		cmocka_unit_test(failures),
		cmocka_unit_test(records),
		cmocka_unit_test(bad_samples),
		cmocka_unit_test(extremes),
		cmocka_unit_test(bad_cfgs),
	};

	return run_all(tests);
}
