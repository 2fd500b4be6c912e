/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct ctl against a real server with the real commands on a stub domain. */
#include "control_verbs.h"
#include "ctl.h"
#include "exit.h"
#include "stub_domain.h"
#include "stub_machine.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

#define NVMS 2

static struct {
	char dir[64];
	struct vd_domain domain;
	struct vd_hal hal;
	struct control_vm vm[NVMS];
	struct control *control[NVMS];
	_Atomic int quits;
	_Atomic uint32_t denied;
	char *out; /* of the last ctl() */
	char err[1024];
} f;

static int do_permit(void *opaque, uint32_t guest_id)
{
	(void)opaque, (void)guest_id;
	return 0;
}

static int do_deny(void *opaque, uint32_t guest_id)
{
	(void)opaque;
	f.denied = guest_id;
	STUB_SET(&f.domain, dev[0].state = VD_DEVICE_DENIED);
	return 0;
}

static void do_quit(void *opaque)
{
	(void)opaque;
	f.quits++;
}

static void do_exits(void *opaque, void (*visit)(void *, const char *, uint64_t), void *ctx)
{
	(void)opaque;
	visit(ctx, "serial", 10);
}

static const struct control_vm_ops ops = { do_permit,	    do_deny,	    do_quit,	 do_exits,
					   stub_start_us,   stub_balloon,   stub_relief, stub_share,
					   stub_interrupts, stub_powerdown, stub_why };

static void start(int i, const char *name)
{
	struct control_cfg cfg;
	char path[128], why[256];

	f.vm[i] = (struct control_vm){
		.name = name,
		.domain = &f.domain,
		.hal = &f.hal,
		.ops = &ops,
		.nvcpus = 2,
		.ram_len = 3u << 29,
	};
	assert_int_equal(control_path(f.dir, name, path, sizeof(path)), 0);
	control_vm_cfg(&f.vm[i], path, &cfg);
	assert_int_equal(control_create(&cfg, &f.control[i], why, sizeof(why)), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	stub_domain_init(&f.domain, &f.hal);
	snprintf(f.dir, sizeof(f.dir), "/tmp/viaduct-ctl-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	start(0, "web");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < NVMS; i++)
		control_destroy(f.control[i]);
	free(f.out);
	assert_int_equal(rmdir(f.dir), 0);
	return 0;
}

/* Run "ctl @line"; f.out and f.err hold what it said. */
static int ctl(const char *line)
{
	char text[256], *argv[16] = { "ctl" }, *save;
	int argc = 1, status, keep = dup(2), fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	size_t len;
	FILE *out;

	snprintf(text, sizeof(text), "%s", line);
	for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	free(f.out);
	f.out = NULL;
	out = open_memstream(&f.out, &len);
	dup2(fd, 2);
	status = ctl_main(argc, argv, f.dir, out);
	dup2(keep, 2);
	close(keep);
	fclose(out);
	memset(f.err, 0, sizeof(f.err));
	assert_true(pread(fd, f.err, sizeof(f.err) - 1, 0) >= 0);
	close(fd);
	return status;
}

static void says(const char *where, const char *part)
{
	if (!strstr(where, part))
		fail_msg("\"%s\" does not say \"%s\"", where, part);
}

/* @status and, in errors, @part. A failure says one line and no answer. */
static void fails(const char *line, int status, const char *part)
{
	assert_int_equal(ctl(line), status);
	assert_string_equal(f.out, "");
	assert_ptr_equal(strchr(f.err, '\n'), f.err + strlen(f.err) - 1);
	says(f.err, "viaduct ctl: ");
	says(f.err, part);
}

static void good(const char *line, const char *part)
{
	int status = ctl(line);

	if (status || f.err[0])
		fail_msg("%s: status %d, %s", line, status, f.err);
	says(f.out, part);
}

static json_t *good_json(const char *line)
{
	json_t *j;

	good(line, "");
	j = json_loads(f.out, 0, NULL);
	assert_non_null(j);
	return j;
}

static void test_usage(void **state)
{
	static const struct {
		const char *line, *part;
	} rows[] = {
		{ "", "which verb?" },
		{ "frobnicate", "no such verb: frobnicate" },
		{ "--frob status", "no such option: --frob" },
		{ "status --name", "option wants a value: --name" },
		{ "--name a --socket b status", "exclude each other" },
		{ "status web", "unexpected argument: web" },
		{ "deny", "deny wants a DEVICE" },
		{ "permit", "permit wants a DEVICE" },
		{ "deny 8 9", "unexpected argument: 9" },
		{ "mappings 8 9", "unexpected argument: 9" },
		{ "status --count", "takes no --count" },
		{ "--name a/b status", "impossible name: a/b" },
		{ "status -x", "no such option" },
		{ "balloon 12x", "'12x' is no size for balloon" },
		{ "balloon 1M 2M", "unexpected argument: 2M" },
		{ "balloon 9999999T", "is no size" },
		{ "balloon none", "'none' is no size for balloon" },
		{ "budget 0", "'0' is no size for budget, which takes bytes above 0" },
		{ "budget 0K", "'0K' is no size" },
		{ "budget unlimited", "or none" },
		{ "budget -1", "no such option: -1" },
		{ "budget +1", "'+1' is no size" },
		{ "balloon 1M1", "'1M1' is no size" },
		{ "balloon 99999999999999999999", "is no size" },
		{ "-json status", "no such option: -json (did you mean --json?)" },
		{ "-name web status", "did you mean --name?" },
		{ "--name web -socket=x status", "-socket=x (did you mean --socket?)" },
		{ "--json=1 status", "no such option: --json=1" },
		{ "status -xyz", "no such option: -xyz" },
		{ "why-pinned", "why-pinned wants an ADDRESS" },
		{ "why-pinned 0x1z", "wants an ADDRESS" },
		{ "why-pinned 0x", "wants an ADDRESS" },
		{ "why-pinned 0x0x1", "wants an ADDRESS" },
		{ "why-pinned +1", "wants an ADDRESS" },
		{ "why-pinned 99999999999999999999", "wants an ADDRESS" },
		{ "window show 0x", "0x is no number" },
		{ "window show 1.5", "1.5 is no number" },
		{ "why-pinned -1", "no such option" },
		{ "why-pinned 0x1000 2", "unexpected argument: 2" },
		{ "pressure 1M", "unexpected argument: 1M" },
		{ "window", "window wants list, show, split" },
		{ "window frob", "no such verb: window frob" },
		{ "window show", "window show wants 1 operands" },
		{ "window show 1 2", "unexpected argument: 2" },
		{ "window show x", "x is no number" },
		{ "window show -1", "no such option" },
		{ "window split 1 2", "window split wants 3 operands" },
		{ "window split 1 2 9223372036854775808", "is no number" },
		{ "window split 1 2 3 --live maybe", "--live is refuse, revoke or transfer" },
		{ "window merge 1 2 3 4", "unexpected argument: 4" },
		{ "window list --live revoke", "window list takes no --live" },
		{ "window merge 1 2 --id 3", "window merge takes no --id" },
		{ "status --live revoke", "status takes no --live" },
		{ "status --id 1", "status takes no --id" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fails(rows[i].line, CLI_USAGE, rows[i].part);
}

static void test_why_pinned(void **state)
{
	(void)state;
	good("why-pinned 0x1fff", "page           0x1000\npinned         yes\n"
				  "mappings       2 by 0000:03:00.0\n");
	says(f.out, "asked for 3 times, last by 10001:04:00.1");
	says(f.out, "held 1 times and used lately, says the guest");
	good("why-pinned 0x2000", "pinned         no\n");
	fails("why-pinned 0x40000000", CLI_FAILED, "not guest memory");
}

static void test_help(void **state)
{
	static const char *const verbs[] = {
		"status",  "devices", "mappings", "counters",  "faults",
		"permit",  "deny",    "balloon",  "budget",    "pressure",
		"metrics", "window",  "quit",	  "powerdown", "why-pinned",
	};
	char line[64];

	(void)state;
	good("--help", "Exit status: 0");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		good("--help", verbs[i]);
		snprintf(line, sizeof(line), "%s --help", verbs[i]);
		good(line, "Example:\n  viaduct ctl ");
		says(f.out, verbs[i]);
	}
}

static void test_status(void **state)
{
	json_t *j;

	(void)state;
	good("status", "guest RAM      1.5 GiB");
	says(f.out, "pinned         8.0 KiB (at most 1.0 MiB)");
	says(f.out, "budget         no limit");
	says(f.out, "serial               10");
	j = good_json("status --json");
	assert_int_equal(json_integer_value(json_object_get(j, "guest_ram_bytes")), 3u << 29);
	json_decref(j);
	good("--name web status", "machine        web");
}

static void test_devices(void **state)
{
	(void)state;
	good("devices", "0000:03:00.0      8 permitted");
	says(f.out, "10001:04:00.1    16 denied");
	says(f.out, "stopped: it was seen doing wrong");
	STUB_SET(&f.domain, ndevs = 0);
	good("devices", "no device is assigned");
	good("mappings", "no device is assigned");
	fails("mappings 8", CLI_FAILED, "there is no device 8");
}

/* A machine without translation hardware: one sentence, a status of its own. */
static void test_no_windows(void **state)
{
	static const char *const lines[] = {
		"window list",	    "window show 1",	   "window split 1 2 3",
		"window merge 1 2", "window lend 1 2 3 4", "window take-back 1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		fails(lines[i], CLI_NO_WINDOWS, "has no DMA windows");
	assert_int_equal(CLI_NO_WINDOWS, 7);
}

static void test_mappings(void **state)
{
	json_t *j, *one;

	(void)state;
	good("mappings 03:00.0", "0000:03:00.0: 2 mappings, 4.0 KiB");
	says(f.out, "0xffffffff00001000 0x1000                 4096 w");
	good("mappings --count", "10001:04:00.1: 0 mappings, 0 B");
	assert_null(strstr(f.out, "0xffffffff"));
	STUB_SET(&f.domain, nmappings = STUB_MAPPINGS); /* more than one answer holds */
	STUB_SET(&f.domain, dev[0].nmappings = STUB_MAPPINGS);
	j = good_json("mappings --json 8");
	assert_int_equal(json_array_size(j), 1);
	one = json_array_get(j, 0);
	assert_int_equal(json_array_size(json_object_get(one, "mappings")), STUB_MAPPINGS);
	assert_int_equal(json_integer_value(json_object_get(one, "total")), STUB_MAPPINGS);
	json_decref(j);
	j = good_json("mappings --json --count");
	assert_int_equal(json_array_size(j), 2);
	assert_null(json_object_get(json_array_get(j, 0), "mappings"));
	json_decref(j);
	fails("mappings 0000:09:00.0", CLI_FAILED, "there is no device 0000:09:00.0");
}

static void test_others(void **state)
{
	json_t *j;

	(void)state;
	good("counters", "  requests               50");
	says(f.out, "    invalid              2");
	j = good_json("counters --json");
	json_decref(j);
	good("faults", "0000:03:00.0  guest id 8     read  0x1000             unmapped");
	good("faults", "7 faults since the start");
	good("deny 0000:03:00.0", "0000:03:00.0 is denied");
	assert_int_equal(f.denied, 8);
	good("permit 16", "10001:04:00.1 is denied"); /* the stub does nothing */
	good("quit", "");
	assert_int_equal(f.quits, 1);
}

static void test_balloon(void **state)
{
	struct balloon_stats said = { .actual = 3 << 20, .refused_pinned = 8192 };
	json_t *j;

	(void)state;

	stub_balloon_set(&said);
	good("balloon", "driver         none");
	good("balloon 16M", "given          3.0 MiB of 16.0 MiB asked for");
	says(f.out, "refused        8.0 KiB pinned, 0 B other");
	said.driver = said.reporting = true;
	stub_balloon_set(&said);
	good("balloon", "there, reports free pages");
	j = good_json("balloon --json 0");
	assert_int_equal(json_integer_value(json_object_get(j, "target_bytes")), 0);
	assert_int_equal(json_integer_value(json_object_get(j, "refused_pinned_bytes")), 8192);
	json_decref(j);
	fails("balloon 513M", CLI_FAILED, "at most 536870912 bytes");
	assert_int_equal(stub_balloon_get().target, 0);
}

static void test_powerdown(void **state)
{
	(void)state;
	good("powerdown", "power button pressed; the plug is pulled in 29 s\n"
			  "the guest does not listen to it now: it is pressed again until then\n");
	fails("powerdown now", CLI_USAGE, "unexpected argument: now");
}

static void test_budget_and_pressure(void **state)
{
	(void)state;
	good("budget 64M", "budget         64.0 MiB");
	says(f.out, "pinned         8.0 KiB (at most 1.0 MiB)");
	good("budget", "budget         64.0 MiB");
	says(f.out, "host's budget  96.0 MiB, 80.0 MiB taken by 3 machines, 30.0 MiB of it");
	good("budget none", "budget         no limit");
	good("pressure", "psi            3 times");
	says(f.out, "cgroup-events  4 times");
	assert_null(strstr(f.out, "cgroup-psi"));
	says(f.out, "room made      5 times");
	says(f.out, "paged out      6.0 MiB");
}

static void test_several(void **state)
{
	char line[128];

	(void)state;
	start(1, "db");
	fails("status", CLI_USAGE, "several virtual machines run: db, web; choose one");
	good("status --name db", "machine        db");
	snprintf(line, sizeof(line), "status --socket %s/web.sock", f.dir);
	good(line, "machine        web");
	control_destroy(f.control[0]);
	f.control[0] = NULL;
	good("status", "machine        db");
	fails("status --name web", CLI_UNREACHABLE, "no virtual machine answers at");
	control_destroy(f.control[1]);
	f.control[1] = NULL;
	fails("status", CLI_UNREACHABLE, "no virtual machine runs");
	fails("status --socket /dev/null", CLI_UNREACHABLE, "/dev/null");
	fails("status --socket /no/such", CLI_UNREACHABLE, "no virtual machine answers");
}

/* Whoever answers at the socket need not be a machine. */
static void stranger(const char *what, int status, const char *part)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char line[256];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), one;
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/x", f.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (pid == 0) {
		one = accept(fd, NULL, NULL);
		if (write(one, what, strlen(what)) < 0)
			_exit(1);
		shutdown(one, SHUT_WR);
		while (read(one, line, sizeof(line)) > 0)
			;
		_exit(0);
	}
	close(fd);
	snprintf(line, sizeof(line), "status --socket %s/x", f.dir);
	fails(line, status, part);
	unlink(a.sun_path);
}

static void test_strangers(void **state)
{
	(void)state;
	stranger("", CLI_UNREACHABLE, "no virtual machine of viaduct's");
	stranger("SSH-2.0\n", CLI_UNREACHABLE, "no virtual machine of viaduct's");
	stranger("{\"viaduct\":{\"protocol\":2}}\n", CLI_FAILED, "speaks protocol 2");
	stranger("{\"error\":{\"class\":\"TooManyClients\",\"desc\":\"too many\"}}\n", CLI_FAILED,
		 "too many");
	stranger("{\"viaduct\":{\"protocol\":1}}\n", CLI_UNREACHABLE, "went away");
	stranger("{\"viaduct\":{\"protocol\":1}}\n{\"x\":1}\n", CLI_UNREACHABLE, "went away");
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_usage),	    T(test_help),
		T(test_why_pinned), T(test_status),
		T(test_devices),    T(test_no_windows),
		T(test_mappings),   T(test_others),
		T(test_balloon),    T(test_budget_and_pressure),
		T(test_powerdown),  T(test_several),
		T(test_strangers),
	};

	return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
