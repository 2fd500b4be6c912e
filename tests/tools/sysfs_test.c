/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* needs the four above */
#include <cmocka.h>

static int setup(void **state)
{
	static struct tree t;

	tree_make(&t);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	tree_end(*state);
	return 0;
}

static void test_path(void **state)
{
	static const struct sysfs real = { .root = "/sys" };
	char out[32];

	(void)state;
	assert_int_equal(sysfs_path(&real, "a/b", out, sizeof(out)), 0);
	assert_string_equal(out, "/sys/a/b");
	assert_int_equal(sysfs_path(&real, "/proc/x", out, sizeof(out)), 0);
	assert_string_equal(out, "/proc/x");
	assert_int_equal(sysfs_path(&real, "a/b", out, 8), -ENAMETOOLONG);
	assert_int_equal(sysfs_path(&real, "a/b", out, 9), 0);
	assert_int_equal(sysfs_path(&real, "a/../b", out, 32), -EINVAL);
	assert_int_equal(sysfs_path(&real, "../b", out, 32), -EINVAL);
}

static void test_read(void **state)
{
	struct tree *t = *state;
	char buf[8];

	tree_file(t, "a/text", "hello \n");
	tree_file(t, "/proc/abs", "x");
	tree_file(t, "empty", "");
	assert_int_equal(sysfs_read(&t->s, "a/text", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "hello");
	assert_int_equal(sysfs_read(&t->s, "a/text", buf, 7), -E2BIG);
	assert_int_equal(sysfs_read(&t->s, "/proc/abs", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "x");
	assert_int_equal(sysfs_read(&t->s, "empty", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	assert_int_equal(sysfs_read(&t->s, "none", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(sysfs_read_bytes(&t->s, "a/text", buf, 5), 0);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(sysfs_read_bytes(&t->s, "a/text", buf, 8), -EIO);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int dec, hex;
		uint64_t dec_v, hex_v;
	} rows[] = {
		{ "17\n", 0, 0, 17, 0x17 },
		{ "0x1af4\n", 0, 0, 0x1af4, 0x1af4 },
		{ "010", 0, 0, 10, 0x10 },
		{ "0xffffffffffffffff", 0, 0, UINT64_MAX, UINT64_MAX },
		{ "0x10000000000000000", -EINVAL, -EINVAL, 0, 0 },
		{ "beef", -EINVAL, 0, 0, 0xbeef },
		{ "-1", -EINVAL, -EINVAL, 0, 0 },
		{ " 1", -EINVAL, -EINVAL, 0, 0 },
		{ "1 2", -EINVAL, -EINVAL, 0, 0 },
		{ "", -EINVAL, -EINVAL, 0, 0 },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 0;

		tree_file(t, "n", rows[i].text);
		assert_int_equal(sysfs_read_u64(&t->s, "n", &v), rows[i].dec);
		assert_int_equal(v, rows[i].dec_v);
		v = 0;
		assert_int_equal(sysfs_read_hex(&t->s, "n", &v), rows[i].hex);
		assert_int_equal(v, rows[i].hex_v);
	}
}

static void test_write(void **state)
{
	struct tree *t = *state;
	char buf[16];

	tree_file(t, "w", "");
	assert_int_equal(sysfs_write(&t->s, "w", "0000:00:03.0"), 0);
	assert_int_equal(sysfs_read(&t->s, "w", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "0000:00:03.0");
	assert_int_equal(sysfs_write(&t->s, "none", "x"), -ENOENT);
	assert_int_equal(sysfs_write(&t->s, "bus", "x"), -EISDIR);
}

static void test_link(void **state)
{
	struct tree *t = *state;
	char buf[8];

	tree_link(t, "driver", "../../drivers/nvme");
	tree_link(t, "plain", "name");
	tree_file(t, "file", "");
	assert_int_equal(sysfs_link_name(&t->s, "driver", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "nvme");
	assert_int_equal(sysfs_link_name(&t->s, "driver", buf, 4), -ENAMETOOLONG);
	assert_int_equal(sysfs_link_name(&t->s, "plain", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "name");
	assert_int_equal(sysfs_link_name(&t->s, "file", buf, sizeof(buf)), -EINVAL);
	assert_int_equal(sysfs_link_name(&t->s, "none", buf, sizeof(buf)), -ENOENT);
	assert_true(sysfs_exists(&t->s, "file"));
	assert_false(sysfs_exists(&t->s, "none"));
}

static int join(void *ctx, const char *name)
{
	strcat(strcat(ctx, name), ",");
	return name[0] == 'c' ? 7 : 0;
}

static int join_line(void *ctx, char *line)
{
	return join(ctx, line);
}

static void test_each(void **state)
{
	struct tree *t = *state;
	char names[64] = "", lines[64] = "";

	tree_file(t, "d/b", "");
	tree_file(t, "d/a", "");
	assert_int_equal(sysfs_each(&t->s, "d", join, names), 0);
	assert_string_equal(names, "a,b,");
	tree_file(t, "d/c", "");
	tree_file(t, "d/d", "");
	names[0] = '\0';
	assert_int_equal(sysfs_each(&t->s, "d", join, names), 7);
	assert_string_equal(names, "a,b,c,");
	assert_int_equal(sysfs_each(&t->s, "none", join, names), -ENOENT);

	tree_file(t, "l", "x y\n\nc\nlost\n");
	assert_int_equal(sysfs_lines(&t->s, "l", join_line, lines), 7);
	assert_string_equal(lines, "x y,,c,");
	assert_int_equal(sysfs_lines(&t->s, "none", join_line, lines), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each, setup, teardown),
	};

	return cmocka_run_group_tests_name("sysfs", tests, NULL, NULL);
}
