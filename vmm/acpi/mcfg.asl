/* SPDX-License-Identifier: BSD-2-Clause */
/* ECAM of bus 0: VM_ECAM in vm.h */
                          Signature : "MCFG"
                       Table Length : 00000000
                           Revision : 01
                           Checksum : 00
                             Oem ID : "VIADCT"
                       Oem Table ID : "VIADUCT "
                       Oem Revision : 00000001
                    Asl Compiler ID : "INTL"
              Asl Compiler Revision : 00000001

                           Reserved : 0000000000000000

                       Base Address : 00000000E0000000
               Segment Group Number : 0000
                   Start Bus Number : 00
                     End Bus Number : 00
                           Reserved : 00000000
