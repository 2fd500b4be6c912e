/* SPDX-License-Identifier: BSD-2-Clause */
#include "shared.h"
#include "bus.h"
#include "slices.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SETTLE_TRIES 16 /* one for each change that comes in between */

struct owner {
	uint32_t id;
	unsigned int pair; /* queue pair of a provider; 0: a client */
	int fd;
	unsigned char *memory;
	uint64_t len;
	/* Of a provider: */
	pthread_mutex_t turn;	  /* of its queue pair: one burst at a time */
	struct vd_reader *reader; /* of its device; whose turn it is has it */
	struct slice slice;	  /* guarded by the bus */
	bool crowded;	    /* the same: it has no slice, for want of room */
	atomic_bool denied; /* when we last looked: it has no slice */
	uint64_t requests;  /* guarded by the counts' lock */
};

struct shared {
	struct vd_adapter *adapter;
	struct shared_listener listener;
	struct vd_remote *remote;
	struct nvme nvme;
	/* Shared while DMA is in flight; who changes these has it alone. */
	struct bus bus;
	struct owner owner[SHARED_OWNERS];
	size_t nowners;
	unsigned int npairs;
	struct slices slices;	  /* what the device has */
	atomic_bool stale;	  /* they may be not what the engine says */
	atomic_int lost;	  /* the error that ended the device */
	pthread_mutex_t counting; /* guards: */
	struct shared_stats stats;
};

static struct owner *find(struct shared *s, uint32_t id)
{
	for (size_t i = 0; i < s->nowners; i++)
		if (s->owner[i].id == id)
			return &s->owner[i];
	return NULL;
}

static int fd_of(void *ctx, uint32_t id)
{
	struct owner *o = find(ctx, id);

	return o ? o->fd : -1;
}

/* Nothing is in flight: the bus is ours alone. */
static int install(struct shared *s)
{
	pthread_mutex_lock(&s->counting);
	s->stats.syncs++;
	pthread_mutex_unlock(&s->counting);
	return vd_remote_set_memory(s->remote, s->slices.region, s->slices.n);
}

static void begin_slices(struct shared *s)
{
	const struct vd_remote_region control = nvme_region(&s->nvme);

	slices_begin(&s->slices, &control);
	for (size_t i = 0; i < s->nowners; i++) {
		s->owner[i].slice = (struct slice){ .written = 0 };
		s->owner[i].crowded = false;
	}
}

/* The bus is ours alone. */
static int withdraw(struct shared *s)
{
	s->stale = true;
	if (s->slices.n == 1)
		return 0;
	begin_slices(s);
	return install(s);
}

/* Each provider has room for as many regions as any other. */
static int add_slice(struct shared *s, struct owner *o)
{
	size_t room = (VD_REMOTE_REGIONS - 1) / s->npairs;
	struct regions written, read;
	int err = regions_collect(s->adapter, o->id, VD_WRITE, fd_of, s,
				  &written);

	if (!err)
		err = regions_collect(s->adapter, o->id, VD_READ, fd_of, s,
				      &read);
	if (!err)
		err = slices_add(&s->slices, o->pair, room, &written, &read,
				 &o->slice);
	return err;
}

/*
 * The device gets what the engine says now, for all providers at once. The bus
 * is ours alone.
 */
static int renew(struct shared *s)
{
	int err;

	s->stale = false;
	begin_slices(s);
	for (size_t i = 0; i < s->nowners; i++) {
		struct owner *o = &s->owner[i];

		if (o->pair && !o->denied)
			o->crowded = add_slice(s, o) != 0;
	}
	err = install(s);
	if (err)
		s->stale = true;
	return err;
}

static int refresh(struct shared *s)
{
	int err = 0;

	if (!s->stale)
		return 0;
	bus_take(&s->bus);
	if (s->stale)
		err = renew(s);
	bus_drop(&s->bus);
	return err;
}

static void count_drain(struct shared *s)
{
	pthread_mutex_lock(&s->counting);
	s->stats.drains++;
	s->stats.waited += s->stats.in_flight != 0;
	s->stats.waited_for_all += s->stats.in_flight == s->npairs;
	pthread_mutex_unlock(&s->counting);
}

/* When we have the bus nothing is in flight. */
static int drain(void *opaque, const struct vd_drain *what)
{
	struct shared *s = opaque;
	int err;

	(void)what;
	count_drain(s);
	bus_take(&s->bus);
	err = withdraw(s);
	bus_drop(&s->bus);
	return err ? -EIO : 0;
}

static void changed(void *opaque, uint32_t owner,
		    const struct vd_window_info *w)
{
	struct shared *s = opaque;

	s->stale = true;
	if (s->listener.changed)
		s->listener.changed(s->listener.opaque, owner, w);
}

static const struct vd_adapter_ops adapter_ops = { .size = sizeof(adapter_ops),
						   .drain = drain,
						   .changed = changed };

int shared_create(struct vd_remote *remote, const struct shared_listener *l,
		  struct shared **out)
{
	struct vd_adapter_cfg cfg = { .size = sizeof(cfg),
				      .nregs = 8,
				      .ops = &adapter_ops };
	struct shared *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->remote = remote;
	s->listener = l ? *l : (struct shared_listener){ NULL, NULL };
	cfg.opaque = s;
	err = nvme_init(&s->nvme, remote);
	if (err)
		goto err_free;
	begin_slices(s);
	err = vd_adapter_create(&cfg, &s->adapter);
	if (err)
		goto err_nvme;
	bus_init(&s->bus);
	pthread_mutex_init(&s->counting, NULL);
	*out = s;
	return 0;

err_nvme:
	nvme_fini(&s->nvme);
err_free:
	free(s);
	return err;
}

static void close_owner(struct owner *o)
{
	munmap(o->memory, o->len);
	close(o->fd);
	pthread_mutex_destroy(&o->turn);
}

void shared_destroy(struct shared *s)
{
	for (size_t i = 0; i < s->nowners; i++)
		vd_reader_destroy(s->owner[i].reader);
	vd_adapter_destroy(s->adapter);
	vd_remote_destroy(s->remote);
	for (size_t i = 0; i < s->nowners; i++)
		close_owner(&s->owner[i]);
	nvme_fini(&s->nvme);
	bus_fini(&s->bus);
	pthread_mutex_destroy(&s->counting);
	free(s);
}

struct vd_adapter *shared_adapter(struct shared *s)
{
	return s->adapter;
}

static int open_owner(struct owner *o, uint64_t len)
{
	o->len = len;
	o->fd = memfd_create("owner", MFD_CLOEXEC);
	if (o->fd < 0)
		return -errno;
	if (ftruncate(o->fd, (off_t)len))
		goto err_close;
	o->memory =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
	if (o->memory != MAP_FAILED) {
		pthread_mutex_init(&o->turn, NULL);
		return 0;
	}
err_close:
	close(o->fd);
	return -ENOMEM;
}

static int add_to_engine(struct shared *s, const struct owner *o,
			 uint32_t provider)
{
	struct vd_span span = { .hva = o->memory, .len = o->len };
	struct vd_owner_cfg cfg = { .size = sizeof(cfg),
				    .id = o->id,
				    .provider = provider,
				    .memory = &span,
				    .nmemory = 1 };

	return vd_owner_add(s->adapter, &cfg);
}

static int give_pair(struct shared *s, struct owner *o)
{
	int err = nvme_create_pair(&s->nvme, s->npairs + 1);

	if (!err)
		err = vd_adapter_attach(s->adapter, o->id, o->id);
	if (!err)
		err = vd_reader_create(s->adapter, o->id, &o->reader);
	if (!err)
		o->pair = ++s->npairs;
	return err;
}

/* Owners are added one at a time, before there are bursts of theirs. */
int shared_add(struct shared *s, uint32_t id, uint32_t provider, uint64_t len)
{
	struct owner *o = &s->owner[s->nowners];
	int err;

	if (s->nowners == SHARED_OWNERS)
		return -ENOSPC;
	*o = (struct owner){ .id = id };
	err = open_owner(o, len);
	if (err)
		return err;
	err = add_to_engine(s, o, provider);
	if (!err && provider == VD_NO_OWNER)
		err = give_pair(s, o);
	if (err) {
		close_owner(o);
		return err;
	}
	bus_take(&s->bus);
	s->nowners++;
	s->stale = true;
	bus_drop(&s->bus);
	return 0;
}

unsigned char *shared_memory(struct shared *s, uint32_t id)
{
	struct owner *o = find(s, id);

	return o ? o->memory : NULL;
}

int shared_map(struct shared *s, const struct vd_window_range *r)
{
	int err;

	bus_take(&s->bus);
	err = vd_window_map(s->adapter, r);
	s->stale = true;
	bus_drop(&s->bus);
	return err;
}

int shared_unmap(struct shared *s, const struct vd_window_range *r)
{
	int err, gone;

	bus_take(&s->bus);
	err = vd_window_unmap(s->adapter, r->owner, r->window, r->bus, r->len);
	gone = withdraw(s);
	bus_drop(&s->bus);
	return err ? err : gone;
}

/* A command, taken apart. */
struct command {
	struct owner *o;
	struct nvme_sqe e;
	unsigned int prot; /* what the device does to memory; 0: nothing */
	uint64_t bytes;
	size_t npages;
	uint64_t page[SHARED_PAGES_MAX]; /* bus addresses */
};

static int decode(const struct nvme *n, struct command *c)
{
	c->bytes = ((uint64_t)(c->e.cdw12 & 0xffff) + 1) * n->block_len;
	if (c->e.opcode == NVME_READ)
		c->prot = VD_WRITE;
	else if (c->e.opcode == NVME_WRITE)
		c->prot = VD_READ;
	else if (c->e.opcode == NVME_FLUSH)
		c->bytes = 0;
	else
		return -EINVAL;
	/* No scatter lists, no metadata: only addresses that we look at. */
	if (c->e.flags || c->e.metadata || c->e.prp1 % NVME_PAGE ||
	    c->e.prp2 % NVME_PAGE ||
	    c->bytes > (uint64_t)SHARED_PAGES_MAX * NVME_PAGE)
		return -EINVAL;
	c->npages = (size_t)((c->bytes + NVME_PAGE - 1) / NVME_PAGE);
	return 0;
}

/* The device does not fetch the list from the provider: it gets ours. */
static int copy_list(struct command *c)
{
	vd_iova bus = { c->e.prp2 };
	struct vd_target t;
	int err;

	vd_reader_enter(c->o->reader);
	err = vd_translate(c->o->reader, bus, VD_READ, &t);
	if (!err)
		memcpy(c->page + 1, t.hva, (c->npages - 1) * sizeof(uint64_t));
	vd_reader_exit(c->o->reader);
	return err ? -EFAULT : 0;
}

static int take_pages(struct command *c)
{
	c->page[0] = c->e.prp1;
	if (c->npages > 2)
		return copy_list(c);
	c->page[1] = c->e.prp2;
	return 0;
}

static int prepare(struct shared *s, struct command *c)
{
	int err = decode(&s->nvme, c);

	if (!err)
		err = take_pages(c);
	for (size_t i = 0; i < c->npages && !err; i++)
		err = c->page[i] % NVME_PAGE ? -EINVAL : 0;
	return err;
}

/* Where the device's regions lead; NULL: nowhere. */
static unsigned char *device_sees(struct shared *s, const struct owner *o,
				  unsigned int prot, uint64_t bus)
{
	uint64_t at = slice_address(&o->slice, prot, bus);
	const struct vd_remote_region *r = slices_find(&s->slices, at);

	for (size_t i = 0; r && i < s->nowners; i++)
		if (s->owner[i].fd == r->fd)
			return s->owner[i].memory + r->off + (at - r->iova.v);
	return NULL;
}

/* A burst, taken apart. */
struct burst {
	struct owner *o;
	unsigned int n;
	struct command c[NVME_BURST];
	struct shared_result result[NVME_BURST];
};

static int add_command(struct shared *s, struct burst *b,
		       const struct nvme_sqe *e)
{
	struct command *c = &b->c[b->n++];

	*c = (struct command){ .o = b->o, .e = *e };
	c->e.nsid = 1;
	return prepare(s, c);
}

/*
 * Every address goes by the engine, which notes what it refuses. -EAGAIN: the
 * device's regions are not what the engine says (any more): they are of before a
 * change that is under way, or of before the provider was denied or permitted.
 */
static int translate(struct shared *s, const struct command *c,
		     unsigned int *faults)
{
	struct vd_target t;
	int err = 0;

	*faults = 0;
	vd_reader_enter(c->o->reader);
	for (size_t i = 0; i < c->npages; i++) {
		vd_iova bus = { c->page[i] };
		int refused = vd_translate(c->o->reader, bus, c->prot, &t);
		const unsigned char *want = refused ? NULL : t.hva;

		*faults += refused != 0;
		if (c->o->denied != (refused == -EPERM) ||
		    device_sees(s, c->o, c->prot, bus.v) != want)
			err = -EAGAIN;
		c->o->denied = refused == -EPERM;
	}
	vd_reader_exit(c->o->reader);
	return err;
}

static int translate_all(struct shared *s, struct burst *b)
{
	int err = 0, one;

	for (unsigned int i = 0; i < b->n; i++) {
		one = translate(s, &b->c[i], &b->result[i].faults);
		if (one)
			err = one;
	}
	return err;
}

static int look(struct shared *s, struct burst *b)
{
	int err = -EAGAIN;

	if (s->stale)
		return err;
	if (b->o->crowded)
		return -ENOSPC;
	err = translate_all(s, b);
	if (err)
		s->stale = true;
	return err;
}

/*
 * The device has what the engine translates, no more and no less; if so the bus
 * is shared when this returns, and a change has to wait in drain() until it is
 * not any more.
 */
static int settle(struct shared *s, struct burst *b)
{
	int err = -EAGAIN;

	for (int i = 0; i < SETTLE_TRIES && err == -EAGAIN; i++) {
		err = refresh(s);
		if (err)
			return err;
		bus_share(&s->bus);
		err = look(s, b);
		if (err == 0)
			return 0;
		bus_unshare(&s->bus);
	}
	return err;
}

static void begin_count(struct shared *s)
{
	pthread_mutex_lock(&s->counting);
	s->stats.overlapped += s->stats.in_flight++ != 0;
	pthread_mutex_unlock(&s->counting);
}

static void end_count(struct shared *s, const struct burst *b, int err)
{
	pthread_mutex_lock(&s->counting);
	s->stats.in_flight--;
	s->stats.bursts += !err;
	for (unsigned int i = 0; i < b->n && !err; i++) {
		s->stats.commands++;
		s->stats.faults += b->result[i].faults;
		s->stats.bytes += b->result[i].faults ? 0 : b->c[i].bytes;
	}
	pthread_mutex_unlock(&s->counting);
}

/* The command as the device gets it: the provider's addresses in its slice. */
static struct nvme_sqe for_device(struct shared *s, struct command *c,
				  unsigned int slot)
{
	uint64_t *list = nvme_list(&s->nvme, c->o->pair, slot);
	struct nvme_sqe e = c->e;
	uint64_t at[SHARED_PAGES_MAX] = { 0 };

	for (size_t i = 0; i < c->npages; i++)
		at[i] = slice_address(&c->o->slice, c->prot, c->page[i]);
	e.prp1 = at[0];
	e.prp2 = at[1];
	if (c->npages > 2) {
		memcpy(list, at + 1, (c->npages - 1) * sizeof(at[0]));
		e.prp2 = nvme_list_bus(c->o->pair, slot);
	}
	return e;
}

/* A command that does not end may still be at work: the device is lost. */
static int execute(struct shared *s, struct burst *b)
{
	unsigned int status[NVME_BURST] = { 0 };
	struct nvme_sqe e[NVME_BURST];
	int err;

	for (unsigned int i = 0; i < b->n; i++)
		e[i] = for_device(s, &b->c[i], i);
	begin_count(s);
	err = nvme_do(&s->nvme, b->o->pair, e, b->n, status);
	if (err) {
		s->lost = err;
		vd_remote_reset(s->remote);
	}
	for (unsigned int i = 0; i < b->n; i++)
		b->result[i].status = status[i];
	end_count(s, b, err);
	return err;
}

/* It is the provider's turn. */
static int run_burst(struct shared *s, struct burst *b,
		     const struct shared_io *io)
{
	int err = s->lost;

	for (unsigned int i = 0; i < io->n && !err; i++)
		err = add_command(s, b, &io->e[i]);
	if (!err)
		err = settle(s, b);
	if (err)
		return err;
	err = execute(s, b);
	bus_unshare(&s->bus);
	return err;
}

static struct owner *find_provider(struct shared *s, uint32_t id)
{
	struct owner *o;

	bus_share(&s->bus);
	o = find(s, id);
	bus_unshare(&s->bus);
	return o && o->pair ? o : NULL;
}

int shared_do(struct shared *s, const struct shared_io *io,
	      struct shared_result *out)
{
	struct burst b = { .o = find_provider(s, io->provider) };
	int err;

	if (io->n == 0 || io->n > NVME_BURST)
		return -EINVAL;
	if (!b.o)
		return -ENOENT;
	pthread_mutex_lock(&b.o->turn);
	err = run_burst(s, &b, io);
	pthread_mutex_unlock(&b.o->turn);
	pthread_mutex_lock(&s->counting);
	b.o->requests += io->n;
	s->stats.refused += err != 0;
	pthread_mutex_unlock(&s->counting);
	if (!err)
		memcpy(out, b.result, io->n * sizeof(*out));
	return err;
}

static unsigned char *engine_sees(struct owner *o, vd_iova bus,
				  unsigned int prot)
{
	struct vd_target t = { .hva = NULL };

	vd_reader_enter(o->reader);
	if (vd_translate(o->reader, bus, prot, &t))
		t.hva = NULL;
	vd_reader_exit(o->reader);
	return t.hva;
}

/* The windows of a denied device are as they were, but not for it. */
static bool is_denied(struct owner *o, vd_iova bus, unsigned int prot)
{
	struct vd_target t;

	return vd_translate_once(o->reader, bus, prot, &t) == -EPERM;
}

static size_t compare(struct shared *s, struct owner *o, unsigned int prot,
		      vd_iova bus, size_t npages)
{
	size_t differ = 0;

	for (size_t i = 0; i < npages; i++, bus.v += NVME_PAGE)
		differ += device_sees(s, o, prot, bus.v) !=
			  engine_sees(o, bus, prot);
	return differ;
}

/* The bus is ours alone: nobody's turn is under way. */
static int audit(struct shared *s, struct owner *o, unsigned int prot,
		 vd_iova bus)
{
	bool denied = is_denied(o, bus, prot);
	int err = 0;

	if (s->stale || denied != o->denied) {
		o->denied = denied;
		err = renew(s);
	}
	return !err && o->crowded ? -ENOSPC : err;
}

int shared_audit(struct shared *s, uint32_t provider, unsigned int prot,
		 vd_iova bus, size_t npages, size_t *differ)
{
	struct owner *o;
	int err = -ENOENT;

	o = find_provider(s, provider);
	if (!o)
		return err;
	pthread_mutex_lock(&o->turn);
	bus_take(&s->bus);
	err = audit(s, o, prot, bus);
	if (!err)
		*differ = compare(s, o, prot, bus, npages);
	bus_drop(&s->bus);
	pthread_mutex_unlock(&o->turn);
	return err;
}

void shared_stats(struct shared *s, struct shared_stats *out)
{
	pthread_mutex_lock(&s->counting);
	*out = s->stats;
	pthread_mutex_unlock(&s->counting);
}

uint64_t shared_requests(struct shared *s, uint32_t provider)
{
	struct owner *o = find_provider(s, provider);
	uint64_t n;

	pthread_mutex_lock(&s->counting);
	n = o ? o->requests : 0;
	pthread_mutex_unlock(&s->counting);
	return n;
}
