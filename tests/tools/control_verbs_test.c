/* SPDX-License-Identifier: BSD-2-Clause */
/* What each command answers, on a domain that is a stub. */
#include "control_verbs.h"
#include "stub_domain.h"
#include "stub_machine.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

static struct {
	struct vd_domain domain;
	struct vd_hal hal;
	struct control_vm vm;
	struct control_table table;
	int permit_err, deny_err, quits;
	uint32_t permitted, denied;
} f;

static int do_permit(void *opaque, uint32_t guest_id)
{
	assert_ptr_equal(opaque, &f);
	f.permitted = guest_id;
	return f.permit_err;
}

static int do_deny(void *opaque, uint32_t guest_id)
{
	assert_ptr_equal(opaque, &f);
	f.denied = guest_id;
	f.domain.dev[0].state = VD_DEVICE_DENIED;
	return f.deny_err;
}

static void do_quit(void *opaque)
{
	assert_ptr_equal(opaque, &f);
	f.quits++;
}

static void do_exits(void *opaque, void (*visit)(void *, const char *, uint64_t), void *ctx)
{
	assert_ptr_equal(opaque, &f);
	visit(ctx, "pci-config", 3);
	visit(ctx, "serial", 10);
	visit(ctx, "pci-config", 4);
}

static const struct control_vm_ops ops = { do_permit,	    do_deny,	    do_quit,	 do_exits,
					   stub_start_us,   stub_balloon,   stub_relief, stub_share,
					   stub_interrupts, stub_powerdown, stub_why };

static int setup(void **state)
{
	struct control_cfg cfg;

	(void)state;
	memset(&f, 0, sizeof(f));
	stub_domain_init(&f.domain, &f.hal);
	f.vm = (struct control_vm){
		.name = "test",
		.domain = &f.domain,
		.hal = &f.hal,
		.ops = &ops,
		.opaque = &f,
		.nvcpus = 2,
		.granule = 4096,
		.ram_len = 1 << 30,
	};
	control_vm_cfg(&f.vm, "/x", &cfg);
	f.table = cfg.table;
	return 0;
}

/* A new reference to the whole answer. */
static json_t *ask(const char *command, const char *args)
{
	char line[256], *text;
	json_t *j;

	snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"arguments\":%s}", command, args);
	text = control_answer(&f.table, line, strlen(line));
	j = json_loads(text, 0, NULL);
	assert_non_null(j);
	free(text);
	return j;
}

static json_t *ask_good(const char *command, const char *args)
{
	json_t *j = ask(command, args), *r = json_object_get(j, "return");

	if (!r)
		fail_msg("%s: %s", command, json_dumps(j, 0));
	json_incref(r);
	json_decref(j);
	return r;
}

static void ask_bad(const char *command, const char *args, const char *class)
{
	json_t *j = ask(command, args), *e = json_object_get(j, "error");

	assert_string_equal(json_string_value(json_object_get(e, "class")), class);
	assert_true(json_string_length(json_object_get(e, "desc")) > 5);
	json_decref(j);
}

static void is_number(json_t *j, const char *key, json_int_t want)
{
	json_t *v = json_object_get(j, key);

	if (!json_is_integer(v) || json_integer_value(v) != want)
		fail_msg("%s is %s, not %lld", key, v ? json_dumps(v, JSON_ENCODE_ANY) : "missing",
			 (long long)want);
}

static void is_text(json_t *j, const char *key, const char *want)
{
	assert_string_equal(json_string_value(json_object_get(j, key)), want);
}

static void test_status(void **state)
{
	json_t *j = ask_good("status", "{}"), *exits = json_object_get(j, "exits");

	(void)state;
	is_text(j, "name", "test");
	is_text(j, "iommu", "none");
	is_number(j, "pid", getpid());
	is_number(j, "vcpus", 2);
	is_number(j, "guest_ram_bytes", 1 << 30);
	is_number(j, "pinned_bytes", 8192);
	is_number(j, "pinned_peak_bytes", 1 << 20);
	is_number(j, "mapped_bytes", 4096);
	is_number(j, "mapped_peak_bytes", 1 << 19);
	is_number(j, "swapped_bytes", 0);
	is_number(j, "swapped_peak_bytes", 0);
	is_number(j, "mappings", 2);
	is_number(j, "devices", 2);
	is_number(j, "faults", 7);
	is_number(exits, "pci-config", 7);
	is_number(exits, "serial", 10);
	assert_true(json_is_null(json_object_get(j, "budget_bytes")));
	assert_true(json_is_true(json_object_get(j, "hal_in_charge")));
	assert_true(json_integer_value(json_object_get(j, "vmm_resident_bytes")) > 4096);
	assert_true(json_integer_value(json_object_get(j, "uptime_ms")) >= 0);
	assert_int_equal(json_integer_value(json_object_get(j, "start_us")), STUB_START_US);
	json_decref(j);

	f.domain.stats.budget = 1 << 20;
	f.domain.stats.pinned = UINT64_MAX; /* no JSON reader's business */
	f.vm.hal = NULL;
	j = ask_good("status", "{}");
	is_number(j, "budget_bytes", 1 << 20);
	is_number(j, "pinned_bytes", INT64_MAX);
	assert_true(json_is_false(json_object_get(j, "hal_in_charge")));
	json_decref(j);
}

static void test_devices(void **state)
{
	json_t *j = ask_good("devices", "{}"), *d;

	(void)state;
	assert_int_equal(json_array_size(j), 2);
	d = json_array_get(j, 0);
	is_text(d, "host", "0000:03:00.0");
	is_number(d, "guest_id", 8);
	is_text(d, "state", "permitted");
	assert_true(json_is_null(json_object_get(d, "why")));
	is_number(d, "mapped_bytes", 4096);
	d = json_array_get(j, 1);
	is_text(d, "host", "10001:04:00.1");
	is_text(d, "state", "denied");
	is_text(d, "why", "it was seen doing wrong");
	is_number(d, "denies", 1);
	json_decref(j);
	f.domain.ndevs = 0;
	j = ask_good("devices", "{}");
	assert_int_equal(json_array_size(j), 0);
	json_decref(j);
}

static void test_names(void **state)
{
	static const struct {
		const char *args;
		uint32_t id;
	} good[] = {
		{ "{\"device\":\"0000:03:00.0\"}", 8 },
		{ "{\"device\":\"03:00.0\"}", 8 },
		{ "{\"device\":\"8\"}", 8 },
		{ "{\"device\":\"0x8\"}", 8 },
		{ "{\"device\":8}", 8 },
		{ "{\"device\":\"10001:04:00.1\"}", 16 },
		{ "{\"device\":\"16\"}", 16 },
	};
	static const char *const none[] = {
		"{\"device\":\"04:00.1\"}", "{\"device\":\"\"}",
		"{\"device\":\"9\"}",	    "{\"device\":-8}",
		"{\"device\":4294967304}",  "{\"device\":\"4294967304\"}",
		"{\"device\":\"+8\"}",	    "{\"device\":\"-8\"}",
		"{\"device\":\"8 \"}",	    "{\"device\":\"99999999999999999999999\"}",
		"{\"device\":\"%s%n\"}",
	};
	static const char *const bad[] = {
		"{}",
		"{\"device\":null}",
		"{\"device\":[]}",
		"{\"device\":8.0}",
		"{\"device\":8,\"x\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		f.denied = 0;
		json_decref(ask_good("deny", good[i].args));
		assert_int_equal(f.denied, good[i].id);
	}
	f.denied = 0;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ask_bad("deny", none[i], CONTROL_NO_DEVICE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ask_bad("deny", bad[i], CONTROL_BAD_ARGUMENTS);
	assert_int_equal(f.denied, 0);
}

static void test_change(void **state)
{
	static const struct {
		int err;
		const char *class;
	} rows[] = {
		{ -ENODEV, CONTROL_NO_DEVICE },
		{ -EBUSY, CONTROL_BUSY },
		{ -EIO, CONTROL_NOT_QUIESCED },
		{ -ENOMEM, CONTROL_FAILED },
	};
	json_t *j = ask_good("deny", "{\"device\":8}");

	(void)state;
	is_text(j, "state", "denied");
	json_decref(j);
	json_decref(ask_good("permit", "{\"device\":16}"));
	assert_int_equal(f.permitted, 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.permit_err = f.deny_err = rows[i].err;
		ask_bad("permit", "{\"device\":8}", rows[i].class);
		ask_bad("deny", "{\"device\":8}", rows[i].class);
	}
}

static void test_mappings(void **state)
{
	json_t *j = ask_good("mappings", "{\"device\":8}"), *m;

	(void)state;
	is_number(j, "total", 2);
	is_number(j, "mapped_bytes", 4096);
	m = json_object_get(j, "mappings");
	assert_int_equal(json_array_size(m), 2);
	is_text(json_array_get(m, 1), "bus", "0xffffffff00001000");
	is_text(json_array_get(m, 1), "guest", "0x1000");
	is_number(json_array_get(m, 1), "bytes", 4096);
	is_text(json_array_get(m, 0), "rights", "r");
	is_text(json_array_get(m, 1), "rights", "w");
	json_decref(j);

	f.domain.nmappings = STUB_MAPPINGS;
	j = ask_good("mappings", "{\"device\":8,\"from\":2900,\"max\":1024}");
	m = json_object_get(j, "mappings");
	is_number(j, "from", 2900);
	assert_int_equal(json_array_size(m), 100);
	is_text(json_array_get(m, 0), "rights", "rw");
	json_decref(j);
	j = ask_good("mappings", "{\"device\":8,\"max\":0}");
	assert_int_equal(json_array_size(json_object_get(j, "mappings")), 0);
	json_decref(j);
	j = ask_good("mappings", "{\"device\":8}");
	assert_int_equal(json_array_size(json_object_get(j, "mappings")), 256);
	json_decref(j);
	ask_bad("mappings", "{\"device\":8,\"max\":1025}", CONTROL_BAD_ARGUMENTS);
	ask_bad("mappings", "{\"device\":8,\"max\":-1}", CONTROL_BAD_ARGUMENTS);
	ask_bad("mappings", "{\"device\":8,\"from\":-1}", CONTROL_BAD_ARGUMENTS);
	ask_bad("mappings", "{\"device\":8,\"from\":\"1\"}", CONTROL_BAD_ARGUMENTS);
	ask_bad("mappings", "{}", CONTROL_BAD_ARGUMENTS);
}

static void test_counters(void **state)
{
	json_t *j = ask_good("counters", "{}"), *part;

	(void)state;
	part = json_object_get(j, "domain");
	is_number(part, "maps", 100);
	is_number(part, "refused_budget", 1);
	is_number(part, "faults", 7);
	part = json_object_get(j, "hal");
	is_number(part, "requests", 50);
	is_number(json_object_get(part, "answers"), "ok", 48);
	is_number(json_object_get(part, "answers"), "invalid", 2);
	is_number(json_object_get(part, "answers"), "busy", 0);
	is_number(json_object_get(j, "exits"), "serial", 10);
	assert_int_equal(json_array_size(json_object_get(j, "devices")), 2);
	is_number(json_object_get(j, "pins"), "cached_bytes", 12288);
	json_decref(j);
	f.vm.hal = NULL;
	j = ask_good("counters", "{}");
	assert_true(json_is_null(json_object_get(j, "hal")));
	json_decref(j);
}

static void test_faults(void **state)
{
	json_t *j = ask_good("faults", "{\"max\":1}"), *fault;

	(void)state;
	is_number(j, "total", 7);
	fault = json_array_get(json_object_get(j, "faults"), 0);
	is_text(fault, "host", "0000:03:00.0");
	is_text(fault, "bus", "0x1000");
	is_text(fault, "access", "read");
	is_text(fault, "reason", "unmapped");
	json_decref(j);
	j = ask_good("faults", "{}");
	assert_int_equal(json_array_size(json_object_get(j, "faults")), 1);
	fault = json_array_get(json_object_get(j, "faults"), 0);
	is_number(fault, "guest_id", 99);
	is_text(fault, "host", ""); /* that device is gone */
	is_text(fault, "bus", "0xffffffffffffffff");
	is_text(fault, "access", "write");
	json_decref(j);
	j = ask_good("faults", "{}");
	assert_int_equal(json_array_size(json_object_get(j, "faults")), 0);
	json_decref(j);
}

static void test_balloon(void **state)
{
	const struct balloon_stats said = {
		.driver = true,
		.actual = 1,
		.inflated = 2,
		.deflated = 3,
		.reported = 4,
		.discarded = 5,
		.refused_pinned = 6,
		.refused_other = 7,
		.broken = 8,
	};
	json_t *j;

	(void)state;
	stub_balloon_set(&said);
	j = ask_good("balloon", "{\"bytes\": 4096}");
	assert_true(json_is_true(json_object_get(j, "driver")));
	assert_true(json_is_false(json_object_get(j, "reporting")));
	is_number(j, "target_bytes", 4096);
	is_number(j, "actual_bytes", 1);
	is_number(j, "largest_bytes", 1 << 29);
	is_number(j, "inflated_bytes", 2);
	is_number(j, "deflated_bytes", 3);
	is_number(j, "reported_bytes", 4);
	is_number(j, "discarded_bytes", 5);
	is_number(j, "refused_pinned_bytes", 6);
	is_number(j, "refused_other_bytes", 7);
	is_number(j, "broken_queues", 8);
	json_decref(j);
	ask_bad("balloon", "{\"bytes\": -1}", "BadArguments");
	ask_bad("balloon", "{\"bytes\": \"1M\"}", "BadArguments");
	ask_bad("balloon", "{\"bytes\": 536870913}", "BadArguments");
	ask_bad("balloon", "{\"size\": 1}", "BadArguments");
	j = ask_good("balloon", "{}"); /* looks only */
	is_number(j, "target_bytes", 4096);
	json_decref(j);
}

static void test_budget(void **state)
{
	json_t *j;

	(void)state;
	j = ask_good("budget", "{\"bytes\": 8192}");
	is_number(j, "budget_bytes", 8192);
	is_number(j, "pinned_bytes", 8192);
	json_decref(j);
	ask_bad("budget", "{\"bytes\": 0}", "BadArguments");
	ask_bad("budget", "{\"bytes\": 4095}", "BadArguments");
	ask_bad("budget", "{\"bytes\": 8192.0}", "BadArguments");
	ask_bad("budget", "{\"bytes\": 9223372036854775808}", "BadRequest");
	ask_bad("budget", "{\"bytes\": -4096}", "BadArguments");
	ask_bad("budget", "{\"bytes\": \"none\"}", "BadArguments");
	j = ask_good("budget", "{}");
	is_number(j, "budget_bytes", 8192);
	json_decref(j);
	j = ask_good("budget", "{\"bytes\": null}");
	assert_true(json_is_null(json_object_get(j, "budget_bytes")));
	json_decref(j);
}

static void test_pressure(void **state)
{
	json_t *j = ask_good("pressure", "{}"), *events = json_object_get(j, "events");

	(void)state;
	assert_true(json_is_true(json_object_get(j, "on")));
	is_number(events, "psi", 3);
	is_number(events, "cgroup-events", 4);
	assert_int_equal(json_object_size(events), 2); /* no cgroup-psi here */
	is_number(j, "requests", 5);
	is_number(j, "paged_out_bytes", 6 << 20);
	is_number(j, "hot_bytes", 2 << 20);
	json_decref(j);
}

static void test_why_pinned(void **state)
{
	json_t *j, *cached;

	(void)state;
	j = ask_good("why-pinned", "{\"guest\":\"0x1abc\"}");
	is_text(j, "guest", "0x1000");
	assert_true(json_is_true(json_object_get(j, "pinned")));
	is_number(j, "mappings", 2);
	assert_int_equal(json_array_size(json_object_get(j, "mapped_by")), 1);
	cached = json_object_get(j, "cached");
	is_text(cached, "host", "10001:04:00.1");
	is_number(cached, "asked", 3);
	is_number(cached, "held", 1);
	json_decref(j);
	f.domain.around = true;
	j = ask_good("why-pinned", "{\"guest\":4096}");
	assert_true(json_is_true(json_object_get(json_object_get(j, "cached"), "neighbour")));
	json_decref(j);
	j = ask_good("why-pinned", "{\"guest\":0}");
	assert_true(json_is_false(json_object_get(j, "pinned")));
	assert_true(json_is_null(json_object_get(j, "cached")));
	json_decref(j);
	ask_bad("why-pinned", "{}", CONTROL_BAD_ARGUMENTS);
	ask_bad("why-pinned", "{\"guest\":-1}", CONTROL_BAD_ARGUMENTS);
	ask_bad("why-pinned", "{\"guest\":\"x\"}", CONTROL_BAD_ARGUMENTS);
	ask_bad("why-pinned", "{\"guest\":\"99999999999999999999\"}", CONTROL_BAD_ARGUMENTS);
	ask_bad("why-pinned", "{\"guest\":1099511627776}", CONTROL_BAD_ARGUMENTS);
}

static void test_powerdown(void **state)
{
	json_t *j = ask_good("powerdown", "{}");

	(void)state;
	is_number(j, "grace_ms", 30000);
	is_number(j, "left_ms", 29000);
	assert_true(json_is_false(json_object_get(j, "listens")));
	json_decref(j);
	ask_bad("powerdown", "{\"grace_ms\": 1}", "BadArguments");
}

static void test_quit(void **state)
{
	(void)state;
	ask_bad("quit", "{\"now\":true}", CONTROL_BAD_ARGUMENTS);
	assert_int_equal(f.quits, 0);
	json_decref(ask_good("quit", "{}"));
	assert_int_equal(f.quits, 1);
}

static void test_no_arguments(void **state)
{
	static const char *const names[] = { "status", "devices", "counters" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		ask_bad(names[i], "{\"x\":1}", CONTROL_BAD_ARGUMENTS);
}

#define T(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_status),	    T(test_devices),	  T(test_names),    T(test_change),
		T(test_mappings),   T(test_counters),	  T(test_faults),   T(test_balloon),
		T(test_why_pinned), T(test_budget),	  T(test_pressure), T(test_powerdown),
		T(test_quit),	    T(test_no_arguments),
	};

	return cmocka_run_group_tests_name("control_verbs", tests, NULL, NULL);
}
