/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"
#include "exit.h"
#include "options.h"
#include "verb.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* clang-format off */
static const char help[] =
"usage: viaduct replay papr FILE\n"
"\n"
"Make the calls that a recorded POWER guest made, and ask for the translations\n"
"that its devices asked for: each call must return, and each bus address must\n"
"lead, where FILE says. FILE is QEMU's trace of a pseries machine, with the\n"
"events spapr_iommu_*. Ends with a line of counts; a mismatch is a line before\n"
"it, beginning with FILE:LINE.\n"
"\n"
"  --help              this text\n"
"\n"
"Exit status: 0 everything is as FILE says; 1 something differs, or FILE cannot\n"
"be read or has no calls; 2 wrong options.\n"
"\n"
"Example:\n"
"  qemu-system-ppc64 -machine pseries -trace 'spapr_iommu_*' ... 2>log\n"
"  viaduct replay papr log\n";
/* clang-format on */

static int usage(FILE *err, const char *what, const char *which)
{
	fprintf(err, "viaduct replay: %s%s; see viaduct replay --help\n", what,
		which);
	return CLI_USAGE;
}

static const char *reason(int err)
{
	return err == -EINVAL ? "no calls in it" : strerror(-err);
}

static int replay_file(const char *path, FILE *out, FILE *err)
{
	struct replay_counts n = { 0 };
	FILE *in = fopen(path, "r");
	int status;

	if (!in) {
		fprintf(err, "viaduct replay: %s: %s\n", path, strerror(errno));
		return CLI_FAILED;
	}
	status = replay_papr(in, path, err, &n);
	fclose(in);
	if (status) {
		fprintf(err, "viaduct replay: %s: %s\n", path, reason(status));
		return CLI_FAILED;
	}
	fprintf(out,
		"%" PRIu64 " calls, %" PRIu64 " translations, %" PRIu64
		" mismatches\n",
		n.calls, n.translations, n.mismatches);
	return fflush(out) == 0 && n.mismatches == 0 ? CLI_OK : CLI_FAILED;
}

int replay_main(int argc, char **argv, FILE *out, FILE *err)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char text[128];
	int val;

	optind = 0; /* glibc: begin anew, forgetting an earlier argv */
	val = getopt_long(argc, argv, ":h", options, NULL);
	if (val == 'h') {
		fputs(help, out);
		return CLI_OK;
	}
	if (val >= 0)
		return usage(
			err, "no such option: ",
			options_culprit(argv, options, text, sizeof(text)));
	if (argc - optind < 1)
		return usage(err, "what kind of recording?", "");
	if (strcmp(argv[optind], "papr") != 0)
		return usage(err, "no such kind: ", argv[optind]);
	if (argc - optind != 2)
		return usage(err, "one FILE is wanted", "");
	return replay_file(argv[optind + 1], out, err);
}

int verb_replay(int argc, char **argv)
{
	return replay_main(argc, argv, stdout, stderr);
}
