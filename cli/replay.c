/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"
#include "exit.h"
#include "options.h"
#include "packed.h"
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
"it, beginning with FILE:LINE. A last line that is cut is no mismatch: it is not\n"
"replayed, and the line of counts says so. - is standard input.\n"
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

/* Standard input may be a pipe, and the replay reads twice. */
static FILE *copy_of(FILE *from)
{
	FILE *to = tmpfile();
	char part[4096];
	size_t n;
	int err;

	while (to && (n = fread(part, 1, sizeof(part), from)) > 0)
		fwrite(part, 1, n, to);
	if (!to || (!ferror(from) && !fflush(to) && !ferror(to)))
		return to;
	err = errno;
	fclose(to);
	errno = err;
	return NULL;
}

static FILE *open_input(const char *path)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin, *copy;

	if (!in || fseek(in, 0, SEEK_SET) == 0)
		return in;
	copy = copy_of(in);
	if (in != stdin)
		fclose(in);
	return copy;
}

static void say_no_calls(FILE *in, const char *path, FILE *err)
{
	char begin[8];
	const char *reader;
	size_t n;

	rewind(in);
	n = fread(begin, 1, sizeof(begin), in);
	reader = packed_reader(begin, n);
	if (reader)
		fprintf(err,
			"viaduct replay: %s: it is compressed; try %s %s | "
			"viaduct replay papr -\n",
			path, reader, path);
	else
		fprintf(err, "viaduct replay: %s: no calls in it\n", path);
}

static void print_counts(FILE *out, const struct replay_counts *n)
{
	fprintf(out,
		"%" PRIu64 " calls, %" PRIu64 " translations, %" PRIu64
		" mismatches",
		n->calls, n->translations, n->mismatches);
	if (n->cut)
		fprintf(out, ", cut in line %" PRIu64, n->cut);
	fputc('\n', out);
}

static int replay_file(const char *path, FILE *out, FILE *err)
{
	struct replay_counts n = { 0 };
	FILE *in = open_input(path);
	int status;

	if (!in) {
		fprintf(err, "viaduct replay: %s: %s\n", path, strerror(errno));
		return CLI_FAILED;
	}
	status = replay_papr(in, path, err, &n);
	if (status == -EINVAL)
		say_no_calls(in, path, err);
	else if (status)
		fprintf(err, "viaduct replay: %s: %s\n", path,
			strerror(-status));
	if (in != stdin)
		fclose(in);
	if (status)
		return CLI_FAILED;
	print_counts(out, &n);
	status = options_end_output("replay", out);
	return n.mismatches == 0 ? status : CLI_FAILED;
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
		return options_end_output("replay", out);
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
