/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct ctl: ask and steer a running machine. One row per verb; a verb asks
 * the machine, and either its answer is printed as JSON or a printer makes it
 * readable.
 */
#include "ctl.h"
#include "control.h"
#include "ctl_client.h"
#include "ctl_print.h"
#include "ctl_window.h"
#include "exit.h"
#include "metrics.h"
#include "options.h"
#include "rundir.h"
#include "size.h"
#include "snapshot.h"
#include "verb.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1024 /* mappings asked for at once: the machine's most */

struct ctl {
	const char *dir, *name, *socket;
	bool json, count, wants_help;
	const struct ctl_verb *verb;
	const char *device; /* the operand, whatever the verb takes */
	struct ctl_window window;
	struct ctl_client client;
	FILE *out;
	char why[512];
};

enum wants_device {
	NO_DEVICE,
	MAY_DEVICE,
	MUST_DEVICE,
	MUST_ADDRESS,
	OWN_WORDS, /* verbs of its own */
	MAY_SIZE,
	MAY_LIMIT
};

struct ctl_verb {
	const char *name;
	const char *args; /* for the usage line */
	const char *help; /* half a line */
	const char *more; /* what it prints, exit status, example */
	enum wants_device device;
	bool takes_count;
	int (*run)(struct ctl *c, json_t **result);
	void (*print)(struct ctl *c, const json_t *result);
};

static int ask(struct ctl *c, const char *command, json_t *args,
	       json_t **result)
{
	return ctl_ask(&c->client, command, args, result, c->why,
		       sizeof(c->why));
}

static int ask_plain(struct ctl *c, json_t **result)
{
	return ask(c, c->verb->name, NULL, result);
}

static int ask_snapshot(struct ctl *c, json_t **result)
{
	return snapshot_take(&c->client, result, c->why, sizeof(c->why));
}

static int ask_device(struct ctl *c, json_t **result)
{
	return ask(c, c->verb->name, json_pack("{s:s}", "device", c->device),
		   result);
}

static int ask_address(struct ctl *c, json_t **result)
{
	return ask(c, c->verb->name, json_pack("{s:s}", "guest", c->device),
		   result);
}

/* Without an operand the verb only looks. */
static int ask_size(struct ctl *c, json_t **result)
{
	uint64_t bytes;

	if (!c->device)
		return ask_plain(c, result);
	if (!strcmp(c->device, "none"))
		return ask(c, c->verb->name, json_pack("{s:n}", "bytes"),
			   result);
	size_parse(c->device, &bytes); /* take_operand() has seen it is one */
	return ask(c, c->verb->name,
		   json_pack("{s:I}", "bytes", (json_int_t)bytes), result);
}

/* All mappings of one device, page after page. */
static int ask_all(struct ctl *c, json_t *device, json_t **result)
{
	json_t *all = NULL, *part;
	size_t n;
	int status;

	*result = NULL;
	do {
		status = ask(c, "mappings",
			     json_pack("{s:O,s:I,s:i}", "device", device,
				       "from", (json_int_t)json_array_size(all),
				       "max", c->count ? 0 : PAGE),
			     &part);
		if (status != CLI_OK)
			break;
		n = json_array_size(json_object_get(part, "mappings"));
		if (!*result) {
			*result = part;
			all = json_object_get(part, "mappings");
		} else {
			json_array_extend(all,
					  json_object_get(part, "mappings"));
			json_decref(part);
		}
	} while (n == PAGE);
	if (status != CLI_OK) {
		json_decref(*result);
		return status;
	}
	json_object_del(*result, "from");
	if (c->count)
		json_object_del(*result, "mappings");
	return CLI_OK;
}

static json_t *names(struct ctl *c, int *status)
{
	json_t *list = json_array(), *devices, *d;
	size_t i;

	*status = CLI_OK;
	if (c->device) {
		json_array_append_new(list, json_string(c->device));
		return list;
	}
	*status = ask(c, "devices", NULL, &devices);
	if (*status != CLI_OK)
		return list;
	json_array_foreach(devices, i, d)
		json_array_append(list, json_object_get(d, "guest_id"));
	json_decref(devices);
	return list;
}

static int ask_mappings(struct ctl *c, json_t **result)
{
	json_t *list = json_array(), *one, *name;
	json_t *all;
	size_t i;
	int status;

	all = names(c, &status);
	json_array_foreach(all, i, name) {
		status = ask_all(c, name, &one);
		if (status != CLI_OK)
			break;
		json_array_append_new(list, one);
	}
	json_decref(all);
	if (status != CLI_OK)
		json_decref(list);
	else
		*result = list;
	return status;
}

static void print_status(struct ctl *c, const json_t *j)
{
	ctl_print_status(c->out, j);
}

static void print_devices(struct ctl *c, const json_t *j)
{
	ctl_print_devices(c->out, j);
}

static void print_mappings(struct ctl *c, const json_t *j)
{
	ctl_print_mappings(c->out, j, c->count);
}

static void print_counters(struct ctl *c, const json_t *j)
{
	ctl_print_counters(c->out, j);
}

static void print_faults(struct ctl *c, const json_t *j)
{
	ctl_print_faults(c->out, j);
}

static void print_changed(struct ctl *c, const json_t *j)
{
	ctl_print_state(c->out, j);
}

static void print_balloon(struct ctl *c, const json_t *j)
{
	ctl_print_balloon(c->out, j);
}

static void print_budget(struct ctl *c, const json_t *j)
{
	ctl_print_budget(c->out, j);
}

static void print_why(struct ctl *c, const json_t *j)
{
	ctl_print_why(c->out, j);
}

static void print_pressure(struct ctl *c, const json_t *j)
{
	ctl_print_pressure(c->out, j);
}

static void print_metrics(struct ctl *c, const json_t *j)
{
	metrics_print(c->out, j);
}

static int ask_window(struct ctl *c, json_t **result)
{
	json_t *args = c->window.args;

	c->window.args = NULL;
	return ask(c, c->window.command, args, result);
}

static void print_window(struct ctl *c, const json_t *j)
{
	ctl_window_print(c->out, j);
}

static void print_powerdown(struct ctl *c, const json_t *j)
{
	ctl_print_powerdown(c->out, j);
}

static void print_nothing(struct ctl *c, const json_t *j)
{
	(void)c, (void)j;
}

/* clang-format off */
static const struct ctl_verb verbs[] = {
	{ .name = "status", .args = "", .help = "memory, pins and exits",
	  .more =
"Guest RAM, what of it is resident, swapped, pinned and mapped (now and at\n"
"most), the pin budget, and the exits by cause.\n"
"\n"
"Example:\n"
"  viaduct ctl status --json | jq .pinned_bytes\n",
	  .run = ask_plain, .print = print_status },
	{ .name = "devices", .args = "", .help = "the assigned devices",
	  .more =
"One line per device: its name on the host, its id in the guest, whether it\n"
"is permitted, what it has mapped, refused map calls and faults.\n"
"\n"
"Example:\n"
"  viaduct ctl --name web devices\n",
	  .run = ask_plain, .print = print_devices },
	{ .name = "mappings", .args = " [--count] [DEVICE]",
	  .help = "what the devices can reach now",
	  .more =
"Each mapping of DEVICE, or of all devices, by ascending bus address. A long\n"
"list is read in parts and may see changes between them.\n"
"\n"
"  --count             only how many, and how many bytes\n"
"\n"
"Example:\n"
"  viaduct ctl mappings --count 0000:03:00.0\n",
	  .device = MAY_DEVICE, .takes_count = true,
	  .run = ask_mappings, .print = print_mappings },
	{ .name = "counters", .args = "", .help = "everything that is counted",
	  .more =
"Counters of the domain, of the HAL's requests by answer, of each device, and\n"
"exits by cause, since the machine started.\n"
"\n"
"Example:\n"
"  viaduct ctl counters --json | jq .hal.answers\n",
	  .run = ask_plain, .print = print_counters },
	{ .name = "faults", .args = "", .help = "take the recorded faults",
	  .more =
"Refused device accesses, the oldest first. What is printed is taken: the\n"
"next call shows only what came since. 256 are kept.\n"
"\n"
"Example:\n"
"  viaduct ctl faults\n",
	  .run = ask_plain, .print = print_faults },
	{ .name = "permit", .args = " DEVICE", .help = "let a device do DMA",
	  .more =
"The guest sees DEVICE on its bus again.\n"
"\n"
"Example:\n"
"  viaduct ctl permit 0000:03:00.0\n",
	  .device = MUST_DEVICE, .run = ask_device, .print = print_changed },
	{ .name = "deny", .args = " DEVICE", .help = "forbid a device's DMA",
	  .more =
"DEVICE leaves the guest's bus as if it had been pulled; its DMA is stopped,\n"
"its mappings end and their pages are unpinned, in this order.\n"
"\n"
"Example:\n"
"  viaduct ctl deny 0000:03:00.0\n",
	  .device = MUST_DEVICE, .run = ask_device, .print = print_changed },
	{ .name = "balloon", .args = " [SIZE]",
	  .help = "memory that the guest gives back",
	  .more =
"Asks the guest to give back SIZE of its memory (0: take all again), then or\n"
"without SIZE shows how far it is. The guest's virtio_balloon driver does it in\n"
"its own time. Pages in which DMA may be under way are not taken from it.\n"
"SIZE is a number of bytes, or one followed by K, M, G or T.\n"
"\n"
"Example:\n"
"  viaduct ctl --name web balloon 512M\n",
	  .device = MAY_SIZE, .run = ask_size, .print = print_balloon },
	{ .name = "budget", .args = " [SIZE]",
	  .help = "how much may be pinned",
	  .more =
"Sets how much guest memory may be pinned at once, or without SIZE shows it.\n"
"SIZE is a number of bytes, or one followed by K, M, G or T; or none, for no\n"
"limit. A limit below what is pinned lets go of cached pages that nobody\n"
"maps, and ends no mapping. What is new beyond it is copied, or refused: see\n"
"--budget in viaduct-run(1).\n"
"\n"
"Example:\n"
"  viaduct ctl --name web budget 64M\n",
	  .device = MAY_LIMIT, .run = ask_size, .print = print_budget },
	{ .name = "why-pinned", .args = " ADDRESS",
	  .help = "who keeps a page from being swapped",
	  .more =
"Why the guest's page at ADDRESS (guest-physical, any byte) is pinned: which\n"
"devices map it by requests, which is exact; and if the table of pins has it,\n"
"who asked for it last, how often, since when. Maps that cost no request are\n"
"known by their count only, which is the guest's own.\n"
"\n"
"Example:\n"
"  viaduct ctl why-pinned 0x12345000\n",
	  .device = MUST_ADDRESS, .run = ask_address, .print = print_why },
	{ .name = "pressure", .args = "",
	  .help = "memory pressure on the host",
	  .more =
"Who watches for memory pressure (psi, cgroup-psi, cgroup-events) and how often\n"
"it came, how often room was made, and what was paged out.\n"
"\n"
"Example:\n"
"  viaduct ctl pressure --json | jq .paged_out_bytes\n",
	  .run = ask_plain, .print = print_pressure },
	{ .name = "metrics", .args = "", .help = "all numbers for Prometheus",
	  .more =
"Everything that the machine counts in Prometheus's text format, each sample\n"
"with the machine's name as label vm. Write it to a .prom file for the\n"
"node exporter's textfile collector. The names are stable. With --json: the\n"
"answers that it is made of.\n"
"\n"
"Example:\n"
"  viaduct ctl --name web metrics >web.prom.new && mv web.prom.new web.prom\n",
	  .run = ask_snapshot, .print = print_metrics },
	{ .name = "window", .args = " list | show | split | merge | lend | take-back",
	  .help = "DMA windows: show and change",
	  .more =
"  window list\n"
"  window show WINDOW\n"
"  window split WINDOW KEEP OWNER\n"
"  window merge WINDOW WITH [OWNER]\n"
"  window lend WINDOW FIRST ENTRIES OWNER\n"
"  window take-back WINDOW\n"
"\n"
"All are numbers. A split leaves the first KEEP entries to WINDOW and gives\n"
"the others to OWNER as a new window; merge is the inverse. Show also lists\n"
"the changes with their causes. A machine on a host without an IOMMU has no\n"
"DMA windows: exit status 7.\n"
"\n"
"  --live LIVE         what becomes of valid entries in the part that changes\n"
"                      hands: refuse (default), revoke or transfer\n"
"  --id ID             split, lend: the handle of the new window\n"
"\n"
"Example:\n"
"  viaduct ctl --socket /run/adapter.sock window split 10 128 2\n",
	  .device = OWN_WORDS, .run = ask_window, .print = print_window },
	{ .name = "powerdown", .args = "",
	  .help = "press the guest's power button",
	  .more =
"The guest shuts down in good order, if it listens to its power button (in\n"
"Linux: the modules button and evdev, and systemd-logind or acpid). If it is not\n"
"off after --grace of viaduct run its plug is pulled. Asked again, the button is\n"
"pressed again; the time goes on from the first. viaduct run exits with status 0\n"
"if the guest powered off, and with 8 if it had to pull the plug.\n"
"\n"
"Example:\n"
"  viaduct ctl --name web powerdown\n",
	  .run = ask_plain, .print = print_powerdown },
	{ .name = "quit", .args = "", .help = "pull the plug",
	  .more =
"Ends the machine at once, as the escape key does; the guest learns nothing of\n"
"it (see powerdown). Devices are stopped and go back to their drivers; viaduct\n"
"run exits with status 5.\n"
"\n"
"Example:\n"
"  viaduct ctl --name web quit\n",
	  .run = ask_plain, .print = print_nothing },
};
/* clang-format on */

#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

/* clang-format off */
static const char options_help[] =
"  --name NAME         the machine of this name (may be left out if only one\n"
"                      runs)\n"
"  --socket PATH       the machine with this control socket\n"
"  --json              print the answer as JSON\n"
"  --help              this text; after a VERB: more about it\n"
"\n"
"DEVICE is a PCI address on the host (0000:03:00.0) or the device's id in the\n"
"guest (a number).\n"
"\n"
"Exit status: 0 done; 1 the machine refused or failed; 2 wrong options, or\n"
"several machines and no --name; 6 no machine answers; 7 window: the machine\n"
"has no DMA windows.\n";
/* clang-format on */

static void print_help(FILE *to)
{
	fputs("usage: viaduct ctl [--name NAME | --socket PATH] [--json] VERB "
	      "[DEVICE|SIZE|ADDRESS]\n"
	      "\n"
	      "Ask or steer a running virtual machine.\n"
	      "\n",
	      to);
	for (size_t i = 0; i < NVERBS; i++)
		fprintf(to, "  %-19s %s\n", verbs[i].name, verbs[i].help);
	fprintf(to, "\n%s\nExample:\n  viaduct ctl status\n", options_help);
}

static void print_verb_help(FILE *to, const struct ctl_verb *v)
{
	fprintf(to, "usage: viaduct ctl [OPTION]... %s%s\n\n%s\n%s", v->name,
		v->args, v->more, options_help);
}

static int take_options(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "count", no_argument, NULL, 'c' },
		{ "live", required_argument, NULL, 'l' },
		{ "id", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char text[128];
	int val;

	optind = 0; /* glibc: begin anew, forgetting an earlier argv */
	while ((val = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		if (val == 'n')
			c->name = optarg;
		else if (val == 's')
			c->socket = optarg;
		else if (val == 'j')
			c->json = true;
		else if (val == 'c')
			c->count = true;
		else if (val == 'l')
			c->window.live = optarg;
		else if (val == 'i')
			c->window.id = optarg;
		else if (val == 'h')
			c->wants_help = true;
		else if (val == ':')
			return options_usage("ctl", "option wants a value: %s",
					     argv[optind - 1]);
		else
			return options_usage("ctl", "no such option: %s",
					     options_culprit(argv, options,
							     text,
							     sizeof(text)));
	}
	if (c->socket && !*c->socket)
		return options_usage("ctl", "impossible value: --socket ''");
	return c->name && c->socket ?
		       options_usage("ctl",
				     "--name and --socket exclude each other") :
		       CLI_OK;
}

static int find_verb(struct ctl *c, const char *name)
{
	for (size_t i = 0; i < NVERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			c->verb = &verbs[i];
	return c->verb ? CLI_OK :
			 options_usage("ctl", "no such verb: %s", name);
}

/* JSON has no larger numbers. A limit can be none, but not 0. */
static bool is_size(const struct ctl_verb *v, const char *text)
{
	uint64_t bytes;

	if (v->device == MAY_LIMIT && !strcmp(text, "none"))
		return true;
	return !size_parse(text, &bytes) && bytes <= INT64_MAX &&
	       (bytes || v->device == MAY_SIZE);
}

static bool is_address(const char *text)
{
	uint64_t address;

	return text && control_number(text, &address);
}

static int take_window(struct ctl *c, int argc, char **argv)
{
	if (ctl_window_parse(&c->window, argc, argv, c->why, sizeof(c->why)))
		return options_usage("ctl", "%s", c->why);
	return CLI_OK;
}

static int take_operand(struct ctl *c, int argc, char **argv)
{
	const struct ctl_verb *v = c->verb;

	if (c->count && !v->takes_count)
		return options_usage("ctl", "%s takes no --count", v->name);
	if (v->device == OWN_WORDS)
		return take_window(c, argc, argv);
	if (c->window.live || c->window.id)
		return options_usage("ctl", "%s takes no --%s", v->name,
				     c->window.live ? "live" : "id");
	if (argc > 0 && v->device != NO_DEVICE) {
		c->device = argv[0];
		argc--;
		argv++;
	}
	if (argc > 0)
		return options_usage("ctl", "unexpected argument: %s", argv[0]);
	if (v->device == MUST_DEVICE && !c->device)
		return options_usage("ctl", "%s wants a DEVICE", v->name);
	if (v->device == MUST_ADDRESS && !is_address(c->device))
		return options_usage("ctl", "%s wants an ADDRESS", v->name);
	if (v->device >= MAY_SIZE && c->device && !is_size(v, c->device))
		return options_usage(
			"ctl",
			"'%s' is no size for %s, which takes bytes%s, or "
			"a number with K, M, G or T%s",
			c->device, v->name,
			v->device == MAY_LIMIT ? " above 0" : "",
			v->device == MAY_LIMIT ? ", or none" : "");
	return CLI_OK;
}

static int parse(struct ctl *c, int argc, char **argv)
{
	int status = take_options(c, argc, argv);

	if (status != CLI_OK)
		return status;
	if (optind == argc)
		return c->wants_help ? CLI_OK :
				       options_usage("ctl", "which verb?");
	status = find_verb(c, argv[optind]);
	if (status != CLI_OK || c->wants_help)
		return status;
	return take_operand(c, argc - optind - 1, argv + optind + 1);
}

static void print_result(struct ctl *c, const json_t *result)
{
	if (c->json) {
		json_dumpf(result, c->out, JSON_INDENT(2) | JSON_ENCODE_ANY);
		fputc('\n', c->out);
	} else {
		c->verb->print(c, result);
	}
}

static int execute(struct ctl *c)
{
	char path[256];
	json_t *result;
	int status;

	status = ctl_find(c->dir, c->name, c->socket, path, sizeof(path),
			  c->why, sizeof(c->why));
	if (status != CLI_OK)
		return status;
	status = ctl_open(&c->client, path, c->why, sizeof(c->why));
	if (status != CLI_OK)
		return status;
	status = c->verb->run(c, &result);
	ctl_close(&c->client);
	if (status != CLI_OK)
		return status;
	print_result(c, result);
	json_decref(result);
	return CLI_OK;
}

int ctl_main(int argc, char **argv, const char *dir, FILE *out)
{
	struct ctl c = { .dir = dir, .out = out };
	int status = parse(&c, argc, argv);

	if (status != CLI_OK)
		return status;
	if (c.wants_help && c.verb)
		print_verb_help(out, c.verb);
	else if (c.wants_help)
		print_help(out);
	else
		status = execute(&c);
	json_decref(c.window.args);
	if (status == CLI_OK)
		return options_end_output("ctl", out);
	fprintf(stderr, "viaduct ctl: %s\n", c.why);
	return status;
}

int verb_ctl(int argc, char **argv)
{
	char dir[RUNDIR_LEN];

	if (rundir(dir, sizeof(dir))) {
		fputs("viaduct ctl: XDG_RUNTIME_DIR is too long\n", stderr);
		return CLI_FAILED;
	}
	return ctl_main(argc, argv, dir, stdout);
}
