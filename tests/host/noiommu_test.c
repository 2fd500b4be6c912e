/* SPDX-License-Identifier: BSD-2-Clause */
/* Real pages, real pins, through the public API. */
#include "real.h"
#include <fcntl.h>
#include <ring.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <viaduct/viaduct.h>

#define N   256u
#define DEV 8u

struct real {
	struct vd_host *host;
	struct vd_domain *d;
	unsigned char *mem;
	size_t npages;
	int nrings;
};

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

static int count_ring(void *opaque, int fd)
{
	struct real *r = opaque;

	assert_true(fd >= 0);
	r->nrings++;
	return 0;
}

static void make(struct real *r, size_t npages, bool shared, enum vd_pin_method method)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_noiommu_cfg host = {
		.size = sizeof(host), .method = method, .on_ring = count_ring, .opaque = r
	};
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, 1, &ops, NULL };
	int err;

	real_needs_root();
	memset(r, 0, sizeof(*r));
	err = vd_host_noiommu_create(&host, &r->host);
	if (err == -ENOTSUP) {
		print_message("# io_uring is refused here\n");
		skip();
	}
	assert_int_equal(err, 0);
	r->npages = npages;
	r->mem = real_mem(npages, shared);
	assert_int_equal(vd_domain_create(r->host, &cfg, &r->d), 0);
	assert_int_equal(vd_domain_add_memory(r->d, (vd_gpa){ 0 }, r->mem, npages * 4096), 0);
	assert_int_equal(vd_device_attach(r->d, &dev), 0);
}

static void unmake(struct real *r)
{
	vd_domain_destroy(r->d);
	vd_host_destroy(r->host);
	real_mem_free(r->mem, r->npages);
	assert_true(real_pinned_becomes(0));
}

static void map_pages(struct real *r, size_t first, size_t n, struct vd_seg *segs)
{
	for (size_t i = 0; i < n; i++)
		segs[i] = (struct vd_seg){ .gpa = { (first + i) * 4096 },
					   .len = 4096,
					   .prot = VD_READ | VD_WRITE };
	assert_int_equal(vd_device_map(r->d, DEV, segs, n, UINT64_MAX), 0);
}

static void pins_are_real(void **state)
{
	struct vd_seg segs[N], twice[N];
	struct real r;
	size_t done;

	(void)state;
	make(&r, N, false, VD_PIN_IO_URING);
	map_pages(&r, 0, N, segs);
	assert_int_equal(real_pinned(), N);
	map_pages(&r, 0, N, twice);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(segs[i].iova.v, twice[i].iova.v);
	assert_int_equal(vd_device_unmap_segs(r.d, DEV, segs, N, &done), 0);
	assert_true(real_pinned_becomes(N));
	assert_int_equal(vd_device_unmap_segs(r.d, DEV, segs, N, &done), 0);
	assert_true(real_pinned_becomes(0));
	unmake(&r);
}

/* T1.1 on real pages: paging out reaches the unmapped ones only, where there is
 * swap to go to; either way the mapped ones keep their place. */
static void t1_1_pageout_spares_what_is_mapped(void **state)
{
	struct vd_seg segs[N / 2], again[N / 2];
	struct real r;
	size_t resident;

	(void)state;
	make(&r, N, false, VD_PIN_IO_URING);
	memset(r.mem, 0x5a, (size_t)N * 4096);
	map_pages(&r, 0, N / 2, segs);
	resident = real_pageout(r.mem, N);
	assert_true(resident >= N / 2);
	assert_int_equal(real_pageout(r.mem, N / 2), N / 2);
	if (resident == N)
		print_message("# no swap here: unmapped pages stayed too\n");
	map_pages(&r, 0, N / 2, again);
	for (size_t i = 0; i < N / 2; i++)
		assert_int_equal(segs[i].iova.v, again[i].iova.v);
	unmake(&r);
}

/* T1.4: what was paged out is back with its contents. On shared memory paging
 * out empties the page table even without swap, so pagemap has to look again. */
static void t1_4_contents_survive(bool shared)
{
	struct vd_seg segs[N];
	struct real r;

	make(&r, N, shared, VD_PIN_IO_URING);
	for (size_t i = 0; i < N; i++)
		memcpy(r.mem + i * 4096 + 100, &i, sizeof(i));
	real_pageout(r.mem, N);
	map_pages(&r, 0, N, segs);
	for (size_t i = 0; i < N; i++) {
		size_t got;

		memcpy(&got, r.mem + i * 4096 + 100, sizeof(got));
		assert_int_equal(got, i);
		assert_true(segs[i].iova.v != 0);
	}
	unmake(&r);
}

static void t1_4_private_contents_survive_pageout(void **state)
{
	(void)state;
	t1_4_contents_survive(false);
}

static void t1_4_shared_contents_survive_pageout(void **state)
{
	(void)state;
	t1_4_contents_survive(true);
}

/* T1.2 without a device: what is at that physical address is our page. */
static void t1_2_the_address_names_the_page(void **state)
{
	int kpagecount = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	struct vd_seg seg[1];
	struct real r;

	(void)state;
	make(&r, 4, false, VD_PIN_IO_URING);
	if (kpagecount < 0) {
		unmake(&r);
		skip();
	}
	for (size_t i = 0; i < 4; i++) {
		uint64_t count = 0;

		map_pages(&r, i, 1, seg);
		/* The kernel knows this frame as mapped exactly once: by us. Read
		 * anew each time: a neighbour's count may be older than its pin. */
		assert_int_equal(pread(kpagecount, &count, 8, (off_t)(seg[0].iova.v / 4096 * 8)),
				 8);
		assert_int_equal(count, 1);
	}
	close(kpagecount);
	unmake(&r);
}

/* T1.5 on real pages: touched out of order they are nowhere near in order. */
static void t1_5_real_memory_is_not_contiguous(void **state)
{
	struct vd_seg seg = { .len = N * 4096, .prot = VD_READ }, segs[N];
	struct real r;
	bool run = true;
	int err;

	(void)state;
	make(&r, N, false, VD_PIN_IO_URING);
	for (size_t i = 0; i < N; i++)
		r.mem[(i * 97 % N) * 4096] = 1;
	map_pages(&r, 0, N, segs);
	for (size_t i = 1; i < N; i++)
		run &= segs[i].iova.v == segs[i - 1].iova.v + 4096;
	err = vd_device_map(r.d, DEV, &seg, 1, UINT64_MAX);
	assert_int_equal(err, run ? 0 : -EXDEV);
	assert_int_equal(real_pinned(), run ? 2 * N : N);
	unmake(&r);
}

static void three_rings_of_pins(void **state)
{
	const size_t n = 3 * SLOTS_MAX;
	static struct vd_seg segs[3 * SLOTS_MAX];
	struct real r;
	size_t done;

	(void)state;
	make(&r, n, false, VD_PIN_IO_URING);
	assert_int_equal(r.nrings, 1);
	for (size_t i = 0; i < n; i += VD_MAP_MAX_SEGS)
		map_pages(&r, i, VD_MAP_MAX_SEGS, segs + i);
	assert_int_equal(r.nrings, 3);
	assert_int_equal(real_pinned(), n);
	for (size_t i = 0; i < n; i += VD_MAP_MAX_SEGS)
		assert_int_equal(vd_device_unmap_segs(r.d, DEV, segs + i, VD_MAP_MAX_SEGS, &done),
				 0);
	assert_true(real_pinned_becomes(0));
	unmake(&r);
}

static void memory_that_cannot_be_pinned(void **state)
{
	vd_hpa page[8];
	struct vd_pin pin = { .hva = (void *)0x1000, .npages = 1, .page = page };
	struct real r;

	(void)state;
	make(&r, 4, false, VD_PIN_IO_URING);
	assert_int_equal(r.host->ops->pin(r.host, &pin, 1), -EFAULT);
	pin.hva = r.mem + 1;
	assert_int_equal(r.host->ops->pin(r.host, &pin, 1), -EFAULT);
	pin.hva = r.mem;
	pin.npages = 0;
	assert_int_equal(r.host->ops->pin(r.host, &pin, 1), -EFAULT);
	pin.npages = VD_PIN_MAX_PAGES + 1;
	assert_int_equal(r.host->ops->pin(r.host, &pin, 1), -EFAULT);
	pin.npages = 5;				    /* one beyond the end */
	if (r.host->ops->pin(r.host, &pin, 1) == 0) /* the neighbour is mapped */
		r.host->ops->unpin(r.host, &pin, 1);
	unmake(&r);
}

static int stuck(void *opaque)
{
	(void)opaque;
	return -EIO;
}

/* The pins of a device that is not quiet outlive domain and host. In a child,
 * because they last as long as the process. */
static void pins_of_a_stuck_device_outlive_the_host(void **state)
{
	static const struct vd_device_ops ops = { sizeof(ops), stuck };
	const struct vd_device_cfg dev = { sizeof(dev), 16, 2, &ops, NULL };
	struct vd_seg seg = { .len = 4096, .prot = VD_READ };
	struct real r;
	int status;
	pid_t child;

	(void)state;
	make(&r, 8, false, VD_PIN_MLOCK); /* or skip */
	unmake(&r);
	child = fork();
	if (child == 0) {
		const struct vd_noiommu_cfg cfg = { .size = sizeof(cfg),
						    .method = VD_PIN_IO_URING };
		const struct vd_domain_cfg domain = { .size = sizeof(domain), .granule_shift = 12 };

		r.mem = real_mem(8, false);
		if (vd_host_noiommu_create(&cfg, &r.host) != 0 ||
		    vd_domain_create(r.host, &domain, &r.d) != 0 ||
		    vd_domain_add_memory(r.d, (vd_gpa){ 0 }, r.mem, 8 * 4096) != 0 ||
		    vd_device_attach(r.d, &dev) != 0 ||
		    vd_device_map(r.d, 16, &seg, 1, UINT64_MAX) != 0)
			_exit(1);
		vd_domain_destroy(r.d);
		vd_host_destroy(r.host);
		sleep(1);
		_exit(real_pinned() == 1 ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void by_mlock(void **state)
{
	struct vd_seg segs[16], twice[16];
	struct real r;
	size_t done;

	(void)state;
	make(&r, 16, true, VD_PIN_MLOCK);
	map_pages(&r, 0, 16, segs);
	map_pages(&r, 0, 16, twice);
	assert_int_equal(vd_device_unmap_segs(r.d, DEV, segs, 16, &done), 0);
	assert_int_equal(real_pageout(r.mem, 16), 16);
	unmake(&r);
	assert_int_equal(r.nrings, 0);
}

static void create_says_why_not(void **state)
{
	struct vd_noiommu_cfg cfg = { .size = sizeof(cfg), .method = (enum vd_pin_method)7 };
	struct rlimit was, none;
	struct vd_host *h = NULL;

	(void)state;
	real_needs_root();
	assert_int_equal(vd_host_noiommu_create(&cfg, &h), -EINVAL);
	cfg.method = VD_PIN_IO_URING;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0; /* no file can be opened */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(vd_host_noiommu_create(&cfg, &h), -ENOTSUP);
	/* Enough for pagemap, not for a ring. */
	for (none.rlim_cur = 0; none.rlim_cur < 64; none.rlim_cur++) {
		int err;

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		err = vd_host_noiommu_create(&cfg, &h);
		if (err != -ENOTSUP) {
			assert_int_equal(err, -ENOMEM);
			break;
		}
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_null(h);
}

/* A child without rights sees no addresses. */
static void create_needs_rights(void **state)
{
	struct vd_noiommu_cfg cfg = { .size = sizeof(cfg), .method = VD_PIN_MLOCK };
	struct vd_host *h = NULL;

	(void)state;
	real_needs_root();
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(vd_host_noiommu_create(&cfg, &h), -EPERM);
	assert_int_equal(seteuid(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pins_are_real),
		cmocka_unit_test(t1_1_pageout_spares_what_is_mapped),
		cmocka_unit_test(t1_2_the_address_names_the_page),
		cmocka_unit_test(t1_4_private_contents_survive_pageout),
		cmocka_unit_test(t1_4_shared_contents_survive_pageout),
		cmocka_unit_test(t1_5_real_memory_is_not_contiguous),
		cmocka_unit_test(three_rings_of_pins),
		cmocka_unit_test(memory_that_cannot_be_pinned),
		cmocka_unit_test(pins_of_a_stuck_device_outlive_the_host),
		cmocka_unit_test(by_mlock),
		cmocka_unit_test(create_says_why_not),
		cmocka_unit_test(create_needs_rights),
	};

	return run_all(tests);
}
