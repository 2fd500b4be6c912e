/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Callers that were compiled with an older or a newer header than the library's.
 * An older one's structs are shorter: here, cut before the last member. A newer
 * one's are longer: here, by what nobody knows yet.
 */
#include "engine_fixture.h"
#include "fixture.h"
#include <viaduct/policy.h>
#include <viaduct/remote.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * A struct that ends with padding cannot grow: what an older caller has there is
 * not 0, and would be taken for what the new member says.
 */
#define ENDS_WITH(type, member)                                                              \
	_Static_assert(offsetof(struct type, member) + sizeof(((struct type *)0)->member) == \
			       sizeof(struct type),                                          \
		       #type " ends with padding")

ENDS_WITH(vd_adapter_cfg, owner);
ENDS_WITH(vd_adapter_ops, invalidate);
ENDS_WITH(vd_adapter_stats, nfaults);
ENDS_WITH(vd_device_cfg, opaque);
ENDS_WITH(vd_device_info, denies);
ENDS_WITH(vd_device_ops, quiesce);
ENDS_WITH(vd_discard, pinned);
ENDS_WITH(vd_domain_cfg, max_mappings);
ENDS_WITH(vd_domain_stats, pins_cleared);
ENDS_WITH(vd_drain, last);
ENDS_WITH(vd_fault, iova);
ENDS_WITH(vd_hal_cfg, pool_len);
ENDS_WITH(vd_hal_ops, admit);
ENDS_WITH(vd_hal_stats, status);
ENDS_WITH(vd_host_ops, destroy);
ENDS_WITH(vd_loan, len);
ENDS_WITH(vd_merge, live);
ENDS_WITH(vd_noiommu_cfg, opaque);
ENDS_WITH(vd_owner_cfg, opaque);
ENDS_WITH(vd_owner_ops, release);
ENDS_WITH(vd_papr_cfg, opaque);
ENDS_WITH(vd_papr_ops, owner_failed);
ENDS_WITH(vd_papr_partition, pool_bytes);
ENDS_WITH(vd_papr_pe, max_tces);
ENDS_WITH(vd_papr_stats, grants);
ENDS_WITH(vd_papr_vio, len);
ENDS_WITH(vd_pins_stats, dropped);
ENDS_WITH(vd_policy_cfg, min_len);
ENDS_WITH(vd_policy_decision, keep);
ENDS_WITH(vd_policy_load, part_rate);
ENDS_WITH(vd_policy_record, result);
ENDS_WITH(vd_put, pinned);
ENDS_WITH(vd_remote_cfg, timeout_ms);
ENDS_WITH(vd_share_ops, give);
ENDS_WITH(vd_space_cfg, npages);
ENDS_WITH(vd_space_need, last);
ENDS_WITH(vd_space_stats, bad_frees);
ENDS_WITH(vd_split, keep);
ENDS_WITH(vd_table_cfg, max_bytes);
ENDS_WITH(vd_table_stats, bytes);
ENDS_WITH(vd_why, asked_ms);
ENDS_WITH(vd_window_cfg, len);
ENDS_WITH(vd_window_info, lent);
ENDS_WITH(vd_window_range, len);

/* Any of the library's structs, and what a newer header has behind it. */
struct newer {
	union {
		size_t size;
		struct vd_domain_cfg domain;
		struct vd_device_cfg device;
		struct vd_domain_stats stats;
		struct vd_window_info info;
		struct vd_split split;
		struct vd_put put;
		struct vd_discard discard;
	};
	uint64_t unknown[4];
};

static void settings(void **state)
{
	struct fx *f = *state;
	struct newer n = { .domain = { .granule_shift = 12, .max_devices = 1 } };
	struct vd_domain *d = NULL;

	/* Before there was max_devices: as if it were 0, the default. */
	n.size = offsetof(struct vd_domain_cfg, max_devices);
	assert_int_equal(vd_domain_create(f->host, &n.domain, &d), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct newer dev = { .device = { .size = sizeof(struct vd_device_cfg),
						 .guest_id = i,
						 .host_id = i,
						 .ops = &fx_ops,
						 .opaque = f } };

		assert_int_equal(vd_device_attach(d, &dev.device), 0);
	}
	vd_domain_destroy(d);
	d = NULL;
	n.size = sizeof(n);
	assert_int_equal(vd_domain_create(f->host, &n.domain, &d), 0);
	vd_domain_destroy(d);
	d = NULL;
	n.unknown[3] = 1;
	assert_int_equal(vd_domain_create(f->host, &n.domain, &d), -E2BIG);
	assert_null(d);
}

static void counts(void **state)
{
	struct fx *f = *state;
	struct newer n;
	const size_t old = offsetof(struct vd_domain_stats, pinned);

	fx_map(f, 0, 3);
	memset(&n, 0x55, sizeof(n));
	n.size = old;
	vd_domain_stats(f->d, &n.stats);
	assert_int_equal(n.size, old);
	assert_int_equal(n.stats.memory, FX_PAGES * PAGE);
	assert_int_equal(n.stats.pinned, 0x5555555555555555);

	n.size = sizeof(n);
	vd_domain_stats(f->d, &n.stats);
	assert_int_equal(n.stats.pinned, 3 * PAGE);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(n.unknown[i], 0);
}

static int take_away(void *opaque, void *hva, uint64_t len)
{
	(void)opaque, (void)hva, (void)len;
	return 0;
}

/* In and out at once. */
static void discards(void **state)
{
	struct fx *f = *state;
	struct newer n = { .discard = { .give = take_away, .pinned = 7 } };

	n.size = offsetof(struct vd_discard, pinned);
	assert_int_equal(vd_domain_discard(f->d, fx_gpa(0), 2 * PAGE, &n.discard), 0);
	assert_int_equal(n.discard.given, 2 * PAGE);
	assert_int_equal(n.discard.pinned, 7);
	n.size = sizeof(n);
	n.unknown[0] = 1;
	assert_int_equal(vd_domain_discard(f->d, fx_gpa(0), 2 * PAGE, &n.discard), -E2BIG);
	assert_int_equal(n.discard.pinned, 7);
}

static int quiesce(void *opaque)
{
	++*(unsigned int *)opaque;
	return 0;
}

static void callbacks(void **state)
{
	struct {
		struct vd_device_ops ops;
		int (*unknown)(void *opaque);
	} n = { { sizeof(n), quiesce }, NULL };
	unsigned int called = 0;
	struct vd_device_cfg cfg = {
		.size = sizeof(cfg), .guest_id = 99, .host_id = 99, .ops = &n.ops, .opaque = &called
	};
	struct fx *f = *state;

	assert_int_equal(vd_device_attach(f->d, &cfg), 0);
	memset(&n, 0, sizeof(n)); /* it was copied */
	assert_int_equal(vd_device_detach(f->d, 99), 0);
	assert_int_equal(called, 1);

	n.ops = (struct vd_device_ops){ sizeof(n), quiesce };
	n.unknown = quiesce; /* who must call it does not know how */
	assert_int_equal(vd_device_attach(f->d, &cfg), -E2BIG);
	n.ops.size = sizeof(size_t);
	assert_int_equal(vd_device_attach(f->d, &cfg), -EINVAL); /* none to quiesce */
}

static void requests(void **state)
{
	struct ex *x = *state;
	const vd_entry e = ex_entry(0, RW);
	struct newer n = {
		.put = { .owner = EX_P1, .window = EX_W, .bus = ex_bus(0), .n = 1, .entry = &e }
	};

	n.size = sizeof(n);
	assert_int_equal(vd_window_put(x->a, &n.put), 0);
	assert_int_equal(n.put.pinned, PAGE);
	assert_int_equal(vd_window_fill(x->a, &n.put), 0);
	assert_int_equal(n.put.pinned, 0);
	n.unknown[1] = 1;
	assert_int_equal(vd_window_put(x->a, &n.put), -E2BIG);

	n = (struct newer){
		.split = { .id = EX_W, .newid = 8, .owner = EX_P2, .live = VD_LIVE_REVOKE }
	};
	n.size = offsetof(struct vd_split, keep);
	assert_int_equal(vd_window_split(x->a, &n.split), -EINVAL); /* keeps 0 */
	n.split.keep = EX_LEN / 2;
	n.size = sizeof(n);
	n.unknown[0] = 1;
	assert_int_equal(vd_window_split(x->a, &n.split), -E2BIG);
	n.unknown[0] = 0;
	assert_int_equal(vd_window_split(x->a, &n.split), 0);

	memset(&n, 0x55, sizeof(n));
	n.size = sizeof(n);
	assert_int_equal(vd_window_query(x->a, 8, &n.info), 0);
	assert_int_equal(n.info.len, EX_LEN / 2);
	assert_int_equal(n.unknown[0], 0);
}

#define fx_test(t) cmocka_unit_test_setup_teardown(t, fx_setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(settings),  fx_test(counts),   fx_test(discards),
		fx_test(callbacks), ex_test(requests),
	};

	return run_all(tests);
}
