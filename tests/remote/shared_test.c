/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real adapter, shared: what its providers may do and what they may not, one
 * thing at a time. A write is looked up in the file behind the disk, a read in
 * memory: what the device reports is no evidence, it reports success for DMA
 * that went nowhere.
 */
#include "rig.h"

#include <signal.h>

/* Out and back: one page, two, a list. */
static void data_goes_round(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, 32), 0);
	audit(g);
	for (unsigned int n = 1; n <= SPAN; n++) {
		struct transfer t = { ONE, NVME_WRITE, n * 65536, 1, n, 0 };

		stamp(page_of(g, ONE, 1), n * PAGE, n);
		assert_int_equal(transfer(g, &t, &r), 0);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.faults, 0);
		assert_true(on_disk(g, t.offset, page_of(g, ONE, 1), n * PAGE));
		t.opcode = NVME_READ;
		t.page = 16;
		memset(page_of(g, ONE, 16), 0, (SPAN + 1) * PAGE);
		assert_int_equal(transfer(g, &t, &r), 0);
		assert_int_equal(r.status, 0);
		assert_memory_equal(page_of(g, ONE, 16), page_of(g, ONE, 1), n * PAGE);
		assert_int_equal(page_of(g, ONE, 16 + n)[0], 0);
	}
	assert_true(is_canary(page_of(g, ONE, 32), LEN - 32 * PAGE));
}

/*
 * Every way to aim outside: an empty entry, beyond the window, a neighbour's
 * valid entry. The device says that all is well; nothing has landed; the ring
 * says who, where and how. Then the control: the same with the entry granted.
 */
static void aimed_outside(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(map(g, TWO, PART, HALF, 8), 0);
	audit(g);
	forget_faults(g);

	assert_false(lands(g, ONE, ONE, 20, &r)); /* empty */
	assert_int_equal(r.status, 0);
	assert_int_equal(r.faults, 1);
	expect_fault(g, ONE, 20, VD_WRITE, VD_FAULT_UNMAPPED);
	assert_false(lands(g, ONE, TWO, HALF, &r)); /* the neighbour's, valid */
	assert_false(lands(g, ONE, ONE, HALF, &r));
	assert_int_equal(r.status, 0);
	expect_fault(g, ONE, HALF, VD_WRITE, VD_FAULT_EXTENT);
	expect_fault(g, ONE, HALF, VD_WRITE, VD_FAULT_EXTENT);
	assert_false(lands(g, TWO, ONE, 0, &r));
	expect_fault(g, TWO, 0, VD_WRITE, VD_FAULT_NO_WINDOW);
	assert_false(lands(g, TWO, TWO, NPAGES - 1, &r));
	expect_fault(g, TWO, NPAGES - 1, VD_WRITE, VD_FAULT_UNMAPPED);

	/* The control: what is granted lands, with no fault. */
	assert_true(lands(g, TWO, TWO, HALF, &r));
	assert_int_equal(r.faults, 0);
	assert_int_equal(map(g, ONE, WINDOW, 20, 1), 0);
	assert_true(lands(g, ONE, ONE, 20, &r));
	assert_int_equal(r.faults, 0);
	assert_int_equal(unmap(g, ONE, WINDOW, 20, 1), 0);
	assert_false(lands(g, ONE, ONE, 20, &r));
	audit(g);
}

/* T2.2, T2.6: what moves is gone for its old owner when the split returns. */
static void t2_2_a_split_is_at_once(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, NPAGES), 0);
	assert_true(lands(g, ONE, ONE, HALF, &r));
	assert_int_equal(vd_window_split(g->a, &split), -EBUSY);
	assert_true(lands(g, ONE, ONE, HALF, &r));
	split.live = VD_LIVE_REVOKE;
	assert_int_equal(vd_window_split(g->a, &split), 0);
	forget_faults(g);
	assert_false(lands(g, ONE, ONE, HALF, &r));
	expect_fault(g, ONE, HALF, VD_WRITE, VD_FAULT_EXTENT);
	assert_true(lands(g, ONE, ONE, HALF - 1, &r));
	assert_false(lands(g, TWO, ONE, HALF, &r)); /* not with the window */
	assert_false(lands(g, TWO, TWO, HALF, &r));
	audit(g);
}

/* Out of memory that is not granted nothing comes: the disk has no secret. */
static void nothing_leaks(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct transfer t = { ONE, NVME_WRITE, 1 << 20, HALF + 1, 1, 0 };
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(map(g, TWO, PART, HALF, 8), 0);
	stamp(page_of(g, TWO, HALF + 1), PAGE, 77);
	memset(page_of(g, ONE, HALF + 1), 0x55, PAGE);
	put_on_disk(g, t.offset, 78, PAGE);
	forget_faults(g);
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_int_equal(r.faults, 1);
	expect_fault(g, ONE, HALF + 1, VD_READ, VD_FAULT_EXTENT);
	assert_false(on_disk(g, t.offset, page_of(g, TWO, HALF + 1), PAGE));
	assert_false(on_disk(g, t.offset, page_of(g, ONE, HALF + 1), PAGE));
	t.provider = TWO; /* the control */
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_true(on_disk(g, t.offset, page_of(g, TWO, HALF + 1), PAGE));
}

/* An entry for one direction is none for the other. */
static void directions(void **state)
{
	struct rig *g = rig(state);
	struct vd_window_range only = range(ONE, WINDOW, 4, 1, VD_READ);
	struct transfer t = { ONE, NVME_WRITE, 8192, 4, 1, 0 };
	struct shared_result r;

	assert_int_equal(shared_map(g->s, &only), 0);
	forget_faults(g);
	assert_false(lands(g, ONE, ONE, 4, &r));
	assert_int_equal(r.status, 0);
	expect_fault(g, ONE, 4, VD_WRITE, VD_FAULT_DIRECTION);
	stamp(page_of(g, ONE, 4), PAGE, 5);
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_int_equal(r.faults, 0);
	assert_true(on_disk(g, t.offset, page_of(g, ONE, 4), PAGE));
	audit(g);
}

/*
 * The device gets a copy of the list of pages that was checked: while it writes
 * memory it cannot even reach a list that is for reading only.
 */
static void lists_are_copied(void **state)
{
	struct rig *g = rig(state);
	struct vd_window_range list = range(ONE, WINDOW, 0, 1, VD_READ);
	struct transfer t = { ONE, NVME_READ, 65536, 1, 4, 0 };
	struct shared_result r;

	assert_int_equal(shared_map(g->s, &list), 0);
	assert_int_equal(map(g, ONE, WINDOW, 1, 8), 0);
	put_on_disk(g, t.offset, 9, 4 * PAGE);
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.faults, 0);
	assert_true(on_disk(g, t.offset, page_of(g, ONE, 1), 4 * PAGE));
}

/* Permit and deny, while the entries stay. */
static void permit_and_deny(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	assert_true(lands(g, ONE, ONE, 3, &r));
	assert_int_equal(vd_adapter_deny(g->a, ONE), 0);
	forget_faults(g);
	assert_int_equal(transfer(g, &(struct transfer){ ONE, NVME_READ, 0, 3, 1, 0 }, &r), 0);
	assert_int_equal(r.faults, 1);
	expect_fault(g, ONE, 3, VD_WRITE, VD_FAULT_DENIED);
	assert_false(lands(g, ONE, ONE, 3, &r));
	audit(g);
	assert_int_equal(vd_adapter_permit(g->a, ONE), 0);
	assert_true(lands(g, ONE, ONE, 3, &r));
	assert_int_equal(r.faults, 0);
}

struct bad_row {
	uint64_t prp1, prp2;
	uint32_t blocks;
	uint8_t opcode, flags;
	int err;
};

static const struct bad_row bad_rows[] = {
	{ BUS + 1, 0, 8, NVME_READ, 0, -EINVAL },
	{ BUS, 1, 8, NVME_READ, 0, -EINVAL },
	{ BUS, 0, 8, NVME_READ, 0x40, -EINVAL }, /* a scatter list */
	{ BUS, 0, 8, 9, 0, -EINVAL },
	{ BUS, 0, 65536, NVME_READ, 0, -EINVAL },
	{ BUS, BUS + 100 * PAGE, 64, NVME_READ, 0, -EFAULT }, /* list unmapped */
	{ BUS, BUS + PAGE, 24, NVME_READ, 0, -EINVAL },	      /* names half a page */
};

static void hostile_commands(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;
	uint64_t list[2] = { BUS + 2 * PAGE, BUS + 3 * PAGE + 8 };

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	memcpy(page_of(g, ONE, 1), list, sizeof(list));
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		const struct bad_row *b = &bad_rows[i];
		struct nvme_sqe e = { .opcode = b->opcode,
				      .flags = b->flags,
				      .prp1 = b->prp1,
				      .prp2 = b->prp2,
				      .cdw12 = b->blocks - 1 };
		struct shared_io io = { .provider = ONE, .e = &e, .n = 1 };

		assert_int_equal(shared_do(g->s, &io, &r), b->err);
		io.provider = CLIENT; /* has no queue of its own */
		assert_int_equal(shared_do(g->s, &io, &r), -ENOENT);
	}
	assert_true(lands(g, ONE, ONE, 3, &r));
}

/* Of a burst that cannot be, nothing is begun. */
static void hostile_bursts(void **state)
{
	struct rig *g = rig(state);
	struct transfer t[NVME_BURST] = { { ONE, NVME_READ, 0, 1, 1, 0 }, { ONE, 9, 0, 2, 1, 0 } };
	struct shared_result r[NVME_BURST];
	struct nvme_sqe e = { .opcode = NVME_FLUSH };
	struct shared_io io = { .provider = ONE, .e = &e };

	assert_int_equal(map(g, ONE, WINDOW, 0, 16), 0);
	put_on_disk(g, 0, 3, PAGE);
	assert_int_equal(transfer_all(g, t, 2, r), -EINVAL); /* no such command */
	assert_true(is_canary(page_of(g, ONE, 1), PAGE));
	t[1] = (struct transfer){ ONE, NVME_READ, 0, 2, SPAN, 200 };
	assert_int_equal(transfer_all(g, t, 2, r), -EFAULT); /* the second's list */
	assert_true(is_canary(page_of(g, ONE, 1), PAGE));
	assert_int_equal(shared_do(g->s, &io, r), -EINVAL);
	io.n = NVME_BURST + 1;
	assert_int_equal(shared_do(g->s, &io, r), -EINVAL);
	io.n = 1;
	assert_int_equal(shared_do(g->s, &io, r), 0); /* a flush moves nothing */
	for (unsigned int i = 0; i < NVME_BURST; i++)
		t[i] = (struct transfer){ ONE, NVME_READ, 0, 1 + i, 1, 0 };
	assert_int_equal(transfer_all(g, t, NVME_BURST, r), 0);
	for (unsigned int i = 0; i < NVME_BURST; i++)
		assert_true(on_disk(g, 0, page_of(g, ONE, 1 + i), PAGE));
	t[3].page = 100; /* one of them aims outside: the others land */
	memset(page_of(g, ONE, 1), CANARY, NVME_BURST * PAGE);
	assert_int_equal(transfer_all(g, t, NVME_BURST, r), 0);
	for (unsigned int i = 0; i < NVME_BURST; i++) {
		assert_int_equal(r[i].faults, i == 3);
		assert_int_equal(on_disk(g, 0, page_of(g, ONE, t[i].page), PAGE), i != 3);
	}
	assert_true(is_canary(page_of(g, ONE, 100), PAGE));
}

/* The two directions in one burst; the entries of one are for it alone. */
static void both_directions(void **state)
{
	struct vd_window_range from = range(ONE, WINDOW, 2, 1, VD_READ);
	struct vd_window_range to = range(ONE, WINDOW, 3, 1, VD_WRITE);
	const struct transfer t[] = { { ONE, NVME_WRITE, 65536, 2, 1, 0 },
				      { ONE, NVME_READ, 131072, 3, 1, 0 },
				      { ONE, NVME_READ, 131072, 2, 1, 0 },
				      { ONE, NVME_WRITE, 196608, 3, 1, 0 } };
	struct rig *g = rig(state);
	struct shared_result r[4];
	unsigned char was[PAGE];

	assert_int_equal(shared_map(g->s, &from), 0);
	assert_int_equal(shared_map(g->s, &to), 0);
	put_on_disk(g, 131072, 9, PAGE);
	stamp(page_of(g, ONE, 2), PAGE, 10);
	memcpy(was, page_of(g, ONE, 2), PAGE);
	audit(g);
	assert_int_equal(transfer_all(g, t, 4, r), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(r[i].faults, i >= 2);
	assert_true(on_disk(g, 65536, was, PAGE));
	assert_memory_equal(page_of(g, ONE, 2), was, PAGE);
	assert_true(on_disk(g, 131072, page_of(g, ONE, 3), PAGE));
	assert_false(on_disk(g, 196608, page_of(g, ONE, 3), PAGE));
}

/*
 * Wherever a provider aims: control memory and the neighbour's slice of the
 * device's bus are at addresses that it cannot say. By itself and by a list.
 */
static void other_slices(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct rig *g = rig(state);
	struct nvme_sqe e[2] = {
		{ .opcode = NVME_READ, .cdw12 = 7 },
		{ .opcode = NVME_READ, .cdw12 = 23, .prp1 = BUS + 2 * PAGE, .prp2 = BUS + PAGE }
	};
	struct shared_io io = { .provider = ONE, .e = e, .n = 2 };
	struct shared_result r[2];

	assert_int_equal(map(g, ONE, WINDOW, 1, 4), 0);
	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(map(g, TWO, PART, HALF, HALF), 0);
	put_on_disk(g, 0, 5, SPAN * PAGE);
	for (uint64_t i = 0; i < 12; i++) {
		uint64_t slice = i < 10 ? i << 40 : UINT64_MAX << (i * 4);
		uint64_t at[] = { slice + NVME_BUS, slice + BUS + HALF * PAGE };

		for (size_t k = 0; k < 2; k++) {
			memcpy(page_of(g, ONE, 1), at, sizeof(at));
			e[0].prp1 = at[k];
			forget_faults(g);
			assert_int_equal(shared_do(g->s, &io, r), 0);
			assert_int_equal(r[0].faults, 1);
			assert_int_equal(r[1].faults, 2);
		}
	}
	assert_true(is_canary(page_of(g, TWO, 0), LEN));
	assert_true(is_canary(page_of(g, ONE, 5), LEN - 5 * PAGE));
	assert_true(lands(g, ONE, ONE, 3, r)); /* the controls */
	assert_true(lands(g, TWO, TWO, HALF, r));
}

/*
 * A provider whose memory is in more runs than it has regions has none of them,
 * and the other has all of its own.
 */
static void too_many_runs(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct rig *g = rig(state);
	struct shared_result r;
	struct transfer t = { ONE, NVME_READ, 0, 2, 1, 0 };

	assert_int_equal(vd_window_split(g->a, &split), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(map(g, ONE, WINDOW, 2 * i, 1), 0);
		assert_int_equal(map(g, TWO, PART, HALF + 2 * i, 1), 0);
	}
	assert_true(lands(g, ONE, ONE, 4, &r));
	assert_true(lands(g, TWO, TWO, HALF + 4, &r));
	assert_int_equal(map(g, ONE, WINDOW, 6, 1), 0);
	assert_int_equal(transfer(g, &t, &r), -ENOSPC);
	assert_true(lands(g, TWO, TWO, HALF + 4, &r));
	assert_int_equal(unmap(g, ONE, WINDOW, 0, 1), 0);
	assert_true(lands(g, ONE, ONE, 6, &r));
	audit(g);
}

/* Both sides are told what they have, and can ask again. */
static void t2_10_told(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct vd_window_info w = { .size = sizeof(w) };
	struct rig *g = rig(state);
	bool one = false, two = false;

	g->ntold = 0;
	assert_int_equal(vd_window_split(g->a, &split), 0);
	for (unsigned int i = 0; i < g->ntold; i++) {
		const struct told *t = &g->told[i];

		one |= t->owner == ONE && t->w.id == WINDOW && t->w.bus.v == BUS &&
		       t->w.len == HALF;
		two |= t->owner == TWO && t->w.id == PART && t->w.bus.v == BUS + HALF * PAGE &&
		       t->w.len == HALF;
	}
	assert_true(one && two);
	assert_int_equal(vd_window_query(g->a, PART, &w), 0);
	assert_int_equal(w.owner, TWO);
	assert_int_equal(w.bus.v, BUS + HALF * PAGE);
}

/* The device dies: an error each time, no hang, nothing else touched. */
static void the_device_dies(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;
	struct transfer t = { ONE, NVME_READ, 0, 3, 1, 0 };

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	assert_true(lands(g, ONE, ONE, 3, &r));
	kill(g->qemu, SIGKILL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(transfer(g, &t, &r), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rigged(data_goes_round), rigged(aimed_outside),	   rigged(t2_2_a_split_is_at_once),
		rigged(nothing_leaks),	 rigged(directions),	   rigged(lists_are_copied),
		rigged(permit_and_deny), rigged(hostile_commands), rigged(hostile_bursts),
		rigged(both_directions), rigged(other_slices),	   rigged(too_many_runs),
		rigged(t2_10_told),	 rigged(the_device_dies),
	};

	return run_all(tests);
}
