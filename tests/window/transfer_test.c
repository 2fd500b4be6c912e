/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Valid entries that change hands: each way to do it, between owners that see
 * their memory differently. Either the new owner's devices reach the same bytes,
 * or it is refused and nothing has changed.
 */
#include "test.h"
#include <viaduct/viaduct.h>

#define PAGE	VD_PAGE_SIZE
#define STRETCH ((uint64_t)2 << 20)
#define NEAR	((uint64_t)1 << 32)
#define LATE	((uint64_t)2 << 32)
#define FAR	((uint64_t)1 << 56)
#define FURTHER ((uint64_t)2 << 56)
#define RW	(VD_READ | VD_WRITE)
#define A	1u
#define B	2u
#define LEN	64u /* entries; the second half changes hands */
#define W	10u
#define W2	11u

/* Two domains, one of which gets memory late; on one host. */
struct world {
	unsigned char *mem; /* of x: NEAR, LATE; of y: NEAR, LATE */
	struct vd_host *host;
	struct vd_domain *x, *y;
	struct vd_adapter *a;
	struct vd_table *t;
	uint64_t entry[LEN];
	unsigned char *hva[LEN];
	size_t n; /* entries that A has put, from LEN / 2 on */
};

static int hold(void *opaque, const struct vd_span *span, size_t n)
{
	(void)span;
	*(int64_t *)opaque += (int64_t)n;
	return 0;
}

static void release(void *opaque, const struct vd_span *span, size_t n)
{
	(void)span;
	*(int64_t *)opaque -= (int64_t)n;
}

static int64_t nheld;
static const struct vd_owner_ops owner_ops = { sizeof(owner_ops), hold, release };

static void make_domain(struct world *w, unsigned int shift, struct vd_domain **d, unsigned int at)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = shift };

	assert_int_equal(vd_domain_create(w->host, &cfg, d), 0);
	assert_int_equal(vd_domain_add_memory(*d, (vd_gpa){ NEAR }, w->mem + at * STRETCH, STRETCH),
			 0);
}

static void grow(struct world *w, struct vd_domain *d)
{
	unsigned int at = d == w->x ? 1 : 3;

	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ LATE }, w->mem + at * STRETCH, STRETCH),
			 0);
}

static void add_owner(struct world *w, uint32_t id, struct vd_domain *d)
{
	const struct vd_owner_cfg cfg = {
		.size = sizeof(cfg), .id = id, .provider = VD_NO_OWNER, .domain = d
	};

	assert_int_equal(vd_owner_add(w->a, &cfg), 0);
}

/* Without a domain: @n of two spans. */
static void add_plain(struct world *w, uint32_t id, size_t n, bool held)
{
	const struct vd_span span[2] = { { { NEAR }, w->mem, STRETCH },
					 { { LATE }, w->mem + STRETCH, STRETCH } };
	const struct vd_owner_cfg cfg = { .size = sizeof(cfg),
					  .id = id,
					  .provider = VD_NO_OWNER,
					  .memory = span,
					  .nmemory = n,
					  .ops = held ? &owner_ops : NULL,
					  .opaque = &nheld };

	assert_int_equal(vd_owner_add(w->a, &cfg), 0);
}

static void reach(struct world *w, uint32_t id, struct vd_domain *d, uint64_t base)
{
	assert_int_equal(vd_owner_reach(w->a, id, d, base), 0);
}

/* A's next entry, in whichever window it has there. */
static void put(struct world *w, uint64_t gpa, unsigned char *hva)
{
	vd_entry e = { gpa | RW };
	uint64_t i = LEN / 2 + w->n;
	struct vd_put p = { .size = sizeof(p),
			    .owner = A,
			    .window = W2,
			    .bus = { i * PAGE },
			    .n = 1,
			    .entry = &e };

	if (vd_window_put(w->a, &p) == -ENOENT) {
		p.window = W;
		assert_int_equal(vd_window_put(w->a, &p), 0);
	}
	w->entry[i] = e.v;
	w->hva[i] = hva;
	w->n++;
}

/* The last page of each stretch that A has of its own. */
static void put_near(struct world *w)
{
	put(w, NEAR + STRETCH - PAGE, w->mem + STRETCH - PAGE);
}

static void put_late(struct world *w)
{
	put(w, LATE + STRETCH - PAGE, w->mem + 2 * STRETCH - PAGE);
}

static void put_far(struct world *w)
{
	put(w, FAR + NEAR + PAGE, w->mem + 2 * STRETCH + PAGE);
}

/* --- how owners see their memory ------------------------------------------- */

static void owners_alike(struct world *w)
{
	add_owner(w, A, w->x);
	add_owner(w, B, w->x);
}

static void owners_with_late_memory(struct world *w)
{
	grow(w, w->x);
	owners_alike(w);
}

static void grown(struct world *w)
{
	grow(w, w->x);
	put_near(w);
	put_late(w);
}

/* B has looked, A has not. */
static void new_owner_knows_more(struct world *w)
{
	vd_entry e = { LATE | RW };
	struct vd_put p = { .size = sizeof(p), .owner = B, .window = 99, .n = 1, .entry = &e };
	const struct vd_window_cfg cfg = { .size = sizeof(cfg),
					   .id = 99,
					   .owner = B,
					   .bus = { (uint64_t)1 << 40 },
					   .table = w->t,
					   .first = LEN,
					   .len = 1 };

	p.bus = cfg.bus;
	grow(w, w->x);
	assert_int_equal(vd_window_create(w->a, &cfg), 0);
	assert_int_equal(vd_window_put(w->a, &p), 0);
	assert_int_equal(vd_window_destroy(w->a, 99, VD_LIVE_REVOKE), 0);
	put_near(w);
}

static void old_owner_reaches(struct world *w)
{
	reach(w, A, w->y, FAR);
	put_near(w);
	put_far(w);
}

static void both_reach(struct world *w)
{
	reach(w, B, w->y, FAR);
	old_owner_reaches(w);
}

/* In another order, and with something between: it is the memory that counts. */
static void both_reach_in_turns(struct world *w)
{
	reach(w, B, w->y, FURTHER);
	reach(w, A, w->y, FAR);
	grow(w, w->x);
	put_late(w);
	put_far(w);
	reach(w, A, w->y, FURTHER);
	reach(w, B, w->y, FAR);
}

static void reached_grows(struct world *w)
{
	both_reach(w);
	grow(w, w->y);
	reach(w, A, w->y, FAR);
	put(w, FAR + LATE, w->mem + 3 * STRETCH);
}

static void reached_grows_for_both(struct world *w)
{
	reached_grows(w);
	reach(w, B, w->y, FAR);
}

static void reach_elsewhere(struct world *w)
{
	reach(w, B, w->y, FURTHER);
	old_owner_reaches(w);
}

static void owners_strangers(struct world *w)
{
	add_owner(w, A, w->x);
	add_owner(w, B, w->y);
}

/* What they reach is the same, but not what they are. */
static void strangers_that_reach(struct world *w)
{
	reach(w, A, w->y, FAR);
	reach(w, B, w->y, FAR);
	put_far(w);
}

static void owners_plain(struct world *w)
{
	add_plain(w, A, 2, true);
	add_plain(w, B, 2, true);
}

static void owners_plain_but_more(struct world *w)
{
	add_plain(w, A, 1, true);
	add_plain(w, B, 2, true);
}

static void owners_plain_but_held(struct world *w)
{
	add_plain(w, A, 2, true);
	add_plain(w, B, 2, false);
}

static void owners_domain_and_plain(struct world *w)
{
	add_owner(w, A, w->x);
	add_plain(w, B, 2, true);
}

static void in_both(struct world *w)
{
	put_near(w);
	put_late(w);
}

struct case_ {
	const char *what;
	void (*owners)(struct world *w);
	void (*then)(struct world *w);
	int err;
};

static const struct case_ cases[] = {
	{ "alike", owners_alike, put_near, 0 },
	{ "the domain got more, one has looked", owners_alike, grown, 0 },
	{ "the other has looked", owners_alike, new_owner_knows_more, 0 },
	{ "both had it from the start", owners_with_late_memory, in_both, 0 },
	{ "only the old one reaches", owners_alike, old_owner_reaches, -EXDEV },
	{ "both reach", owners_alike, both_reach, 0 },
	{ "both reach, by turns", owners_alike, both_reach_in_turns, 0 },
	{ "what is reached got more", owners_alike, reached_grows, -EXDEV },
	{ "and both have looked", owners_alike, reached_grows_for_both, 0 },
	{ "reached at another place", owners_alike, reach_elsewhere, -EXDEV },
	{ "strangers", owners_strangers, put_near, -EXDEV },
	{ "strangers that reach", owners_strangers, strangers_that_reach, -EXDEV },
	{ "no domain", owners_plain, in_both, 0 },
	{ "no domain, more memory", owners_plain_but_more, put_near, -EXDEV },
	{ "no domain, another hold", owners_plain_but_held, in_both, -EXDEV },
	{ "only one with a domain", owners_domain_and_plain, put_near, -EXDEV },
};

/* --- ways to change hands --------------------------------------------------- */

static void window(struct world *w, uint32_t id, uint32_t owner, uint64_t first, uint64_t len)
{
	const struct vd_window_cfg cfg = { .size = sizeof(cfg),
					   .id = id,
					   .owner = owner,
					   .bus = { first * PAGE },
					   .table = w->t,
					   .first = first,
					   .len = len };

	assert_int_equal(vd_window_create(w->a, &cfg), 0);
}

static void one_window(struct world *w)
{
	window(w, W, A, 0, LEN);
}

static void two_windows(struct world *w)
{
	window(w, W, A, 0, LEN / 2);
	window(w, W2, A, LEN / 2, LEN / 2);
}

static void one_of_the_others(struct world *w)
{
	window(w, W, B, 0, LEN / 2);
	window(w, W2, A, LEN / 2, LEN / 2);
}

/* B's window, of which A fills the second half. */
static void lent_to_a(struct world *w)
{
	const struct vd_loan l = { sizeof(l), W, W2, A, RW, VD_LIVE_REFUSE, LEN / 2, LEN / 2 };

	window(w, W, B, 0, LEN);
	assert_int_equal(vd_window_lend(w->a, &l), 0);
}

static int split(struct world *w)
{
	const struct vd_split s = { sizeof(s), W, W2, B, VD_LIVE_TRANSFER, LEN / 2 };

	return vd_window_split(w->a, &s);
}

static int merge_keep(struct world *w)
{
	const struct vd_merge m = { sizeof(m), W2, W, B, VD_LIVE_TRANSFER };

	return vd_window_merge(w->a, &m);
}

static int merge_clear(struct world *w)
{
	const struct vd_merge m = { sizeof(m), W, W2, B, VD_LIVE_TRANSFER };

	return vd_window_merge(w->a, &m);
}

static int lend(struct world *w)
{
	const struct vd_loan l = { sizeof(l), W, W2, B, RW, VD_LIVE_TRANSFER, LEN / 2, LEN / 2 };

	return vd_window_lend(w->a, &l);
}

static int take_back(struct world *w)
{
	return vd_window_take_back(w->a, W2, VD_LIVE_TRANSFER);
}

struct way {
	const char *what;
	void (*windows)(struct world *w);
	int (*run)(struct world *w);
	uint32_t device; /* whose reaches them after it */
};

static const struct way ways[] = {
	{ "split", one_window, split, B },
	{ "merge, kept", two_windows, merge_keep, B },
	{ "merge, cleared", two_windows, merge_clear, B },
	{ "merge with the new owner's", one_of_the_others, merge_keep, B },
	{ "lend", one_window, lend, A },
	{ "take back", lent_to_a, take_back, B },
};

/* --- what is true before and after ------------------------------------------ */

static void make(struct world *w, unsigned int shift, const struct case_ *c, const struct way *y)
{
	const struct vd_adapter_cfg a = { .size = sizeof(a) };
	const struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = LEN + 1 };

	memset(w, 0, sizeof(*w));
	nheld = 0;
	w->mem = aligned_alloc(STRETCH, 4 * STRETCH);
	assert_non_null(w->mem);
	assert_int_equal(vd_host_fake_create(w->mem, 4 * STRETCH / PAGE, &w->host), 0);
	make_domain(w, shift, &w->x, 0);
	make_domain(w, 12, &w->y, 2);
	assert_int_equal(vd_adapter_create(&a, &w->a), 0);
	c->owners(w);
	assert_int_equal(vd_adapter_attach(w->a, A, A), 0);
	assert_int_equal(vd_adapter_attach(w->a, B, B), 0);
	assert_int_equal(vd_table_create(w->a, &t, &w->t), 0);
	y->windows(w);
	c->then(w);
}

static void unmake(struct world *w)
{
	vd_adapter_destroy(w->a);
	vd_domain_destroy(w->x);
	vd_domain_destroy(w->y);
	assert_int_equal(vd_fake_pinned(w->host), 0);
	assert_int_equal(nheld, 0);
	vd_host_destroy(w->host);
	free(w->mem);
}

/* Each entry that was put leads there, for this device. */
static void check_reach(struct world *w, uint32_t device)
{
	struct vd_reader *r;

	assert_int_equal(vd_reader_create(w->a, device, &r), 0);
	for (uint64_t i = LEN / 2; i < LEN / 2 + w->n; i++) {
		struct vd_target to;

		assert_int_equal(vd_translate_once(r, (vd_iova){ i * PAGE + 5 }, VD_WRITE, &to), 0);
		assert_ptr_equal(to.hva, w->hva[i] + 5);
	}
	vd_reader_destroy(r);
}

/* The owner reads what was put, and ends it. */
static void end_entries(struct world *w, uint32_t owner)
{
	uint32_t id = W2;
	struct vd_window_info info = { .size = sizeof(info) };
	vd_entry e;

	if (vd_window_query(w->a, W2, &info) != 0 || info.owner != owner)
		id = W;
	for (uint64_t i = LEN / 2; i < LEN / 2 + w->n; i++) {
		assert_int_equal(vd_window_get(w->a, owner, id, (vd_iova){ i * PAGE }, &e, 1), 0);
		assert_int_equal(e.v, w->entry[i]);
	}
	assert_int_equal(
		vd_window_unmap(w->a, owner, id, (vd_iova){ LEN / 2 * PAGE }, LEN / 2 * PAGE), 0);
}

static void try_one(unsigned int shift, const struct case_ *c, const struct way *y)
{
	uint32_t before = y->run == take_back ? B : A;
	size_t pinned;
	struct world w;
	int64_t held;
	int err;

	make(&w, shift, c, y);
	check_reach(&w, before);
	pinned = vd_fake_pinned(w.host);
	held = nheld;
	err = y->run(&w);
	if (err != c->err)
		print_error("%s, %s: %d\n", c->what, y->what, err);
	assert_int_equal(err, c->err);
	assert_int_equal(vd_fake_pinned(w.host), pinned);
	assert_int_equal(nheld, held);
	check_reach(&w, err ? before : y->device);
	end_entries(&w, err ? A : B);
	assert_int_equal(vd_fake_pinned(w.host), 0);
	assert_int_equal(nheld, 0);
	unmake(&w);
}

static void each_way_each_memory(void **state)
{
	static const unsigned int shifts[] = { 12, 21 };

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shifts); s++) {
		for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
			for (size_t y = 0; y < ARRAY_LEN(ways); y++)
				try_one(shifts[s], &cases[c], &ways[y]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_each_memory),
	};

	return run_all(tests);
}
