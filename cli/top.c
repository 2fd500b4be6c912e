/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct top: all machines and their devices, again and again. With --json
 * each sample is a line: what viaduct report makes a page of.
 *
 * On a terminal the view stays in place and q ends it; else views follow each
 * other.
 */
#include "top.h"
#include "control.h"
#include "ctl_client.h"
#include "exit.h"
#include "options.h"
#include "rundir.h"
#include "sample.h"
#include "snapshot.h"
#include "top_print.h"
#include "verb.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CTRL_C 3

/* clang-format off */
static const char help[] =
"usage: viaduct top [OPTION]...\n"
"\n"
"Show the running virtual machines and their devices, live: memory in RAM, in\n"
"swap, pinned, mapped; exits and mapped segments a second; refused maps. q ends\n"
"it.\n"
"\n"
"  --once              one view (of one interval) and end\n"
"  --json              a line of JSON for each view; see viaduct report\n"
"  --interval SECONDS  between views, 0.1 to 3600 (1)\n"
"  --name NAME         only the machine of this name\n"
"  --socket PATH       only the machine with this control socket\n"
"  --help              this text\n"
"\n"
"Exit status: 0 done; 1 a machine's answer cannot be shown; 2 wrong options;\n"
"6 no machine answers (with --once, --name or --socket).\n"
"\n"
"Example:\n"
"  viaduct top --json --interval 0.5 >recording\n";
/* clang-format on */

/* Signal handlers have no context, and a process has one terminal. */
static struct {
	struct termios cooked;
	int out; /* descriptor */
	volatile sig_atomic_t is_ours;
} screen;

static const char other_screen[] = "\033[?1049h\033[?25l"; /* no cursor */
static const char first_screen[] = "\033[?25h\033[?1049l";

struct top {
	const char *dir, *name, *socket;
	bool once, json, wants_help;
	double interval;
	json_t *before; /* snapshots by name */
	json_t *now;
	json_t *machines; /* of the view that is being made */
	FILE *out;
	bool live;     /* on a terminal */
	int write_err; /* errno of it */
	char why[512];
};

static int set_interval(struct top *t, const char *text)
{
	char *end;

	t->interval = strtod(text, &end);
	/* strtod() also takes blanks, signs, "inf" and "0x1p3". */
	if (!*text || *end || text[strspn(text, "0123456789.")] ||
	    !(t->interval >= 0.1) || t->interval > 3600)
		return options_usage(
			"top",
			"impossible value: --interval '%s'; it must be "
			"seconds, 0.1 to 3600",
			text);
	return CLI_OK;
}

static int take_option(struct top *t, int val, char **argv,
		       const struct option *options)
{
	char text[128];

	switch (val) {
	case 'n':
		t->name = optarg;
		return CLI_OK;
	case 's':
		t->socket = optarg;
		return CLI_OK;
	case 'o':
		t->once = true;
		return CLI_OK;
	case 'j':
		t->json = true;
		return CLI_OK;
	case 'h':
		t->wants_help = true;
		return CLI_OK;
	case 'i':
		return set_interval(t, optarg);
	case ':':
		return options_usage("top", "option wants a value: %s",
				     argv[optind - 1]);
	default:
		return options_usage(
			"top", "no such option: %s",
			options_culprit(argv, options, text, sizeof(text)));
	}
}

static int parse(struct top *t, int argc, char **argv)
{
	static const struct option options[] = {
		{ "once", no_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ "interval", required_argument, NULL, 'i' },
		{ "name", required_argument, NULL, 'n' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int val, status = CLI_OK;

	optind = 0;
	while (status == CLI_OK && !t->wants_help) {
		val = getopt_long(argc, argv, ":h", options, NULL);
		if (val < 0)
			break;
		status = take_option(t, val, argv, options);
	}
	if (status != CLI_OK || t->wants_help)
		return status;
	if (optind < argc)
		return options_usage("top", "unexpected argument: %s",
				     argv[optind]);
	if (t->socket && !*t->socket)
		return options_usage("top", "impossible value: --socket ''");
	if (t->name && t->socket)
		return options_usage("top",
				     "--name and --socket exclude each other");
	return CLI_OK;
}

/* Ask one machine. One that has just gone is left out. */
static int ask(struct top *t, const char *path)
{
	struct ctl_client c;
	json_t *s;
	const char *name;
	int status = ctl_open(&c, path, t->why, sizeof(t->why));

	if (status != CLI_OK)
		return status;
	status = snapshot_take(&c, &s, t->why, sizeof(t->why));
	ctl_close(&c);
	if (status != CLI_OK)
		return status;
	name = json_string_value(snapshot_find(s, "status.name"));
	if (!name)
		name = path;
	json_array_append_new(
		t->machines,
		sample_machine(s, json_object_get(t->before, name)));
	json_object_set_new(t->now, name, s);
	return CLI_OK;
}

static int ask_each(void *ctx, const char *name, const char *path)
{
	(void)name;
	ask(ctx, path);
	return 0;
}

static int ask_all(struct top *t)
{
	char path[256];
	int err;

	if (t->name || t->socket) {
		err = ctl_find(t->dir, t->name, t->socket, path, sizeof(path),
			       t->why, sizeof(t->why));
		return err ? err : ask(t, path);
	}
	err = ctl_each(t->dir, ask_each, t);
	if (err) {
		snprintf(t->why, sizeof(t->why), "cannot read %s: %s", t->dir,
			 strerror(-err));
		return CLI_FAILED;
	}
	if (json_array_size(t->machines) || !t->once)
		return CLI_OK;
	snprintf(t->why, sizeof(t->why), "no virtual machine runs");
	return CLI_UNREACHABLE;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int take_sample(struct top *t, json_t **out)
{
	int status;

	t->machines = json_array();
	t->now = json_object();
	status = ask_all(t);
	*out = sample_make(now_ms(), t->machines);
	json_decref(t->before);
	t->before = t->now;
	return status;
}

static unsigned int columns(const struct top *t)
{
	struct winsize w;

	if (!t->live || ioctl(fileno(t->out), TIOCGWINSZ, &w) || !w.ws_col)
		return 0; /* as many as it takes */
	return w.ws_col;
}

static void show(struct top *t, const json_t *sample)
{
	errno = 0;
	if (t->json) {
		json_dumpf(sample, t->out,
			   JSON_COMPACT | JSON_REAL_PRECISION(6));
		fputc('\n', t->out);
	} else {
		if (t->live)
			fputs("\033[H", t->out);
		top_print(t->out, sample, columns(t), t->live);
		if (t->live)
			fputs("\033[J", t->out);
	}
	if (fflush(t->out) || ferror(t->out))
		t->write_err = errno ? errno : EIO;
}

/* Until the next view. False: the user wants no more. */
static bool pause_view(struct top *t)
{
	struct pollfd p = { .fd = t->live ? STDIN_FILENO : -1,
			    .events = POLLIN };
	char key;

	if (poll(&p, 1, (int)(t->interval * 1000)) <= 0)
		return true;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != CTRL_C;
}

/* Only calls that a signal handler may make. */
static void leave_screen(void)
{
	if (!screen.is_ours)
		return;
	screen.is_ours = 0;
	if (write(screen.out, first_screen, sizeof(first_screen) - 1) < 0)
		screen.out = -1; /* nobody looks any more */
	tcsetattr(STDIN_FILENO, TCSANOW, &screen.cooked);
}

static void on_deadly(int sig)
{
	leave_screen();
	raise(sig); /* SA_RESETHAND: now it has its usual effect */
}

/* Whoever ends us, and at whatever moment: the terminal is put back. */
static void hook_signals(void)
{
	static const int deadly[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	const struct sigaction sa = {
		.sa_handler = on_deadly,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER),
	};

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &sa, NULL);
}

static void begin_live(struct top *t)
{
	struct termios raw;

	t->live = !t->json && !t->once && isatty(STDIN_FILENO) &&
		  isatty(fileno(t->out)) &&
		  tcgetattr(STDIN_FILENO, &screen.cooked) == 0;
	if (!t->live)
		return;
	screen.out = fileno(t->out);
	screen.is_ours = 1;
	hook_signals();
	raw = screen.cooked;
	/* Ctrl-C is a key like q. */
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(other_screen, t->out);
}

static void end_live(struct top *t)
{
	if (!t->live)
		return;
	fflush(t->out);
	leave_screen();
}

/* One view. The first sample of --once is only what rates are counted from. */
static int view(struct top *t, bool visible)
{
	json_t *sample;
	int status = take_sample(t, &sample);

	if (status == CLI_OK && visible)
		show(t, sample);
	json_decref(sample);
	if (status == CLI_OK && ferror(t->out)) {
		snprintf(t->why, sizeof(t->why), "cannot write: %s",
			 strerror(t->write_err));
		status = CLI_FAILED;
	}
	return status;
}

static int run(struct top *t)
{
	int status;

	begin_live(t);
	status = view(t, !t->once);
	while (status == CLI_OK && pause_view(t)) {
		status = view(t, true);
		if (t->once)
			break;
	}
	end_live(t);
	json_decref(t->before);
	if (t->write_err == EPIPE) /* who reads has seen enough: head -1 */
		return CLI_OK;
	if (status != CLI_OK)
		fprintf(stderr, "viaduct top: %s\n", t->why);
	return status;
}

int top_main(int argc, char **argv, const char *dir, FILE *out)
{
	struct top t = { .dir = dir, .out = out, .interval = 1 };
	int status = parse(&t, argc, argv);

	if (status != CLI_OK)
		return status;
	if (t.wants_help) {
		fputs(help, out);
		return options_end_output("top", out);
	}
	return run(&t);
}

int verb_top(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN); /* a write says so as well */
	char dir[RUNDIR_LEN];

	if (rundir(dir, sizeof(dir))) {
		fputs("viaduct top: XDG_RUNTIME_DIR is too long\n", stderr);
		return CLI_FAILED;
	}
	return top_main(argc, argv, dir, stdout);
}
