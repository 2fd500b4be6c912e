/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that stores into its words while a call of ours uses the pages: each
 * lie, at each moment of each call. Whatever it does to itself, the host's books
 * are right after it.
 */
#include "test.h"
#include "guest.h"
#include <adversary.h>
#include <viaduct/viaduct.h>

#define PAGE   VD_PAGE_SIZE
#define PAGES  320u
#define BUDGET 300u
#define DEV    8u
#define OTHER  9u

static const uint64_t lies[] = {
	0,
	UINT64_MAX,
	VD_HAL_WORD_COUNT,
	VD_HAL_WORD_MOST,
	VD_HAL_WORD_PINNED,
	VD_HAL_WORD_PINNED | VD_HAL_WORD_USED,
	VD_HAL_WORD_PINNED | 1,
	1,
};

struct world {
	unsigned char *mem;
	struct vd_host *fake;
	struct adversary adv;
	struct vd_domain *d;
	uint64_t word[PAGES];
	uint64_t lie;
	unsigned int step, when; /* 0: never */
	unsigned int set;	 /* what @when will be */
	int quiesce_says;
	void (*at_quiesce)(struct world *w);
};

static void store(struct world *w)
{
	for (size_t i = 0; i < PAGES; i++)
		w->word[i] = w->lie;
}

static void at(void *opaque, enum adversary_step step)
{
	struct world *w = opaque;

	(void)step;
	if (++w->step == w->when)
		store(w);
}

static int quiesce(void *opaque)
{
	struct world *w = opaque;

	if (w->at_quiesce)
		w->at_quiesce(w);
	return w->quiesce_says;
}

static void make(struct world *w, bool share)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12,
					   .budget = BUDGET * PAGE };

	memset(w, 0, sizeof(*w));
	w->mem = aligned_alloc(PAGE, PAGES * PAGE);
	assert_non_null(w->mem);
	assert_int_equal(vd_host_fake_create(w->mem, PAGES, &w->fake), 0);
	adversary_make(&w->adv, w->fake, at, w);
	assert_int_equal(vd_domain_create(&w->adv.host, &cfg, &w->d), 0);
	assert_int_equal(vd_domain_add_memory(w->d, (vd_gpa){ 0 }, w->mem, PAGES * PAGE), 0);
	assert_int_equal(vd_domain_share_pins(w->d, w->word, PAGES), 0);
	for (uint32_t id = DEV; id <= OTHER; id++) {
		const struct vd_device_cfg dev = { sizeof(dev), id, id, &ops, w };

		assert_int_equal(vd_device_attach(w->d, &dev), 0);
	}
	if (share)
		assert_int_equal(vd_domain_share_budget(w->d, &adversary_share, &w->adv), 0);
}

static void unmake(struct world *w)
{
	vd_domain_destroy(w->d);
	assert_int_equal(vd_fake_pinned(w->fake), 0);
	assert_int_equal(w->adv.lent, 0);
	vd_host_destroy(w->fake);
	free(w->mem);
}

static struct vd_seg seg_of(uint64_t page, uint64_t n)
{
	return (struct vd_seg){ .gpa = { page * PAGE }, .len = n * PAGE, .prot = VD_WRITE };
}

static int pin(struct world *w, uint64_t page, uint64_t n)
{
	struct vd_seg seg = seg_of(page, n);

	return vd_device_pin(w->d, DEV, &seg, 1, UINT64_MAX);
}

/* Pages page .. page + n - 1 are cached; nobody holds them. */
static void cache(struct world *w, uint64_t page, uint64_t n)
{
	assert_int_equal(pin(w, page, n), 0);
	for (uint64_t i = page; i < page + n; i++)
		assert_true(hal_word_unmap(&w->word[i], VD_FAKE_BASE + i * PAGE));
}

/* The host's books, whatever the words say. */
static void check(struct world *w)
{
	struct vd_domain_stats s = { .size = sizeof(s) };

	vd_domain_stats(w->d, &s);
	assert_int_equal(s.pinned, vd_fake_pinned(w->fake) * PAGE);
	assert_true(s.pinned <= s.budget);
	assert_true(s.cached + s.mapped >= s.pinned);
	for (size_t i = 0; i < PAGES; i++)
		assert_true(vd_fake_pins(w->fake, i) <= 1 + s.nmappings);
}

/* What comes now is the call in question. */
static void begin(struct world *w)
{
	w->step = 0;
	w->when = w->set;
}

/* --- calls under which the guest stores ------------------------------------ */

/* Cached and fresh pages, some twice; the share lends no more, so the request's
 * own cached pages look as if they could make room. */
static int makes_room_in_the_share(struct world *w)
{
	struct vd_seg seg[4] = { seg_of(0, 3), seg_of(100, 2), seg_of(1, 1), seg_of(101, 2) };

	w->adv.lends = 8 * PAGE;
	cache(w, 0, 3);
	cache(w, 40, 4);
	begin(w);
	return vd_device_pin(w->d, DEV, seg, 4, UINT64_MAX);
}

static int makes_room_in_the_budget(struct world *w)
{
	struct vd_seg seg[2] = { seg_of(0, 2), seg_of(300, 8) };

	cache(w, 0, 200);
	cache(w, 200, 100);
	begin(w);
	return vd_device_pin(w->d, DEV, seg, 2, UINT64_MAX);
}

/* The first batch is refused: nobody's pages go, and it is tried again. */
static int makes_room_in_the_host(struct world *w)
{
	struct vd_seg seg[3] = { seg_of(0, 1), seg_of(10, 3), seg_of(1, 1) };

	cache(w, 0, 2);
	cache(w, 50, 10);
	begin(w);
	vd_fake_fail(w->fake, 1, -ENOSPC);
	return vd_device_pin(w->d, DEV, seg, 3, UINT64_MAX);
}

/* Two batches, of which the second is refused for good. */
static int fails_half_way(struct world *w)
{
	struct vd_seg seg = seg_of(0, 290);

	cache(w, 3, 3);
	begin(w);
	vd_fake_fail(w->fake, 2, -EFAULT);
	return vd_device_pin(w->d, DEV, &seg, 1, UINT64_MAX);
}

static int brings_its_neighbours(struct world *w)
{
	struct vd_seg seg[2] = { seg_of(1, 1), seg_of(17, 1) };

	assert_int_equal(vd_domain_set_around(w->d, 3), 0);
	cache(w, 2, 2);
	begin(w);
	return vd_device_pin(w->d, DEV, seg, 2, UINT64_MAX);
}

static int neighbours_find_no_room(struct world *w)
{
	assert_int_equal(vd_domain_set_around(w->d, 3), 0);
	w->adv.lends = 6 * PAGE;
	cache(w, 0, 2);
	begin(w);
	vd_fake_fail(w->fake, 2, -ENOMEM);
	return pin(w, 17, 2);
}

static int is_no_run(struct world *w)
{
	vd_fake_place(w->fake, 6, (vd_hpa){ 0x7000 });
	cache(w, 5, 1);
	begin(w);
	return pin(w, 4, 5);
}

static int strict_map_makes_room(struct world *w)
{
	struct vd_seg seg[2] = { seg_of(0, 3), seg_of(310, 5) };

	cache(w, 0, 200);
	cache(w, 200, 100);
	begin(w);
	vd_fake_fail(w->fake, 1, -ENOMEM);
	return vd_device_map(w->d, DEV, seg, 2, UINT64_MAX);
}

static int lets_go(struct world *w)
{
	cache(w, 0, 290);
	begin(w);
	vd_domain_age(w->d, 1);
	vd_domain_age(w->d, 2);
	vd_domain_reclaim(w->d, UINT64_MAX);
	vd_domain_set_budget(w->d, BUDGET * PAGE);
	return 0;
}

static int drops(struct world *w)
{
	cache(w, 0, 290);
	begin(w);
	return vd_domain_drop_pins(w->d);
}

struct call {
	const char *what;
	int (*run)(struct world *w);
	bool share;
	int err; /* what may be right beside success and the lie's own */
};

static const struct call calls[] = {
	{ "room in the share", makes_room_in_the_share, true, -EDQUOT },
	{ "room in the budget", makes_room_in_the_budget, false, -EDQUOT },
	{ "room in the host", makes_room_in_the_host, false, -ENOSPC },
	{ "fails half-way", fails_half_way, false, -EFAULT },
	{ "neighbours", brings_its_neighbours, false, 0 },
	{ "neighbours without room", neighbours_find_no_room, true, -EDQUOT },
	{ "no run", is_no_run, false, -EXDEV },
	{ "strict", strict_map_makes_room, false, -ENOMEM },
	{ "lets go", lets_go, false, 0 },
	{ "drops", drops, false, 0 },
};

/* Held by the lie, or as full as it says. */
static bool is_right(const struct call *c, int err)
{
	return err == 0 || err == -EDQUOT || err == -EBUSY || err == c->err;
}

/* One lie at one moment; false: there is no such moment. */
static bool try_at(const struct call *c, uint64_t lie, unsigned int when)
{
	struct world w;
	bool reached;
	int err;

	make(&w, c->share);
	w.adv.lends = BUDGET * PAGE;
	w.lie = lie;
	w.set = when;
	err = c->run(&w);
	reached = w.step >= when;
	w.when = 0;
	if (!is_right(c, err))
		print_error("%s: %d\n", c->what, err);
	assert_true(is_right(c, err));
	check(&w);
	/* The table works as before once the guest is its better self. */
	assert_int_equal(vd_domain_drop_pins(w.d), 0);
	check(&w);
	vd_fake_fail(w.fake, 0, 0);
	assert_int_equal(pin(&w, 0, 1), 0);
	assert_int_equal(w.word[0] & VD_HAL_WORD_COUNT, 1);
	check(&w);
	unmake(&w);
	return reached;
}

static void each_lie_at_each_moment(void **state)
{
	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(calls); c++) {
		for (size_t l = 0; l < ARRAY_LEN(lies); l++) {
			for (unsigned int when = 1; try_at(&calls[c], lies[l], when); when++)
				assert_true(when < 5000);
		}
	}
}

/* A request is answered from records, so the words cannot lead it astray. */
static void the_answer_is_the_hosts(void **state)
{
	struct vd_seg seg[2] = { seg_of(0, 1), seg_of(256, 1) };
	struct world w;

	(void)state;
	make(&w, true);
	w.adv.lends = PAGE;
	cache(&w, 0, 1);
	w.lie = 0;
	w.step = 0;
	w.when = 1;
	assert_int_equal(vd_device_pin(w.d, DEV, seg, 2, UINT64_MAX), -EDQUOT);
	assert_int_equal(vd_fake_pins(w.fake, 0), 1);
	assert_int_equal(w.word[0] & VD_HAL_WORD_COUNT, 0);
	w.adv.lends = 2 * PAGE;
	w.step = 0;
	assert_int_equal(vd_device_pin(w.d, DEV, seg, 2, UINT64_MAX), 0);
	assert_int_equal(seg[0].iova.v, VD_FAKE_BASE);
	assert_int_equal(seg[1].iova.v, VD_FAKE_BASE + 256 * PAGE);
	check(&w);
	unmake(&w);
}

/* Who wants neighbours and gets none asks the share no more: it may be slow. */
static void the_share_is_asked_once(void **state)
{
	struct vd_seg seg[16];
	struct world w;

	(void)state;
	make(&w, true);
	assert_int_equal(vd_domain_set_around(w.d, 3), 0);
	for (uint64_t i = 0; i < 16; i++)
		seg[i] = seg_of(i * 8, 1);
	w.adv.lends = 16 * PAGE;
	assert_int_equal(vd_device_pin(w.d, DEV, seg, 16, UINT64_MAX), 0);
	/* Before and after one pin, and the share twice: for the request, and then. */
	assert_int_equal(w.step, 4);
	check(&w);
	unmake(&w);
}

/* --- while a device comes to rest, the domain is not locked ----------------- */

static void ask_for_the_other(struct world *w)
{
	struct vd_seg seg[2] = { seg_of(0, 4), seg_of(270, 3) };

	store(w);
	assert_int_equal(vd_device_pin(w->d, DEV, seg, 2, UINT64_MAX), -EBUSY);
	(void)vd_device_pin(w->d, OTHER, seg, 2, UINT64_MAX);
	store(w);
	vd_domain_age(w->d, 1);
	vd_domain_reclaim(w->d, UINT64_MAX);
	vd_domain_set_budget(w->d, 2 * PAGE); /* takes nothing now */
	vd_domain_set_budget(w->d, BUDGET * PAGE);
	(void)vd_domain_drop_pins(w->d);
	store(w);
	check(w);
}

static void each_lie_while_a_device_stops(void **state)
{
	(void)state;
	for (size_t l = 0; l < 2 * ARRAY_LEN(lies); l++) {
		struct world w;

		make(&w, false);
		cache(&w, 0, 8);
		w.lie = lies[l / 2];
		w.at_quiesce = ask_for_the_other;
		w.quiesce_says = l % 2 ? -1 : 0;
		assert_int_equal(vd_device_revoke(w.d, DEV), l % 2 ? -EIO : 0);
		check(&w);
		w.at_quiesce = NULL;
		w.quiesce_says = 0;
		assert_int_equal(vd_device_deny(w.d, DEV), 0);
		assert_int_equal(vd_device_deny(w.d, OTHER), 0);
		assert_int_equal(vd_fake_pinned(w.fake), 0);
		unmake(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_lie_at_each_moment),
		cmocka_unit_test(the_answer_is_the_hosts),
		cmocka_unit_test(the_share_is_asked_once),
		cmocka_unit_test(each_lie_while_a_device_stops),
	};

	return run_all(tests);
}
