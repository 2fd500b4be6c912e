/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INTx of an assigned function: when it is open, what passes, and what holds a
 * line that stays up. The guest's end of an interrupt is a count in the resample
 * eventfd; what uio does to the command register, the test does.
 */
#include "made_life.h"
#include "unit.h"
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static bool has_fired(struct life *l)
{
	return l->a->intx.count > 0;
}

static bool is_open(struct life *l)
{
	return !(made_host_command(&l->h) & INTX_OFF);
}

static void guest_ends(struct life *l)
{
	const uint64_t one = 1;

	assert_int_equal(write(l->a->intx.resample, &one, sizeof(one)),
			 sizeof(one));
}

static void test_interrupt(void **state)
{
	struct life l;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	assert_false(is_open(&l)); /* nobody drives it */
	life_write(&l, COMMAND, 4);
	assert_false(is_open(&l));
	life_drive(&l);
	assert_true(is_open(&l));
	life_uio_fires(&l);
	assert_true(life_until(has_fired, &l));
	assert_int_equal(l.a->intx.count, 1);
	assert_false(is_open(&l));
	guest_ends(&l);
	assert_true(life_until(is_open, &l));
	life_write(&l, COMMAND, 0x407); /* the guest mutes it */
	assert_false(is_open(&l));
	life_uio_fires(&l);
	guest_ends(&l);
	usleep(20000);
	assert_int_equal(l.a->intx.count, 1);
	assert_false(is_open(&l));
	life_write(&l, COMMAND, 7);
	assert_true(is_open(&l));
	life_end(&l);
}

/* A deny shuts it at once, whatever the old driver says, until the next one. */
static void test_interrupt_denied(void **state)
{
	struct life l;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	life_drive(&l);
	life_uio_fires(&l);
	assert_true(life_until(has_fired, &l));
	assert_int_equal(assign_deny(l.a), 0);
	guest_ends(&l); /* of the time before */
	life_uio_fires(&l);
	usleep(20000);
	assert_false(is_open(&l));
	assert_int_equal(assign_permit(l.a), 0);
	guest_ends(&l);
	usleep(20000);
	assert_false(is_open(&l));
	assert_int_equal(l.a->intx.count, 1);
	life_drive(&l);
	assert_true(is_open(&l));
	life_end(&l);
}

static void set_status(struct life *l, uint8_t status)
{
	char full[SYSFS_PATH_LEN];
	int fd;

	sysfs_path(&l->h.t.s, MADE_DEVICE "/config", full, sizeof(full));
	fd = open(full, O_RDWR);
	assert_int_equal(pwrite(fd, &status, 1, 6), 1);
	close(fd);
}

/* One round of a line: it fires, the guest ends it. How long till it is open? */
static uint64_t round_ns(struct life *l)
{
	const uint64_t before = l->a->intx.count;
	struct timespec t0, t1;

	life_uio_fires(l);
	for (int i = 0; i < 20000 && l->a->intx.count == before; i++)
		usleep(100);
	assert_int_equal(l->a->intx.count, before + 1);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	guest_ends(l);
	for (int i = 0; i < 20000 && !is_open(l); i++)
		usleep(100);
	assert_true(is_open(l));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	return (uint64_t)(t1.tv_sec - t0.tv_sec) * 1000000000u +
	       (uint64_t)t1.tv_nsec - (uint64_t)t0.tv_nsec;
}

/*
 * A line that stays up whatever the driver does is let through as it comes for
 * a while, then no more often than the brake says; one that falls once is free.
 * Only lower bounds are asked for: no busy machine fails it.
 */
static void test_stuck_interrupt(void **state)
{
	struct life l;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	life_drive(&l);
	set_status(&l, 0x08);
	for (unsigned int i = 0; i < ASSIGN_INTX_FREE + 8; i++)
		round_ns(&l);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(round_ns(&l) >= ASSIGN_INTX_PAUSE_NS);
	/* Hidden under the brake: it stays shut. */
	life_uio_fires(&l);
	usleep(20000);
	guest_ends(&l);
	assert_int_equal(assign_deny(l.a), 0);
	usleep(2 * ASSIGN_INTX_PAUSE_NS / 1000);
	assert_false(is_open(&l));
	assert_int_equal(assign_permit(l.a), 0);
	life_drive(&l);
	set_status(&l, 0);
	round_ns(&l);
	assert_int_equal(l.a->intx.unserved, 0);
	life_end(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_interrupt_denied),
		cmocka_unit_test(test_stuck_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
