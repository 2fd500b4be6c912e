/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine: its parts in order, its main loop, and how it ends.
 *
 * Anybody may ask for a reset or the end (machine_ask()); it is carried out
 * here, on the main thread, with all vCPUs parked. A reset is a warm one: RAM
 * keeps its contents, as on a PC, because pins that could not be dropped may
 * still name its pages.
 */
#include "machine.h"
#include "confine.h"
#include "machine_dma.h"
#include "machine_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define COM1	 0x3f8
#define COM1_GSI 4

/*
 * One row. Create fails with machine_fail() and leaves nothing behind. Reset
 * runs with the vCPUs parked: the state after create. Destroy cannot fail.
 */
struct part {
	int (*create)(struct machine *m);
	int (*reset)(struct machine *m);
	void (*destroy)(struct machine *m);
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int machine_fail(struct machine *m, int err, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&m->why_lock);
	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&m->why_lock);
	return err;
}

void machine_ask(struct machine *m, enum machine_wish wish)
{
	int now = atomic_load(&m->wish);

	while (now < (int)wish &&
	       !atomic_compare_exchange_weak(&m->wish, &now, (int)wish))
		;
	vcpus_pause_soon(&m->vcpus);
	loop_wake(&m->loop);
}

static int reset_nothing(struct machine *m)
{
	(void)m;
	return 0;
}

/* The loop, and the signals that end a run. */

static bool next_signal(struct machine *m, int *signo)
{
	struct signalfd_siginfo si;

	if (read(m->signals.fd, &si, sizeof(si)) != sizeof(si))
		return false;
	*signo = (int)si.ssi_signo;
	return true;
}

/* Job control: the terminal is left as it was found. */
static void stop(struct machine *m)
{
	sigset_t tstp;

	if (m->cfg.console)
		console_leave(&m->console);
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	raise(SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &tstp, NULL); /* here we stop */
	pthread_sigmask(SIG_BLOCK, &tstp, NULL);
}

/* By whatever signal we were stopped, the shell may have set its own mode. */
static void go_on(struct machine *m)
{
	if (m->cfg.console)
		console_enter(&m->console);
}

static bool is_job_control(struct machine *m, int signo)
{
	if (signo == SIGTSTP)
		stop(m);
	else if (signo == SIGCONT)
		go_on(m);
	return signo == SIGTSTP || signo == SIGCONT;
}

static void on_signal(void *ctx)
{
	struct machine *m = ctx;
	struct powerdown_state s;
	int signo;

	if (!next_signal(m, &signo) || is_job_control(m, signo))
		return;
	powerdown_signal(&m->powerdown, signo);
	powerdown_state(&m->powerdown, &s);
	if (s.left_ms)
		fprintf(stderr,
			"viaduct: pressed the guest's power button; its plug "
			"is pulled in %u s, or at the second SIGTERM or "
			"SIGINT\n",
			(unsigned int)(s.left_ms / 1000));
}

/* Before the guest runs there is nothing that could end in good order. */
static bool is_ended_early(struct machine *m)
{
	int signo;

	do
		if (!next_signal(m, &signo))
			return false;
	while (is_job_control(m, signo));
	machine_fail(m, 0, "ended by signal %s before the guest ran",
		     strsignal(signo));
	return true;
}

/*
 * And those of the terminal, see tty.h, and of a pipe: the reader of our messages
 * may be gone (tee after Ctrl-C), which is no reason for the guest to lose its
 * power. In all threads, which come later.
 */
static void block_signals(const sigset_t *ours)
{
	sigset_t set = *ours;

	sigaddset(&set, SIGTTOU);
	sigaddset(&set, SIGTTIN);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int loop_create(struct machine *m)
{
	sigset_t set;
	int err = loop_init(&m->loop);

	if (err)
		return machine_fail(m, err, "no event descriptor: %s",
				    strerror(-err));
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	block_signals(&set);
	m->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals.fd < 0) {
		err = -errno;
		loop_fini(&m->loop);
		return machine_fail(m, err, "no signal descriptor: %s",
				    strerror(-err));
	}
	m->signals.ready = on_signal;
	m->signals.ctx = m;
	return loop_add(&m->loop, &m->signals);
}

static void loop_destroy(struct machine *m)
{
	close(m->signals.fd);
	loop_fini(&m->loop);
}

/* Kernel and initrd stay open, so that a reset boots what was started. */

static int open_image(struct machine *m, const char *what, const char *path,
		      int *fd)
{
	/* A pipe without a writer must not stop us; a file is as always. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd >= 0)
		return 0;
	return machine_fail(m, -errno, "%s cannot be opened: %s: %s", what,
			    path, strerror(errno));
}

static void images_destroy(struct machine *m)
{
	if (m->images.initrd >= 0)
		close(m->images.initrd);
	if (m->images.kernel >= 0)
		close(m->images.kernel);
}

static int images_create(struct machine *m)
{
	int err;

	m->images.cmdline = m->cfg.cmdline;
	m->images.kernel_name = m->cfg.kernel;
	m->images.initrd_name = m->cfg.initrd;
	m->images.initrd = -1;
	err = open_image(m, "kernel", m->cfg.kernel, &m->images.kernel);
	if (err || !m->cfg.initrd)
		return err;
	err = open_image(m, "initrd", m->cfg.initrd, &m->images.initrd);
	if (err)
		images_destroy(m);
	return err;
}

/* KVM. */

static int kvm_create(struct machine *m)
{
	const char *why = "";
	int err;

	if (m->cfg.ncpus < 1 || m->cfg.ncpus > VCPUS_MAX)
		return machine_fail(m, -EINVAL,
				    "too many vCPUs: %u; 1 to %u "
				    "are possible",
				    m->cfg.ncpus, VCPUS_MAX);
	err = vm_create(&m->vm, m->cfg.ncpus, &why);
	if (err == -E2BIG)
		return machine_fail(m, err, "too many vCPUs: %u; %s",
				    m->cfg.ncpus, why);
	if (err && !strchr(why, ':')) /* it says not why */
		return machine_fail(m, err, "%s: %s", why, strerror(-err));
	return err ? machine_fail(m, err, "%s", why) : 0;
}

static int kvm_reset(struct machine *m)
{
	int err = vm_reset(&m->vm);

	return err ? machine_fail(m, err,
				  "KVM cannot reset the interrupt "
				  "controllers: %s",
				  strerror(-err)) :
		     0;
}

static void kvm_destroy(struct machine *m)
{
	vm_destroy(&m->vm);
}

/* The kernel in memory. */

static int boot_create(struct machine *m)
{
	char why[sizeof(m->why)];
	int err = boot_load(&m->vm, &m->images, &m->entry, why, sizeof(why));

	return err ? machine_fail(m, err, "%s", why) : 0;
}

static void boot_destroy(struct machine *m)
{
	(void)m;
}

/* The PCI bus. */

static int pci_create(struct machine *m)
{
	int err = pci_bus_init(&m->pci, &m->vm);

	if (err)
		return machine_fail(m, err, "no PCI bus: %s", strerror(-err));
	m->pci.reset_ops = &pm_reset_register;
	m->pci.reset_ctx = &m->pm;
	return 0;
}

static int pci_reset(struct machine *m)
{
	pci_bus_reset(&m->pci);
	return 0;
}

static void pci_destroy(struct machine *m)
{
	pci_bus_fini(&m->pci);
}

/* Power management. */

static void on_power_off(void *ctx)
{
	machine_ask(ctx, MACHINE_WISH_OFF);
}

static void on_reset(void *ctx)
{
	machine_ask(ctx, MACHINE_WISH_RESET);
}

static void on_sci(void *ctx, bool level)
{
	struct machine *m = ctx;

	vm_irq_line(&m->vm, PM_SCI, level);
}

static const struct pm_ops pm_ops = {
	.power_off = on_power_off,
	.reset = on_reset,
	.sci = on_sci,
};

static int power_create(struct machine *m)
{
	int err;

	pm_init(&m->pm, &pm_ops, m);
	err = pm_hook(&m->pm, &m->vm.pio);
	if (!err)
		return 0;
	pm_fini(&m->pm);
	return machine_fail(m, err, "no power ports: %s", strerror(-err));
}

static int power_reset(struct machine *m)
{
	pm_reset(&m->pm);
	return 0;
}

static void power_destroy(struct machine *m)
{
	pm_unhook(&m->pm, &m->vm.pio);
	pm_fini(&m->pm);
}

/* The end in good order. */

static void on_press(void *ctx)
{
	struct machine *m = ctx;

	pm_press_button(&m->pm);
}

static void on_pull(void *ctx, enum powerdown_why why, const char *who)
{
	struct machine *m = ctx;

	switch (why) {
	case POWERDOWN_OVER:
		machine_fail(m, 0,
			     "the guest did not power off within %u s of "
			     "%s%s; its plug was pulled",
			     m->cfg.grace, who,
			     pm_listens(&m->pm) ?
				     "" :
				     " (it does not listen to its power "
				     "button)");
		machine_ask(m, MACHINE_WISH_OVER);
		return;
	case POWERDOWN_NONE:
		machine_fail(m, 0, "ended by %s (no grace)", who);
		break;
	case POWERDOWN_SECOND:
		machine_fail(m, 0, "ended by %s, the second", who);
		break;
	}
	machine_ask(m, MACHINE_WISH_QUIT);
}

static const struct powerdown_ops powerdown_ops = { on_press, on_pull };

static int powerdown_create(struct machine *m)
{
	int err = powerdown_init(&m->powerdown, &m->loop, m->cfg.grace,
				 POWERDOWN_TICK_MS, &powerdown_ops, m);

	return err ? machine_fail(m, err, "no timer: %s", strerror(-err)) : 0;
}

static void powerdown_destroy(struct machine *m)
{
	powerdown_fini(&m->powerdown);
}

/* Serial port and console. */

static void on_serial_irq(void *ctx, bool level)
{
	struct machine *m = ctx;

	vm_irq_line(&m->vm, COM1_GSI, level);
}

static void on_serial_output(void *ctx, uint8_t byte)
{
	struct machine *m = ctx;

	if (m->cfg.console)
		console_output(&m->console, byte);
}

static void on_serial_room(void *ctx)
{
	struct machine *m = ctx;

	if (m->cfg.console)
		console_room(&m->console);
}

static const struct serial_ops serial_ops = {
	.irq = on_serial_irq,
	.output = on_serial_output,
	.room = on_serial_room,
};

static void on_quit_key(void *ctx)
{
	struct machine *m = ctx;

	machine_fail(m, 0, "ended by the escape key");
	machine_ask(m, MACHINE_WISH_QUIT);
}

static const struct console_ops console_ops = { .quit = on_quit_key };

static void serial_destroy(struct machine *m)
{
	if (m->cfg.console)
		console_fini(&m->console);
	region_remove(&m->vm.pio, &m->serial.region);
	serial_fini(&m->serial);
}

static int serial_create(struct machine *m)
{
	int err;

	serial_init(&m->serial, COM1, &serial_ops, m);
	err = region_add(&m->vm.pio, &m->serial.region);
	if (!err && m->cfg.console)
		err = console_init(&m->console, &m->loop, &m->serial,
				   &console_ops, m);
	if (!err)
		return 0;
	region_remove(&m->vm.pio, &m->serial.region);
	serial_fini(&m->serial);
	return machine_fail(m, err, "no console: %s", strerror(-err));
}

static int serial_part_reset(struct machine *m)
{
	serial_reset(&m->serial);
	return 0;
}

/* The vCPUs. */

static void on_death(void *ctx, const char *what)
{
	struct machine *m = ctx;

	machine_fail(m, 0, "%s", what);
	machine_ask(m, MACHINE_WISH_DIE);
}

static bool on_fault(void *ctx, unsigned int *met)
{
	struct machine *m = ctx;

	return dma_fault(&m->dma, met);
}

static const struct vcpu_ops vcpu_ops = {
	.died = on_death,
	.fault = on_fault,
};

static int cpus_create(struct machine *m)
{
	int err = vcpus_create(&m->vcpus, &m->vm, &vcpu_ops, m);

	if (err)
		return machine_fail(m, err, "KVM cannot make the vCPUs: %s",
				    strerror(-err));
	err = vcpus_reset(&m->vcpus, &m->entry);
	if (!err)
		return 0;
	vcpus_destroy(&m->vcpus);
	return machine_fail(m, err, "KVM refuses the vCPUs' first state: %s",
			    strerror(-err));
}

static void cpus_destroy(struct machine *m)
{
	vcpus_destroy(&m->vcpus);
}

/* Confinement: its beginning is the first of all, the rest the last. */

static int confine_first(struct machine *m)
{
	return m->cfg.confine ? confine_begin(m->why, sizeof(m->why)) : 0;
}

static int confine_last(struct machine *m)
{
	bool pins = dma_pins(&m->dma);
	int err;

	if (!m->cfg.confine)
		return 0;
	err = keeper_seal(&m->dma.keeper, pins, m->why, sizeof(m->why));
	if (err)
		return err;
	return confine_enter(pins, m->why, sizeof(m->why));
}

/* What is given up is not taken back. */
static void confine_stays(struct machine *m)
{
	(void)m;
}

static const struct part parts[] = {
	{ confine_first, reset_nothing, confine_stays },
	{ machine_dma_begin, reset_nothing, machine_dma_destroy },
	{ loop_create, reset_nothing, loop_destroy },
	{ images_create, reset_nothing, images_destroy },
	{ kvm_create, kvm_reset, kvm_destroy },
	{ machine_ram_create, reset_nothing, machine_ram_destroy },
	{ boot_create, boot_create, boot_destroy },
	{ pci_create, pci_reset, pci_destroy },
	{ machine_share_create, reset_nothing, machine_share_destroy },
	{ machine_dma_create, machine_dma_reset, machine_dma_destroy },
	{ machine_balloon_create, machine_balloon_reset,
	  machine_balloon_destroy },
	{ machine_relief_create, reset_nothing, machine_relief_destroy },
	{ power_create, power_reset, power_destroy },
	{ powerdown_create, reset_nothing, powerdown_destroy },
	{ serial_create, serial_part_reset, serial_destroy },
	{ machine_control_create, reset_nothing, machine_control_destroy },
	{ cpus_create, reset_nothing, cpus_destroy },
	{ confine_last, reset_nothing, confine_stays },
};

#define NPARTS (sizeof(parts) / sizeof(parts[0]))

int machine_create(struct machine *m, const struct machine_cfg *cfg)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->cfg = *cfg;
	m->created_ns = now_ns();
	pthread_mutex_init(&m->why_lock, NULL);
	while (m->nparts < NPARTS) {
		err = parts[m->nparts].create(m);
		if (err) {
			machine_destroy(m);
			return err;
		}
		m->nparts++;
	}
	return 0;
}

void machine_destroy(struct machine *m)
{
	while (m->nparts > 0)
		parts[--m->nparts].destroy(m);
}

/* All vCPUs are parked. */
static int reset_all(struct machine *m)
{
	int err = 0;

	for (unsigned int i = m->nparts; i > 0 && !err; i--)
		err = parts[i - 1].reset(m);
	if (err)
		return err;
	err = vcpus_reset(&m->vcpus, &m->entry);
	return err ? machine_fail(m, err, "KVM cannot reset the vCPUs: %s",
				  strerror(-err)) :
		     0;
}

/* By itself, or because somebody had its button pressed. */
static void say_why_off(struct machine *m)
{
	struct powerdown_state s;

	powerdown_state(&m->powerdown, &s);
	if (s.who[0])
		machine_fail(m, 0, "the guest has powered off, as %s asked",
			     s.who);
}

/* True: the run goes on. */
static bool carry_out(struct machine *m, int wish, enum machine_end *end)
{
	switch (wish) {
	case MACHINE_WISH_RESET:
		atomic_fetch_add(&m->resets, 1);
		*end = MACHINE_RESET;
		if (m->cfg.no_reboot)
			return false;
		*end = MACHINE_DIED;
		return reset_all(m) == 0;
	case MACHINE_WISH_OFF:
		*end = MACHINE_OFF;
		say_why_off(m);
		return false;
	case MACHINE_WISH_DIE:
		*end = MACHINE_DIED;
		return false;
	case MACHINE_WISH_OVER:
		*end = MACHINE_OVER;
		return false;
	default:
		*end = MACHINE_QUIT;
		return false;
	}
}

enum machine_end machine_run(struct machine *m)
{
	enum machine_end end = MACHINE_QUIT;
	int wish;

	if (is_ended_early(m))
		return end;
	vcpus_resume(&m->vcpus);
	for (;;) {
		loop_turn(&m->loop);
		wish = atomic_load(&m->wish);
		if (wish == MACHINE_WISH_NONE) {
			/* who asked may pause after the wish was granted */
			vcpus_resume(&m->vcpus);
			continue;
		}
		vcpus_pause_soon(&m->vcpus);
		console_close_output(&m->console, true);
		vcpus_wait_parked(&m->vcpus);
		console_close_output(&m->console, false);
		wish = atomic_exchange(&m->wish, MACHINE_WISH_NONE);
		if (!carry_out(m, wish, &end))
			return end;
		vcpus_resume(&m->vcpus);
	}
}

uint64_t machine_start_us(struct machine *m)
{
	uint64_t first = atomic_load(&m->vcpus.first_run_ns);

	return first ? (first - m->created_ns) / 1000 : 0;
}

/* The two maps may have causes in common, so they are added up first. */
#define CAUSES (2 * REGION_CAUSES)

struct tally {
	unsigned int n;
	struct {
		const char *cause;
		uint64_t exits;
	} row[CAUSES];
};

static void tally_one(void *ctx, const char *cause, uint64_t exits)
{
	struct tally *t = ctx;

	for (unsigned int i = 0; i < t->n; i++) {
		if (!strcmp(t->row[i].cause, cause)) {
			t->row[i].exits += exits;
			return;
		}
	}
	t->row[t->n].cause = cause;
	t->row[t->n++].exits = exits;
}

static uint64_t vcpu_exits(struct machine *m, enum vcpu_exit e)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < m->vcpus.n; i++)
		n += atomic_load_explicit(&m->vcpus.cpu[i].exits[e],
					  memory_order_relaxed);
	return n;
}

void machine_exits(struct machine *m,
		   void (*visit)(void *ctx, const char *cause, uint64_t exits),
		   void *ctx)
{
	struct tally t = { 0 };

	region_exits(&m->vm.pio, tally_one, &t);
	region_exits(&m->vm.mmio, tally_one, &t);
	for (unsigned int i = 0; i < t.n; i++)
		visit(ctx, t.row[i].cause, t.row[i].exits);
	visit(ctx, "unclaimed-io", m->vm.pio.unclaimed);
	visit(ctx, "unclaimed-memory", m->vm.mmio.unclaimed);
	for (int e = 0; e < VCPU_EXITS; e++)
		visit(ctx, vcpu_exit_name((enum vcpu_exit)e),
		      vcpu_exits(m, (enum vcpu_exit)e));
}
