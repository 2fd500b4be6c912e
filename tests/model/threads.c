/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads on one domain, to be run under a race detector as well: mappers
 * that keep their own books, look-ups, and one thread that denies, permits,
 * revokes, detaches and attaches under them. What a thread mapped and nobody
 * revoked must be there; at the end nothing is pinned.
 *
 * Usage: threads [rounds]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <viaduct/viaduct.h>

#define PAGE	 VD_PAGE_SIZE
#define PAGES	 256u
#define MAPPERS	 3
#define BASE	 ((char *)0x40000000)

/* Device 1 is stable; device 2 is taken away again and again. */
#define STABLE	 1u
#define UNSTABLE 2u

struct world {
	struct vd_host *host;
	struct vd_domain *d;
	atomic_bool stop;
	unsigned long rounds;
};

struct mapper {
	struct world *w;
	unsigned int seed;
	unsigned long maps, refused;
};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads: %s\n", what);
		abort();
	}
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

static const struct vd_device_ops ops = { sizeof(ops), quiesce };

static void attach(struct world *w, uint32_t id)
{
	const struct vd_device_cfg cfg = { sizeof(cfg), id, id, &ops, NULL };

	must(vd_device_attach(w->d, &cfg) == 0, "attach");
}

static void map_stable(struct mapper *m, struct vd_seg *segs, size_t n)
{
	struct world *w = m->w;
	size_t done;
	vd_gpa gpa;

	if (vd_device_map(w->d, STABLE, segs, n, UINT64_MAX) != 0) {
		m->refused++;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		must(vd_device_translate(w->d, STABLE, segs[i].iova, VD_READ, &gpa) == 0 &&
			     gpa.v == segs[i].gpa.v,
		     "own mapping");
	}
	must(vd_device_unmap_segs(w->d, STABLE, segs, n, &done) == 0 && done == n, "own unmap");
	m->maps += n;
}

static void map_unstable(struct mapper *m, struct vd_seg *segs, size_t n)
{
	struct world *w = m->w;
	int err = vd_device_map(w->d, UNSTABLE, segs, n, UINT64_MAX);

	if (err) {
		must(err == -EPERM || err == -EBUSY || err == -ENODEV || err == -EDQUOT, "refusal");
		m->refused++;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		err = vd_device_unmap(w->d, UNSTABLE, segs[i].iova, segs[i].len);
		must(err == 0 || err == -ENOENT || err == -ENODEV, "unmap");
	}
	m->maps += n;
}

static void *map_all_the_time(void *arg)
{
	struct mapper *m = arg;

	for (unsigned long r = 0; r < m->w->rounds; r++) {
		struct vd_seg segs[8];
		size_t n = 1 + (size_t)rand_r(&m->seed) % 8;

		for (size_t i = 0; i < n; i++)
			segs[i] = (struct vd_seg){
				.gpa = { (uint64_t)rand_r(&m->seed) % (PAGES * PAGE - 8192) },
				.len = 1 + (uint64_t)rand_r(&m->seed) % 8192,
				.prot = VD_READ,
			};
		if (r % 2)
			map_stable(m, segs, n);
		else
			map_unstable(m, segs, n);
	}
	return NULL;
}

static void *look_all_the_time(void *arg)
{
	struct world *w = arg;
	struct vd_mapping m[16];
	struct vd_device_info info = { .size = sizeof(info) };
	struct vd_domain_stats st = { .size = sizeof(st) };
	struct vd_fault fault = { .size = sizeof(fault) };
	vd_gpa gpa;
	vd_iova iova;
	size_t n;

	while (!w->stop) {
		vd_domain_stats(w->d, &st);
		must(st.pinned <= PAGES * PAGE, "more pinned than there is");
		(void)vd_device_next(w->d, 0, &info);
		if (vd_device_mappings(w->d, UNSTABLE, 0, m, 16, &n) == 0 && n)
			vd_device_translate(w->d, UNSTABLE, m[n - 1].iova, VD_READ, &gpa);
		vd_device_reverse(w->d, STABLE, (vd_gpa){ PAGE }, &iova);
		vd_domain_next_fault(w->d, &fault);
	}
	return NULL;
}

static void *disturb(void *arg)
{
	struct world *w = arg;
	unsigned int seed = 9;

	while (!w->stop) {
		switch (rand_r(&seed) % 5) {
		case 0:
			vd_device_deny(w->d, UNSTABLE);
			break;
		case 1:
			vd_device_revoke(w->d, UNSTABLE);
			break;
		case 2:
			vd_domain_set_budget(w->d, rand_r(&seed) % 2 ? 0 : 40 * PAGE);
			break;
		case 3:
			if (vd_device_detach(w->d, UNSTABLE) == 0)
				attach(w, UNSTABLE);
			break;
		default:
			vd_device_permit(w->d, UNSTABLE);
		}
	}
	return NULL;
}

static void make(struct world *w)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	must(vd_host_fake_create(BASE, PAGES, &w->host) == 0, "host");
	must(vd_domain_create(w->host, &cfg, &w->d) == 0, "domain");
	must(vd_domain_add_memory(w->d, (vd_gpa){ 0 }, BASE, PAGES * PAGE) == 0, "memory");
	attach(w, STABLE);
	attach(w, UNSTABLE);
}

int main(int argc, char **argv)
{
	struct world w = { .rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000 };
	struct mapper m[MAPPERS];
	pthread_t thread[MAPPERS + 2];
	struct vd_domain_stats st = { .size = sizeof(st) };
	unsigned long maps = 0, refused = 0;

	make(&w);
	for (int i = 0; i < MAPPERS; i++) {
		m[i] = (struct mapper){ .w = &w, .seed = (unsigned int)i + 1 };
		must(pthread_create(&thread[i], NULL, map_all_the_time, &m[i]) == 0, "thread");
	}
	must(pthread_create(&thread[MAPPERS], NULL, look_all_the_time, &w) == 0, "thread");
	must(pthread_create(&thread[MAPPERS + 1], NULL, disturb, &w) == 0, "thread");
	for (int i = 0; i < MAPPERS; i++) {
		pthread_join(thread[i], NULL);
		maps += m[i].maps;
		refused += m[i].refused;
	}
	w.stop = true;
	pthread_join(thread[MAPPERS], NULL);
	pthread_join(thread[MAPPERS + 1], NULL);
	vd_domain_stats(w.d, &st);
	must(st.nmappings == 0 && st.pinned == 0 && vd_fake_pinned(w.host) == 0, "leftovers");
	must(st.maps == st.unmaps, "as many unmaps as maps");
	vd_domain_destroy(w.d);
	vd_host_destroy(w.host);
	printf("%lu segments mapped by %d threads, %lu calls refused\n", maps, MAPPERS, refused);
	return 0;
}
