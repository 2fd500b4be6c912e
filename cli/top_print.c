/* SPDX-License-Identifier: BSD-2-Clause */
#include "top_print.h"
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

struct page {
	FILE *to;
	unsigned int columns;
	bool clear;
};

__attribute__((format(printf, 2, 3))) static void print_line(
	const struct page *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (p->columns && strlen(text) > p->columns)
		text[p->columns] = '\0';
	fprintf(p->to, "%s%s\n", text, p->clear ? "\033[K" : "");
}

struct cell {
	char text[16];
};

/* "-": not known. */
static struct cell size(const json_t *j, const char *key)
{
	static const char unit[] = "KMGT";
	const json_t *v = json_object_get(j, key);
	double n = (double)json_integer_value(v) / 1024;
	struct cell c = { "-" };
	int i = 0;

	if (!json_is_integer(v))
		return c;
	for (; n >= 1000 && i < 3; i++)
		n /= 1024;
	snprintf(c.text, sizeof(c.text),
		 n >= 100 || n == 0 ? "%.0f%c" : "%.1f%c", n, unit[i]);
	return c;
}

static struct cell number(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);
	struct cell c = { "-" };

	if (json_is_integer(v))
		snprintf(c.text, sizeof(c.text), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(v));
	else if (json_is_real(v))
		snprintf(c.text, sizeof(c.text), "%.0f", json_real_value(v));
	return c;
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "?";
}

static void print_device(const struct page *p, const json_t *d)
{
	/* Under the machine's columns; the state where its memory is. */
	print_line(p, "  %-14.14s %-39.39s %7s %7s %9s %9s %9s %8s",
		   text(d, "host"), text(d, "state"),
		   size(d, "mapped_bytes").text, "", "",
		   number(d, "maps_per_second").text,
		   number(d, "interrupts_per_second").text,
		   number(d, "refused").text);
}

/* By requests and by the table. */
static struct cell mapped(const json_t *m)
{
	json_int_t n = json_integer_value(json_object_get(m, "mapped_bytes")) +
		       json_integer_value(json_object_get(m, "held_bytes"));
	json_t *sum = json_pack("{s:I}", "sum", n);
	struct cell c = size(sum, "sum");

	json_decref(sum);
	return c;
}

static void print_machine(const struct page *p, const json_t *m)
{
	json_t *d;
	size_t i;

	print_line(p, "%-16.16s %7s %7s %7s %7s %7s %7s %7s %9s %9s %9s %8s",
		   text(m, "name"), size(m, "guest_ram_bytes").text,
		   size(m, "guest_resident_bytes").text,
		   size(m, "swapped_bytes").text, size(m, "pinned_bytes").text,
		   size(m, "cached_bytes").text, mapped(m).text,
		   size(m, "balloon_bytes").text,
		   number(m, "exits_per_second").text,
		   number(m, "maps_per_second").text, "",
		   number(m, "refused").text);
	json_array_foreach(json_object_get(m, "devices"), i, d)
		print_device(p, d);
}

void top_print(FILE *to, const json_t *sample, unsigned int columns, bool clear)
{
	const struct page p = { to, columns, clear };
	json_t *all = json_object_get(sample, "machines"), *m;
	size_t i;

	print_line(&p, "%-16s %7s %7s %7s %7s %7s %7s %7s %9s %9s %9s %8s",
		   "VM", "RAM", "IN RAM", "SWAPPED", "PINNED", "CACHED",
		   "MAPPED", "BALLOON", "EXITS/S", "MAPS/S", "IRQS/S",
		   "REFUSED");
	json_array_foreach(all, i, m)
		print_machine(&p, m);
	if (!json_array_size(all))
		print_line(&p, "no virtual machine runs");
}
