/* SPDX-License-Identifier: BSD-2-Clause */
/* The window commands on a real adapter without a device. */
#include "control_windows.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
/* needs the four above */
#include <cmocka.h>

#define PAGE  4096
#define LEN   64
#define NREGS 3

static struct {
	struct vd_adapter *a;
	struct vd_policy *policy;
	struct control_windows w;
	void *memory;
	int restless; /* what the drain says */
} f;

static int drain(void *opaque, const struct vd_drain *what)
{
	(void)opaque, (void)what;
	return f.restless;
}

static void tried(void *opaque, const struct vd_policy_record *r)
{
	(void)opaque;
	vd_policy_record(f.policy, r);
}

static int next_record(void *opaque, uint64_t seq, struct vd_policy_record *out)
{
	(void)opaque;
	return vd_policy_next(f.policy, seq, out);
}

static void add_owner(uint32_t id, uint32_t provider)
{
	struct vd_span span = { .hva = f.memory, .len = LEN * PAGE };
	struct vd_owner_cfg cfg = {
		.size = sizeof(cfg), .id = id, .provider = provider, .memory = &span, .nmemory = 1
	};

	assert_int_equal(vd_owner_add(f.a, &cfg), 0);
}

static int setup(void **state)
{
	static const struct vd_adapter_ops ops = { .size = sizeof(ops), .drain = drain };
	static const struct control_windows_ops wops = { tried, next_record };
	struct vd_adapter_cfg a = { .size = sizeof(a), .nregs = NREGS, .ops = &ops };
	struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = LEN };
	struct vd_window_cfg w = {
		.size = sizeof(w), .id = 10, .owner = 1, .bus = { 1 << 28 }, .len = LEN
	};
	struct vd_policy_cfg p = { .size = sizeof(p), .samples = 1, .high = 1, .min_len = 1 };

	(void)state;
	memset(&f, 0, sizeof(f));
	f.memory =
		mmap(NULL, LEN * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(vd_adapter_create(&a, &f.a), 0);
	assert_int_equal(vd_policy_create(&p, &f.policy), 0);
	add_owner(1, VD_NO_OWNER);
	add_owner(2, VD_NO_OWNER);
	add_owner(3, 2);
	assert_int_equal(vd_table_create(f.a, &t, &w.table), 0);
	assert_int_equal(vd_window_create(f.a, &w), 0);
	f.w = (struct control_windows){ .adapter = f.a, .ops = &wops, .first_id = 11 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vd_adapter_destroy(f.a);
	vd_policy_destroy(f.policy);
	munmap(f.memory, LEN * PAGE);
	return 0;
}

/* The answer to a command, the caller's. */
static json_t *answer(const char *command, const char *args)
{
	struct control_table t = control_windows_table(&f.w);
	char line[512], *text;
	json_t *j;

	snprintf(line, sizeof(line), "{\"execute\": \"%s\", \"arguments\": {%s}}", command, args);
	text = control_answer(&t, line, strlen(line));
	j = json_loads(text, 0, NULL);
	assert_non_null(j);
	free(text);
	return j;
}

static void refused(const char *command, const char *args, const char *class)
{
	json_t *j = answer(command, args);
	const char *got = json_string_value(json_object_get(json_object_get(j, "error"), "class"));

	if (!got || strcmp(got, class))
		fail_msg("%s {%s}: %s, not %s", command, args, got ? got : "done", class);
	json_decref(j);
}

/* What came of it, the caller's. */
static json_t *done(const char *command, const char *args)
{
	json_t *j = answer(command, args), *result = json_incref(json_object_get(j, "return"));

	if (!result)
		fail_msg("%s {%s}: %s", command, args, json_dumps(j, 0));
	json_decref(j);
	return result;
}

static json_int_t field(const json_t *j, size_t i, const char *key)
{
	return json_integer_value(
		json_object_get(json_array_get(json_object_get(j, "windows"), i), key));
}

static void do_it(const char *command, const char *args)
{
	json_decref(done(command, args));
}

static void put(uint32_t owner, uint32_t window, uint64_t page)
{
	struct vd_window_range r = { .size = sizeof(r),
				     .owner = owner,
				     .window = window,
				     .bus = { (1 << 28) + page * PAGE },
				     .gpa = { page * PAGE },
				     .len = PAGE,
				     .prot = VD_READ };

	assert_int_equal(vd_window_map(f.a, &r), 0);
}

/* T2.4: by handle: owner, bus address, page, length, register. */
static void t2_4_show(void **state)
{
	json_t *j;

	(void)state;
	put(1, 10, 3);
	j = done("window-show", "\"window\": 10");
	assert_int_equal(field(j, 0, "id"), 10);
	assert_int_equal(field(j, 0, "owner"), 1);
	assert_int_equal(field(j, 0, "register"), 0);
	assert_int_equal(field(j, 0, "entries"), LEN);
	assert_int_equal(field(j, 0, "live"), 1);
	assert_int_equal(field(j, 0, "page_bytes"), PAGE);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(j, "windows"), 0), "bus")),
			    "0x10000000");
	assert_int_equal(json_array_size(json_object_get(j, "changes")), 0);
	json_decref(j);
	j = done("windows", "");
	assert_int_equal(json_integer_value(json_object_get(j, "registers")), NREGS);
	assert_int_equal(json_array_size(json_object_get(j, "windows")), 1);
	json_decref(j);
}

static void split_and_merge(void **state)
{
	json_t *j;

	(void)state;
	j = done("window-split", "\"window\": 10, \"keep\": 48, \"owner\": 2");
	assert_int_equal(field(j, 0, "entries"), 48);
	assert_int_equal(field(j, 1, "id"), 11);
	assert_int_equal(field(j, 1, "owner"), 2);
	assert_int_equal(field(j, 1, "entries"), 16);
	json_decref(j);
	j = done("window-merge", "\"window\": 10, \"with\": 11");
	assert_int_equal(json_array_size(json_object_get(j, "windows")), 1);
	assert_int_equal(field(j, 0, "entries"), LEN);
	assert_int_equal(field(j, 0, "owner"), 1);
	json_decref(j);
	do_it("window-split", "\"window\": 10, \"keep\": 32, \"owner\": 2, \"id\": 99");
	j = done("window-merge", "\"window\": 99, \"with\": 10, \"owner\": 2");
	assert_int_equal(field(j, 0, "id"), 99);
	assert_int_equal(field(j, 0, "owner"), 2);
	json_decref(j);
	j = done("window-show", "\"window\": 99");
	assert_int_equal(json_array_size(json_object_get(j, "changes")), 2);
	json_decref(j);
}

static void lend_and_take_back(void **state)
{
	json_t *j;

	(void)state;
	do_it("window-split", "\"window\": 10, \"keep\": 32, \"owner\": 2");
	j = done("window-lend", "\"window\": 11, \"first\": 0, \"entries\": 8, \"owner\": 3");
	assert_int_equal(field(j, 0, "lent"), 8);
	assert_int_equal(field(j, 1, "owner"), 3);
	assert_int_equal(field(j, 1, "lender"), 11);
	assert_int_equal(field(j, 1, "via"), 2);
	json_decref(j);
	put(3, 12, 32);
	refused("window-take-back", "\"window\": 12", CONTROL_WINDOW_BUSY);
	j = done("window-take-back", "\"window\": 12, \"live\": \"revoke\"");
	assert_int_equal(field(j, 0, "id"), 11);
	assert_int_equal(field(j, 0, "lent"), 0);
	json_decref(j);
}

/* The id of a loan, which ends again, where the program's first one is @first. */
static json_int_t next_id(uint32_t first)
{
	json_int_t id;
	char args[32];
	json_t *j;

	f.w.first_id = first;
	j = done("window-lend", "\"window\": 10, \"first\": 0, \"entries\": 8, \"owner\": 3");
	id = field(j, 1, "id");
	json_decref(j);
	snprintf(args, sizeof(args), "\"window\": %d", (int)id);
	do_it("window-take-back", args);
	return id;
}

/* The lowest from the program's first on, however high others are. */
static void ids_are_chosen(void **state)
{
	(void)state;
	assert_int_equal(next_id(0), 1);
	assert_int_equal(next_id(10), 11);
	do_it("window-split", "\"window\": 10, \"keep\": 32, \"owner\": 2, \"id\": 4294967294");
	assert_int_equal(next_id(0), 1);
	assert_int_equal(next_id(11), 11);
	/* The last number is taken: it begins again. */
	assert_int_equal(next_id(4294967294), 1);
}

struct row {
	const char *command, *args, *class;
};

#define MAX32 "4294967295"
#define BIG   "9223372036854775807"

static const struct row rows[] = {
	{ "windows", "\"a\": 1", CONTROL_BAD_ARGUMENTS },
	{ "deny", "\"device\": 5", CONTROL_NO_DEVICE },
	{ "deny", "\"device\": \"0000:03:00.0\"", CONTROL_NO_DEVICE },
	{ "deny", "\"device\": " MAX32, CONTROL_NO_DEVICE },
	{ "deny", "\"device\": \"" MAX32 "\"", CONTROL_NO_DEVICE },
	{ "permit", "\"device\": -1", CONTROL_NO_DEVICE },
	{ "permit", "\"device\": null", CONTROL_NO_DEVICE },
	{ "permit", "", CONTROL_BAD_ARGUMENTS },
	{ "faults", "\"max\": 1025", CONTROL_BAD_ARGUMENTS },
	{ "faults", "\"max\": -1", CONTROL_BAD_ARGUMENTS },
	{ "window-show", "", CONTROL_BAD_ARGUMENTS },
	{ "window-show", "\"window\": 9", CONTROL_NO_WINDOW },
	{ "window-show", "\"window\": -1", CONTROL_BAD_ARGUMENTS },
	{ "window-show", "\"window\": " MAX32, CONTROL_BAD_ARGUMENTS },
	{ "window-show", "\"window\": 4294967306", CONTROL_BAD_ARGUMENTS }, /* 10 + 2^32 */
	{ "window-split", "\"window\": 10, \"keep\": 0, \"owner\": 2", CONTROL_BAD_ARGUMENTS },
	{ "window-split", "\"window\": 10, \"keep\": 64, \"owner\": 2", CONTROL_BAD_ARGUMENTS },
	{ "window-split", "\"window\": 10, \"keep\": -5, \"owner\": 2", CONTROL_BAD_ARGUMENTS },
	{ "window-split", "\"window\": 10, \"keep\": " BIG ", \"owner\": 2",
	  CONTROL_BAD_ARGUMENTS },
	{ "window-split", "\"window\": 10, \"keep\": 8, \"owner\": 7", CONTROL_NO_WINDOW },
	{ "window-split", "\"window\": 10, \"keep\": 8, \"owner\": 2, \"id\": 10", CONTROL_FAILED },
	{ "window-split", "\"window\": 10, \"keep\": 8, \"owner\": 2, \"live\": \"x\"",
	  CONTROL_BAD_ARGUMENTS },
	{ "window-split", "\"window\": 10, \"keep\": 2, \"owner\": 2", CONTROL_WINDOW_BUSY },
	{ "window-merge", "\"window\": 10, \"with\": 9", CONTROL_NO_WINDOW },
	{ "window-merge", "\"window\": 9, \"with\": 10", CONTROL_NO_WINDOW },
	{ "window-merge", "\"window\": 10, \"with\": 10", CONTROL_BAD_ARGUMENTS },
	{ "window-lend", "\"window\": 10, \"first\": -1, \"entries\": 1, \"owner\": 2",
	  CONTROL_BAD_ARGUMENTS },
	{ "window-lend", "\"window\": 10, \"first\": 60, \"entries\": 5, \"owner\": 2",
	  CONTROL_BAD_ARGUMENTS },
	{ "window-lend", "\"window\": 10, \"first\": " BIG ", \"entries\": " BIG ", \"owner\": 2",
	  CONTROL_BAD_ARGUMENTS },
	{ "window-lend", "\"window\": 9, \"first\": 0, \"entries\": 5, \"owner\": 2",
	  CONTROL_NO_WINDOW },
	{ "window-take-back", "\"window\": 10", CONTROL_NO_WINDOW },
	{ "window-take-back", "\"window\": 9", CONTROL_NO_WINDOW },
};

/* Each is refused by name, and nothing has changed. */
static void refusals(void **state)
{
	json_t *before, *after;

	(void)state;
	put(1, 10, 3);
	before = done("windows", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		refused(rows[i].command, rows[i].args, rows[i].class);
		after = done("windows", "");
		assert_true(json_equal(before, after));
		json_decref(after);
	}
	f.restless = -1;
	refused("window-split", "\"window\": 10, \"keep\": 2, \"owner\": 2, \"live\": \"revoke\"",
		CONTROL_NOT_QUIESCED);
	f.restless = 0;
	after = done("windows", "");
	assert_true(json_equal(before, after));
	json_decref(after);
	json_decref(before);
}

/* Permit, deny, and the faults of it. */
static void permit_and_deny(void **state)
{
	struct vd_reader *r;
	struct vd_target t;
	json_t *j, *fault;

	(void)state;
	put(1, 10, 3);
	assert_int_equal(vd_adapter_attach(f.a, 7, 1), 0);
	assert_int_equal(vd_reader_create(f.a, 7, &r), 0);
	assert_int_equal(vd_translate_once(r, (vd_iova){ (1 << 28) + 3 * PAGE }, VD_READ, &t), 0);
	do_it("deny", "\"device\": \"7\"");
	assert_int_equal(vd_translate_once(r, (vd_iova){ (1 << 28) + 3 * PAGE }, VD_READ, &t),
			 -EPERM);
	j = done("faults", "\"max\": 1");
	assert_int_equal(json_integer_value(json_object_get(j, "total")), 1);
	fault = json_array_get(json_object_get(j, "faults"), 0);
	assert_int_equal(json_integer_value(json_object_get(fault, "guest_id")), 7);
	assert_string_equal(json_string_value(json_object_get(fault, "bus")), "0x10003000");
	assert_string_equal(json_string_value(json_object_get(fault, "access")), "read");
	assert_string_equal(json_string_value(json_object_get(fault, "reason")), "denied");
	json_decref(j);
	do_it("permit", "\"device\": 7");
	assert_int_equal(vd_translate_once(r, (vd_iova){ (1 << 28) + 3 * PAGE }, VD_READ, &t), 0);
	vd_reader_destroy(r);
}

/* No register is left for a third split; the record says so. */
static void registers_run_out(void **state)
{
	json_t *j, *last;

	(void)state;
	do_it("window-split", "\"window\": 10, \"keep\": 32, \"owner\": 2");
	do_it("window-split", "\"window\": 10, \"keep\": 16, \"owner\": 2");
	refused("window-split", "\"window\": 10, \"keep\": 8, \"owner\": 2", CONTROL_FAILED);
	j = done("window-show", "\"window\": 10");
	last = json_array_get(json_object_get(j, "changes"), 2);
	assert_string_equal(json_string_value(json_object_get(last, "cause")), "admin");
	assert_string_not_equal(json_string_value(json_object_get(last, "result")), "ok");
	json_decref(j);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(t2_4_show), T(ids_are_chosen),    T(split_and_merge), T(lend_and_take_back),
		T(refusals),  T(registers_run_out), T(permit_and_deny),
	};

	return cmocka_run_group_tests_name("control_windows", tests, NULL, NULL);
}
