/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole machine in this process with the tiny guest: how long a start takes,
 * what is counted, what a reset puts back, a PCI function that comes and goes.
 *
 * usage: test-vmm-machine TINY; skips where KVM cannot be used.
 */
#include "machine.h"
#include "unit.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

static const char *tiny;
static struct machine m;

static struct machine_cfg config(const char *cmdline)
{
	return (struct machine_cfg){
		.name = "test",
		.kernel = tiny,
		.cmdline = cmdline,
		.memory = 64 << 20,
		.ncpus = 2,
		.granule_shift = 12,
		.no_reboot = true,
	};
}

/* Make a machine, or skip when it is KVM that is missing. */
static void make(const struct machine_cfg *cfg)
{
	int err = machine_create(&m, cfg);

	if (err && (strstr(m.why, "/dev/kvm") || strstr(m.why, "KVM lacks"))) {
		print_message("skipped: %s\n", m.why);
		skip();
	}
	if (err)
		print_message("%s\n", m.why);
	assert_int_equal(err, 0);
}

static enum machine_end run_once(const char *cmdline)
{
	struct machine_cfg cfg = config(cmdline);
	enum machine_end end;

	make(&cfg);
	end = machine_run(&m);
	machine_destroy(&m);
	return end;
}

static void test_start(void **state)
{
	uint64_t best = UINT64_MAX;

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct machine_cfg cfg = config("o");
		uint64_t us;

		make(&cfg);
		assert_int_equal(machine_start_us(&m), 0);
		assert_int_equal(machine_run(&m), MACHINE_OFF);
		us = machine_start_us(&m);
		machine_destroy(&m);
		assert_true(us > 0);
		best = us < best ? us : best;
	}
	print_message("create to the first guest instruction: %llu us\n",
		      (unsigned long long)best);
}

struct counts {
	uint64_t serial, power, pci, unclaimed_io, unclaimed_mem;
};

static void count(void *ctx, const char *cause, uint64_t exits)
{
	struct counts *c = ctx;

	if (!strcmp(cause, "serial"))
		c->serial += exits;
	else if (!strcmp(cause, "power"))
		c->power += exits;
	else if (!strcmp(cause, "pci-config"))
		c->pci += exits;
	else if (!strcmp(cause, "unclaimed-io"))
		c->unclaimed_io += exits;
	else if (!strcmp(cause, "unclaimed-memory"))
		c->unclaimed_mem += exits;
}

static void test_exits(void **state)
{
	struct machine_cfg cfg = config("wpno");
	struct counts c = { 0 };

	(void)state;
	make(&cfg);
	assert_int_equal(machine_run(&m), MACHINE_OFF);
	machine_exits(&m, count, &c);
	machine_destroy(&m);
	assert_int_equal(c.serial, 1 + 6 + 3); /* MCR, "string", w p n */
	assert_int_equal(c.power, 1);
	assert_int_equal(c.pci, 3);
	assert_int_equal(c.unclaimed_io, 1);
	assert_int_equal(c.unclaimed_mem, 1);
}

static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(run_once("o"), MACHINE_OFF);
	assert_int_equal(run_once("r"), MACHINE_RESET);
	assert_int_equal(run_once("k"), MACHINE_RESET);
	assert_int_equal(run_once("t"), MACHINE_DIED);
	assert_non_null(strstr(m.why, "triple fault"));
}

static void *end_it(void *arg)
{
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	machine_ask(arg, MACHINE_WISH_QUIT);
	return NULL;
}

static void test_resets(void **state)
{
	struct machine_cfg cfg = config("wr");
	pthread_t t;

	(void)state;
	cfg.no_reboot = false;
	make(&cfg);
	pthread_create(&t, NULL, end_it, &m);
	assert_int_equal(machine_run(&m), MACHINE_QUIT);
	pthread_join(t, NULL);
	print_message("resets in 200 ms: %llu\n", (unsigned long long)m.resets);
	assert_true(m.resets > 10);
	machine_destroy(&m);
}

/* Failures leave nothing behind: descriptors are the witness. */
static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return n;
}

static void test_failures(void **state)
{
	struct machine_cfg cfg[6];
	int before;

	(void)state;
	assert_int_equal(run_once("o"), MACHINE_OFF); /* or skip */
	for (int i = 0; i < 6; i++)
		cfg[i] = config("o");
	cfg[0].kernel = "/nowhere";
	cfg[1].initrd = "/nowhere";
	cfg[2].memory = 1 << 20;
	cfg[3].ncpus = 300;
	cfg[4].kernel = "/etc/passwd";
	cfg[5].initrd = "/";
	before = open_fds();
	for (int i = 0; i < 6; i++) {
		assert_true(machine_create(&m, &cfg[i]) < 0);
		assert_true(m.why[0]);
		assert_int_equal(open_fds(), before);
	}
	assert_int_equal(run_once("o"), MACHINE_OFF);
	assert_int_equal(open_fds(), before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),	 cmocka_unit_test(test_exits),
		cmocka_unit_test(test_ends),	 cmocka_unit_test(test_resets),
		cmocka_unit_test(test_failures),
	};

	if (argc != 2)
		return 2;
	tiny = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
