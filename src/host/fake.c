/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pin's handle is the index of its first page plus one: enough to catch a
 * caller that mixes up its pins.
 */
#include <viaduct/fake.h>

#include <assert.h>
#include <checked.h>
#include <container.h>
#include <lock.h>
#include <mem.h>
#include <errno.h>

struct fake_page {
	uint64_t pins;
	vd_hpa hpa;
};

struct fake {
	struct vd_host host;
	uintptr_t base;
	size_t npages;
	struct lock lock;	/* guards what follows */
	struct fake_page *page; /* owned */
	size_t npinned;
	uint64_t ncalls;
	unsigned int fail_in;
	int fail_with;
};

static struct fake *fake(struct vd_host *h)
{
	return container_of(h, struct fake, host);
}

static const struct fake *fake_const(const struct vd_host *h)
{
	return container_of(h, const struct fake, host);
}

static size_t index_of(const struct fake *f, const struct vd_pin *pin)
{
	return ((uintptr_t)pin->hva - f->base) / VD_PAGE_SIZE;
}

static bool is_ours(const struct fake *f, const struct vd_pin *pin)
{
	uintptr_t hva = (uintptr_t)pin->hva;

	return is_aligned(hva, VD_PAGE_SHIFT) && hva >= f->base &&
	       index_of(f, pin) < f->npages && pin->npages > 0 &&
	       pin->npages <= f->npages - index_of(f, pin);
}

static int check_pins(struct fake *f, const struct vd_pin *pin, size_t npins)
	MUST_HOLD(f->lock)
{
	if (f->fail_in && --f->fail_in == 0)
		return f->fail_with;
	for (size_t i = 0; i < npins; i++) {
		if (!is_ours(f, &pin[i]))
			return -EFAULT;
	}
	return 0;
}

static void pin_one(struct fake *f, struct vd_pin *pin) MUST_HOLD(f->lock)
{
	size_t first = index_of(f, pin);

	pin->handle = first + 1;
	for (size_t i = 0; i < pin->npages; i++) {
		struct fake_page *p = &f->page[first + i];

		if (p->pins++ == 0)
			f->npinned++;
		pin->page[i] = p->hpa;
	}
}

static int fake_pin(struct vd_host *h, struct vd_pin *pin, size_t npins)
{
	struct fake *f = fake(h);
	int err;

	lock_take(&f->lock);
	f->ncalls++;
	err = check_pins(f, pin, npins);
	for (size_t i = 0; !err && i < npins; i++)
		pin_one(f, &pin[i]);
	lock_drop(&f->lock);
	return err;
}

static void unpin_one(struct fake *f, const struct vd_pin *pin)
	MUST_HOLD(f->lock)
{
	size_t first = index_of(f, pin);

	assert(is_ours(f, pin) && pin->handle == first + 1);
	for (size_t i = 0; i < pin->npages; i++) {
		struct fake_page *p = &f->page[first + i];

		assert(p->pins > 0);
		if (--p->pins == 0)
			f->npinned--;
	}
}

static void fake_unpin(struct vd_host *h, const struct vd_pin *pin,
		       size_t npins)
{
	struct fake *f = fake(h);

	lock_take(&f->lock);
	f->ncalls++;
	for (size_t i = 0; i < npins; i++)
		unpin_one(f, &pin[i]);
	lock_drop(&f->lock);
}

static void fake_destroy(struct vd_host *h)
{
	struct fake *f = fake(h);

	lock_end(&f->lock);
	mem_free(f->page);
	mem_free(f);
}

int vd_host_fake_create(void *base, size_t npages, struct vd_host **out)
{
	static const struct vd_host_ops ops = {
		.size = sizeof(ops),
		.name = "fake",
		.pin = fake_pin,
		.unpin = fake_unpin,
		.destroy = fake_destroy,
	};
	struct fake *f;

	if (!is_aligned((uintptr_t)base, VD_PAGE_SHIFT) || npages == 0)
		return -EINVAL;
	f = mem_zalloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->page = mem_zalloc(npages, sizeof(*f->page));
	if (!f->page) {
		mem_free(f);
		return -ENOMEM;
	}

	/* Nothing below can fail. */
	f->host.ops = &ops;
	f->base = (uintptr_t)base;
	f->npages = npages;
	lock_init(&f->lock);
	for (size_t i = 0; i < npages; i++)
		f->page[i].hpa.v = VD_FAKE_BASE + i * VD_PAGE_SIZE;
	*out = &f->host;
	return 0;
}

void vd_fake_fail(struct vd_host *h, unsigned int nth, int err)
{
	fake(h)->fail_in = nth;
	fake(h)->fail_with = err;
}

void vd_fake_place(struct vd_host *h, size_t index, vd_hpa hpa)
{
	assert(index < fake(h)->npages);
	fake(h)->page[index].hpa = hpa;
}

uint64_t vd_fake_pins(const struct vd_host *h, size_t index)
{
	assert(index < fake_const(h)->npages);
	return fake_const(h)->page[index].pins;
}

size_t vd_fake_pinned(const struct vd_host *h)
{
	return fake_const(h)->npinned;
}

uint64_t vd_fake_calls(const struct vd_host *h)
{
	return fake_const(h)->ncalls;
}
