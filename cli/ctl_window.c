/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl_window.h"
#include "control_proto.h"
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OPERANDS 4

/* A verb of windows: its operands are numbers, the last may be left out. */
struct row {
	const char *word, *command;
	const char *operand[OPERANDS];
	int least, most;
	bool takes_live, takes_id;
};

static const struct row rows[] = {
	{ "list", "windows", { NULL }, 0, 0, false, false },
	{ "show", "window-show", { "window" }, 1, 1, false, false },
	{ "split",
	  "window-split",
	  { "window", "keep", "owner" },
	  3,
	  3,
	  true,
	  true },
	{ "merge",
	  "window-merge",
	  { "window", "with", "owner" },
	  2,
	  3,
	  true,
	  false },
	{ "lend",
	  "window-lend",
	  { "window", "first", "entries", "owner" },
	  4,
	  4,
	  true,
	  true },
	{ "take-back", "window-take-back", { "window" }, 1, 1, true, false },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row *find(const char *word)
{
	for (size_t i = 0; i < NROWS; i++)
		if (!strcmp(rows[i].word, word))
			return &rows[i];
	return NULL;
}

/* Numbers of JSON end at 2^63 - 1. */
static bool take_number(const char *text, json_int_t *out)
{
	uint64_t v;

	if (!control_number(text, &v) || v > INT64_MAX)
		return false;
	*out = (json_int_t)v;
	return true;
}

static int add_number(json_t *args, const char *key, const char *text,
		      char *why, size_t len)
{
	json_int_t n;

	if (!take_number(text, &n)) {
		snprintf(why, len, "%s is no number", text);
		return -1;
	}
	json_object_set_new(args, key, json_integer(n));
	return 0;
}

static int check_options(const struct row *r, const struct ctl_window *w,
			 char *why, size_t len)
{
	if (w->live && !r->takes_live)
		snprintf(why, len, "window %s takes no --live", r->word);
	else if (w->id && !r->takes_id)
		snprintf(why, len, "window %s takes no --id", r->word);
	else if (w->live && strcmp(w->live, "refuse") &&
		 strcmp(w->live, "revoke") && strcmp(w->live, "transfer"))
		snprintf(why, len, "--live is refuse, revoke or transfer");
	else
		return 0;
	return -1;
}

static int fill(const struct row *r, struct ctl_window *w, char **word,
		char *why, size_t len)
{
	for (int i = 0; word[i]; i++)
		if (add_number(w->args, r->operand[i], word[i], why, len))
			return -1;
	if (w->live)
		json_object_set_new(w->args, "live", json_string(w->live));
	return w->id ? add_number(w->args, "id", w->id, why, len) : 0;
}

static const struct row *choose(int argc, char **argv, char *why, size_t len)
{
	const struct row *r;

	if (argc == 0) {
		snprintf(why, len,
			 "window wants list, show, split, merge, lend or "
			 "take-back");
		return NULL;
	}
	r = find(argv[0]);
	if (!r)
		snprintf(why, len, "no such verb: window %s", argv[0]);
	else if (argc - 1 < r->least)
		snprintf(why, len, "window %s wants %d operands", r->word,
			 r->least);
	else if (argc - 1 > r->most)
		snprintf(why, len, "unexpected argument: %s",
			 argv[1 + r->most]);
	else
		return r;
	return NULL;
}

int ctl_window_parse(struct ctl_window *w, int argc, char **argv, char *why,
		     size_t len)
{
	const struct row *r = choose(argc, argv, why, len);

	if (!r || check_options(r, w, why, len))
		return -1;
	w->command = r->command;
	w->args = json_object();
	if (!fill(r, w, argv + 1, why, len))
		return 0;
	json_decref(w->args);
	w->args = NULL;
	return -1;
}

static int64_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "?";
}

static void print_window(FILE *to, const json_t *w)
{
	char lender[24] = "-";

	if (json_is_integer(json_object_get(w, "lender")))
		snprintf(lender, sizeof(lender), "%" PRId64,
			 number(w, "lender"));
	fprintf(to,
		"%8" PRId64 " %5" PRId64 " %4" PRId64 " %-18s %10" PRId64
		" %10" PRId64 " %10" PRId64 " %8" PRId64 " %s\n",
		number(w, "id"), number(w, "owner"), number(w, "register"),
		text(w, "bus"), number(w, "entries"), number(w, "live"),
		number(w, "lent"), number(w, "page_bytes"), lender);
}

static void print_change(FILE *to, const json_t *c)
{
	fprintf(to,
		"%6" PRId64 " %10" PRId64 " %-8s %-9s %8" PRId64 " %8" PRId64
		" %10" PRId64 " %9.1f%% %8" PRId64 " %s\n",
		number(c, "seq"), number(c, "ms"), text(c, "cause"),
		text(c, "verb"), number(c, "window"), number(c, "part"),
		number(c, "entries"), (double)number(c, "pressure") / 10,
		number(c, "rate"), text(c, "result"));
}

void ctl_window_print(FILE *to, const json_t *j)
{
	json_t *windows = json_object_get(j, "windows"), *w;
	json_t *changes = json_object_get(j, "changes"), *c;
	size_t i;

	if (!json_array_size(windows))
		fputs("no register points at a table\n", to);
	else
		fprintf(to, "%8s %5s %4s %-18s %10s %10s %10s %8s %s\n", "ID",
			"OWNER", "REG", "BUS", "ENTRIES", "LIVE", "LENT",
			"PAGE", "LENDER");
	json_array_foreach(windows, i, w)
		print_window(to, w);
	if (!changes)
		return;
	fprintf(to, "\n%6s %10s %-8s %-9s %8s %8s %10s %10s %8s %s\n", "CHANGE",
		"MS", "CAUSE", "VERB", "WINDOW", "PART", "ENTRIES", "PRESSURE",
		"RATE", "RESULT");
	json_array_foreach(changes, i, c)
		print_change(to, c);
}
