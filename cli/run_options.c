/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One row per option: how it is set, and what a value must be like, for the
 * message about one that is not.
 *
 * A value that would mean something else than it says is refused: 0 never means
 * "no limit". Of an option that is given twice the last counts. What is wrong
 * only on this host is found later, by the machine.
 */
#include "run_options.h"
#include "exit.h"
#include "options.h"
#include "size.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY	(1ull << 30)
#define DEFAULT_CMDLINE "console=ttyS0"
#define POOL_BASE	(12ull << 20)
#define POOL_EACH	(4ull << 20) /* function */
#define DEFAULT_GRACE	30
#define CPUS_MAX	4096 /* what this host can do is the machine's to say */
#define LEN_MAX		((uint64_t)INT64_MAX)

static int set_text(const char **to, const char *arg)
{
	*to = arg;
	return *arg ? 0 : -EINVAL;
}

static int set_kernel(struct run_options *o, const char *arg)
{
	return set_text(&o->cfg.kernel, arg);
}

static int set_initrd(struct run_options *o, const char *arg)
{
	return set_text(&o->cfg.initrd, arg);
}

static int set_cmdline(struct run_options *o, const char *arg)
{
	o->base = arg;
	return 0;
}

static int add_append(struct run_options *o, const char *arg)
{
	char *text;

	if (asprintf(&text, "%s %s", o->append ? o->append : "", arg) < 0)
		return -ENOMEM;
	free(o->append);
	o->append = text;
	return 0;
}

/* At least @least bytes, and no more than can be counted as signed. */
static int set_len(uint64_t *to, const char *arg, uint64_t least)
{
	int err = size_parse(arg, to);

	return err || *to < least || *to > LEN_MAX ? -EINVAL : 0;
}

/* How small it may be the machine says, which knows why. */
static int set_memory(struct run_options *o, const char *arg)
{
	return set_len(&o->cfg.memory, arg, 1);
}

static int set_cpus(struct run_options *o, const char *arg)
{
	uint64_t n;

	if (options_number(arg, 1, CPUS_MAX, &n))
		return -EINVAL;
	o->cfg.ncpus = (unsigned int)n;
	return 0;
}

static int add_assign(struct run_options *o, const char *arg)
{
	size_t n = o->cfg.nassign + 1;
	const char **list = realloc(o->assign, n * sizeof(*list));

	if (!list)
		return -ENOMEM;
	list[n - 1] = arg;
	o->assign = list;
	o->cfg.assign = list;
	o->cfg.nassign = n;
	return *arg ? 0 : -EINVAL;
}

static int set_granule(struct run_options *o, const char *arg)
{
	uint64_t len;
	int err = size_parse(arg, &len);

	if (err || (len != 4096 && len != 2u << 20))
		return -EINVAL;
	o->cfg.granule_shift = len == 4096 ? 12 : 21;
	return 0;
}

static int set_budget(struct run_options *o, const char *arg)
{
	if (!strcmp(arg, "none")) {
		o->cfg.budget = 0;
		return 0;
	}
	return set_len(&o->cfg.budget, arg, 1);
}

static int set_host_budget(struct run_options *o, const char *arg)
{
	return set_len(&o->cfg.host_budget, arg, 1);
}

static int set_pin(struct run_options *o, const char *arg)
{
	o->cfg.pin = VD_PIN_IO_URING;
	o->cfg.pin_all = !strcmp(arg, "all");
	if (o->cfg.pin_all || !strcmp(arg, "io_uring"))
		return 0;
	o->cfg.pin = VD_PIN_MLOCK;
	return strcmp(arg, "mlock") ? -EINVAL : 0;
}

static int set_pool(struct run_options *o, const char *arg)
{
	o->has_pool = true;
	return set_len(&o->cfg.pool, arg, 1);
}

static int set_name(struct run_options *o, const char *arg)
{
	char path[CONTROL_NAME_MAX + sizeof("/" CONTROL_SUFFIX)];

	o->cfg.name = arg;
	return control_path("", arg, path, sizeof(path));
}

static int set_control(struct run_options *o, const char *arg)
{
	return set_text(&o->cfg.control, arg);
}

static int set_console(struct run_options *o, const char *arg)
{
	o->cfg.console = !strcmp(arg, "stdio");
	return o->cfg.console || !strcmp(arg, "none") ? 0 : -EINVAL;
}

static int set_no_console(struct run_options *o, const char *arg)
{
	(void)arg;
	o->cfg.console = false;
	return 0;
}

static int set_grace(struct run_options *o, const char *arg)
{
	uint64_t n;

	if (options_number(arg, 0, POWERDOWN_GRACE_MAX, &n))
		return -EINVAL;
	o->cfg.grace = (unsigned int)n;
	return 0;
}

static int set_no_reboot(struct run_options *o, const char *arg)
{
	(void)arg;
	o->cfg.no_reboot = true;
	return 0;
}

static int set_strict(struct run_options *o, const char *arg)
{
	(void)arg;
	o->cfg.strict = true;
	return 0;
}

static int set_no_bounce(struct run_options *o, const char *arg)
{
	(void)arg;
	o->cfg.no_bounce = true;
	return 0;
}

static int set_no_relief(struct run_options *o, const char *arg)
{
	(void)arg;
	o->cfg.no_relief = true;
	return 0;
}

static int set_help(struct run_options *o, const char *arg)
{
	(void)arg;
	o->wants_help = true;
	return 0;
}

#define SIZE                                                             \
	"more than 0 and less than 8388608T: a number of bytes, or one " \
	"followed by K, M, G or T"

static const struct row {
	const char *name;
	int (*set)(struct run_options *o, const char *arg);
	const char *wants; /* NULL: takes no value */
} rows[] = {
	{ "kernel", set_kernel, "a file" },
	{ "initrd", set_initrd, "a file" },
	{ "cmdline", set_cmdline, "a text" },
	{ "append", add_append, "a text" },
	{ "memory", set_memory, SIZE },
	{ "cpus", set_cpus, "a number from 1 to 4096" },
	{ "assign", add_assign, "a PCI address such as 0000:03:00.0" },
	{ "granule", set_granule, "4K or 2M" },
	{ "budget", set_budget, SIZE ", at least a granule, or none" },
	{ "host-budget", set_host_budget, SIZE ", at least a granule" },
	{ "pin", set_pin, "io_uring, all or mlock" },
	{ "pool", set_pool, SIZE },
	{ "name", set_name,
	  "up to 64 letters, digits, '.', '_' and '-', without a '.' in "
	  "front" },
	{ "control", set_control, "a path" },
	{ "console", set_console, "stdio or none" },
	{ "no-console", set_no_console, NULL },
	{ "no-relief", set_no_relief, NULL },
	{ "strict", set_strict, NULL },
	{ "no-bounce", set_no_bounce, NULL },
	{ "no-reboot", set_no_reboot, NULL },
	{ "grace", set_grace, "whole seconds, 0 to 86400" },
	{ "help", set_help, NULL },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))
#define FIRST 256 /* of getopt's values: row 0 */

static void fill_longopts(struct option *out)
{
	memset(out, 0, (NROWS + 1) * sizeof(*out));
	for (size_t i = 0; i < NROWS; i++) {
		out[i].name = rows[i].name;
		out[i].has_arg =
			rows[i].wants ? required_argument : no_argument;
		out[i].val = FIRST + (int)i;
	}
}

static int impossible(const struct row *r)
{
	return options_usage("run",
			     "impossible value: --%s '%s'; it must be %s",
			     r->name, optarg, r->wants);
}

static int take_option(struct run_options *o, int val, char **argv,
		       const struct option *longopts)
{
	const struct row *r;
	char text[128];

	if (val == ':')
		return options_usage("run", "option wants a value: %s",
				     argv[optind - 1]);
	if (val < FIRST)
		return options_usage(
			"run", "no such option: %s",
			options_culprit(argv, longopts, text, sizeof(text)));
	r = &rows[val - FIRST];
	switch (r->set(o, optarg)) {
	case 0:
		return CLI_OK;
	case -ENOMEM:
		fputs("viaduct run: out of memory\n", stderr);
		return CLI_FAILED;
	default:
		return impossible(r);
	}
}

/* A budget of less is one of nothing: no page could ever be pinned. */
static int check_budget(const struct run_options *o, const char *name,
			uint64_t bytes)
{
	if (bytes == 0 || bytes >> o->cfg.granule_shift)
		return CLI_OK;
	return options_usage(
		"run",
		"--%s %llu is less than one granule of %u bytes, so "
		"nothing could be pinned",
		name, (unsigned long long)bytes, 1u << o->cfg.granule_shift);
}

static int check(const struct run_options *o)
{
	int status;

	if (!o->cfg.kernel)
		return options_usage("run", "--kernel is missing");
	status = check_budget(o, "budget", o->cfg.budget);
	if (status == CLI_OK)
		status = check_budget(o, "host-budget", o->cfg.host_budget);
	return status;
}

static int take_options(struct run_options *o, int argc, char **argv)
{
	struct option longopts[NROWS + 1];
	int val, status = CLI_OK;

	fill_longopts(longopts);
	optind = 0; /* glibc: begin anew, forgetting an earlier argv */
	while (status == CLI_OK && !o->wants_help) {
		val = getopt_long(argc, argv, ":", longopts, NULL);
		if (val < 0)
			break;
		status = take_option(o, val, argv, longopts);
	}
	if (status != CLI_OK || o->wants_help)
		return status;
	if (optind < argc)
		return options_usage("run", "unexpected argument: %s",
				     argv[optind]);
	return check(o);
}

/* One string of --cmdline and all --append. */
static int join_cmdline(struct run_options *o)
{
	if (asprintf(&o->cmdline, "%s%s", o->base, o->append ? o->append : "") <
	    0) {
		o->cmdline = NULL;
		fputs("viaduct run: out of memory\n", stderr);
		return CLI_FAILED;
	}
	o->cfg.cmdline = o->cmdline;
	return CLI_OK;
}

int run_options_parse(struct run_options *o, int argc, char **argv)
{
	int status;

	*o = (struct run_options){
		.base = DEFAULT_CMDLINE,
		.cfg = {
			.name = "viaduct",
			.memory = DEFAULT_MEMORY,
			.ncpus = 1,
			.granule_shift = 12,
			.console = true,
			.grace = DEFAULT_GRACE,
			.confine = true,
		},
	};
	status = take_options(o, argc, argv);
	if (status != CLI_OK || o->wants_help)
		return status;
	if (!o->has_pool && o->cfg.nassign)
		o->cfg.pool = POOL_BASE + o->cfg.nassign * POOL_EACH;
	return join_cmdline(o);
}

void run_options_end(struct run_options *o)
{
	free(o->assign);
	free(o->append);
	free(o->cmdline);
}
