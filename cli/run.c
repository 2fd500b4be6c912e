/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct run: a machine from its options, its end into an exit status. */
#include "exit.h"
#include "machine.h"
#include "options.h"
#include "run_options.h"
#include "verb.h"
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: viaduct run --kernel FILE [OPTION]...\n"
	"\n"
	"Start a virtual machine. The terminal becomes its serial console; "
	"Ctrl-A x\n"
	"ends it, Ctrl-A h lists the keys.\n"
	"\n"
	"  --kernel FILE       Linux kernel, a 64-bit bzImage\n"
	"  --initrd FILE       initial RAM file system\n"
	"  --cmdline TEXT      kernel command line (console=ttyS0)\n"
	"  --append TEXT       add to the kernel command line; may be "
	"repeated\n"
	"  --memory SIZE       guest RAM (1G)\n"
	"  --cpus N            virtual CPUs (1)\n"
	"  --assign ADDRESS    give the guest this host PCI function; may be "
	"repeated\n"
	"  --granule 4K|2M     unit of guest memory: 4K pins least, 2M bounces "
	"least\n"
	"                      (4K)\n"
	"  --budget SIZE       how much guest memory may be pinned at once, at "
	"least a\n"
	"                      granule, or none for no limit (none)\n"
	"  --host-budget SIZE  how much all machines that say so may pin "
	"together; each\n"
	"                      says the same\n"
	"  --pin METHOD        io_uring (real pins of what is in flight), all "
	"(of guest\n"
	"                      RAM, from start to end) or mlock (resident, but "
	"the\n"
	"                      kernel may still move pages: the weaker "
	"promise)\n"
	"  --pool SIZE         contiguous memory for the guest's HAL (12M and "
	"4M\n"
	"                      for each --assign, otherwise none)\n"
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
	"  --grace SECONDS     SIGTERM, SIGINT, SIGHUP and viaduct ctl "
	"powerdown press the\n"
	"                      guest's power button; pull the plug if it is "
	"not off by\n"
	"                      then (30; 0: at once)\n"
	"  --help              this text\n"
	"\n"
	"SIZE is a number of bytes, or one followed by K, M, G or T.\n"
	"\n"
	"Exit status: 0 the guest powered off; 1 could not start; 2 wrong "
	"options;\n"
	"3 the guest reset itself (--no-reboot); 4 the guest died; 5 its plug "
	"was\n"
	"pulled from outside (escape key, second signal, viaduct ctl quit); "
	"8 its plug\n"
	"was pulled because it did not power off in time.\n"
	"\n"
	"Example:\n"
	"  viaduct run --kernel vmlinuz --initrd initrd.img --memory 4G --cpus "
	"2 \\\n"
	"      --assign 0000:03:00.0\n";

static int end_status(struct machine *m, enum machine_end end)
{
	switch (end) {
	case MACHINE_OFF:
		if (m->why[0])
			fprintf(stderr, "viaduct run: %s\n", m->why);
		return CLI_OK;
	case MACHINE_RESET:
		return CLI_RESET;
	case MACHINE_DIED:
		fprintf(stderr, "viaduct run: %s\n", m->why);
		return CLI_DIED;
	case MACHINE_OVER:
		fprintf(stderr, "viaduct run: %s\n", m->why);
		return CLI_OVER;
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

int verb_run(int argc, char **argv)
{
	struct run_options o;
	int status = run_options_parse(&o, argc, argv);

	if (status == CLI_OK && o.wants_help) {
		fputs(help, stdout);
		status = options_end_output("run", stdout);
	} else if (status == CLI_OK) {
		status = run(&o.cfg);
	}
	run_options_end(&o);
	return status;
}
