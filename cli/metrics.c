/* SPDX-License-Identifier: BSD-2-Clause */
#include "metrics.h"
#include "snapshot.h"
#include <stdbool.h>
#include <string.h>

enum type { GAUGE, COUNTER };

/* One row, one sample. Rows of one name stand together. */
struct metric {
	const char *name;
	enum type type;
	const char *help;
	const char *path;  /* in the snapshot, or in a device's object */
	const char *label; /* one more, as text; NULL: none */
	double scale;	   /* 0: as it is */
};

#define BYTES(n, what)                                                    \
	{                                                                 \
		"viaduct_" n "_bytes", GAUGE, what, "status." n "_bytes", \
			NULL, 0                                           \
	}

static const struct metric of_machine[] = {
	{ "viaduct_uptime_seconds", GAUGE,
	  "Time since the control socket was there.", "status.uptime_ms", NULL,
	  0.001 },
	{ "viaduct_start_seconds", GAUGE,
	  "Time from the start to the first guest instruction.",
	  "status.start_us", NULL, 0.000001 },
	{ "viaduct_vcpus", GAUGE, "Virtual CPUs.", "status.vcpus", NULL, 0 },
	{ "viaduct_hal_in_charge", GAUGE, "1 if the guest's HAL is loaded.",
	  "status.hal_in_charge", NULL, 0 },
	BYTES("guest_ram", "Guest RAM."),
	BYTES("guest_resident", "Guest memory in the host's RAM."),
	BYTES("swapped", "Guest memory in swap."),
	BYTES("pinned", "Guest memory that is pinned."),
	BYTES("pinned_peak", "The most that was pinned at once."),
	BYTES("cached", "Guest memory that is pinned by the pin table."),
	BYTES("held", "Guest memory that the guest maps by the pin table."),
	BYTES("mapped", "Length of all mappings."),
	BYTES("budget", "What may be pinned at once."),
	BYTES("vmm_resident", "Memory of the monitor besides guest memory."),
	{ "viaduct_host_budget_bytes", GAUGE,
	  "What machines with a common budget may pin together.",
	  "budget.host.budget_bytes", NULL, 0 },
	{ "viaduct_host_budget_taken_bytes", GAUGE,
	  "What they have taken of it.", "budget.host.taken_bytes", NULL, 0 },
	{ "viaduct_host_budget_ours_bytes", GAUGE,
	  "What this machine has taken of it.", "budget.host.ours_bytes", NULL,
	  0 },
	{ "viaduct_mappings", GAUGE, "Mappings now.", "status.mappings", NULL,
	  0 },
	{ "viaduct_maps_total", COUNTER, "Segments mapped.",
	  "counters.domain.maps", NULL, 0 },
	{ "viaduct_unmaps_total", COUNTER, "Segments unmapped.",
	  "counters.domain.unmaps", NULL, 0 },
	{ "viaduct_refused_maps_total", COUNTER, "Map calls that failed.",
	  "counters.domain.refused_budget", "reason=\"budget\"", 0 },
	{ "viaduct_refused_maps_total", COUNTER, "",
	  "counters.domain.refused_denied", "reason=\"denied\"", 0 },
	{ "viaduct_refused_maps_total", COUNTER, "",
	  "counters.domain.refused_other", "reason=\"other\"", 0 },
	{ "viaduct_faults_total", COUNTER, "Refused device accesses.",
	  "counters.domain.faults", NULL, 0 },
	{ "viaduct_hal_requests_total", COUNTER, "Requests of the guest's HAL.",
	  "counters.hal.requests", NULL, 0 },
	{ "viaduct_pin_requests_total", COUNTER,
	  "Requests to pin by the table.", "counters.pins.requests", NULL, 0 },
	{ "viaduct_pin_pages_total", COUNTER, "Pages pinned by the table.",
	  "counters.pins.pinned", NULL, 0 },
	{ "viaduct_unpin_pages_total", COUNTER,
	  "Pages of the table unpinned, and why.", "counters.pins.aged",
	  "reason=\"aged\"", 0 },
	{ "viaduct_unpin_pages_total", COUNTER, "", "counters.pins.reclaimed",
	  "reason=\"reclaimed\"", 0 },
	{ "viaduct_unpin_pages_total", COUNTER, "", "counters.pins.dropped",
	  "reason=\"dropped\"", 0 },
	{ "viaduct_balloon_target_bytes", GAUGE,
	  "What the guest was asked to give.", "balloon.target_bytes", NULL,
	  0 },
	{ "viaduct_balloon_actual_bytes", GAUGE,
	  "What the guest's driver says it has given.", "balloon.actual_bytes",
	  NULL, 0 },
	{ "viaduct_balloon_reported_bytes_total", COUNTER,
	  "Memory that the guest reported free.", "balloon.reported_bytes",
	  NULL, 0 },
	{ "viaduct_balloon_discarded_bytes_total", COUNTER,
	  "Guest memory given back to the host.", "balloon.discarded_bytes",
	  NULL, 0 },
	{ "viaduct_balloon_refused_bytes_total", COUNTER,
	  "Guest memory not given back.", "balloon.refused_pinned_bytes",
	  "reason=\"pinned\"", 0 },
	{ "viaduct_balloon_refused_bytes_total", COUNTER, "",
	  "balloon.refused_other_bytes", "reason=\"other\"", 0 },
	{ "viaduct_pressure_requests_total", COUNTER,
	  "Times that room was made under memory pressure.",
	  "pressure.requests", NULL, 0 },
	{ "viaduct_pressure_unpinned_bytes_total", COUNTER,
	  "Cached pins let go under memory pressure.",
	  "pressure.unpinned_bytes", NULL, 0 },
	{ "viaduct_paged_out_bytes_total", COUNTER,
	  "Guest memory paged out under memory pressure.",
	  "pressure.paged_out_bytes", NULL, 0 },
};

static const struct metric of_device[] = {
	{ "viaduct_device_mappings", GAUGE, "Mappings of a device.", "mappings",
	  NULL, 0 },
	{ "viaduct_device_mapped_bytes", GAUGE,
	  "Length of a device's mappings.", "mapped_bytes", NULL, 0 },
	{ "viaduct_device_maps_total", COUNTER, "Segments mapped for a device.",
	  "maps", NULL, 0 },
	{ "viaduct_device_unmaps_total", COUNTER,
	  "Segments unmapped for a device.", "unmaps", NULL, 0 },
	{ "viaduct_device_refused_maps_total", COUNTER,
	  "Map calls for a device that failed.", "refused", NULL, 0 },
	{ "viaduct_device_faults_total", COUNTER,
	  "Refused accesses of a device.", "faults", NULL, 0 },
	{ "viaduct_device_interrupts_total", COUNTER,
	  "Interrupts of a device passed on to the guest.", "interrupts", NULL,
	  0 },
	{ "viaduct_device_denies_total", COUNTER,
	  "Times that a device was denied.", "denies", NULL, 0 },
};

/* Objects whose keys become a label. */
static const struct {
	struct metric metric;
	const char *key;
} of_keys[] = {
	{ { "viaduct_exits_total", COUNTER, "Exits to the monitor by cause.",
	    "counters.exits", NULL, 0 },
	  "cause" },
	{ { "viaduct_hal_answers_total", COUNTER,
	    "Requests of the guest's HAL by answer.", "counters.hal.answers",
	    NULL, 0 },
	  "answer" },
	{ { "viaduct_pressure_events_total", COUNTER,
	    "Memory pressure on the host by who said so.", "pressure.events",
	    NULL, 0 },
	  "source" },
};

static void print_head(FILE *to, const struct metric *m)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
		m->type == COUNTER ? "counter" : "gauge");
}

/* A label's value: backslash, quote and newline are escaped. */
static void print_label(FILE *to, const char *name, const char *value)
{
	fprintf(to, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", to);
		else if (*value == '"' || *value == '\\')
			fprintf(to, "\\%c", *value);
		else
			fputc(*value, to);
	}
	fputc('"', to);
}

/* No limit is infinity; a truth is 1. */
static void print_value(FILE *to, const json_t *value, double scale)
{
	if (json_is_null(value))
		fputs(" +Inf\n", to);
	else if (json_is_boolean(value))
		fprintf(to, " %d\n", json_is_true(value));
	else if (scale != 0)
		fprintf(to, " %.9g\n",
			(double)json_integer_value(value) * scale);
	else
		fprintf(to, " %" JSON_INTEGER_FORMAT "\n",
			json_integer_value(value));
}

static const char *name_of(const json_t *snapshot)
{
	const char *name =
		json_string_value(snapshot_find(snapshot, "status.name"));

	return name ? name : "";
}

static void begin_sample(FILE *to, const struct metric *m,
			 const json_t *snapshot)
{
	fprintf(to, "%s{", m->name);
	print_label(to, "vm", name_of(snapshot));
}

static void print_machine(FILE *to, const json_t *snapshot)
{
	const char *before = "";

	for (size_t i = 0; i < sizeof(of_machine) / sizeof(of_machine[0]);
	     i++) {
		const struct metric *m = &of_machine[i];
		const json_t *value = snapshot_find(snapshot, m->path);

		if (!value)
			continue; /* this machine does not count it */
		if (strcmp(before, m->name))
			print_head(to, m);
		before = m->name;
		begin_sample(to, m, snapshot);
		fprintf(to, "%s%s}", m->label ? "," : "",
			m->label ? m->label : "");
		print_value(to, value, m->scale);
	}
}

static void print_keys(FILE *to, const json_t *snapshot)
{
	const char *key;
	json_t *value;

	for (size_t i = 0; i < sizeof(of_keys) / sizeof(of_keys[0]); i++) {
		const struct metric *m = &of_keys[i].metric;
		json_t *all = snapshot_find(snapshot, m->path);

		if (!json_object_size(all))
			continue;
		print_head(to, m);
		json_object_foreach(all, key, value) {
			begin_sample(to, m, snapshot);
			fputc(',', to);
			print_label(to, of_keys[i].key, key);
			fputc('}', to);
			print_value(to, value, 0);
		}
	}
}

static void print_devices(FILE *to, const json_t *snapshot)
{
	json_t *all = snapshot_find(snapshot, "counters.devices"), *d;
	size_t k;

	if (!json_array_size(all))
		return;
	for (size_t i = 0; i < sizeof(of_device) / sizeof(of_device[0]); i++) {
		const struct metric *m = &of_device[i];

		print_head(to, m);
		json_array_foreach(all, k, d) {
			const char *host =
				json_string_value(json_object_get(d, "host"));

			begin_sample(to, m, snapshot);
			fputc(',', to);
			print_label(to, "device", host ? host : "");
			fputc('}', to);
			print_value(to, json_object_get(d, m->path), 0);
		}
	}
}

void metrics_print(FILE *to, const json_t *snapshot)
{
	print_machine(to, snapshot);
	print_keys(to, snapshot);
	print_devices(to, snapshot);
}
