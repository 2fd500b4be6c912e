/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct run: options into a machine's configuration, its end into an exit
 * status.
 */
#include "exit.h"
#include "machine.h"
#include "size.h"
#include "verb.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY	(1ull << 30)
#define DEFAULT_CMDLINE "console=ttyS0"
#define DEFAULT_POOL	(8ull << 20)

static const char help[] =
	"usage: viaduct run --kernel FILE [OPTION]...\n"
	"\n"
	"Start a virtual machine. The terminal becomes its serial console; "
	"Ctrl-A x\n"
	"ends it, Ctrl-A h lists the keys.\n"
	"\n"
	"  --kernel FILE       Linux kernel, a 64-bit bzImage\n"
	"  --initrd FILE       initial RAM file system\n"
	"  --cmdline TEXT      kernel command line (" DEFAULT_CMDLINE ")\n"
	"  --append TEXT       add to the kernel command line; may be "
	"repeated\n"
	"  --memory SIZE       guest RAM (1G)\n"
	"  --cpus N            virtual CPUs (1)\n"
	"  --assign ADDRESS    give the guest this host PCI function; may be "
	"repeated\n"
	"  --granule 4K|2M     unit of guest memory: 4K pins least, 2M bounces "
	"least\n"
	"                      (4K)\n"
	"  --budget SIZE       how much guest memory may be pinned at once (no "
	"limit)\n"
	"  --host-budget SIZE  how much all machines that say so may pin "
	"together; each\n"
	"                      says the same\n"
	"  --pin METHOD        io_uring (real pins of what is in flight), all "
	"(of guest\n"
	"                      RAM, from start to end) or mlock (resident, but "
	"the\n"
	"                      kernel may still move pages: the weaker "
	"promise)\n"
	"  --pool SIZE         contiguous memory for the guest's HAL (8M with\n"
	"                      --assign, otherwise none)\n"
	"  --name NAME         name for viaduct ctl, and of its socket "
	"(viaduct)\n"
	"  --control PATH      control socket (NAME.sock in /run/viaduct, or "
	"for a user\n"
	"                      other than root in $XDG_RUNTIME_DIR/viaduct)\n"
	"  --console MODE      stdio or none (stdio)\n"
	"  --no-console        the same as --console none\n"
	"  --no-relief         do not page out cold guest memory when the host "
	"is short\n"
	"  --strict            a page is pinned while it is mapped and no "
	"longer: every map\n"
	"                      and unmap is a request to the host\n"
	"  --no-bounce         refuse what is over the budget, do not copy "
	"it\n"
	"  --no-reboot         end when the guest resets itself\n"
	"  --help              this text\n"
	"\n"
	"SIZE is a number of bytes, or one followed by K, M, G or T.\n"
	"\n"
	"Exit status: 0 the guest powered off; 1 could not start; 2 wrong "
	"options;\n"
	"3 the guest reset itself (--no-reboot); 4 the guest died; 5 ended "
	"from\n"
	"outside (escape key, signal, viaduct ctl quit).\n"
	"\n"
	"Example:\n"
	"  viaduct run --kernel vmlinuz --initrd initrd.img --memory 4G --cpus "
	"2 \\\n"
	"      --assign 0000:03:00.0\n";

struct options {
	struct machine_cfg cfg;
	const char *cmdline;
	char *append;	     /* owned */
	const char **assign; /* owned */
	bool has_pool;
	bool wants_help;
};

__attribute__((format(printf, 1, 2))) static int usage(const char *fmt, ...)
{
	va_list ap;

	fputs("viaduct run: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see viaduct run --help\n", stderr);
	return CLI_USAGE;
}

static int set_kernel(struct options *o, const char *arg)
{
	o->cfg.kernel = arg;
	return 0;
}

static int set_initrd(struct options *o, const char *arg)
{
	o->cfg.initrd = arg;
	return 0;
}

static int set_cmdline(struct options *o, const char *arg)
{
	o->cmdline = arg;
	return 0;
}

static int add_append(struct options *o, const char *arg)
{
	char *text;

	if (asprintf(&text, "%s %s", o->append ? o->append : "", arg) < 0)
		return -ENOMEM;
	free(o->append);
	o->append = text;
	return 0;
}

static int set_memory(struct options *o, const char *arg)
{
	return size_parse(arg, &o->cfg.memory);
}

static int set_cpus(struct options *o, const char *arg)
{
	uint64_t n;
	int err = size_parse(arg, &n);

	if (err || n == 0 || n > 4096)
		return -EINVAL;
	o->cfg.ncpus = (unsigned int)n;
	return 0;
}

static int add_assign(struct options *o, const char *arg)
{
	size_t n = o->cfg.nassign + 1;
	const char **list = realloc(o->assign, n * sizeof(*list));

	if (!list)
		return -ENOMEM;
	list[n - 1] = arg;
	o->assign = list;
	o->cfg.assign = list;
	o->cfg.nassign = n;
	return 0;
}

static int set_granule(struct options *o, const char *arg)
{
	uint64_t len;
	int err = size_parse(arg, &len);

	if (err || (len != 4096 && len != 2u << 20))
		return -EINVAL;
	o->cfg.granule_shift = len == 4096 ? 12 : 21;
	return 0;
}

static int set_budget(struct options *o, const char *arg)
{
	return size_parse(arg, &o->cfg.budget);
}

static int set_host_budget(struct options *o, const char *arg)
{
	int err = size_parse(arg, &o->cfg.host_budget);

	return err || o->cfg.host_budget == 0 ? -EINVAL : 0;
}

static int set_pin(struct options *o, const char *arg)
{
	o->cfg.pin = VD_PIN_IO_URING;
	o->cfg.pin_all = !strcmp(arg, "all");
	if (o->cfg.pin_all || !strcmp(arg, "io_uring"))
		return 0;
	o->cfg.pin = VD_PIN_MLOCK;
	return strcmp(arg, "mlock") ? -EINVAL : 0;
}

static int set_pool(struct options *o, const char *arg)
{
	o->has_pool = true;
	return size_parse(arg, &o->cfg.pool);
}

static int set_name(struct options *o, const char *arg)
{
	o->cfg.name = arg;
	return *arg ? 0 : -EINVAL;
}

static int set_control(struct options *o, const char *arg)
{
	o->cfg.control = arg;
	return *arg ? 0 : -EINVAL;
}

static int set_console(struct options *o, const char *arg)
{
	o->cfg.console = !strcmp(arg, "stdio");
	return o->cfg.console || !strcmp(arg, "none") ? 0 : -EINVAL;
}

static int set_no_console(struct options *o, const char *arg)
{
	(void)arg;
	o->cfg.console = false;
	return 0;
}

static int set_no_reboot(struct options *o, const char *arg)
{
	(void)arg;
	o->cfg.no_reboot = true;
	return 0;
}

static int set_strict(struct options *o, const char *arg)
{
	(void)arg;
	o->cfg.strict = true;
	return 0;
}

static int set_no_bounce(struct options *o, const char *arg)
{
	(void)arg;
	o->cfg.no_bounce = true;
	return 0;
}

static int set_no_relief(struct options *o, const char *arg)
{
	(void)arg;
	o->cfg.no_relief = true;
	return 0;
}

static int set_help(struct options *o, const char *arg)
{
	(void)arg;
	o->wants_help = true;
	return 0;
}

static const struct {
	const char *name;
	int has_arg;
	int (*set)(struct options *o, const char *arg);
} rows[] = {
	{ "kernel", required_argument, set_kernel },
	{ "initrd", required_argument, set_initrd },
	{ "cmdline", required_argument, set_cmdline },
	{ "append", required_argument, add_append },
	{ "memory", required_argument, set_memory },
	{ "cpus", required_argument, set_cpus },
	{ "assign", required_argument, add_assign },
	{ "granule", required_argument, set_granule },
	{ "budget", required_argument, set_budget },
	{ "host-budget", required_argument, set_host_budget },
	{ "pin", required_argument, set_pin },
	{ "pool", required_argument, set_pool },
	{ "name", required_argument, set_name },
	{ "control", required_argument, set_control },
	{ "console", required_argument, set_console },
	{ "no-console", no_argument, set_no_console },
	{ "no-relief", no_argument, set_no_relief },
	{ "strict", no_argument, set_strict },
	{ "no-bounce", no_argument, set_no_bounce },
	{ "no-reboot", no_argument, set_no_reboot },
	{ "help", no_argument, set_help },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))
#define FIRST 256 /* of getopt's values: row 0 */

static void fill_longopts(struct option *out)
{
	memset(out, 0, (NROWS + 1) * sizeof(*out));
	for (size_t i = 0; i < NROWS; i++) {
		out[i].name = rows[i].name;
		out[i].has_arg = rows[i].has_arg;
		out[i].val = FIRST + (int)i;
	}
}

static int take_option(struct options *o, int val, char **argv)
{
	size_t row = (size_t)(val - FIRST);

	if (val == ':')
		return usage("option wants a value: %s", argv[optind - 1]);
	if (val < FIRST)
		return usage("no such option: %s", argv[optind - 1]);
	if (rows[row].set(o, optarg))
		return usage("impossible value: --%s %s", rows[row].name,
			     optarg);
	return CLI_OK;
}

static int take_options(struct options *o, int argc, char **argv)
{
	struct option longopts[NROWS + 1];
	int val, status = CLI_OK;

	fill_longopts(longopts);
	optind = 1;
	while (status == CLI_OK && !o->wants_help) {
		val = getopt_long(argc, argv, ":", longopts, NULL);
		if (val < 0)
			break;
		status = take_option(o, val, argv);
	}
	if (status != CLI_OK || o->wants_help)
		return status;
	if (optind < argc)
		return usage("unexpected argument: %s", argv[optind]);
	if (!o->cfg.kernel)
		return usage("--kernel is missing");
	return CLI_OK;
}

static int end_status(struct machine *m, enum machine_end end)
{
	switch (end) {
	case MACHINE_OFF:
		return CLI_OK;
	case MACHINE_RESET:
		return CLI_RESET;
	case MACHINE_DIED:
		fprintf(stderr, "viaduct run: %s\n", m->why);
		return CLI_DIED;
	case MACHINE_QUIT:
		break;
	}
	if (m->why[0])
		fprintf(stderr, "viaduct run: %s\n", m->why);
	return CLI_QUIT;
}

static int run(const struct machine_cfg *cfg)
{
	struct machine *m = calloc(1, sizeof(*m));
	int status = CLI_FAILED;

	if (!m) {
		fputs("viaduct run: out of memory\n", stderr);
		return CLI_FAILED;
	}
	if (machine_create(m, cfg)) {
		fprintf(stderr, "viaduct run: %s\n", m->why);
	} else {
		enum machine_end end = machine_run(m);

		machine_destroy(m);
		status = end_status(m, end);
	}
	free(m);
	return status;
}

/* One string of --cmdline and all --append. */
static char *join_cmdline(const struct options *o)
{
	char *text;

	if (asprintf(&text, "%s%s", o->cmdline, o->append ? o->append : "") < 0)
		return NULL;
	return text;
}

static int run_with(struct options *o)
{
	char *cmdline = join_cmdline(o);
	int status;

	if (!cmdline) {
		fputs("viaduct run: out of memory\n", stderr);
		return CLI_FAILED;
	}
	if (!o->has_pool && o->cfg.nassign)
		o->cfg.pool = DEFAULT_POOL;
	o->cfg.cmdline = cmdline;
	status = run(&o->cfg);
	free(cmdline);
	return status;
}

int verb_run(int argc, char **argv)
{
	struct options o = {
		.cmdline = DEFAULT_CMDLINE,
		.cfg = {
			.name = "viaduct",
			.memory = DEFAULT_MEMORY,
			.ncpus = 1,
			.granule_shift = 12,
			.console = true,
		},
	};
	int status = take_options(&o, argc, argv);

	if (status == CLI_OK && o.wants_help)
		fputs(help, stdout);
	else if (status == CLI_OK)
		status = run_with(&o);
	free(o.assign);
	free(o.append);
	return status;
}
