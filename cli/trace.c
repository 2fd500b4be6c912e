/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of events, each with what its lines look like: text that stands as
 * it is, and %c for the number that goes to the field named c.
 */
#include "trace.h"
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct event {
	const char *name;
	enum trace_kind kind;
	const char *looks;
};

#define PUT   "liobn=%l ioba=%i tce=%t ret=%r"
#define STUFF "liobn=%l ioba=%i tcevalue=%t npages=%n ret=%r"
#define LIST  "liobn=%l ioba=%i tcelist=%a iobaN=%n tceN=%t ret=%r"
#define GET   "liobn=%l ioba=%i ret=%r tce=%t"
#define PE    "buid=%b addr=%c"

/* A PCI device's window and a virtual device's differ in the name only. */
static const struct event events[] = {
	{ "new_table", TRACE_TABLE, "liobn=%l" },
	{ "pci_put", TRACE_PUT, PUT },
	{ "put", TRACE_PUT, PUT },
	{ "pci_get", TRACE_GET, GET },
	{ "get", TRACE_GET, GET },
	{ "pci_stuff", TRACE_STUFF, STUFF },
	{ "stuff", TRACE_STUFF, STUFF },
	{ "pci_indirect", TRACE_LIST, LIST },
	{ "indirect", TRACE_LIST, LIST },
	{ "ddw_query", TRACE_QUERY,
	  PE ", %w windows available, max window size=%s, mask=%m" },
	{ "ddw_create", TRACE_CREATE,
	  PE ", page size=%p, requested=%q, start addr=%i, liobn=%l" },
	{ "ddw_remove", TRACE_REMOVE, "liobn=%l" },
	{ "ddw_reset", TRACE_RESET, PE },
	{ "xlate", TRACE_XLATE, "liobn=%l %i -> %g perm=%o mask=%m" },
};

struct field {
	char name;
	size_t at; /* of a 64-bit number in struct trace_line */
};

#define AT(member) offsetof(struct trace_line, member)

static const struct field fields[] = {
	{ 'l', AT(liobn) },	  { 'i', AT(ioba) }, { 't', AT(tce) },
	{ 'n', AT(count) },	  { 'a', AT(list) }, { 'r', AT(ret) },
	{ 'b', AT(buid) },	  { 'c', AT(addr) }, { 'w', AT(windows) },
	{ 's', AT(tces) },	  { 'm', AT(mask) }, { 'p', AT(page_size) },
	{ 'q', AT(window_size) }, { 'g', AT(gpa) },  { 'o', AT(prot) },
};

/* A status may be negative; nothing else is. False: no number of 64 bits. */
static bool read_number(const char **p, uint64_t *v)
{
	char *end;

	if (strchr(" +", **p))
		return false;
	errno = 0;
	*v = strtoull(*p, &end, 0);
	if (end == *p || errno != 0)
		return false;
	*p = end;
	return true;
}

static void set_field(struct trace_line *out, char name, uint64_t v)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].name == name)
			memcpy((char *)out + fields[i].at, &v, sizeof(v));
	}
}

/* True if @text begins as @looks says; the rest of the line does not matter. */
static bool match(const char *text, const char *looks, struct trace_line *out)
{
	uint64_t v;

	for (; *looks; looks++) {
		if (*looks != '%') {
			if (*text++ != *looks)
				return false;
			continue;
		}
		if (!read_number(&text, &v))
			return false;
		set_field(out, *++looks, v);
	}
	return strchr(" \r\n", *text) != NULL;
}

static const struct event *find_event(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (strlen(events[i].name) == len &&
		    !strncmp(events[i].name, name, len))
			return &events[i];
	}
	return NULL;
}

int trace_parse(const char *text, struct trace_line *out)
{
	static const char prefix[] = "spapr_iommu_";
	/* A recorder may write the time before the event. */
	const char *name = strstr(text, prefix);
	const struct event *e = NULL;
	size_t len = 0;

	*out = (struct trace_line){ .kind = TRACE_OTHER };
	if (name) {
		name += strlen(prefix);
		len = strcspn(name, " \r\n");
		e = find_event(name, len);
	}
	if (!e)
		return 0;
	out->kind = e->kind;
	if (name[len] != ' ' || !match(name + len + 1, e->looks, out))
		return -EINVAL;
	/* The line has the index of the last entry. */
	if (out->kind == TRACE_LIST && ++out->count == 0)
		return -EINVAL;
	return 0;
}
