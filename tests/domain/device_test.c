/* SPDX-License-Identifier: BSD-2-Clause */
/* States of a device: all of them against all calls. */
#include "fixture.h"
#include "mem_nth.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <viaduct/pins.h>

static void attach_errors(void **state)
{
	struct fx *f = *state;
	struct vd_device_cfg cfg = { .size = sizeof(cfg), .guest_id = 1, .host_id = 1 };
	size_t before;

	assert_int_equal(vd_device_attach(f->d, NULL), -EINVAL);
	assert_int_equal(vd_device_attach(f->d, &cfg), -EINVAL); /* no ops */
	assert_int_equal(fx_attach(f, FX_DEV, 1), -EEXIST);
	assert_int_equal(fx_attach(f, 1, FX_HOST), -EEXIST);
	before = mem_live();
	mem_fail(1);
	assert_int_equal(fx_attach(f, 1, 1), -ENOMEM);
	assert_int_equal(mem_live(), before);
	for (uint32_t i = 1; i < 64; i++)
		assert_int_equal(fx_attach(f, 1000 + i, 1000 + i), 0);
	assert_int_equal(fx_attach(f, 1, 1), -ENOSPC);
	assert_int_equal(fx_stats(f).ndevices, 64);
}

static void list_and_walk_by_id(void **state)
{
	struct fx *f = *state;
	const uint32_t ids[] = { 3, FX_DEV, 77, UINT32_MAX };
	struct vd_device_info info = { .size = sizeof(info) };
	uint64_t next = 0;

	fx_attach(f, 77, 1);
	fx_attach(f, 3, 2);
	fx_attach(f, UINT32_MAX, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(vd_device_next(f->d, next, &info), 0);
		assert_int_equal(info.guest_id, ids[i]);
		next = (uint64_t)ids[i] + 1;
	}
	assert_int_equal(vd_device_next(f->d, next, &info), -ENOENT);
	assert_int_equal(vd_device_detach(f->d, 8), 0);
	assert_int_equal(vd_device_next(f->d, 4, &info), 0);
	assert_int_equal(info.guest_id, 77);
	assert_int_equal(vd_device_info(f->d, 8, &info), -ENODEV);
}

/* Whatever may have been reset, or is another device, is told apart. */
static void lives(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg = fx_seg(0, 1);
	struct vd_life who = { FX_DEV, fx_info(f, FX_DEV).incarnation };
	uint32_t seen[6];
	size_t done;

	seen[0] = who.incarnation;
	assert_int_equal(vd_device_permit(f->d, FX_DEV), 0); /* it was: no new life */
	assert_int_equal(fx_info(f, FX_DEV).incarnation, seen[0]);
	assert_int_equal(vd_device_map_as(f->d, who, &seg, 1, UINT64_MAX), 0);
	vd_device_deny(f->d, FX_DEV);
	vd_device_deny(f->d, FX_DEV);
	vd_device_permit(f->d, FX_DEV);
	seen[1] = fx_info(f, FX_DEV).incarnation;
	vd_device_revoke(f->d, FX_DEV);
	seen[2] = fx_info(f, FX_DEV).incarnation;
	vd_device_detach(f->d, FX_DEV);
	fx_attach(f, FX_DEV, 1);
	seen[3] = fx_info(f, FX_DEV).incarnation;
	fx_attach(f, FX_DEV + 1, 2);
	seen[4] = fx_info(f, FX_DEV + 1).incarnation;
	seen[5] = 0;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);

	assert_int_equal(vd_device_map_as(f->d, who, &seg, 1, UINT64_MAX), -EPERM);
	assert_int_equal(fx_stats(f).refused_denied, 1);
	assert_int_equal(vd_device_unmap_as(f->d, who, &seg, 1, &done), -EPERM);
	assert_int_equal(vd_device_pin_as(f->d, who, &seg, 1, UINT64_MAX), -EPERM);
	who.incarnation = seen[3];
	assert_int_equal(vd_device_map_as(f->d, who, &seg, 1, UINT64_MAX), 0);
	assert_int_equal(vd_device_unmap_as(f->d, who, &seg, 1, &done), 0);
	assert_int_equal(done, 1);
	assert_int_equal(fx_pinned(f), 0);
}

static int deny(struct fx *f)
{
	return vd_device_deny(f->d, FX_DEV);
}

static int permit(struct fx *f)
{
	return vd_device_permit(f->d, FX_DEV);
}

static int revoke_dev(struct fx *f)
{
	return vd_device_revoke(f->d, FX_DEV);
}

static int detach(struct fx *f)
{
	return vd_device_detach(f->d, FX_DEV);
}

static int map(struct fx *f)
{
	struct vd_seg seg = fx_seg(1, 1);

	return vd_device_map(f->d, FX_DEV, &seg, 1, UINT64_MAX);
}

static int translate(struct fx *f)
{
	vd_gpa gpa;

	return vd_device_translate(f->d, FX_DEV, (vd_iova){ VD_FAKE_BASE }, VD_READ, &gpa);
}

/* Page 0 is mapped unless the device is denied. */
static int unmap(struct fx *f)
{
	return fx_unmap(f, (vd_iova){ VD_FAKE_BASE }, 1);
}

#define ANY VD_DEVICE_STATES /* the device is gone */

struct state_row {
	enum vd_device_state from;
	const char *what;
	int (*call)(struct fx *f);
	int err;
	enum vd_device_state to;
	unsigned int quiesces;
};

static const struct state_row state_rows[] = {
	{ VD_DEVICE_PERMITTED, "deny", deny, 0, VD_DEVICE_DENIED, 1 },
	{ VD_DEVICE_PERMITTED, "permit", permit, 0, VD_DEVICE_PERMITTED, 0 },
	{ VD_DEVICE_PERMITTED, "revoke", revoke_dev, 0, VD_DEVICE_PERMITTED, 1 },
	{ VD_DEVICE_PERMITTED, "detach", detach, 0, ANY, 1 },
	{ VD_DEVICE_PERMITTED, "map", map, 0, VD_DEVICE_PERMITTED, 0 },
	{ VD_DEVICE_PERMITTED, "translate", translate, 0, VD_DEVICE_PERMITTED, 0 },
	{ VD_DEVICE_PERMITTED, "unmap", unmap, 0, VD_DEVICE_PERMITTED, 0 },
	{ VD_DEVICE_DENIED, "deny", deny, 0, VD_DEVICE_DENIED, 0 },
	{ VD_DEVICE_DENIED, "permit", permit, 0, VD_DEVICE_PERMITTED, 0 },
	{ VD_DEVICE_DENIED, "revoke", revoke_dev, 0, VD_DEVICE_DENIED, 0 },
	{ VD_DEVICE_DENIED, "detach", detach, 0, ANY, 0 },
	{ VD_DEVICE_DENIED, "map", map, -EPERM, VD_DEVICE_DENIED, 0 },
	{ VD_DEVICE_DENIED, "translate", translate, -EPERM, VD_DEVICE_DENIED, 0 },
	{ VD_DEVICE_DENIED, "unmap", unmap, -ENOENT, VD_DEVICE_DENIED, 0 },
	{ VD_DEVICE_QUIESCING, "deny", deny, -EBUSY, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_QUIESCING, "permit", permit, -EBUSY, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_QUIESCING, "revoke", revoke_dev, -EBUSY, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_QUIESCING, "detach", detach, -EBUSY, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_QUIESCING, "map", map, -EBUSY, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_QUIESCING, "translate", translate, -EPERM, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_QUIESCING, "unmap", unmap, 0, VD_DEVICE_QUIESCING, 0 },
	{ VD_DEVICE_STUCK, "deny", deny, 0, VD_DEVICE_DENIED, 1 },
	{ VD_DEVICE_STUCK, "permit", permit, -EIO, VD_DEVICE_STUCK, 0 },
	{ VD_DEVICE_STUCK, "revoke", revoke_dev, 0, VD_DEVICE_DENIED, 1 },
	{ VD_DEVICE_STUCK, "detach", detach, 0, ANY, 1 },
	{ VD_DEVICE_STUCK, "map", map, -EPERM, VD_DEVICE_STUCK, 0 },
	{ VD_DEVICE_STUCK, "translate", translate, -EPERM, VD_DEVICE_STUCK, 0 },
	{ VD_DEVICE_STUCK, "unmap", unmap, 0, VD_DEVICE_STUCK, 0 },
};

static const struct state_row *row_now;

static void check_row(struct fx *f, const struct state_row *r)
{
	struct vd_device_info info = { .size = sizeof(info), .state = ANY };
	unsigned int before = f->nquiesced;
	int err = r->call(f);

	if (err != r->err)
		fail_msg("%s while %s: %d", r->what, vd_device_state_name(r->from), err);
	vd_device_info(f->d, FX_DEV, &info);
	if (info.state != r->to || f->nquiesced - before != r->quiesces)
		fail_msg("%s while %s: then %s, quiesced %u times", r->what,
			 vd_device_state_name(r->from), vd_device_state_name(info.state),
			 f->nquiesced - before);
}

static void check_while_quiescing(struct fx *f)
{
	f->at_quiesce = NULL;
	check_row(f, row_now);
}

static void run_row(const struct state_row *r)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct fx f;

	fx_make(&f, &cfg);
	fx_map(&f, 0, 1);
	if (r->from == VD_DEVICE_QUIESCING) {
		row_now = r;
		f.at_quiesce = check_while_quiescing;
		assert_int_equal(deny(&f), 0);
	} else {
		if (r->from == VD_DEVICE_STUCK)
			f.quiesce_says = -EIO;
		if (r->from != VD_DEVICE_PERMITTED)
			deny(&f);
		f.quiesce_says = 0;
		check_row(&f, r);
	}
	fx_unmake(&f);
}

static void every_call_in_every_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(state_rows); i++)
		run_row(&state_rows[i]);
}

static void no_such_device(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg = fx_seg(0, 1);
	vd_gpa gpa;
	vd_iova iova = { VD_FAKE_BASE };
	size_t n;

	assert_int_equal(vd_device_deny(f->d, 1), -ENODEV);
	assert_int_equal(vd_device_permit(f->d, 1), -ENODEV);
	assert_int_equal(vd_device_revoke(f->d, 1), -ENODEV);
	assert_int_equal(vd_device_detach(f->d, 1), -ENODEV);
	assert_int_equal(vd_device_map(f->d, 1, &seg, 1, UINT64_MAX), -ENODEV);
	assert_int_equal(vd_device_unmap(f->d, 1, iova, PAGE), -ENODEV);
	assert_int_equal(vd_device_translate(f->d, 1, iova, VD_READ, &gpa), -ENODEV);
	assert_int_equal(vd_device_reverse(f->d, 1, fx_gpa(0), &iova), -ENODEV);
	assert_int_equal(vd_device_mappings(f->d, 1, 0, NULL, 0, &n), -ENODEV);
}

static size_t pinned_before_drop;

static void see_nothing_mapped(struct fx *f)
{
	vd_gpa gpa;

	/* X4: the translation is invalid already, the pin is still there. */
	assert_int_equal(
		vd_device_translate(f->d, FX_DEV, (vd_iova){ VD_FAKE_BASE }, VD_READ, &gpa),
		-EPERM);
	pinned_before_drop = vd_fake_pinned(f->host);
}

static void order_of_revocation(void **state)
{
	struct fx *f = *state;

	for (uint64_t i = 0; i < 40; i++)
		fx_map(f, 0, 1 + i);
	f->at_quiesce = see_nothing_mapped;
	assert_int_equal(vd_device_revoke(f->d, FX_DEV), 0);
	assert_int_equal(pinned_before_drop, 40);
	assert_int_equal(fx_pinned(f), 0);
	assert_int_equal(fx_stats(f).nmappings, 0);
	assert_int_equal(fx_stats(f).unmaps, 40);
}

/* More mappings than one batch holds. */
static void revoke_in_batches(void **state)
{
	struct fx *f = *state;

	for (uint64_t i = 0; i < 3 * VD_MAP_MAX_SEGS + 7; i++)
		fx_map(f, i % FX_PAGES, 1);
	assert_int_equal(vd_device_revoke(f->d, FX_DEV), 0);
	assert_int_equal(fx_pinned(f), 0);
	assert_int_equal(vd_fake_pins(f->host, 0), 0);
}

static void stuck_device_keeps_pins_through_unmap(void **state)
{
	struct fx *f = *state;
	vd_iova a = fx_map(f, 0, 2);
	vd_gpa gpa;

	f->quiesce_says = -ETIMEDOUT;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), -EIO);
	assert_int_equal(fx_info(f, FX_DEV).state, VD_DEVICE_STUCK);
	assert_int_equal(vd_device_permit(f->d, FX_DEV), -EIO);
	assert_int_equal(vd_device_detach(f->d, FX_DEV), -EIO);
	assert_int_equal(fx_unmap(f, a, 2), 0);
	assert_int_equal(fx_unmap(f, a, 2), -ENOENT);
	assert_int_equal(fx_stats(f).nmappings, 0);
	assert_int_equal(fx_pinned(f), 2);
	assert_int_equal(vd_device_translate(f->d, FX_DEV, a, VD_READ, &gpa), -EPERM);
	f->quiesce_says = 0;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), 0);
	assert_int_equal(fx_pinned(f), 0);
	assert_int_equal(fx_info(f, FX_DEV).denies, 1);
}

static atomic_bool settled;

static void *settle(void *arg)
{
	struct fx *f = arg;
	int err = vd_device_settle(f->d, FX_DEV);

	settled = true;
	return (void *)(intptr_t)err;
}

static pthread_t waiter;

static void begin_to_wait(struct fx *f)
{
	assert_int_equal(pthread_create(&waiter, NULL, settle, f), 0);
	usleep(20000);
	assert_false(settled);
}

static void settle_waits_for_the_end(void **state)
{
	struct fx *f = *state;
	void *err;

	assert_int_equal(vd_device_settle(f->d, 1), -ENODEV);
	assert_int_equal(vd_device_settle(f->d, FX_DEV), 0);
	f->at_quiesce = begin_to_wait;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), 0);
	assert_int_equal(pthread_join(waiter, &err), 0);
	assert_null(err);
	assert_int_equal(vd_device_permit(f->d, FX_DEV), 0);
	settled = false;
	assert_int_equal(vd_device_detach(f->d, FX_DEV), 0);
	assert_int_equal(pthread_join(waiter, &err), 0);
	assert_int_equal((intptr_t)err, -ENODEV);
	f->at_quiesce = NULL;
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(vd_device_state_name(VD_DEVICE_PERMITTED), "permitted");
	assert_string_equal(vd_device_state_name(VD_DEVICE_DENIED), "denied");
	assert_string_equal(vd_device_state_name(VD_DEVICE_QUIESCING), "quiescing");
	assert_string_equal(vd_device_state_name(VD_DEVICE_STUCK), "stuck");
	assert_string_equal(vd_device_state_name(VD_DEVICE_STATES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(attach_errors),
		fx_test(list_and_walk_by_id),
		fx_test(lives),
		cmocka_unit_test(every_call_in_every_state),
		fx_test(no_such_device),
		fx_test(order_of_revocation),
		fx_test(revoke_in_batches),
		fx_test(stuck_device_keeps_pins_through_unmap),
		fx_test(settle_waits_for_the_end),
		cmocka_unit_test(names),
	};

	return run_all(tests);
}
