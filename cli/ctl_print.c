/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl_print.h"
#include <inttypes.h>
#include <string.h>

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "?";
}

struct size {
	char text[32];
};

static struct size size(json_int_t bytes)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes / 1024;
	struct size s;
	int i = 0;

	while (v >= 1024 && i < 3) {
		v /= 1024;
		i++;
	}
	if (bytes < 1024)
		snprintf(s.text, sizeof(s.text), "%d B", (int)bytes);
	else
		snprintf(s.text, sizeof(s.text), "%.1f %s", v, unit[i]);
	return s;
}

static struct size size_of(const json_t *j, const char *key)
{
	return size(number(j, key));
}

static void print_peak(FILE *to, const char *label, const json_t *j,
		       const char *now, const char *peak)
{
	fprintf(to, "%-14s %s (at most %s)\n", label, size_of(j, now).text,
		size_of(j, peak).text);
}

static void print_exits(FILE *to, json_t *exits)
{
	const char *cause;
	json_t *n;

	json_object_foreach(exits, cause, n)
		if (json_integer_value(n))
			fprintf(to, "  %-20s %" JSON_INTEGER_FORMAT "\n", cause,
				json_integer_value(n));
}

/* Nothing of a process that is not there. */
static void print_confined(FILE *to, const char *what, const json_t *j)
{
	const json_t *list = json_object_get(j, "capabilities"), *name;
	size_t i;

	if (!json_is_object(j))
		return;
	fprintf(to, "%-14s user %d, ", what, (int)number(j, "uid"));
	if (!json_array_size(list))
		fputs("no capability", to);
	json_array_foreach(list, i, name)
		fprintf(to, "%s%s", i ? " " : "", json_string_value(name));
	fprintf(to, ", %s, %s\n",
		json_is_true(json_object_get(j, "no_new_privs")) ?
			"gains nothing by exec" :
			"no_new_privs is off",
		json_is_true(json_object_get(j, "seccomp")) ?
			"system calls listed" :
			"any system call");
}

void ctl_print_status(FILE *to, const json_t *j)
{
	json_int_t s = number(j, "uptime_ms") / 1000;
	const json_t *budget = json_object_get(j, "budget_bytes");
	const json_t *confined = json_object_get(j, "confinement");

	fprintf(to, "%-14s %s (process %d, %d vCPUs, up %d:%02d:%02d)\n",
		"machine", text(j, "name"), (int)number(j, "pid"),
		(int)number(j, "vcpus"), (int)(s / 3600), (int)(s / 60 % 60),
		(int)(s % 60));
	fprintf(to, "%-14s %s\n", "HAL",
		json_is_true(json_object_get(j, "hal_in_charge")) ?
			"in charge" :
			"not in charge: no device is shown");
	fprintf(to, "%-14s %s, %s of it resident\n", "guest RAM",
		size_of(j, "guest_ram_bytes").text,
		size_of(j, "guest_resident_bytes").text);
	fprintf(to, "%-14s %s, %s of it below 4 GiB\n", "pool",
		size_of(j, "pool_bytes").text,
		size_of(j, "pool_low_bytes").text);
	print_peak(to, "swapped", j, "swapped_bytes", "swapped_peak_bytes");
	print_peak(to, "pinned", j, "pinned_bytes", "pinned_peak_bytes");
	print_peak(to, "mapped", j, "mapped_bytes", "mapped_peak_bytes");
	fprintf(to, "%-14s %s, %s of it held by the guest\n", "cached pins",
		size_of(j, "cached_bytes").text, size_of(j, "held_bytes").text);
	fprintf(to, "%-14s %s\n", "budget",
		json_is_integer(budget) ? size_of(j, "budget_bytes").text :
					  "no limit");
	fprintf(to, "%-14s %s\n", "monitor itself",
		size_of(j, "vmm_resident_bytes").text);
	fprintf(to, "%-14s %d, %d mappings, %d faults\n", "devices",
		(int)number(j, "devices"), (int)number(j, "mappings"),
		(int)number(j, "faults"));
	print_confined(to, "confined", json_object_get(confined, "machine"));
	print_confined(to, "keeper", json_object_get(confined, "keeper"));
	fputs("exits\n", to);
	print_exits(to, json_object_get(j, "exits"));
}

void ctl_print_state(FILE *to, const json_t *device)
{
	const char *host = text(device, "host");

	/* A device of an adapter has a number only. */
	if (*host)
		fprintf(to, "%s is %s\n", host, text(device, "state"));
	else
		fprintf(to, "device %d is %s\n",
			(int)number(device, "guest_id"), text(device, "state"));
}

void ctl_print_devices(FILE *to, const json_t *j)
{
	json_t *d;
	size_t i;

	if (!json_array_size(j)) {
		fputs("no device is assigned\n", to);
		return;
	}
	fprintf(to, "%-13s %5s %-10s %10s %10s %8s %8s\n", "HOST", "GUEST",
		"STATE", "MAPPINGS", "MAPPED", "REFUSED", "FAULTS");
	json_array_foreach(j, i, d) {
		fprintf(to,
			"%-13s %5d %-10s %10" PRId64 " %10s %8" PRId64
			" %8" PRId64 "\n",
			text(d, "host"), (int)number(d, "guest_id"),
			text(d, "state"), (int64_t)number(d, "mappings"),
			size_of(d, "mapped_bytes").text,
			(int64_t)number(d, "refused"),
			(int64_t)number(d, "faults"));
		if (json_is_string(json_object_get(d, "why")))
			fprintf(to, "  stopped: %s\n", text(d, "why"));
	}
}

static void print_page(FILE *to, const json_t *list)
{
	json_t *m;
	size_t i;

	json_array_foreach(list, i, m)
		fprintf(to, "  %-18s %-14s %12" JSON_INTEGER_FORMAT " %s\n",
			text(m, "bus"), text(m, "guest"), number(m, "bytes"),
			text(m, "rights"));
}

void ctl_print_mappings(FILE *to, const json_t *j, bool count)
{
	json_t *d;
	size_t i;

	json_array_foreach(j, i, d) {
		fprintf(to, "%s: %" JSON_INTEGER_FORMAT " mappings, %s\n",
			text(d, "host"), number(d, "total"),
			size_of(d, "mapped_bytes").text);
		if (count || !json_array_size(json_object_get(d, "mappings")))
			continue;
		fprintf(to, "  %-18s %-14s %12s\n", "BUS", "GUEST", "BYTES");
		print_page(to, json_object_get(d, "mappings"));
	}
	if (!json_array_size(j))
		fputs("no device is assigned\n", to);
}

/* All numbers of an object, deeper ones indented. */
static void print_numbers(FILE *to, json_t *j, int indent)
{
	const char *key;
	json_t *v;

	json_object_foreach(j, key, v) {
		if (json_is_integer(v))
			fprintf(to, "%*s%-*s %" JSON_INTEGER_FORMAT "\n",
				indent, "", 24 - indent, key,
				json_integer_value(v));
		else if (json_is_object(v)) {
			fprintf(to, "%*s%s\n", indent, "", key);
			print_numbers(to, v, indent + 2);
		}
	}
}

void ctl_print_counters(FILE *to, const json_t *j)
{
	json_t *d, *list = json_object_get(j, "devices");
	size_t i;

	fputs("domain\n", to);
	print_numbers(to, json_object_get(j, "domain"), 2);
	if (json_is_object(json_object_get(j, "hal"))) {
		fputs("hal\n", to);
		print_numbers(to, json_object_get(j, "hal"), 2);
	}
	json_array_foreach(list, i, d) {
		fprintf(to, "device %s\n", text(d, "host"));
		print_numbers(to, d, 2);
	}
	fputs("exits\n", to);
	print_numbers(to, json_object_get(j, "exits"), 2);
}

void ctl_print_faults(FILE *to, const json_t *j)
{
	json_t *list = json_object_get(j, "faults"), *f;
	size_t i;

	json_array_foreach(list, i, f)
		fprintf(to, "%-13s guest id %-5d %-5s %-18s %s\n",
			text(f, "host"), (int)number(f, "guest_id"),
			text(f, "access"), text(f, "bus"), text(f, "reason"));
	fprintf(to, "%" JSON_INTEGER_FORMAT " faults since the start\n",
		number(j, "total"));
}

void ctl_print_balloon(FILE *to, const json_t *j)
{
	bool driver = json_is_true(json_object_get(j, "driver"));

	fprintf(to, "%-14s %s\n", "driver",
		!driver ? "none: nothing can be given" :
		json_is_true(json_object_get(j, "reporting")) ?
			  "there, reports free pages" :
			  "there");
	fprintf(to, "%-14s %s of %s asked for\n", "given",
		size_of(j, "actual_bytes").text,
		size_of(j, "target_bytes").text);
	fprintf(to, "%-14s %s\n", "reported free",
		size_of(j, "reported_bytes").text);
	fprintf(to, "%-14s %s\n", "discarded",
		size_of(j, "discarded_bytes").text);
	fprintf(to, "%-14s %s pinned, %s other\n", "refused",
		size_of(j, "refused_pinned_bytes").text,
		size_of(j, "refused_other_bytes").text);
}

void ctl_print_budget(FILE *to, const json_t *j)
{
	const json_t *budget = json_object_get(j, "budget_bytes");
	const json_t *host = json_object_get(j, "host");

	fprintf(to, "%-14s %s\n", "budget",
		json_is_integer(budget) ? size_of(j, "budget_bytes").text :
					  "no limit");
	print_peak(to, "pinned", j, "pinned_bytes", "pinned_peak_bytes");
	fprintf(to, "%-14s %" JSON_INTEGER_FORMAT " map calls\n", "refused",
		number(j, "refused_budget"));
	if (json_is_object(host))
		fprintf(to,
			"%-14s %s, %s taken by %d machines, %s of it by this "
			"one\n",
			"host's budget", size_of(host, "budget_bytes").text,
			size_of(host, "taken_bytes").text,
			(int)number(host, "machines"),
			size_of(host, "ours_bytes").text);
}

static void print_cached(FILE *to, const json_t *j)
{
	if (json_is_true(json_object_get(j, "neighbour")))
		fputs("cached         as a neighbour, asked for by nobody\n",
		      to);
	else
		fprintf(to,
			"cached         asked for %d times, last by %s "
			"%.1f s ago\n",
			(int)number(j, "asked"), text(j, "host"),
			(double)number(j, "asked_ms_ago") / 1000);
	fprintf(to,
		"               pinned %.1f s ago; held %d times and %s, "
		"says the guest\n",
		(double)number(j, "pinned_ms_ago") / 1000,
		(int)number(j, "held"),
		json_is_true(json_object_get(j, "used")) ? "used lately" :
							   "not used lately");
}

void ctl_print_why(FILE *to, const json_t *j)
{
	const json_t *cached = json_object_get(j, "cached");
	const json_t *name;
	size_t i;

	fprintf(to, "%-14s %s\n", "page", text(j, "guest"));
	fprintf(to, "%-14s %s\n", "pinned",
		json_is_true(json_object_get(j, "pinned")) ? "yes" : "no");
	fprintf(to, "%-14s %d", "mappings", (int)number(j, "mappings"));
	json_array_foreach(json_object_get(j, "mapped_by"), i, name)
		fprintf(to, "%s%s", i ? ", " : " by ", json_string_value(name));
	fputs("\n", to);
	if (json_is_object(cached))
		print_cached(to, cached);
}

void ctl_print_pressure(FILE *to, const json_t *j)
{
	const char *kind;
	json_t *n;

	if (!json_is_true(json_object_get(j, "on"))) {
		fputs("not watched\n", to);
		return;
	}
	json_object_foreach(json_object_get(j, "events"), kind, n)
		fprintf(to, "%-14s %" JSON_INTEGER_FORMAT " times\n", kind,
			json_integer_value(n));
	fprintf(to, "%-14s %" JSON_INTEGER_FORMAT " times\n", "room made",
		number(j, "requests"));
	fprintf(to, "%-14s %s\n", "unpinned",
		size_of(j, "unpinned_bytes").text);
	fprintf(to, "%-14s %s\n", "paged out",
		size_of(j, "paged_out_bytes").text);
	fprintf(to, "%-14s %s\n", "left as hot", size_of(j, "hot_bytes").text);
}

void ctl_print_powerdown(FILE *to, const json_t *j)
{
	if (!number(j, "grace_ms")) {
		fputs("its plug is pulled: the machine has no --grace\n", to);
		return;
	}
	fprintf(to,
		"power button pressed; the plug is pulled in %" PRId64 " s\n",
		(int64_t)number(j, "left_ms") / 1000);
	if (!json_is_true(json_object_get(j, "listens")))
		fputs("the guest does not listen to it now: it is pressed "
		      "again until then\n",
		      to);
}
