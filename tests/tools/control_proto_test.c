/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_proto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* needs the four above */
#include <cmocka.h>

static int echo(void *ctx, const json_t *args, json_t **result, struct control_error *e)
{
	(void)ctx, (void)e;
	*result = json_deep_copy(args);
	return 0;
}

static int add(void *ctx, const json_t *args, json_t **result, struct control_error *e)
{
	json_int_t a, b = *(const int *)ctx;

	if (control_args(args, e, "{s:I,s?I}", "a", &a, "b", &b))
		return -1;
	if (a < 0)
		return control_fail(e, CONTROL_BUSY, "%d is \"below\" \xc3\xa4", (int)a);
	*result = json_integer(a + b);
	return 0;
}

static const struct control_command commands[] = {
	{ "echo", "says it again", echo },
	{ "add", "adds", add },
};

static int forty = 40;
static const struct control_table table = { commands, 2, &forty };

static void expect(const char *line, const char *want)
{
	char *got = control_answer(&table, line, strlen(line));

	assert_non_null(got);
	assert_int_equal(got[strlen(got) - 1], '\n');
	got[strlen(got) - 1] = '\0';
	assert_null(strchr(got, '\n'));
	assert_string_equal(got, want);
	free(got);
}

static void expect_error(const char *line, const char *class)
{
	char want[64], *got = control_answer(&table, line, strlen(line));

	snprintf(want, sizeof(want), "{\"error\":{\"class\":\"%s\",", class);
	if (strncmp(got, want, strlen(want)))
		fail_msg("%.80s: %s", line, got);
	free(got);
}

static void test_good(void **state)
{
	(void)state;
	expect("{\"execute\":\"echo\"}", "{\"return\":{}}");
	expect("{\"execute\":\"echo\",\"arguments\":{\"x\":[1]},\"id\":null}",
	       "{\"return\":{\"x\":[1]},\"id\":null}");
	expect(" {\"id\": {\"a\":[\"b\"]}, \"arguments\":{\"a\":2}, \"execute\":\"add\"}\r",
	       "{\"return\":42,\"id\":{\"a\":[\"b\"]}}");
	expect("{\"execute\":\"query-commands\"}",
	       "{\"return\":[{\"name\":\"query-commands\",\"help\":\"list the commands\"},"
	       "{\"name\":\"echo\",\"help\":\"says it again\"},"
	       "{\"name\":\"add\",\"help\":\"adds\"}]}");
}

static void test_errors(void **state)
{
	(void)state;
	expect("{\"execute\":\"add\",\"arguments\":{\"a\":-1},\"id\":7}",
	       "{\"error\":{\"class\":\"DeviceBusy\",\"desc\":\"-1 is \\\"below\\\" "
	       "??\"},\"id\":7}");
	expect("{\"execute\":\"nope\"}",
	       "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"there is no command "
	       "\\\"nope\\\"; query-commands lists them\"}}");
	expect_error("{\"execute\":\"add\"}", CONTROL_BAD_ARGUMENTS);
	expect_error("{\"execute\":\"add\",\"arguments\":{\"a\":1,\"c\":1}}",
		     CONTROL_BAD_ARGUMENTS);
	expect_error("{\"execute\":\"add\",\"arguments\":{\"a\":\"1\"}}", CONTROL_BAD_ARGUMENTS);
	expect_error("{\"execute\":\"query-commands\",\"arguments\":{\"a\":1}}",
		     CONTROL_BAD_ARGUMENTS);
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"{",
		"}",
		"[]",
		"7",
		"\"x\"",
		"null",
		"{}",
		"{}{}",
		"{\"execute\":1}",
		"{\"execute\":null}",
		"{\"execute\":\"echo\"",
		"\xff\xfe",
		"{\"execute\":\"echo\",\"arguments\":[]}",
		"{\"execute\":\"echo\",\"arguments\":null}",
		"{\"execute\":\"echo\",\"more\":1}",
		"{\"execute\":\"echo\",\"execute\":\"add\"}",
		"{\"execute\":\"echo\",\"id\":1e999}",
		"{\"execute\":\"echo\",\"id\":99999999999999999999}",
		"{\"execute\":\"ec\\u0000ho\"}",
		"{'execute':'echo'}",
		"{\"execute\":\"echo\",}",
		"{\"execute\":\"echo\"} x",
		"GET / HTTP/1.0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_error(rows[i], CONTROL_BAD_REQUEST);
	expect_error("{\"execute\":\"\xc3\xa4\xc3\xa4\"}", CONTROL_NO_COMMAND);
}

static void test_deep(void **state)
{
	static char line[CONTROL_LINE_MAX];
	char *got;

	(void)state;
	memset(line, '[', sizeof(line) - 1);
	expect_error(line, CONTROL_BAD_REQUEST);
	/* A command's name as long as a line is quoted in part. */
	memcpy(line, "{\"execute\":\"", 12);
	memset(line + 12, 'x', sizeof(line) - 12 - 3);
	memcpy(line + sizeof(line) - 3, "\"}", 3);
	got = control_answer(&table, line, strlen(line));
	assert_true(strlen(got) < 256);
	free(got);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool fine;
		uint64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "010", true, 10 }, /* not octal */
		{ "0x10", true, 16 },
		{ "0XfF", true, 255 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "0xffffffffffffffff", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "0x10000000000000000", false, 0 },
		{ "", false, 0 },
		{ "0x", false, 0 },
		{ "0x0x1", false, 0 },
		{ "x1", false, 0 },
		{ "1f", false, 0 },
		{ "ff", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "+1", false, 0 },
		{ "-1", false, 0 },
		{ "0x-1", false, 0 },
		{ "1.5", false, 0 },
		{ "1K", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 77;

		if (control_number(rows[i].text, &v) != rows[i].fine ||
		    v != (rows[i].fine ? rows[i].value : 77))
			fail_msg("'%s'", rows[i].text);
	}
}

static void test_greeting(void **state)
{
	char *got = control_greeting("1.2.3");

	(void)state;
	assert_string_equal(got, "{\"viaduct\":{\"version\":\"1.2.3\",\"protocol\":1}}\n");
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_deep),
		cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_greeting),
	};

	return cmocka_run_group_tests_name("control_proto", tests, NULL, NULL);
}
