/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor_print.h"
#include <string.h>

#define WIDTH  80
#define INDENT 19 /* where the text of a check begins */

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* Words of @s from column @col on, in lines that begin at INDENT. */
static void wrap(FILE *to, const char *s, int col)
{
	size_t len;

	while (*s) {
		len = strcspn(s, " ");
		if (col > INDENT && col + 1 + (int)len > WIDTH) {
			fprintf(to, "\n%*s", INDENT, "");
			col = INDENT;
		} else if (col > INDENT) {
			fputc(' ', to);
			col++;
		}
		fprintf(to, "%.*s", (int)len, s);
		col += (int)len;
		s += len + (s[len] == ' ');
	}
	fputc('\n', to);
}

static void print_check(FILE *to, const json_t *c)
{
	fprintf(to, "%-5s%-14s", text(c, "says"), text(c, "id"));
	wrap(to, text(c, "text"), INDENT);
	if (!text(c, "advice")[0])
		return;
	fprintf(to, "%*s-> ", INDENT - 3, "");
	wrap(to, text(c, "advice"), INDENT);
}

static void print_bar(FILE *to, const json_t *b)
{
	fprintf(to, "%*sBAR %d: %s, %" JSON_INTEGER_FORMAT " bytes at %s: %s\n",
		INDENT, "",
		(int)json_integer_value(json_object_get(b, "index")),
		text(b, "kind"),
		json_integer_value(json_object_get(b, "bytes")),
		text(b, "start"), text(b, "how"));
}

static const char *device_word(const json_t *d)
{
	if (!json_is_true(json_object_get(d, "assignable")))
		return "-";
	return text(d, "warning")[0] ? "warn" : "ok";
}

static void print_device(FILE *to, const json_t *d)
{
	json_t *bars = json_object_get(d, "bars"), *b;
	const char *driver = text(d, "driver");
	size_t i;

	fprintf(to, "%-5s%-14s%s:%s class %s, %s%s\n", device_word(d),
		text(d, "host"), text(d, "vendor"), text(d, "device"),
		text(d, "class"), *driver ? "driver " : "no driver", driver);
	if (text(d, "reason")[0] || text(d, "warning")[0]) {
		fprintf(to, "%*s-> ", INDENT - 3, "");
		wrap(to, text(d, text(d, "reason")[0] ? "reason" : "warning"),
		     INDENT);
	}
	json_array_foreach(bars, i, b)
		print_bar(to, b);
}

static const char *summary(const json_t *report, size_t nmissing)
{
	if (json_is_true(json_object_get(report, "ready")))
		return "Everything that is needed is there.";
	return nmissing ? "Something that is needed is missing." :
			  "This device cannot be assigned.";
}

void doctor_print(FILE *to, const json_t *report)
{
	json_t *checks = json_object_get(report, "checks"), *c;
	json_t *devices = json_object_get(report, "devices"), *d;
	size_t i, nmissing = 0;

	json_array_foreach(checks, i, c) {
		print_check(to, c);
		nmissing += strcmp(text(c, "says"), "no") == 0;
	}
	fputs("\nPCI devices (ok: can be assigned; -: cannot)\n", to);
	json_array_foreach(devices, i, d)
		print_device(to, d);
	if (!json_array_size(devices))
		fputs("none\n", to);
	fprintf(to, "\n%s\n", summary(report, nmissing));
}
