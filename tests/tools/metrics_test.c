/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text against the rules of the exposition format, checked line by line by
 * a reader of its own: each family is announced once by HELP and TYPE and its
 * samples follow; names and labels are well formed; counters end in _total and
 * gauges do not; no sample comes twice; units are base units.
 */
#include "metrics.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

static const char sample[] =
	"{\"status\": {\"name\": \"w\\\"e\\\\b\\n\", \"uptime_ms\": 1500, \"start_us\": 52000,"
	" \"vcpus\": 2, \"hal_in_charge\": true, \"guest_ram_bytes\": 1073741824,"
	" \"guest_resident_bytes\": 5, \"swapped_bytes\": 9223372036854775807,"
	" \"pinned_bytes\": 8192, \"pinned_peak_bytes\": 8192, \"mapped_bytes\": 1,"
	" \"budget_bytes\": null, \"vmm_resident_bytes\": 3, \"mappings\": 4},"
	" \"counters\": {\"domain\": {\"maps\": 10, \"unmaps\": 9, \"refused_budget\": 1,"
	" \"refused_denied\": 2, \"refused_other\": 3, \"faults\": 7},"
	" \"pins\": {\"requests\": 1, \"pinned\": 2, \"aged\": 3, \"reclaimed\": 4,"
	" \"dropped\": 5},"
	" \"hal\": {\"requests\": 12, \"answers\": {\"ok\": 11, \"busy\": 1}},"
	" \"exits\": {\"serial\": 4, \"pci-config\": 5},"
	" \"devices\": [{\"host\": \"0000:03:00.0\", \"mappings\": 1, \"mapped_bytes\": 4096,"
	" \"maps\": 3, \"unmaps\": 2, \"refused\": 0, \"faults\": 0, \"denies\": 1, "
	"\"interrupts\": 5},"
	" {\"host\": \"0000:04:00.0\", \"mappings\": 0, \"mapped_bytes\": 0,"
	" \"maps\": 0, \"unmaps\": 0, \"refused\": 0, \"faults\": 0, \"denies\": 0, "
	"\"interrupts\": 6}]},"
	" \"balloon\": {\"target_bytes\": 1, \"actual_bytes\": 2, \"reported_bytes\": 3,"
	" \"discarded_bytes\": 4, \"refused_pinned_bytes\": 5, \"refused_other_bytes\": 6},"
	" \"budget\": {\"host\": {\"budget_bytes\": 9, \"taken_bytes\": 8, \"ours_bytes\": 7}},"
	" \"pressure\": {\"on\": true, \"events\": {\"psi\": 3}, \"requests\": 3,"
	" \"paged_out_bytes\": 9}}";

static char *text_of(const char *json)
{
	json_t *j = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(j);
	metrics_print(out, j);
	fclose(out);
	json_decref(j);
	return text;
}

/* Returns what follows a metric or label name. */
static const char *skip_name(const char *p)
{
	assert_true(isalpha((unsigned char)*p) || *p == '_');
	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return p;
}

static const char *skip_labels(const char *p)
{
	assert_true(*p == '{');
	do {
		p = skip_name(p + 1);
		assert_true(p[0] == '=' && p[1] == '"');
		for (p += 2; *p != '"'; p++) {
			assert_true(*p && *p != '\n');
			if (*p == '\\') {
				p++;
				assert_non_null(strchr("\\\"n", *p));
			}
		}
		p++;
	} while (*p == ',');
	assert_true(*p == '}');
	return p + 1;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

struct checker {
	char family[128];
	char seen[64][128]; /* families */
	unsigned int nseen, nsamples;
	bool counter;
};

static void take_help(struct checker *c, const char *line)
{
	const char *end = skip_name(line + 7);

	snprintf(c->family, sizeof(c->family), "%.*s", (int)(end - line - 7), line + 7);
	assert_true(*end == ' ' && strlen(end) > 5);
	for (unsigned int i = 0; i < c->nseen; i++)
		assert_string_not_equal(c->seen[i], c->family);
	assert_true(c->nseen < 64);
	strcpy(c->seen[c->nseen++], c->family);
	assert_null(strstr(c->family, "_ms"));
	assert_null(strstr(c->family, "_us"));
}

static void take_type(struct checker *c, const char *line)
{
	char family[128], type[16];

	assert_int_equal(sscanf(line, "# TYPE %127s %15s", family, type), 2);
	assert_string_equal(family, c->family); /* right behind its HELP */
	c->counter = !strcmp(type, "counter");
	assert_true(c->counter || !strcmp(type, "gauge"));
	assert_int_equal(c->counter, ends_in(family, "_total"));
}

static void take_sample(struct checker *c, const char *line)
{
	const char *p = skip_name(line);
	char *end;

	assert_int_equal((size_t)(p - line), strlen(c->family));
	assert_memory_equal(line, c->family, strlen(c->family));
	p = skip_labels(p);
	assert_true(*p == ' ');
	strtod(p + 1, &end);
	assert_true(end > p + 1 && *end == '\0');
	c->nsamples++;
}

/* Returns how many samples there are. */
static unsigned int check(const char *text)
{
	static struct checker c;
	char *copy = strdup(text), *save, *line;

	memset(&c, 0, sizeof(c));
	assert_true(ends_in(text, "\n"));
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* not twice */
		const char *first = strstr(text, line);

		assert_null(strstr(first + 1, line));
		if (!strncmp(line, "# HELP ", 7))
			take_help(&c, line);
		else if (!strncmp(line, "# TYPE ", 7))
			take_type(&c, line);
		else
			take_sample(&c, line);
	}
	free(copy);
	return c.nsamples;
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void follows_the_rules(void **state)
{
	char *text = text_of(sample);

	(void)state;
	assert_int_equal(check(text), 57);
	says(text, "viaduct_uptime_seconds{vm=\"w\\\"e\\\\b\\n\"} 1.5\n");
	says(text, "viaduct_start_seconds{vm=\"w\\\"e\\\\b\\n\"} 0.052\n");
	says(text, "viaduct_budget_bytes{vm=\"w\\\"e\\\\b\\n\"} +Inf\n");
	says(text, "viaduct_swapped_bytes{vm=\"w\\\"e\\\\b\\n\"} 9223372036854775807\n");
	says(text, "\",reason=\"denied\"} 2\n");
	says(text, "viaduct_exits_total{vm=\"w\\\"e\\\\b\\n\",cause=\"pci-config\"} 5\n");
	says(text, "viaduct_device_maps_total{vm=\"w\\\"e\\\\b\\n\",device=\"0000:03:00.0\"} 3\n");
	says(text, "viaduct_hal_in_charge{vm=\"w\\\"e\\\\b\\n\"} 1\n");
	free(text);
}

/* An older machine, or one without devices: less, but still right. */
static void leaves_out_what_is_not_there(void **state)
{
	char *text = text_of("{\"status\": {\"name\": \"web\", \"pinned_bytes\": 1},"
			     " \"counters\": {\"hal\": null, \"exits\": {}, \"devices\": []},"
			     " \"balloon\": null, \"pressure\": null}");

	(void)state;
	assert_int_equal(check(text), 1);
	says(text, "viaduct_pinned_bytes{vm=\"web\"} 1\n");
	free(text);
}

/* Prometheus's own checker, where it is installed. */
static void promtool_agrees(void **state)
{
	char *text;
	FILE *p;

	(void)state;
	if (system("command -v promtool >/dev/null 2>&1") != 0)
		skip();
	text = text_of(sample);
	p = popen("promtool check metrics", "w");
	assert_non_null(p);
	fputs(text, p);
	assert_int_equal(pclose(p), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_rules),
		cmocka_unit_test(leaves_out_what_is_not_there),
		cmocka_unit_test(promtool_agrees),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
