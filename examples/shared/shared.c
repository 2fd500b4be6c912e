/* SPDX-License-Identifier: BSD-2-Clause */
#include "shared.h"
#include "bus.h"
#include "regions.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOBODY	     VD_NO_OWNER
#define SETTLE_TRIES 16 /* one for each change that comes in between */

struct owner {
	uint32_t id;
	unsigned int pair; /* queue pair of a provider; 0: a client */
	int fd;
	unsigned char *memory;
	uint64_t len;
	struct vd_reader *reader; /* of a provider's device */
	uint64_t requests;
};

struct shared {
	struct vd_adapter *adapter;
	struct shared_listener listener;
	struct bus bus; /* guards all below; held while DMA is in flight */
	struct vd_remote *remote;
	struct nvme nvme;
	struct owner owner[SHARED_OWNERS];
	size_t nowners;
	unsigned int npairs;
	/* What the device has: of whom, for what; NOBODY: control memory. */
	uint32_t turn;
	unsigned int turn_prot;
	struct vd_remote_region region[VD_REMOTE_REGIONS];
	size_t nregions; /* control memory, the first, included */
	struct shared_stats stats;
	int lost; /* the error that ended the device */
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

/* Tell the device what it may reach; on failure nobody knows what it has. */
static int install(struct shared *s, uint32_t turn, unsigned int prot,
		   const struct regions *r)
{
	int err;

	s->region[0] = nvme_region(&s->nvme);
	memcpy(s->region + 1, r->run, r->n * sizeof(r->run[0]));
	s->nregions = r->n + 1;
	s->turn = NOBODY;
	s->stats.syncs++;
	err = vd_remote_set_memory(s->remote, s->region, s->nregions);
	if (err)
		return err;
	s->turn = turn;
	s->turn_prot = prot;
	return 0;
}

static int withdraw(struct shared *s)
{
	static const struct regions none;

	if (s->nregions == 1)
		return 0;
	return install(s, NOBODY, 0, &none);
}

static int take_turn(struct shared *s, uint32_t provider, unsigned int prot)
{
	struct regions r;
	int err;

	if (s->turn == provider && s->turn_prot == prot)
		return 0;
	err = regions_collect(s->adapter, provider, prot, fd_of, s, &r);
	if (!err && r.n >= VD_REMOTE_REGIONS)
		err = -ENOSPC;
	return err ? err : install(s, provider, prot, &r);
}

/* Nothing is in flight when we have the bus. */
static int drain(void *opaque, const struct vd_drain *what)
{
	struct shared *s = opaque;
	int err;

	(void)what;
	bus_take(&s->bus);
	s->stats.drains++;
	err = withdraw(s);
	bus_drop(&s->bus);
	return err ? -EIO : 0;
}

static void changed(void *opaque, uint32_t owner,
		    const struct vd_window_info *w)
{
	struct shared *s = opaque;

	bus_take(&s->bus);
	s->turn = NOBODY;
	bus_drop(&s->bus);
	if (s->listener.changed)
		s->listener.changed(s->listener.opaque, owner, w);
}

static const struct vd_adapter_ops adapter_ops = { drain, changed };

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
	s->turn = NOBODY;
	s->listener = l ? *l : (struct shared_listener){ NULL, NULL };
	cfg.opaque = s;
	err = nvme_init(&s->nvme, remote);
	if (err)
		goto err_free;
	s->nregions = 1;
	err = vd_adapter_create(&cfg, &s->adapter);
	if (err)
		goto err_nvme;
	bus_init(&s->bus);
	*out = s;
	return 0;

err_nvme:
	nvme_fini(&s->nvme);
err_free:
	free(s);
	return err;
}

void shared_destroy(struct shared *s)
{
	for (size_t i = 0; i < s->nowners; i++)
		vd_reader_destroy(s->owner[i].reader);
	vd_adapter_destroy(s->adapter);
	vd_remote_destroy(s->remote);
	for (size_t i = 0; i < s->nowners; i++) {
		munmap(s->owner[i].memory, s->owner[i].len);
		close(s->owner[i].fd);
	}
	nvme_fini(&s->nvme);
	bus_fini(&s->bus);
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
	if (o->memory != MAP_FAILED)
		return 0;
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
		munmap(o->memory, o->len);
		close(o->fd);
		return err;
	}
	bus_take(&s->bus);
	s->nowners++;
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
	s->turn = NOBODY;
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
	unsigned int slot; /* in its burst */
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

/* The device does not fetch the list from the provider: it gets our copy. */
static int copy_list(struct shared *s, struct command *c)
{
	vd_iova bus = { c->e.prp2 };
	struct vd_target t;
	int err;

	vd_reader_enter(c->o->reader);
	err = vd_translate(c->o->reader, bus, VD_READ, &t);
	if (!err)
		memcpy(c->page + 1, t.hva, (c->npages - 1) * sizeof(uint64_t));
	vd_reader_exit(c->o->reader);
	if (err)
		return -EFAULT;
	memcpy(nvme_list(&s->nvme, c->o->pair, c->slot), c->page + 1,
	       (c->npages - 1) * sizeof(uint64_t));
	c->e.prp2 = nvme_list_bus(c->o->pair, c->slot);
	return 0;
}

static int take_pages(struct shared *s, struct command *c)
{
	c->page[0] = c->e.prp1;
	if (c->npages > 2)
		return copy_list(s, c);
	c->page[1] = c->e.prp2;
	return 0;
}

static bool is_control(uint64_t bus)
{
	return bus + (NVME_PAGE - 1) >= NVME_BUS &&
	       bus < NVME_BUS + NVME_MEMORY_LEN;
}

/* Control memory is in reach of the device, so nobody may name it. */
static int check_pages(const struct command *c)
{
	for (size_t i = 0; i < c->npages; i++)
		if (c->page[i] % NVME_PAGE || is_control(c->page[i]))
			return -EACCES;
	return 0;
}

static int prepare(struct shared *s, struct command *c)
{
	int err = decode(&s->nvme, c);

	if (!err)
		err = take_pages(s, c);
	return err ? err : check_pages(c);
}

/* Where the device's regions lead; NULL: nowhere. */
static unsigned char *device_sees(struct shared *s, uint64_t bus)
{
	const struct vd_remote_region *r;

	for (size_t i = 1; i < s->nregions; i++) {
		r = &s->region[i];
		if (bus < r->iova.v || bus - r->iova.v >= r->len)
			continue;
		for (size_t o = 0; o < s->nowners; o++)
			if (s->owner[o].fd == r->fd)
				return s->owner[o].memory + r->off +
				       (bus - r->iova.v);
	}
	return NULL;
}

/* A burst, taken apart: its commands, and what they have in common. */
struct burst {
	struct owner *o;
	unsigned int n, prot;
	struct command c[NVME_BURST];
	struct shared_result result[NVME_BURST];
};

static int add_command(struct shared *s, struct burst *b,
		       const struct nvme_sqe *e)
{
	struct command *c = &b->c[b->n];
	int err;

	*c = (struct command){ .o = b->o, .slot = b->n, .e = *e };
	c->e.nsid = 1;
	err = prepare(s, c);
	if (!err && b->prot && c->prot && b->prot != c->prot)
		err = -EINVAL;
	if (err)
		return err;
	b->prot |= c->prot;
	b->n++;
	return 0;
}

/*
 * Every address goes by the engine, which notes what it refuses. -EPERM: the
 * device is denied; -EAGAIN: the regions are not what the engine says (any
 * more): they are of before a change that is under way.
 */
static int translate(struct shared *s, const struct command *c,
		     unsigned int *faults)
{
	struct vd_target t;
	int err = 0, refused;

	*faults = 0;
	vd_reader_enter(c->o->reader);
	for (size_t i = 0; i < c->npages; i++) {
		vd_iova bus = { c->page[i] };

		t.hva = NULL;
		refused = vd_translate(c->o->reader, bus, c->prot, &t);
		*faults += refused != 0;
		if (refused == -EPERM)
			err = -EPERM;
		else if (!err &&
			 device_sees(s, bus.v) != (refused ? NULL : t.hva))
			err = -EAGAIN;
	}
	vd_reader_exit(c->o->reader);
	return err;
}

static int translate_all(struct shared *s, struct burst *b)
{
	int err = 0, one;

	for (unsigned int i = 0; i < b->n; i++) {
		one = translate(s, &b->c[i], &b->result[i].faults);
		if (one && err != -EPERM)
			err = one;
	}
	return err;
}

/*
 * The device has what the engine translates, no more and no less. From here on
 * a change has to wait in drain() until the burst is over.
 */
static int settle(struct shared *s, struct burst *b)
{
	int err = -EAGAIN;

	for (int i = 0; i < SETTLE_TRIES && err == -EAGAIN; i++) {
		err = take_turn(s, b->o->id, b->prot);
		if (!err)
			err = translate_all(s, b);
		if (err)
			s->turn = NOBODY;
	}
	return err == -EPERM ? withdraw(s) : err;
}

static void count(struct shared *s, const struct burst *b)
{
	s->stats.bursts++;
	s->stats.commands += b->n;
	for (unsigned int i = 0; i < b->n; i++) {
		s->stats.faults += b->result[i].faults;
		s->stats.bytes += b->result[i].faults ? 0 : b->c[i].bytes;
	}
}

/* A command that does not end may still be at work: then nobody has a turn. */
static int execute(struct shared *s, struct burst *b)
{
	unsigned int status[NVME_BURST] = { 0 };
	struct nvme_sqe e[NVME_BURST];
	int err;

	for (unsigned int i = 0; i < b->n; i++)
		e[i] = b->c[i].e;
	err = nvme_do(&s->nvme, b->o->pair, e, b->n, status);
	if (err) {
		s->lost = err;
		vd_remote_reset(s->remote);
		return err;
	}
	for (unsigned int i = 0; i < b->n; i++)
		b->result[i].status = status[i];
	count(s, b);
	return 0;
}

static int run_burst(struct shared *s, struct burst *b,
		     const struct shared_io *io)
{
	int err = s->lost;

	for (unsigned int i = 0; i < io->n && !err; i++)
		err = add_command(s, b, &io->e[i]);
	if (!err)
		err = settle(s, b);
	if (!err)
		err = execute(s, b);
	s->stats.refused += err != 0;
	return err;
}

int shared_do(struct shared *s, const struct shared_io *io,
	      struct shared_result *out)
{
	struct burst b = { .n = 0 };
	int err = -ENOENT;

	if (io->n == 0 || io->n > NVME_BURST)
		return -EINVAL;
	bus_take(&s->bus);
	b.o = find(s, io->provider);
	if (b.o && b.o->pair) {
		b.o->requests += io->n;
		err = run_burst(s, &b, io);
	}
	bus_drop(&s->bus);
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
		differ += device_sees(s, bus.v) != engine_sees(o, bus, prot);
	return differ;
}

int shared_audit(struct shared *s, uint32_t provider, unsigned int prot,
		 vd_iova bus, size_t npages, size_t *differ)
{
	struct owner *o;
	int err = -ENOENT;

	bus_take(&s->bus);
	o = find(s, provider);
	if (o && o->reader)
		err = is_denied(o, bus, prot) ? withdraw(s) :
						take_turn(s, provider, prot);
	if (!err)
		*differ = compare(s, o, prot, bus, npages);
	bus_drop(&s->bus);
	return err;
}

void shared_stats(struct shared *s, struct shared_stats *out)
{
	bus_take(&s->bus);
	*out = s->stats;
	bus_drop(&s->bus);
}

uint64_t shared_requests(struct shared *s, uint32_t provider)
{
	struct owner *o;
	uint64_t n;

	bus_take(&s->bus);
	o = find(s, provider);
	n = o ? o->requests : 0;
	bus_drop(&s->bus);
	return n;
}
