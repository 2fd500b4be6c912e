/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tower of bitmaps. A bit of level 0 is set if its page is taken. A bit of a
 * higher level is set if the word of 64 bits below it has a set bit; so it is
 * clear if 64 pages are free, or 64 * 64, and so on. Hence each aligned free
 * block of 2^(6 * L + k) pages is 2^k aligned clear bits in a word of level L,
 * for a k of 0 to 5: splitting and merging blocks is nothing but setting and
 * clearing bits.
 *
 * To find such a word without looking at the others, each level has a bitmap
 * for each k, whose bit is set if the word lacks such a block; over this bitmap
 * lies one whose bit is set if the word below it is all ones, up to one word.
 * The lowest block is found by going up until a word has a clear bit, and down
 * along the lowest ones.
 *
 * 64 words that become alike are changed as one word of level 1, so what a long
 * run costs is little beside what it is for.
 *
 * Clear means free, so zeroed memory is a map in which everything is free: what
 * no run has touched yet, the kernel has not given us either. Bits beyond the
 * last page are set, and behind each bitmap stands a word of ones, so no search
 * looks for the end.
 */
#include "freemap.h"

#include <errno.h>
#include <mem.h>
#include <stddef.h>
#include <string.h>

#define ONES UINT64_MAX

static uint64_t words_of(uint64_t nbits)
{
	return (nbits + 63) / 64;
}

static uint64_t bits_from(uint64_t i)
{
	return ONES << (i % 64);
}

/* Where aligned runs of 2^k clear bits begin, from where runs of half do. */
static uint64_t double_up(uint64_t begins, unsigned int k)
{
	static const uint64_t at[FREEMAP_ORDERS] = {
		ONES,
		0x5555555555555555,
		0x1111111111111111,
		0x0101010101010101,
		0x0001000100010001,
		0x0000000100000001,
	};

	return begins & begins >> ((1u << k) / 2) & at[k];
}

static uint64_t begins_of(uint64_t taken, unsigned int order)
{
	uint64_t begins = ~taken;

	for (unsigned int k = 1; k <= order; k++)
		begins = double_up(begins, k);
	return begins;
}

/* How many orders of runs a word has; if it has one it has all below it. */
static unsigned int norders(uint64_t taken)
{
	uint64_t begins = ~taken;
	unsigned int k = 0;

	while (begins && ++k < FREEMAP_ORDERS)
		begins = double_up(begins, k);
	return k;
}

/* Set bit @i of row @h, and what follows from it above. */
static void rows_set(struct freemap_rows *r, unsigned int h, uint64_t i)
{
	for (; h < r->n; h++, i /= 64) {
		uint64_t *word = &r->row[h][i / 64];

		*word |= (uint64_t)1 << (i % 64);
		if (*word != ONES)
			return;
	}
}

static void rows_clear(struct freemap_rows *r, unsigned int h, uint64_t i)
{
	for (; h < r->n; h++, i /= 64) {
		uint64_t *word = &r->row[h][i / 64], was = *word;

		*word &= ~((uint64_t)1 << (i % 64));
		if (was != ONES)
			return;
	}
}

/* The first clear bit from @i on. */
static bool rows_next(const struct freemap_rows *r, uint64_t i, uint64_t *out)
{
	uint64_t open;
	unsigned int h = 0;

	while (!(open = ~r->row[h][i / 64] & bits_from(i))) {
		i = i / 64 + 1;
		if (++h == r->n)
			return false;
	}
	i = i / 64 * 64 + (uint64_t)__builtin_ctzll(open);
	while (h--)
		i = i * 64 + (uint64_t)__builtin_ctzll(~r->row[h][i]);
	*out = i;
	return true;
}

/* Returns whether the word has become or ceased to be all clear. */
static bool change_word(struct freemap_level *l, uint64_t i, uint64_t taken)
{
	uint64_t was = l->word[i];
	unsigned int from = norders(was), to = norders(taken);

	l->word[i] = taken;
	while (from > to)
		rows_set(&l->lacks[--from], 0, i);
	for (; from < to; from++)
		rows_clear(&l->lacks[from], 0, i);
	return !was != !taken;
}

static void put_word(struct freemap *m, struct freemap_level *l, uint64_t i,
		     uint64_t taken)
{
	while (change_word(l, i, taken) && ++l < m->level + m->nlevels) {
		uint64_t bit = (uint64_t)1 << (i % 64);

		i /= 64;
		taken = taken ? l->word[i] | bit : l->word[i] & ~bit;
	}
}

/* The 64 words of level 0 below word @i of level 1; @taken: all ones or 0. */
static void put_group(struct freemap *m, uint64_t i, uint64_t taken)
{
	struct freemap_level *l = m->level;

	memset(&l->word[i * 64], (int)(taken & 0xff), 64 * sizeof(*l->word));
	for (unsigned int k = 0; k < FREEMAP_ORDERS; k++) {
		l->lacks[k].row[0][i] = taken;
		if (taken)
			rows_set(&l->lacks[k], 1, i);
		else
			rows_clear(&l->lacks[k], 1, i);
	}
	put_word(m, l + 1, i, taken);
}

/* The bits of word @i that stand for pages @first to before @end. */
static uint64_t bits_in(uint64_t i, uint64_t first, uint64_t end)
{
	uint64_t bits = ONES;

	if (i == first / 64)
		bits &= bits_from(first);
	if (i == end / 64)
		bits &= ~bits_from(end);
	return bits;
}

static void put_pages(struct freemap *m, uint64_t first, uint64_t end,
		      uint64_t taken)
{
	struct freemap_level *l = m->level;

	for (uint64_t i = first / 64; i < words_of(end);) {
		uint64_t bits = bits_in(i, first, end);

		if (i % 64 == 0 && bits == ONES && (i + 64) * 64 <= end) {
			put_group(m, i / 64, taken);
			i += 64;
			continue;
		}
		put_word(m, l, i, (l->word[i] & ~bits) | (taken & bits));
		i++;
	}
}

void freemap_take(struct freemap *m, uint64_t first, uint64_t n)
{
	put_pages(m, first, first + n, ONES);
}

void freemap_give(struct freemap *m, uint64_t first, uint64_t n)
{
	put_pages(m, first, first + n, 0);
}

/* The first page from @page on that is taken, or the end. */
static uint64_t hole_end(const struct freemap *m, uint64_t page)
{
	const struct freemap_level *l = m->level;
	uint64_t taken, i = page;

	while (!(taken = l->word[i / 64] & bits_from(i))) {
		i = i / 64 + 1;
		l++;
	}
	for (;;) {
		i = i / 64 * 64 + (uint64_t)__builtin_ctzll(taken);
		if (i >= l->nbits)
			return m->npages;
		if (l == m->level)
			return i;
		taken = (--l)->word[i];
		i *= 64;
	}
}

/* The first of the free pages that end with @page, which is free. */
static uint64_t hole_begin(const struct freemap *m, uint64_t page)
{
	const struct freemap_level *l = m->level;
	uint64_t taken, i = page;

	while (!(taken = l->word[i / 64] & ~bits_from(i))) {
		i /= 64;
		if (++l == m->level + m->nlevels)
			return 0;
	}
	i = i / 64 * 64 + 63 - (uint64_t)__builtin_clzll(taken);
	while (l-- > m->level)
		i = i * 64 + 63 - (uint64_t)__builtin_clzll(l->word[i]);
	return i + 1;
}

bool freemap_is_free(const struct freemap *m, uint64_t first, uint64_t n)
{
	return hole_end(m, first) - first >= n;
}

/* The lowest aligned free block of 2^@order pages from page @from on. */
static bool next_block(const struct freemap *m, unsigned int order,
		       uint64_t from, uint64_t *first)
{
	unsigned int up = order / FREEMAP_ORDERS, k = order % FREEMAP_ORDERS;
	const struct freemap_level *l;
	uint64_t i, begins, word;

	if (up >= m->nlevels)
		return false;
	l = &m->level[up];
	up *= FREEMAP_ORDERS;
	i = (from + ((uint64_t)1 << up) - 1) >> up;
	word = i / 64;
	begins = begins_of(l->word[word], k) & bits_from(i);
	if (!begins) {
		if (!rows_next(&l->lacks[k], word + 1, &word))
			return false;
		begins = begins_of(l->word[word], k);
	}
	*first = (word * 64 + (uint64_t)__builtin_ctzll(begins)) << up;
	return true;
}

/* The first page from @page on that lies on the bus as @w wants it. */
static uint64_t align(const struct freemap *m, const struct freemap_want *w,
		      uint64_t page)
{
	uint64_t mask = ((uint64_t)1 << w->order) - 1;

	return page + (-(m->origin + page) & mask);
}

static bool is_before(uint64_t first, uint64_t n, uint64_t end)
{
	return first < end && n <= end - first;
}

bool freemap_block(const struct freemap *m, const struct freemap_want *w,
		   uint64_t *first)
{
	unsigned int order = freemap_order(w->npages);
	uint64_t at;

	if (order < w->order)
		order = w->order;
	if (!next_block(m, order, 0, &at) || align(m, w, at) != at ||
	    !is_before(at, w->npages, w->end))
		return false;
	*first = at;
	return true;
}

/* The order of the block that each run of @n pages has in it. */
static unsigned int order_within(uint64_t n)
{
	return 62 - (unsigned int)__builtin_clzll(n + 1);
}

bool freemap_run(const struct freemap *m, const struct freemap_want *w,
		 uint64_t *first)
{
	unsigned int order = order_within(w->npages);
	uint64_t block, at, end = 0;

	while (next_block(m, order, end, &block)) {
		at = align(m, w, hole_begin(m, block));
		end = hole_end(m, block);
		if (!is_before(at, w->npages, w->end))
			return false;
		if (is_before(at, w->npages, end)) {
			*first = at;
			return true;
		}
	}
	return false;
}

uint64_t freemap_longest(const struct freemap *m)
{
	unsigned int order = FREEMAP_LEVELS * FREEMAP_ORDERS;
	uint64_t block, n, longest = 0, end = 0;

	while (!next_block(m, order, 0, &block))
		if (order-- == 0)
			return 0;
	/* The longest may be two halves of a block, so it has one below. */
	order -= order > 0;
	while (next_block(m, order, end, &block)) {
		end = hole_end(m, block);
		n = end - hole_begin(m, block);
		longest = n > longest ? n : longest;
	}
	return longest;
}

uint32_t freemap_take_runs(struct freemap *m, unsigned int order, uint32_t max,
			   uint32_t *first)
{
	const struct freemap_level *l = m->level;
	uint64_t run = ((uint64_t)1 << (1u << order)) - 1, i = 0, begins, taken;
	uint32_t n = 0;

	while (n < max && rows_next(&l->lacks[order], i, &i)) {
		taken = l->word[i];
		begins = begins_of(taken, order);
		for (; begins && n < max; begins &= begins - 1) {
			unsigned int bit =
				(unsigned int)__builtin_ctzll(begins);

			taken |= run << bit;
			first[n++] = (uint32_t)(i * 64 + bit);
		}
		put_word(m, m->level, i, taken);
	}
	return n;
}

/* Where the bitmaps are laid out; without memory they are only counted. */
struct plan {
	uint64_t *mem;
	uint64_t nwords;
};

/* Words for a bitmap of @nbits, with the word of ones behind it. */
static uint64_t *plan_words(struct plan *p, uint64_t nbits)
{
	uint64_t at = p->nwords;

	p->nwords += words_of(nbits) + 1;
	return p->mem ? p->mem + at : NULL;
}

static void plan_rows(struct plan *p, struct freemap_rows *r, uint64_t nbits)
{
	r->n = 0;
	do {
		r->row[r->n++] = plan_words(p, nbits);
		nbits = words_of(nbits);
	} while (nbits > 1);
}

static void plan_level(struct plan *p, struct freemap_level *l, uint64_t nbits)
{
	l->nbits = nbits;
	l->word = plan_words(p, nbits);
	for (unsigned int k = 0; k < FREEMAP_ORDERS; k++)
		plan_rows(p, &l->lacks[k], words_of(nbits));
}

static uint64_t lay_out(struct freemap *m)
{
	struct plan p = { m->mem, 0 };
	uint64_t nbits = m->npages;

	m->nlevels = 0;
	plan_level(&p, &m->level[m->nlevels++], nbits);
	while (nbits > 1) {
		nbits = words_of(nbits);
		plan_level(&p, &m->level[m->nlevels++], nbits);
	}
	return p.nwords;
}

static void close_rows(struct freemap_rows *r, uint64_t nbits)
{
	for (unsigned int h = 0; h < r->n; h++, nbits = words_of(nbits)) {
		if (nbits % 64)
			r->row[h][nbits / 64] = bits_from(nbits);
		r->row[h][words_of(nbits)] = ONES;
	}
}

/* Set what lies behind each bitmap; rows first, for levels change them. */
static void close_ends(struct freemap *m)
{
	struct freemap_level *end = m->level + m->nlevels;

	for (struct freemap_level *l = m->level; l < end; l++)
		for (unsigned int k = 0; k < FREEMAP_ORDERS; k++)
			close_rows(&l->lacks[k], words_of(l->nbits));
	for (struct freemap_level *l = m->level; l < end; l++) {
		uint64_t i = l->nbits / 64;

		l->word[words_of(l->nbits)] = ONES;
		if (l->nbits % 64)
			put_word(m, l, i, l->word[i] | bits_from(l->nbits));
	}
}

int freemap_init(struct freemap *m, uint64_t npages, uint64_t origin)
{
	*m = (struct freemap){ .npages = npages, .origin = origin };
	m->mem = mem_zalloc(lay_out(m), sizeof(*m->mem));
	if (!m->mem)
		return -ENOMEM;
	lay_out(m);
	close_ends(m);
	return 0;
}

void freemap_end(struct freemap *m)
{
	mem_free(m->mem);
}
