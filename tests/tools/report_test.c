/* SPDX-License-Identifier: BSD-2-Clause */
/* Recordings as columns, and what the page says; how it looks is looked at by
 * look-at-report. */
#include "chart.h"
#include "exit.h"
#include "report.h"
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

static int read_text(struct recording *r, const char *text, unsigned int *line)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int err = recording_read(r, f, line);

	fclose(f);
	return err;
}

static void reads_columns(void **state)
{
	static const char text[] =
		"{\"time_ms\": 1000, \"machines\": [{\"name\": \"a\", \"pinned_bytes\": 5}]}\n"
		"{\"time_ms\": 1500, \"machines\": []}\n"
		"{\"time_ms\": 3000, \"machines\": [{\"name\": \"b\", \"pinned_bytes\": null},"
		" {\"name\": \"a\", \"pinned_bytes\": 7, \"devices\":"
		" [{\"host\": \"d\", \"maps_per_second\": 2.5}]}]}\n";
	struct recording r;
	unsigned int line;
	json_t *hosts;
	double *y;

	(void)state;
	assert_int_equal(read_text(&r, text, &line), 0);
	assert_int_equal(r.n, 3);
	assert_true(r.x[0] == 0 && r.x[1] == 0.5 && r.x[2] == 2);
	assert_int_equal(json_array_size(r.names), 2);
	y = recording_column(&r, "a", NULL, "pinned_bytes");
	assert_true(y[0] == 5 && isnan(y[1]) && y[2] == 7);
	free(y);
	y = recording_column(&r, "b", NULL, "pinned_bytes");
	assert_true(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
	free(y);
	y = recording_column(&r, "a", "d", "maps_per_second");
	assert_true(isnan(y[0]) && y[2] == 2.5);
	free(y);
	hosts = recording_devices(&r, "a");
	assert_int_equal(json_array_size(hosts), 1);
	json_decref(hosts);
	recording_end(&r);
}

/* A single peak in a long recording is still there. */
static void keeps_peaks(void **state)
{
	size_t len, points = 0;
	struct recording r;
	unsigned int line;
	char *text;
	double *y, most = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	for (int i = 0; i < 4321; i++)
		fprintf(f,
			"{\"time_ms\": %d, \"machines\": [{\"name\": \"a\", \"refused\": %d}]}\n",
			i, i == 2222 ? 99 : 1);
	fclose(f);
	assert_int_equal(read_text(&r, text, &line), 0);
	assert_true(r.n <= RECORDING_POINTS && r.n > RECORDING_POINTS / 2);
	y = recording_column(&r, "a", NULL, "refused");
	for (size_t i = 0; i < r.n; i++) {
		points += y[i] == 99;
		most = y[i] > most ? y[i] : most;
	}
	assert_int_equal(points, 1);
	assert_true(most == 99);
	free(y);
	recording_end(&r);
	free(text);
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *text;
		int err;
		unsigned int line;
	} row[] = {
		{ "\n", -EINVAL, 1 },
		{ "{}\n", -EINVAL, 1 },
		{ "{\"time_ms\": 1, \"machines\": []}\nx\n", -EINVAL, 2 },
		{ "{\"time_ms\": \"1\", \"machines\": []}\n", -EINVAL, 1 },
		{ "{\"time_ms\": 1, \"machines\": {}}\n", -EINVAL, 1 },
		{ "[1]\n", -EINVAL, 1 },
	};
	struct recording r;
	unsigned int line;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(read_text(&r, row[i].text, &line), row[i].err);
		assert_int_equal(line, row[i].line);
	}
}

static int report(const char *a, const char *b, char **text)
{
	char *argv[] = { "report", (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL };
	size_t len;
	FILE *out = open_memstream(text, &len);
	int status = report_main(b ? 3 : a ? 2 : 1, argv, out);

	fclose(out);
	return status;
}

static void statuses(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(report(NULL, NULL, &text), CLI_USAGE);
	free(text);
	assert_int_equal(report("--frob", NULL, &text), CLI_USAGE);
	free(text);
	assert_int_equal(report("a", "b", &text), CLI_USAGE);
	free(text);
	assert_int_equal(report("--title", NULL, &text), CLI_USAGE);
	free(text);
	assert_int_equal(report("/no/such", NULL, &text), CLI_FAILED);
	free(text);
	assert_int_equal(report("/dev/null", NULL, &text), CLI_FAILED); /* empty */
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(report("--help", NULL, &text), CLI_OK);
	assert_non_null(strstr(text, "Example:\n  viaduct report "));
	free(text);
}

static void values_for_people(void **state)
{
	static const struct {
		double v;
		enum chart_unit unit;
		const char *text;
	} row[] = {
		{ 0, CHART_BYTES, "0 B" },
		{ 1536, CHART_BYTES, "1.5 KiB" },
		{ 1024.0 * 1024 * 1024, CHART_BYTES, "1 GiB" },
		{ 1e30, CHART_BYTES, "9.095e+17 TiB" },
		{ 12345, CHART_PER_SECOND, "12.35k" },
		{ 0.5, CHART_PER_SECOND, "0.5" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		chart_value(text, sizeof(text), row[i].v, row[i].unit);
		assert_string_equal(text, row[i].text);
	}
}

/* Any numbers end, and stay inside of the picture. */
static void odd_numbers(void **state)
{
	static const double value[] = { 0, 1e-9, 1, 1e18, NAN };
	double x[3] = { 0, 0, 0 }, y[3];
	char *text;
	size_t len;

	(void)state;
	for (int i = 0; i < 125; i++) {
		struct chart c = { "c", i % 2, x, 3, { { "s", y } }, 1 };
		FILE *f = open_memstream(&text, &len);

		for (int k = 0, n = i; k < 3; k++, n /= 5)
			y[k] = value[n % 5];
		chart_print(f, &c);
		fclose(f);
		assert_true(len < 10000);
		assert_null(strstr(text, "nan"));
		assert_null(strstr(text, "inf"));
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_columns),	cmocka_unit_test(keeps_peaks),
		cmocka_unit_test(refuses_what_is_none), cmocka_unit_test(statuses),
		cmocka_unit_test(values_for_people),	cmocka_unit_test(odd_numbers),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
