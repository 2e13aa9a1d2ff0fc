package lldp

import (
	"strconv"
	"strings"
)

// mauTypes are the names of IANA-MAU-MIB dot3MauType 1 to 104 (RFC 4836 and its
// successors), with the duplex of those that have one: /h half, /f full.
const mauTypes = "AUI 10BASE5 FOIRL 10BASE2 10BASE-T 10BASE-FP 10BASE-FB 10BASE-FL 10BROAD36 10BASE-T/h " +
	"10BASE-T/f 10BASE-FL/h 10BASE-FL/f 100BASE-T4 100BASE-TX/h 100BASE-TX/f 100BASE-FX/h 100BASE-FX/f 100BASE-T2/h 100BASE-T2/f " +
	"1000BASE-X/h 1000BASE-X/f 1000BASE-LX/h 1000BASE-LX/f 1000BASE-SX/h 1000BASE-SX/f 1000BASE-CX/h 1000BASE-CX/f 1000BASE-T/h 1000BASE-T/f " +
	"10GBASE-X 10GBASE-LX4 10GBASE-R 10GBASE-ER 10GBASE-LR 10GBASE-SR 10GBASE-W 10GBASE-EW 10GBASE-LW 10GBASE-SW " +
	"10GBASE-CX4 2BASE-TL 10PASS-TS 100BASE-BX10D 100BASE-BX10U 100BASE-LX10 1000BASE-BX10D 1000BASE-BX10U 1000BASE-LX10 1000BASE-PX10D " +
	"1000BASE-PX10U 1000BASE-PX20D 1000BASE-PX20U 10GBASE-T 10GBASE-LRM 1000BASE-KX 10GBASE-KX4 10GBASE-KR 10/1GBASE-PRX-D1 10/1GBASE-PRX-D2 " +
	"10/1GBASE-PRX-D3 10/1GBASE-PRX-U1 10/1GBASE-PRX-U2 10/1GBASE-PRX-U3 10GBASE-PR-D1 10GBASE-PR-D2 10GBASE-PR-D3 10GBASE-PR-U1 10GBASE-PR-U3 40GBASE-KR4 " +
	"40GBASE-CR4 40GBASE-SR4 40GBASE-FR 40GBASE-LR4 100GBASE-CR10 100GBASE-SR10 100GBASE-LR4 100GBASE-ER4 1000BASE-T1 1000BASE-PX30D " +
	"1000BASE-PX30U 1000BASE-PX40D 1000BASE-PX40U 10/1GBASE-PRX-D4 10/1GBASE-PRX-U4 10GBASE-PR-D4 10GBASE-PR-U4 25GBASE-CR 25GBASE-CR-S 25GBASE-KR " +
	"25GBASE-KR-S 25GBASE-R 25GBASE-SR 25GBASE-T 40GBASE-ER4 40GBASE-R 40GBASE-T 100GBASE-CR4 100GBASE-KR4 100GBASE-KP4 " +
	"100GBASE-R 100GBASE-SR4 2.5GBASE-T 5GBASE-T"

const lastMAU = 104

// mau names an operational MAU type, or gives its number, with the duplex and the
// speed that follow from it. Zero is unknown.
func mau(number int) (name, duplex string, mbps int64) {
	if number == 0 {
		return "", "", 0
	}
	if number > lastMAU {
		return strconv.Itoa(number), "", 0
	}
	rest := mauTypes
	for range number - 1 {
		_, rest, _ = strings.Cut(rest, " ")
	}
	name, _, _ = strings.Cut(rest, " ")
	mbps = speed(name)
	switch base, suffix, _ := strings.Cut(name, "/"); suffix {
	case "h":
		return base + " half duplex", "half", mbps
	case "f":
		return base + " full duplex", "full", mbps
	}
	return name, "", mbps
}

// speed reads the number that a name begins with: Mb/s, or Gb/s before a G. Of
// the two of a passive optical network it is the larger.
func speed(name string) int64 {
	if name == "2.5GBASE-T" {
		return 2500
	}
	digits := 0
	for digits < len(name) && name[digits] >= '0' && name[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(name[:digits], 10, 64)
	if err != nil {
		return 0
	}
	if c := name[digits]; c == 'G' || c == '/' {
		n *= 1000
	}
	return n
}
