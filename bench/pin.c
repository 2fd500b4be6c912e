/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G7: what pinning costs over the kernel's own price for it, in two steps:
 *
 *  pins	what keeps pages where they are (src/host/ring.h), against raw: one
 *	IORING_REGISTER_BUFFERS_UPDATE of the same pages in the same batches,
 *	nothing else
 *  map	the whole vd_device_map() and vd_device_unmap_segs(), books and checks
 *	included, against raw and the pages' addresses read from pagemap with as
 *	few reads as their places allow. Whoever has to tell a device where the
 *	pages are pays that: the kernel has no cheaper way to ask, and a pagemap
 *	read of one page costs as much as its pin. For runs of pages, which a
 *	map refuses where the memory happens not to be contiguous, the host's
 *	pin and unpin.
 *
 * All are measured in turn in each round. Of many pages the kernel's own price
 * a page grows, so the growth of ours is set against the growth of its.
 */
#include "bench.h"

#include <fcntl.h>
#include <liburing.h>
#include <ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <viaduct/viaduct.h>

#define PAGE	   VD_PAGE_SIZE
#define SMALL	   ((size_t)1 << 16) /* pages that most of it works on: 256 MiB */
#define LARGE	   ((size_t)1000000)
#define BATCH	   64u
#define RING_SLOTS 16384u
#define RAW_RINGS  (LARGE / RING_SLOTS + 1)
#define REPEAT	   200u
#define DEV	   8u

static unsigned char *ram;
static struct io_uring ring;
static int pagemap_fd;
static struct rings rings;
static struct vd_host *host;
static struct vd_domain *domain;
static uint64_t seed = 88172645463325252u;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench pin: %s\n", what);
		exit(1);
	}
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

static void set_up(void)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_noiommu_cfg host_cfg = { .size = sizeof(host_cfg),
						 .method = VD_PIN_IO_URING };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, 1, &ops, NULL };

	ram = mmap(NULL, LARGE * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(ram != MAP_FAILED, "no memory");
	madvise(ram, LARGE * PAGE, MADV_NOHUGEPAGE);
	memset(ram, 1, SMALL * PAGE);
	must(io_uring_queue_init(1, &ring, 0) == 0, "no io_uring");
	must(io_uring_register_buffers_sparse(&ring, RING_SLOTS) == 0,
	     "no table");
	pagemap_fd = open("/proc/self/pagemap", O_RDONLY);
	must(pagemap_fd >= 0, "no pagemap");
	must(rings_init(&rings, &host_cfg) == 0, "no rings");
	must(vd_host_noiommu_create(&host_cfg, &host) == 0,
	     "cannot pin: needs root and io_uring");
	must(vd_domain_create(host, &cfg, &domain) == 0, "domain");
	must(vd_domain_add_memory(domain, (vd_gpa){ 0 }, ram, LARGE * PAGE) ==
		     0,
	     "memory");
	must(vd_device_attach(domain, &dev) == 0, "device");
}

/* Which pages a batch is of. */
struct pattern {
	const char *name;
	unsigned int batch;  /* segments */
	unsigned int npages; /* of each */
	unsigned int spread; /* pages from one to the next; 0: anywhere */
};

static size_t page_at[BATCH];

static void choose(const struct pattern *p)
{
	size_t at = bench_random(&seed, SMALL - (size_t)BATCH * 512);

	for (unsigned int i = 0; i < p->batch; i++) {
		if (p->spread)
			page_at[i] = at + (size_t)i * p->spread;
		else
			page_at[i] = bench_random(&seed, SMALL - p->npages);
	}
}

/*
 * A device in use has its rings and some requests mapped all the time; into an
 * index that is empty otherwise each map would plant a tree and fell it again.
 */
static struct vd_seg standing[BATCH];

static void map_standing(void)
{
	for (unsigned int i = 0; i < BATCH; i++)
		standing[i] = (struct vd_seg){
			.gpa = { bench_random(&seed, SMALL) * PAGE },
			.len = PAGE,
			.prot = VD_READ | VD_WRITE,
		};
	must(vd_device_map(domain, DEV, standing, BATCH, UINT64_MAX) == 0,
	     "map");
}

static void unmap_standing(void)
{
	size_t done;

	must(vd_device_unmap_segs(domain, DEV, standing, BATCH, &done) == 0,
	     "unmap");
}

struct cost {
	double pin, unpin; /* ns a page */
};

static struct cost raw(const struct pattern *p)
{
	struct iovec iov[BATCH], none[BATCH];
	double a, b, c;

	memset(none, 0, sizeof(none));
	for (unsigned int i = 0; i < p->batch; i++) {
		iov[i].iov_base = ram + page_at[i] * PAGE;
		iov[i].iov_len = p->npages * PAGE;
	}
	a = bench_now_ns();
	must(io_uring_register_buffers_update_tag(&ring, 0, iov, NULL,
						  p->batch) == (int)p->batch,
	     "raw pin");
	b = bench_now_ns();
	must(io_uring_register_buffers_update_tag(&ring, 0, none, NULL,
						  p->batch) == (int)p->batch,
	     "raw unpin");
	c = bench_now_ns();
	return (struct cost){ (b - a) / p->batch / p->npages,
			      (c - b) / p->batch / p->npages };
}

/* The cheapest reads for this pattern: near pages together. */
static double raw_address(const struct pattern *p)
{
	static uint64_t entry[BATCH * 512];
	bool near = p->spread && p->spread <= 20 + p->npages;
	size_t n = near ? (size_t)(p->batch - 1) * p->spread + p->npages :
			  p->npages;
	unsigned int reads = near ? 1 : p->batch;
	double a = bench_now_ns();

	for (unsigned int i = 0; i < reads; i++)
		must(pread(pagemap_fd, entry, n * 8,
			   (off_t)(((uintptr_t)ram / PAGE + page_at[i]) * 8)) ==
			     (ssize_t)(n * 8),
		     "pagemap");
	return (bench_now_ns() - a) / p->batch / p->npages;
}

static struct cost ours(const struct pattern *p)
{
	struct vd_seg segs[BATCH];
	size_t done;
	double a, b, c;

	for (unsigned int i = 0; i < p->batch; i++)
		segs[i] = (struct vd_seg){ .gpa = { page_at[i] * PAGE },
					   .len = p->npages * PAGE,
					   .prot = VD_READ | VD_WRITE };
	a = bench_now_ns();
	must(vd_device_map(domain, DEV, segs, p->batch, UINT64_MAX) == 0,
	     "map");
	b = bench_now_ns();
	must(vd_device_unmap_segs(domain, DEV, segs, p->batch, &done) == 0,
	     "unmap");
	c = bench_now_ns();
	return (struct cost){ (b - a) / p->batch / p->npages,
			      (c - b) / p->batch / p->npages };
}

static void fill_pins(const struct pattern *p, struct vd_pin *pin)
{
	static vd_hpa hpa[BATCH * 512];

	for (unsigned int i = 0; i < p->batch; i++) {
		pin[i].hva = ram + page_at[i] * PAGE;
		pin[i].npages = p->npages;
		pin[i].page = hpa + i * p->npages;
	}
}

/* The pins without the addresses. */
static struct cost pins(const struct pattern *p)
{
	struct vd_pin pin[BATCH];
	double a, b, c;

	fill_pins(p, pin);
	a = bench_now_ns();
	must(rings_pin(&rings, pin, p->batch) == 0, "pin");
	b = bench_now_ns();
	rings_unpin(&rings, pin, p->batch);
	c = bench_now_ns();
	return (struct cost){ (b - a) / p->batch / p->npages,
			      (c - b) / p->batch / p->npages };
}

/* By the host alone: memory that is not contiguous has no mapping as a run. */
static struct cost ours_host(const struct pattern *p)
{
	struct vd_pin pin[BATCH];
	double a, b, c;

	fill_pins(p, pin);
	a = bench_now_ns();
	must(host->ops->pin(host, pin, p->batch) == 0, "pin");
	b = bench_now_ns();
	host->ops->unpin(host, pin, p->batch);
	c = bench_now_ns();
	return (struct cost){ (b - a) / p->batch / p->npages,
			      (c - b) / p->batch / p->npages };
}

/* Ns a page, pin and unpin together. */
struct sum {
	double raw, address, pins, ours;
};

static struct sum one_round(const struct pattern *p)
{
	struct sum s = { 0, 0, 0, 0 };
	unsigned int n = p->npages > 1 ? REPEAT / 10 : REPEAT;

	for (unsigned int i = 0; i < n; i++) {
		struct cost c;

		choose(p);
		c = raw(p);
		s.raw += (c.pin + c.unpin) / n;
		c = pins(p);
		s.pins += (c.pin + c.unpin) / n;
		s.address += raw_address(p) / n;
		c = p->npages > 1 ? ours_host(p) : ours(p);
		s.ours += (c.pin + c.unpin) / n;
	}
	return s;
}

static void report(const char *what, const struct pattern *p, double *ratio,
		   double bound)
{
	char name[128];

	snprintf(name, sizeof(name), "%s, %s", what, p->name);
	bench_report(&(struct bench_result){
		"G7", name, bench_median(ratio, BENCH_ROUNDS), bound, "ratio",
		strcmp(what, "pins") == 0 ?
			"raw io_uring pin + unpin" :
			"raw io_uring pin + unpin, and a pagemap read" });
}

static void compare(const struct pattern *p, double bound, double map_bound)
{
	double r[BENCH_ROUNDS], ra[BENCH_ROUNDS];
	double raw_ns[BENCH_ROUNDS], ours_ns[BENCH_ROUNDS],
		addr_ns[BENCH_ROUNDS];

	one_round(p); /* warm */
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		struct sum s = one_round(p);

		r[i] = s.pins / s.raw;
		ra[i] = s.ours / (s.raw + s.address);
		raw_ns[i] = s.raw;
		addr_ns[i] = s.address;
		ours_ns[i] = s.ours;
	}
	printf("     %s: raw %.0f, addresses %.0f, ours %.0f ns a page\n",
	       p->name, bench_median(raw_ns, BENCH_ROUNDS),
	       bench_median(addr_ns, BENCH_ROUNDS),
	       bench_median(ours_ns, BENCH_ROUNDS));
	report("pins", p, r, bound);
	report("map", p, ra, map_bound);
}

/* mlock and munlock of one page. */
static double lock_one(void)
{
	double a = bench_now_ns();

	for (unsigned int i = 0; i < REPEAT; i++) {
		unsigned char *page = ram + bench_random(&seed, SMALL) * PAGE;

		must(mlock(page, PAGE) == 0, "mlock");
		must(munlock(page, PAGE) == 0, "munlock");
	}
	return (bench_now_ns() - a) / REPEAT;
}

static void against_mlock(const struct pattern *p)
{
	double r[BENCH_ROUNDS];

	for (int i = 0; i < BENCH_ROUNDS; i++)
		r[i] = one_round(p).ours / lock_one();
	bench_report(&(struct bench_result){
		"G7", "batch to mlock + munlock", bench_median(r, BENCH_ROUNDS),
		0.25, "ratio", "mlock + munlock of one page" });
}

/*
 * Capacity: @n pages, each a mapping of its own in batches of 64, mapped and
 * unmapped once the other pages are mapped. Ns a page, map and unmap.
 */
static struct vd_seg *table;

static double fill_and_empty(size_t n)
{
	double a = bench_now_ns();
	size_t done;

	for (size_t i = 0; i < n; i += BATCH) {
		size_t k = n - i < BATCH ? n - i : BATCH;

		for (size_t j = i; j < i + k; j++)
			table[j] = (struct vd_seg){ .gpa = { j * PAGE },
						    .len = PAGE,
						    .prot = VD_WRITE };
		must(vd_device_map(domain, DEV, &table[i], k, UINT64_MAX) == 0,
		     "map");
	}
	for (size_t i = 0; i < n; i += BATCH) {
		size_t k = n - i < BATCH ? n - i : BATCH;

		must(vd_device_unmap_segs(domain, DEV, &table[i], k, &done) ==
			     0,
		     "unmap");
	}
	return (bench_now_ns() - a) / (double)n;
}

/* The same by nothing but the kernel's calls. */
static struct io_uring *raw_rings;

static void make_raw_rings(void)
{
	raw_rings = calloc(RAW_RINGS, sizeof(*raw_rings));
	must(raw_rings != NULL, "memory");
	for (size_t i = 0; i < RAW_RINGS; i++) {
		must(io_uring_queue_init(1, &raw_rings[i], 0) == 0, "ring");
		must(io_uring_register_buffers_sparse(&raw_rings[i],
						      RING_SLOTS) == 0,
		     "table");
	}
}

static void raw_update(size_t first, const struct iovec *iov, unsigned int n)
{
	must(io_uring_register_buffers_update_tag(
		     &raw_rings[first / RING_SLOTS],
		     (unsigned int)(first % RING_SLOTS), iov, NULL,
		     n) == (int)n,
	     "raw");
}

static double raw_fill_and_empty(size_t n)
{
	static const struct iovec none[BATCH];
	struct iovec iov[BATCH];
	double a = bench_now_ns();

	for (size_t i = 0; i < n; i += BATCH) {
		unsigned int k = n - i < BATCH ? (unsigned int)(n - i) : BATCH;

		for (unsigned int j = 0; j < k; j++)
			iov[j] = (struct iovec){ ram + (i + j) * PAGE, PAGE };
		raw_update(i, iov, k);
	}
	for (size_t i = 0; i < n; i += BATCH)
		raw_update(i, none,
			   n - i < BATCH ? (unsigned int)(n - i) : BATCH);
	return (bench_now_ns() - a) / (double)n;
}

/* How much more a page of 1e6 costs than one of 1e4. */
static double growth(double (*run)(size_t n), const char *what)
{
	double small = 0, large;

	for (int i = 0; i < 10; i++)
		small += run(10000) / 10;
	large = run(LARGE);
	printf("     %s: %.0f ns a page of 1e4, %.0f of 1e6\n", what, small,
	       large);
	return large / small;
}

static void capacity(void)
{
	enum { ROUNDS = 5 };
	struct vd_domain_stats st = { .size = sizeof(st) };
	double r[ROUNDS];

	table = malloc(LARGE * sizeof(*table));
	must(table != NULL, "memory");
	memset(ram, 1, LARGE * PAGE);
	make_raw_rings();
	fill_and_empty(LARGE); /* warm, both */
	raw_fill_and_empty(LARGE);
	for (int i = 0; i < ROUNDS; i++)
		r[i] = growth(fill_and_empty, "map") /
		       growth(raw_fill_and_empty, "raw");
	vd_domain_stats(domain, &st);
	must(st.pinned_peak == LARGE * PAGE, "not all was pinned");
	bench_note("pages pinned at once", (double)(st.pinned_peak / PAGE), "");
	bench_report(&(struct bench_result){
		"G7", "1e6 pinned pages, growth of a page's cost",
		bench_median(r, ROUNDS), 1.5, "ratio",
		"the growth of raw io_uring from 1e4 pages to 1e6" });
}

int main(void)
{
	static const struct pattern batch = { "batch of 64 anywhere", 64, 1,
					      0 };
	static const struct pattern list = { "batch of 64, scatter list", 64, 1,
					     3 };
	static const struct pattern one = { "one page", 1, 1, 0 };
	static const struct pattern run = { "run of 512 pages", 1, 512, 0 };

	set_up();
	map_standing();
	compare(&batch, 1.15, 1.15);
	compare(&list, 1.15, 1.25);
	compare(&one, 1.2, 1.25);
	compare(&run, 1.2, 1.2);
	against_mlock(&batch);
	unmap_standing();
	capacity();
	vd_domain_destroy(domain);
	vd_host_destroy(host);
	rings_end(&rings);
	return 0;
}
