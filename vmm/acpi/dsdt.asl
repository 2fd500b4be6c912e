// SPDX-License-Identifier: BSD-2-Clause
/*
 * What Linux cannot find out by itself: the PCI host bridge and its windows,
 * how INTx pins are wired, COM1, and what is taken on the board.
 *
 * Addresses are those of vm.h and pm.h. The 64-bit window depends on the CPU's
 * address width: acpi.c writes it into M64B and M64L.
 */
DefinitionBlock ("", "DSDT", 2, "VIADCT", "VIADUCT ", 1)
{
	/* Sleep type 5 in PM1_CNT is power off. */
	Name (_S5, Package () { 5, 5, 0, 0 })

	Scope (_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)

			/* Replaced in memory; must stay 64-bit constants. */
			Name (M64B, 0x8000000000000001)
			Name (M64L, 0x8000000000000002)

			Name (WNDS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xCF8, 0xCF8, 1, 8)
				DWordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange,
					0, 0x1000, 0xFFFF, 0, 0xF000)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, 0xC0000000, 0xDFFFFFFF,
					0, 0x20000000)
				QWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, Cacheable,
					ReadWrite, 0, 0, 0, 0, 0, , , W64)
			})

			Method (_CRS, 0, Serialized)
			{
				CreateQWordField (WNDS, ^W64._MIN, MINA)
				CreateQWordField (WNDS, ^W64._MAX, MAXA)
				CreateQWordField (WNDS, ^W64._LEN, LENA)
				MINA = M64B
				LENA = M64L
				MAXA = M64B + M64L - 1
				Return (WNDS)
			}

			/* Pin p of device d: GSI 16 + (d + p) % 8. */
			Method (_PRT, 0, Serialized)
			{
				Local0 = Package (128) {}
				Local1 = 0
				While (Local1 < 128)
				{
					Local2 = Package (4) { 0, 0, 0, 0 }
					Local3 = Local1 >> 2
					Local4 = Local1 & 3
					Local2[0] = (Local3 << 16) | 0xFFFF
					Local2[1] = Local4
					Local2[3] = 16 + ((Local3 + Local4) & 7)
					Local0[Local1] = Local2
					Local1++
				}
				Return (Local0)
			}

			/* Everything is Linux's but hot-plug: the HAL rescans. */
			Method (_OSC, 4, NotSerialized)
			{
				CreateDWordField (Arg3, 0, STS)
				If (Arg0 == ToUUID (
					"33db4d5b-1ff7-401c-9657-7441c03dd766"))
				{
					CreateDWordField (Arg3, 8, CTRL)
					Local0 = CTRL & 0x1C
					If (Local0 != CTRL)
					{
						STS |= 0x10
					}
					If (Arg1 != 1)
					{
						STS |= 0x08
					}
					CTRL = Local0
					Return (Arg3)
				}
				STS |= 0x04
				Return (Arg3)
			}
		}

		/* The board: ECAM and the power management ports. */
		Device (BRD0)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE0000000,
					0x00100000)
				IO (Decode16, 0x600, 0x600, 1, 0x10)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_STA, 0x0F)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3F8, 0x3F8, 0, 8)
				IRQNoFlags () { 4 }
			})
		}
	}
}
