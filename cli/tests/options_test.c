/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: values, messages, help, and what a machine refuses. */
#include "child.h"
#include "exit.h"
#include "unit.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_messages(void **state)
{
	static const struct {
		const char *args[8];
		int status;
		const char *says;
	} rows[] = {
		{ { NULL }, CLI_USAGE, "usage: viaduct" },
		{ { "rum" }, CLI_USAGE, "no such verb: rum" },
		{ { "run" }, CLI_USAGE, "--kernel is missing" },
		{ { "run", "--foo" }, CLI_USAGE, "no such option: --foo" },
		{ { "run", "-x" }, CLI_USAGE, "no such option" },
		{ { "run", "--kernel" }, CLI_USAGE, "wants a value: --kernel" },
		{ { "run", "--kernel", "a", "b" },
		  CLI_USAGE,
		  "unexpected argument: b" },
		{ { "run", "--no-reboot=1" }, CLI_USAGE, "--no-reboot=1" },
		{ { "run", "--memory", "1X" }, CLI_USAGE, "--memory '1X'" },
		{ { "run", "-kernel", "a" },
		  CLI_USAGE,
		  "no such option: -kernel (did you mean --kernel?)" },
		{ { "run", "--kernel", "a", "-m" },
		  CLI_USAGE,
		  "no such option: -m;" },
		{ { "run", "--kernel", "a", "-memory=1G" },
		  CLI_USAGE,
		  "no such option: -memory=1G (did you mean --memory?)" },
		{ { "run", "--name=web", "-enable-kvm" },
		  CLI_USAGE,
		  "no such option: -enable-kvm" },
		{ { "run", "--kernel", "/nowhere" },
		  CLI_FAILED,
		  "kernel cannot be opened: /nowhere" },
	};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&c, rows[i].args);
		assert_int_equal(finish(&c), rows[i].status);
		take_errors(&c, text, sizeof(text));
		assert_non_null(strstr(text, rows[i].says));
		if (i > 0) /* one line */
			assert_ptr_equal(strchr(text, '\n') + 1,
					 text + strlen(text));
		drop(&c);
	}
}

/*
 * Values that are nothing, tiny, huge, no number, or followed by something: for
 * each option, those that it takes and those that it does not. The kernel is
 * not there, so that what is taken ends with that sentence.
 */
static const struct {
	const char *option, *good[6], *bad[18];
} values[] = {
	{ "--kernel", { "/nowhere" }, { "" } },
	{ "--initrd", { "/nowhere" }, { "" } },
	{ "--cmdline", { "", "a" }, { NULL } },
	{ "--append", { "", "a" }, { NULL } },
	{ "--memory",
	  { "64M", "1g", "67108864" },
	  { "", "0", "0K", "-1", "+1G", " 1G", "1G ", "1GB", "1.5G",
	    "0x40000000", "1e9", "none", "16777216T", "8388608T",
	    "99999999999999999999" } },
	{ "--cpus",
	  { "1", "01", "4096" },
	  { "", "0", "-1", "+1", " 1", "1 ", "1K", "1.0", "0x1", "4097",
	    "4294967297", "99999999999999999999", "all" } },
	{ "--granule", { "4K", "4096", "2M" }, { "", "0", "8K", "4k " } },
	{ "--budget",
	  { "none", "4K", "5000", "1G" },
	  { "", "0", "0G", "1000", "4095", "-1", "None", "unlimited",
	    "16777216T", "1M1" } },
	{ "--host-budget",
	  { "4K", "1G" },
	  { "", "0", "1000", "none", "-4K", "9223372036854775808" } },
	{ "--pin", { "io_uring", "all", "mlock" }, { "", "glue", "ALL" } },
	{ "--pool", { "1", "8M" }, { "", "0", "none", "-1", "8388608T" } },
	{ "--name",
	  { "a", "a.b_c-d" },
	  { "", ".", ".a", "a/b", "a b", "../a", "\xc3\xa4", "-\n" } },
	{ "--control", { "/tmp/a" }, { "" } },
	{ "--console", { "stdio", "none" }, { "", "gui", "0" } },
	{ "--assign", { NULL }, { "" } },
	{ "--grace",
	  { "0", "30", "86400" },
	  { "", "-1", "1s", "0.5", "86401", "1K", "never" } },
};

static void test_values(void **state)
{
	char text[4096], want[100];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (int j = 0; j < 6 && values[i].good[j]; j++) {
			START(&c, "run", "--kernel", "/nowhere",
			      values[i].option, values[i].good[j]);
			assert_int_equal(finish(&c), CLI_FAILED);
			take_errors(&c, text, sizeof(text));
			if (!strstr(text, "kernel cannot be opened"))
				fail_msg("%s %s: %s", values[i].option,
					 values[i].good[j], text);
			drop(&c);
		}
		for (int j = 0; j < 18 && values[i].bad[j]; j++) {
			START(&c, "run", "--kernel", "/nowhere",
			      values[i].option, values[i].bad[j]);
			assert_int_equal(finish(&c), CLI_USAGE);
			take_errors(&c, text, sizeof(text));
			snprintf(want, sizeof(want), "%s ", values[i].option);
			if (!strstr(text, want) ||
			    !strstr(text, values[i].bad[j]))
				fail_msg("%s '%s': %s", values[i].option,
					 values[i].bad[j], text);
			drop(&c);
		}
	}
	/* The last counts; a granule decides what is less than one. */
	START(&c, "run", "--kernel", "/nowhere", "--budget", "4K", "--granule",
	      "2M");
	assert_int_equal(finish(&c), CLI_USAGE);
	take_errors(&c, text, sizeof(text));
	assert_non_null(strstr(text, "less than one granule of 2097152"));
	drop(&c);
	START(&c, "run", "--kernel", "/nowhere", "--budget", "4K", "--granule",
	      "2M", "--granule=4K", "--budget=none");
	assert_int_equal(finish(&c), CLI_FAILED);
	drop(&c);
}

static void test_help(void **state)
{
	(void)state;
	START(&c, "run", "--help");
	assert_int_equal(finish(&c), CLI_OK);
	assert_non_null(strstr(c.text, "Example:"));
	assert_non_null(strstr(c.text, "--assign"));
	drop(&c);
	START(&c, "--help");
	assert_int_equal(finish(&c), CLI_OK);
	assert_non_null(strstr(c.text, "  run"));
	drop(&c);
	START(&c, "--version");
	assert_int_equal(finish(&c), CLI_OK);
	assert_memory_equal(c.text, "viaduct ", 8);
	drop(&c);
}

/* What does not arrive is not printed: full, or nobody's descriptor. */
static void test_output(void **state)
{
	static const char *const verbs[] = {
		"--help",	 "--version",	  "run --help",
		"ctl --help",	 "top --help",	  "report -h",
		"doctor --help", "replay --help", "ctl status -h",
	};
	static const char *const to[] = { ">/dev/full", ">&-" };
	char command[500];

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		for (size_t j = 0; j < 2; j++) {
			snprintf(command, sizeof(command),
				 "%s %s 2>&1 %s | grep -q 'cannot write the "
				 "output: '",
				 viaduct, verbs[i], to[j]);
			assert_int_equal(WEXITSTATUS(system(command)), 0);
			snprintf(command, sizeof(command),
				 "%s %s 2>/dev/null %s", viaduct, verbs[i],
				 to[j]);
			assert_int_equal(WEXITSTATUS(system(command)),
					 CLI_FAILED);
		}
	snprintf(command, sizeof(command), "%s report - <&- 2>&1 | grep -q Bad",
		 viaduct);
	assert_int_equal(WEXITSTATUS(system(command)), 0);
}

static void test_refusals(void **state)
{
	static char pipe[64], long_text[300];
	static const struct {
		const char *args[8];
		const char *says;
	} rows[] = {
		{ { "--memory", "63M" }, "memory is too small" },
		{ { "--memory", "65537K", "--granule", "2M" },
		  "not a multiple of the granule" },
		{ { "--memory", "4000T" }, "memory is too large" },
		{ { "--cpus", "4096" }, "too many vCPUs" },
		{ { "--memory", "1000" }, "memory is too small: 1000 bytes" },
		{ { "--kernel", "/etc/passwd" }, "not a bzImage: /etc/passwd" },
		{ { "--kernel", "/" }, "not a regular file: /" },
		{ { "--kernel", pipe }, "not a regular file: /tmp/viaduct-" },
		{ { "--initrd", "/nowhere" },
		  "initrd cannot be opened: /nowhere: No such file" },
		{ { "--initrd", "/" }, "initrd is not a regular file: /" },
		{ { "--initrd", pipe }, "not a regular file: /tmp/viaduct-" },
		/* Says that it has 4096 bytes, and has fewer. */
		{ { "--initrd", "/sys/kernel/uevent_seqnum" },
		  "initrd cannot be read: Input/output error: /sys/kernel/" },
		{ { "--append", long_text },
		  "command line is too long: 313 bytes with what --append" },
	};
	char dir[] = "/tmp/viaduct-run-XXXXXX", text[4096];
	const char *args[16];

	(void)state;
	NEED_KVM();
	memset(long_text, 'a', sizeof(long_text) - 1);
	assert_non_null(mkdtemp(dir));
	snprintf(pipe, sizeof(pipe), "%s/pipe", dir);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = 0;

		args[n++] = "run";
		args[n++] = "--name";
		args[n++] = name;
		args[n++] = "--kernel";
		args[n++] = tiny;
		for (int j = 0; j < 8 && rows[i].args[j]; j++)
			args[n++] = rows[i].args[j];
		args[n] = NULL;
		start(&c, args);
		assert_int_equal(finish(&c), CLI_FAILED);
		take_errors(&c, text, sizeof(text));
		if (!strstr(text, rows[i].says))
			fail_msg("not '%s': %s", rows[i].says, text);
		drop(&c);
	}
	unlink(pipe);
	rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_refusals),
	};

	if (child_main(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
