/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bzImage of a few hundred bytes: a guest for tests where Linux is too much.
 * What it does is said by the letters of its command line, one after another:
 *
 *	o  power off		r  reset by 0xcf9	k  reset by 0x64
 *	t  triple fault		h  halt for good	s  spin for good
 *	e  echo what comes in, up to and with a dot
 *	w  write "string" by one string instruction
 *	p  write the host bridge's id, by ports and by ECAM: "p" if they agree
 *	b  enable the power button's event, wait until it has been pressed
 *	n  read ports and memory that nobody has: "n" if all ones
 * Each letter is written back when it is done.
 */
	.text
	.globl start
start:
	.org 0x1f1
	.byte 1				/* setup_sects: payload at 0x400 */
	.org 0x1fe
	.word 0xaa55
	.byte 0xeb, 0x66		/* the header ends at 0x202 + 0x66 */
	.ascii "HdrS"
	.word 0x020c
	.org 0x211
	.byte 1				/* loaded high */
	.org 0x22c
	.long 0x7fffffff		/* initrd_addr_max */
	.long 0x200000			/* kernel_alignment */
	.byte 1, 21
	.word 1				/* 64-bit entry */
	.long 255			/* cmdline_size */
	.org 0x258
	.quad 0x1000000			/* pref_address */
	.long 0x10000			/* init_size */
	.org 0x600			/* payload + 0x200 */
	.code64
entry:
	mov	0x228(%rsi), %ebx	/* command line */
	lea	stack(%rip), %rsp
	movb	$3, %al			/* DTR, RTS: input may come */
	mov	$0x3fc, %edx
	outb	%al, %dx
next:
	movzbl	(%rbx), %edi
	inc	%rbx
	cmp	$'o', %dil
	je	off
	cmp	$'r', %dil
	je	reset
	cmp	$'k', %dil
	je	kreset
	cmp	$'t', %dil
	je	triple
	cmp	$'h', %dil
	je	halt
	cmp	$'s', %dil
	je	spin
	cmp	$'e', %dil
	je	echo
	cmp	$'w', %dil
	je	string
	cmp	$'p', %dil
	je	pci
	cmp	$'n', %dil
	je	nothing
	cmp	$'b', %dil
	je	button
	test	%dil, %dil
	jz	spin
done:
	mov	$0x3f8, %edx
	mov	%edi, %eax
	outb	%al, %dx
	jmp	next

off:	mov	$0x3400, %eax		/* SLP_TYP 5, SLP_EN */
	mov	$0x604, %edx
	outw	%ax, %dx
	jmp	spin
reset:	mov	$6, %al
	mov	$0xcf9, %edx
	outb	%al, %dx
	jmp	spin
kreset:	mov	$0xfe, %al
	outb	%al, $0x64
	jmp	spin
triple:	lidt	no_idt(%rip)
	ud2
halt:	cli
	hlt
	jmp	halt
spin:	pause
	jmp	spin

echo:	mov	$0x3fd, %edx
	inb	%dx, %al
	test	$1, %al
	jz	echo
	mov	$0x3f8, %edx
	inb	%dx, %al
	outb	%al, %dx
	cmp	$'.', %al
	jne	echo
	jmp	done

string:	lea	text(%rip), %rsi
	mov	$6, %ecx
	mov	$0x3f8, %edx
	rep outsb
	jmp	done

pci:	mov	$0x80000000, %eax
	mov	$0xcf8, %edx
	outl	%eax, %dx
	mov	$0xcfc, %edx
	inl	%dx, %eax
	mov	$0xe0000000, %ecx
	cmp	(%rcx), %eax
	jne	next
	jmp	done

nothing:
	mov	$0x1234, %edx
	inl	%dx, %eax
	cmp	$-1, %eax
	jne	next
	mov	$0xd0000000, %ecx
	mov	(%rcx), %eax
	cmp	$-1, %eax
	jne	next
	jmp	done

button:	mov	$0x100, %eax		/* PWRBTN_EN */
	mov	$0x602, %edx
	outw	%ax, %dx
	mov	$0x600, %edx
1:	pause
	inw	%dx, %ax
	test	$0x100, %eax
	jz	1b
	mov	$0x100, %eax
	outw	%ax, %dx		/* seen */
	jmp	done

text:	.ascii "string"
	.balign 8
no_idt:	.word 0
	.quad 0
	.balign 16
	.skip 64
stack:
	.org 0x800
