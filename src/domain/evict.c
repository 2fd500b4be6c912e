/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting cached pages go: the host's half of the protocol of the pin table
 * (the guest's is to map and to unmap). Its transitions, named as in the model
 * of tests/spin/pin_table.pml:
 *
 *	publish	 the page is pinned; its word says so		(pin.c)
 *	spare	 USED is taken off: the page's second chance
 *	evict	 the word goes from a count of 0 to 0, by one compare-and-swap
 *	unpin	 after evict or drop, never before
 *	drop	 the word is cleared whatever it says: no device runs; while one
 *		 might, the page itself is owed, until the guest pins it again or
 *		 all devices have settled
 *
 * The clock: a hand moves over the blocks of the table. Ageing spares what was
 * used and evicts what was not; reclaim takes the unused first and, if that is
 * not enough, what is used but not held.
 *
 * A page that is busy is passed over, whatever its word says: a request, under
 * which room is being made, has it in its hands.
 *
 * While a device is being stopped, or would not stop, nothing is evicted: the
 * guest may say that it is done with a page, but of that device nobody knows.
 *
 * On any processor: try_evict()'s word_swap() acquires what the guest's last unmap
 * released, so its DMA is over before the unpin; are_all_held() and are_all_warm()
 * peek, and order nothing, because a wrong answer costs a look and no more.
 *
 * The words are the guest's to scribble on, so each is looked at once and
 * changed by one try: what fails is left for the next round.
 */
#include "evict.h"

#include <errno.h>
#include <viaduct/abi/hal.h>
#include <viaduct/pins.h>
#include <word.h>

#define BATCH	    VD_MAP_MAX_SEGS /* pages unpinned by one call of the host */
#define PIECE	    64u		    /* blocks between two drops of the lock */
#define OUT_MOST    512u	    /* and pages unpinned, or a block more */
#define PIECE_WORDS ((uint64_t)PIECE * PIN_BLOCK)
#define WORDS_MOST  ((uint64_t)1 << 17) /* looked at on behalf of a request */

/* Pages on their way out: evicted, in the scratch, not yet unpinned. */
struct batch {
	uint64_t page[BATCH];
	size_t n;
	uint64_t enough; /* granules that may stay pinned */
};

static bool are_all_settled(struct vd_domain *d) MUST_HOLD(d->lock)
{
	for (uint32_t i = 0; i < d->ndevices; i++) {
		if (d->device[i]->state == VD_DEVICE_QUIESCING ||
		    d->device[i]->state == VD_DEVICE_STUCK)
			return false;
	}
	return true;
}

static struct stretch *stretch_of(struct vd_domain *d, uint64_t page)
	MUST_HOLD(d->lock)
{
	uint64_t gpa = page << VD_PAGE_SHIFT;

	return memory_find(&d->memory, gpa, gpa);
}

/* Unpin and forget a batch. */
static void flush(struct vd_domain *d, struct batch *b) MUST_HOLD(d->lock)
{
	struct vd_pin *pin = d->scratch->out;

	if (b->n == 0)
		return;
	for (size_t i = 0; i < b->n; i++) {
		uint64_t gpa = b->page[i] << VD_PAGE_SHIFT;
		struct stretch *s = stretch_of(d, b->page[i]);

		pin[i] = (struct vd_pin){
			.hva = stretch_hva(s, gpa),
			.npages = 1,
			.handle = pintable_find(&d->pins, b->page[i])->handle,
		};
		pages_release(&d->pages, s, gpa, gpa);
	}
	d->host_ops.unpin(d->host, pin, b->n);
	while (b->n > 0)
		pintable_forget(&d->pins, b->page[--b->n]);
}

/* Its word is cleared: it goes with the batch. */
static void put(struct vd_domain *d, struct batch *b, uint64_t page)
	MUST_HOLD(d->lock)
{
	b->page[b->n++] = page;
	if (b->n == BATCH)
		flush(d, b);
}

/* One pinned page: true if it was evicted. */
static bool try_evict(struct pintable *t, uint64_t page, enum evict_mode mode)
{
	uint64_t *word = &t->word[page];
	uint64_t w = word_get(word);

	if ((w & VD_HAL_WORD_COUNT) || pintable_is_busy(t, page))
		return false;
	if (mode != EVICT_ANY && (w & VD_HAL_WORD_USED)) {
		if (mode == EVICT_AGE) /* spare */
			word_swap(word, w, w & ~VD_HAL_WORD_USED);
		return false;
	}
	return word_swap(word, w, 0); /* evict */
}

/*
 * Most of a busy table is passed over here, 64 words at a time, so it is worth
 * a sum: a count above 0 plus the greatest count carries into the bit above it.
 */
static bool are_all_held(const uint64_t *word)
{
	uint64_t carries = VD_HAL_WORD_COUNT + 1;

	for (unsigned int i = 0; i < 64; i++)
		carries &= (word_peek(&word[i]) & VD_HAL_WORD_COUNT) +
			   VD_HAL_WORD_COUNT;
	return carries != 0;
}

/* The same for held or used; USED is the bit above the carry. */
static bool are_all_warm(const uint64_t *word)
{
	uint64_t carries = VD_HAL_WORD_COUNT + 1;

	for (unsigned int i = 0; i < 64; i++) {
		uint64_t w = word_peek(&word[i]);

		carries &= ((w & VD_HAL_WORD_COUNT) + VD_HAL_WORD_COUNT) |
			   (w & VD_HAL_WORD_USED) >> 1;
	}
	return carries != 0;
}

/* Of the 64 pages from @page on, is there none to evict? */
static bool is_hopeless(struct vd_domain *d, uint64_t page,
			enum evict_mode mode) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;
	bool whole = page + 64 <= t->nwords;

	/* Once one that nobody holds was seen, nobody asks for more. */
	if (mode != EVICT_UNUSED || !t->passed_over) {
		if (whole && are_all_held(&t->word[page]))
			return true;
		t->passed_over = true;
	}
	return whole && mode == EVICT_UNUSED && are_all_warm(&t->word[page]);
}

/*
 * Is it enough? What is in the batch counts once it is unpinned: a page may be
 * mapped strictly as well, or share its granule.
 */
static bool is_done(struct vd_domain *d, struct batch *b) MUST_HOLD(d->lock)
{
	if (d->pages.npinned <= b->enough + b->n)
		flush(d, b);
	return d->pages.npinned <= b->enough;
}

/* The pages @bits of the 64 from @page on. */
static void evict_bits(struct vd_domain *d, struct batch *b, uint64_t page,
		       uint64_t bits, enum evict_mode mode) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;

	if (is_hopeless(d, page, mode))
		return;
	for (; bits && !is_done(d, b); bits &= bits - 1) {
		uint64_t at = page + (unsigned int)__builtin_ctzll(bits);

		if (try_evict(t, at, mode))
			put(d, b, at);
	}
}

/* The block goes with its last record, so it is looked up each time. */
static void evict_block(struct vd_domain *d, uint64_t i, enum evict_mode mode,
			uint64_t enough) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;
	struct batch b;

	b.n = 0;
	b.enough = enough;
	for (unsigned int k = 0; k < PIN_BLOCK / 64; k++) {
		uint64_t bits = t->block[i] ? t->block[i]->pinned[k] : 0;

		if (bits)
			evict_bits(d, &b, (i << PIN_BLOCK_SHIFT) + k * 64, bits,
				   mode);
	}
	flush(d, &b);
}

/* From the hand on, at most @nblocks; true if there is more to look at. */
static bool turn(struct vd_domain *d, enum evict_mode mode, uint64_t nblocks,
		 uint64_t enough) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;

	if (!are_all_settled(d))
		return false;
	while (nblocks-- > 0 && d->pages.npinned > enough) {
		if (t->block[t->hand])
			evict_block(d, t->hand, mode, enough);
		if (d->pages.npinned <= enough)
			return false; /* the next call looks at the rest */
		if (++t->hand == t->nblocks)
			t->hand = 0;
	}
	return d->pages.npinned > enough;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool evict_is_partial(struct vd_domain *d)
{
	return d->pins.nblocks > WORDS_MOST >> PIN_BLOCK_SHIFT;
}

bool evict_for(struct vd_domain *d, uint64_t granules)
{
	struct pintable *t = &d->pins;
	uint64_t before = d->pages.npinned, cached = t->ncached;
	uint64_t enough = before > granules ? before - granules : 0;
	uint64_t most = less(t->nblocks, WORDS_MOST >> PIN_BLOCK_SHIFT);

	if (!cached)
		return false;
	t->passed_over = false;
	if (turn(d, EVICT_UNUSED, most, enough) && t->passed_over)
		turn(d, EVICT_ANY, most, enough);
	t->reclaimed += cached - t->ncached;
	return t->ncached < cached;
}

void evict_range(struct vd_domain *d, uint64_t page, uint64_t end)
{
	struct pintable *t = &d->pins;
	uint64_t cached = t->ncached;
	struct batch b;

	b.n = 0;
	if (!are_all_settled(d))
		return;
	while ((page = pintable_next(t, page, end)) != PIN_NOT) {
		if (try_evict(t, page, EVICT_ANY))
			put(d, &b, page);
		page++;
	}
	flush(d, &b);
	t->reclaimed += cached - t->ncached;
}

/*
 * At most @nblocks and about OUT_MOST pages, until @want granules are free.
 * Stops between blocks, so that what was spared in one is not seen again in
 * this round. Return: blocks that need no second look.
 */
static uint64_t piece_of(struct vd_domain *d, enum evict_mode mode,
			 uint64_t nblocks, uint64_t want) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;
	uint64_t before = d->pages.npinned, cached = t->ncached, n = 0;
	uint64_t enough = before - less(before, want);

	for (; n < nblocks && cached - t->ncached < OUT_MOST; n++) {
		if (!turn(d, mode, 1, enough))
			return nblocks; /* enough, or nothing may go now */
	}
	return n;
}

/* A whole round, in pieces, so that others get the lock in between. */
static uint64_t round_of(struct vd_domain *d, enum evict_mode mode,
			 uint64_t want)
{
	struct pintable *t = &d->pins;
	uint64_t left, got = 0;

	lock_take(&d->lock);
	t->passed_over = false;
	left = t->ncached ? t->nblocks : 0;
	while (left > 0 && got < want) {
		uint64_t before = d->pages.npinned, cached = t->ncached;

		left -= piece_of(d, mode, less(left, PIECE), want - got);
		got += before - d->pages.npinned;
		*(mode == EVICT_AGE ? &t->aged : &t->reclaimed) +=
			cached - t->ncached;
		lock_drop(&d->lock);
		lock_take(&d->lock);
	}
	lock_drop(&d->lock);
	return got;
}

/* Is a second round of use? A hint: others may have looked since. */
static bool has_passed_over(struct vd_domain *d)
{
	bool yes;

	lock_take(&d->lock);
	yes = d->pins.passed_over;
	lock_drop(&d->lock);
	return yes;
}

uint64_t vd_domain_reclaim(struct vd_domain *d, uint64_t bytes)
{
	unsigned int shift = d->pages.shift;
	uint64_t want = (bytes >> shift) + ((bytes & ((1u << shift) - 1)) != 0);
	uint64_t got = round_of(d, EVICT_UNUSED, want);

	if (got < want && has_passed_over(d))
		got += round_of(d, EVICT_ANY, want - got);
	return got << shift;
}

uint64_t vd_domain_age(struct vd_domain *d, uint64_t now_ms)
{
	lock_take(&d->lock);
	d->pins.now_ms = now_ms;
	lock_drop(&d->lock);
	return round_of(d, EVICT_AGE, UINT64_MAX) << d->pages.shift;
}

/* --- drops ----------------------------------------------------------- */

/*
 * A drop of all that is cached may be long, and is made in pieces, so that others
 * get the lock in between. From its beginning to its end `dropping` says so, and
 * then nothing is pinned by the table and no device begins to run; who wants that
 * waits (evict_await_drop()). So the decision that was made at the beginning, that
 * no device runs, stays right: nobody can map by a word that the drop has not come
 * to yet, and no count or pin appears in a part that it has left behind.
 */
enum drop {
	DROP_ALL,
	DROP_OWED,  /* what is owed, and nothing else */
	DROP_LATER, /* nothing goes: from now on it is owed */
};

bool evict_await_drop(struct vd_domain *d)
{
	bool waited = false;

	for (; d->pins.dropping; waited = true)
		lock_wait(&d->lock, &d->settled);
	return waited;
}

/*
 * The guest may have written anywhere; what it never touched stays untouched.
 * Needs no lock: during a drop we store nothing but 0 into words, whoever does.
 */
static void clear_words(uint64_t *word, uint64_t nwords)
{
	for (uint64_t i = 0; i < nwords; i++) {
		if (word_peek(&word[i]) != 0)
			word_set(&word[i], 0);
	}
}

/* A cached page. */
static void drop_page(struct vd_domain *d, struct batch *b, uint64_t page,
		      enum drop how) MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;

	if (how == DROP_LATER) {
		pintable_set_owed(t, page, true);
	} else if (how == DROP_ALL || pintable_find(t, page)->owed) {
		word_set(&t->word[page], 0);
		put(d, b, page);
	}
}

/* Some of the pages from *page on; false: those were the last. */
static bool drop_some(struct vd_domain *d, enum drop how, uint64_t *page)
	MUST_HOLD(d->lock)
{
	struct pintable *t = &d->pins;
	uint64_t cached = t->ncached, end = *page + PIECE_WORDS, at = 0;
	struct batch b;

	b.n = 0;
	while (cached - t->ncached < OUT_MOST) {
		at = pintable_next(t, *page, end);
		*page = at == PIN_NOT ? end : at + 1;
		if (at == PIN_NOT)
			break;
		drop_page(d, &b, at, how);
	}
	flush(d, &b);
	t->dropped += cached - t->ncached;
	return *page < t->nwords;
}

/* Begun by who has set `dropping`; ends it. The words go first. */
static void drop(struct vd_domain *d, enum drop how)
{
	struct pintable *t = &d->pins;
	uint64_t page = 0;
	bool more;

	clear_words(t->word, t->nwords);
	do {
		lock_take(&d->lock);
		more = drop_some(d, how, &page);
		if (!more) {
			t->cleared++;
			t->dropping = false;
			lock_wake_all(&d->settled);
		}
		lock_drop(&d->lock);
	} while (more);
}

/* What is owed, as long as all are settled: whoever unsettles it goes on. */
static void drop_owed(struct vd_domain *d)
{
	uint64_t page = 0;
	bool more;

	do {
		lock_take(&d->lock);
		more = d->pins.nowed > 0 && are_all_settled(d) &&
		       drop_some(d, DROP_OWED, &page);
		lock_drop(&d->lock);
	} while (more);
}

int vd_domain_drop_pins(struct vd_domain *d)
{
	bool settled;

	lock_take(&d->lock);
	evict_await_drop(d);
	settled = are_all_settled(d);
	d->pins.dropping = true;
	lock_drop(&d->lock);
	drop(d, settled ? DROP_ALL : DROP_LATER);
	if (settled)
		return 0;
	/* Who settled meanwhile did not see what was not yet owed. */
	drop_owed(d);
	return -EIO;
}

static bool are_all_denied(struct vd_domain *d) MUST_HOLD(d->lock)
{
	for (uint32_t i = 0; i < d->ndevices; i++) {
		if (d->device[i]->state != VD_DEVICE_DENIED)
			return false;
	}
	return true;
}

void evict_settled(struct vd_domain *d)
{
	bool all;

	lock_take(&d->lock);
	evict_await_drop(d);
	all = are_all_denied(d);
	d->pins.dropping = all;
	lock_drop(&d->lock);
	if (all)
		drop(d, DROP_ALL);
	else
		drop_owed(d);
}
