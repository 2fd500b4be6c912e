/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A, as much of it as drivers look at. Register numbers and bits are
 * the data sheet's (PC16550D).
 */
#include "serial.h"
#include <string.h>

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RX	     0x01
#define IER_TX	     0x02
#define IER_LINE     0x04
#define IIR_NONE     0x01
#define IIR_TX	     0x02
#define IIR_RX	     0x04
#define IIR_LINE     0x06
#define IIR_FIFO     0xc0
#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB     0x80
#define MCR_RTS	     0x02
#define MCR_OUT2     0x08
#define MCR_LOOP     0x10
#define LSR_RX	     0x01
#define LSR_OVERRUN  0x02
#define LSR_TX_EMPTY 0x60
#define MSR_READY    0xb0 /* DCD, DSR, CTS */

/*
 * Input waits until the guest is ready for it (RTS): a driver that starts reads
 * the data register to empty it, and what was typed early would be lost.
 */
static bool has_input(const struct serial *s)
{
	if (s->mcr & MCR_LOOP)
		return s->has_loop_byte;
	return (s->mcr & MCR_RTS) && s->count > 0;
}

static uint8_t pending(const struct serial *s)
{
	if ((s->ier & IER_LINE) && s->overrun)
		return IIR_LINE;
	if ((s->ier & IER_RX) && has_input(s))
		return IIR_RX;
	if ((s->ier & IER_TX) && s->thr_pending)
		return IIR_TX;
	return IIR_NONE;
}

/* A PC gates the line with OUT2; Linux always sets it. */
static void update_irq(struct serial *s)
{
	bool level = pending(s) != IIR_NONE &&
		     (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	if (level != s->level)
		s->ops->irq(s->ctx, level);
	s->level = level;
}

static uint8_t take_byte(struct serial *s, bool *room)
{
	uint8_t byte;

	if (s->mcr & MCR_LOOP) {
		s->has_loop_byte = false;
		return s->loop_byte;
	}
	if (!has_input(s))
		return 0;
	*room = s->count + 1 >= SERIAL_QUEUE;
	byte = s->queue[s->head];
	s->head = (s->head + 1) % SERIAL_QUEUE;
	s->count--;
	return byte;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t iir = pending(s);

	if (iir == IIR_TX)
		s->thr_pending = false; /* reading it is the acknowledgement */
	if (s->fcr & FCR_ENABLE)
		iir |= IIR_FIFO;
	return iir;
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t lsr = LSR_TX_EMPTY;

	if (has_input(s))
		lsr |= LSR_RX;
	if (s->overrun)
		lsr |= LSR_OVERRUN;
	s->overrun = false;
	return lsr;
}

/* In loopback the modem outputs come back as inputs: DTR RTS OUT1 OUT2. */
static uint8_t read_msr(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_READY;
	return (uint8_t)((s->mcr & 1) << 5 | (s->mcr & 2) << 3 |
			 (s->mcr & 4) << 4 | (s->mcr & 8) << 4);
}

static uint8_t read_reg(struct serial *s, uint64_t off, bool *room)
{
	switch (off) {
	case RBR_THR:
		return s->lcr & LCR_DLAB ? s->dll : take_byte(s, room);
	case IER:
		return s->lcr & LCR_DLAB ? s->dlm : s->ier;
	case IIR_FCR:
		return read_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return read_lsr(s);
	case MSR:
		return read_msr(s);
	}
	return s->scr;
}

static uint64_t serial_read(void *ctx, uint64_t off, unsigned int width)
{
	struct serial *s = ctx;
	bool room = false;
	uint8_t value;

	if (width != 1)
		return UINT64_MAX;
	pthread_mutex_lock(&s->lock);
	value = read_reg(s, off, &room);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	if (room)
		s->ops->room(s->ctx);
	return value;
}

/* True: the byte is to go out. */
static bool write_thr(struct serial *s, uint8_t value)
{
	s->thr_pending = true;
	if (!(s->mcr & MCR_LOOP))
		return true;
	s->overrun |= s->has_loop_byte;
	s->loop_byte = value;
	s->has_loop_byte = true;
	return false;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	/* Clearing the FIFO drops what the chip would hold, not our queue. */
	if (value & FCR_CLEAR_RX)
		s->has_loop_byte = false;
	s->fcr = value;
}

static bool write_reg(struct serial *s, uint64_t off, uint8_t value)
{
	switch (off) {
	case RBR_THR:
		if (!(s->lcr & LCR_DLAB))
			return write_thr(s, value);
		s->dll = value;
		break;
	case IER:
		if (s->lcr & LCR_DLAB) {
			s->dlm = value;
			break;
		}
		if (value & ~s->ier & IER_TX)
			s->thr_pending = true;
		s->ier = value & 0x0f;
		break;
	case IIR_FCR:
		write_fcr(s, value);
		break;
	case LCR:
		s->lcr = value;
		break;
	case MCR:
		s->mcr = value & 0x1f;
		break;
	case SCR:
		s->scr = value;
		break;
	}
	return false;
}

static void serial_write(void *ctx, uint64_t off, unsigned int width,
			 uint64_t value)
{
	struct serial *s = ctx;
	bool out;

	if (width != 1)
		return;
	pthread_mutex_lock(&s->lock);
	out = write_reg(s, off, (uint8_t)value);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	if (out)
		s->ops->output(s->ctx, (uint8_t)value);
}

static const struct region_ops serial_region_ops = {
	.read = serial_read,
	.write = serial_write,
};

void serial_init(struct serial *s, uint64_t base, const struct serial_ops *ops,
		 void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->ops = ops;
	s->ctx = ctx;
	s->dll = 12; /* 9600 baud, as after power on of a PC */
	s->region = (struct region){
		.cause = "serial",
		.ops = &serial_region_ops,
		.ctx = s,
		.base = base,
		.len = 8,
	};
	pthread_mutex_init(&s->lock, NULL);
}

void serial_fini(struct serial *s)
{
	pthread_mutex_destroy(&s->lock);
}

void serial_reset(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	s->ier = s->fcr = s->lcr = s->mcr = s->scr = s->dlm = 0;
	s->dll = 12;
	s->thr_pending = s->has_loop_byte = s->overrun = false;
	s->head = s->count = 0;
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	s->ops->room(s->ctx);
}

size_t serial_room(struct serial *s)
{
	size_t room;

	pthread_mutex_lock(&s->lock);
	room = SERIAL_QUEUE - s->count;
	pthread_mutex_unlock(&s->lock);
	return room;
}

size_t serial_input(struct serial *s, const uint8_t *p, size_t n)
{
	pthread_mutex_lock(&s->lock);
	if (n > SERIAL_QUEUE - s->count)
		n = SERIAL_QUEUE - s->count;
	for (size_t i = 0; i < n; i++)
		s->queue[(s->head + s->count++) % SERIAL_QUEUE] = p[i];
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}
