/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking and giving back, on a host of files: whatever happens in between, and
 * wherever a keeper is killed, what was found is found again and what was not
 * taken is not touched.
 */
#include "assign_take.h"
#include "made_host.h"
#include "unit.h"
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static char why[256];

static int take(struct made_host *h, struct assign_claim *c)
{
	return assign_take(c, &h->t.s, MADE_BDF, why, sizeof(why));
}

static void write_ok(struct made_host *h, const char *path, const char *value)
{
	assert_int_equal(made_host_write(h, path, value), 0);
}

/* How functions are found. */
static const struct found {
	const char *driver, *override;
	unsigned int command;
} founds[] = {
	{ "nvme", "", 0x0007 },
	{ "nvme", "nvme", 0x0007 },
	{ "", "", 0x0000 },
	{ "", "", 0x0506 }, /* as firmware left it */
	{ "", "vfio-pci", 0x0003 },
	{ "vfio-pci", "vfio-pci", 0x0007 },
	{ MADE_UIO, MADE_UIO, 3 },
};

#define NFOUNDS (sizeof(founds) / sizeof(founds[0]))

static void make(struct made_host *h, const struct found *f)
{
	made_host_make(h, f->driver[0] ? f->driver : NULL);
	if (f->override[0])
		tree_file(&h->t, MADE_DEVICE "/driver_override", f->override);
	made_host_set_command(h, f->command);
}

static void test_found_again(void **state)
{
	struct assign_claim c;
	struct made_host h;

	(void)state;
	for (unsigned int i = 0; i < NFOUNDS; i++) {
		make(&h, &founds[i]);
		assert_int_equal(take(&h, &c), 0);
		assert_int_equal(made_host_claims(&h), 1);
		/* What the VMM and the kernel's uio do to it meanwhile. */
		made_host_set_command(&h, 0x0407);
		assign_give(&c);
		made_host_expect(&h, founds[i].driver, founds[i].override,
				 founds[i].command);
		made_host_expect_control(&h, "auto");
		assert_int_equal(made_host_claims(&h), 0);
		made_host_remove(&h);
	}
}

/* Each step that can fail: the call says so and all is as before. */
static void test_a_step_fails(void **state)
{
	struct assign_claim c;
	struct made_host h;
	unsigned int failed = 0;
	int err;

	(void)state;
	for (unsigned int i = 0; i < NFOUNDS; i++) {
		for (unsigned int n = 1;; n++) {
			make(&h, &founds[i]);
			h.fail_at = n;
			why[0] = '\0';
			err = take(&h, &c);
			if (!err)
				break;
			failed++;
			assert_non_null(strstr(why, MADE_BDF));
			made_host_expect(&h, founds[i].driver,
					 founds[i].override, founds[i].command);
			made_host_expect_control(&h, "auto");
			assert_int_equal(made_host_claims(&h), 0);
			made_host_remove(&h);
		}
		assign_give(&c);
		made_host_remove(&h);
	}
	assert_true(failed >= 2 * NFOUNDS);
}

static void die(struct made_host *h)
{
	(void)h;
	_exit(7);
}

/* A life of a keeper that is killed at its n-th write; true if it was. */
static bool killed_at(struct made_host *h, unsigned int n)
{
	struct assign_claim c;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		h->at = n;
		h->event = die;
		if (take(h, &c) == 0) {
			made_host_set_command(h, 0x0407);
			assign_give(&c);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 7;
}

/* Killed anywhere, and again anywhere in the next run: the one after mends it. */
static void test_killed_at_each_step(void **state)
{
	static const struct found *const some[] = { &founds[0], &founds[3],
						    &founds[5] };
	const unsigned int most = 7;
	struct assign_claim c;
	struct made_host h;
	unsigned int killed = 0;

	(void)state;
	for (unsigned int i = 0; i < 3 * most * most; i++) {
		const struct found *f = some[i / most / most];

		make(&h, f);
		killed += killed_at(&h, 1 + i % most);
		killed += killed_at(&h, 1 + i / most % most);
		assert_int_equal(take(&h, &c), 0);
		assign_give(&c);
		made_host_expect(&h, f->driver, f->override, f->command);
		made_host_expect_control(&h, "auto");
		assert_int_equal(made_host_claims(&h), 0);
		made_host_remove(&h);
	}
	assert_true(killed > 3 * most);
}

/* The same, and no run comes that wants the function: the VMM mends it. */
static void test_mend(void **state)
{
	struct made_host h;

	(void)state;
	for (unsigned int i = 0; i < NFOUNDS * 8; i++) {
		const struct found *f = &founds[i / 8];

		make(&h, f);
		if (killed_at(&h, 1 + i % 8))
			assert_int_equal(assign_mend(&h.t.s, MADE_BDF), 0);
		made_host_expect(&h, f->driver, f->override, f->command);
		made_host_expect_control(&h, "auto");
		assert_int_equal(made_host_claims(&h), 0);
		made_host_remove(&h);
	}
}

static void test_mend_what_is_in_use(void **state)
{
	struct assign_claim c;
	struct made_host h;

	(void)state;
	made_host_make(&h, "nvme");
	assert_int_equal(take(&h, &c), 0);
	assert_int_equal(assign_mend(&h.t.s, MADE_BDF), -EBUSY);
	made_host_expect(&h, MADE_UIO, MADE_UIO, 3);
	assign_give(&c);
	assert_int_equal(assign_mend(&h.t.s, MADE_BDF), -ENOENT);
	made_host_expect(&h, "nvme", "", 7);
	assert_int_equal(made_host_claims(&h), 0);
	made_host_remove(&h);
}

static void swap(struct made_host *h)
{
	made_host_pull(h);
	made_host_plug(h, "nvme");
	made_host_set_command(h, 0x0547);
}

/* Another card in the slot, at each moment of the end: it is not touched. */
static void test_swapped(void **state)
{
	struct assign_claim c;
	struct made_host h;
	unsigned int n = 0;
	bool swapped;

	(void)state;
	do {
		made_host_make(&h, "nvme");
		assert_int_equal(take(&h, &c), 0);
		if (n == 0)
			swap(&h); /* long before */
		h.at = h.stores + n;
		h.event = n ? swap : NULL;
		assign_give(&c);
		swapped = h.pulled;
		if (swapped)
			made_host_expect(&h, "nvme", "", 0x0547);
		else
			made_host_expect(&h, "nvme", "", 7);
		assert_int_equal(made_host_claims(&h), 0);
		made_host_remove(&h);
		n++;
	} while (swapped);
	/* before, unbind, override, bind, power/control; then none */
	assert_int_equal(n, 6);
}

/* It was pulled while it was taken: nothing of the other card changes. */
static void test_swapped_while_taken(void **state)
{
	struct assign_claim c;
	struct made_host h;
	int err;

	(void)state;
	for (unsigned int n = 1; n <= 3; n++) {
		made_host_make(&h, "nvme");
		h.at = n;
		h.event = swap;
		err = take(&h, &c);
		assert_int_equal(h.pulled, 1);
		assert_int_not_equal(err, 0);
		assert_int_equal(made_host_claims(&h), 0);
		/*
		 * At worst it was unbound by its address and probed again: its
		 * driver has enabled INTx then.
		 */
		made_host_expect(&h, "nvme", "", n == 2 ? 0x147 : 0x547);
		made_host_remove(&h);
	}
}

/* A record is about one card of one start of the host. */
static void test_stale_record(void **state)
{
	struct assign_claim c;
	struct made_host h;

	(void)state;
	made_host_make(&h, "nvme");
	assert_true(killed_at(&h, 4));
	swap(&h); /* "nvme" now: what the record says is another's */
	assert_int_equal(assign_mend(&h.t.s, MADE_BDF), -ENOENT);
	made_host_expect(&h, "nvme", "", 0x547);
	made_host_remove(&h);

	made_host_make(&h, "vfio-pci");
	assert_true(killed_at(&h, 4));
	tree_file(&h.t, "/proc/sys/kernel/random/boot_id", "the-next\n");
	assert_int_equal(take(&h, &c), 0);
	assert_string_equal(c.found.driver, MADE_UIO);
	assign_give(&c);
	made_host_remove(&h);
}

/* What others do while it is ours; then what is done, and how all is found. */
static const struct others {
	const char *path[3], *value[3];
	const char *driver, *override;
	unsigned int command;
} others[] = {
	/* unbound by hand */
	{ { "bus/pci/drivers/" MADE_UIO "/unbind" },
	  { MADE_BDF },
	  "nvme",
	  "",
	  0x0007 },
	/* the override is changed, which shows at the end */
	{ { MADE_DEVICE "/driver_override" },
	  { "vfio-pci" },
	  "vfio-pci",
	  "vfio-pci",
	  0x0007 },
	{ { MADE_DEVICE "/driver_override" }, { "\n" }, "nvme", "", 0x0007 },
	/* both, and nobody has it yet: theirs */
	{ { MADE_DEVICE "/driver_override",
	    "bus/pci/drivers/" MADE_UIO "/unbind" },
	  { "vfio-pci", MADE_BDF },
	  "",
	  "vfio-pci",
	  0x0403 },
	/* given back by hand, but for the driver */
	{ { MADE_DEVICE "/driver_override",
	    "bus/pci/drivers/" MADE_UIO "/unbind" },
	  { "\n", MADE_BDF },
	  "nvme",
	  "",
	  0x0007 },
	/* given to somebody else, who uses it */
	{ { MADE_DEVICE "/driver_override",
	    "bus/pci/drivers/" MADE_UIO "/unbind", "bus/pci/drivers_probe" },
	  { "vfio-pci", MADE_BDF, MADE_BDF },
	  "vfio-pci",
	  "vfio-pci",
	  0x0007 },
	/* unbound, then bound to us again */
	{ { "bus/pci/drivers/" MADE_UIO "/unbind", "bus/pci/drivers_probe" },
	  { MADE_BDF, MADE_BDF },
	  "nvme",
	  "",
	  0x0007 },
};

static void test_others_act(void **state)
{
	struct assign_claim c;
	struct made_host h;

	(void)state;
	for (unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct others *o = &others[i];

		made_host_make(&h, "nvme");
		assert_int_equal(take(&h, &c), 0);
		made_host_set_command(&h, 0x0407);
		for (unsigned int j = 0; j < 3 && o->path[j]; j++)
			write_ok(&h, o->path[j], o->value[j]);
		assign_give(&c);
		made_host_expect(&h, o->driver, o->override, o->command);
		assert_int_equal(made_host_claims(&h), 0);
		made_host_remove(&h);
	}
}

/* Put back before another driver comes; and where it is not known, nothing is. */
static void test_control_of_others(void **state)
{
	struct assign_claim c;
	struct made_host h;

	(void)state;
	made_host_make(&h, "nvme");
	assert_int_equal(take(&h, &c), 0);
	write_ok(&h, MADE_DEVICE "/driver_override", "vfio-pci");
	assign_give(&c);
	made_host_expect(&h, "vfio-pci", "vfio-pci", 7);
	made_host_expect_control(&h, "auto");
	made_host_remove(&h);

	made_host_make(&h, "nvme");
	tree_drop(&h.t, MADE_CONTROL); /* a kernel without runtime PM */
	assert_int_equal(take(&h, &c), 0);
	assert_string_equal(c.found.control, "");
	assign_give(&c);
	made_host_expect(&h, "nvme", "", 7);
	made_host_remove(&h);
}

/* The driver found is not loaded any more, or does not want it: not an error. */
static void test_driver_is_gone(void **state)
{
	struct assign_claim c;
	struct made_host h;

	(void)state;
	made_host_make(&h, "vfio-pci");
	assert_int_equal(take(&h, &c), 0);
	tree_drop(&h.t, "bus/pci/drivers/vfio-pci");
	assign_give(&c);
	made_host_expect(&h, "vfio-pci", "vfio-pci", 7); /* by drivers_probe */
	made_host_remove(&h);
}

static void test_refusals(void **state)
{
	struct assign_claim c, second;
	struct made_host h;

	(void)state;
	made_host_make(&h, "nvme");
	assert_int_equal(
		assign_take(&c, &h.t.s, "0000:09:00.0", why, sizeof(why)),
		-ENOENT);
	assert_non_null(strstr(why, "no PCI device 0000:09:00.0"));
	assert_int_equal(take(&h, &c), 0);
	assert_int_equal(take(&h, &second), -EBUSY);
	assert_non_null(strstr(why, "another virtual machine"));
	made_host_expect(&h, MADE_UIO, MADE_UIO, 3);
	assign_give(&c);
	tree_drop(&h.t, "bus/pci/drivers/" MADE_UIO);
	assert_int_equal(take(&h, &c), -ENODEV);
	assert_non_null(strstr(why, "modprobe"));
	tree_dir(&h.t, "bus/pci/drivers/" MADE_UIO);
	tree_drop(&h.t, "/run");
	assert_true(take(&h, &c) < 0);
	assert_non_null(strstr(why, "is /run writable?"));
	made_host_expect(&h, "nvme", "", 7);
	made_host_remove(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_again),
		cmocka_unit_test(test_a_step_fails),
		cmocka_unit_test(test_killed_at_each_step),
		cmocka_unit_test(test_mend),
		cmocka_unit_test(test_mend_what_is_in_use),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_swapped_while_taken),
		cmocka_unit_test(test_stale_record),
		cmocka_unit_test(test_others_act),
		cmocka_unit_test(test_control_of_others),
		cmocka_unit_test(test_driver_is_gone),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
