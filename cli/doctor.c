/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor.h"
#include "doctor_print.h"
#include "exit.h"
#include "options.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define REPORT_VERSION 1

/* clang-format off */
static const char help[] =
"usage: viaduct doctor [--json] [DEVICE]...\n"
"\n"
"Say what this host can do for viaduct run --assign, and what to do about what\n"
"it cannot; then, for each PCI device or for DEVICE, whether it can be assigned\n"
"and how each of its BARs would be mapped. Changes nothing. Run it as root, or\n"
"what only root may see counts as missing.\n"
"\n"
"  --json              print a JSON object (see viaduct-doctor(1))\n"
"  --help              this text\n"
"\n"
"DEVICE is a PCI address on the host: 0000:03:00.0 or 03:00.0. Several are looked\n"
"at as if they were assigned to one machine together.\n"
"\n"
"Exit status: 0 everything that is needed is there (and each DEVICE can\n"
"be assigned); 1 something is missing; 2 wrong options.\n"
"\n"
"Example:\n"
"  sudo viaduct doctor 0000:03:00.0\n";
/* clang-format on */

void doctor_add(struct doctor *d, const char *id, enum doctor_says says,
		const char *advice, const char *fmt, ...)
{
	static const char *const word[] = { "ok", "warn", "no" };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(d->checks,
			      json_pack("{s:s,s:s,s:s,s:s?}", "id", id, "says",
					word[says], "text", text, "advice",
					advice));
	d->missing += says == DOCTOR_NO;
}

static int line_caps(void *ctx, char *line)
{
	unsigned long long caps;

	if (sscanf(line, "CapEff: %llx", &caps) != 1)
		return 0;
	*(uint64_t *)ctx = caps;
	return 1;
}

static void read_caps(struct doctor *d)
{
	d->caps = 0;
	sysfs_lines(d->s, "/proc/self/status", line_caps, &d->caps);
}

static json_t *report(struct doctor *d, bool ready)
{
	return json_pack("{s:i,s:s,s:b,s:O,s:O}", "report", REPORT_VERSION,
			 "version", VIADUCT_VERSION, "ready", ready, "checks",
			 d->checks, "devices", d->devices);
}

static int print_report(const json_t *r, bool json, FILE *out)
{
	if (json) {
		json_dumpf(r, out, JSON_INDENT(2));
		fputc('\n', out);
	} else {
		doctor_print(out, r);
	}
	return options_end_output("doctor", out);
}

static int examine(struct doctor *d, bool json, FILE *out)
{
	char why[512];
	json_t *r;
	int err, status;

	read_caps(d);
	doctor_virtual(d);
	doctor_rights(d);
	doctor_memory(d);
	err = doctor_devices(d, why, sizeof(why));
	if (err < 0) {
		fprintf(stderr, "viaduct doctor: %s\n", why);
		return err == -ENODEV ? CLI_FAILED : CLI_USAGE;
	}
	r = report(d, !d->missing && !err);
	status = print_report(r, json, out);
	json_decref(r);
	return d->missing || err ? CLI_FAILED : status;
}

static int usage(const char *what, const char *which)
{
	return options_usage("doctor", "%s: %s", what, which);
}

/* CLI_OK: the names begin at optind. */
static int parse(int argc, char **argv, bool *json, bool *wants_help)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char text[128];
	int val;

	optind = 0; /* glibc: begin anew, forgetting an earlier argv */
	while ((val = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (val == 'h')
			*wants_help = true;
		else if (val == 'j')
			*json = true;
		else
			return usage("no such option",
				     options_culprit(argv, options, text,
						     sizeof(text)));
	}
	return CLI_OK;
}

int doctor_main(int argc, char **argv, const struct sysfs *s,
		const struct doctor_probes *probes, FILE *out)
{
	struct doctor d = { .s = s, .probes = probes };
	bool json = false, wants_help = false;
	int status = parse(argc, argv, &json, &wants_help);

	if (status != CLI_OK)
		return status;
	if (wants_help) {
		fputs(help, out);
		return options_end_output("doctor", out);
	}
	d.name = (const char *const *)(argv + optind);
	d.nnames = (size_t)(argc - optind);
	d.checks = json_array();
	d.devices = json_array();
	status = examine(&d, json, out);
	json_decref(d.checks);
	json_decref(d.devices);
	return status;
}
