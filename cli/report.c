/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct report: for each machine of a recording a table of what it had at
 * the end and at most, and charts of its memory, its pins and its I/O.
 */
#include "report.h"
#include "chart.h"
#include "exit.h"
#include "options.h"
#include "verb.h"
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>

/* clang-format off */
static const char help[] =
"usage: viaduct report [OPTION]... RECORDING\n"
"\n"
"Print a page of HTML with charts of a recorded run: memory in RAM and in swap,\n"
"pins, I/O and exits over time, for each machine. It needs no other file and no\n"
"network. RECORDING is what viaduct top --json wrote; - is standard input. A last\n"
"line that is cut is left out, and that is said.\n"
"\n"
"  --title TEXT        heading of the page\n"
"  --help              this text\n"
"\n"
"Exit status: 0 done; 1 RECORDING cannot be read or is none, or has lines that are\n"
"none (the page is of the others); 2 wrong options.\n"
"\n"
"Example:\n"
"  viaduct report --title \"two guests\" recording >report.html\n";

static const char style[] =
"<style>\n"
"body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;\n"
"  padding: 0 1rem; color: #222; background: #fff }\n"
"h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2rem }\n"
"figure { margin: 1.2rem 0 } figcaption { font-weight: 600 }\n"
"svg { width: 100%; height: auto } .legend { margin: 0; font-size: .9rem }\n"
".grid { stroke: #ddd } svg text { font-size: 12px; fill: #555 }\n"
".y { text-anchor: end } .x { text-anchor: middle }\n"
".data { fill: none; stroke-width: 1.6; stroke-linejoin: round }\n"
"table { border-collapse: collapse } td, th { padding: .1rem .8rem;\n"
"  text-align: right; border-bottom: 1px solid #ddd } th:first-child {\n"
"  text-align: left }\n"
"</style>\n";
/* clang-format on */

struct column {
	const char *name, *key;
};

/* What is one chart of a machine. */
struct plan {
	const char *title;
	enum chart_unit unit;
	struct column column[CHART_SERIES]; /* up to the first without a name */
};

static const struct plan plans[] = {
	{ "Guest memory",
	  CHART_BYTES,
	  { { "in RAM", "guest_resident_bytes" },
	    { "in swap", "swapped_bytes" },
	    { "balloon", "balloon_bytes" } } },
	{ "Pins",
	  CHART_BYTES,
	  { { "pinned", "pinned_bytes" },
	    { "pinned by the table", "cached_bytes" },
	    { "mapped by the table", "held_bytes" },
	    { "mapped by requests", "mapped_bytes" },
	    { "budget", "budget_bytes" } } },
	{ "Exits to the monitor, and segments mapped by requests, a second",
	  CHART_PER_SECOND,
	  { { "exits", "exits_per_second" },
	    { "segments", "maps_per_second" } } },
};

static void free_chart(struct chart *c)
{
	for (unsigned int i = 0; i < c->nseries; i++)
		free((double *)(uintptr_t)c->series[i].y);
}

static bool is_any(const double *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isnan(y[i]))
			return true;
	return false;
}

/* One without any value is left out. False: no memory. */
static bool add_series(struct chart *c, const struct recording *r,
		       const char *label, const char *machine, const char *host,
		       const char *key)
{
	double *y = recording_column(r, machine, host, key);
	bool fine = y != NULL;

	if (y && is_any(y, r->n))
		c->series[c->nseries++] = (struct chart_series){ label, y };
	else
		free(y);
	return fine;
}

static int print_plan(FILE *to, const struct recording *r, const char *machine,
		      const struct plan *p)
{
	struct chart c = {
		p->title, p->unit, r->x, r->n, { { NULL, NULL } }, 0
	};
	bool fine = true;

	for (int i = 0; fine && i < CHART_SERIES && p->column[i].name; i++)
		fine = add_series(&c, r, p->column[i].name, machine, NULL,
				  p->column[i].key);
	if (fine)
		chart_print(to, &c);
	free_chart(&c);
	return fine ? 0 : -ENOMEM;
}

/*
 * What a host sees of I/O whose mappings need no exit is the devices'
 * interrupts. A line for each device, as far as there is room.
 */
static int print_io(FILE *to, const struct recording *r, const char *machine)
{
	struct chart c = { "I/O: interrupts of the devices a second",
			   CHART_PER_SECOND,
			   r->x,
			   r->n,
			   { { NULL, NULL } },
			   0 };
	json_t *hosts = recording_devices(r, machine), *host;
	bool fine = true;
	size_t i;

	json_array_foreach(hosts, i, host) {
		if (!fine || c.nseries == CHART_SERIES)
			break;
		fine = add_series(&c, r, json_string_value(host), machine,
				  json_string_value(host),
				  "interrupts_per_second");
	}
	if (fine)
		chart_print(to, &c);
	free_chart(&c);
	json_decref(hosts);
	return fine ? 0 : -ENOMEM;
}

/* What a column had at the end, and at most. */
static int print_row(FILE *to, const struct recording *r, const char *machine,
		     const struct column *k, enum chart_unit unit)
{
	double *y = recording_column(r, machine, NULL, k->key);
	double last = (double)NAN, most = (double)NAN;
	char a[32] = "-", b[32] = "-";

	if (!y)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		if (!isnan(y[i]))
			last = y[i];
		if (!isnan(y[i]) && !(y[i] <= most))
			most = y[i];
	}
	if (!isnan(last)) {
		chart_value(a, sizeof(a), last, unit);
		chart_value(b, sizeof(b), most, unit);
	}
	fprintf(to, "<tr><th>%s</th><td>%s</td><td>%s</td></tr>\n", k->name, a,
		b);
	free(y);
	return 0;
}

static int print_table(FILE *to, const struct recording *r, const char *machine)
{
	static const struct {
		struct column column;
		enum chart_unit unit;
	} row[] = {
		{ { "guest RAM", "guest_ram_bytes" }, CHART_BYTES },
		{ { "in RAM", "guest_resident_bytes" }, CHART_BYTES },
		{ { "in swap", "swapped_bytes" }, CHART_BYTES },
		{ { "pinned", "pinned_bytes" }, CHART_BYTES },
		{ { "pinned by the table", "cached_bytes" }, CHART_BYTES },
		{ { "mapped by the table", "held_bytes" }, CHART_BYTES },
		{ { "mapped by requests", "mapped_bytes" }, CHART_BYTES },
		{ { "balloon", "balloon_bytes" }, CHART_BYTES },
		{ { "paged out under pressure", "paged_out_bytes" },
		  CHART_BYTES },
		{ { "segments mapped a second", "maps_per_second" },
		  CHART_PER_SECOND },
		{ { "refused maps", "refused" }, CHART_PER_SECOND },
	};
	int err = 0;

	fputs("<table><tr><th></th><th>at the end</th><th>at most</th></tr>\n",
	      to);
	for (size_t i = 0; !err && i < sizeof(row) / sizeof(row[0]); i++)
		err = print_row(to, r, machine, &row[i].column, row[i].unit);
	fputs("</table>\n", to);
	return err;
}

static int print_machine(FILE *to, const struct recording *r, const char *name)
{
	int err;

	fputs("<h2>", to);
	chart_text(to, name);
	fputs("</h2>\n", to);
	err = print_table(to, r, name);
	for (size_t i = 0; !err && i < sizeof(plans) / sizeof(plans[0]); i++)
		err = print_plan(to, r, name, &plans[i]);
	return err ? err : print_io(to, r, name);
}

int report_print(FILE *to, const struct recording *r, const char *title)
{
	json_t *name;
	size_t i;
	int err = 0;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head>"
	      "<meta charset=\"utf-8\"/><title>",
	      to);
	chart_text(to, title);
	fprintf(to, "</title>\n%s</head><body>\n<h1>", style);
	chart_text(to, title);
	fprintf(to, "</h1>\n<p>%zu samples in %.1f s.%s</p>\n",
		json_array_size(r->samples), r->x[r->n - 1],
		r->n < json_array_size(r->samples) ?
			" Each point is the largest of several." :
			"");
	if (r->cut)
		fputs("<p>The last line of the recording is cut and left "
		      "out.</p>\n",
		      to);
	if (r->nbad)
		fprintf(to,
			"<p>%u lines of the recording are no samples and left "
			"out.</p>\n",
			r->nbad);
	json_array_foreach(r->names, i, name) {
		err = print_machine(to, r, json_string_value(name));
		if (err)
			break;
	}
	fputs("</body></html>\n", to);
	return err;
}

static int usage(const char *what, const char *which)
{
	return options_usage("report", "%s%s", what, which);
}

struct options {
	const char *title, *path;
	bool wants_help;
};

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "title", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char text[128];
	int val;

	optind = 0;
	while ((val = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (val == 't')
			o->title = optarg;
		else if (val == 'h')
			o->wants_help = true;
		else if (val == ':')
			return usage("option wants a value: ",
				     argv[optind - 1]);
		else
			return usage("no such option: ",
				     options_culprit(argv, options, text,
						     sizeof(text)));
	}
	if (o->wants_help)
		return CLI_OK;
	if (optind == argc)
		return usage("which recording?", "");
	o->path = argv[optind++];
	return optind < argc ? usage("unexpected argument: ", argv[optind]) :
			       CLI_OK;
}

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "viaduct report: %s: %s\n", path, why);
	return CLI_FAILED;
}

/* Of a recording without one sample. */
static int fail_empty(const struct recording *r, const char *path,
		      unsigned int line)
{
	char why[512];

	if (r->packed)
		snprintf(why, sizeof(why),
			 "it is compressed; try %s %s | viaduct report -",
			 r->packed, path);
	else if (r->cut && !r->nbad)
		snprintf(why, sizeof(why), "its only line is cut");
	else
		snprintf(why, sizeof(why),
			 "line %u is no line of viaduct top --json", line);
	return fail(path, why);
}

/* What is left out is said; a cut end is usual, anything else is damage. */
static int say_left_out(const struct recording *r, const char *path,
			unsigned int line)
{
	if (r->cut)
		fprintf(stderr,
			"viaduct report: %s: the last line is cut; it is left "
			"out\n",
			path);
	if (!r->nbad)
		return CLI_OK;
	fprintf(stderr,
		"viaduct report: %s: %u lines are none of viaduct top --json "
		"and left out, the first is line %u\n",
		path, r->nbad, line);
	return CLI_FAILED;
}

static int read_file(struct recording *r, const char *path, unsigned int *line)
{
	FILE *from = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int err;

	if (!from)
		return fail(path, strerror(errno));
	err = recording_read(r, from, line);
	if (from != stdin)
		fclose(from);
	if (!err)
		return CLI_OK;
	if (err == -EINVAL)
		return fail_empty(r, path, *line);
	return fail(path, err == -ENODATA ? "it is empty" : strerror(-err));
}

int report_main(int argc, char **argv, FILE *out)
{
	struct options o = { .title = "Viaduct" };
	struct recording r;
	unsigned int line;
	int status = parse(&o, argc, argv);

	if (status != CLI_OK)
		return status;
	if (o.wants_help) {
		fputs(help, out);
		return options_end_output("report", out);
	}
	status = read_file(&r, o.path, &line);
	if (status != CLI_OK)
		return status;
	status = say_left_out(&r, o.path, line);
	errno = 0;
	if (report_print(out, &r, o.title) || fflush(out) || ferror(out))
		status = fail("the page cannot be written",
			      strerror(errno ? errno : ENOMEM));
	recording_end(&r);
	return status;
}

int verb_report(int argc, char **argv)
{
	return report_main(argc, argv, stdout);
}
