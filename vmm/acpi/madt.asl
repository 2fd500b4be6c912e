/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt controllers. The local APIC stands last: acpi.c repeats it for each
 * vCPU. No override for the timer, because KVM wires GSI n to pin n.
  */
                          Signature : "APIC"
                       Table Length : 00000000
                           Revision : 05
                           Checksum : 00
                             Oem ID : "VIADCT"
                       Oem Table ID : "VIADUCT "
                       Oem Revision : 00000001
                    Asl Compiler ID : "INTL"
              Asl Compiler Revision : 00000001

                 Local Apic Address : FEE00000
              Flags (decoded below) : 00000001
                PC-AT Compatibility : 1

                      Subtable Type : 01 [I/O APIC]
                             Length : 0C
                        I/O Apic ID : 00
                           Reserved : 00
                            Address : FEC00000
                          Interrupt : 00000000

                      Subtable Type : 02 [Interrupt Source Override]
                             Length : 0A
                                Bus : 00
                             Source : 09
                          Interrupt : 00000009
              Flags (decoded below) : 000D
                           Polarity : 1
                       Trigger Mode : 3

                      Subtable Type : 04 [Local APIC NMI]
                             Length : 06
                       Processor ID : FF
              Flags (decoded below) : 0005
                           Polarity : 1
                       Trigger Mode : 1
               Interrupt Input LINT : 01

                      Subtable Type : 00 [Processor Local APIC]
                             Length : 08
                       Processor ID : 00
                      Local Apic ID : 00
              Flags (decoded below) : 00000001
                  Processor Enabled : 1
             Runtime Online Capable : 0
