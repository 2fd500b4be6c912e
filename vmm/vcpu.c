/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running vCPUs.
 *
 * The loop: enter the guest; what comes back is an access for the region maps,
 * a kick, or the end of this guest. After an access KVM still has work pending
 * (the instruction is finished by the next entry), so a vCPU parks only when an
 * entry has come back with EINTR: immediate_exit makes KVM finish the
 * instruction and return without running the guest.
 *
 * immediate_exit is set by whoever wants a stop and cleared by the vCPU itself
 * when it goes on; the signal is for a vCPU that is inside already.
 */
#include "vcpu.h"
#include "vcpu_state.h"
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KICK  SIGRTMIN
#define STACK (256 * 1024)

static void count(struct vcpu *v, enum vcpu_exit e)
{
	atomic_fetch_add_explicit(&v->exits[e], 1, memory_order_relaxed);
}

const char *vcpu_exit_name(enum vcpu_exit e)
{
	static const char *const names[] = {
		[VCPU_EXIT_KICK] = "kick",
		[VCPU_EXIT_HLT] = "hlt",
		[VCPU_EXIT_DIED] = "died",
		[VCPU_EXIT_OTHER] = "other",
	};

	return names[e];
}

static void on_kick(int sig)
{
	(void)sig;
}

/* Shared with KVM and other threads; orders nothing. */
static void set_immediate_exit(struct vcpu *v, uint8_t yes)
{
	__atomic_store_n(&v->run->immediate_exit, yes, __ATOMIC_RELAXED);
}

static void kick(struct vcpu *v)
{
	set_immediate_exit(v, 1);
	if (v->started)
		pthread_kill(v->thread, KICK);
}

/* Wait until the wish is not "park" any more: true to go on running. */
static bool park(struct vcpu *v)
{
	struct vcpus *c = v->all;
	bool go;

	pthread_mutex_lock(&c->lock);
	c->parked++;
	pthread_cond_broadcast(&c->change);
	while (c->want == VCPU_PARK)
		pthread_cond_wait(&c->change, &c->lock);
	go = c->want == VCPU_RUN;
	if (go) {
		c->parked--;
		set_immediate_exit(v, 0);
	}
	pthread_mutex_unlock(&c->lock);
	return go;
}

static void do_io(struct vcpu *v)
{
	struct region_map *m = &v->all->vm->pio;
	unsigned int width = v->run->io.size;
	uint8_t *p = (uint8_t *)v->run + v->run->io.data_offset;
	uint64_t value;

	for (uint32_t i = 0; i < v->run->io.count; i++, p += width) {
		value = 0;
		if (v->run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, p, width);
			region_write(m, v->run->io.port, width, value);
		} else {
			value = region_read(m, v->run->io.port, width);
			memcpy(p, &value, width);
		}
	}
}

/* KVM hands over up to 8 bytes; what is no power of two goes byte by byte. */
static void do_mmio(struct vcpu *v)
{
	struct region_map *m = &v->all->vm->mmio;
	uint64_t addr = v->run->mmio.phys_addr, value;
	unsigned int len = v->run->mmio.len, step = len;

	if (len > 8)
		return;
	if (len & (len - 1))
		step = 1;
	for (unsigned int at = 0; at < len; at += step) {
		uint8_t *p = v->run->mmio.data + at;

		value = 0;
		if (v->run->mmio.is_write) {
			memcpy(&value, p, step);
			region_write(m, addr + at, step, value);
		} else {
			value = region_read(m, addr + at, step);
			memcpy(p, &value, step);
		}
	}
}

static const char *internal_error_name(uint32_t suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return "KVM cannot emulate an instruction";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return "KVM had two exceptions at once";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return "KVM could not deliver an event";
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return "KVM got an unexpected exit";
	}
	return "KVM reported an internal error";
}

static void die(struct vcpu *v, const char *what)
{
	struct kvm_regs r = { 0 };
	char text[200];

	count(v, VCPU_EXIT_DIED);
	ioctl(v->fd, KVM_GET_REGS, &r);
	snprintf(text, sizeof(text), "%s: vCPU %u at RIP 0x%llx", what, v->id,
		 (unsigned long long)r.rip);
	v->all->ops->died(v->all->ctx, text);
	vcpus_pause_soon(v->all);
}

static void die_of(struct vcpu *v, uint64_t number, const char *what)
{
	char text[120];

	snprintf(text, sizeof(text), "%s (0x%llx)", what,
		 (unsigned long long)number);
	die(v, text);
}

static void handle_exit(struct vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		do_io(v);
		break;
	case KVM_EXIT_MMIO:
		do_mmio(v);
		break;
	case KVM_EXIT_INTR:
		count(v, VCPU_EXIT_KICK);
		break;
	case KVM_EXIT_HLT:
		count(v, VCPU_EXIT_HLT);
		break;
	case KVM_EXIT_SHUTDOWN:
		die(v, "guest shut down by a triple fault");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		die_of(v, v->run->fail_entry.hardware_entry_failure_reason,
		       "CPU refuses the guest's state");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		die(v, internal_error_name(v->run->internal.suberror));
		break;
	default:
		count(v, VCPU_EXIT_OTHER);
		die_of(v, v->run->exit_reason,
		       "KVM ended with an unknown exit");
	}
}

static void note_first_run(struct vcpus *c)
{
	struct timespec ts;

	if (atomic_load_explicit(&c->first_run_ns, memory_order_relaxed))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	atomic_store(&c->first_run_ns,
		     (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec);
}

static void *run_vcpu(void *arg)
{
	struct vcpu *v = arg;
	bool go = park(v);

	while (go) {
		note_first_run(v->all);
		if (ioctl(v->fd, KVM_RUN, 0) == 0) {
			handle_exit(v);
		} else if (errno == EINTR || errno == EAGAIN) {
			count(v, VCPU_EXIT_KICK);
			go = park(v);
		} else if (errno == EFAULT &&
			   v->all->ops->fault(v->all->ctx, &v->met)) {
			count(v, VCPU_EXIT_OTHER);
		} else {
			die_of(v, (uint64_t)errno, "KVM refuses to run");
			go = park(v);
		}
	}
	return NULL;
}

/* The kick, and what a thread does to itself; the rest is the main thread's. */
static void own_signals(sigset_t *blocked)
{
	static const int own[] = { SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
				   SIGABRT, SIGTRAP, SIGSYS };

	sigfillset(blocked);
	sigdelset(blocked, KICK);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(blocked, own[i]);
}

static int start_thread(struct vcpu *v)
{
	struct sigaction sa = { .sa_handler = on_kick, .sa_flags = SA_RESTART };
	sigset_t blocked, before;
	pthread_attr_t attr;
	char name[16];
	int err;

	sigaction(KICK, &sa, NULL);
	own_signals(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&v->thread, &attr, run_vcpu, v);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	v->started = err == 0;
	if (v->started) {
		snprintf(name, sizeof(name), "vcpu%u", v->id);
		pthread_setname_np(v->thread, name); /* for top -H and ps */
	}
	return -err;
}

static int create_one(struct vcpus *c, struct vcpu *v, unsigned int id)
{
	int len = ioctl(c->vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	v->all = c;
	v->id = id;
	v->fd = ioctl(c->vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (v->fd < 0 || len <= 0)
		return -errno;
	v->run_len = (size_t)len;
	v->run = mmap(NULL, v->run_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return -errno;
	}
	return vcpu_state_init(v);
}

int vcpus_create(struct vcpus *c, struct vm *vm, const struct vcpu_ops *ops,
		 void *ctx)
{
	int err = 0;

	memset(c, 0, sizeof(*c));
	c->vm = vm;
	c->ops = ops;
	c->ctx = ctx;
	c->want = VCPU_PARK;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->change, NULL);
	c->cpu = calloc(vm->nvcpus, sizeof(c->cpu[0]));
	if (!c->cpu)
		err = -ENOMEM;
	while (!err && c->n < vm->nvcpus) {
		struct vcpu *v = &c->cpu[c->n];

		err = create_one(c, v, c->n);
		c->n++;
	}
	for (unsigned int i = 0; !err && i < c->n; i++)
		err = start_thread(&c->cpu[i]);
	if (err)
		vcpus_destroy(c);
	return err;
}

static void destroy_one(struct vcpu *v)
{
	vcpu_state_fini(v);
	if (v->run)
		munmap(v->run, v->run_len);
	if (v->fd >= 0)
		close(v->fd);
}

void vcpus_destroy(struct vcpus *c)
{
	pthread_mutex_lock(&c->lock);
	c->want = VCPU_END;
	pthread_cond_broadcast(&c->change);
	pthread_mutex_unlock(&c->lock);
	for (unsigned int i = 0; i < c->n; i++) {
		if (!c->cpu[i].started)
			continue;
		kick(&c->cpu[i]);
		pthread_join(c->cpu[i].thread, NULL);
	}
	for (unsigned int i = 0; i < c->n; i++)
		destroy_one(&c->cpu[i]);
	free(c->cpu);
	c->cpu = NULL;
	c->n = 0;
	pthread_cond_destroy(&c->change);
	pthread_mutex_destroy(&c->lock);
}

void vcpus_pause_soon(struct vcpus *c)
{
	/* The lock: a vCPU that goes on clears immediate_exit under it. */
	pthread_mutex_lock(&c->lock);
	if (c->want == VCPU_RUN) {
		c->want = VCPU_PARK;
		for (unsigned int i = 0; i < c->n; i++)
			kick(&c->cpu[i]);
	}
	pthread_mutex_unlock(&c->lock);
}

void vcpus_wait_parked(struct vcpus *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->parked < c->n)
		pthread_cond_wait(&c->change, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void vcpus_resume(struct vcpus *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->want == VCPU_PARK) {
		c->want = VCPU_RUN;
		pthread_cond_broadcast(&c->change);
	}
	pthread_mutex_unlock(&c->lock);
}

int vcpus_reset(struct vcpus *c, const struct boot_entry *entry)
{
	int err = 0;

	for (unsigned int i = 0; i < c->n && !err; i++)
		err = vcpu_state_reset(&c->cpu[i], i == 0 ? entry : NULL);
	return err;
}
