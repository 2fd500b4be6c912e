/* SPDX-License-Identifier: BSD-2-Clause */
#include "share.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/pins.h>

#define MAGIC	0x3130656372616853ull /* "Sharce01": change it with the layout */
#define TURN_MS 500
#define SLACK	((uint64_t)1 << 20) /* kept for the next pins */
#define WAIT_NS 5000000		    /* for the lock: then there is nothing */

struct share_file {
	uint64_t magic;
	uint64_t limit;
	pthread_mutex_t lock;  /* guards what follows; robust */
	_Atomic uint32_t word; /* rises when somebody wants more */
	uint64_t taken[SHARE_SLOTS];
};

/* The slot's byte lies behind the contents, out of everybody's way. */
static struct flock slot_lock(unsigned int slot)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(sizeof(struct share_file) + slot),
		.l_len = 1,
	};
}

static bool is_ours(const struct share *s, unsigned int slot)
{
	return slot == s->slot;
}

/* Our own description's locks are not seen by this. */
static bool is_alive(const struct share *s, unsigned int slot)
{
	struct flock l = slot_lock(slot);

	return is_ours(s, slot) ||
	       (fcntl(s->fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK);
}

/* Joining, with the file's flock held: one at a time. */

static int make_file(struct share *s)
{
	struct share_file *f = s->file;
	pthread_mutexattr_t a;
	int err;

	memset(f, 0, sizeof(*f));
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(&f->lock, &a);
	pthread_mutexattr_destroy(&a);
	f->magic = MAGIC;
	return -err;
}

static bool is_deserted(const struct share *s)
{
	for (unsigned int i = 0; i < SHARE_SLOTS; i++)
		if (is_alive(s, i))
			return false;
	return true;
}

static int take_slot(struct share *s)
{
	for (unsigned int i = 0; i < SHARE_SLOTS; i++) {
		struct flock l = slot_lock(i);

		if (fcntl(s->fd, F_OFD_SETLK, &l))
			continue;
		s->slot = i;
		s->file->taken[i] = 0; /* of one that died */
		return 0;
	}
	return -ENOSPC;
}

static int join(struct share *s, uint64_t limit)
{
	int err = 0;

	/* Whoever finds nobody begins anew, whatever is in the file. */
	if (is_deserted(s))
		err = make_file(s);
	else if (s->file->magic != MAGIC ||
		 (s->file->limit && s->file->limit != limit))
		err = -EBUSY;
	if (err)
		return err;
	s->file->limit = limit;
	return take_slot(s);
}

static int map_file(struct share *s, const char *path)
{
	/* with room for the slots' bytes */
	off_t len = (off_t)(sizeof(struct share_file) + SHARE_SLOTS);
	struct stat st;

	s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		return -errno;
	if (flock(s->fd, LOCK_EX) || fstat(s->fd, &st))
		return -errno;
	if (st.st_size < len && ftruncate(s->fd, len))
		return -errno;
	s->file = mmap(NULL, sizeof(*s->file), PROT_READ | PROT_WRITE,
		       MAP_SHARED, s->fd, 0);
	return s->file == MAP_FAILED ? -errno : 0;
}

static int say(int err, const char *path, const struct share *s, char *why,
	       size_t len)
{
	if (err == -EBUSY)
		snprintf(why, len,
			 "the machines that share %s have another limit: %llu "
			 "bytes; say the same --host-budget",
			 path, (unsigned long long)s->file->limit);
	else if (err == -ENOSPC)
		snprintf(why, len, "%d machines share %s already", SHARE_SLOTS,
			 path);
	else
		snprintf(why, len, "cannot share a budget by %s: %s", path,
			 strerror(-err));
	return err;
}

int share_open(struct share *s, const char *path, uint64_t limit, char *why,
	       size_t len)
{
	int err;

	*s = (struct share){
		.fd = -1, .slot = SHARE_SLOTS, .stop = -1, .file = MAP_FAILED
	};
	s->on = true;
	err = map_file(s, path);
	if (!err)
		err = join(s, limit);
	if (s->fd >= 0)
		flock(s->fd, LOCK_UN);
	if (!err)
		return 0;
	say(err, path, s, why, len);
	share_close(s);
	return err;
}

void share_close(struct share *s)
{
	if (!s->on)
		return;
	/* What we have taken is not taken back here: a keeper may have it. */
	if (s->file != MAP_FAILED)
		munmap(s->file, sizeof(*s->file));
	if (s->fd >= 0)
		close(s->fd);
	s->on = false;
}

/* Taking and giving. */

/* Somebody who is stopped with the lock must not stop our guest. */
static bool lock_slots(struct share_file *f)
{
	struct timespec until;
	int err;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	err = pthread_mutex_timedlock(&f->lock, &until);
	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&f->lock);
	return err == 0;
}

/* With the lock. The dead are looked for only where they would help. */
static uint64_t room(struct share *s, uint64_t need)
{
	struct share_file *f = s->file;
	uint64_t taken = 0;

	for (unsigned int i = 0; i < SHARE_SLOTS; i++)
		taken += f->taken[i];
	for (unsigned int i = 0; i < SHARE_SLOTS; i++) {
		if (taken + need <= f->limit)
			break;
		if (f->taken[i] == 0 || is_alive(s, i))
			continue;
		taken -= f->taken[i];
		f->taken[i] = 0;
	}
	return taken < f->limit ? f->limit - taken : 0;
}

static uint64_t take(void *opaque, uint64_t need, uint64_t want)
{
	struct share *s = opaque;
	struct share_file *f = s->file;
	uint64_t left, got = 0;

	if (!lock_slots(f))
		return 0;
	left = room(s, need);
	if (left >= want)
		got = want;
	else if (left >= need)
		got = need;
	else
		atomic_fetch_add(&f->word, 1);
	f->taken[s->slot] += got;
	pthread_mutex_unlock(&f->lock);
	return got;
}

static void give(void *opaque, uint64_t bytes)
{
	struct share *s = opaque;

	/* What cannot be given now is in the slot, and ends with it. */
	if (!lock_slots(s->file))
		return;
	s->file->taken[s->slot] -= bytes;
	pthread_mutex_unlock(&s->file->lock);
}

const struct vd_share_ops share_ops = { sizeof(share_ops), take, give };

/* The thread. */

/* Somebody wants more: cached pins go first, and nothing is kept in reserve. */
static void turn(struct share *s)
{
	uint32_t word = atomic_load(&s->file->word);
	bool wanted = word != s->heard;

	s->heard = word;
	if (wanted)
		vd_domain_reclaim(s->domain, UINT64_MAX);
	vd_domain_return_share(s->domain, wanted ? 0 : SLACK);
}

static void *run(void *arg)
{
	struct share *s = arg;
	struct pollfd p = { .fd = s->stop, .events = POLLIN };

	while (poll(&p, 1, TURN_MS) <= 0)
		turn(s);
	return NULL;
}

int share_attach(struct share *s, struct vd_domain *domain)
{
	sigset_t all, before;
	int err;

	if (!s->on)
		return 0;
	s->stop = eventfd(0, EFD_CLOEXEC);
	if (s->stop < 0)
		return -errno;
	err = vd_domain_share_budget(domain, &share_ops, s);
	if (err)
		goto err_stop;
	s->domain = domain;
	s->heard = atomic_load(&s->file->word);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return 0;
	s->domain = NULL;
err_stop:
	close(s->stop);
	s->stop = -1;
	return err;
}

void share_detach(struct share *s)
{
	const uint64_t one = 1;

	if (!s->on || !s->domain)
		return;
	if (write(s->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(s->thread, NULL);
	close(s->stop);
	s->stop = -1;
	s->domain = NULL;
}

void share_stats(struct share *s, struct share_stats *out)
{
	*out = (struct share_stats){ .on = s->on };
	if (!s->on || !lock_slots(s->file))
		return;
	out->limit = s->file->limit;
	out->ours = s->file->taken[s->slot];
	for (unsigned int i = 0; i < SHARE_SLOTS; i++) {
		if (!is_alive(s, i))
			continue;
		out->taken += s->file->taken[i];
		out->machines++;
	}
	pthread_mutex_unlock(&s->file->lock);
}
