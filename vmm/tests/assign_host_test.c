/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to the real function, on a host of files: bus mastering, drain,
 * reset; of one that is gone, that does not stop, or that is another's by now.
 */
#include "assign_host.h"
#include "made_host.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define PCIE	0x60
#define DEVSTA	(PCIE + 0x0a)
#define PENDING 0x20
#define UNBIND	"bus/pci/drivers/" MADE_UIO "/unbind"

struct fixture {
	struct made_host h;
	struct assign_host a;
};

static void poke(struct made_host *h, unsigned int off, uint8_t value)
{
	char full[SYSFS_PATH_LEN];
	int fd;

	sysfs_path(&h->t.s, MADE_DEVICE "/config", full, sizeof(full));
	fd = open(full, O_RDWR);
	assert_int_equal(pwrite(fd, &value, 1, off), 1);
	close(fd);
}

/* A vendor's capability, then PCI Express, then the first again: a loop. */
static void give_caps(struct made_host *h)
{
	poke(h, 0x06, 0x10);
	poke(h, 0x34, 0x40);
	poke(h, 0x40, 0x09);
	poke(h, 0x41, PCIE);
	poke(h, PCIE, 0x10);
	poke(h, PCIE + 1, 0x40);
}

static void begin(struct fixture *f)
{
	made_host_make(&f->h, MADE_UIO);
	give_caps(&f->h);
	made_host_set_command(&f->h, 0x0400);
	assert_int_equal(assign_host_open(&f->a, &f->h.t.s, MADE_BDF, 0), 0);
}

static void end(struct fixture *f)
{
	assign_host_close(&f->a);
	made_host_remove(&f->h);
}

static void test_open(void **state)
{
	struct fixture f;
	struct assign_host other;

	(void)state;
	begin(&f);
	assert_int_equal(f.a.pcie, PCIE);
	assert_true(f.a.has_intx);
	assert_true(assign_host_can_reset(&f.a));
	assert_false(assign_host_gone(&f.a));
	assert_int_equal(
		assign_host_open(&other, &f.h.t.s, MADE_BDF, f.a.dev.id), 0);
	assign_host_close(&other);
	assert_int_equal(
		assign_host_open(&other, &f.h.t.s, MADE_BDF, f.a.dev.id + 1),
		-ESTALE);
	assign_host_close(&other);
	assert_int_equal(assign_host_open(&other, &f.h.t.s, "0000:09:00.0", 0),
			 -ENOENT);
	assign_host_close(&other);
	poke(&f.h, 0x41, 0x40); /* a loop without PCI Express in it */
	assert_int_equal(assign_host_open(&other, &f.h.t.s, MADE_BDF, 0), 0);
	assert_int_equal(other.pcie, 0);
	assign_host_close(&other);
	end(&f);
}

static void test_master(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(assign_host_master(&f.a, true), 0);
	assert_int_equal(made_host_command(&f.h),
			 0x0407); /* INTx as uio left it */
	assign_host_intx(&f.a, true);
	assert_int_equal(made_host_command(&f.h), 0x0007);
	assert_int_equal(assign_host_master(&f.a, false), 0);
	assert_int_equal(made_host_command(&f.h), 0x0003);
	end(&f);
}

static void test_quiesce(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assign_host_master(&f.a, true);
	assert_int_equal(assign_host_quiesce(&f.a), 0);
	assert_int_equal(made_host_command(&f.h) & 4, 0);
	assert_int_equal(f.h.resets, 1);
	f.h.deaf = true;
	assign_host_master(&f.a, true);
	assert_int_equal(assign_host_quiesce(&f.a), -EIO);
	assert_int_equal(made_host_command(&f.h) & 4, 0); /* that at least */
	end(&f);
}

static void *let_it_end(void *arg)
{
	usleep(50000);
	poke(arg, DEVSTA, 0);
	return NULL;
}

/* Its own bound is a second; what ends before is no error. */
static void test_drain(void **state)
{
	struct fixture f;
	pthread_t t;

	(void)state;
	begin(&f);
	poke(&f.h, DEVSTA, PENDING);
	assert_int_equal(pthread_create(&t, NULL, let_it_end, &f.h), 0);
	assert_int_equal(assign_host_quiesce(&f.a), 0);
	pthread_join(t, NULL);
	assert_int_equal(f.h.resets, 1);
	poke(&f.h, DEVSTA, PENDING);
	assert_int_equal(assign_host_quiesce(&f.a), -EIO);
	assert_int_equal(f.h.resets, 1); /* not under its DMA */
	end(&f);
}

static void test_gone(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	poke(&f.h, 0, 0xff);
	poke(&f.h, 1, 0xff); /* a card that does not answer: reads are ones */
	assert_true(assign_host_gone(&f.a));
	assert_int_equal(assign_host_master(&f.a, true), -ENODEV);
	made_host_pull(&f.h);
	assert_true(assign_host_gone(&f.a));
	assert_int_equal(assign_host_master(&f.a, false), -ENODEV);
	assert_int_equal(assign_host_quiesce(&f.a), 0);
	made_host_plug(&f.h, "nvme");
	assert_true(assign_host_gone(&f.a)); /* that is another */
	assert_int_equal(assign_host_quiesce(&f.a), 0);
	assert_int_equal(f.h.resets, 0);
	assert_int_equal(made_host_command(&f.h), 7);
	end(&f);
}

/* Who has it now, whether we can still look, and whether a reset is ours to do. */
static const struct row {
	bool unbound, given, sealed;
	bool others;
	unsigned int resets;
} rows[] = {
	{ false, false, false, false, 1 }, { false, false, true, false, 1 },
	{ true, false, false, false, 1 },  { true, false, true, false, 1 },
	{ true, true, false, true, 0 },	   { true, true, true, true, 0 },
};

static void test_others(void **state)
{
	struct fixture f;
	unsigned int command;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		begin(&f);
		if (r->sealed)
			assign_host_seal(&f.a);
		if (r->given)
			made_host_write(&f.h, MADE_DEVICE "/driver_override",
					"vfio-pci");
		if (r->unbound)
			assert_int_equal(
				made_host_write(&f.h, UNBIND, MADE_BDF), 0);
		if (r->given)
			made_host_write(&f.h, "bus/pci/drivers_probe",
					MADE_BDF);
		command = made_host_command(&f.h);
		assert_int_equal(assign_host_is_others(&f.a), r->others);
		assert_int_equal(assign_host_master(&f.a, false),
				 r->others ? -ENODEV : 0);
		assert_int_equal(assign_host_quiesce(&f.a), 0);
		assert_int_equal(f.h.resets, r->resets);
		if (r->others)
			assert_int_equal(made_host_command(&f.h), command);
		end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),	cmocka_unit_test(test_master),
		cmocka_unit_test(test_quiesce), cmocka_unit_test(test_drain),
		cmocka_unit_test(test_gone),	cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
