/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getopt_long() stands behind the word that it has refused, but for "-kernel",
 * which it reads letter by letter: then it stands at the word as long as
 * letters are left.
 */
#include "options.h"
#include "exit.h"
#include "size.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A bundle of letters whose refused letter is not its last. */
static bool is_bundle(const char *word)
{
	return word && word[0] == '-' && word[1] != '-' && word[1] && word[2] &&
	       strchr(word + 1, optopt);
}

static bool is_letter(const char *word)
{
	return word[0] == '-' && word[1] == optopt && !word[2];
}

/* Does the word, after @dashes of them, name @o? */
static bool is_named(const char *word, size_t dashes, const struct option *o)
{
	size_t len = strcspn(word, "=");

	return len > dashes && !strncmp(word, "--", dashes) &&
	       strlen(o->name) == len - dashes &&
	       !strncmp(word + dashes, o->name, len - dashes);
}

/* "--json=1" */
static bool has_unwanted_value(const char *word, const struct option *options)
{
	for (; options->name; options++)
		if (is_named(word, 2, options))
			return options->has_arg == no_argument &&
			       strchr(word, '=');
	return false;
}

static const char *refused(char **argv, const struct option *options)
{
	const char *before = argv[optind - 1];

	if (optopt > 0 && optopt < 256 && !is_letter(before) &&
	    !has_unwanted_value(before, options) && is_bundle(argv[optind]))
		return argv[optind];
	return before;
}

const char *options_culprit(char **argv, const struct option *options,
			    char *text, size_t len)
{
	const char *word = refused(argv, options);

	snprintf(text, len, "%s", word);
	for (; options->name; options++)
		if (is_named(word, 1, options))
			snprintf(text, len, "%s (did you mean --%s?)", word,
				 options->name);
	return text;
}

int options_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "viaduct %s: ", verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see viaduct %s --help\n", verb);
	return CLI_USAGE;
}

int options_end_output(const char *verb, FILE *out)
{
	errno = 0;
	if (!fflush(out) && !ferror(out))
		return CLI_OK;
	fprintf(stderr, "viaduct%s%s: cannot write the output: %s\n",
		verb ? " " : "", verb ? verb : "",
		strerror(errno ? errno : EIO));
	return CLI_FAILED;
}

int options_number(const char *text, uint64_t least, uint64_t most,
		   uint64_t *out)
{
	uint64_t n;
	size_t len = strlen(text);

	if (len == 0 || strspn(text, "0123456789") != len)
		return -EINVAL;
	if (size_parse(text, &n) || n < least || n > most)
		return -ERANGE;
	*out = n;
	return 0;
}
