/* SPDX-License-Identifier: BSD-2-Clause */
/* Region maps: order, overlaps, counting, and removal under load. */
#include "region.h"
#include "unit.h"
#include <errno.h>
#include <time.h>

struct owner {
	struct region r;
	uint64_t last_off, last_value;
	unsigned int last_width;
	_Atomic int alive, calls, wrong;
};

static uint64_t own_read(void *ctx, uint64_t off, unsigned int width)
{
	struct owner *o = ctx;

	o->last_off = off;
	o->last_width = width;
	return 0x1122334455667788;
}

static void own_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct owner *o = ctx;

	o->last_off = off;
	o->last_width = width;
	o->last_value = value;
}

static const struct region_ops own_ops = { own_read, own_write };

static void own(struct owner *o, uint64_t base, uint64_t len, const char *cause)
{
	memset(o, 0, sizeof(*o));
	o->r = (struct region){ .cause = cause,
				.ops = &own_ops,
				.ctx = o,
				.base = base,
				.len = len };
}

static void test_overlaps(void **state)
{
	static const struct {
		uint64_t base, len;
		int want;
	} rows[] = {
		{ 0x1000, 0x10, -EEXIST },
		{ 0xfff, 2, -EEXIST },
		{ 0x100f, 1, -EEXIST },
		{ 0xff0, 0x100, -EEXIST },
		{ 0x1004, 4, -EEXIST },
		{ 0x1010, 0, -EINVAL },
		{ UINT64_MAX, 2, -EINVAL },
		{ 0xfff, 1, 0 },
		{ 0x1010, 1, 0 },
		{ UINT64_MAX, 1, 0 },
		{ 0, 0xfff, 0 },
	};
	struct region_map m;
	struct owner first, o[11];

	(void)state;
	region_map_init(&m);
	own(&first, 0x1000, 0x10, "a");
	assert_int_equal(region_add(&m, &first.r), 0);
	for (int i = 0; i < 11; i++) {
		own(&o[i], rows[i].base, rows[i].len, "b");
		assert_int_equal(region_add(&m, &o[i].r), rows[i].want);
	}
	assert_int_equal(m.n, 5);
	for (int i = 0; i < 11; i++)
		region_remove(&m, &o[i].r); /* those that are not in, too */
	assert_int_equal(m.n, 1);
	region_remove(&m, &first.r);
	region_map_fini(&m);
}

static void test_access(void **state)
{
	struct region_map m;
	struct owner a, b;

	(void)state;
	region_map_init(&m);
	own(&a, 0x100, 8, "a");
	own(&b, 0x108, 8, "b");
	assert_int_equal(region_add(&m, &b.r), 0);
	assert_int_equal(region_add(&m, &a.r), 0);

	assert_int_equal(region_read(&m, 0x102, 1), 0x88);
	assert_int_equal(a.last_off, 2);
	assert_int_equal(a.last_width, 1);
	assert_int_equal(region_read(&m, 0x108, 8), 0x1122334455667788);
	region_write(&m, 0x10c, 4, 7);
	assert_int_equal(b.last_off, 4);
	assert_int_equal(b.last_value, 7);

	/* Across the end, outside, before: all ones, counted, nobody called. */
	assert_int_equal(region_read(&m, 0x106, 4), UINT32_MAX);
	assert_int_equal(region_read(&m, 0xff, 2), 0xffff);
	assert_int_equal(region_read(&m, UINT64_MAX, 8), UINT64_MAX);
	region_write(&m, 0x10f, 2, 1);
	assert_int_equal(b.last_value, 7);
	assert_int_equal(m.unclaimed, 4);
	region_remove(&m, &a.r);
	region_remove(&m, &b.r);
	region_map_fini(&m);
}

static void sum(void *ctx, const char *cause, uint64_t exits)
{
	uint64_t *n = ctx;

	assert_true(!strcmp(cause, "a") || !strcmp(cause, "other"));
	n[cause[0] == 'o'] += exits;
}

/* Counts stay when regions go; too many causes end in the last. */
static void test_causes(void **state)
{
	static char name[REGION_CAUSES + 5][8];
	struct region_map m;
	struct owner o;
	uint64_t n[2] = { 0 };

	(void)state;
	region_map_init(&m);
	for (int i = 0; i < 3; i++) {
		own(&o, 0x10u * (unsigned int)i, 4, "a");
		assert_int_equal(region_add(&m, &o.r), 0);
		region_read(&m, o.r.base, 4);
		region_remove(&m, &o.r);
	}
	region_exits(&m, sum, n);
	assert_int_equal(n[0], 3);
	for (int i = 0; i < REGION_CAUSES + 5; i++) {
		snprintf(name[i], sizeof(name[i]), "c%d", i);
		own(&o, 0, 4, name[i]);
		assert_int_equal(region_add(&m, &o.r), 0);
		region_read(&m, 0, 4);
		region_remove(&m, &o.r);
	}
	assert_int_equal(m.ncauses, REGION_CAUSES);
	assert_string_equal(m.cause[REGION_CAUSES - 1].name, "other");
	assert_int_equal(m.cause[REGION_CAUSES - 1].exits, 7);
	region_map_fini(&m);
}

static void test_full(void **state)
{
	static struct owner o[REGION_MAX + 1];
	struct region_map m;

	(void)state;
	region_map_init(&m);
	for (unsigned int i = 0; i <= REGION_MAX; i++) {
		own(&o[i], (uint64_t)(REGION_MAX - i) * 16, 16, "a");
		assert_int_equal(region_add(&m, &o[i].r),
				 i < REGION_MAX ? 0 : -ENOSPC);
	}
	for (unsigned int i = 0; i < REGION_MAX; i++)
		region_remove(&m, &o[i].r);
	region_map_fini(&m);
}

static uint64_t slow_read(void *ctx, uint64_t off, unsigned int width)
{
	struct owner *o = ctx;
	const struct timespec nap = { .tv_nsec = 20000 };

	(void)off;
	(void)width;
	nanosleep(&nap, NULL);
	if (!o->alive)
		o->wrong = 1;
	o->calls++;
	return 0;
}

static const struct region_ops slow_ops = { slow_read, own_write };

struct load {
	struct region_map *m;
	_Atomic int stop;
};

static void *read_on(void *arg)
{
	struct load *l = arg;

	while (!l->stop)
		region_read(l->m, 0x10, 4);
	return NULL;
}

/* After remove nobody is inside: what a freed owner depends on. */
static void test_remove_waits(void **state)
{
	struct region_map m;
	struct load l = { .m = &m };
	struct owner o;
	pthread_t t[2];

	(void)state;
	region_map_init(&m);
	own(&o, 0x10, 4, "a");
	o.r.ops = &slow_ops;
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, read_on, &l);
	/* On a busy machine the readers come late. */
	for (int i = 0; i < 200 || !o.calls; i++) {
		o.alive = 1;
		assert_int_equal(region_add(&m, &o.r), 0);
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
		region_remove(&m, &o.r);
		o.alive = 0;
	}
	l.stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(o.wrong, 0);
	assert_true(o.calls > 0);
	region_map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_remove_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
