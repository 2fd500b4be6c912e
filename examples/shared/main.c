/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared-adapter: a real NVMe controller (QEMU's, in a process of its own) for
 * two providers, with a control socket.
 *
 *	shared-adapter --disk FILE --control PATH [--monitor]
 *	viaduct ctl --socket PATH window list
 *	viaduct ctl --socket PATH window split 10 128 2
 *	viaduct ctl --socket PATH quit
 *
 * Provider 1 owns window 10, 256 pages, and does verified I/O in its lower half
 * all the time. Provider 2 maps and uses what it is told that it has, and asks
 * for a part when it gets SIGUSR1. With --monitor the policy may split and
 * merge as well. Owner 3 is a client of provider 2. Ends with a line of counts;
 * its exit status is 1 if one byte was wrong.
 */
#include "control_windows.h"
#include "control.h"
#include "provider.h"
#include "spawn.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NPAGES 256u
#define BUS    0x10000000u
#define LEN    ((uint64_t)NPAGES * NVME_PAGE)
#define TICK   50 /* ms */
#define WINDOW 10u
#define PART   11u
#define MORE   3 /* commands besides those of windows */

enum { ONE = 1, TWO = 2, CLIENT = 3 };

struct program {
	struct control_windows windows; /* first: the ctx of commands */
	const char *disk, *control_path;
	bool monitor;
	pid_t qemu;
	struct shared *shared;
	struct provider one, two;
	struct control *control;
	struct control_command command[16];
	pthread_mutex_t lock; /* guards what follows */
	struct vd_policy *policy;
	int64_t began, sampled;
	uint64_t requests[2]; /* at the last sample */
	uint64_t rate[2];
	atomic_bool quit;
};

static volatile sig_atomic_t asked;

static void on_signal(int sig)
{
	asked = sig;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t uptime(const struct program *p)
{
	return (uint64_t)(now_ms() - p->began);
}

/* A change by anybody, for the record; with the lock held. */
static void record(struct program *p, const struct vd_policy_record *r)
{
	struct vd_policy_record full = *r;

	full.now_ms = uptime(p);
	full.rate = p->rate[1];
	vd_policy_record(p->policy, &full);
}

static void tried(void *opaque, const struct vd_policy_record *r)
{
	struct program *p = opaque;

	pthread_mutex_lock(&p->lock);
	record(p, r);
	pthread_mutex_unlock(&p->lock);
}

static int next_record(void *opaque, uint64_t seq, struct vd_policy_record *out)
{
	struct program *p = opaque;
	int err;

	pthread_mutex_lock(&p->lock);
	err = vd_policy_next(p->policy, seq, out);
	pthread_mutex_unlock(&p->lock);
	return err;
}

static const struct control_windows_ops ops = { tried, next_record };

static int run_quit(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct program *p = ctx;

	if (control_args(args, e, "{}"))
		return -1;
	p->quit = true;
	*result = json_object();
	return 0;
}

/* Let the second provider rest, or work again. */
static int run_pause(void *ctx, const json_t *args, json_t **result,
		     struct control_error *e)
{
	struct program *p = ctx;
	int paused;

	if (control_args(args, e, "{s:b}", "paused", &paused))
		return -1;
	p->two.paused = paused;
	*result = json_object();
	return 0;
}

static int run_work(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct program *p = ctx;
	struct shared_stats s;

	if (control_args(args, e, "{}"))
		return -1;
	shared_stats(p->shared, &s);
	*result = json_pack("{s:I,s:I,s:I,s:I,s:I}", "commands",
			    (json_int_t)s.commands, "refused_addresses",
			    (json_int_t)s.faults, "verified_bytes",
			    (json_int_t)(p->one.verified + p->two.verified),
			    "wrong", (json_int_t)(p->one.wrong + p->two.wrong),
			    "verified_bytes_2", (json_int_t)p->two.verified);
	return 0;
}

/* The owners' drivers: each is told what it has. */
static void changed(void *opaque, uint32_t owner,
		    const struct vd_window_info *w)
{
	struct program *p = opaque;

	if (owner == TWO)
		provider_told(&p->two, w);
}

/* What the monitor looks at. */
static struct vd_policy_load load(struct program *p)
{
	struct vd_adapter *a = shared_adapter(p->shared);
	struct vd_policy_load l = { .size = sizeof(l),
				    .now_ms = uptime(p),
				    .rate = p->rate[0],
				    .part_rate = p->rate[1] };
	struct vd_window_info w = { .size = sizeof(w) };

	if (!vd_window_query(a, WINDOW, &w))
		l.len = w.len;
	vd_window_nlive(a, WINDOW, &l.live);
	/* Provider 1 maps its lower half only. */
	l.spare = l.len > NPAGES / 2 ? l.len - NPAGES / 2 : 0;
	if (!vd_window_query(a, PART, &w))
		l.part_len = w.len;
	vd_window_nlive(a, PART, &l.part_live);
	return l;
}

static int split(struct program *p, uint64_t keep)
{
	struct vd_split s = { .size = sizeof(s),
			      .id = WINDOW,
			      .newid = PART,
			      .owner = TWO,
			      .keep = keep };

	return vd_window_split(shared_adapter(p->shared), &s);
}

static int merge(struct program *p)
{
	struct vd_merge m = { .size = sizeof(m),
			      .keep = WINDOW,
			      .clear = PART,
			      .owner = ONE,
			      .live = VD_LIVE_REVOKE };

	return vd_window_merge(shared_adapter(p->shared), &m);
}

static void carry_out(struct program *p, const struct vd_policy_decision *d,
		      const struct vd_policy_load *l)
{
	struct vd_policy_record r = { .size = sizeof(r),
				      .cause = d->cause,
				      .verb = d->verb,
				      .window = WINDOW,
				      .part = PART };

	if (d->verb == VD_POLICY_NOTHING)
		return;
	r.pressure = (uint32_t)(l->live * 1000 / l->len);
	r.len = d->verb == VD_POLICY_SPLIT ? l->len - d->keep : l->part_len;
	r.result = d->verb == VD_POLICY_SPLIT ? split(p, d->keep) : merge(p);
	record(p, &r);
}

static void sample(struct program *p)
{
	int64_t now = now_ms(), ms = now - p->sampled;
	uint64_t n;

	if (ms < TICK)
		return;
	for (uint32_t i = 0; i < 2; i++) {
		n = shared_requests(p->shared, ONE + i);
		p->rate[i] = (n - p->requests[i]) * 1000 / (uint64_t)ms;
		p->requests[i] = n;
	}
	p->sampled = now;
}

/* The driver's request, and the monitor. */
static void decide(struct program *p)
{
	struct vd_policy_decision d = { .size = sizeof(d),
					.verb = VD_POLICY_NOTHING };
	struct vd_policy_load l = { .size = sizeof(l) };

	pthread_mutex_lock(&p->lock);
	sample(p);
	l = load(p);
	if (asked == SIGUSR1 || asked == SIGUSR2) {
		if (!vd_policy_ask(p->policy, &l,
				   asked == SIGUSR1 ? NPAGES / 4 : 0, &d))
			carry_out(p, &d, &l);
		asked = 0;
	} else if (p->monitor && !vd_policy_watch(p->policy, &l, &d)) {
		carry_out(p, &d, &l);
	}
	pthread_mutex_unlock(&p->lock);
}

static int make_window(struct program *p)
{
	struct vd_adapter *a = shared_adapter(p->shared);
	struct vd_table_cfg t = { .size = sizeof(t),
				  .page_shift = 12,
				  .nentries = NPAGES };
	struct vd_window_cfg w = { .size = sizeof(w),
				   .id = WINDOW,
				   .owner = ONE,
				   .bus = { BUS },
				   .len = NPAGES };
	int err = vd_table_create(a, &t, &w.table);

	return err ? err : vd_window_create(a, &w);
}

static int make_owners(struct program *p)
{
	int err = shared_add(p->shared, ONE, VD_NO_OWNER, LEN);

	if (!err)
		err = shared_add(p->shared, TWO, VD_NO_OWNER, LEN);
	if (!err)
		err = shared_add(p->shared, CLIENT, TWO, LEN);
	return err ? err : make_window(p);
}

static int make_policy(struct program *p)
{
	struct vd_policy_cfg cfg = { .size = sizeof(cfg),
				     .hold_ms = 500,
				     .samples = 3,
				     .high = 100,
				     .low = 10,
				     .full = 900,
				     .empty = 1000,
				     .min_len = 16 };

	return vd_policy_create(&cfg, &p->policy);
}

static int make_shared(struct program *p)
{
	struct vd_remote_cfg cfg = { .size = sizeof(cfg), .timeout_ms = 20000 };
	struct shared_listener l = { changed, p };
	struct vd_remote *remote;
	int err = spawn_nvme(p->disk, &cfg.fd, &p->qemu);

	if (!err)
		err = vd_remote_create(&cfg, &remote);
	if (!err)
		err = shared_create(remote, &l, &p->shared);
	if (!err)
		err = make_owners(p);
	return err ? err : make_policy(p);
}

static int serve(struct program *p)
{
	struct control_cfg cfg = { .path = p->control_path, .version = "0" };
	const struct control_command *c;
	char why[256];
	size_t n;
	int err;

	c = control_windows_commands(&n);
	memcpy(p->command, c, n * sizeof(*c));
	p->command[n] = (struct control_command){ "work", "counts", run_work };
	p->command[n + 1] = (struct control_command){ "quit", "end", run_quit };
	p->command[n + 2] =
		(struct control_command){ "pause", "provider 2: paused",
					  run_pause };
	p->windows = (struct control_windows){
		.adapter = shared_adapter(p->shared),
		.ops = &ops,
		.opaque = p,
		.first_id = PART,
	};
	cfg.table = (struct control_table){ p->command, n + MORE, p };
	err = control_create(&cfg, &p->control, why, sizeof(why));
	if (err)
		fprintf(stderr, "shared-adapter: %s\n", why);
	return err;
}

static void work(struct program *p)
{
	while (!p->quit && asked != SIGTERM && asked != SIGINT) {
		poll(NULL, 0, TICK);
		decide(p);
	}
}

static int report(const struct program *p)
{
	uint64_t wrong = p->one.wrong + p->two.wrong;
	struct vd_adapter_stats a = { .size = sizeof(a) };
	struct shared_stats s;

	vd_adapter_stats(shared_adapter(p->shared), &a);
	shared_stats(p->shared, &s);
	printf("verified %" PRIu64 " + %" PRIu64 " bytes, %" PRIu64
	       " wrong; splits %" PRIu64 ", merges %" PRIu64 ", loans %" PRIu64
	       "; addresses refused %" PRIu64 "\n",
	       (uint64_t)p->one.verified, (uint64_t)p->two.verified, wrong,
	       a.splits, a.merges, a.loans, s.faults);
	return wrong != 0;
}

static int parse(struct program *p, int argc, char **argv)
{
	static const struct option options[] = {
		{ "disk", required_argument, NULL, 'd' },
		{ "control", required_argument, NULL, 'c' },
		{ "monitor", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int val;

	while ((val = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (val == 'd')
			p->disk = optarg;
		else if (val == 'c')
			p->control_path = optarg;
		else if (val == 'm')
			p->monitor = true;
		else
			return -EINVAL;
	}
	return p->disk && p->control_path ? 0 : -EINVAL;
}

static int run(struct program *p)
{
	int err = make_shared(p), status;

	if (err) {
		fprintf(stderr, "shared-adapter: %s\n", strerror(-err));
		return 1;
	}
	provider_start(&p->one, p->shared, ONE, 0);
	provider_start(&p->two, p->shared, TWO, NPAGES / 2);
	status = serve(p) != 0;
	if (!status)
		work(p);
	control_destroy(p->control);
	provider_stop(&p->one);
	provider_stop(&p->two);
	status |= report(p);
	vd_policy_destroy(p->policy);
	shared_destroy(p->shared);
	spawn_reap(p->qemu);
	return status;
}

int main(int argc, char **argv)
{
	static struct program p;
	struct sigaction sa = { .sa_handler = on_signal };

	if (parse(&p, argc, argv)) {
		fputs("usage: shared-adapter --disk FILE --control PATH "
		      "[--monitor]\n",
		      stderr);
		return 2;
	}
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	pthread_mutex_init(&p.lock, NULL);
	p.began = p.sampled = now_ms();
	return run(&p);
}
