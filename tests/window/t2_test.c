/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The acceptance statements of splitting and merging DMA windows, by number.
 */
#include "engine_fixture.h"

#define K  256u /* where the window is split */
#define W2 8u

static int split(struct ex *x, uint64_t keep, uint32_t owner, enum vd_live live)
{
	const struct vd_split s = { .size = sizeof(s),
				    .id = EX_W,
				    .newid = W2,
				    .owner = owner,
				    .keep = keep,
				    .live = live };

	return vd_window_split(x->a, &s);
}

static int merge(struct ex *x, uint32_t owner, enum vd_live live)
{
	const struct vd_merge m = {
		.size = sizeof(m), .keep = EX_W, .clear = W2, .owner = owner, .live = live
	};

	return vd_window_merge(x->a, &m);
}

/* Entries on both sides of where the window is split. */
static void map_some(struct ex *x)
{
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(ex_map(x, EX_P1, EX_W, i * 30, i), 0);
		assert_int_equal(ex_map(x, EX_P1, EX_W, K + i * 30, 8 + i), 0);
	}
}

/* After split(W, k): R1.base unchanged, R1.len = k, R2.base = R1.base + 8k,
 * R2.len = N - k; lengths conserved; every entry as it was. */
static void t2_1(void **state)
{
	uint64_t before[EX_LEN], after[EX_LEN];
	struct ex *x = *state;
	struct vd_window_info w1, w2, w = ex_info(x, EX_W);

	map_some(x);
	ex_entries(x, before);
	assert_int_equal(split(x, K, EX_P1, VD_LIVE_TRANSFER), 0);
	w1 = ex_info(x, EX_W);
	w2 = ex_info(x, W2);
	assert_int_equal(w1.table, w.table);
	assert_int_equal(w1.bus.v, w.bus.v);
	assert_int_equal(w1.len, K);
	assert_int_equal(w2.table, w.table + 8 * K);
	assert_int_equal(w2.len, EX_LEN - K);
	assert_int_equal(w1.len + w2.len, EX_LEN);
	assert_int_equal(w2.bus.v, EX_BUS + K * PAGE);
	ex_entries(x, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(ex_pinned(&x->p1), 16);
	ex_check(x);
}

/* DMA below k goes on; from k on the old owner meets the end of its window and
 * the new owner what it maps there. */
static void t2_2(void **state)
{
	struct ex *x = *state;
	unsigned char *hva;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 5), 0);
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), 0);
	assert_int_equal(ex_map(x, EX_P2, W2, K, 9), 0);

	assert_int_equal(ex_access(x->r1, ex_bus(3).v, VD_WRITE, &hva), 0);
	assert_ptr_equal(hva, x->p1.mem + 5 * PAGE);
	assert_int_equal(ex_access(x->r2, ex_bus(K).v + 17, VD_WRITE, &hva), 0);
	assert_ptr_equal(hva, x->p2.mem + 9 * PAGE + 17);
	assert_int_equal(
		vd_adapter_next_fault(x->a, &(struct vd_fault){ .size = sizeof(struct vd_fault) }),
		0); /* of the drain */

	assert_int_equal(ex_access(x->r1, ex_bus(K).v, VD_WRITE, &hva), -ERANGE);
	assert_int_equal(ex_fault(x).reason, VD_FAULT_EXTENT);
	assert_int_equal(ex_access(x->r2, ex_bus(3).v, VD_READ, &hva), -ENXIO);
	assert_int_equal(ex_fault(x).reason, VD_FAULT_NO_WINDOW);
}

static void nothing_changed(struct ex *x, const struct vd_window_info *w)
{
	struct vd_window_info now = ex_info(x, EX_W);

	assert_memory_equal(&now, w, sizeof(now));
	assert_int_equal(vd_window_query(x->a, W2, &now), -ENOENT);
	ex_check(x);
}

/* Refusals, and nothing has changed. */
static void t2_3(void **state)
{
	struct ex *x = *state;
	struct vd_window_info w = ex_info(x, EX_W);
	struct vd_split s = { sizeof(s), EX_W, EX_W, EX_P2, VD_LIVE_REFUSE, K };

	assert_int_equal(split(x, 0, EX_P2, VD_LIVE_REFUSE), -EINVAL);
	assert_int_equal(split(x, EX_LEN, EX_P2, VD_LIVE_REFUSE), -EINVAL);
	assert_int_equal(split(x, UINT64_MAX, EX_P2, VD_LIVE_REFUSE), -EINVAL);
	assert_int_equal(split(x, K, 99, VD_LIVE_REFUSE), -ENOENT);
	assert_int_equal(vd_window_split(x->a, &s), -EEXIST);
	s.id = 55;
	assert_int_equal(vd_window_split(x->a, &s), -ENOENT);
	nothing_changed(x, &w);

	/* No free register. */
	for (uint32_t i = 0; i < 7; i++) {
		s = (struct vd_split){
			sizeof(struct vd_split), i ? 19 + i : EX_W, 20 + i, EX_P1, VD_LIVE_REFUSE, 1
		};
		assert_int_equal(vd_window_split(x->a, &s), 0);
	}
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), -EINVAL); /* one entry left */
	s = (struct vd_split){ sizeof(struct vd_split), 26, 30, EX_P2, VD_LIVE_REFUSE, 1 };
	assert_int_equal(vd_window_split(x->a, &s), -ENOSPC);
	ex_check(x);
}

/* Unaligned, where a register encodes powers of two. */
static void t2_3_powers_of_two(void **state)
{
	struct vd_window_info w = { .size = sizeof(w) };
	struct ex x;

	(void)state;
	ex_make(&x, VD_ADAPTER_POWERS_OF_TWO, VD_FORMAT_TCE);
	ex_window(&x);
	w = ex_info(&x, EX_W);
	assert_int_equal(split(&x, 3, EX_P2, VD_LIVE_REFUSE), -EINVAL);
	assert_int_equal(split(&x, K, EX_P2, VD_LIVE_REFUSE), -EINVAL); /* 768 are left */
	nothing_changed(&x, &w);
	assert_int_equal(split(&x, EX_LEN / 2, EX_P2, VD_LIVE_REFUSE), 0);
	ex_unmake(&x);
}

/* Nobody can write the other's entries; a look-up by handle shows it all. */
static void t2_4(void **state)
{
	struct ex *x = *state;
	struct vd_window_info w = { .size = sizeof(w) };
	vd_entry e;

	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, K, 1), -ERANGE);
	assert_int_equal(ex_map(x, EX_P1, W2, K, 1), -EPERM);
	assert_int_equal(ex_map(x, EX_P2, W2, K - 1, 1), -ERANGE);
	assert_int_equal(ex_map(x, EX_P2, EX_W, K - 1, 1), -EPERM);
	assert_int_equal(vd_window_get(x->a, EX_P1, W2, ex_bus(K), &e, 1), -EPERM);
	assert_int_equal(ex_map(x, EX_P1, EX_W, K - 1, 1), 0);
	assert_int_equal(ex_map(x, EX_P2, W2, K, 1), 0);

	w = ex_info(x, W2);
	assert_int_equal(w.owner, EX_P2);
	assert_int_equal(w.via, EX_P2);
	assert_int_equal(w.bus.v, EX_BUS + K * PAGE);
	assert_int_equal(w.page_shift, 12);
	assert_int_equal(w.len, EX_LEN - K);
	assert_int_equal(w.slot, 1);
}

/* Merge is the inverse, to the bit; a cleared register reads as disabled. */
static void t2_5(void **state)
{
	uint64_t before[EX_LEN], after[EX_LEN];
	struct ex *x = *state;
	struct vd_window_info now, w = ex_info(x, EX_W);

	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 5), 0);
	ex_entries(x, before);
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), 0);
	assert_int_equal(merge(x, EX_P1, VD_LIVE_REFUSE), 0);
	nothing_changed(x, &w);
	ex_entries(x, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(vd_window_show(x->a, 1, &now), -ENOENT);

	/* With entries on both sides, and to the other of the two. */
	map_some(x);
	ex_entries(x, before);
	assert_int_equal(split(x, K, EX_P1, VD_LIVE_TRANSFER), 0);
	assert_int_equal(merge(x, EX_P1, VD_LIVE_REFUSE), 0);
	nothing_changed(x, &w);
	ex_entries(x, after);
	assert_memory_equal(before, after, sizeof(before));
}

static void t2_5_refusals(void **state)
{
	struct ex *x = *state;
	struct vd_split s = { sizeof(s), W2, 9, EX_P2, VD_LIVE_REFUSE, K };
	struct vd_merge m = { sizeof(m), EX_W, 9, EX_P1, VD_LIVE_REFUSE };
	struct vd_table_cfg table = {
		.size = sizeof(table), .format = VD_FORMAT_TCE, .page_shift = 16, .nentries = 16
	};
	struct vd_window_cfg cfg = { .size = sizeof(cfg), .id = 10, .owner = EX_P1, .len = 16 };

	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), 0);
	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(vd_window_merge(x->a, &m), -EINVAL); /* not neighbours */
	assert_int_equal(vd_table_create(x->a, &table, &cfg.table), 0);
	cfg.bus.v = EX_BUS + EX_LEN * PAGE;
	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	m = (struct vd_merge){ sizeof(struct vd_merge), 9, 10, EX_P1,
			       VD_LIVE_REFUSE }; /* neighbours on the bus only */
	assert_int_equal(vd_window_merge(x->a, &m), -EINVAL);
	m = (struct vd_merge){ sizeof(struct vd_merge), 9, 9, EX_P1, VD_LIVE_REFUSE };
	assert_int_equal(vd_window_merge(x->a, &m), -EINVAL);
	m = (struct vd_merge){ sizeof(struct vd_merge), 9, 99, EX_P1, VD_LIVE_REFUSE };
	assert_int_equal(vd_window_merge(x->a, &m), -ENOENT);
	/* The register of the higher window may stay as well. */
	m = (struct vd_merge){ sizeof(struct vd_merge), W2, EX_W, EX_P2, VD_LIVE_REFUSE };
	assert_int_equal(vd_window_merge(x->a, &m), 0);
	assert_int_equal(ex_info(x, W2).bus.v, EX_BUS);
	assert_int_equal(ex_info(x, W2).len, 2 * K);
	ex_check(x);
}

/* Valid entries in the part that changes hands. */
static void t2_6(void **state)
{
	struct ex *x = *state;
	struct vd_window_info w = ex_info(x, EX_W);
	unsigned char *hva;

	map_some(x);
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_TRANSFER), -EXDEV);
	nothing_changed(x, &w);
	assert_int_equal(ex_pinned(&x->p1), 16);
	assert_int_equal(ex_access(x->r1, ex_bus(K).v, VD_READ, &hva), 0);

	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REVOKE), 0);
	assert_int_equal(ex_pinned(&x->p1), 8);
	assert_int_equal(ex_access(x->r2, ex_bus(K).v, VD_READ, &hva), -ENOENT);
	assert_int_equal(ex_map(x, EX_P2, W2, K, 1), 0);
	assert_int_equal(merge(x, EX_P1, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(merge(x, EX_P1, VD_LIVE_REVOKE), 0);
	assert_int_equal(ex_pinned(&x->p2), 0);
	assert_int_equal(ex_pinned(&x->p1), 8);
	nothing_changed(x, &w);
}

/* Between two providers of one guest: the entries go with the part. */
static void t2_6_transfer(void **state)
{
	struct ex *x = *state;
	struct vd_owner_cfg cfg = {
		.size = sizeof(cfg), .id = 3, .provider = VD_NO_OWNER, .domain = x->p1.d
	};
	struct vd_reader *r;
	unsigned char *hva;

	assert_int_equal(vd_owner_add(x->a, &cfg), 0);
	assert_int_equal(vd_adapter_attach(x->a, 300, 3), 0);
	assert_int_equal(vd_reader_create(x->a, 300, &r), 0);
	map_some(x);
	assert_int_equal(split(x, K, 3, VD_LIVE_TRANSFER), 0);
	assert_int_equal(ex_pinned(&x->p1), 16);
	assert_int_equal(ex_access(r, ex_bus(K).v, VD_READ, &hva), 0);
	assert_ptr_equal(hva, x->p1.mem + 8 * PAGE);
	assert_int_equal(ex_access(x->r1, ex_bus(K).v, VD_READ, &hva), -ERANGE);
	vd_reader_destroy(r);
}

/* The drain meets a range that translates no more and is still pinned; if it
 * fails, all is as it was. */
static void t2_7(void **state)
{
	struct ex *x = *state;
	struct vd_window_info w = ex_info(x, EX_W);
	unsigned char *hva;

	map_some(x);
	x->drain_says = -1;
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REVOKE), -EIO);
	assert_int_equal(x->found_at_drain, -ERANGE);
	assert_int_equal(x->pinned_at_drain, 16);
	assert_int_equal(x->drained.owner, EX_P1);
	assert_int_equal(x->drained.bus.v, EX_BUS + K * PAGE);
	assert_int_equal(x->drained.last.v, EX_BUS + EX_LEN * PAGE - 1);
	nothing_changed(x, &w);
	assert_int_equal(ex_access(x->r1, ex_bus(K).v, VD_READ, &hva), 0);
	assert_int_equal(x->ntold, 0);

	x->drain_says = 0;
	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REVOKE), 0);
	assert_int_equal(x->pinned_at_drain, 16);
	assert_int_equal(ex_pinned(&x->p1), 8);
	x->drain_says = -1;
	assert_int_equal(merge(x, EX_P1, VD_LIVE_REVOKE), -EIO);
	assert_int_equal(ex_info(x, W2).owner, EX_P2);
	x->drain_says = 0;
	assert_int_equal(merge(x, EX_P1, VD_LIVE_REVOKE), 0);
	assert_int_equal(x->drained.owner, EX_P2);
}

/* A client fills its loan with its own pages; its provider's device reaches
 * them until the loan is taken back. */
static void t2_9(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), EX_W, W2, EX_C, RW, VD_LIVE_REFUSE, 16, 32 };
	unsigned char *hva;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 15, 1), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 48, 2), 0);
	assert_int_equal(vd_window_lend(x->a, &l), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 16, 1), -EPERM);
	assert_int_equal(ex_map(x, EX_C, W2, 16, 7), 0);
	assert_int_equal(ex_pinned(&x->c), 1);
	assert_int_equal(ex_access(x->r1, ex_bus(16).v, VD_WRITE, &hva), 0);
	assert_ptr_equal(hva, x->c.mem + 7 * PAGE);
	assert_int_equal(ex_access(x->r1, ex_bus(15).v, VD_WRITE, &hva), 0);
	assert_ptr_equal(hva, x->p1.mem + 1 * PAGE);
	assert_int_equal(ex_access(x->r1, ex_bus(48).v, VD_WRITE, &hva), 0);
	assert_int_equal(ex_access(x->r2, ex_bus(16).v, VD_WRITE, &hva), -ENXIO);

	assert_int_equal(vd_window_take_back(x->a, W2, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, W2, VD_LIVE_REVOKE), 0);
	assert_int_equal(ex_pinned(&x->c), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(16).v, VD_WRITE, &hva), -ENOENT);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 16, 3), 0);
	assert_int_equal(vd_window_take_back(x->a, W2, VD_LIVE_REVOKE), -ENOENT);
}

/* The split-off part itself may go to a client. */
static void t2_9_split_to_client(void **state)
{
	struct ex *x = *state;
	unsigned char *hva;

	assert_int_equal(split(x, K, EX_C, VD_LIVE_REFUSE), 0);
	assert_int_equal(ex_info(x, W2).via, EX_P1);
	assert_int_equal(ex_map(x, EX_C, W2, K, 7), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(K).v, VD_WRITE, &hva), 0);
	assert_ptr_equal(hva, x->c.mem + 7 * PAGE);
}

static void was_told(const struct ex *x, size_t i, uint32_t owner, uint32_t id, uint64_t len)
{
	assert_true(i < x->ntold);
	assert_int_equal(x->told[i].owner, owner);
	assert_int_equal(x->told[i].w.id, id);
	assert_int_equal(x->told[i].w.len, len);
}

/* Both sides are told, and can ask again. */
static void t2_10(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), EX_W, 9, EX_C, VD_READ, VD_LIVE_REFUSE, 0, 4 };
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(split(x, K, EX_P2, VD_LIVE_REFUSE), 0);
	was_told(x, 0, EX_P1, EX_W, K);
	was_told(x, 1, EX_P2, W2, EX_LEN - K);
	assert_int_equal(x->told[1].w.bus.v, EX_BUS + K * PAGE);
	w = ex_info(x, W2);
	assert_memory_equal(&x->told[1].w, &w, sizeof(w));

	assert_int_equal(merge(x, EX_P1, VD_LIVE_REFUSE), 0);
	was_told(x, 2, EX_P2, W2, 0);
	was_told(x, 3, EX_P1, EX_W, EX_LEN);
	assert_int_equal(vd_window_lend(x->a, &l), 0);
	was_told(x, 4, EX_P1, EX_W, EX_LEN);
	assert_int_equal(x->told[4].w.lent, 4);
	was_told(x, 5, EX_C, 9, 4);
	assert_int_equal(vd_window_take_back(x->a, 9, VD_LIVE_REFUSE), 0);
	was_told(x, 6, EX_P1, EX_W, EX_LEN);
	assert_int_equal(x->told[6].w.lent, 0);
	was_told(x, 7, EX_C, 9, 0);
	assert_int_equal(x->ntold, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(t2_1),		ex_test(t2_2),
		ex_test(t2_3),		cmocka_unit_test(t2_3_powers_of_two),
		ex_test(t2_4),		ex_test(t2_5),
		ex_test(t2_5_refusals), ex_test(t2_6),
		ex_test(t2_6_transfer), ex_test(t2_7),
		ex_test(t2_9),		ex_test(t2_9_split_to_client),
		ex_test(t2_10),
	};

	return run_all(tests);
}
