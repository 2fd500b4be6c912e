/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real guests: recordings of Debian's Linux on a pseries machine, with and
 * without dynamic windows, and with a disk of virtual SCSI. And, so that agreement means something, the same
 * recordings spoiled in one place, which must be found there.
 */
#include "replay.h"
#include "exit.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* needs the four above */
#include <cmocka.h>

#define DEFAULT_LOG TRACES "/papr-default-window.log"
#define DDW_LOG	    TRACES "/papr-ddw-16m.log"
#define VIO_LOG	    TRACES "/papr-virtual-scsi.log"
#define MIB	    (1u << 20)

static char text[MIB], spoiled[MIB], said[MIB];

static void read_log(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
}

/* Replay a text; what is said goes to said. */
static struct replay_counts replay(const char *log)
{
	struct replay_counts n;
	FILE *in = fmemopen((void *)(uintptr_t)log, strlen(log), "r");
	FILE *err = fmemopen(said, sizeof(said), "w");

	assert_non_null(in);
	assert_non_null(err);
	said[0] = '\0';
	assert_int_equal(replay_papr(in, "log", err, &n), 0);
	fclose(in);
	fclose(err);
	return n;
}

static void test_real_guests(void **state)
{
	struct replay_counts n;

	(void)state;
	read_log(DEFAULT_LOG);
	n = replay(text);
	assert_int_equal(n.calls, 569);
	assert_int_equal(n.translations, 507);
	assert_int_equal(n.mismatches, 0);
	read_log(DDW_LOG);
	n = replay(text);
	assert_int_equal(n.calls, 515);
	assert_int_equal(n.translations, 216);
	assert_int_equal(n.mismatches, 0);
	read_log(VIO_LOG);
	n = replay(text);
	assert_int_equal(n.calls, 783);
	assert_int_equal(n.translations, 415);
	assert_int_equal(n.mismatches, 0);
}

/* Put @with in place of the first @what; the number of its line, 0: none. */
static unsigned int spoil(const char *what, const char *with)
{
	char *at = strstr(text, what);
	unsigned int line = 1;

	if (!at)
		return 0;
	for (const char *p = text; p < at; p++)
		line += *p == '\n';
	snprintf(spoiled, sizeof(spoiled), "%.*s%s%s", (int)(at - text), text, with,
		 at + strlen(what));
	return line;
}

static void test_spoiled(void **state)
{
	static const struct {
		const char *log, *what, *with;
	} rows[] = {
		{ DEFAULT_LOG, "ret=0", "ret=-4" },
		{ DEFAULT_LOG, "tce=0x4546003 ret=0", "tce=0x4546003 ret=-4" },
		{ DEFAULT_LOG, "tceN=0x20df003 ret=0", "tceN=0x20df003 ret=-55" },
		{ DEFAULT_LOG, "-> 0x20e0000", "-> 0x20e1000" },
		{ DEFAULT_LOG, "0x1000 ->", "0x2000 ->" },
		{ DEFAULT_LOG, "perm=1", "perm=3" },
		{ DEFAULT_LOG, "perm=3", "perm=1" },
		{ DEFAULT_LOG, "perm=3", "perm=0" },
		{ DEFAULT_LOG, "mask=0xfff", "mask=0xffff" },
		{ DEFAULT_LOG, "ioba=0x40000000 tcevalue", "ioba=0x40200000 tcevalue" },
		{ DEFAULT_LOG, "npages=512", "npages=513" },
		{ DEFAULT_LOG, "pci_stuff liobn=0x80000000", "pci_stuff liobn=0x80000001" },
		{ DEFAULT_LOG, "npages=32", "npages=" },
		{ DEFAULT_LOG, "tce=0x4546003", "tce=0x45460000000003" },
		{ VIO_LOG, "perm=3", "perm=1" },
		{ VIO_LOG, "xlate liobn=0x71000002", "xlate liobn=0x71000003" },
		{ DDW_LOG, "1 windows", "0 windows" },
		{ DDW_LOG, "start addr=0x800000000000000", "start addr=0x400000000000000" },
		{ DDW_LOG, ", liobn=0x80000001", ", liobn=0x80000002" },
		{ DDW_LOG, "page size=0x1000000", "page size=0x2000000" },
		{ DDW_LOG, "page size=0x1000000", "page size=0x1000001" },
		{ DDW_LOG, "requested=0x40000000", "requested=0x10000" },
		{ DDW_LOG, "buid=0x800000020000000", "buid=0x800000020000001" },
		{ DDW_LOG, "iobaN=0x3f", "iobaN=0x40" },
		{ DDW_LOG, "iobaN=0x3f", "iobaN=0xffffffffffffffff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[32];
		unsigned int n;

		read_log(rows[i].log);
		n = spoil(rows[i].what, rows[i].with);
		if (!n)
			fail_msg("%s is not in the log", rows[i].what);
		snprintf(line, sizeof(line), "log:%u: ", n);
		if (replay(spoiled).mismatches == 0)
			fail_msg("%s for %s was not found", rows[i].with, rows[i].what);
		if (!strstr(said, line))
			fail_msg("%s: says %s", line, said);
	}
}

/* What a platform offers is its setting, whatever it is. */
static void test_settings(void **state)
{
	static const struct {
		const char *what, *with;
	} rows[] = {
		{ "mask=0x107", "mask=0x7" },
		{ "mask=0x107", "mask=0x4" },
		{ "mask=0x107", "mask=0x1ff" },
		{ "1 windows", "3 windows" },
		{ "1 windows", "7 windows" },
		{ "max window size=0x80000000", "max window size=0x80000001" },
		{ "max window size=0x80000000", "max window size=0x40" },
		{ "max window size=0x80000000", "max window size=0xffffffff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_log(DDW_LOG);
		assert_int_not_equal(spoil(rows[i].what, rows[i].with), 0);
		if (replay(spoiled).mismatches)
			fail_msg("%s: %s", rows[i].with, said);
	}
}

#define QUERY(windows, tces, mask)                                        \
	"spapr_iommu_ddw_query buid=0x800000020000000 addr=0x0, " windows \
	" windows available, max window size=" tces ", mask=" mask "\n"
#define CREATE(addr)                                                         \
	"spapr_iommu_ddw_create buid=0x800000020000000 addr=0x0, page size=" \
	"0x10000, requested=0x10000000, start addr=" addr ", liobn=0x80000001\n"
#define TABLE	  "spapr_iommu_new_table liobn=0x80000000 table=0x1 fd=-1\n"
#define PUT(addr) "spapr_iommu_pci_put liobn=0x80000001 ioba=" addr " tce=0x10003 ret=0\n"

/* One platform after another, and recordings that contradict themselves. */
static void test_platforms(void **state)
{
	static const struct {
		const char *log;
		uint64_t mismatches;
	} rows[] = {
		{ TABLE QUERY("1", "0x10000", "0x3"), 0 },
		{ TABLE QUERY("0", "0x10000", "0x3"), 0 },
		{ TABLE QUERY("1", "0x10000", "0x3") QUERY("1", "0x10000", "0x3"), 0 },
		{ TABLE QUERY("1", "0x10000", "0x3") QUERY("1", "0x10000", "0x107"), 1 },
		{ TABLE QUERY("1", "0x10000", "0x3") QUERY("1", "0x20000", "0x3"), 1 },
		{ TABLE QUERY("1", "0x10000", "0x3") QUERY("2", "0x10000", "0x3"), 1 },
		{ TABLE QUERY("1", "0x10000", "0x3") CREATE("0x800000000000000")
			  QUERY("0", "0x10000", "0x3"),
		  0 },
		/* Another place for the second window, which is used there. */
		{ TABLE QUERY("1", "0x10000", "0x3") CREATE("0x1000000000") PUT("0x1000010000"),
		  0 },
		/* Nothing says that it was there. */
		{ TABLE QUERY("1", "0x10000", "0x3") CREATE("0x1000000000"), 1 },
		{ TABLE QUERY("1", "0x10000", "0x3") CREATE("0x1000000000")
			  PUT("0x800000000010000"),
		  1 },
		/* Neither the page size nor so many entries were offered. */
		{ TABLE QUERY("1", "0x10000", "0x1") CREATE("0x800000000000000"), 1 },
		{ TABLE QUERY("1", "0xfff", "0x3") CREATE("0x800000000000000"), 1 },
		{ TABLE QUERY("18446744073709551615", "0x10000", "0x3"), 1 },
		{ TABLE QUERY("1", "0xffffffffffffffff", "0x3"), 1 },
		{ TABLE QUERY("1", "0x10000", "0xffffffffffffffff"), 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct replay_counts n = replay(rows[i].log);

		if (n.mismatches != rows[i].mismatches)
			fail_msg("row %zu: %s", i, said);
	}
}

/* Wherever a recording is cut: all before it is replayed, and it is said. */
static void test_cut(void **state)
{
	struct replay_counts n;
	size_t len, from;
	uint64_t lines = 0;

	(void)state;
	read_log(DDW_LOG);
	len = strlen(text);
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	from = len - 100; /* a line and some more */
	for (size_t at = len - 1; at > from; at--) {
		if (at % 5 && text[at - 1] != '\n') {
			lines -= text[at] == '\n';
			continue;
		}
		bool whole = text[at - 1] == '\n';

		lines -= text[at] == '\n';
		text[at] = '\0';
		n = replay(text);
		assert_int_equal(n.mismatches, 0);
		assert_int_equal(n.cut, whole ? 0 : lines + 1);
		assert_string_equal(said, "");
	}
}

/* A call that is not there is found by the access that needed it. */
static void test_call_is_missing(void **state)
{
	(void)state;
	read_log(DEFAULT_LOG);
	assert_int_not_equal(spoil("spapr_iommu_pci_put", "spapr_iommu_xxx_put"), 0);
	assert_true(replay(spoiled).mismatches > 0);
	assert_non_null(strstr(said, "perm is 0, recorded 0x3"));
}

static int verb(const char *path, char *out)
{
	char name[] = "replay", kind[] = "papr", file[4096];
	char *argv[] = { name, kind, file, NULL };
	FILE *o = fmemopen(out, 4096, "w"), *e = fmemopen(said, sizeof(said), "w");
	int status;

	snprintf(file, sizeof(file), "%s", path);
	status = replay_main(3, argv, o, e);
	fclose(o);
	fclose(e);
	return status;
}

static void test_verb(void **state)
{
	char out[4096], path[] = "/tmp/replay-test-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	(void)state;
	assert_int_equal(verb(DDW_LOG, out), CLI_OK);
	assert_string_equal(out, "515 calls, 216 translations, 0 mismatches\n");
	read_log(DDW_LOG);
	assert_int_not_equal(spoil("perm=3", "perm=1"), 0);
	fputs(spoiled, f);
	fclose(f);
	assert_int_equal(verb(path, out), CLI_FAILED);
	assert_string_equal(out, "515 calls, 216 translations, 1 mismatches\n");
	assert_int_equal(strncmp(said, path, strlen(path)), 0);
	f = fopen(path, "w");
	read_log(DDW_LOG);
	fwrite(text, 1, strlen(text) - 5, f);
	fclose(f);
	assert_int_equal(verb(path, out), CLI_OK);
	assert_non_null(strstr(out, " 0 mismatches, cut in line "));
	f = fopen(path, "w");
	fwrite("\x1f\x8b\b\0\0\0\0\0", 1, 8, f);
	fclose(f);
	assert_int_equal(verb(path, out), CLI_FAILED);
	assert_non_null(strstr(said, "it is compressed; try zcat "));
	remove(path);
	assert_int_equal(verb(path, out), CLI_FAILED);
	assert_non_null(strstr(said, "No such file"));
	assert_int_equal(verb("/", out), CLI_FAILED);
	assert_non_null(strstr(said, "Is a directory"));
	assert_int_equal(verb("/dev/null", out), CLI_FAILED);
	assert_non_null(strstr(said, "no calls"));
}

static void test_usage(void **state)
{
	static char name[] = "replay", papr[] = "papr", other[] = "other", opt[] = "--what";
	char *rows[][4] = { { name },
			    { name, papr },
			    { name, other, papr },
			    { name, opt },
			    { name, papr, other, opt } };
	FILE *null = fopen("/dev/null", "w");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[6] = { NULL };
		int argc = 0;

		while (argc < 4 && rows[i][argc]) {
			argv[argc] = rows[i][argc];
			argc++;
		}
		assert_int_equal(replay_main(argc, argv, null, null), CLI_USAGE);
	}
	fclose(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_guests),	cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_call_is_missing), cmocka_unit_test(test_verb),
		cmocka_unit_test(test_usage),		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_platforms),	cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
