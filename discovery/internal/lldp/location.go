package lldp

import (
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery/switchport"
)

// location reads one of the formats that LLDP-MED has for where something stands.
func (d *decoder) location(format byte, b []byte) {
	switch {
	case format == 1 && len(b) >= 16:
		d.coordinate(b)
	case format == 2 && len(b) >= 4:
		// Length of the rest, what stands there, country, elements.
		d.civic("country", b[2:4])
		d.civicElements(b[4:min(len(b), max(4, 1+int(b[0])))])
	case format == 3:
		setText(&d.port.ELIN, b)
	}
}

// coordinate reads the 16 bytes of RFC 6225 section 2.2: resolution (6 bits) and
// latitude (34), the same of longitude, then type (4), resolution (6) and value
// (30) of the altitude, version and reserved (5) and the datum (3).
func (d *decoder) coordinate(b []byte) {
	p := &d.port
	latitude, longitude := fixed(b[0:5], 34), fixed(b[5:10], 34)
	if p.Datum != "" || abs(latitude) > 90<<25 || abs(longitude) > 180<<25 {
		return
	}
	p.Latitude, p.Longitude = decimal(latitude, 25, 6), decimal(longitude, 25, 6)
	height := decimal(fixed(b[10:15], 30), 8, 2)
	switch b[10] >> 4 {
	case 1:
		p.Altitude = height + " m"
	case 2:
		p.Altitude = height + " floors"
	}
	switch b[15] & 7 {
	case 1:
		p.Datum = "WGS84"
	case 2:
		p.Datum = "NAD83/NAVD88"
	case 3:
		p.Datum = "NAD83/MLLW"
	default:
		p.Datum = strconv.Itoa(int(b[15] & 7))
	}
}

// fixed is the two's complement number in the last bits of five bytes.
func fixed(b []byte, bits int) int64 {
	var n int64
	for _, c := range b {
		n = n<<8 | int64(c)
	}
	return n << (64 - bits) >> (64 - bits)
}

// decimal writes n / 2^fraction with at most so many decimals. Facts have no
// fractions, and a host's own rounding must not be a change.
func decimal(n int64, fraction, decimals int) string {
	scale := int64(1)
	for range decimals {
		scale *= 10
	}
	sign := ""
	if n < 0 {
		sign = "-"
	}
	scaled := (abs(n)*scale + 1<<(fraction-1)) >> fraction
	if scaled == 0 {
		return "0"
	}
	digits := strconv.FormatInt(scaled%scale+scale, 10)[1:]
	whole := strconv.FormatInt(scaled/scale, 10)
	if digits = strings.TrimRight(digits, "0"); digits != "" {
		whole += "." + digits
	}
	return sign + whole
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// civicElements reads a list of type, length and value, RFC 4776 section 3.3.
func (d *decoder) civicElements(b []byte) {
	for len(b) >= 2 && int(b[1]) <= len(b)-2 {
		d.civic(civicName(b[0]), b[2:2+int(b[1])])
		b = b[2+int(b[1]):]
	}
}

func (d *decoder) civic(element string, value []byte) {
	same := func(c switchport.Civic) bool { return c.Element == element }
	if s := text(value); s != "" && !slices.ContainsFunc(d.port.Civic, same) {
		d.port.Civic = append(d.port.Civic, switchport.Civic{Element: element, Value: s})
	}
}

// civicNames are the types of RFC 4776 section 3.4, as pairs of number and name.
const civicNames = " 0 language 1 region 2 county 3 city 4 city-division 5 block 6 street " +
	"16 direction 17 street-suffix-direction 18 street-suffix 19 number 20 number-suffix 21 landmark 22 additional 23 name 24 zip " +
	"25 building 26 unit 27 floor 28 room 29 place-type 30 postal-community 31 post-box 32 additional-code 33 seat " +
	"34 primary-road 35 road-section 36 branch-road 37 sub-branch-road 38 street-pre-modifier 39 street-post-modifier 128 script "

// civicName names a type, or gives its number.
func civicName(number byte) string {
	digits := strconv.Itoa(int(number))
	_, after, known := strings.Cut(civicNames, " "+digits+" ")
	if !known {
		return digits
	}
	name, _, _ := strings.Cut(after, " ")
	return name
}
