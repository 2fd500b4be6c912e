/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"
#include <pthread.h>
#include <stdatomic.h>

/* Gives by clearing, and notes each run. */
struct giver {
	struct fx *f;
	unsigned int calls, fail_at;
	uint64_t bytes;
};

static int give(void *opaque, void *hva, uint64_t len)
{
	struct giver *g = opaque;

	if (++g->calls == g->fail_at)
		return -EIO;
	memset(hva, 0, len);
	g->bytes += len;
	return 0;
}

static int discard(struct fx *f, struct giver *g, uint64_t page, uint64_t npages,
		   struct vd_discard *how)
{
	*g = (struct giver){ .f = f, .fail_at = g->fail_at };
	*how = (struct vd_discard){ .size = sizeof(struct vd_discard), .give = give, .opaque = g };
	return vd_domain_discard(f->d, fx_gpa(page), npages * PAGE, how);
}

static bool is_page(const struct fx *f, uint64_t page, unsigned char byte)
{
	for (size_t i = 0; i < PAGE; i++)
		if (f->mem[page * PAGE + i] != byte)
			return false;
	return true;
}

static void refuses_what_is_pinned(void **state)
{
	struct fx *f = *state;
	struct vd_discard how = { .size = sizeof(how) };
	struct giver g = { 0 };
	vd_iova at;

	memset(f->mem, 0xa5, FX_PAGES * PAGE);
	at = fx_map(f, 3, 2);
	assert_int_equal(discard(f, &g, 1, 6, &how), 0);
	assert_int_equal(how.given, 4 * PAGE);
	assert_int_equal(how.pinned, 2 * PAGE);
	assert_int_equal(g.calls, 2); /* in runs, not page by page */
	for (uint64_t i = 0; i < 9; i++)
		assert_true(is_page(f, i, i == 1 || i == 2 || i == 5 || i == 6 ? 0 : 0xa5));

	/* The pin of one byte protects its page; with it gone the page goes. */
	assert_int_equal(fx_unmap(f, at, 2), 0);
	assert_int_equal(discard(f, &g, 3, 2, &how), 0);
	assert_int_equal(how.given, 2 * PAGE);
	assert_int_equal(how.pinned, 0);
	assert_true(is_page(f, 3, 0) && is_page(f, 4, 0));
}

/* A device that could not be stopped may still write: its pages stay. */
static void refuses_pins_of_a_stuck_device(void **state)
{
	struct fx *f = *state;
	struct vd_discard how = { .size = sizeof(how) };
	struct giver g = { 0 };

	fx_map(f, 0, 1);
	f->quiesce_says = -1;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), -EIO);
	assert_int_equal(discard(f, &g, 0, 1, &how), 0);
	assert_int_equal(how.pinned, PAGE);
	f->quiesce_says = 0;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), 0);
	assert_int_equal(discard(f, &g, 0, 1, &how), 0);
	assert_int_equal(how.given, PAGE);
}

/* Memory up to the last address that there is: the way ends there. */
static void up_to_the_top(void **state)
{
	const uint64_t top = UINT64_MAX - 2 * PAGE + 1;
	unsigned char *mem = aligned_alloc(PAGE, 2 * PAGE);
	struct fx *f = *state;
	struct giver g = { .f = f };
	struct vd_discard how = { .size = sizeof(how), .give = give, .opaque = &g };

	assert_non_null(mem);
	assert_int_equal(vd_domain_add_memory(f->d, (vd_gpa){ top }, mem, 2 * PAGE), 0);
	assert_int_equal(vd_domain_discard(f->d, (vd_gpa){ top }, 2 * PAGE, &how), 0);
	assert_int_equal(how.given, 2 * PAGE);
	free(mem); /* nobody looks at it again */
}

static void errors(void **state)
{
	static const struct {
		uint64_t gpa, len;
		int err;
	} row[] = {
		{ FX_GPA, 0, -EINVAL },
		{ FX_GPA + 1, PAGE, -EINVAL },
		{ FX_GPA, PAGE + 1, -EINVAL },
		{ FX_GPA - PAGE, 2 * PAGE, -EFAULT },
		{ FX_GPA, (FX_PAGES + 1) * PAGE, -EFAULT },
		{ 0xfffffffffffff000, 2 * PAGE, -EOVERFLOW },
		{ FX_GPA, 1ull << 62, -EFAULT },
		{ FX_GPA, FX_PAGES * PAGE, 0 },
	};
	struct fx *f = *state;
	struct vd_discard how = { .size = sizeof(how), .give = give };
	struct giver g;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		g = (struct giver){ .f = f };
		how.opaque = &g;
		how.given = how.pinned = 77;
		assert_int_equal(vd_domain_discard(f->d, (vd_gpa){ row[i].gpa }, row[i].len, &how),
				 row[i].err);
		assert_int_equal(how.pinned, 0);
		assert_int_equal(how.given, row[i].err ? 0 : row[i].len);
		assert_int_equal(g.calls, row[i].err ? 0 : 1);
	}
}

static void stops_where_giving_fails(void **state)
{
	struct fx *f = *state;
	struct giver g = { .fail_at = 2 };
	struct vd_discard how = { .size = sizeof(how) };

	fx_map(f, 1, 1);
	fx_map(f, 3, 1);
	assert_int_equal(discard(f, &g, 0, 5, &how), -EIO);
	assert_int_equal(how.given, PAGE);
	assert_int_equal(how.pinned, PAGE);
}

/* A domain of its own: 4 MiB, in two stretches that touch. */
#define HUGE (1ull << 21)

struct big {
	struct vd_host *host;
	struct vd_domain *d;
	unsigned char *mem;
};

static int always_quiet(void *opaque)
{
	(void)opaque;
	return 0;
}

static void big_make(struct big *b, unsigned int shift)
{
	static const struct vd_device_ops ops = { sizeof(ops), always_quiet };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = shift };
	const struct vd_device_cfg dev = { sizeof(dev), 1, 1, &ops, NULL };

	b->mem = aligned_alloc(HUGE, 2 * HUGE);
	assert_non_null(b->mem);
	memset(b->mem, 1, 2 * HUGE);
	assert_int_equal(vd_host_fake_create(b->mem, 2 * HUGE / PAGE, &b->host), 0);
	assert_int_equal(vd_domain_create(b->host, &cfg, &b->d), 0);
	assert_int_equal(vd_domain_add_memory(b->d, (vd_gpa){ 0 }, b->mem, HUGE), 0);
	assert_int_equal(vd_domain_add_memory(b->d, (vd_gpa){ HUGE }, b->mem + HUGE, HUGE), 0);
	assert_int_equal(vd_device_attach(b->d, &dev), 0);
}

static void big_unmake(struct big *b)
{
	vd_domain_destroy(b->d);
	vd_host_destroy(b->host);
	free(b->mem);
}

static vd_iova big_map(struct big *b, uint64_t gpa)
{
	struct vd_seg seg = { .gpa = { gpa }, .len = 1, .prot = VD_READ };

	assert_int_equal(vd_device_map(b->d, 1, &seg, 1, UINT64_MAX), 0);
	return seg.iova;
}

/* Across stretches that touch, and in slices. */
static void long_range(void **state)
{
	struct giver g = { 0 };
	struct vd_discard how = { .size = sizeof(how), .give = give, .opaque = &g };
	struct big b;
	vd_iova at;

	(void)state;
	big_make(&b, 12);
	at = big_map(&b, HUGE + 5);
	assert_int_equal(vd_domain_discard(b.d, (vd_gpa){ PAGE }, 2 * HUGE - PAGE, &how), 0);
	assert_int_equal(how.given, 2 * HUGE - 2 * PAGE);
	assert_int_equal(how.pinned, PAGE);
	assert_int_equal(g.calls, 2);
	assert_int_equal(b.mem[PAGE - 1], 1);
	assert_int_equal(b.mem[PAGE], 0);
	assert_int_equal(b.mem[HUGE - 1], 0);
	assert_int_equal(b.mem[HUGE], 1);
	assert_int_equal(b.mem[2 * HUGE - 1], 0);
	assert_int_equal(vd_device_unmap(b.d, 1, at, 1), 0);
	big_unmake(&b);
}

/* One byte pins all of its granule; of the other, pages can go. */
static void huge_granules(void **state)
{
	struct giver g = { 0 };
	struct vd_discard how = { .size = sizeof(how), .give = give, .opaque = &g };
	struct big b;
	vd_iova at;

	(void)state;
	big_make(&b, 21);
	at = big_map(&b, HUGE + 5);
	assert_int_equal(vd_domain_discard(b.d, (vd_gpa){ HUGE - 2 * PAGE }, 4 * PAGE, &how), 0);
	assert_int_equal(how.given, 2 * PAGE);
	assert_int_equal(how.pinned, 2 * PAGE);
	assert_int_equal(vd_device_unmap(b.d, 1, at, 1), 0);
	big_unmake(&b);
}

/*
 * A map comes either before the look at the pins or after the page is gone:
 * what a device reads of a mapped page is never cleared under it.
 */
struct race {
	struct fx *f;
	_Atomic bool mapped, stop;
	_Atomic uint64_t broken, given;
};

static int give_unmapped(void *opaque, void *hva, uint64_t len)
{
	struct race *r = opaque;

	(void)hva;
	if (atomic_load(&r->mapped))
		atomic_fetch_add(&r->broken, 1);
	atomic_fetch_add(&r->given, len);
	return 0;
}

static void *discards(void *arg)
{
	struct race *r = arg;
	struct vd_discard how = { .size = sizeof(how), .give = give_unmapped, .opaque = r };

	while (!atomic_load(&r->stop))
		if (vd_domain_discard(r->f->d, fx_gpa(7), PAGE, &how))
			atomic_fetch_add(&r->broken, 1);
	return NULL;
}

static void races_with_maps(void **state)
{
	struct race r = { .f = *state };
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, discards, &r), 0);
	for (int i = 0; i < 20000; i++) {
		vd_iova at = fx_map(r.f, 7, 1);

		atomic_store(&r.mapped, true);
		atomic_store(&r.mapped, false);
		assert_int_equal(fx_unmap(r.f, at, 1), 0);
	}
	while (!atomic_load(&r.given))
		;
	atomic_store(&r.stop, true);
	pthread_join(t, NULL);
	assert_int_equal(r.broken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(refuses_what_is_pinned),
		fx_test(refuses_pins_of_a_stuck_device),
		fx_test(errors),
		fx_test(up_to_the_top),
		fx_test(stops_where_giving_fails),
		fx_test(long_range),
		fx_test(huge_granules),
		fx_test(races_with_maps),
	};

	return run_all(tests);
}
