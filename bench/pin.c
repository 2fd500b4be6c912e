/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G7: what pinning costs over the kernel's own price for it.
 *
 * Two references, both measured in turn with ours in each round:
 *  raw	 IORING_REGISTER_BUFFERS_UPDATE of the same pages in the same batches,
 *	 nothing else
 *  raw+address  the same, and the pages' addresses read from pagemap with as
 *	 few reads as their places allow: what must be paid by whoever has to
 *	 tell a device where the pages are, on a kernel that has no cheaper way
 * Ours is vd_device_map() and vd_device_unmap_segs(), books and checks included;
 * for runs of pages, which a map refuses where the memory happens not to be
 * contiguous, the host's pin and unpin.
 */
#include "bench.h"

#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <viaduct/viaduct.h>

#define PAGE   VD_PAGE_SIZE
#define SMALL  ((size_t)1 << 16) /* pages that most of it works on: 256 MiB */
#define LARGE  ((size_t)1000000)
#define BATCH  64u
#define REPEAT 200u
#define DEV    8u

static unsigned char *ram;
static struct io_uring ring;
static int pagemap_fd;
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
	static const struct vd_device_ops ops = { quiesce };
	const struct vd_noiommu_cfg host_cfg = { .method = VD_PIN_IO_URING };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, 1, &ops, NULL };

	ram = mmap(NULL, LARGE * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(ram != MAP_FAILED, "no memory");
	madvise(ram, LARGE * PAGE, MADV_NOHUGEPAGE);
	memset(ram, 1, SMALL * PAGE);
	must(io_uring_queue_init(1, &ring, 0) == 0, "no io_uring");
	must(io_uring_register_buffers_sparse(&ring, 16384) == 0, "no table");
	pagemap_fd = open("/proc/self/pagemap", O_RDONLY);
	must(pagemap_fd >= 0, "no pagemap");
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

/* By the host alone: memory that is not contiguous has no mapping as a run. */
static struct cost ours_host(const struct pattern *p)
{
	static vd_hpa hpa[BATCH * 512];
	struct vd_pin pin[BATCH];
	double a, b, c;

	for (unsigned int i = 0; i < p->batch; i++) {
		pin[i].hva = ram + page_at[i] * PAGE;
		pin[i].npages = p->npages;
		pin[i].page = hpa + i * p->npages;
	}
	a = bench_now_ns();
	must(host->ops->pin(host, pin, p->batch) == 0, "pin");
	b = bench_now_ns();
	host->ops->unpin(host, pin, p->batch);
	c = bench_now_ns();
	return (struct cost){ (b - a) / p->batch / p->npages,
			      (c - b) / p->batch / p->npages };
}

struct sum {
	double raw, address, ours;
};

static struct sum one_round(const struct pattern *p)
{
	struct sum s = { 0, 0, 0 };
	unsigned int n = p->npages > 1 ? REPEAT / 10 : REPEAT;

	for (unsigned int i = 0; i < n; i++) {
		struct cost c;

		choose(p);
		c = raw(p);
		s.raw += (c.pin + c.unpin) / n;
		s.address += raw_address(p) / n;
		c = p->npages > 1 ? ours_host(p) : ours(p);
		s.ours += (c.pin + c.unpin) / n;
	}
	return s;
}

static void compare(const struct pattern *p, double bound)
{
	double r[BENCH_ROUNDS], ra[BENCH_ROUNDS];
	double raw_ns[BENCH_ROUNDS], ours_ns[BENCH_ROUNDS],
		addr_ns[BENCH_ROUNDS];
	char name[128];

	one_round(p); /* warm */
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		struct sum s = one_round(p);

		r[i] = s.ours / s.raw;
		ra[i] = s.ours / (s.raw + s.address);
		raw_ns[i] = s.raw;
		addr_ns[i] = s.address;
		ours_ns[i] = s.ours;
	}
	printf("     %s: raw %.0f, addresses %.0f, ours %.0f ns a page\n",
	       p->name, bench_median(raw_ns, BENCH_ROUNDS),
	       bench_median(addr_ns, BENCH_ROUNDS),
	       bench_median(ours_ns, BENCH_ROUNDS));
	snprintf(name, sizeof(name), "%s to raw", p->name);
	bench_report(&(struct bench_result){
		"G7", name, bench_median(r, BENCH_ROUNDS), bound, "ratio",
		"raw io_uring pin + unpin" });
	snprintf(name, sizeof(name), "%s to raw+address", p->name);
	bench_report(&(struct bench_result){
		"G7", name, bench_median(ra, BENCH_ROUNDS), bound, "ratio",
		"raw io_uring pin + unpin, and a pagemap read" });
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

static double fill_small(void)
{
	double sum = 0;

	for (int i = 0; i < 10; i++)
		sum += fill_and_empty(10000);
	return sum / 10;
}

static void capacity(void)
{
	enum { ROUNDS = 3 };
	struct vd_domain_stats st;
	double r[ROUNDS], small[ROUNDS], large[ROUNDS];

	table = malloc(LARGE * sizeof(*table));
	must(table != NULL, "memory");
	memset(ram, 1, LARGE * PAGE);
	fill_small();
	fill_and_empty(LARGE);
	for (int i = 0; i < ROUNDS; i++) {
		small[i] = fill_small();
		large[i] = fill_and_empty(LARGE);
		r[i] = large[i] / small[i];
	}
	vd_domain_stats(domain, &st);
	must(st.pinned_peak == LARGE * PAGE, "not all was pinned");
	bench_note("pages pinned at once", (double)(st.pinned_peak / PAGE), "");
	bench_note("a page of 1e4", bench_median(small, ROUNDS), "ns");
	bench_note("a page of 1e6", bench_median(large, ROUNDS), "ns");
	bench_report(&(struct bench_result){
		"G7", "1e6 pinned pages, cost a page to 1e4",
		bench_median(r, ROUNDS), 1.5, "ratio", "the same with 1e4" });
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
	compare(&batch, 1.15);
	compare(&list, 1.15);
	compare(&one, 1.2);
	compare(&run, 1.2);
	against_mlock(&batch);
	capacity();
	vd_domain_destroy(domain);
	vd_host_destroy(host);
	return 0;
}
