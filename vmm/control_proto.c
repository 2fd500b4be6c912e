/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_proto.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
	json_t *root; /* owns the others */
	const char *command;
	json_t *args;
	json_t *id; /* or NULL */
};

int control_fail(struct control_error *e, const char *class, const char *fmt,
		 ...)
{
	va_list ap;

	e->class = class;
	va_start(ap, fmt);
	vsnprintf(e->desc, sizeof(e->desc), fmt, ap);
	va_end(ap);
	return -1;
}

/* jansson never writes through what it unpacks, but does not say so. */
static json_t *writable(const json_t *j)
{
	union {
		const json_t *in;
		json_t *out;
	} u = { .in = j };

	return u.out;
}

int control_args(const json_t *args, struct control_error *e, const char *fmt,
		 ...)
{
	json_error_t why;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = json_vunpack_ex(writable(args), &why, JSON_STRICT, fmt, ap);
	va_end(ap);
	if (err)
		control_fail(e, CONTROL_BAD_ARGUMENTS, "bad arguments: %s",
			     why.text);
	return err;
}

bool control_number(const char *text, uint64_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *first = hex ? text + 2 : text;
	unsigned long long v;
	char *end;

	/* strtoull() takes blanks, signs and a second "0x" as well. */
	if (!isxdigit((unsigned char)*first) || strpbrk(first, "xX"))
		return false;
	errno = 0;
	v = strtoull(first, &end, hex ? 16 : 10);
	if (errno || end == first || *end)
		return false;
	*out = v;
	return true;
}

/* One line of JSON; takes the reference. */
static char *finish(json_t *j)
{
	char *text, *line;
	size_t len;

	if (!j)
		return NULL;
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!text)
		return NULL;
	len = strlen(text);
	line = realloc(text, len + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + len, "\n", 2);
	return line;
}

char *control_greeting(const char *version)
{
	return finish(json_pack("{s:{s:s,s:i}}", "viaduct", "version", version,
				"protocol", CONTROL_PROTOCOL));
}

static char *answer(const char *key, json_t *value, json_t *id)
{
	json_t *j = json_pack("{s:o}", key, value);

	if (j && id)
		json_object_set(j, "id", id);
	return finish(j);
}

static char *answer_error(const char *class, const char *desc, json_t *id)
{
	char text[sizeof(((struct control_error *)0)->desc)];

	/* A desc may quote the client, cut off inside a UTF-8 character. */
	snprintf(text, sizeof(text), "%s", desc);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	return answer("error",
		      json_pack("{s:s,s:s}", "class", class, "desc", text), id);
}

char *control_answer_error(const char *class, const char *desc)
{
	return answer_error(class, desc, NULL);
}

static int check_keys(struct request *r, struct control_error *e)
{
	const char *key;
	json_t *value;

	json_object_foreach(r->root, key, value) {
		if (strcmp(key, "execute") && strcmp(key, "arguments") &&
		    strcmp(key, "id"))
			return control_fail(e, CONTROL_BAD_REQUEST,
					    "unknown key \"%.64s\"", key);
	}
	return 0;
}

static int parse(struct request *r, const char *line, size_t len,
		 struct control_error *e)
{
	json_error_t why;

	r->root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!r->root)
		return control_fail(e, CONTROL_BAD_REQUEST, "no JSON: %s",
				    why.text);
	if (!json_is_object(r->root))
		return control_fail(e, CONTROL_BAD_REQUEST,
				    "a request is an object");
	r->id = json_object_get(r->root, "id");
	if (check_keys(r, e))
		return -1;
	r->command = json_string_value(json_object_get(r->root, "execute"));
	if (!r->command)
		return control_fail(e, CONTROL_BAD_REQUEST,
				    "\"execute\" must name a command");
	r->args = json_object_get(r->root, "arguments");
	if (r->args && !json_is_object(r->args))
		return control_fail(e, CONTROL_BAD_REQUEST,
				    "\"arguments\" must be an object");
	return 0;
}

static int query_commands(const struct control_table *t, const json_t *args,
			  json_t **result, struct control_error *e)
{
	json_t *list = json_array();

	if (control_args(args, e, "{}")) {
		json_decref(list);
		return -1;
	}
	json_array_append_new(list,
			      json_pack("{s:s,s:s}", "name", "query-commands",
					"help", "list the commands"));
	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(
			list, json_pack("{s:s,s:s}", "name", t->command[i].name,
					"help", t->command[i].help));
	*result = list;
	return 0;
}

static int run(const struct control_table *t, const struct request *r,
	       const json_t *args, json_t **result, struct control_error *e)
{
	if (strcmp(r->command, "query-commands") == 0)
		return query_commands(t, args, result, e);
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(r->command, t->command[i].name) == 0)
			return t->command[i].fn(t->ctx, args, result, e);
	return control_fail(e, CONTROL_NO_COMMAND,
			    "there is no command \"%.64s\"; query-commands "
			    "lists them",
			    r->command);
}

char *control_answer(const struct control_table *t, const char *line,
		     size_t len)
{
	struct control_error e = { .class = CONTROL_FAILED };
	struct request r = { .root = NULL };
	json_t *result = NULL, *none = json_object();
	char *out;

	if (parse(&r, line, len, &e) ||
	    run(t, &r, r.args ? r.args : none, &result, &e))
		out = answer_error(e.class, e.desc, r.id);
	else
		out = answer("return", result, r.id);
	json_decref(none);
	json_decref(r.root);
	return out;
}
