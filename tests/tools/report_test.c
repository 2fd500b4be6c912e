/* SPDX-License-Identifier: BSD-2-Clause */
/* Recordings as columns, and what the page says; how it looks is looked at by
 * look-at-report. */
#include "chart.h"
#include "exit.h"
#include "report.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

#define GOOD "{\"time_ms\": 1, \"machines\": [{\"name\": \"a\", \"pinned_bytes\": 5}]}\n"

/* Cut anywhere: all lines before it are there, and it is told. */
static void cut_at_the_end(void **state)
{
	static const char whole[] = GOOD GOOD GOOD;
	size_t len = strlen(GOOD);
	char text[sizeof(whole)];
	struct recording r;
	unsigned int line;

	(void)state;
	for (size_t n = 1; n < sizeof(whole); n++) {
		/* A sample may lack its newline, but nothing else. */
		size_t samples = (n + 1) / len;
		bool rest = n % len && (n + 1) % len;

		memcpy(text, whole, n);
		text[n] = '\0';
		if (!samples) {
			assert_int_equal(read_text(&r, text, &line), -EINVAL);
			assert_true(r.cut);
			continue;
		}
		assert_int_equal(read_text(&r, text, &line), 0);
		assert_int_equal(json_array_size(r.samples), samples);
		assert_int_equal(r.cut, rest);
		assert_int_equal(r.nbad, 0);
		assert_int_equal(line, rest ? samples + 1 : 0);
		recording_end(&r);
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

/* Whatever is left of a recording, the page is of it, and says what is not. */
static void damaged(void **state)
{
	static const struct {
		const char *text, *page, *says;
		size_t len;
		int status;
	} row[] = {
		{ GOOD "{\"time_ms\": 2, \"mach", "<p>1 samples in 0.0 s.", "the last line is cut",
		  0, CLI_OK },
		{ GOOD "{\"time_ms\": 2, \"mach", "The last line of the recording is cut",
		  "the last line is cut", 0, CLI_OK },
		{ GOOD "\x80\xff\0\n\n" GOOD, "2 lines of the recording are no samples",
		  "2 lines are none of viaduct top --json and left out, the first is line 2",
		  2 * sizeof(GOOD) - 2 + 5, CLI_FAILED },
		{ GOOD "x\n", "1 samples", "the first is line 2", 0, CLI_FAILED },
		{ GOOD "{\"later\": 1}\n" GOOD "{\"tim", "2 samples", "the last line is cut", 0,
		  CLI_FAILED },
		/* Fields that a later version has, and that it has no more. */
		{ "{\"time_ms\": 1, \"version\": 9, \"machines\": [{\"name\": \"a\", \"new\": "
		  "[]}]}\n",
		  "1 samples", "", 0, CLI_OK },
		{ "{\"time_ms\": 1, \"machines\": [{}, 3, null, {\"name\": 4}]}\n", "1 samples", "",
		  0, CLI_OK },
		{ "\x1f\x8b\b\0\0\0", "", "it is compressed; try zcat ", 6, CLI_FAILED },
		{ "\xfd"
		  "7zXZ\0",
		  "", "it is compressed; try xzcat ", 6, CLI_FAILED },
		{ "{\"time_ms\": 2, \"mach", "", "its only line is cut", 0, CLI_FAILED },
		{ "", "", "it is empty", 0, CLI_FAILED },
		{ "<html>\n", "", "line 1 is no line of viaduct top --json", 0, CLI_FAILED },
	};
	char path[] = "/tmp/report-test-XXXXXX", err[1000], *text;
	int fd = mkstemp(path), keep, to;
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t len = row[i].len ? row[i].len : strlen(row[i].text);

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, row[i].text, len, 0), len);
		to = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		keep = dup(2);
		dup2(to, 2);
		assert_int_equal(report(path, NULL, &text), row[i].status);
		dup2(keep, 2);
		close(keep);
		n = pread(to, err, sizeof(err) - 1, 0);
		err[n > 0 ? n : 0] = '\0';
		close(to);
		if (!strstr(text, row[i].page) || !strstr(err, row[i].says) ||
		    (!*row[i].says && *err))
			fail_msg("row %zu: %s", i, err);
		free(text);
	}
	close(fd);
	unlink(path);
	assert_int_equal(report("/", NULL, &text), CLI_FAILED);
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
		cmocka_unit_test(reads_columns),
		cmocka_unit_test(keeps_peaks),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(cut_at_the_end),
		cmocka_unit_test(damaged),
		cmocka_unit_test(statuses),
		cmocka_unit_test(values_for_people),
		cmocka_unit_test(odd_numbers),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
