/* SPDX-License-Identifier: BSD-2-Clause */
#include "pincache.h"
#include "vm.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <viaduct/pins.h>

#define PAGE   4096ull

/*
 * What a page that has to be pinned brings along: 2^AROUND pages. See the rows
 * "around" of bench/pins.c for what it saves and costs.
 */
#define AROUND 3

static struct timespec after(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Wait for a tick; false: the end. */
static bool wait_tick(struct pincache *c)
{
	struct timespec until = after(PINCACHE_TICK_MS);
	int err = 0;
	bool stop;

	pthread_mutex_lock(&c->lock);
	while (!c->stop && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&c->wake, &c->lock, &until);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return !stop;
}

static void *age(void *arg)
{
	struct pincache *c = arg;
	struct timespec now;

	while (wait_tick(c)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		vd_domain_age(c->domain,
			      (uint64_t)now.tv_sec * 1000 +
				      (uint64_t)now.tv_nsec / 1000000);
	}
	return NULL;
}

static uint64_t words_of(const struct vm *vm)
{
	uint64_t low =
		vm->ram_len < VM_RAM_LOW_MAX ? vm->ram_len : VM_RAM_LOW_MAX;
	uint64_t end =
		vm->ram_len > low ? vm->ram_high + vm->ram_len - low : low;

	return end / PAGE;
}

/* What is not used of it takes no memory; huge pages would. */
static uint64_t *map_words(uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static int start_ager(struct pincache *c)
{
	pthread_condattr_t a;
	int err;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &a);
	pthread_condattr_destroy(&a);
	err = pthread_create(&c->ager, NULL, age, c);
	if (!err)
		return 0;
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	return -err;
}

int pincache_create(struct pincache *c, const struct vm *vm,
		    struct vd_domain *domain)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->nwords = words_of(vm);
	for (c->len = PAGE; c->len < c->nwords * sizeof(uint64_t);)
		c->len *= 2;
	c->word = map_words(c->len);
	if (!c->word)
		return -errno;
	err = vd_domain_share_pins(domain, c->word, c->nwords);
	if (!err)
		err = vd_domain_set_around(domain, AROUND);
	c->domain = domain;
	if (!err)
		err = start_ager(c);
	if (err)
		c->domain = NULL;
	return err;
}

void pincache_destroy(struct pincache *c)
{
	if (!c->domain)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->ager, NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	c->domain = NULL;
}

void pincache_free(struct pincache *c)
{
	if (c->word)
		munmap(c->word, c->len);
	c->word = NULL;
}
